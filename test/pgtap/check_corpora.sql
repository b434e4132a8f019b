-- check() about corpora and graphs that no longer fit their tables, and migrations whose tables have changed.
BEGIN;
SELECT plan(33);

SELECT test_helpers.make_tenants();
SELECT tenancy.create_corpus(dimensions => 3);
SELECT tenancy.create_graph();
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
SELECT tenancy.create_corpus('other', dimensions => 3);
CREATE VIEW findings AS SELECT code, severity, object, problem, fix FROM tenancy.check() WHERE code ~ '^corpus_|^migration_outdated';

-- A deed, what is found of it, and, where the repair is statements, that it repairs. Nothing stays.
CREATE FUNCTION finds(deed text, wanted text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    said text;
    statement text;
    rest text;
BEGIN
    BEGIN
        EXECUTE deed;
        SELECT string_agg(format('%s %s %s', f.severity, f.code, f.object), ', ' ORDER BY f.code, f.object), min(f.fix) INTO said, statement FROM findings f;
        IF statement ~ '^(SELECT|ALTER|DELETE)' THEN
            EXECUTE statement;
            SELECT string_agg(f.code || ' ' || f.problem, ', ') INTO rest FROM findings f;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'TEST0';
    EXCEPTION WHEN SQLSTATE 'TEST0' THEN NULL;
    END;
    RETURN NEXT is(said, wanted, deed);
    IF statement ~ '^(SELECT|ALTER|DELETE)' THEN
        RETURN NEXT is(rest, NULL, 'repaired by: ' || left(statement, 60));
    END IF;
END
$$;
SELECT is_empty('TABLE findings', 'they fit to begin with');
SELECT finds('ALTER TABLE chunks RENAME COLUMN content TO body', 'warning corpus_column_missing corpus "default"');
SELECT finds('ALTER TABLE documents RENAME COLUMN id TO key', 'warning corpus_column_missing corpus "default"');
SELECT finds('ALTER TABLE chunks DROP COLUMN content_tsv', 'warning corpus_column_missing corpus "default"');
SELECT finds('ALTER TABLE chunks ALTER COLUMN embedding TYPE vector(5) USING NULL', 'warning corpus_column_changed corpus "default"');
SELECT finds('ALTER TABLE other_chunks ALTER COLUMN embedding TYPE vector USING embedding', 'warning corpus_column_changed corpus "other"');
SELECT finds('ALTER TABLE chunks ALTER COLUMN metadata DROP DEFAULT, ALTER COLUMN metadata TYPE text', 'warning corpus_column_changed corpus "default"');
SELECT finds('DROP TABLE other_chunks', 'warning corpus_table_gone corpus "other"');
SELECT finds('DROP TABLE other_chunks, other_documents', 'warning corpus_table_gone corpus "other"');
SELECT finds('ALTER TABLE entities RENAME COLUMN name TO title', 'warning corpus_column_missing graph "default"');
SELECT finds('ALTER TABLE entities ALTER COLUMN embedding TYPE vector(4) USING NULL', 'warning corpus_column_changed graph "default"');
SELECT finds('ALTER TABLE relations ALTER COLUMN metadata DROP DEFAULT, ALTER COLUMN metadata TYPE json', 'warning corpus_column_changed graph "default"');
SELECT finds('DROP TABLE mentions', 'warning corpus_table_gone graph "default"');
SELECT finds('UPDATE tenancy.corpora SET text_config = ''public.plain'' WHERE name = ''other''', NULL);
SELECT finds('UPDATE tenancy.corpora SET text_config = ''public.plain'' WHERE name = ''other''; DROP TEXT SEARCH CONFIGURATION plain', 'warning corpus_text_config corpus "other"');
SELECT finds('ALTER TABLE other_chunks DROP CONSTRAINT other_chunks_pkey', 'warning corpus_key_missing corpus "other"');
SELECT finds('SET LOCAL session_replication_role = replica; SELECT tenancy.unprotect(''other_chunks'', keep_column => true); SET LOCAL session_replication_role = origin', 'error corpus_unprotected corpus "other"');
SELECT finds('UPDATE tenancy.corpora SET columns = columns - ''content'' WHERE name = ''other''', 'warning corpus_column_missing corpus "other"');

-- Migrations.
CREATE TABLE people (id integer PRIMARY KEY, email text);
CREATE TABLE papers (id integer PRIMARY KEY, person integer REFERENCES people);
INSERT INTO people VALUES (1, 'a@x.example');
SELECT tenancy.start_migration(strategy => 'personal', users => 'people', schemas => '{public}', tables => '{"documents": "leave", "chunks": "leave"}');
SELECT is_empty($$SELECT FROM findings WHERE code = 'migration_outdated'$$, 'a migration finds its tables');
SELECT finds('ALTER TABLE papers RENAME COLUMN person TO author', 'warning migration_outdated migration 1');
SELECT finds('DROP TABLE papers', 'warning migration_outdated migration 1');

SELECT * FROM finish();
ROLLBACK;
