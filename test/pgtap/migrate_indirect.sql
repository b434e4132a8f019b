-- Tables without a tenant column in a migration: reached by a path, shared, left open with a column.
SELECT plan(21);

CREATE TABLE users (id integer PRIMARY KEY, email text);
CREATE TABLE notes (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users);
CREATE TABLE lines (note integer NOT NULL CONSTRAINT to_note REFERENCES notes, body text);
CREATE TABLE words (line text, note integer REFERENCES notes);
CREATE TABLE colours (name text PRIMARY KEY);
INSERT INTO users VALUES (1, 'ann@x.example'), (2, 'bob@x.example');
INSERT INTO notes VALUES (1, 1), (2, 2);
INSERT INTO lines VALUES (1, 'of Ann'), (2, 'of Bob');
INSERT INTO colours VALUES ('red');
SELECT test_helpers.make_role('app');
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, notes, lines, words, colours TO %I', test_helpers.role_name('app')));
CREATE FUNCTION acl() RETURNS SETOF text LANGUAGE sql AS $$SELECT relname || ' ' || relacl::text || relrowsecurity || relforcerowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1$$;
CREATE TABLE acl_before AS SELECT acl();

SELECT results_eq($$SELECT object FROM tenancy.plan_migration(tables => '{"words": "path", "acl_before": "leave"}') WHERE code = 'path_impossible'$$,
                  $$VALUES ('table public.words')$$, 'a path that may end nowhere is no path');
SELECT results_eq($$SELECT severity, object FROM tenancy.plan_migration(tables => '{"colours": "path", "acl_before": "leave"}') WHERE code = 'no_path'$$,
                  $$VALUES ('error', 'table public.colours')$$, 'nor is none');
SELECT tenancy.start_migration(users => 'users', online => false,
    tables => '{"users": "column_only", "lines": "path", "words": "leave", "colours": "share", "acl_before": "leave"}');
CALL tenancy.run_migration('enforced');
SELECT is((SELECT state FROM tenancy.migration_status()), 'enforced', 'enforced');
SELECT results_eq('SELECT relation::text, kind::name, path FROM tenancy.indirect_tables ORDER BY 1', $$VALUES ('colours', 'shared'::name, NULL), ('lines', 'path', 'to_note'::name)$$,
                  'one is protected by its path, one is shared');
SELECT hasnt_column('public'::name, 'lines'::name, 'tenant_id'::name, 'neither has a column');
SELECT results_eq('SELECT relation::text FROM tenancy.protected_tables', $$VALUES ('notes')$$, 'one is protected by its column');
CREATE TEMP TABLE tenant AS SELECT name, id FROM tenancy.tenants;
GRANT SELECT ON tenant TO PUBLIC;

BEGIN;
SELECT test_helpers.act_as('app', (SELECT id FROM tenant WHERE name = 'ann@x.example'));
SELECT results_eq('SELECT body FROM lines', $$VALUES ('of Ann')$$, 'Ann sees her lines');
SELECT results_eq('SELECT name FROM colours', $$VALUES ('red')$$, 'and the colours');
SELECT throws_ok($$INSERT INTO colours VALUES ('blue')$$, '42501', 'permission denied for table colours', 'which she does not change');
SELECT throws_ok($$INSERT INTO lines VALUES (2, 'x')$$, '42501', NULL, 'nor write into Bob''s note');
SELECT lives_ok($$INSERT INTO lines VALUES (1, 'more of Ann')$$, 'but into her own');
SELECT is((SELECT count(*) FROM users), 2::bigint, 'users stay open');
SELECT test_helpers.act_as_superuser();
COMMIT;

-- New users get their tenants on the fly still, because their table is open.
SELECT test_helpers.act_as('app');
SELECT lives_ok($$INSERT INTO users VALUES (3, 'new@x.example')$$, 'somebody signs up');
SELECT test_helpers.act_as_superuser();
SELECT is((SELECT t.name FROM users u JOIN tenancy.tenants t ON t.id = u.tenant_id WHERE u.id = 3), 'new@x.example', 'and has a tenant');

SELECT is_empty($$SELECT relation FROM tenancy.plan_migration(schemas => '{public}', examine => false) WHERE kind = 'table' AND code = 'column' AND relation IN ('lines'::regclass, 'colours', 'notes')$$,
                'another plan leaves them be');
CALL tenancy.undo_migration();
SELECT is_empty('SELECT * FROM tenancy.indirect_tables', 'undone: nothing is shared');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'nor protected');
SELECT set_eq('SELECT * FROM acl()', 'SELECT acl FROM acl_before UNION ALL SELECT a FROM acl() a WHERE a LIKE ''acl_before%''', 'privileges and row level security are as they were');
SELECT hasnt_column('public'::name, 'users'::name, 'tenant_id'::name, 'the column is gone');
SELECT is((SELECT count(*) FROM tenancy.tenants), 1::bigint, 'and the tenants');
SELECT is((SELECT count(*) FROM users), 3::bigint, 'nobody who signed up is lost');

SELECT * FROM finish();
