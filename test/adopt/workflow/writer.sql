SELECT pg_sleep(:pause) \gset
SELECT w.id AS space, w.owner_id AS owner, f.id AS flow, floor(random() * 1000000000)::bigint AS dice
FROM workspaces w JOIN workflows f ON f.workspace_id = w.id WHERE w.id = (SELECT 1 + floor(random() * :size)::integer) ORDER BY random() LIMIT 1 \gset
INSERT INTO runs (workflow_id, version, started_by) VALUES (:flow, 1, :owner) RETURNING 'runs.id ' || id AS added, id AS run \gset
\i :journal
INSERT INTO run_log (run_id, message) SELECT :run, 'w ' || n FROM generate_series(1, 3) n;
\i :journal
UPDATE runs SET status = 'done', tries = tries + 1 WHERE id = :run OR id = :run % 100 + 1;
\i :journal
UPDATE workflows SET title = 'Flow ' || :dice WHERE id = :flow;
\i :journal
-- A new workflow, its version and its live version: one transaction, as the constraint between them is deferred.
WITH f AS (INSERT INTO workflows (workspace_id, owner_id, slug, title) VALUES (:space, :owner, 'w-' || :dice || '-' || :run, 'New') RETURNING id)
INSERT INTO workflow_versions (workflow_id, version, definition, created_by) SELECT id, 1, '{}', :owner FROM f RETURNING 'workflows.id ' || workflow_id AS added, workflow_id AS fresh \gset
\i :journal
INSERT INTO nodes (workflow_id, version, position, next_position) VALUES (:fresh, 1, 1, NULL) \; UPDATE workflows SET live_version = 1 WHERE id = :fresh;
\i :journal
INSERT INTO nodes (workflow_id, version, position) VALUES (:fresh, 1, 2) ON CONFLICT (workflow_id, version, position) DO UPDATE SET kind = 'again';
\i :journal
UPDATE nodes SET next_position = 2 WHERE workflow_id = :fresh AND position = 1;
\i :journal
DELETE FROM nodes WHERE workflow_id = :fresh AND position = 2;
\i :journal
INSERT INTO workflow_tags SELECT :fresh, id FROM tags WHERE workspace_id = :space ON CONFLICT DO NOTHING;
\i :journal
INSERT INTO folders (workspace_id, parent_id, name) VALUES (:space, 4 * :space, 'W ' || :run) RETURNING 'folders.id ' || id AS added \gset
\i :journal
UPDATE rules r SET priority = 6 - priority FROM rule_sets s WHERE s.id = r.rule_set_id AND s.workspace_id = :space;
\i :journal
INSERT INTO documents (knowledge_base_id, source) VALUES (md5('k' || :space)::uuid, 'w ' || :run) RETURNING 'documents.id ' || id AS added, id AS doc \gset
\i :journal
INSERT INTO passages (document_id, number, content, embedding) VALUES (:'doc', 0, 'w', (SELECT array_agg(x) FROM generate_series(1, 8) x)::vector(8));
\i :journal
-- It moves to another workspace, and its passages with it.
UPDATE documents SET knowledge_base_id = md5('k' || :space % :size + 1)::uuid WHERE id = :'doc';
\i :journal
SELECT 'documents.id ' || :'doc' AS removed WHERE :dice % 3 = 0 \gset
\i :journal
DELETE FROM documents WHERE id = :'doc' AND :dice % 3 = 0;
\i :journal
