-- Attack 38: two sessions protect, unprotect or migrate the same table. One waits or is refused, and nothing is half done.
-- (test/isolation/specs/protect_twice.spec has the orders of protect() and unprotect().)
SELECT plan(21);

CREATE EXTENSION dblink;
CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users, body text);
INSERT INTO users SELECT g, 'user' || g || '@x.example' FROM generate_series(1, 20) g;
INSERT INTO notes SELECT g, g % 20 + 1, 'note' FROM generate_series(1, 2000) g;
CREATE FUNCTION conninfo() RETURNS text LANGUAGE sql RETURN format('host=%s port=%s dbname=%s user=%s',
    current_setting('unix_socket_directories'), current_setting('port'), current_database(), session_user);
SELECT dblink_connect('one', conninfo()), dblink_connect('two', conninfo());
CREATE FUNCTION one(query text) RETURNS text LANGUAGE sql AS $$SELECT r FROM dblink('one', query) AS d (r text)$$;
CREATE FUNCTION two(query text) RETURNS text LANGUAGE sql AS $$SELECT r FROM dblink('two', query) AS d (r text)$$;
-- The lock is released when the other's transaction ends, so who is refused is not always the same.
CREATE FUNCTION two_ends() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM dblink_get_result('two') AS r (status text);
    PERFORM * FROM dblink_get_result('two') AS r (status text);
    RETURN 'it came to its end';
EXCEPTION WHEN lock_not_available THEN
    RETURN 'it was refused';
END $$;

-- Starting.
SELECT dblink_exec('one', 'BEGIN');
SELECT is(one('SELECT tenancy.start_migration(''personal'', users => ''users'', online => false)::text'), '1', 'one session starts a migration');
SELECT throws_ok($$SELECT two('SELECT tenancy.start_migration(''system'', online => false)::text')$$, '55P03',
                 'another session is migrating this database', 'another that starts one meanwhile is refused');
SELECT dblink_exec('one', 'COMMIT');
SELECT throws_ok($$SELECT two('SELECT tenancy.start_migration(''system'', online => false)::text')$$, '55000',
                 'migration 1 is under way', 'and afterwards too');

-- Running.
SELECT dblink_exec('one', 'BEGIN');
SELECT is(one('SELECT outcome FROM tenancy.advance_migration()'), 'done', 'one takes a step');
SELECT throws_ok($$SELECT two('SELECT outcome FROM tenancy.advance_migration()')$$, '55P03', 'another session is migrating this database',
                 'another that takes the same is refused');
SELECT throws_ok($$SELECT two('SELECT outcome FROM tenancy.advance_undo()')$$, '55P03', 'another session is migrating this database',
                 'so is one that undoes it');
SELECT dblink_exec('one', 'ROLLBACK');
SELECT is(one('SELECT tenancy.hold_migrations()::text'), 'true', 'a client holds the others off for its session');
SELECT is(two('SELECT tenancy.hold_migrations()::text'), 'false', 'a second one learns that');
SELECT throws_ok($$SELECT two('SELECT outcome FROM tenancy.advance_migration()')$$, '55P03', 'another session is migrating this database', 'and is refused');
SELECT one('SELECT pg_backend_pid()::text') AS died \gset
SELECT set_config('test.died', :'died', false), dblink_disconnect('one');
DO $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_locks WHERE pid = current_setting('test.died')::integer) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT dblink_connect('one', conninfo());
SELECT is(two('SELECT outcome FROM tenancy.advance_migration()'), 'done', 'a client that died holds nobody');

-- Against protect(): it waits for the step, and then finds a table that is not ready.
SELECT throws_ok($$SELECT tenancy.protect('users')$$, 'TN009', NULL, 'a half filled table is not protected by hand');
SELECT throws_ok($$SELECT tenancy.protect('notes')$$, 'TN009', 'relation public.notes cannot be protected', 'nor is one whose turn has not come');
SELECT throws_ok($$SELECT tenancy.share('notes')$$, 'TN009', 'relation public.notes cannot be protected', 'or shared');
SELECT throws_ok($$SELECT tenancy.protect_by_path('notes')$$, 'TN009', 'relation public.notes cannot be protected', 'or protected by a path');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'and not registered');

-- All at once: two run the whole of it, one of them again and again.
SELECT dblink_send_query('two', $$CALL tenancy.run_migration('enforced')$$);
DO $$
BEGIN
    FOR turn IN 1..50 LOOP
        BEGIN
            PERFORM outcome FROM tenancy.advance_migration('enforced');
        EXCEPTION WHEN lock_not_available THEN NULL;
        END;
        BEGIN
            PERFORM tenancy.protect('notes');
        EXCEPTION WHEN SQLSTATE 'TN009' OR lock_not_available OR deadlock_detected OR unique_violation THEN NULL;
        END;
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SELECT ok(two_ends() IN ('it came to its end', 'it was refused'), 'the other one came through, or was refused');
CALL tenancy.run_migration('enforced');
SELECT is((SELECT state FROM tenancy.migration_status()), 'enforced', 'it is enforced');
SELECT set_eq('SELECT relation FROM tenancy.protected_tables', $$VALUES ('users'::regclass), ('notes')$$, 'both tables are protected, once');
SELECT is_empty($$SELECT p.relation, f.* FROM tenancy.protected_tables p, tenancy.protection_faults(p.relation) f$$, 'and lack nothing');
SELECT is_empty('SELECT n.id FROM notes n JOIN users u ON u.id = n.user_id WHERE n.tenant_id IS DISTINCT FROM u.tenant_id', 'every row is where it belongs');
CALL tenancy.undo_migration();
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'and undone');

SELECT * FROM finish();
