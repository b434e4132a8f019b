#!/usr/bin/env bash
# A workflow product of our own making, by the workspaces that it has. Prints TAP.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
size=20
[[ -z $full ]] || size=1500
start_server
as_owner -f "$folder/schema.sql" -v size=$size -v shared=1 -f "$folder/fill.sql" >/dev/null || exit 1
grant_to_applications public
changing=runs.tries,runs.status,workflows.title,workflows.words,workflows.changed_at,rules.priority

# The column that most tables have becomes the tenant's; the others follow by their references.
plan=$(
    cat <<'END'
strategy => 'column', source_column => 'workspace_id', tables => '{
    "providers": "share", "accounts": "leave", "workflow_tags": "path",
    "history.workflow_changes": {"column": "workflow_id", "parent": "workflows"}}'
END
)
# An exclusion is not made anew; workspaces are what they were by their key, and what is reached by a path refers to keys without a tenant.
global_keys='decision_tables_no_overlap|(workspaces|workflows|tags)_pkey'
repairs="REVOKE ALL ON runs_per_day FROM adopt_old, adopt_new, adopt_app; ALTER MATERIALIZED VIEW runs_per_day OWNER TO CURRENT_USER"
belongs="SELECT n.workflow_id FROM nodes n JOIN workflows w ON w.id = n.workflow_id WHERE n.workspace_id <> w.workspace_id
          UNION ALL SELECT p.number FROM passages p JOIN documents d ON d.id = p.document_id JOIN knowledge_bases k ON k.id = d.knowledge_base_id
                    WHERE p.workspace_id <> k.workspace_id
          UNION ALL SELECT l.run_id FROM run_log l JOIN runs r ON r.id = l.run_id JOIN workflows w ON w.id = r.workflow_id
                    WHERE l.workspace_id <> w.workspace_id"
new_application() {
    ok "the new application writes for a workspace" acts 1 ok "INSERT INTO runs (workflow_id, version) SELECT min(id), 1 FROM workflows"
    ok "and not for what is another's" acts 1 23503 "INSERT INTO runs (workflow_id, version) VALUES (7, 1)"
    ok "what was unique in the world is unique per tenant" acts 1 ok "INSERT INTO workflows (owner_id, slug, title) VALUES (1, 'flow-2-1', 'Mine')"
    ok "which would stand in the way back" acts 1 ok "DELETE FROM workflows WHERE title = 'Mine'"
    ok "a moved rule need not wait for the others" acts 1 ok "UPDATE rules SET priority = 6 - priority"
}
. test/adopt/scenario.sh
scenario
