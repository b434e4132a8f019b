-- Tables that an application has serve as a corpus when they fit, under whatever names; what does not fit is said.
BEGIN;
SELECT plan(33);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.make_owner('other');

-- Their own names, a bigint tenant, halfvec, a cased schema, no metadata, no tsvector, no chunk index.
SELECT format('CREATE SCHEMA "Their Own" AUTHORIZATION %I', test_helpers.role_name('owner')) \gexec
SELECT format('GRANT USAGE ON SCHEMA "Their Own" TO %I, %I', test_helpers.role_name('app'), test_helpers.role_name('other')) \gexec
SELECT test_helpers.act_as('owner');
CREATE TABLE "Their Own"."Pages" (account bigint, page uuid, "Name" varchar(100), url text);
CREATE TABLE "Their Own"."Parts" (account bigint, part uuid, page uuid, body varchar, v halfvec(2), UNIQUE (account, part));
SELECT throws_ok(
    $$SELECT tenancy.attach_corpus('theirs', '"Their Own"."Pages"', '"Their Own"."Parts"')$$,
    'TN010', 'table "Their Own"."Pages" is not protected', 'tables that are not protected');
SELECT count(*) FROM tenancy.protect('"Their Own"."Pages"', 'account');
SELECT count(*) FROM tenancy.protect('"Their Own"."Parts"', 'account');
CREATE FUNCTION pg_temp.attach(columns jsonb, dimensions integer DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$SELECT tenancy.attach_corpus('theirs', '"Their Own"."Pages"', '"Their Own"."Parts"', columns, dimensions)$$;

SELECT throws_ok($$SELECT pg_temp.attach('{}')$$, 'TN010', 'table "Their Own"."Parts" has no column "id" to serve as id', 'a column that is missing');
SELECT throws_ok($$SELECT pg_temp.attach('{"id": "body"}')$$, 'TN010', 'column "body" of table "Their Own"."Parts" must be of type uuid, not varchar', 'a column of the wrong type');
SELECT throws_ok($$SELECT pg_temp.attach('{"identity": "part"}')$$, '22023', 'a corpus has no part "identity"', 'a part that there is not');
SELECT throws_ok($$SELECT pg_temp.attach('{"id": 1}')$$, '22023', 'column for "id" must be a name, not 1', 'a name that is none');
SELECT throws_ok($$SELECT pg_temp.attach('[]')$$, '22023', 'columns must be a JSON object, not array', 'no object');
SELECT throws_ok($$SELECT pg_temp.attach(NULL)$$, '22004', 'columns must not be null', 'null');
SELECT throws_ok($$SELECT pg_temp.attach('{"id": null}')$$, 'TN010', 'table "Their Own"."Parts" has no column "" to serve as id', 'a required part left out');
SELECT throws_ok($$SELECT pg_temp.attach('{"id": "page", "document_id": "page", "content": "body", "embedding": "v", "documents_id": "page"}')$$,
    'TN010', 'column "page" of table "Their Own"."Parts" is not unique', 'an id that is not unique');
SELECT throws_ok($$SELECT pg_temp.attach('{"id": "part", "document_id": "page", "content": "body", "embedding": "v", "documents_id": "page"}', 3)$$,
    'TN010', 'column "v" of table "Their Own"."Parts" has 2 dimensions, not 3', 'other dimensions');
SELECT throws_ok($$SELECT pg_temp.attach('{"metadata": "meta", "id": "part", "document_id": "page", "content": "body", "embedding": "v", "documents_id": "page"}')$$,
    'TN010', 'table "Their Own"."Parts" has no column "meta" to serve as metadata', 'an optional column that is named must be there');
SELECT throws_ok($$SELECT tenancy.attach_corpus('theirs', NULL, '"Their Own"."Parts"')$$, '22004', 'documents must not be null', 'no table');
SELECT throws_ok($$SELECT tenancy.attach_corpus('theirs', 1234567::regclass, '"Their Own"."Parts"')$$, '42P01', 'relation 1234567 does not exist', 'a table that is not there');
SELECT is(pg_temp.attach('{"id": "part", "document_id": "page", "content": "body", "embedding": "v", "documents_id": "page", "title": "Name", "source": "url"}'), 'theirs', 'it fits');
SELECT throws_ok($$SELECT pg_temp.attach('{}')$$, '42710', 'corpus "theirs" already exists', 'once');

SELECT test_helpers.act_as('other');
SELECT throws_ok($$SELECT tenancy.attach_corpus('stolen', '"Their Own"."Pages"', '"Their Own"."Parts"')$$, '42501',
    'must be owner of table "Their Own"."Pages"', 'only by the owner');
SELECT throws_ok($$INSERT INTO tenancy.corpora VALUES ('stolen', '"Their Own"."Pages"', '"Their Own"."Parts"', 2, 'l2', 'english', '{}')$$, '42501',
    'new row violates row-level security policy for table "corpora"', 'also not past the function');

-- It works as any other.
SELECT test_helpers.act_as('app', test_helpers.a());
INSERT INTO "Their Own"."Pages" (page, "Name", url) VALUES ('00000000-0000-0000-0000-00000000000d', 'A page', 'http://a');
INSERT INTO "Their Own"."Parts" (part, page, body, v)
VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000d', 'walking dogs', '[1,0]'),
       ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-00000000000d', 'sleeping cats', '[0,1]');
SELECT results_eq(
    $$SELECT chunk_id, document_id, chunk_index, content, similarity, metadata, document_title, document_source FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')$$,
    $$VALUES ('00000000-0000-0000-0000-000000000001'::uuid, '00000000-0000-0000-0000-00000000000d'::uuid, NULL::integer, 'walking dogs', 1::double precision, NULL::jsonb, 'A page', 'http://a'),
             ('00000000-0000-0000-0000-000000000002'::uuid, '00000000-0000-0000-0000-00000000000d'::uuid, NULL, 'sleeping cats', 0, NULL, 'A page', 'http://a')$$,
    'match_chunks; what the tables do not have is null');
SELECT results_eq($$SELECT content FROM tenancy.keyword_search('cat', corpus => 'theirs')$$, $$VALUES ('sleeping cats')$$,
    'keyword_search makes the words of the content itself');
SELECT results_eq($$SELECT content FROM tenancy.hybrid_search('[1,0]', 'dog', corpus => 'theirs')$$, $$VALUES ('walking dogs'), ('sleeping cats')$$, 'hybrid_search');
SELECT results_eq($$SELECT content FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d', 'theirs')$$,
    $$VALUES ('walking dogs'), ('sleeping cats')$$, 'get_document_chunks');
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,0]', filter => '{}', corpus => 'theirs')$$, 'TN010',
    'corpus "theirs" has no metadata to filter by', 'no filter without metadata');
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT is_empty($$SELECT * FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')$$, 'the other tenant has none of it');

-- Tables change under a session that searched them.
SELECT test_helpers.act_as('owner');
ALTER TABLE "Their Own"."Parts" RENAME TO parts;
SELECT test_helpers.act_as_superuser();
ALTER SCHEMA "Their Own" RENAME TO theirs;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq($$SELECT content FROM tenancy.match_chunks('[1,0]', 1, corpus => 'theirs')$$, $$VALUES ('walking dogs')$$, 'renamed tables and schemas are found');
SELECT test_helpers.act_as('owner');
ALTER TABLE theirs.parts RENAME COLUMN body TO words;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')$$, 'TN010', 'corpus "theirs" no longer fits its tables', 'a renamed column is missed');
SELECT test_helpers.act_as('owner');
ALTER TABLE theirs.parts RENAME COLUMN words TO body;
ALTER TABLE theirs.parts ALTER COLUMN v TYPE halfvec(3) USING NULL;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')$$, 'TN010', 'corpus "theirs" no longer fits its tables', 'other dimensions are noticed');
SELECT test_helpers.act_as('owner');
SAVEPOINT before_drop;
DROP TABLE theirs.parts;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')$$, 'TN010', 'corpus "theirs" no longer fits its tables', 'a dropped table is said');
SELECT test_helpers.act_as_superuser();
SELECT lives_ok($$SELECT test_helpers.make_role('late')$$, 'and is in nobody''s way when a role is granted');
SELECT test_helpers.act_as('other');
SELECT throws_ok($$SELECT tenancy.drop_corpus('theirs')$$, '42501', 'must be owner of the tables of corpus "theirs"', 'the table that is left has an owner');
SELECT test_helpers.act_as('owner');
DROP TABLE theirs."Pages";
SELECT test_helpers.act_as('other');
SELECT lives_ok($$SELECT tenancy.drop_corpus('theirs')$$, 'what has no tables left any owner may tidy up');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok($$SELECT * FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')$$, 'TN010', 'corpus "theirs" is not configured', 'then it is unknown');
ROLLBACK TO before_drop;
SELECT test_helpers.act_as('owner');
ALTER TABLE theirs.parts ALTER COLUMN v TYPE halfvec(2) USING '[1,1]';
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,0]', corpus => 'theirs')), 2::bigint, 'and after a rollback it is there again');

-- A type that only looks like pgvector's.
SELECT test_helpers.act_as_superuser();
CREATE SCHEMA fake;
CREATE DOMAIN fake.vector AS text;
CREATE TABLE fake.documents (tenant_id uuid, id uuid);
CREATE TABLE fake.chunks (tenant_id uuid, id uuid PRIMARY KEY, document_id uuid, content text, embedding fake.vector);
SELECT count(*) FROM tenancy.protect('fake.documents') d, tenancy.protect('fake.chunks') c;
SELECT throws_ok($$SELECT tenancy.attach_corpus('fake', 'fake.documents', 'fake.chunks')$$, 'TN010',
    'column "embedding" of table fake.chunks must be of type vector or halfvec, not fake.vector', 'a type of that name is not enough');

SELECT * FROM finish();
ROLLBACK;
