-- The owner tries to weaken the protection of a table, by every spelling. Each attempt is refused, and everything
-- else that one does with a table works.
BEGIN;
SELECT plan(43);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.act_as('owner');
CREATE TABLE notes (id integer, body text NOT NULL DEFAULT '');
SELECT tenancy.protect('notes');
CREATE TABLE parts (id integer) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
SELECT tenancy.protect('parts');
CREATE TABLE own (id integer);
SELECT tenancy.protect('own', own_policies => true);
CREATE POLICY mine ON own USING (id > 0);

CREATE FUNCTION refused(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT throws_ok(statement, 'TN009', CASE WHEN statement ~ 'parts_1' THEN 'relation public.parts_1 is protected'
        WHEN statement ~ 'parts' THEN 'relation public.parts is protected' WHEN statement ~ '\mown\M' THEN 'relation public.own is protected'
        ELSE 'relation public.notes is protected' END, 'refused: ' || statement);
END
$$;

SELECT refused('ALTER TABLE notes DISABLE ROW LEVEL SECURITY');
SELECT refused('ALTER TABLE notes NO FORCE ROW LEVEL SECURITY');
SELECT refused('ALTER TABLE notes ADD COLUMN n integer, NO FORCE ROW LEVEL SECURITY');
SELECT refused('ALTER TABLE IF EXISTS ONLY public.notes DISABLE ROW LEVEL SECURITY');
SELECT refused('DO $d$BEGIN EXECUTE ''ALTER TABLE '' || ''notes DISABLE ROW LEVEL SECURITY''; END$d$');
SELECT refused('DROP POLICY tenancy_isolation ON notes');
SELECT refused('DROP POLICY IF EXISTS tenancy_read ON notes');
SELECT refused('DROP POLICY tenancy_isolation ON own');
SELECT refused('ALTER POLICY tenancy_isolation ON notes USING (true)');
SELECT refused('ALTER POLICY tenancy_insert ON notes WITH CHECK (true)');
SELECT refused(format('ALTER POLICY tenancy_isolation ON notes TO %I', current_user));
SELECT refused('ALTER POLICY tenancy_isolation ON notes RENAME TO other');
SELECT refused('ALTER TABLE notes DROP COLUMN tenant_id CASCADE');
SELECT refused('ALTER TABLE notes DROP COLUMN tenant_id CASCADE, ADD COLUMN tenant_id uuid');
SELECT refused('ALTER TABLE notes RENAME COLUMN tenant_id TO other');
SELECT refused('ALTER VIEW notes RENAME COLUMN tenant_id TO other');
SELECT refused('ALTER TABLE notes ALTER COLUMN tenant_id DROP NOT NULL');
SELECT refused('ALTER TABLE notes ALTER COLUMN tenant_id DROP DEFAULT');
SELECT refused(format('ALTER TABLE notes ALTER COLUMN tenant_id SET DEFAULT %L', test_helpers.a()));
SELECT refused('ALTER TABLE parts DISABLE ROW LEVEL SECURITY');
SELECT refused('ALTER TABLE parts_1 DISABLE ROW LEVEL SECURITY');
SELECT refused('ALTER TABLE parts_1 ALTER COLUMN tenant_id DROP DEFAULT');
SELECT refused('DROP POLICY tenancy_read ON parts_1');
SELECT throws_ok('ALTER TABLE notes ALTER COLUMN tenant_id TYPE text', '0A000', NULL, 'PostgreSQL itself refuses another type');

SELECT is_empty('SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f', 'after all this nothing is missing');

SELECT lives_ok('ALTER TABLE notes ADD COLUMN rank integer NOT NULL DEFAULT 0', 'a column is added');
SELECT lives_ok('ALTER TABLE notes ALTER COLUMN rank DROP NOT NULL, ALTER COLUMN rank DROP DEFAULT', 'changed');
SELECT lives_ok('ALTER TABLE notes ALTER COLUMN rank TYPE bigint', 'of another type');
SELECT lives_ok('ALTER TABLE notes RENAME COLUMN rank TO position', 'renamed');
SELECT lives_ok('ALTER TABLE notes DROP COLUMN position', 'and dropped');
SELECT lives_ok('CREATE POLICY more ON notes AS RESTRICTIVE USING (body <> ''secret'')', 'policies of one''s own');
SELECT lives_ok('ALTER POLICY more ON notes USING (body <> ''''); ALTER POLICY more ON notes RENAME TO less; DROP POLICY less ON notes', 'come and go');
SELECT lives_ok('ALTER POLICY mine ON own USING (id > 1); DROP POLICY mine ON own', 'also beside the floor');
SELECT lives_ok('ALTER TABLE notes DISABLE TRIGGER USER; ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'what is so already may be said again');
SELECT lives_ok('ALTER TABLE notes RENAME TO remarks', 'the table gets another name');
SELECT isnt_empty($$SELECT * FROM tenancy.protected_tables WHERE relation = 'remarks'::regclass$$, 'and stays registered');
SELECT lives_ok('DROP TABLE remarks', 'it is dropped');
SELECT results_eq('SELECT relation::text FROM tenancy.protected_tables ORDER BY 1', $$VALUES ('own'), ('parts'), ('parts_1')$$, 'and leaves the registry');
SELECT lives_ok('DROP TABLE parts', 'with partitions too');
SELECT isnt_empty($$SELECT tenancy.unprotect('own')$$, 'unprotect() is the way');

-- The guard stands for superusers too: theirs are the accidents.
SELECT test_helpers.act_as_superuser();
CREATE TABLE admins (id integer);
SELECT tenancy.protect('admins');
SELECT throws_ok('ALTER TABLE admins DISABLE ROW LEVEL SECURITY', 'TN009', 'relation public.admins is protected', 'a superuser is asked to unprotect as well');


-- A table made OF a type is changed with it.
CREATE TYPE entry AS (id integer, tenant_id uuid);
CREATE TABLE entries OF entry;
SELECT tenancy.protect('entries');
SELECT throws_ok('ALTER TYPE entry RENAME ATTRIBUTE tenant_id TO other CASCADE', 'TN009', 'relation public.entries is protected', 'the column does not lose its name with its type');
SELECT throws_ok('ALTER TYPE entry DROP ATTRIBUTE tenant_id CASCADE', 'TN009', 'relation public.entries is protected', 'nor is it dropped');

SELECT * FROM finish();
ROLLBACK;
