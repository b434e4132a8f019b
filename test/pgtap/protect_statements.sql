-- Which statements protect() runs: all that a table lacks, and none that it does not.
BEGIN;
SELECT plan(26);

SELECT test_helpers.make_tenants();

CREATE TABLE bare (id integer PRIMARY KEY);
CREATE TEMP TABLE planned AS SELECT s, n FROM tenancy.protect('bare', dry_run => true) WITH ORDINALITY AS p (s, n);
SELECT results_eq('SELECT s FROM planned ORDER BY n', $$VALUES
    ('ALTER TABLE public.bare ADD COLUMN tenant_id uuid DEFAULT ''00000000-0000-0000-0000-000000000002'''),
    ('ALTER TABLE public.bare ALTER COLUMN tenant_id SET DEFAULT tenancy.current_tenant_id()'),
    ('ALTER TABLE public.bare ALTER COLUMN tenant_id SET NOT NULL'),
    ('ALTER TABLE public.bare ADD CONSTRAINT bare_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id)'),
    ('ALTER TABLE public.bare DROP CONSTRAINT bare_pkey'),
    ('ALTER TABLE public.bare ADD CONSTRAINT bare_pkey PRIMARY KEY (tenant_id, id)'),
    ('ALTER TABLE public.bare ENABLE ROW LEVEL SECURITY'),
    ('ALTER TABLE public.bare FORCE ROW LEVEL SECURITY'),
    ('CREATE POLICY tenancy_read ON public.bare AS PERMISSIVE FOR SELECT USING (tenant_id = tenancy.current_tenant_id())'),
    ('CREATE POLICY tenancy_insert ON public.bare AS PERMISSIVE FOR INSERT WITH CHECK (tenant_id = tenancy.writable_tenant_id())'),
    ('CREATE POLICY tenancy_update ON public.bare AS PERMISSIVE FOR UPDATE USING (tenant_id = tenancy.writable_tenant_id()) WITH CHECK (tenant_id = tenancy.writable_tenant_id())'),
    ('CREATE POLICY tenancy_delete ON public.bare AS PERMISSIVE FOR DELETE USING (tenant_id = tenancy.writable_tenant_id())'),
    ('CREATE POLICY tenancy_isolation ON public.bare AS RESTRICTIVE FOR ALL USING (tenant_id = tenancy.current_tenant_id()) WITH CHECK (tenant_id = tenancy.current_tenant_id())')$$,
    'a dry run returns every statement');
SELECT hasnt_column('public', 'bare', 'tenant_id', 'and runs none');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'nor registers the table');
SELECT results_eq($$SELECT tenancy.protect('bare')$$, 'SELECT s FROM planned ORDER BY n', 'the real run runs exactly those');
SELECT is_empty($$SELECT tenancy.protect('bare')$$, 'a second run has nothing to do');
SELECT is_empty($$SELECT tenancy.protect('bare', dry_run => true)$$, 'which a dry run says too');
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('bare')$$, 'nothing is missing');

-- What is there already is left alone.
CREATE TABLE ready (
    tenant_id uuid NOT NULL DEFAULT tenancy.current_tenant_id() REFERENCES tenancy.tenants (id),
    id integer,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE ready ENABLE ROW LEVEL SECURITY;
SELECT results_eq($$SELECT split_part(s, ' ON ', 1) FROM tenancy.protect('ready') s$$, $$VALUES
    ('ALTER TABLE public.ready FORCE ROW LEVEL SECURITY'), ('CREATE POLICY tenancy_read'), ('CREATE POLICY tenancy_insert'),
    ('CREATE POLICY tenancy_update'), ('CREATE POLICY tenancy_delete'), ('CREATE POLICY tenancy_isolation')$$,
    'a table that has column, key, index and default gets policies only');

-- What is not an index for the purpose does not count as one.
CREATE TABLE indexed (id integer, tenant_id uuid);
CREATE INDEX ON indexed (id, tenant_id);
CREATE INDEX ON indexed (tenant_id) WHERE id > 0;
CREATE INDEX ON indexed USING hash (tenant_id);
SELECT results_eq($$SELECT s FROM tenancy.protect('indexed') s WHERE s LIKE 'CREATE INDEX%'$$,
          $$VALUES ('CREATE INDEX indexed_tenant_id_idx2 ON public.indexed (tenant_id)')$$,
          'an index that does not lead with the column, a partial and a hash index do not do');

CREATE TABLE plain (id integer);
SELECT ok(NOT bool_or(s ~ 'FOREIGN KEY|CREATE INDEX'), 'foreign key and index can be left out')
FROM tenancy.protect('plain', foreign_key => false, index => false) s;
SELECT is_empty($$SELECT tenancy.protect('plain', foreign_key => false, index => false)$$, 'for good');
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('plain')$$, 'which is not a fault then');
SELECT results_eq($$SELECT tenancy.protect('plain')$$, $$VALUES
    ('ALTER TABLE public.plain ADD CONSTRAINT plain_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id)'),
    ('CREATE INDEX plain_tenant_id_idx ON public.plain (tenant_id)')$$, 'and added later');

-- Names.
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."it's ""quoted""" ("select" integer);
SELECT isnt_empty($$SELECT tenancy.protect('"Odd Schema"."it''s ""quoted"""', 'Tenant Id')$$, 'names that need quotes are quoted');
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('"Odd Schema"."it''s ""quoted"""')$$, 'everywhere');
SELECT test_helpers.run(format('CREATE TABLE %I (id integer)', repeat('ü', 31)));
SELECT isnt_empty(format('SELECT tenancy.protect(%L)', repeat('ü', 31)), 'a table name of 62 bytes leaves room for other names');
CREATE TABLE taken (id integer CONSTRAINT taken_tenant_id_fkey CHECK (id > 0));
CREATE TABLE taken_tenant_id_idx ();
SELECT ok('CREATE INDEX taken_tenant_id_idx1 ON public.taken (tenant_id)' IN (SELECT tenancy.protect('taken')),
          'names that are taken are avoided');

-- The application brings its own permissive policies.
CREATE TABLE own (id integer, author text);
SELECT results_eq($$SELECT s FROM tenancy.protect('own', own_policies => true) s WHERE s LIKE 'CREATE POLICY%'$$,
    $$VALUES ('CREATE POLICY tenancy_isolation ON public.own AS RESTRICTIVE FOR ALL USING (tenant_id = tenancy.current_tenant_id()) WITH CHECK (tenant_id = tenancy.current_tenant_id())')$$,
    'with own_policies only the floor is made');
CREATE POLICY mine ON own USING (author = current_user);
CREATE POLICY everything ON own USING (true);
INSERT INTO own VALUES (1, 'x', test_helpers.a()), (2, 'y', test_helpers.b());
SELECT test_helpers.make_role('app');
SELECT test_helpers.run(format('GRANT SELECT ON own TO %I', test_helpers.role_name('app')));
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT id FROM own', 'VALUES (1)', 'which no permissive policy opens');
SELECT test_helpers.act_as_superuser();
SELECT is_empty($$SELECT tenancy.protect('own', own_policies => true)$$, 'a second run leaves the application''s policies alone');

-- The other types of column.
CREATE TABLE keyed_text (id integer);
CREATE TABLE keyed_bigint (id integer);
CREATE TABLE keyed_integer (id integer, account integer NOT NULL DEFAULT 0);
SELECT tenancy.protect('keyed_text', 'account', 'text');
SELECT tenancy.protect('keyed_bigint', 'account', 'bigint');
SELECT tenancy.protect('keyed_integer', 'account');
SELECT results_eq($$SELECT relation::text, column_type::text FROM tenancy.protected_tables WHERE tenant_column = 'account' ORDER BY 1$$,
    $$VALUES ('keyed_bigint', 'bigint'), ('keyed_integer', 'integer'), ('keyed_text', 'text')$$, 'text, bigint and integer columns are protected');
SELECT is_empty($$SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f$$, 'without a fault');
SELECT test_helpers.run(format('GRANT SELECT, INSERT ON keyed_text, keyed_bigint, keyed_integer TO %I', test_helpers.role_name('app')));
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT test_helpers.run('INSERT INTO keyed_text VALUES (2)', 'INSERT INTO keyed_bigint VALUES (2)', 'INSERT INTO keyed_integer VALUES (2)');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT test_helpers.run('INSERT INTO keyed_text VALUES (1)', 'INSERT INTO keyed_bigint VALUES (1)', 'INSERT INTO keyed_integer VALUES (1)');
SELECT results_eq('SELECT * FROM keyed_text', $$VALUES (1, '1001')$$, 'A has its row by its external key as text');
SELECT results_eq('SELECT * FROM keyed_bigint', 'VALUES (1, 1001::bigint)', 'as bigint');
SELECT results_eq('SELECT * FROM keyed_integer', 'VALUES (1, 1001)', 'and as integer');
SELECT throws_ok($$INSERT INTO keyed_integer VALUES (3, 1002)$$, '42501', 'new row violates row-level security policy for table "keyed_integer"',
                 'and does not insert B''s');

SELECT * FROM finish();
ROLLBACK;
