-- check() about tables: each condition is made, seen, and repaired by executing what check() says.
BEGIN;
SELECT plan(53);

SELECT test_helpers.make_tenants();
SELECT is_empty('SELECT * FROM tenancy.check()', 'a fresh installation is clean');

CREATE TABLE notes (id integer NOT NULL);
SELECT tenancy.protect('notes');
CREATE TABLE parts (id integer) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
SELECT tenancy.protect('parts', 'account', 'bigint', foreign_key => false, index => false);
CREATE TABLE own (id integer);
SELECT tenancy.protect('own', own_policies => true);
SELECT is_empty('SELECT * FROM tenancy.check()', 'and so is one with tables just protected');

-- Do something behind the guard's back; see it; repair it.
CREATE FUNCTION finds(deed text, finding text, about text, how_bad text DEFAULT 'error') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE deed;
    RESET session_replication_role;
    SELECT * INTO found FROM tenancy.check() c WHERE c.code = finding AND c.object = about;
    RETURN NEXT is(found.severity, how_bad, finding || ' is found');
    IF found.fix ~ '^(SELECT|ALTER|DROP|DELETE|REVOKE) ' THEN
        EXECUTE found.fix;
        RETURN NEXT is_empty('SELECT * FROM tenancy.check()', 'and repaired by: ' || found.fix);
    ELSE
        RETURN NEXT isnt(found.fix, NULL, 'and advised about: ' || coalesce(found.fix, ''));
    END IF;
END
$$;
SELECT finds('ALTER TABLE notes DISABLE ROW LEVEL SECURITY', 'rls_off', 'table public.notes');
SELECT finds('ALTER TABLE notes NO FORCE ROW LEVEL SECURITY', 'rls_not_forced', 'table public.notes');
SELECT finds('DROP POLICY tenancy_isolation ON notes', 'policy_missing', 'table public.notes');
SELECT finds('ALTER POLICY tenancy_isolation ON notes USING (true)', 'policy_changed', 'table public.notes');
SELECT finds('DROP POLICY tenancy_isolation ON own', 'policy_missing', 'table public.own');
SELECT finds('ALTER TABLE notes ALTER COLUMN tenant_id DROP NOT NULL', 'column_nullable', 'table public.notes');
SELECT finds('ALTER TABLE notes ALTER COLUMN tenant_id DROP DEFAULT', 'default_lost', 'table public.notes', 'warning');
SELECT finds('ALTER TABLE parts_1 ALTER COLUMN account SET DEFAULT 1', 'default_lost', 'table public.parts_1', 'warning');
SELECT finds('ALTER TABLE parts_1 DISABLE ROW LEVEL SECURITY', 'rls_off', 'table public.parts_1');
SELECT finds('DROP INDEX notes_tenant_id_idx', 'index_missing', 'table public.notes', 'warning');
SELECT finds('ALTER TABLE notes DROP CONSTRAINT notes_tenant_id_fkey', 'foreign_key_missing', 'table public.notes', 'warning');
SELECT finds('CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)', 'child_unprotected', 'table public.parts_2');
SELECT finds('CREATE TABLE parent (id integer NOT NULL, tenant_id uuid NOT NULL); ALTER TABLE notes INHERIT parent',
             'parent_unprotected', 'table public.parent');
SELECT finds('CREATE TABLE copy_of_notes AS SELECT * FROM notes', 'table_unprotected', 'table public.copy_of_notes', 'warning');
SELECT finds('CREATE TABLE accounts (account bigint)', 'table_unprotected', 'table public.accounts', 'warning');
SELECT finds('CREATE TABLE referring (whose uuid REFERENCES tenancy.tenants (id))', 'table_unprotected', 'table public.referring', 'warning');
SELECT finds('CREATE POLICY open ON notes USING (true)', 'policy_true', 'policy open on table public.notes', 'warning');
SELECT finds('ALTER EVENT TRIGGER tenancy_guardrail DISABLE', 'guard_off', 'event trigger tenancy_guardrail');
SELECT finds('CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER there FOREIGN DATA WRAPPER elsewhere; '
             'CREATE FOREIGN TABLE remote (id integer, tenant_id uuid) SERVER there; GRANT SELECT ON remote TO PUBLIC',
             'foreign_table_granted', 'foreign table public.remote');
SELECT finds('CREATE PUBLICATION whole FOR TABLE own', 'published_whole', 'publication whole', 'info');
SELECT finds('ALTER TABLE own RENAME COLUMN tenant_id TO other', 'column_missing', 'table public.own');
ALTER TABLE own RENAME COLUMN other TO tenant_id;
SELECT is_empty('SELECT * FROM tenancy.check()', 'which is repaired by hand');

-- A foreign key from the tenant column to what stands for the tenant in the application; but not one that changes rows.
CREATE TABLE companies (id bigint CONSTRAINT companies_pkey PRIMARY KEY, account bigint NOT NULL);
CREATE TABLE bills (id integer, account bigint NOT NULL CONSTRAINT of_company REFERENCES companies, PRIMARY KEY (account, id));
SELECT tenancy.protect('companies', 'account', global_keys => '{companies_pkey}'), tenancy.protect('bills', 'account');
SELECT is_empty('SELECT * FROM tenancy.check()', 'a key to the company whose the row is says no more than that');
ALTER TABLE bills DROP CONSTRAINT of_company, ADD CONSTRAINT of_company FOREIGN KEY (account) REFERENCES companies ON DELETE CASCADE;
SELECT results_eq('SELECT code, object FROM tenancy.check()', $$VALUES ('foreign_key_across', 'constraint of_company on table public.bills')$$,
                  'but a company that is another''s can take bills along');
DROP TABLE bills, companies;

-- A foreign key that leaves the tenant out; one that has it is clean.
CREATE TABLE orders (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, UNIQUE (tenant_id, id));
CREATE TABLE items (id uuid PRIMARY KEY, "order" uuid, tenant_id uuid NOT NULL);
SELECT tenancy.protect('orders', global_keys => '{orders_pkey}'), tenancy.protect('items');
ALTER TABLE items ADD CONSTRAINT crosses FOREIGN KEY ("order") REFERENCES orders (id);
SELECT results_eq('SELECT code, severity, object FROM tenancy.check()',
                  $$VALUES ('foreign_key_across', 'warning', 'constraint crosses on table public.items')$$, 'foreign_key_across is found');
SELECT throws_ok(format($$INSERT INTO items VALUES (gen_random_uuid(), gen_random_uuid(), %L)$$, test_helpers.a()), '23503', NULL, 'such a key asks for the row alone');
ALTER TABLE items DROP CONSTRAINT crosses;
ALTER TABLE items ADD FOREIGN KEY (tenant_id, "order") REFERENCES orders (tenant_id, id);
SELECT is_empty('SELECT * FROM tenancy.check()', 'one with the tenant is clean');
INSERT INTO orders VALUES ('00000000-0000-4000-8000-000000000001', test_helpers.b());
SELECT throws_ok(format($$INSERT INTO items VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000001', %L)$$, test_helpers.a()), '23503', NULL, 'and keeps tenants apart');

-- A table that was dropped while event triggers slept has no name any more.
CREATE TABLE gone (id integer);
SELECT tenancy.protect('gone');
SELECT set_config('test.gone', 'gone'::regclass::oid::text, true);
SET LOCAL session_replication_role = replica;
DROP TABLE gone;
RESET session_replication_role;
SELECT results_eq('SELECT code, severity, object FROM tenancy.check()',
                  format('VALUES (%L, %L, %L)', 'table_gone', 'warning', 'OID ' || current_setting('test.gone')), 'table_gone is found');
SELECT test_helpers.run((SELECT fix FROM tenancy.check()));
SELECT is_empty('SELECT * FROM tenancy.check()', 'and repaired');

SELECT * FROM finish();
ROLLBACK;
