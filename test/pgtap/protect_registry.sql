-- The owner of one table attacks the registry: it may say things of its own tables only, and nothing that others execute.
BEGIN;
SELECT plan(18);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.make_owner('other');
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_role('nobody', NULL);

SELECT test_helpers.act_as('other');
CREATE TABLE theirs (id integer);
SELECT tenancy.protect('theirs');
CREATE TABLE theirs_open (id integer, tenant_id uuid);

SELECT test_helpers.act_as('owner');
CREATE TABLE mine (id integer, tenant_id uuid DEFAULT gen_random_uuid());
SELECT throws_ok($$SELECT tenancy.protect('theirs_open')$$, '42501', 'must be owner of relation public.theirs_open', 'somebody else''s table is not protected');
SELECT throws_ok($$SELECT tenancy.unprotect('theirs')$$, '42501', 'must be owner of relation public.theirs', 'nor unprotected');
SELECT throws_ok($$INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type) VALUES ('theirs_open', 'id', 'uuid')$$, '42501',
                 'new row violates row-level security policy for table "protected_tables"', 'nor registered');
SELECT throws_ok($$INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type) VALUES (987654321, 'id', 'uuid')$$, '42P01',
                 'relation "987654321" does not exist', 'nor is a table that does not exist');
SELECT is(test_helpers.run('DELETE FROM tenancy.protected_tables'), 0::bigint, 'nor taken out of the registry');
SELECT is(test_helpers.run('UPDATE tenancy.protected_tables SET index = false'), 0::bigint, 'nor changed in it');
SELECT throws_ok($$UPDATE tenancy.protected_tables SET relation = 'mine'$$, '42501', 'permission denied for table protected_tables', 'nor exchanged');
SELECT throws_ok($$INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type, undo) VALUES ('mine', 'id', 'uuid', '{}')$$,
                 '42501', 'permission denied for table protected_tables', 'what unprotect executes is not written');
SELECT throws_ok($$UPDATE tenancy.protected_tables SET undo = '{}'$$, '42501', 'permission denied for table protected_tables', 'nor changed');
SELECT throws_ok($$TRUNCATE tenancy.protected_tables$$, '42501', 'permission denied for table protected_tables', 'nor wiped');
SELECT lives_ok($$INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type) VALUES ('mine', 'tenant_id', 'uuid')$$,
                'a claim about an own table is possible');
SELECT is((SELECT undo ->> 'default' FROM tenancy.protected_tables WHERE relation = 'mine'::regclass), 'gen_random_uuid()',
          'and what was before is read from the catalogue');

-- Names that could break out of what a superuser executes later.
SELECT test_helpers.run($$CREATE TABLE "x; CREATE TABLE hacked ()" ("t""; SELECT 1" uuid)$$);
SELECT lives_ok($$SELECT tenancy.protect('"x; CREATE TABLE hacked ()"', 't"; SELECT 1')$$, 'hostile names');
SELECT test_helpers.act_as_superuser();
SELECT lives_ok($$SELECT tenancy.unprotect('"x; CREATE TABLE hacked ()"')$$, 'are only names to a superuser who unprotects');
SELECT hasnt_table('hacked'::name, 'and run nothing');

SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT * FROM tenancy.protected_tables', '42501', 'permission denied for table protected_tables', 'an application''s role does not read the registry');
SELECT throws_ok($$SELECT tenancy.protect('theirs')$$, '42501', 'permission denied for function protect', 'nor call protect()');
SELECT test_helpers.act_as('nobody');
SELECT throws_ok($$SELECT tenancy.check()$$, '42501', 'permission denied for schema tenancy', 'somebody without a grant does not even use the schema');

SELECT * FROM finish();
ROLLBACK;
