-- Internal functions in C refuse what they cannot work with, also from a superuser, who may call them all.
BEGIN;
SELECT plan(27);

SELECT test_helpers.make_tenants();
SELECT tenancy.create_corpus(dimensions => 3);
SELECT tenancy.set_tenant(test_helpers.a());
INSERT INTO documents (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO chunks (document_id, chunk_index, content, embedding) VALUES ('00000000-0000-4000-8000-000000000001', 1, 'word', '[1,2,3]');

-- Nulls and numbers.
SELECT throws_ok($$SELECT tenancy.pack_words(NULL, 'SELECT', 1, NULL, NULL)$$, '22004', 'corpus must not be null', 'pack_words() needs a corpus');
SELECT throws_ok($$SELECT tenancy.pack_words('default', NULL, 1, NULL, NULL)$$, '22004', 'statement must not be null', 'and a statement');
SELECT throws_ok($$SELECT tenancy.pack_words('default', 'SELECT', NULL, NULL, NULL)$$, '22004', 'batch_rows must not be null', 'and a number of rows');
SELECT throws_ok($$SELECT tenancy.pack_words('default', 'SELECT', -1, NULL, NULL)$$, '22023', 'batch_rows must be at least 1, not -1', 'of one or more');

-- Keys of tenants.
SELECT throws_ok(format('SELECT tenancy.%s', f), '22023', 'the key of a tenant must be at most 255 bytes long, not 100000', split_part(f, '(', 1) || '() takes no key that no tenant has')
FROM unnest(ARRAY['read_words(0, repeat(''a'', 100000)::bytea)', 'freeze_words(0, repeat(''a'', 100000)::bytea)',
                  'unfreeze_words(''default'', 0, repeat(''a'', 100000)::bytea, ''SELECT'')']) f;
SELECT is(tenancy.read_words(0, repeat('a', 255)::bytea), 0::bigint, 'the longest key is taken');
SELECT is(tenancy.read_blocks(0, repeat('a', 100000)::bytea), 0::bigint, 'of blocks the key is only looked up');

-- Statements whose rows are something else.
SELECT throws_ok($$SELECT tenancy.run_as_owner('chunks', 'SELECT 1')$$, '42804', 'statement must give one bigint', 'run_as_owner() refuses another type');
SELECT throws_ok($$SELECT tenancy.run_as_owner('chunks', 'SELECT 1::bigint FROM generate_series(1, 2)')$$, '42804', 'statement must give one bigint', 'two rows');
SELECT throws_ok($$SELECT tenancy.run_as_owner('chunks', 'SELECT 1::bigint WHERE false')$$, '42804', 'statement must give one bigint', 'and no row');
SELECT is(tenancy.run_as_owner('chunks', 'SELECT 5::bigint'), 5::bigint, 'one bigint it gives');
SELECT throws_ok($$SELECT * FROM tenancy.rows_as_owner('chunks', 'SELECT 1')$$, '42804', 'column 1 of the statement must be of type json, not integer', 'rows_as_owner() refuses another type');
SELECT throws_ok($$SELECT * FROM tenancy.rows_as_owner('chunks', 'SELECT ''1''::json, ''{}''::jsonb')$$, '42804', 'column 2 of the statement must be of type json, not jsonb', 'in every column');
SELECT results_eq($$SELECT r::text FROM tenancy.rows_as_owner('chunks', 'SELECT ''1''::json AS a, ''null''::json AS b') r$$, $$VALUES ('{"a":1,"b":null}')$$, 'json it gives');
SELECT throws_ok($$SELECT tenancy.pack_chunks('default', 1, 'SELECT 1, 2, 3')$$, '42804', 'column 1 of the statement must be of type uuid, not integer', 'pack_chunks() refuses other types');
SELECT throws_ok($$SELECT tenancy.pack_chunks('default', 1, 'SELECT NULL::uuid')$$, '42804', 'statement must give 3 columns, not 1', 'and other columns');
SELECT throws_ok($$SELECT tenancy.run_as_owner(0, 'SELECT 1::bigint')$$, '42P01', 'relation with OID 0 does not exist', 'no relation has no owner');

-- Relations of other kinds.
SELECT throws_ok($$SELECT * FROM tenancy.tenant_keys_of(0, 1::smallint)$$, '42P01', 'relation with OID 0 does not exist', 'tenant_keys_of() refuses no relation');
SELECT throws_ok($$SELECT * FROM tenancy.tenant_keys_of('pg_class', 3::smallint)$$, '42804', 'column 3 of relation "pg_class" is not of a type that a tenant column has',
                 'and columns of other types');
SELECT is_empty($$SELECT * FROM tenancy.tenant_keys_of('chunks_pkey', 1::smallint)$$, 'an index has no rows');
SELECT is_empty($$SELECT * FROM tenancy.tenant_keys_of('chunks', -1::smallint)$$, 'nor has a column that is not there');

-- Triggers of other events.
CREATE TABLE plain (i int);
CREATE TRIGGER nasty BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION tenancy.context_changed();
SELECT throws_ok('INSERT INTO plain VALUES (1)', '39P01', 'tenancy.context_changed() can only be fired for statements', 'a trigger of statements refuses rows');
DROP TRIGGER nasty ON plain;
CREATE TRIGGER nasty BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION tenancy.keep_words('default');
SELECT throws_ok('INSERT INTO plain VALUES (1)', '39P01', 'tenancy.keep_words() must be fired before or after statements, or after rows', 'and one of a store refuses to come before a row');
SELECT throws_ok('SELECT tenancy.corpora_changed()', '39P01', 'tenancy.corpora_changed() can only be called as a trigger', 'a trigger function is not called by itself');
SELECT throws_ok('SELECT tenancy.guardrail()', '39P03', 'this function can only be called as an event trigger', 'nor is one of an event trigger');

SELECT * FROM finish();
ROLLBACK;
