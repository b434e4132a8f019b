-- Attack 40, by the registries: an owner of tables writes rows by hand that do not fit them, to make what others call hang, fail or
-- pass rows by; and what happens where a row is wrong all the same.
BEGIN;
SELECT plan(27);
SET LOCAL client_min_messages = error;
SET LOCAL statement_timeout = '60s';

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner') AS owner \gset
SELECT test_helpers.make_owner('other') AS other \gset

SELECT test_helpers.act_as('owner');
CREATE TABLE notes (id int PRIMARY KEY, body text);
CREATE TABLE lines (note int NOT NULL CONSTRAINT of_note REFERENCES notes, id int PRIMARY KEY);
SELECT FROM tenancy.protect('notes');
CREATE TABLE loose (id int PRIMARY KEY, tenant_id text, parent int CONSTRAINT up REFERENCES loose);
CREATE TABLE items (id int PRIMARY KEY, loose int NOT NULL CONSTRAINT of_loose REFERENCES loose);
SELECT tenancy.create_corpus(dimensions => 2);
SELECT lives_ok($$SELECT tenancy.protect_by_path('lines')$$, 'an owner protects by a path that leads somewhere');

SELECT throws_ok($$INSERT INTO tenancy.indirect_tables (relation, kind, path, undo) VALUES ('loose', 'path', 'up', '{"rls": false, "force": false}')$$,
                 'TN009', 'relation public.loose cannot be registered so', 'a path to the table itself is refused');
SELECT throws_ok($$INSERT INTO tenancy.indirect_tables (relation, kind, path, undo) VALUES ('items', 'path', 'of_loose', '{"rls": false, "force": false}')$$,
                 'TN009', 'relation public.items cannot be registered so', 'a path to a table that is not protected is refused');
SELECT throws_ok($$INSERT INTO tenancy.indirect_tables (relation, kind, path, undo) VALUES ('items', 'path', 'no_such', '{"rls": false, "force": false}')$$,
                 'TN009', 'relation public.items cannot be registered so', 'a path by a foreign key that is not there is refused');
SELECT throws_ok($$UPDATE tenancy.indirect_tables SET path = 'lines_pkey' WHERE relation = 'lines'::regclass$$,
                 'TN009', 'relation public.lines cannot be registered so', 'also when it is changed to one');
SELECT throws_ok($$UPDATE tenancy.indirect_tables SET policies = '[1]'$$, '23514',
                 'new row for relation "indirect_tables" violates check constraint "indirect_tables_policies_check"', 'policies are an object');
SELECT throws_ok($$UPDATE tenancy.indirect_tables SET undo = '"x"'$$, '23514',
                 'new row for relation "indirect_tables" violates check constraint "indirect_tables_undo_check"', 'what was before is an object');
SELECT throws_ok($$UPDATE tenancy.indirect_tables SET undo = '{"rls": "x", "force": false}'$$, '23514',
                 'new row for relation "indirect_tables" violates check constraint "indirect_tables_undo_check"', 'with the members that unprotect() reads');
SELECT throws_ok($$INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type) VALUES ('loose', 'tenant_id', 'uuid')$$,
                 'TN009', 'relation public.loose cannot be registered so', 'a tenant column of another type is refused');
SELECT throws_ok($$INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type) VALUES ('lines', 'note', 'integer')$$,
                 'TN009', 'relation public.lines cannot be registered so', 'a second registration is refused');
SELECT throws_ok($$UPDATE tenancy.protected_tables SET keys = '[1,2]' WHERE relation = 'notes'::regclass$$, '23514',
                 'new row for relation "protected_tables" violates check constraint "protected_tables_keys_check"', 'keys are an object');
SELECT throws_ok($$UPDATE tenancy.protected_tables SET keys = '{"k": {"match_full": "x"}}' WHERE relation = 'notes'::regclass$$, '23514',
                 'new row for relation "protected_tables" violates check constraint "protected_tables_keys_check"', 'of objects that the way back can read');
SELECT throws_ok($$INSERT INTO tenancy.corpora (name, documents, chunks, dimensions, metric, text_config, columns)
                   SELECT 'evil', documents, chunks, dimensions, metric, 'no.such', columns FROM tenancy.corpora$$,
                 'TN009', 'relation public.chunks cannot be registered so', 'a corpus without its text search configuration is refused');
SELECT throws_ok($$INSERT INTO tenancy.corpora (name, documents, chunks, dimensions, metric, text_config, columns)
                   SELECT 'evil', documents, chunks, dimensions, metric, text_config, columns || '{"content": "content\" ; SELECT 1; --"}' FROM tenancy.corpora$$,
                 'TN009', 'relation public.chunks cannot be registered so', 'a corpus of columns that are not there is refused');
SELECT throws_ok($$INSERT INTO tenancy.corpora (name, documents, chunks, dimensions, metric, text_config, columns)
                   SELECT 'evil', documents, chunks, dimensions, metric, text_config, columns || '{"id": "chunk_index"}' FROM tenancy.corpora$$,
                 'TN009', 'relation public.chunks cannot be registered so', 'a corpus of columns of other types is refused');

-- A graph takes what applications store in a corpus: it is for the corpus's owner to give it one.
SELECT test_helpers.act_as('other');
CREATE TABLE mine (id int);
SELECT throws_ok($$INSERT INTO tenancy.graphs (corpus, entities, relations, mentions) VALUES ('default', 'mine', 'mine', 'mine')$$,
                 '42501', 'new row violates row-level security policy for table "graphs"', 'nobody gives another owner''s corpus a graph');
SELECT test_helpers.act_as('owner');
SELECT lives_ok('SELECT tenancy.create_graph()', 'its owner does');

-- A dump brings rows in any order, and so perhaps one that does not fit.
SELECT test_helpers.act_as_superuser();
SELECT lives_ok($$INSERT INTO tenancy.indirect_tables (relation, kind, path, undo) VALUES ('loose', 'path', 'up', '{"rls": false, "force": false}')$$,
                'a restore is believed');
SELECT results_eq($$SELECT severity, object, problem FROM tenancy.check() WHERE code = 'registry_wrong'$$,
                  $$VALUES ('error', 'table public.loose', 'its path goes in a circle: public.loose, public.loose')$$, 'check() names the row');
SELECT isnt_empty($$SELECT FROM tenancy.check() WHERE code <> 'registry_wrong' AND object LIKE '%loose'$$, 'and goes on with what else there is');
SELECT test_helpers.act_as('owner');
SELECT isnt_empty($$SELECT FROM tenancy.check() WHERE code = 'registry_wrong'$$, 'the owner sees it too');
SELECT test_helpers.act_as_superuser();
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(': ', SQLSTATE, SQLERRM, replace(detail, test_helpers.role_name('owner'), 'owner'));
END
$$;
SELECT is(pg_temp.refused(format('SELECT * FROM tenancy.%s(%L::uuid)', f, test_helpers.a())),
          '55000: whose the rows of public.loose are cannot be told: Its owner is owner, and it is registered wrongly: its path goes in a circle: public.loose, public.loose.',
          f || '() names the table and its owner before it gives anything')
FROM unnest('{count_rows,export_tenant}'::text[]) f;
SELECT tenancy.delete_tenant(test_helpers.b());
SELECT is(pg_temp.refused(format('SELECT tenancy.purge_begin(%L, 100)', test_helpers.b())),
          '55000: whose the rows of public.loose are cannot be told: Its owner is owner, and it is registered wrongly: its path goes in a circle: public.loose, public.loose.',
          'so does a purge before it deletes anything');
SELECT isnt_empty('SELECT tenancy.disable_tenancy(dry_run => true)', 'tenancy can be turned off');
SELECT lives_ok($$SELECT tenancy.unprotect('loose')$$, 'the table can be taken out');
SELECT isnt_empty(format('SELECT FROM tenancy.count_rows(%L)', test_helpers.a()), 'after which all goes its way');

SELECT * FROM finish();
ROLLBACK;
