-- unprotect() leaves a table as it was before protect(). That the dump of the whole schema is the same to the byte is
-- tested where pg_dump can be called; here it is the catalogue, also within a transaction.
BEGIN;
SELECT plan(17);

SELECT test_helpers.make_tenants();

CREATE FUNCTION shape(of regclass) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n',
        (SELECT format('%s %s', relrowsecurity, relforcerowsecurity) FROM pg_class WHERE oid = of),
        (SELECT string_agg(format('%s %s %s %s %s', attname, atttypid::regtype, attnotnull, attislocal, pg_get_expr(adbin, adrelid)), '; ' ORDER BY attname)
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = of AND attnum > 0 AND NOT attisdropped),
        (SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), '; ' ORDER BY conname) FROM pg_constraint WHERE conrelid = of),
        (SELECT string_agg(pg_get_indexdef(indexrelid), '; ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = of),
        (SELECT string_agg(format('%s %s', polname, pg_get_expr(polqual, polrelid)), '; ' ORDER BY polname) FROM pg_policy WHERE polrelid = of))
$$;

CREATE TABLE bare (id integer PRIMARY KEY);
CREATE TABLE with_column (id integer, tenant_id uuid);
CREATE TABLE with_more (id integer, tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000002' REFERENCES tenancy.tenants (id));
CREATE INDEX ON with_more (tenant_id);
CREATE TABLE with_policies (id integer, tenant_id uuid);
ALTER TABLE with_policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON with_policies USING (id > 0);
CREATE TABLE with_same_policy (id integer, tenant_id uuid);
CREATE POLICY tenancy_read ON with_same_policy FOR SELECT USING (tenant_id = tenancy.current_tenant_id());
CREATE TABLE parts (id integer, tenant_id uuid) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE INDEX parts_1_own ON parts_1 (tenant_id);
ALTER TABLE parts_1 ADD CONSTRAINT own_key FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2) PARTITION BY LIST (id);
CREATE TABLE parts_21 PARTITION OF parts_2 FOR VALUES IN (2);
ALTER TABLE parts_21 ALTER COLUMN tenant_id SET DEFAULT '00000000-0000-0000-0000-000000000002', ALTER COLUMN tenant_id SET NOT NULL;
CREATE TABLE family (id integer);
CREATE TABLE family_child (extra integer) INHERITS (family);
CREATE TABLE family_rich (tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000002') INHERITS (family);

CREATE TEMP TABLE before AS
SELECT c.oid AS relation, shape(c.oid) FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p');

SELECT isnt_empty(format('SELECT tenancy.protect(%L)', name), 'protect ' || name)
FROM unnest('{bare,with_column,with_more,with_policies,with_same_policy,parts,family}'::text[]) name;
SELECT is_empty('SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f', 'all of them hold');
SELECT is((SELECT count(*) FROM tenancy.protected_tables), (SELECT count(*) FROM before), 'with their children');
CREATE TEMP TABLE promised (s text);
INSERT INTO promised SELECT tenancy.unprotect('with_more', dry_run => true);
SELECT results_eq($$SELECT tenancy.unprotect('with_more')$$, 'TABLE promised', 'a dry run says what will be run');
SELECT tenancy.unprotect(name::regclass) FROM unnest('{bare,with_column,with_policies,with_same_policy,parts,family}'::text[]) name;
SELECT results_eq('SELECT relation, shape(relation) FROM before ORDER BY 1', 'TABLE before ORDER BY 1', 'every table is as it was');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'and none is registered');

-- A partition made meanwhile is as one made before.
SELECT tenancy.protect('parts');
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES IN (3);
SELECT tenancy.unprotect('parts');
CREATE TABLE parts_4 PARTITION OF parts FOR VALUES IN (4);
SELECT is(shape('parts_3'), shape('parts_4'), 'a partition made under protection loses it with its parent');

-- One taken out of its parent keeps its protection and can be freed by itself.
SELECT tenancy.protect('parts');
SELECT throws_ok($$SELECT tenancy.unprotect('parts_3')$$, 'TN009', 'relation public.parts_3 is protected with its parent', 'a partition is not freed alone');
ALTER TABLE parts DETACH PARTITION parts_3;
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('parts_3')$$, 'detached, it is still protected');
SELECT isnt_empty($$SELECT tenancy.unprotect('parts_3')$$, 'and can be freed');

SELECT throws_ok($$SELECT tenancy.unprotect('parts_4_')$$, '42P01', 'relation "parts_4_" does not exist', 'what is not there is not freed');

SELECT * FROM finish();
ROLLBACK;
