-- What protect() and the guard say, word for word: messages, details, hints and warnings.
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE TABLE notes (id integer, body text);
SELECT count(*) FROM tenancy.protect('notes');

-- A copy of a protected table is named at once.
CREATE TABLE notes_like (LIKE notes INCLUDING ALL);
CREATE TABLE notes_as AS SELECT * FROM notes;
SELECT * INTO notes_into FROM notes;
CREATE TABLE notes_without AS SELECT id FROM notes;
CREATE TEMP TABLE notes_temp AS SELECT * FROM notes;
CREATE TEMP TABLE notes_temp_like (LIKE notes);
CREATE TABLE notes_later (id integer, tenant_id uuid);
CREATE TABLE accounts (id integer, account bigint);
SELECT count(*) FROM tenancy.protect('accounts', 'account');
CREATE TABLE accounts_like (LIKE accounts);

-- What would weaken a protection.
ALTER TABLE notes DISABLE ROW LEVEL SECURITY;
ALTER TABLE notes NO FORCE ROW LEVEL SECURITY;
DROP POLICY tenancy_isolation ON notes;
ALTER POLICY tenancy_isolation ON notes USING (true);
ALTER TABLE notes RENAME COLUMN tenant_id TO other;
ALTER TABLE notes ALTER COLUMN tenant_id DROP NOT NULL;
ALTER TABLE notes ALTER COLUMN tenant_id DROP DEFAULT;

-- What cannot be protected.
CREATE VIEW a_view AS SELECT 1 AS one;
SELECT tenancy.protect('a_view');
CREATE TEMP TABLE a_temp (id integer);
SELECT tenancy.protect('a_temp');
SELECT tenancy.protect('pg_class');
SELECT tenancy.protect('tenancy.tenants');
SELECT tenancy.protect('notes_later', 'account', 'numeric');
SELECT tenancy.protect('notes', 'id');
SELECT tenancy.protect('notes', own_policies => true);
INSERT INTO notes_later VALUES (1, NULL), (2, 'dddddddd-dddd-4ddd-8ddd-dddddddddddd');
SELECT tenancy.protect('notes_later');
SELECT tenancy.protect('notes_later', dry_run => true, backfill => '''00000000-0000-0000-0000-000000000002''');
SELECT tenancy.unprotect('notes_later');
SELECT tenancy.protect(NULL);

-- The extension does not go while tables are protected.
\set VERBOSITY terse
DROP EXTENSION tenancy;
DROP TABLE notes, notes_like, notes_as, notes_into, notes_without, notes_later, accounts, accounts_like;
DROP VIEW a_view;
