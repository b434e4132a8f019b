-- check() about tables that are protected by a path, shared tables, migrations under way and a database that is turned off.
BEGIN;
SELECT plan(26);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner');
CREATE TABLE orders (id integer PRIMARY KEY);
CREATE TABLE items (id integer, "order" integer NOT NULL REFERENCES orders);
CREATE TABLE kinds (id integer PRIMARY KEY);
SELECT FROM tenancy.protect('orders');
SELECT FROM tenancy.protect_by_path('items');
SELECT FROM tenancy.share('kinds');
CREATE TEMP VIEW findings AS SELECT code, severity, object, fix FROM tenancy.check() WHERE code <> 'unique_pinned';
SELECT is_empty('TABLE findings', 'tables that are protected by a path and shared ones are clean');

CREATE FUNCTION finds(deed text, finding text, about text, how_bad text DEFAULT 'error') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE deed;
    SET LOCAL session_replication_role = origin;
    SELECT * INTO found FROM findings f WHERE f.code = finding AND f.object = about;
    RETURN NEXT is(found.severity, how_bad, finding || ' is found');
    EXECUTE found.fix;
    RETURN NEXT is_empty('TABLE findings', 'and repaired by: ' || found.fix);
END
$$;
SELECT finds('ALTER TABLE items DISABLE ROW LEVEL SECURITY', 'rls_off', 'table public.items');
SELECT finds('ALTER TABLE items NO FORCE ROW LEVEL SECURITY', 'rls_not_forced', 'table public.items');
SELECT finds('DROP POLICY tenancy_isolation ON items', 'policy_missing', 'table public.items');
SELECT finds('ALTER POLICY tenancy_isolation ON items USING (true)', 'policy_changed', 'table public.items');
SELECT finds(format('GRANT TRUNCATE ON items TO %I', test_helpers.role_name('app')), 'app_role_privilege', 'table public.items');
SELECT finds('CREATE VIEW seen AS SELECT * FROM items', 'view_as_owner', 'view public.seen');
SELECT finds('CREATE PUBLICATION whole FOR TABLE items', 'published_whole', 'publication whole', 'info');
SELECT finds(format('GRANT INSERT ON kinds TO %I', test_helpers.role_name('app')), 'shared_writable', 'table public.kinds');
SELECT finds('CREATE TABLE parcels (id integer, "order" integer REFERENCES orders)', 'reference_unprotected', 'table public.parcels', 'warning');
SET LOCAL session_replication_role = replica;
ALTER TABLE items DROP CONSTRAINT items_order_fkey;
SET LOCAL session_replication_role = origin;
SELECT results_eq('SELECT code, severity, object FROM findings', $$VALUES
    ('path_missing', 'error', 'table public.items'), ('unique_across', 'warning', 'index public.orders_pkey')$$, 'path_missing is found, and a key that nothing pins any more');
ALTER TABLE items ADD CONSTRAINT items_order_fkey FOREIGN KEY ("order") REFERENCES orders;
SELECT is_empty('TABLE findings', 'and repaired by hand');

-- A migration under way: its tables need no protect() of their own.
CREATE TABLE old (id integer PRIMARY KEY, tenant_id uuid);
SELECT results_eq('SELECT code, object FROM findings', $$VALUES ('table_unprotected', 'table public.old')$$, 'a table with a tenant column is found');
INSERT INTO tenancy.migrations (id, state, strategy, tenant_column, column_type, options) VALUES (1, 'trial', 'system', 'tenant_id', 'uuid', '{}');
INSERT INTO tenancy.migration_tables (migration, ordinal, relation, action, detail) VALUES (1, 1, 'old', 'column', '');
SELECT results_eq('SELECT code, severity, object FROM findings', $$VALUES ('migration_open', 'info', 'migration 1')$$, 'while it is migrated, the migration is');
SELECT test_helpers.act_as('owner');
SELECT lives_ok('SELECT * FROM tenancy.check()', 'owners are told too');
SELECT test_helpers.act_as_superuser();
DELETE FROM tenancy.migration_tables;
DELETE FROM tenancy.migrations;
DROP TABLE old;

-- A database that is turned off.
SELECT FROM tenancy.disable_tenancy();
SELECT results_eq('SELECT code, severity FROM findings', $$VALUES ('tenancy_disabled', 'info')$$, 'a database that is turned off is told of once');
SELECT test_helpers.run((SELECT fix FROM findings));
SELECT is_empty('TABLE findings', 'and turned on again as it says');

SELECT * FROM finish();
ROLLBACK;
