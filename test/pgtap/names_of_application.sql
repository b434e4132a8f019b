-- Names that the application gave to its things, changes, or has the server write in another way: nothing is taken for something else.
BEGIN;
SELECT plan(37);
SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role() AS app \gset
CREATE FUNCTION found() RETURNS SETOF text LANGUAGE sql AS $$SELECT concat_ws(' ', c.code, c.object) FROM tenancy.check() c WHERE c.severity = 'error' ORDER BY 1$$;

-- Renamed later.
CREATE TABLE books (id integer PRIMARY KEY, isbn text);
CREATE TABLE chapters (book integer NOT NULL REFERENCES books, title text);
SELECT FROM tenancy.protect('books', global_keys => '{books_pkey}');
SELECT FROM tenancy.protect_by_path('chapters');
SELECT is_empty('SELECT found()', 'check() is content with two protected tables');
ALTER TABLE chapters RENAME TO parent1;
ALTER TABLE books RENAME COLUMN id TO "parent1";
ALTER TABLE books RENAME TO "current_tenant_id";
ALTER TABLE parent1 RENAME CONSTRAINT chapters_book_fkey TO chapters_book;
ALTER TABLE parent1 RENAME CONSTRAINT chapters_book TO chapters_book_fkey;
CREATE SCHEMA "tenancy %s";
ALTER TABLE "current_tenant_id" SET SCHEMA "tenancy %s";
SELECT is_empty('SELECT found()', 'it still is when all of it was renamed');
SELECT lives_ok('ALTER TABLE parent1 ALTER title SET NOT NULL; ALTER TABLE parent1 ALTER title DROP NOT NULL', 'and the guard lets other changes pass');
SELECT is_empty($$SELECT tenancy.protect_by_path('parent1')$$, 'protect_by_path() has nothing to do');
SELECT throws_ok('ALTER POLICY tenancy_read ON parent1 USING (true)', 'TN009', 'relation public.parent1 is protected', 'a policy is not changed');
INSERT INTO "tenancy %s".current_tenant_id (parent1, tenant_id) VALUES (1, test_helpers.a()), (2, test_helpers.b());
INSERT INTO parent1 VALUES (1, 'of a'), (2, 'of b');
GRANT USAGE ON SCHEMA "tenancy %s" TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON parent1, "tenancy %s".current_tenant_id TO :"app";

-- Written in another way.
SET quote_all_identifiers = on;
SELECT is_empty('SELECT found()', 'check() is content where all names are quoted');
SELECT lives_ok('ALTER TABLE parent1 ALTER title SET NOT NULL; ALTER TABLE parent1 ALTER title DROP NOT NULL', 'and so is the guard');
CREATE TABLE authors (id integer PRIMARY KEY, mail text UNIQUE);
CREATE TABLE letters (id integer PRIMARY KEY, author integer REFERENCES authors ON DELETE SET NULL, number integer CONSTRAINT letters_number UNIQUE);
CREATE TABLE lines (letter integer NOT NULL REFERENCES letters);
SELECT lives_ok($$SELECT tenancy.protect('authors')$$, 'a table is protected');
SELECT lives_ok($$SELECT tenancy.protect('letters', global_keys => '{letters_pkey}')$$, 'and one that refers to it');
SELECT lives_ok($$SELECT tenancy.protect_by_path('lines')$$, 'and one by a path');
RESET quote_all_identifiers;
SELECT is_empty('SELECT found()', 'which is the same to who does not quote');
SELECT is_empty($$SELECT tenancy.protect('authors') UNION ALL SELECT tenancy.protect('letters', global_keys => '{letters_pkey}') UNION ALL SELECT tenancy.protect_by_path('lines')$$,
                'and lacks nothing');
SELECT lives_ok($$SELECT tenancy.unprotect('lines'); SELECT tenancy.unprotect('letters'); SELECT tenancy.unprotect('authors')$$, 'and is taken back');

-- Types of the application that are called like those of the system.
CREATE SCHEMA own;
CREATE DOMAIN own.uuid AS text;
CREATE DOMAIN own.vector AS text;
CREATE TYPE own.text AS (a integer);
CREATE TYPE own.jsonb AS ENUM ('one');
CREATE TABLE own.documents (id own.uuid PRIMARY KEY, tenant_id uuid NOT NULL);
CREATE TABLE own.chunks (id uuid PRIMARY KEY, document_id uuid, content own.text, embedding own.vector, metadata own.jsonb, tenant_id uuid NOT NULL);
SELECT lives_ok($$SELECT tenancy.protect('own.documents'); SELECT tenancy.protect('own.chunks')$$, 'tables with columns of such types are protected');
SELECT throws_ok($$SELECT tenancy.attach_corpus('own', 'own.documents', 'own.chunks')$$, 'TN010', 'column "content" of table own.chunks must be of type text or varchar, not own.text', 'a text that is none');
ALTER TABLE own.chunks DROP COLUMN content, ADD COLUMN content text;
SELECT throws_ok($$SELECT tenancy.attach_corpus('own', 'own.documents', 'own.chunks')$$, 'TN010', 'column "embedding" of table own.chunks must be of type vector or halfvec, not own.vector', 'a vector that is none');
ALTER TABLE own.chunks DROP COLUMN embedding, ADD COLUMN embedding vector(2);
SELECT throws_ok($$SELECT tenancy.attach_corpus('own', 'own.documents', 'own.chunks')$$, 'TN010', 'column "metadata" of table own.chunks must be of type jsonb, not own.jsonb', 'a jsonb that is none');
ALTER TABLE own.chunks DROP COLUMN metadata;
SELECT throws_ok($$SELECT tenancy.attach_corpus('own', 'own.documents', 'own.chunks')$$, 'TN010', 'column "id" of table own.documents must be of type uuid, not own.uuid', 'a uuid that is none');
CREATE TABLE own.typed (id own.uuid, t own.text, v own.vector, j own.jsonb);
SELECT lives_ok($$SELECT tenancy.protect('own.typed'); SELECT tenancy.audit('own.typed')$$, 'one is audited');
SELECT lives_ok(format('INSERT INTO own.typed (id, t, v, j, tenant_id) VALUES (''a'', ROW(1), ''[1]'', ''one'', %L)', test_helpers.a()), 'and written');
SELECT is((SELECT e.data::jsonb - 'tenant_id' FROM tenancy.export_tenant(test_helpers.a()) e WHERE e.relation = 'own.typed'), '{"id": "a", "t": {"a": 1}, "v": "[1]", "j": "one"}', 'and exported');
SELECT is((SELECT after - 'tenant_id' FROM tenancy.audit_log(test_helpers.a()) WHERE object ~ 'own.typed'), '{"id": "a", "t": {"a": 1}, "v": "[1]", "j": "one"}', 'and recorded');

-- A tenant column that is called like a column of a graph.
CREATE TABLE own.pages (kind uuid NOT NULL, id uuid, PRIMARY KEY (kind, id));
CREATE TABLE own.parts (kind uuid NOT NULL, id uuid, document_id uuid, content text, embedding vector(2), PRIMARY KEY (kind, id));
SELECT FROM tenancy.protect('own.pages', 'kind');
SELECT FROM tenancy.protect('own.parts', 'kind');
SELECT lives_ok($$SELECT tenancy.attach_corpus('own', 'own.pages', 'own.parts')$$, 'a corpus has its tenant in a column called kind');
SELECT lives_ok($$SELECT tenancy.create_graph('own')$$, 'and gets a graph');
SELECT col_is_pk('own', 'own_entities', ARRAY['tenant_id', 'id'], 'whose own column of that name stays what it is');

-- What the application called like things of ours.
CREATE TABLE people (id integer PRIMARY KEY, email text);
CREATE TABLE posts (id integer PRIMARY KEY, person integer NOT NULL REFERENCES people, CONSTRAINT tenancy_not_null CHECK (id > 0));
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER zz_tenancy_fill BEFORE INSERT ON posts FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE POLICY tenancy_trial_read ON posts USING (true);
INSERT INTO people VALUES (1, 'a@a.example');
INSERT INTO posts VALUES (1, 1);
SELECT set_eq($$SELECT object, fix FROM tenancy.plan_migration('personal', users => 'people', schemas => '{public}') WHERE code = 'name_taken'$$,
    $$VALUES ('constraint tenancy_not_null on table public.posts', 'ALTER TABLE public.posts RENAME CONSTRAINT tenancy_not_null TO ...'),
             ('trigger zz_tenancy_fill on table public.posts', 'ALTER TRIGGER zz_tenancy_fill ON public.posts RENAME TO ...'),
             ('policy tenancy_trial_read on table public.posts', 'ALTER POLICY tenancy_trial_read ON public.posts RENAME TO ...')$$, 'a plan tells of names that it needs');
SELECT throws_ok($$SELECT tenancy.start_migration('personal', users => 'people', schemas => '{public}')$$, 'TN009', 'migration cannot start', 'and does not begin with them taken');
CREATE POLICY tenancy_trialled ON posts USING (true);
DROP POLICY tenancy_trial_read ON posts;
ALTER TABLE posts RENAME CONSTRAINT tenancy_not_null TO kept;
ALTER TRIGGER zz_tenancy_fill ON posts RENAME TO zz_tenancy;
SELECT lives_ok($$SELECT tenancy.start_migration('personal', users => 'people', schemas => '{public}', online => false)$$, 'others may begin like ours');
CREATE POLICY tenancy_read ON people USING (true);
SELECT throws_ok($$SELECT tenancy.protect('people')$$, 'TN009', NULL, 'a policy with a name of ours is not taken for it');

-- Statements of check() are read off definitions name by name.
SELECT is(tenancy.with_tenant_first(d, '"t\1"'), w, d) FROM (VALUES
    ('CREATE INDEX a ON public.b USING btree (c, d)', 'CREATE INDEX a ON public.b USING btree ("t\1", c, d)'),
    ('CREATE INDEX "a USING btree (" ON ONLY "x ON ONLY ""y"."b USING gist (" USING btree (c)', 'CREATE INDEX "a USING btree (" ON "x ON ONLY ""y"."b USING gist (" USING btree ("t\1", c)'),
    ('EXCLUDE USING gist (during WITH &&)', 'EXCLUDE USING gist ("t\1", during WITH &&)')) v (d, w);
SELECT is(s::text, w, d) FROM (VALUES
    ('CREATE UNIQUE INDEX CONCURRENTLY "a ON b" ON public.x USING btree (y)', '(index,"""a ON b""")'),
    ('ALTER TABLE "s ADD CONSTRAINT x "."t VALIDATE CONSTRAINT z" ADD CONSTRAINT "k ""q"" " UNIQUE (x)', '(foreign_key,"""k """"q"""" """)'),
    ('ALTER TABLE s.t VALIDATE CONSTRAINT z', '(validate,z)'),
    ('DROP INDEX x', '(,)')) v (d, w) CROSS JOIN LATERAL tenancy.statement_names(d) s;

SELECT test_helpers.act_as('app', test_helpers.b());
SELECT results_eq('SELECT title FROM parent1', ARRAY['of b'], 'B sees its own rows under the new names');

SELECT * FROM finish();
ROLLBACK;
