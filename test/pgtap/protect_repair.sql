-- A protection that was damaged while nobody watched (event triggers do not run with session_replication_role = replica)
-- is completed by calling protect() again.
BEGIN;
SELECT plan(12);

SELECT test_helpers.make_tenants();
CREATE TABLE notes (id integer);
SELECT tenancy.protect('notes');
CREATE TEMP TABLE before AS SELECT undo FROM tenancy.protected_tables;

SET LOCAL session_replication_role = replica;
ALTER TABLE notes DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ALTER COLUMN tenant_id DROP DEFAULT, ALTER COLUMN tenant_id DROP NOT NULL;
ALTER TABLE notes DROP CONSTRAINT notes_tenant_id_fkey;
DROP INDEX notes_tenant_id_idx;
DROP POLICY tenancy_read ON notes;
ALTER POLICY tenancy_isolation ON notes USING (true);
INSERT INTO notes VALUES (1, NULL);
RESET session_replication_role;

SELECT results_eq($$SELECT code FROM tenancy.protection_faults('notes') ORDER BY 1$$,
    $$VALUES ('column_nullable'), ('default_lost'), ('foreign_key_missing'), ('index_missing'), ('policy_changed'), ('policy_missing'), ('rls_not_forced'), ('rls_off')$$,
    'all of the damage is seen');
SELECT throws_ok($$SELECT tenancy.protect('notes')$$, 'TN009', 'relation public.notes cannot be protected', 'a row without tenant is asked about');
SELECT lives_ok(format($$SELECT tenancy.protect('notes', backfill => %L)$$, quote_literal(test_helpers.a())), 'the rest is repaired');
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('notes')$$, 'wholly');
SELECT is_empty($$SELECT tenancy.protect('notes')$$, 'for good');
SELECT results_eq('SELECT undo FROM tenancy.protected_tables', 'TABLE before', 'what was before is still known');

SELECT throws_ok($$SELECT tenancy.protect('notes', 'id')$$, 'TN009', 'relation public.notes cannot be protected', 'the tenant column is not exchanged');
SELECT throws_ok($$SELECT tenancy.protect('notes', own_policies => true)$$, 'TN009', 'relation public.notes cannot be protected', 'nor who brings the policies');

-- Somebody's policy of our name.
CREATE TABLE named (id integer, tenant_id uuid);
CREATE POLICY tenancy_read ON named USING (true);
SELECT throws_ok($$SELECT tenancy.protect('named')$$, 'TN009', 'relation public.named cannot be protected', 'a policy that only has our name is not replaced');
ALTER POLICY tenancy_read ON named RENAME TO theirs;
SELECT isnt_empty($$SELECT tenancy.protect('named')$$, 'renamed, it does no harm');

-- An owner, whom the guard holds, is told how.
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.act_as('owner');
CREATE TABLE owned (id integer);
SELECT tenancy.protect('owned');
SELECT test_helpers.act_as_superuser();
SET LOCAL session_replication_role = replica;
ALTER POLICY tenancy_read ON owned USING (true);
RESET session_replication_role;
SELECT test_helpers.act_as('owner');
SELECT throws_ok($$SELECT tenancy.protect('owned')$$, 'TN009', 'relation public.owned cannot be protected', 'a changed policy is not replaced by the owner');
SELECT test_helpers.act_as_superuser();
SELECT isnt_empty($$SELECT tenancy.protect('owned')$$, 'but by a superuser');

SELECT * FROM finish();
ROLLBACK;
