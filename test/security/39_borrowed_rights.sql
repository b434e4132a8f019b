-- Attack 39: have the extension run one's own code with the rights of its owner, or of an operator. What hangs on a table
-- is code of whoever owns it: triggers, also those that wait for the end of the transaction, and whatever planning a query
-- evaluates. It tells who runs it.
SELECT plan(33);
SET search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT make_role('operator', NULL) AS operator \gset
SELECT tenancy.grant_control_plane(:'operator'::regrole);
SELECT format('GRANT CREATE ON SCHEMA public TO %I', :'operator') \gexec
CREATE TABLE ran_as (what text, who text);
GRANT INSERT ON ran_as TO PUBLIC;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ran_as VALUES (TG_TABLE_NAME, current_user);
    RETURN NULL;
END
$$;

-- An operator's trigger that waits, when a purge has all that wait fire.
SET SESSION AUTHORIZATION :"operator";
CREATE TABLE trap (id integer);
CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
SELECT tenancy.create_tenant('victim') AS victim \gset
SELECT lives_ok($$SELECT tenancy.delete_tenant('victim')$$, 'an operator deletes a tenant');
BEGIN;
INSERT INTO trap VALUES (1);
SELECT lives_ok(format('SELECT tenancy.purge_begin(%L, 10)', :'victim'), 'and purges it');
SELECT lives_ok(format('SELECT tenancy.purge_batch(%L, ARRAY[''tenancy.agents''::regclass], 10)', :'victim'), 'with a trigger of its own in wait');
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT results_eq('SELECT * FROM ran_as', format('VALUES (%L, %L)', 'trap', :'operator'), 'which runs with its own rights');

-- An owner's table with code wherever there can be some, in the way of everything that runs with more rights.
SELECT make_role(session_context => true) AS app \gset
SET SESSION AUTHORIZATION :"owner";
CREATE FUNCTION spy() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user !~ '^test_(owner|app)_' THEN
        RAISE 'ran with the rights of %', current_user;
    END IF;
    RETURN true;
END
$$;
CREATE FUNCTION spied(i integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT i WHERE public.spy()';
CREATE FUNCTION spy_on_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.spy();
    RETURN coalesce(NEW, OLD);
END
$$;
CREATE DOMAIN spied_text AS text CHECK (public.spy());
CREATE TYPE mood AS ENUM ('glad');
CREATE FUNCTION json_of(mood) RETURNS json LANGUAGE sql RETURN to_json(public.spy());
CREATE CAST (mood AS json) WITH FUNCTION json_of(mood);
CREATE TABLE notes (id integer PRIMARY KEY, tenant_id uuid NOT NULL, mood mood DEFAULT 'glad', body spied_text DEFAULT spy()::text,
    twice integer GENERATED ALWAYS AS (spied(id)) STORED, CHECK (spy()));
CREATE INDEX notes_spied ON notes (spied(id));
CREATE INDEX notes_some ON notes (id) WHERE spy();
CREATE STATISTICS notes_statistics ON (spied(id)), (spied(id) + 1) FROM notes;
CREATE TRIGGER spy_on_rows BEFORE INSERT OR UPDATE OR DELETE ON notes FOR EACH ROW EXECUTE FUNCTION spy_on_rows();
CREATE TRIGGER spy_on_statements AFTER INSERT OR UPDATE OR DELETE ON notes FOR EACH STATEMENT EXECUTE FUNCTION spy_on_rows();
CREATE VIEW seen AS SELECT id, spied(id) FROM notes WHERE spy();
SELECT lives_ok($$SELECT tenancy.protect('notes')$$, 'the owner protects it');
CREATE POLICY spied ON notes USING (spy());
SELECT lives_ok('CREATE TABLE more () INHERITS (notes)', 'a child is protected with other rights');
CREATE INDEX more_some ON more (id) WHERE spy();
CREATE TABLE later (LIKE notes INCLUDING ALL);
CREATE INDEX later_some ON later (id) WHERE spy();
SELECT lives_ok('ALTER TABLE later INHERIT notes', 'and so is one that comes later');
SELECT lives_ok('ALTER TABLE notes ALTER COLUMN mood DROP DEFAULT', 'a change of it is judged');
SELECT lives_ok($$SELECT tenancy.audit('notes')$$, 'it is audited');
SELECT tenancy.create_corpus('spied', dimensions => 3) IS NOT NULL;
SELECT format($$ALTER TABLE spied_%1$s ADD CHECK (spy()); CREATE INDEX ON spied_%1$s (tenant_id) WHERE spy();
                CREATE TRIGGER spy_on_rows BEFORE INSERT OR UPDATE OR DELETE ON spied_%1$s FOR EACH ROW EXECUTE FUNCTION spy_on_rows()$$, t)
FROM unnest('{documents,chunks}'::text[]) t \gexec
GRANT ALL ON notes, spied_documents, spied_chunks TO PUBLIC;
RESET SESSION AUTHORIZATION;

SET SESSION AUTHORIZATION :"app";
SELECT tenancy.set_tenant(a(), false);
SELECT lives_ok('INSERT INTO notes (id) SELECT g FROM generate_series(1, 5) g', 'rows are written, and audited');
SELECT lives_ok('UPDATE notes SET body = $$x$$', 'changed');
INSERT INTO spied_documents (id, title) VALUES ('00000000-0000-0000-0000-00000000000d', 'title');
SELECT lives_ok($$INSERT INTO spied_chunks (document_id, chunk_index, content, embedding)
                  SELECT '00000000-0000-0000-0000-00000000000d', g, 'word', '[1,2,3]' FROM generate_series(1, 100) g$$, 'stored for search');
SELECT is((SELECT count(*) FROM tenancy.hybrid_search('[1,2,3]', 'word', 20, corpus => 'spied')), 20::bigint, 'and found');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION :"owner";
ALTER TABLE spied_chunks DISABLE TRIGGER USER;
-- Arguments that end in a statement of the extension's.
SELECT throws_ok($$SELECT tenancy.rebuild_begin('spied', 'words();SELECT public.spy();--')$$, '22023', 'invalid kind ''words();SELECT public.spy();--''', 'a kind of store is no place for a statement');
SELECT throws_ok($$SELECT tenancy.rebuild_begin('spied', NULL)$$, '22023', 'invalid kind NULL', 'nor for null');
SELECT lives_ok($$SELECT tenancy.rebuild_begin('spied', k) AND tenancy.rebuild_step('spied', k, 1000) > 0
                  FROM unnest('{vectors,words}'::text[]) k$$, 'the stores are built anew');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION :"operator";
SELECT lives_ok($$SELECT tenancy.freeze_tenant(a(), 'spied'), tenancy.unfreeze_tenant(a(), 'spied'), tenancy.prewarm_tenant(a(), 'spied')$$,
                'an operator freezes the tenant, and packs it anew');
SELECT lives_ok('SELECT tenancy.recount_documents()', 'counts its documents');
SELECT results_eq($$SELECT relation, row_count FROM tenancy.count_rows(a()) WHERE relation ~ '^public'$$,
                  $$VALUES ('public.notes', 5::bigint), ('public.spied_chunks', 100), ('public.spied_documents', 1)$$, 'and its rows');
SELECT is((SELECT count(*) FROM tenancy.export_tenant(a()) WHERE relation ~ '^public'), 106::bigint, 'exports them');
SELECT tenancy.delete_tenant('tenant-a');
CALL tenancy.purge_tenant('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM tenancy.tenants WHERE id = a()), 0::bigint, 'and purges it');
SELECT isnt((SELECT count(*) FROM tenancy.check()), 0::bigint, 'a superuser checks the database');
SET SESSION AUTHORIZATION :"owner";
SELECT lives_ok($$SELECT tenancy.drop_corpus('spied', drop_tables => true)$$, 'the owner drops the corpus');
SELECT lives_ok($$SELECT tenancy.unaudit('notes')$$, 'ends the auditing');
SELECT lives_ok($$SELECT tenancy.unprotect('notes')$$, 'and the protection');
RESET SESSION AUTHORIZATION;

-- Columns that are no longer what was registered, or never were, and are read as that: by the store, by building it, by search.
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, :'owner') FROM pg_proc p WHERE p.oid = 'tenancy.match_chunks'::regproc \gexec
SET SESSION AUTHORIZATION :"owner";
CREATE FUNCTION attempts(situation text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT throws_like($q$SELECT tenancy.rebuild_step('typed', 'vectors', 10) FROM tenancy.rebuild_begin('typed', 'vectors')$q$,
                            'corpus "typed" no longer fits its tables', situation || ': building');
    RETURN NEXT throws_like($q$SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', corpus => 'typed')$q$,
                            'corpus "typed" no longer fits its tables', situation || ': search');
END
$$;
SELECT tenancy.create_corpus('typed', dimensions => 3);
RESET SESSION AUTHORIZATION;
INSERT INTO typed_documents (tenant_id, id) VALUES (b(), b());
INSERT INTO typed_chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT b(), b(), g, 'word', '[1,2,3]' FROM generate_series(1, 5) g;
SET SESSION AUTHORIZATION :"owner";
ALTER TABLE typed_chunks ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE bigint USING 4242424242 + chunk_index;
SELECT attempts('an id that is a number');
ALTER TABLE typed_chunks ALTER COLUMN id TYPE uuid USING gen_random_uuid(), ALTER COLUMN embedding TYPE sparsevec(3) USING NULL;
SELECT attempts('a vector of another layout');
ALTER TABLE typed_chunks ALTER COLUMN embedding TYPE vector(3) USING NULL;
ALTER TABLE typed_documents ALTER COLUMN title TYPE bigint USING 4242424242;
SELECT attempts('a title that is no text');
DELETE FROM tenancy.corpora WHERE name = 'typed';
-- Owners are refused such a row; a restored one may still be like that.
RESET SESSION AUTHORIZATION;
INSERT INTO tenancy.corpora (name, documents, chunks, dimensions, metric, text_config, columns)
VALUES ('typed', 'typed_documents', 'typed_chunks', 3, 'cosine', 'pg_catalog.simple', '{}');
SET SESSION AUTHORIZATION :"owner";
SELECT throws_ok($$SELECT tenancy.rebuild_step('typed', 'vectors', 10) FROM tenancy.rebuild_begin('typed', 'vectors')$$, NULL, NULL, 'no columns: building');
SELECT throws_ok($$SELECT count(*) FROM tenancy.match_chunks('[1,2,3]', corpus => 'typed')$$, 'TN010', 'corpus "typed" no longer fits its tables', 'no columns: search');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
