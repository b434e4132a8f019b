-- Everything that protect(), unprotect() and check() can be called with by mistake: an error with a code, nothing changed.
BEGIN;
SELECT plan(49);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_owner('owner');
CREATE TABLE notes (id integer, kind bit(3), made integer GENERATED ALWAYS AS IDENTITY, twice integer GENERATED ALWAYS AS (id * 2) STORED);
CREATE TEMP TABLE before AS SELECT relation, relrowsecurity, relnatts FROM (SELECT oid::regclass AS relation, * FROM pg_class) c
WHERE relnamespace IN ('public'::regnamespace, 'tenancy'::regnamespace, 'pg_catalog'::regnamespace);

SELECT throws_ok('SELECT tenancy.protect(NULL)', '22004', 'relation must not be null', 'relation NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', NULL)$$, '22004', 'tenant_column must not be null', 'tenant_column NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', column_type => NULL)$$, '22004', 'column_type must not be null', 'column_type NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', own_policies => NULL)$$, '22004', 'own_policies must not be null', 'own_policies NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', foreign_key => NULL)$$, '22004', 'foreign_key must not be null', 'foreign_key NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', index => NULL)$$, '22004', 'index must not be null', 'index NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', dry_run => NULL)$$, '22004', 'dry_run must not be null', 'dry_run NULL');
SELECT throws_ok($$SELECT tenancy.protect('notes', '')$$, '22023', 'tenant_column must not be empty', 'tenant_column empty');
SELECT throws_ok($$SELECT tenancy.protect('no_such_table')$$, '42P01', 'relation "no_such_table" does not exist', 'unknown table');
SELECT throws_ok($$SELECT tenancy.protect(4294967295::oid)$$, '42P01', 'relation with OID 4294967295 does not exist', 'unknown OID');
SELECT throws_ok($$SELECT tenancy.protect('')$$, '42602', NULL, 'empty name');
SELECT throws_ok($$SELECT tenancy.protect('notes', column_type => 'no_such_type')$$, '42704', 'type "no_such_type" does not exist', 'unknown type');

CREATE VIEW a_view AS SELECT * FROM notes;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM notes;
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (a integer);
CREATE INDEX an_index ON notes (id);
CREATE TEMP TABLE a_temp (id integer);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE a_foreign (id integer) SERVER nowhere;
INSERT INTO before SELECT oid, relrowsecurity, relnatts FROM pg_class c
WHERE oid NOT IN (SELECT relation FROM before) AND relnamespace = 'public'::regnamespace;
CREATE FUNCTION refused(what text, called text DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    RETURN NEXT throws_ok(format('SELECT tenancy.protect(%s)', what), 'TN009', coalesce(called, format('relation public.%s cannot be protected', trim('''' FROM what))), what || ' is refused');
    BEGIN
        EXECUTE format('SELECT tenancy.protect(%s)', what);
    EXCEPTION WHEN SQLSTATE 'TN009' THEN
        GET STACKED DIAGNOSTICS said = PG_EXCEPTION_HINT;
    END;
    RETURN NEXT ok(said <> '', what || ' is refused with a hint');
END
$$;
SELECT refused('''a_view''');
SELECT refused('''a_matview''');
SELECT refused('''a_sequence''');
SELECT refused('''a_type''');
SELECT refused('''an_index''');
SELECT refused('''a_foreign''');
SELECT refused('''a_temp''', 'relation a_temp cannot be protected');
SELECT refused('''pg_class''', 'relation pg_class cannot be protected');
SELECT refused('''information_schema.sql_features''', 'relation information_schema.sql_features cannot be protected');
SELECT refused('''tenancy.tenants''', 'relation tenancy.tenants cannot be protected');
SELECT refused('''notes'', ''kind''', 'relation public.notes cannot be protected');
SELECT refused('''notes'', ''made''', 'relation public.notes cannot be protected');
SELECT refused('''notes'', ''twice''', 'relation public.notes cannot be protected');
SELECT refused('''notes'', ''ctid''', 'relation public.notes cannot be protected');
SELECT refused('''notes'', column_type => ''varchar''', 'relation public.notes cannot be protected');

SELECT throws_ok('SELECT tenancy.unprotect(NULL)', '22004', 'relation must not be null', 'unprotect NULL');
SELECT throws_ok($$SELECT tenancy.unprotect('notes', dry_run => NULL)$$, '22004', 'dry_run must not be null', 'unprotect with dry_run NULL');
SELECT throws_ok($$SELECT tenancy.unprotect('notes', NULL)$$, '22004', 'keep_column must not be null', 'and with keep_column NULL');
SELECT throws_ok($$SELECT tenancy.unprotect('notes')$$, 'TN009', 'relation public.notes is not protected', 'unprotect what is not protected');
SELECT throws_ok($$SELECT tenancy.unprotect('a_view')$$, 'TN009', 'relation public.a_view is not protected', 'or cannot be');

SELECT results_eq('SELECT oid::regclass, relrowsecurity, relnatts FROM pg_class WHERE oid IN (SELECT relation FROM before) ORDER BY 1', 'SELECT relation, relrowsecurity, relnatts FROM before ORDER BY 1', 'nothing was changed');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'and nothing registered');

SELECT * FROM finish();
ROLLBACK;
