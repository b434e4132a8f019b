-- Attack 45: stop everybody by LOCK TABLE. The privileges of the application's role are the same for all who come through it; who may
-- not write in the current tenant takes no lock that a SELECT does not take.
BEGIN;
SELECT plan(38);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT make_role() AS app \gset
SELECT make_role('reader') AS reader \gset

SELECT act_as('owner');
CREATE TABLE notes (id integer PRIMARY KEY, body text);
CREATE TABLE lines (id integer PRIMARY KEY, note integer NOT NULL REFERENCES notes);
CREATE TABLE prices (id integer PRIMARY KEY);
CREATE TABLE old_notes () INHERITS (notes);
SELECT FROM tenancy.protect('notes');
SELECT FROM tenancy.protect_by_path('lines');
CREATE VIEW as_owner AS SELECT * FROM notes;
CREATE VIEW nested WITH (security_invoker = true) AS SELECT id FROM prices WHERE id IN (SELECT id FROM as_owner);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes, lines, prices, as_owner, nested TO :"app";
GRANT SELECT ON notes TO :"reader";
SELECT act_as_superuser();
INSERT INTO notes (tenant_id, id, body) VALUES (a(), 1, 'of a'), (b(), 2, 'of b');

CREATE VIEW locks AS
SELECT l.relation::regclass AS name, l.mode FROM pg_locks l
WHERE l.pid = pg_backend_pid() AND l.relation IN ('notes'::regclass, 'old_notes'::regclass, 'lines'::regclass) AND l.mode <> 'AccessShareLock';
CREATE TEMPORARY TABLE locks_before AS TABLE locks;

-- A viewer of A.
SELECT act_as('app', a(), viewer_of_a());
SELECT throws_ok(format('LOCK TABLE %s IN %s MODE', relation, mode), 'TN004', 'permission denied by role', format('a viewer does not lock %s in %s', relation, mode))
FROM unnest(ARRAY['notes', 'ONLY notes', 'prices, notes', 'lines', 'as_owner', 'nested']) AS r (relation),
     unnest(ARRAY['ROW EXCLUSIVE', 'SHARE', 'ACCESS EXCLUSIVE']) AS m (mode);
SELECT throws_ok('LOCK notes', 'TN004', NULL, 'nor in the mode that goes without saying');
SELECT throws_ok('LOCK notes IN EXCLUSIVE MODE NOWAIT', 'TN004', NULL, 'nor without waiting');
SELECT throws_ok('DO $$ BEGIN LOCK TABLE notes IN SHARE MODE; END $$', 'TN004', NULL, 'nor in a block');
SELECT throws_ok(format('SELECT FROM notes FOR %s', strength), 'TN004', NULL, 'nor rows, FOR ' || strength)
FROM unnest(ARRAY['UPDATE', 'NO KEY UPDATE', 'SHARE', 'KEY SHARE']) AS s (strength);
SELECT lives_ok('LOCK TABLE notes, as_owner IN ACCESS SHARE MODE', 'it takes what a SELECT takes');
SELECT lives_ok('LOCK TABLE prices IN EXCLUSIVE MODE', 'and locks tables that no tenant owns, as its privileges say');
SELECT results_eq('SELECT body FROM notes', ARRAY['of a'], 'and reads');

-- Nobody.
SELECT act_as('app');
SELECT throws_ok('LOCK TABLE notes', 'TN001', 'no tenant is set', 'without a tenant nothing is locked');
SET LOCAL tenancy.missing_tenant = 'empty';
SELECT throws_ok('LOCK TABLE notes IN SHARE MODE', 'TN001', NULL, 'nor where a missing tenant shows nothing');
SET LOCAL tenancy.missing_tenant = 'error';
SELECT act_as('reader');
SELECT throws_ok('LOCK TABLE notes IN SHARE MODE', '42501', 'permission denied for table notes', 'privileges come first');
SELECT act_as_superuser();
SELECT is_empty('TABLE locks EXCEPT TABLE locks_before', 'nothing that was refused was locked');

-- Who may write, who owns, who bypasses.
SELECT act_as('app', a(), editor_of_a());
SELECT lives_ok('LOCK TABLE notes IN SHARE ROW EXCLUSIVE MODE', 'an editor locks');
SELECT lives_ok('LOCK TABLE nested', 'also through views');
SELECT is(run('SELECT FROM notes FOR UPDATE'), 1::bigint, 'and rows of its own');
SELECT act_as('app', b());
SELECT lives_ok('LOCK TABLE notes', 'and so does the application itself');
SELECT act_as('owner');
SELECT lives_ok('LOCK TABLE notes, lines', 'an owner needs no tenant');
SELECT act_as_superuser();
SELECT lives_ok('LOCK TABLE notes', 'nor does a superuser');

SELECT * FROM finish();
ROLLBACK;
