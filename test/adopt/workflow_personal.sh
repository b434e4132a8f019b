#!/usr/bin/env bash
# The workflow product once more, where people work alone: a tenant for each account, and all that leads to it follows. Prints TAP.
fixture=workflow
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
size=20
[[ -z $full ]] || size=1500
start_server
as_owner -f "$folder/schema.sql" -v size=$size -v shared=0 -f "$folder/fill.sql" >/dev/null || exit 1
grant_to_applications public
changing=runs.tries,runs.status,workflows.title,workflows.words,workflows.changed_at,rules.priority

plan=$(
    cat <<'END'
strategy => 'personal', users => 'accounts', tables => '{
    "providers": "share",
    "history.workflow_changes": {"column": "workflow_id", "parent": "workflows"}}'
END
)
repairs="REVOKE ALL ON runs_per_day FROM adopt_old, adopt_new, adopt_app; ALTER MATERIALIZED VIEW runs_per_day OWNER TO CURRENT_USER"
# An exclusion is not made anew, and a view groups by the key of workflows.
global_keys='decision_tables_no_overlap|workflows_pkey'
belongs="SELECT w.id FROM workflows w JOIN tenancy.tenants t ON t.id = w.tenant_id WHERE t.external_key <> w.owner_id::text
          UNION ALL SELECT n.workflow_id FROM nodes n JOIN workflows w ON w.id = n.workflow_id WHERE n.tenant_id <> w.tenant_id
          UNION ALL SELECT p.number FROM passages p JOIN documents d ON d.id = p.document_id JOIN knowledge_bases k ON k.id = d.knowledge_base_id
                    JOIN workspaces s ON s.id = k.workspace_id WHERE p.tenant_id <> s.tenant_id
          UNION ALL SELECT l.run_id FROM run_log l JOIN runs r ON r.id = l.run_id JOIN workflows w ON w.id = r.workflow_id
                    WHERE l.tenant_id <> w.tenant_id"
new_application() {
    ok "the new application writes for a person" acts 1 ok "INSERT INTO runs (workflow_id, version) SELECT min(id), 1 FROM workflows"
    ok "and not for what is another's" acts 1 23503 "INSERT INTO runs (workflow_id, version) VALUES (7, 1)"
    ok "generated, identity and default columns are as they were" acts 1 ok \
        "INSERT INTO run_log (run_id, message) SELECT min(id), 'x' FROM runs; UPDATE workflows SET title = 'Mine'"
}
switched=yes
. test/adopt/scenario.sh
scenario
