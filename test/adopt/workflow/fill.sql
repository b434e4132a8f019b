-- Deterministic rows: `size` workspaces with what belongs to them; where `shared` is 1 two users work in each, where it is 0 one.
INSERT INTO providers VALUES ('openai', 'https://openai.example', 1), ('local', 'http://localhost', 0), ('mistral', 'https://mistral.example', 0.5);
INSERT INTO accounts (email, full_name, created_at)
SELECT format('User%s@Example.com', g), format('User %s', g), timestamptz '2025-01-01' + g * interval '1 minute'
FROM generate_series(1, 2 * :size) g;
INSERT INTO workspaces (handle, name, plan, owner_id)
SELECT 'space-' || g, 'Space ' || g, (enum_range(NULL::plan))[1 + g % 3], 2 * g - 1 FROM generate_series(1, :size) g;
INSERT INTO members
SELECT w.id, w.owner_id + n, (enum_range(NULL::member_role))[n + 1] FROM workspaces w, generate_series(0, :shared) n;
INSERT INTO credentials (id, workspace_id, owner_id, name, kind, secret, revoked_at)
SELECT md5(format('c %s %s', w.id, n))::uuid, w.id, w.owner_id, 'key ' || n % 3, (enum_range(NULL::credential_kind))[1 + n % 3],
       decode(md5(n::text), 'hex'), CASE WHEN n > 3 THEN timestamptz '2025-02-01' END
FROM workspaces w, generate_series(1, 5) n;
INSERT INTO folders (id, workspace_id, name) SELECT 4 * id, id, 'Inbox' FROM workspaces;
INSERT INTO folders (id, workspace_id, parent_id, name)
SELECT 4 * w.id + n, w.id, 4 * w.id, 'Part ' || n FROM workspaces w, generate_series(1, 3) n;
SELECT setval('folders_id_seq', 4 * :size + 4);
INSERT INTO models (workspace_id, provider, name)
SELECT w.id, p.provider, p.provider || ' small' FROM workspaces w, providers p ORDER BY w.id, p.provider;
INSERT INTO workflows (workspace_id, folder_id, owner_id, slug, title)
SELECT w.id, CASE WHEN n < 5 THEN 4 * w.id + n % 4 END, w.owner_id + n % 2 * :shared, format('flow-%s-%s', w.id, n),
       format('Flow %s of space %s', n, w.id)
FROM workspaces w, generate_series(1, 6) n ORDER BY w.id, n;
INSERT INTO workflow_versions
SELECT w.id, v, jsonb_build_object('v', v, 'text', repeat('x', 100)), w.owner_id FROM workflows w, generate_series(1, 2) v;
UPDATE workflows SET live_version = 2;
INSERT INTO nodes (workflow_id, version, position, next_position, model_id, credential_id)
SELECT v.workflow_id, v.version, p, nullif(p + 1, 5), CASE WHEN p % 2 = 0 THEN 3 * w.workspace_id - 1 END,
       CASE WHEN p = 3 THEN md5(format('c %s %s', w.workspace_id, 1))::uuid END
FROM workflow_versions v JOIN workflows w ON w.id = v.workflow_id, generate_series(1, 4) p;
INSERT INTO tags (workspace_id, label) SELECT w.id, l FROM workspaces w, unnest('{urgent,draft,nightly}'::text[]) l ORDER BY w.id, l;
INSERT INTO workflow_tags SELECT w.id, t.id FROM workflows w JOIN tags t USING (workspace_id) WHERE (w.id + t.id) % 2 = 0;
INSERT INTO rule_sets (workspace_id, name) SELECT id, 'Rules' FROM workspaces ORDER BY id;
INSERT INTO rules (rule_set_id, priority, condition, action)
SELECT s.id, p, 'amount > ' || p, '{"do": "ask"}' FROM rule_sets s, generate_series(1, 5) p ORDER BY s.id, p;
INSERT INTO decision_tables (workspace_id, rule_set_id, name, valid)
SELECT s.workspace_id, s.id, 'Prices', daterange(date '2025-01-01' + 100 * n, date '2025-01-01' + 100 * n + 100)
FROM rule_sets s, generate_series(0, 1) n ORDER BY s.id, n;
INSERT INTO decision_rows
SELECT t.id, r, jsonb_build_object('in', r), jsonb_build_object('out', r * 2) FROM decision_tables t, generate_series(1, 8) r;
INSERT INTO knowledge_bases SELECT md5('k' || id)::uuid, id, 'Handbook' FROM workspaces;
INSERT INTO documents (id, knowledge_base_id, source)
SELECT md5(format('d %s %s', k.id, n))::uuid, k.id, format('page %s.html', n) FROM knowledge_bases k, generate_series(1, 3) n;
INSERT INTO passages
SELECT d.id, n, format('Passage %s of %s', n, d.source),
       (SELECT array_agg(sin(x * (n + 1) + ('x' || substr(d.id::text, 1, 4))::bit(16)::integer)) FROM generate_series(1, 8) x)::vector(8)
FROM documents d, generate_series(0, 3) n;
INSERT INTO runs (workflow_id, version, started_by, status, started_at)
SELECT w.id, 1 + n % 2, w.owner_id, (enum_range(NULL::run_status))[1 + n % 4], timestamptz '2025-03-01' + n * interval '1 hour'
FROM workflows w, generate_series(1, 4) n ORDER BY w.id, n;
UPDATE runs SET parent_run_id = id - 1 WHERE id % 4 = 0;
INSERT INTO run_log (run_id, at, message)
SELECT r.id, timestamptz '2025-06-01' + n * interval '100 days', 'line ' || n FROM runs r, generate_series(1, 4) n ORDER BY r.id, n;
REFRESH MATERIALIZED VIEW runs_per_day;
