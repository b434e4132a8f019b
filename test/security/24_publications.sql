-- Attack 24: logical replication knows no policies. A publication of whole tables is found, and publish_tenant() makes one that holds
-- the rows of one tenant; test/scripts/publish_tenant.sh replicates by it.
BEGIN;
SELECT plan(25);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT test_helpers.run(format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'owner'));
SELECT act_as('owner');
CREATE TABLE notes (id int PRIMARY KEY, body text);
CREATE TABLE parts (id int, kind text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE accounts (id int PRIMARY KEY);
CREATE TABLE bare (id int);
SELECT FROM tenancy.protect('notes');
SELECT FROM tenancy.protect('parts');
SELECT FROM tenancy.protect('accounts', 'Account', 'bigint');
SELECT act_as_superuser();
SELECT is_empty('SELECT * FROM tenancy.check()', 'nothing is wrong to begin with');

-- Whole tables are found.
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT set_eq('SELECT code, severity, object FROM tenancy.check()', $$VALUES ('published_whole', 'info', 'publication everything')$$, 'a publication of all tables is found');
DROP PUBLICATION everything;
CREATE PUBLICATION partly FOR TABLES IN SCHEMA public;
SELECT set_eq('SELECT code, severity, object FROM tenancy.check()', $$VALUES ('published_whole', 'info', 'publication partly')$$, 'one of a schema is found');
DROP PUBLICATION partly;
CREATE PUBLICATION one FOR TABLE notes;
SELECT results_eq('SELECT code, severity, object, fix FROM tenancy.check()',
                  $$VALUES ('published_whole', 'info', 'publication one', 'ALTER PUBLICATION one DROP TABLE public.notes')$$, 'one of a table is found');
SELECT run((SELECT fix FROM tenancy.check()));
SELECT is_empty('SELECT * FROM tenancy.check()', 'and repaired');
DROP PUBLICATION one;
CREATE PUBLICATION filtered FOR TABLE notes WHERE (id > 0);
SELECT results_eq('SELECT object FROM tenancy.check()', $$VALUES ('publication filtered')$$, 'a filter that has nothing to do with the tenant is no filter');
DROP PUBLICATION filtered;

-- One tenant's.
SELECT act_as('owner');
SELECT results_eq('SELECT * FROM tenancy.publish_tenant(''tenant-a'', ''of_a'', dry_run => true)',
    format($$VALUES (%L)$$, format('CREATE PUBLICATION of_a FOR TABLE public.accounts WHERE ("Account" = ''1001''::bigint), public.notes WHERE (tenant_id = %L::uuid), '
        'public.parts WHERE (tenant_id = %1$L::uuid) WITH (publish_via_partition_root = true)', a())), 'the statement is shown');
SELECT is_empty('SELECT FROM pg_publication', 'and not run');
SELECT lives_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''of_a'')', 'the owner of the tables makes it');
SELECT set_eq('SELECT tablename::text COLLATE "default", rowfilter FROM pg_publication_tables',
    format($$VALUES ('accounts', '("Account" = ''1001''::bigint)'), ('notes', %L), ('parts', %1$L)$$, format('(tenant_id = ''%s''::uuid)', a())), 'each table has its filter');
SELECT act_as_superuser();
SELECT is_empty('SELECT * FROM tenancy.check()', 'check() is content with it');
SELECT lives_ok(format('SELECT tenancy.publish_tenant(%L, ''of_b'', ARRAY[''notes''::regclass])', b()), 'by id, and for some tables');
SELECT set_eq('SELECT tablename::text COLLATE "default" FROM pg_publication_tables WHERE pubname = ''of_b''', $$VALUES ('notes')$$, 'they alone are in it');
SELECT act_as('owner');

-- What it refuses.
SELECT throws_ok('SELECT tenancy.publish_tenant(''nobody'', ''x'')', 'TN002', 'tenant is not available', 'an unknown tenant');
SELECT throws_ok('SELECT tenancy.publish_tenant(NULL, ''x'')', '22004', 'tenant must not be null', 'no tenant');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', NULL)', '22004', 'publication must not be null', 'no name');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', '''')', '22023', 'publication must not be empty', 'an empty name');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''x'', dry_run => NULL)', '22004', 'dry_run must not be null', 'no dry_run');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''x'', ARRAY[NULL::regclass])', '22004', 'relations must not hold null', 'a table that is null');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''x'', ''{}'')', 'TN009', 'there is nothing to publish', 'no tables');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''x'', ARRAY[''bare''::regclass])', 'TN009', 'relation public.bare is not protected by a tenant column', 'a table that is not protected');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''x'', ARRAY[''parts_a''::regclass])', 'TN009', 'relation public.parts_a is a partition', 'a partition');
SELECT FROM tenancy.protect('bare');
SELECT throws_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''x'')', 'TN009', 'relation public.bare cannot be published by tenant', 'a table whose rows could not be updated any more');
ALTER TABLE bare REPLICA IDENTITY FULL;
SELECT lives_ok('SELECT tenancy.publish_tenant(''tenant-a'', ''with_bare'')', 'until it has an identity');
SELECT act_as_superuser();
SELECT throws_ok('SELECT tenancy.publish_tenant(''default'', ''x'', ARRAY[''accounts''::regclass])', 'TN009', 'relation public.accounts cannot be published by tenant', 'a tenant without a key for the column');

SELECT * FROM finish();
ROLLBACK;
