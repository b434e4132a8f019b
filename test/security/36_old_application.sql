-- Attack 36: an application that knows nothing of tenants writes while its tables are migrated; the migration is killed at each
-- step and goes on; it is undone after each. No row is lost, none is left without a tenant, nothing of the schema is left over.
-- (test/adopt compares the bytes of pg_dump and kills processes; here each step's transaction is rolled back once.)
SELECT plan(15);

CREATE EXTENSION dblink;
CREATE TABLE users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer REFERENCES users ON DELETE CASCADE,
                    title text, changed_at timestamptz, UNIQUE (user_id, title));
CREATE TABLE lines (note_id bigint NOT NULL REFERENCES notes ON DELETE CASCADE, n integer NOT NULL, after integer, PRIMARY KEY (note_id, n),
                    FOREIGN KEY (note_id, after) REFERENCES lines);
CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY, user_id integer REFERENCES users, at date NOT NULL, PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE visits_2 PARTITION OF visits DEFAULT;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.changed_at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
COMMENT ON CONSTRAINT notes_user_id_title_key ON notes IS 'a comment';
INSERT INTO users (email) SELECT 'user' || g || '@x.example' FROM generate_series(1, 30) g;
INSERT INTO notes (user_id, title) SELECT nullif(g % 31, 0), 'note ' || g FROM generate_series(1, 500) g;
INSERT INTO lines SELECT id, g, nullif(g - 1, 0) FROM notes, generate_series(1, 2) g;
INSERT INTO visits (user_id, at) SELECT g % 30 + 1, date '2026-01-01' + g FROM generate_series(1, 300) g;

-- The old application: as many rows as it says, in a session of its own.
SELECT test_helpers.make_role('old', NULL);
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, notes, lines, visits TO %I', test_helpers.role_name('old')));
CREATE TABLE written (n integer);
GRANT INSERT ON written TO PUBLIC;
CREATE PROCEDURE write_for(turns integer)
LANGUAGE plpgsql AS $$
DECLARE
    someone integer;
    note bigint;
BEGIN
    FOR turn IN 1..turns LOOP
        INSERT INTO users (email) VALUES ('new' || gen_random_uuid() || '@x.example') RETURNING id INTO someone;
        INSERT INTO notes (user_id, title) VALUES (someone, 'first') RETURNING id INTO note;
        INSERT INTO lines VALUES (note, 1, NULL), (note, 2, 1);
        INSERT INTO notes (user_id, title) SELECT id, 'more ' || gen_random_uuid() FROM users ORDER BY id % 7 LIMIT 1;
        INSERT INTO visits (user_id, at) VALUES (someone, '2026-06-30'), (NULL, '2026-12-24');
        UPDATE notes SET title = title || '.' WHERE id = 1 + turn % 400;
        INSERT INTO notes (user_id, title) VALUES (NULL, 'nobody''s');
        INSERT INTO written VALUES (turn);
        COMMIT;
    END LOOP;
END $$;
CREATE FUNCTION begin_writing(turns integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dblink_connect('writer', format('host=%s port=%s dbname=%s user=%s', current_setting('unix_socket_directories'),
        current_setting('port'), current_database(), test_helpers.role_name('old')));
    PERFORM dblink_send_query('writer', format('CALL write_for(%s)', turns));
END $$;
CREATE FUNCTION end_writing() RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM dblink_get_result('writer') AS r (status text);
    RETURN dblink_error_message('writer') || dblink_disconnect('writer');
END $$;

-- All that pg_dump would say of the tables.
CREATE FUNCTION schema_now() RETURNS SETOF text
LANGUAGE sql AS $$
    WITH t AS (SELECT oid, relname, relrowsecurity, relforcerowsecurity, relacl FROM pg_class
               WHERE relname IN ('users', 'notes', 'lines', 'visits', 'visits_1', 'visits_2'))
    SELECT format('table %s %s %s %s', relname, relrowsecurity, relforcerowsecurity, relacl) FROM t
    UNION ALL
    SELECT format('column %s.%s %s %s %s %s', relname, attname, atttypid::regtype, attnotnull, attidentity, pg_get_expr(adbin, adrelid))
    FROM t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped LEFT JOIN pg_attrdef ON adrelid = t.oid AND adnum = attnum
    UNION ALL
    SELECT format('constraint %s.%s %s %s', relname, conname, pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'))
    FROM t JOIN pg_constraint c ON conrelid = t.oid
    UNION ALL
    SELECT format('index %s %s', pg_get_indexdef(indexrelid), indisvalid) FROM t JOIN pg_index ON indrelid = t.oid
    UNION ALL
    SELECT format('trigger %s', pg_get_triggerdef(g.oid)) FROM t JOIN pg_trigger g ON tgrelid = t.oid AND NOT tgisinternal
    UNION ALL
    SELECT format('policy %s.%s', relname, polname) FROM t JOIN pg_policy ON polrelid = t.oid
    UNION ALL
    SELECT format('function %s %s', p.oid::regprocedure, proacl) FROM pg_proc p WHERE pronamespace = 'tenancy'::regnamespace
    ORDER BY 1
$$;
CREATE TABLE schema_before AS SELECT schema_now() AS line;
CREATE FUNCTION changes() RETURNS SETOF text LANGUAGE sql AS $$
    (SELECT '+ ' || s FROM schema_now() s EXCEPT SELECT '+ ' || line FROM schema_before)
    UNION ALL
    (SELECT '- ' || line FROM schema_before EXCEPT SELECT '- ' || s FROM schema_now() s)
$$;

-- Every step is killed once before it is done: its transaction ends, and what it did is gone.
CREATE PROCEDURE die_and_go_on(goal text, most integer)
LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    FOR step IN 1..most LOOP
        PERFORM outcome FROM tenancy.advance_migration(goal);
        ROLLBACK;
        SELECT outcome INTO said FROM tenancy.advance_migration(goal);
        COMMIT;
        IF said = 'failed' THEN
            RAISE EXCEPTION '%', (SELECT statement || ': ' || error FROM tenancy.migration_steps WHERE state = 'failed');
        END IF;
        EXIT WHEN said = 'reached';
        IF said = 'locked' THEN PERFORM pg_sleep(0.05); END IF;
    END LOOP;
END $$;

SELECT tenancy.start_migration('personal', users => 'users', online => false, tables => '{"written": "leave", "schema_before": "leave"}');
SELECT tenancy.tune_migration(pause_factor => 0);
SELECT begin_writing(150);
CALL die_and_go_on('trial', 100000);
SELECT is(end_writing(), 'OKOK', 'the old application wrote while the tables were migrated');
SELECT is((SELECT count(*) FROM written), 150::bigint, 'all that it had to');
SELECT is((SELECT state FROM tenancy.migration_status()), 'trial', 'the migration came to its goal');
SELECT is((SELECT count(*) FROM users WHERE tenant_id IS NULL) + (SELECT count(*) FROM notes WHERE tenant_id IS NULL)
          + (SELECT count(*) FROM lines WHERE tenant_id IS NULL) + (SELECT count(*) FROM visits WHERE tenant_id IS NULL),
          0::bigint, 'no row is without a tenant');
SELECT is((SELECT count(*) FROM users), 180::bigint, 'no user is lost');
SELECT is((SELECT count(DISTINCT tenant_id) FROM users), 180::bigint, 'each has a tenant of their own');
SELECT is((SELECT count(*) FROM notes), 950::bigint, 'no note is lost');
SELECT is_empty($$SELECT n.id FROM notes n LEFT JOIN users u ON u.id = n.user_id
                  WHERE n.tenant_id <> coalesce(u.tenant_id, '00000000-0000-0000-0000-000000000002')$$, 'notes are their owners''');
SELECT is_empty('SELECT l.* FROM lines l JOIN notes n ON n.id = l.note_id WHERE l.tenant_id <> n.tenant_id', 'lines go with their notes');
SELECT is_empty($$SELECT v.id FROM visits v LEFT JOIN users u ON u.id = v.user_id
                  WHERE v.tenant_id <> coalesce(u.tenant_id, '00000000-0000-0000-0000-000000000002')$$, 'visits with their users');

-- Undone while it goes on writing.
SELECT begin_writing(50);
CALL tenancy.undo_migration();
SELECT is(end_writing(), 'OKOK', 'it wrote while all was undone');
SELECT is_empty('SELECT * FROM changes()', 'the schema is as it was');
SELECT results_eq('SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM notes), (SELECT count(*) FROM tenancy.tenants)',
                  'VALUES (230::bigint, 1100::bigint, 1::bigint)', 'all rows are there, and no tenants');

-- Undone after every step, up to enforcement and back.
CREATE TABLE left_over (after_steps integer, line text);
CREATE PROCEDURE undo_after_each()
LANGUAGE plpgsql AS $$
DECLARE
    done integer := 0;
    said text := '';
BEGIN
    WHILE said <> 'reached' LOOP
        done := done + 3;
        PERFORM tenancy.start_migration('personal', users => 'users', online => false,
                                        tables => '{"written": "leave", "schema_before": "leave", "left_over": "leave"}');
        COMMIT;
        FOR step IN 1..done LOOP
            SELECT outcome INTO said FROM tenancy.advance_migration('enforced');
            COMMIT;
            IF said = 'failed' THEN
                RAISE EXCEPTION '%', (SELECT statement || ': ' || error FROM tenancy.migration_steps WHERE state = 'failed');
            END IF;
            EXIT WHEN said = 'reached';
        END LOOP;
        LOOP
            EXIT WHEN (SELECT outcome FROM tenancy.advance_undo()) = 'reached';
            COMMIT;
        END LOOP;
        INSERT INTO left_over SELECT done, c FROM changes() c;
        COMMIT;
    END LOOP;
END $$;
CALL undo_after_each();
SELECT is_empty('SELECT * FROM left_over', 'undone after any step nothing is left over');
SELECT results_eq('SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM notes), (SELECT count(*) FROM tenancy.tenants)',
                  'VALUES (230::bigint, 1100::bigint, 1::bigint)', 'and no row is lost');

SELECT * FROM finish();
