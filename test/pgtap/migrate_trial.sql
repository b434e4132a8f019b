-- Trial and rollout: policies that only count, and policies that hold some roles before others.
SELECT plan(35);

CREATE TABLE users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer NOT NULL REFERENCES users, body text);
INSERT INTO users (email) VALUES ('ann@x.example'), ('bob@x.example');
INSERT INTO notes (user_id, body) SELECT g % 2 + 1, 'note ' || g FROM generate_series(1, 10) g;
CREATE TABLE policed (id integer PRIMARY KEY, user_id integer REFERENCES users, is_secret boolean);
INSERT INTO policed VALUES (1, 1, false), (2, 1, true), (3, 2, false);
ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_secrets ON policed USING (NOT is_secret);
SELECT test_helpers.make_role('old', NULL);
SELECT test_helpers.make_role('app');
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, notes, policed TO %I, %I', test_helpers.role_name('old'), test_helpers.role_name('app')));
SELECT tenancy.start_migration('personal', online => false);
CALL tenancy.run_migration('trial');
CREATE TEMP TABLE tenant AS SELECT name, id FROM tenancy.tenants;
GRANT SELECT ON tenant TO PUBLIC;

CREATE FUNCTION counted(relation regclass) RETURNS bigint[]
LANGUAGE sql RETURN (SELECT ARRAY[c.passed, c.without_tenant, c.other_tenant, c.written_without_tenant, c.written_to_other, c.not_permitted]
                     FROM tenancy.trial_counts() c WHERE c.relation = counted.relation);

SELECT is((SELECT state FROM tenancy.migration_status()), 'trial', 'on trial');
SELECT is(counted('notes'), '{0,0,0,0,0,0}', 'nothing is counted yet');
SELECT is((SELECT last_hidden FROM tenancy.trial_counts() WHERE relation = 'notes'::regclass), NULL, 'nothing was hidden');

-- An application that knows nothing: all goes on, and is counted.
SELECT test_helpers.act_as('old');
SELECT is((SELECT count(*) FROM notes), 10::bigint, 'it reads all');
BEGIN READ ONLY;
SELECT is((SELECT count(*) FROM notes WHERE user_id = 1), 5::bigint, 'in a read-only transaction too');
COMMIT;
SELECT lives_ok($$INSERT INTO notes (user_id, body) VALUES (1, 'new')$$, 'it writes');
SELECT is((SELECT count(*) FROM policed), 2::bigint, 'its own policies hold as before');
SELECT test_helpers.act_as_superuser();
SELECT is(counted('notes'), '{0,15,0,1,0,0}', 'what it read and wrote without a tenant is counted');
SELECT is(counted('policed'), '{0,2,0,0,0,0}', 'of what its policies let through');
SELECT isnt((SELECT last_hidden FROM tenancy.trial_counts() WHERE relation = 'notes'::regclass), NULL, 'and when');

-- One that has a context.
SELECT tenancy.clear_trial('notes');
BEGIN;
SELECT test_helpers.act_as('app', (SELECT id FROM tenant WHERE name = 'ann@x.example'));
SELECT is((SELECT count(*) FROM notes), 11::bigint, 'it sees all, too');
SELECT lives_ok($$INSERT INTO notes (user_id, body) VALUES (1, 'of the context')$$, 'writes into its tenant');
SELECT lives_ok($$UPDATE notes SET body = 'changed' WHERE id = 1$$, 'and changes what is another''s');
SELECT test_helpers.act_as_superuser();
COMMIT;
SELECT is((SELECT (counted('notes'))[2]), 0::bigint, 'nothing is counted as without a tenant');
SELECT cmp_ok((SELECT (counted('notes'))[3]), '>=', 5::bigint, 'rows of others that it read are');
SELECT cmp_ok((SELECT (counted('notes'))[5]), '>=', 1::bigint, 'and that it wrote');
SELECT cmp_ok((SELECT (counted('notes'))[1]), '>=', 7::bigint, 'its own pass');

-- A viewer.
SELECT tenancy.clear_trial('notes');
INSERT INTO tenancy.users (id, email) VALUES (test_helpers.viewer_of_a(), 'viewer@x.example');
INSERT INTO tenancy.memberships SELECT id, test_helpers.viewer_of_a(), 'viewer' FROM tenant WHERE name = 'ann@x.example';
BEGIN;
SELECT test_helpers.act_as('app', (SELECT id FROM tenant WHERE name = 'ann@x.example'), test_helpers.viewer_of_a());
SELECT lives_ok($$INSERT INTO notes (user_id, body) VALUES (1, 'of a viewer')$$, 'a viewer writes');
SELECT test_helpers.act_as_superuser();
COMMIT;
SELECT is((SELECT (counted('notes'))[6]), 1::bigint, 'which is counted as not permitted');

-- The owner is no exception, and what refers to rows is checked as before.
SELECT throws_ok($$INSERT INTO notes (user_id) VALUES (99)$$, '23503', NULL, 'foreign keys hold');

-- Rollout.
SELECT throws_ok('SELECT tenancy.hold_roles(NULL)', '22004', 'roles must not be null', 'no roles');
SELECT throws_ok($$SELECT tenancy.hold_roles('{no_such_role}')$$, '42704', 'role "no_such_role" does not exist', 'unknown role');
SELECT throws_like(format('SELECT tenancy.hold_roles(%L)', ARRAY[current_user]), 'role % bypasses row level security', 'a role that nothing holds');
SELECT tenancy.hold_roles(ARRAY[test_helpers.role_name('app')::regrole]);
CALL tenancy.run_migration('rollout');
SELECT is((SELECT state FROM tenancy.migration_status()), 'rollout', 'in rollout');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'it needs a tenant');
BEGIN;
SELECT test_helpers.act_as('app', (SELECT id FROM tenant WHERE name = 'bob@x.example'));
SELECT is((SELECT count(*) FROM notes), 5::bigint, 'and sees that one''s rows only');
SELECT lives_ok($$INSERT INTO notes (user_id, body) VALUES (2, 'of Bob')$$, 'and writes into it');
SELECT is(test_helpers.run('UPDATE notes SET body = ''taken'' WHERE user_id = 1'), 0::bigint, 'and not into others');
COMMIT;
BEGIN;
SELECT test_helpers.act_as('app', (SELECT id FROM tenant WHERE name = 'ann@x.example'), test_helpers.viewer_of_a());
SELECT throws_ok($$INSERT INTO notes (user_id, body) VALUES (1, 'x')$$, 'TN004', NULL, 'a viewer does not write');
SELECT test_helpers.act_as_superuser();
COMMIT;
SELECT test_helpers.act_as('old');
SELECT is((SELECT count(*) FROM notes), 14::bigint, 'the old version goes on');
SELECT test_helpers.act_as_superuser();
SELECT tenancy.hold_roles('{}');
CALL tenancy.run_migration('rollout');
SELECT test_helpers.act_as('app');
SELECT is((SELECT count(*) FROM notes), 14::bigint, 'and the new one again, when it is held no more');
SELECT test_helpers.act_as_superuser();

CALL tenancy.run_migration('enforced');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT * FROM notes', 'TN001', 'no tenant is set', 'all need a tenant');
SELECT test_helpers.act_as_superuser();
SELECT is(has_function_privilege('public', 'tenancy.trial_passes(regclass, anyelement, boolean)', 'EXECUTE'), false, 'what counted is nobody''s again');
CALL tenancy.undo_migration();
SELECT is_empty($$SELECT polname FROM pg_policy WHERE polrelid IN ('notes'::regclass, 'users'::regclass)$$, 'no policy is left');
SELECT results_eq($$SELECT polname FROM pg_policy WHERE polrelid = 'policed'::regclass$$, $$VALUES ('no_secrets'::name)$$, 'but the application''s own');

SELECT * FROM finish();
