-- Attack 20: take a protection away piece by piece, as the owner of the table. What opens is refused; what only adds a
-- permissive policy does not open, because the floor holds.
BEGIN;
SELECT plan(26);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT make_role() AS app \gset

SELECT act_as('owner');
CREATE TABLE notes (id int, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO :"app";
SELECT act_as_superuser();
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');

SELECT act_as('owner');
SELECT throws_ok(statement, 'TN009', NULL, statement)
FROM (VALUES
    ('ALTER TABLE notes DISABLE ROW LEVEL SECURITY'),
    ('ALTER TABLE notes NO FORCE ROW LEVEL SECURITY'),
    ('DROP POLICY tenancy_isolation ON notes'),
    ('DROP POLICY tenancy_read ON notes'),
    ('DROP POLICY tenancy_insert ON notes'),
    ('DROP POLICY tenancy_update ON notes'),
    ('DROP POLICY tenancy_delete ON notes'),
    ('ALTER POLICY tenancy_isolation ON notes USING (true) WITH CHECK (true)'),
    ('ALTER POLICY tenancy_read ON notes USING (true)'),
    ('ALTER POLICY tenancy_isolation ON notes TO postgres'),
    ('ALTER POLICY tenancy_isolation ON notes RENAME TO something'),
    ('ALTER TABLE notes ALTER tenant_id DROP NOT NULL'),
    ('ALTER TABLE notes DROP COLUMN tenant_id CASCADE')
) AS tries (statement);
SELECT throws_ok('ALTER TABLE notes DISABLE ROW LEVEL SECURITY', 'TN009', 'relation public.notes is protected', 'it says what is protected');

SELECT lives_ok('CREATE POLICY open ON notes USING (true) WITH CHECK (true)', 'a permissive policy may be added');
SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'and does not open: A sees its rows');
SELECT throws_ok('INSERT INTO notes VALUES (9, test_helpers.b(), ''x'')', '42501',
                 'new row violates row-level security policy "tenancy_isolation" for table "notes"', 'nor for writing to B');
SELECT is(run('UPDATE notes SET body = body WHERE id = 2'), 0::bigint, 'nor for updating B');
SELECT is(run('DELETE FROM notes WHERE id = 2'), 0::bigint, 'nor for deleting from B');
SELECT act_as_superuser();
SELECT results_eq('SELECT code, object, fix FROM tenancy.check() WHERE code = ''policy_true''',
                  $$VALUES ('policy_true', 'policy open on table public.notes', 'DROP POLICY open ON public.notes')$$, 'check() tells of it');

-- The owner is held as everybody is.
SELECT act_as_superuser();
SELECT tenancy.grant_app(:'owner');
SELECT act_as('owner', a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'the owner, in A, sees the rows of A');
SELECT act_as('owner');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'and without a tenant an error');

-- What a superuser did by going round the guard is found.
SELECT act_as_superuser();
DROP POLICY open ON notes;
SET LOCAL session_replication_role = replica;
ALTER TABLE notes DISABLE ROW LEVEL SECURITY;
SET LOCAL session_replication_role = origin;
SELECT isnt_empty('SELECT * FROM tenancy.check() WHERE severity = ''error'' AND object = ''table public.notes''', 'check() finds row level security off');
SELECT lives_ok('SELECT tenancy.protect(''notes'')', 'protect() repairs it');
SELECT is_empty('SELECT * FROM tenancy.check() WHERE severity = ''error'' AND object = ''table public.notes''', 'and check() is content');
SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'A sees its rows');

SELECT * FROM finish();
ROLLBACK;
