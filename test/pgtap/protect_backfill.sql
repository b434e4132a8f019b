-- Whose the rows are that were there before.
BEGIN;
SELECT plan(27);

SELECT test_helpers.make_tenants();

-- A column is added: the default tenant's, without a rewrite and without an update that triggers could see.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'a trigger ran'; END$$;
CREATE TABLE watched (id integer, owner_id integer);
INSERT INTO watched SELECT g, g % 2 FROM generate_series(1, 4) g;
CREATE TRIGGER zz_refuse BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER off_already BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER on_always BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE watched DISABLE TRIGGER off_already, ENABLE ALWAYS TRIGGER on_always;
CREATE TEMP TABLE triggers AS SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'watched'::regclass AND NOT tgisinternal ORDER BY 1;
SELECT set_config('test.file', pg_relation_filenode('watched')::text, true);
SELECT is_empty($$SELECT s FROM tenancy.protect('watched') s WHERE s LIKE 'UPDATE%'$$, 'no update is run where all rows are the default tenant''s');
SELECT is(pg_relation_filenode('watched')::text, current_setting('test.file'), 'and the table is not written anew');
SELECT is((SELECT count(*) FROM watched WHERE tenant_id = '00000000-0000-0000-0000-000000000002'), 4::bigint, 'and they are');
SELECT tenancy.unprotect('watched');

-- An expression over the row.
SELECT lives_ok($$SELECT tenancy.protect('watched', backfill => 'CASE owner_id WHEN 0 THEN test_helpers.a() ELSE test_helpers.b() END')$$,
                'backfill may be an expression over the row''s columns');
SELECT results_eq('SELECT tenant_id, count(*) FROM watched GROUP BY 1 ORDER BY 1',
                  'VALUES (test_helpers.a(), 2::bigint), (test_helpers.b(), 2)', 'which says whose each row is');
SELECT results_eq($$SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'watched'::regclass AND NOT tgisinternal ORDER BY 1$$,
                  'TABLE triggers', 'triggers slept, and are as they were');
SELECT tenancy.unprotect('watched');

-- A rule is something else: it would run with the rights of whoever protects.
CREATE RULE also AS ON UPDATE TO watched DO ALSO SELECT 1;
SELECT throws_ok($$SELECT tenancy.protect('watched', backfill => 'test_helpers.a()')$$, 'TN009', 'relation public.watched cannot be protected', 'rules for UPDATE stop a backfill');
SELECT lives_ok($$SELECT tenancy.protect('watched', dry_run => true)$$, 'where there is one');
DROP RULE also ON watched;

-- A subquery, as for a child that belongs to whom its parent belongs to.
CREATE TABLE parents (id integer PRIMARY KEY, tenant_id uuid NOT NULL);
CREATE TABLE children (id integer, parent integer REFERENCES parents);
INSERT INTO parents VALUES (1, test_helpers.a()), (2, test_helpers.b());
INSERT INTO children VALUES (1, 1), (2, 2), (3, 1);
SELECT lives_ok($$SELECT tenancy.protect('children', backfill => 'SELECT p.tenant_id FROM public.parents p WHERE p.id = parent')$$,
                'or a subquery');
SELECT results_eq('SELECT id, tenant_id FROM children ORDER BY 1', 'VALUES (1, test_helpers.a()), (2, test_helpers.b()), (3, test_helpers.a())',
                  'that looks in other tables');
SELECT tenancy.unprotect('children');
INSERT INTO children VALUES (4, NULL);
SELECT throws_ok($$SELECT tenancy.protect('children', backfill => 'SELECT p.tenant_id FROM public.parents p WHERE p.id = parent')$$,
                 'TN009', 'relation public.children cannot be protected', 'rows that it leaves without a tenant stop everything');
SELECT hasnt_column('public', 'children', 'tenant_id', 'and nothing is changed');
SELECT is_empty($$SELECT * FROM tenancy.protected_tables$$, 'nor registered');
SELECT throws_ok($$SELECT tenancy.protect('children', backfill => 'no_such_column')$$, '42703', 'column "no_such_column" does not exist',
                 'an expression that does not work is PostgreSQL''s error');

-- A column that is there.
CREATE TABLE halves (id integer, tenant_id uuid);
INSERT INTO halves VALUES (1, test_helpers.a()), (2, NULL), (3, NULL);
SELECT throws_ok($$SELECT tenancy.protect('halves')$$, 'TN009', 'relation public.halves cannot be protected', 'NULLs are refused');
DO $$
DECLARE said text;
BEGIN
    PERFORM tenancy.protect('halves');
EXCEPTION WHEN SQLSTATE 'TN009' THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    PERFORM set_config('test.said', said, true);
END
$$;
SELECT is(current_setting('test.said'), 'Column tenant_id is null in 2 rows.', 'with their number');
SELECT throws_ok($$SELECT tenancy.protect('halves', dry_run => true)$$, 'TN009', NULL, 'by a dry run too');
SELECT lives_ok(format($$SELECT tenancy.protect('halves', backfill => %L)$$, quote_literal(test_helpers.b())), 'backfill fills them');
SELECT results_eq('SELECT id, tenant_id FROM halves ORDER BY 1', 'VALUES (1, test_helpers.a()), (2, test_helpers.b()), (3, test_helpers.b())',
                  'and only them');

CREATE TABLE strangers (id integer, tenant_id uuid);
INSERT INTO strangers VALUES (1, test_helpers.a()), (2, 'dddddddd-dddd-4ddd-8ddd-dddddddddddd'), (3, 'dddddddd-dddd-4ddd-8ddd-dddddddddddd');
SELECT throws_ok($$SELECT tenancy.protect('strangers')$$, 'TN009', 'relation public.strangers cannot be protected', 'values that no tenant has are refused');
SELECT throws_ok($$SELECT tenancy.protect('strangers', foreign_key => false)$$, 'TN009', NULL, 'also where no foreign key is wanted: nobody would see these rows');
DO $$
DECLARE said text;
BEGIN
    PERFORM tenancy.protect('strangers');
EXCEPTION WHEN SQLSTATE 'TN009' THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    PERFORM set_config('test.said', said, true);
END
$$;
SELECT is(current_setting('test.said'), 'Column tenant_id holds values that no tenant has, in 2 rows.', 'with their number, and without naming them');

-- The default tenant has no key of its own at first.
CREATE TABLE keyed (id integer);
INSERT INTO keyed VALUES (1);
SELECT throws_ok($$SELECT tenancy.protect('keyed', column_type => 'text')$$, 'TN009', 'relation public.keyed cannot be protected',
                 'rows need somebody to belong to');
SELECT lives_ok($$SELECT tenancy.protect('keyed', column_type => 'text', backfill => '''1001''')$$, 'who is named');
SELECT tenancy.unprotect('keyed');
UPDATE tenancy.tenants SET external_key = '0' WHERE id = '00000000-0000-0000-0000-000000000002';
SELECT lives_ok($$SELECT tenancy.protect('keyed', column_type => 'integer')$$, 'or is the default tenant, by its external key');
SELECT is((SELECT tenant_id FROM keyed), 0, 'as the column''s type wants it');

-- Rows that its own policies hide from the owner cannot be judged by it.
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.act_as('owner');
CREATE TABLE hidden (id integer, tenant_id uuid);
INSERT INTO hidden VALUES (1, NULL);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT throws_ok($$SELECT tenancy.protect('hidden')$$, 'TN009', 'relation public.hidden cannot be protected', 'hidden rows are not taken for none');

SELECT * FROM finish();
ROLLBACK;
