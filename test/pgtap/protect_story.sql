-- A table of an application is protected; then everybody acts on it: A, B, a viewer, the owner, nobody.
BEGIN;
SELECT plan(30);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner');

SELECT test_helpers.act_as('owner');
CREATE TABLE notes (id integer PRIMARY KEY, body text);
INSERT INTO notes VALUES (1, 'from before');
SELECT isnt_empty($$SELECT tenancy.protect('notes')$$, 'the owner protects the table');
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO %I', test_helpers.role_name('app')));
SELECT test_helpers.act_as_superuser();

SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is_empty('SELECT * FROM notes', 'A sees nothing of what was there before');
SELECT lives_ok($$INSERT INTO notes VALUES (10, 'of A')$$, 'A inserts without naming a tenant');
SELECT is((SELECT tenant_id FROM notes WHERE id = 10), test_helpers.a(), 'the row is A''s');
SELECT throws_ok(format($$INSERT INTO notes VALUES (11, 'x', %L)$$, test_helpers.b()), '42501',
                 'new row violates row-level security policy for table "notes"', 'A does not insert into B');
SELECT throws_ok($$INSERT INTO notes VALUES (12, 'x', NULL)$$, '42501',
                 'new row violates row-level security policy for table "notes"', 'A does not insert a row without a tenant');

SELECT test_helpers.act_as('app', test_helpers.b());
SELECT lives_ok($$INSERT INTO notes VALUES (20, 'of B')$$, 'B inserts');
SELECT results_eq('SELECT id FROM notes', 'VALUES (20)', 'B sees its own row');
SELECT is(test_helpers.run($$UPDATE notes SET body = 'taken' WHERE id = 10$$), 0::bigint, 'B does not update A''s row');
SELECT is(test_helpers.run('DELETE FROM notes WHERE id = 10'), 0::bigint, 'B does not delete A''s row');
SELECT is_empty('SELECT * FROM notes WHERE id = 10 FOR UPDATE', 'B does not lock A''s row');
SELECT throws_ok(format('UPDATE notes SET tenant_id = %L', test_helpers.a()), '42501',
                 'new row violates row-level security policy for table "notes"', 'B does not move its row to A');
SELECT is(test_helpers.run($$UPDATE notes SET body = 'changed'$$), 1::bigint, 'B updates its own row');

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.viewer_of_a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (10)', 'a viewer of A reads');
SELECT throws_ok($$INSERT INTO notes VALUES (13, 'x')$$, 'TN004', 'permission denied by role', 'and does not insert');
SELECT throws_ok($$UPDATE notes SET body = 'x'$$, 'TN004', 'permission denied by role', 'nor update');
SELECT throws_ok('DELETE FROM notes', 'TN004', 'permission denied by role', 'nor delete');
SELECT throws_ok('SELECT * FROM notes FOR UPDATE', 'TN004', 'permission denied by role', 'nor lock');

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT is(test_helpers.run($$UPDATE notes SET body = 'edited'$$), 1::bigint, 'an editor of A writes');

SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'without a tenant reading is an error');
SELECT throws_ok($$INSERT INTO notes VALUES (14, 'x')$$, 'TN001', 'no tenant is set', 'and so is writing');
SET tenancy.missing_tenant = 'empty';
SELECT is_empty('SELECT * FROM notes', 'or there are no rows');
SELECT throws_ok($$INSERT INTO notes VALUES (14, 'x')$$, '42501', NULL, 'and no inserts');
SELECT is(test_helpers.run('DELETE FROM notes'), 0::bigint, 'and nothing to delete');
RESET tenancy.missing_tenant;

-- The owner is held as well, and sees what its tenant sees.
SELECT test_helpers.act_as_superuser();
SELECT test_helpers.run(format('GRANT EXECUTE ON FUNCTION tenancy.current_tenant_id(), tenancy.writable_tenant_id() TO %I',
                               test_helpers.role_name('owner')));
SELECT test_helpers.act_as('owner', test_helpers.a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (10)', 'the table''s owner acts for a tenant too');
SELECT test_helpers.act_as('owner');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'and not without one');
SELECT throws_ok('SET row_security = off; SELECT * FROM notes', '42501',
                 'query would be affected by row-level security policy for table "notes"', 'nor around the policies');

SELECT test_helpers.act_as_superuser();
SELECT results_eq('SELECT id FROM notes ORDER BY id', 'VALUES (1), (10), (20)', 'no row was lost');
SELECT is((SELECT tenant_id FROM notes WHERE id = 1), '00000000-0000-0000-0000-000000000002',
          'what was there before is the default tenant''s');
SELECT is((SELECT body FROM notes WHERE id = 20), 'changed', 'and B''s row is as B left it');

SELECT * FROM finish();
ROLLBACK;
