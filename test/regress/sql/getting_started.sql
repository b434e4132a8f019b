-- What a new user sees: the first steps with their exact output, and how each refusal reads.
\set VERBOSITY default
CREATE ROLE regress_app LOGIN;
SELECT tenancy.grant_app('regress_app');
INSERT INTO tenancy.tenants (id, organization_id, slug, name, external_key)
VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', '00000000-0000-0000-0000-000000000001', 'acme', 'Acme', '1001'),
       ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', '00000000-0000-0000-0000-000000000001', 'globex', 'Globex', '1002');
CREATE TABLE notes (id int PRIMARY KEY, body text);
INSERT INTO notes VALUES (0, 'from before');
SELECT * FROM tenancy.protect('notes', dry_run => true);
SELECT * FROM tenancy.protect('notes');
SELECT * FROM tenancy.protect('notes');
\d notes
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO regress_app;
SELECT code, severity, object, problem, fix FROM tenancy.check() WHERE severity <> 'info' AND code <> 'server_outdated';

SET SESSION AUTHORIZATION regress_app;
SELECT * FROM notes;
SELECT tenancy.set_tenant('acme');
BEGIN;
SELECT tenancy.set_tenant('acme');
INSERT INTO notes VALUES (1, 'of acme');
SELECT * FROM notes;
EXPLAIN (COSTS off) SELECT * FROM notes WHERE body = 'x';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT * FROM notes;
COMMIT;
BEGIN;
SELECT tenancy.set_tenant('globex');
SELECT * FROM notes;
SELECT tenancy.set_tenant('acme');
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant('nobody');
ROLLBACK;
BEGIN;
SELECT tenancy.set_tenant('globex');
INSERT INTO notes VALUES (2, 'for acme', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa');
ROLLBACK;
SET tenancy.tenant_id = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
SET tenancy.missing_tenant = 'empty';
SELECT * FROM notes;
RESET SESSION AUTHORIZATION;

-- A viewer.
INSERT INTO tenancy.users (id, email) VALUES ('a0000000-0000-4000-8000-000000000003', 'viewer@acme.example');
INSERT INTO tenancy.memberships (tenant_id, user_id, role)
VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'a0000000-0000-4000-8000-000000000003', 'viewer');
SET SESSION AUTHORIZATION regress_app;
BEGIN;
SELECT tenancy.enter('acme', 'a0000000-0000-4000-8000-000000000003');
SELECT * FROM notes;
UPDATE notes SET body = 'z';
ROLLBACK;
RESET SESSION AUTHORIZATION;

SELECT * FROM tenancy.unprotect('notes');
\d notes
DROP TABLE notes;
SELECT tenancy.revoke_app('regress_app');
DROP ROLE regress_app;
