-- check() about what the sessions of one role share when they serve several tenants.
BEGIN;
SELECT plan(20);

SELECT test_helpers.make_role('app');
SELECT test_helpers.make_role('nologin');
SELECT test_helpers.run(format('ALTER ROLE %I NOLOGIN', test_helpers.role_name('nologin')), format('ALTER ROLE %I RESET ALL', test_helpers.role_name('nologin')));
SELECT test_helpers.make_owner('owner');
CREATE VIEW findings AS SELECT code, severity, object FROM tenancy.check();
CREATE FUNCTION app() RETURNS text LANGUAGE sql RETURN test_helpers.role_name('app');
CREATE FUNCTION repair() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT fix FROM tenancy.check() WHERE fix !~ '^ALTER SYSTEM' LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
SELECT test_helpers.run(format('ALTER ROLE %I RESET track_activities', app()));
GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint), pg_cancel_backend(integer) TO PUBLIC;
SELECT is_empty('TABLE findings', 'with one tenant nobody shares');
SELECT test_helpers.make_tenants();
SELECT set_eq('TABLE findings', format($$VALUES ('activity_shared', 'info', 'role %s'), ('signals_shared', 'info', 'function pg_cancel_backend(integer)'),
                                                ('signals_shared', 'info', 'function pg_terminate_backend(integer,bigint)')$$, app()), 'with three they do, those who can log in');
SELECT test_helpers.act_as('owner');
SELECT set_eq('SELECT code FROM tenancy.check()', $$VALUES ('activity_shared'), ('signals_shared')$$, 'an owner is told too');
SELECT test_helpers.act_as('app');
SELECT ok(has_function_privilege('pg_terminate_backend(integer, bigint)', 'EXECUTE'), 'the role may end sessions, its own');
SELECT test_helpers.act_as_superuser();
SELECT repair();
SELECT is_empty('TABLE findings', 'all of it is repaired');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT pg_terminate_backend(pg_backend_pid())', '42501', 'permission denied for function pg_terminate_backend', 'then it may not');
SELECT throws_ok('SELECT pg_cancel_backend(pg_backend_pid())', '42501', 'permission denied for function pg_cancel_backend', 'nor cancel');
SELECT throws_ok('SET track_activities = on', '42501', 'permission denied to set parameter "track_activities"', 'nor show what it runs again');
SELECT test_helpers.act_as_superuser();

-- Where the setting comes from: the role in the database, the role, the database, the server.
SELECT test_helpers.run(format('ALTER ROLE %I RESET track_activities', app()), format('ALTER DATABASE %I SET track_activities = off', current_database()));
SELECT is_empty('TABLE findings', 'stored for the database');
SELECT test_helpers.run(format('ALTER ROLE %I SET track_activities = on', app()));
SELECT results_eq('SELECT code FROM findings', $$VALUES ('activity_shared')$$, 'what is stored for the role comes before');
SELECT test_helpers.run(format('ALTER ROLE %I IN DATABASE %I SET track_activities = off', app(), current_database()));
SELECT is_empty('TABLE findings', 'and for the role in the database before that');

-- Predefined roles that reach beyond.
SELECT test_helpers.run(format('GRANT pg_monitor, pg_signal_backend TO %I', app()));
SELECT set_eq('TABLE findings', format($$VALUES ('app_role_sees', 'warning', 'role %s')$$, app()), 'who sees and ends the sessions of others');
SELECT repair();
SELECT is_empty('TABLE findings', 'and is repaired');
SELECT test_helpers.run(format('GRANT pg_write_all_data TO %I', app()));
SELECT results_eq('TABLE findings', format($$VALUES ('app_role_bypasses', 'error', 'role %s')$$, app()), 'who writes our own tables');
SELECT repair();
SELECT is_empty('TABLE findings', 'and is repaired');
SET lo_compat_privileges = on;
SELECT results_eq('TABLE findings', $$VALUES ('large_objects_open', 'warning', 'parameter lo_compat_privileges')$$, 'large objects that are everybody''s');
RESET lo_compat_privileges;
SELECT is_empty('TABLE findings', 'and are no more');

-- Statements that are kept.
CREATE EXTENSION pg_stat_statements;
SELECT results_eq('TABLE findings', $$VALUES ('statements_shared', 'info', 'view public.pg_stat_statements')$$, 'everybody reads what the own role ran');
SELECT repair();
SELECT is_empty('TABLE findings', 'and is repaired');

-- The subscription is enabled by hand, as it cannot connect.
CREATE TABLE notes (id integer);
SELECT FROM tenancy.protect('notes');
CREATE SUBSCRIPTION fed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);
UPDATE pg_subscription SET subenabled = true WHERE subname = 'fed';
SELECT results_eq('TABLE findings', $$VALUES ('subscription_writes', 'info', 'subscription fed')$$, 'a subscription writes past the policies');

SELECT * FROM finish();
ROLLBACK;
