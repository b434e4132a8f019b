-- Attack 50: reach another tenant by what PostgreSQL lets a role do beside reading and writing tables: estimators of operators, functions
-- that change the role, cursors and plans made by somebody else, defaults and identity, COPY, foreign servers, languages, files, and what
-- the sessions of one role share. What stays shared is asserted too, so that docs/security.md says what is so.
SELECT plan(69);
SET search_path = public, test_helpers;

CREATE EXTENSION dblink;
CREATE EXTENSION postgres_fdw;
SELECT make_tenants();
SELECT make_role() AS app \gset
SELECT make_role('held', NULL) AS held \gset
SELECT make_role('boss', NULL) AS boss \gset
ALTER ROLE :"boss" BYPASSRLS;
SELECT tenancy.grant_app(:'held');
GRANT :"held" TO :"app";
CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes (tenant_id, body) SELECT b(), 'secret of b' FROM generate_series(1, 300);
INSERT INTO notes (tenant_id, body) SELECT a(), 'of a' FROM generate_series(1, 3);
CREATE TABLE open_notes AS SELECT id, body FROM notes;
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO :"app", :"held", :"boss";
GRANT SELECT ON open_notes TO :"app";
ANALYZE notes, open_notes;
SET tenancy.refuse_explain = off;

-- Estimators: PostgreSQL calls an operator's function with the values that ANALYZE kept, while it plans.
BEGIN;
GRANT CREATE ON SCHEMA public TO :"app";
SELECT act_as('app', a());
CREATE TEMPORARY TABLE heard (what text);
CREATE FUNCTION hear(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pg_temp.heard VALUES ($1), ($2);
    RETURN true;
END $$;
CREATE FUNCTION told() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM pg_temp.heard WHERE what = ''secret of b''';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = hear, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR =<= (LEFTARG = text, RIGHTARG = text, FUNCTION = hear, RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR =~= (LEFTARG = text, RIGHTARG = text, FUNCTION = hear, RESTRICT = matchingsel, JOIN = matchingjoinsel);
SELECT lives_ok(format('EXPLAIN SELECT FROM notes n WHERE body %s ''x''', o), format('planning with %s', o)) FROM unnest(ARRAY['===', '=<=', '=~=']) o;
SELECT lives_ok(format('EXPLAIN SELECT FROM notes n JOIN notes m ON n.body %s m.body', o), format('planning a join with %s', o)) FROM unnest(ARRAY['===', '=<=', '=~=']) o;
SELECT is(told(), 0::bigint, 'the planner calls an operator of A with no value of B');
SELECT is(run('SELECT FROM notes WHERE body === ''x'''), 3::bigint, 'the operator works, on the rows of A');
SELECT is(told(), 0::bigint, 'and hears of these only');
SELECT lives_ok('EXPLAIN SELECT FROM open_notes WHERE body === ''x''', 'a table without policies');
SELECT cmp_ok(told(), '>', 0::bigint, 'has its values told, so the attack is one');
SELECT throws_ok('ALTER FUNCTION hear(text, text) LEAKPROOF', '42501', 'only superuser can define a leakproof function', 'A does not declare its function leakproof');
SELECT throws_ok('ALTER FUNCTION hear(text, text) SUPPORT textlike_support', '42501', 'must be superuser to specify a support function', 'nor gives it a support function');
SELECT act_as_superuser();
ALTER FUNCTION hear(text, text) LEAKPROOF;
SELECT is((SELECT count(*) FROM tenancy.check() WHERE code = 'function_leakproof'), 1::bigint, 'check() says so where a superuser does');
ROLLBACK;

-- Languages, files and programs.
BEGIN;
GRANT CREATE ON SCHEMA public TO :"app";
SELECT act_as('app', a());
SELECT throws_ok(statement, '42501', NULL, statement)
FROM (VALUES ('CREATE FUNCTION f() RETURNS integer LANGUAGE c AS ''tenancy'', ''f'''), ('CREATE FUNCTION f() RETURNS integer LANGUAGE internal AS ''f'''),
             ('CREATE LANGUAGE mine HANDLER plpgsql_call_handler'), ('CREATE EXTENSION file_fdw'),
             ('COPY notes FROM PROGRAM ''true'''), ('COPY (SELECT 1) TO PROGRAM ''true'''), ('COPY notes FROM ''x'''), ('COPY notes TO ''/x'''),
             ('SELECT pg_read_file(''PG_VERSION'')'), ('SELECT pg_ls_dir(''.'')'), ('SELECT * FROM pg_ls_tmpdir()'), ('SELECT * FROM pg_ls_logdir()'),
             ('SELECT pg_current_logfile()'), ('SELECT lo_import(''x'')'),
             ('CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw'),
             ('CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION tenancy.current_tenant_id()')) v (statement);
SELECT throws_ok(format('SELECT public.dblink_connect(%L)', 'dbname=' || current_database()), '2F003', NULL, 'a connection to the same server has no rights of the server''s');
ROLLBACK;

-- A user mapping that somebody left does not carry the tenant along.
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw;
SELECT format('ALTER SERVER loop OPTIONS (ADD host %L, ADD port %L, ADD dbname %L)', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()) \gexec
CREATE USER MAPPING FOR :"app" SERVER loop OPTIONS (user :'app', password_required 'false');
CREATE FOREIGN TABLE far_notes (id integer, body text) SERVER loop OPTIONS (table_name 'notes');
GRANT SELECT ON far_notes TO :"app";
BEGIN;
SELECT act_as('app', a());
SELECT throws_ok('SELECT * FROM far_notes', 'TN001', NULL, 'a foreign table of the same server: the session behind it has no tenant');
SELECT is((SELECT count(*) FROM pg_user_mappings WHERE umoptions IS NOT NULL), 0::bigint, 'and A does not read how it logs in');
ROLLBACK;

-- Functions that change the role.
BEGIN;
GRANT CREATE ON SCHEMA public TO :"app";
SELECT act_as('app', a());
CREATE FUNCTION as_held() RETURNS bigint LANGUAGE sql SET role FROM CURRENT AS 'SELECT count(*) FROM public.notes';
SELECT throws_ok(format('CREATE FUNCTION as_boss() RETURNS bigint LANGUAGE sql SET role = %I AS ''SELECT 1''', :'boss'), '42501', NULL, 'a function does not become a role of which A is no member');
SELECT lives_ok(format('ALTER FUNCTION as_held() SET role = %I', :'held'), 'but one of which it is');
SELECT is(as_held(), 3::bigint, 'and counts the rows of A there');
SELECT throws_ok('ALTER FUNCTION as_held() SET tenancy.tenant_id = ''x''', '42501', NULL, 'a function does not set the tenant');
SELECT throws_ok(format('SET ROLE %I', :'boss'), '42501', NULL, 'nor does the session become that role');
SELECT is(run(format('SET ROLE %I', :'held'), 'SELECT FROM notes'), 3::bigint, 'SET ROLE keeps the tenant');
SELECT act_as_superuser();
SELECT is_empty('SELECT * FROM tenancy.check() WHERE code = ''app_role_bypasses''', 'check() has nothing to say');
GRANT :"boss" TO :"app";
SELECT isnt_empty('SELECT * FROM tenancy.check() WHERE code = ''app_role_bypasses''', 'until the application becomes a member of a role that bypasses');
ROLLBACK;

-- Cursors and plans that another role made.
BEGIN;
CREATE FUNCTION cursor_of_owner() RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c refcursor := 'of_owner';
BEGIN
    OPEN c FOR SELECT count(*) FROM public.notes;
    RETURN c;
END $$;
GRANT CREATE ON SCHEMA public TO :"boss", :"held";
ALTER FUNCTION cursor_of_owner() OWNER TO :"boss";
SELECT isnt_empty($$SELECT * FROM tenancy.check() WHERE code = 'function_as_owner' AND object ~ 'cursor_of_owner'$$, 'a cursor that an owner opens who bypasses is found');
SELECT act_as('app', a());
SELECT FROM cursor_of_owner();
SELECT results_eq('FETCH ALL FROM of_owner', ARRAY[303::bigint], 'since it has all rows');
CLOSE of_owner;
SELECT act_as_superuser();
ALTER FUNCTION cursor_of_owner() OWNER TO :"held";
SELECT is_empty($$SELECT * FROM tenancy.check() WHERE code = 'function_as_owner' AND object ~ 'cursor_of_owner'$$, 'of an owner whom policies hold nothing is said');
SELECT act_as('app', a());
SELECT FROM cursor_of_owner();
SELECT results_eq('FETCH ALL FROM of_owner', ARRAY[3::bigint], 'since it has the rows of A');
CLOSE of_owner;
SELECT act_as('boss');
PREPARE counted AS SELECT count(*) FROM notes;
SELECT results_eq('EXECUTE counted', ARRAY[303::bigint], 'a plan of a role that bypasses counts all') FROM generate_series(1, 7);
SELECT act_as('app', a());
SELECT results_eq('EXECUTE counted', ARRAY[3::bigint], 'and is made again for one that does not');
DEALLOCATE counted;
ROLLBACK;

-- Defaults and identity.
BEGIN;
SELECT act_as('app', a());
SELECT results_eq('INSERT INTO notes (body) VALUES (''new'') RETURNING id, tenant_id', format('VALUES (304, %L::uuid)', a()), 'identity needs no privilege; its numbers tell how many rows there are');
SELECT throws_ok($$SELECT currval(pg_get_serial_sequence('public.notes', 'id'))$$, '42501', NULL, 'the sequence itself is not granted');
SELECT throws_ok($$INSERT INTO notes (id, tenant_id) OVERRIDING SYSTEM VALUE VALUES (999, test_helpers.b())$$, '42501', NULL, 'an id of one''s own is none in B');
SELECT throws_ok($$COPY notes FROM STDIN$$, '0A000', NULL, 'COPY FROM is refused under policies');
SELECT is((SELECT tenancy.current_tenant_id()), a(), 'A goes on');
ROLLBACK;

-- Triggers of partitions, and inherited ones.
BEGIN;
CREATE TABLE events (id integer, tenant_id uuid, body text) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
SELECT FROM tenancy.protect('events');
GRANT SELECT, INSERT ON events TO :"app";
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.notes SET body = 'taken';
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION take() FROM PUBLIC;
CREATE TRIGGER take BEFORE INSERT ON events_1 FOR EACH ROW EXECUTE FUNCTION take();
SELECT isnt_empty($$SELECT * FROM tenancy.check() WHERE code = 'trigger_as_owner' AND severity = 'error' AND object ~ 'events_1'$$, 'a trigger of one partition is found');
SELECT act_as('app', a());
INSERT INTO events (id) VALUES (1);
SELECT act_as_superuser();
SELECT is((SELECT count(*) FROM notes WHERE tenant_id = b() AND body = 'taken'), 300::bigint, 'since it fires for whoever inserts into the table');
ALTER FUNCTION take() SECURITY INVOKER;
SELECT is_empty($$SELECT * FROM tenancy.check() WHERE code = 'trigger_as_owner'$$, 'SECURITY INVOKER repairs it');
ROLLBACK;

-- What is shared: NOTIFY and advisory locks, by another session of the same role, in another tenant.
SELECT format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), :'app') AS place \gset
SELECT FROM dblink_connect('other', :'place');
SELECT FROM dblink_exec('other', 'LISTEN news');
BEGIN;
SELECT act_as('app', a());
SELECT FROM pg_notify('news', 'of a');
SELECT FROM pg_advisory_xact_lock(50);
SELECT act_as_superuser();
SELECT FROM dblink_exec('other', 'BEGIN');
SELECT results_eq($$SELECT * FROM dblink('other', 'SELECT tenancy.set_tenant(test_helpers.b())') AS t (tenant uuid)$$, ARRAY[b()], 'another session of the role is in B');
SELECT results_eq($$SELECT * FROM dblink('other', 'SELECT pg_try_advisory_lock(50)') AS t (got boolean)$$, ARRAY[false], 'and waits for an advisory lock that A has');
SELECT results_eq($$SELECT * FROM dblink('other', 'SELECT count(*) FROM public.notes WHERE tenant_id = test_helpers.a()') AS t (rows bigint)$$, ARRAY[0::bigint], 'it has no rows of A');
SELECT FROM dblink_exec('other', 'COMMIT');
COMMIT;
SELECT FROM dblink('other', 'SELECT 1') AS t (one integer);
SELECT results_eq('SELECT extra FROM dblink_get_notify(''other'')', ARRAY['of a'], 'B hears what A notifies');

-- Prepared transactions: of the same role they are anybody's to end, of another they are not.
BEGIN;
SELECT act_as('app', a());
INSERT INTO notes (body) VALUES ('prepared');
RESET SESSION AUTHORIZATION;
PREPARE TRANSACTION 'of superuser';
SELECT dblink_exec('other', 'ROLLBACK PREPARED ''of superuser''', false) AS result \gset
SELECT is(:'result'::text, 'ERROR', 'a role does not end what another prepared');
ROLLBACK PREPARED 'of superuser';
SELECT FROM dblink_exec('other', $$BEGIN; SELECT tenancy.set_tenant('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'); INSERT INTO notes (body) VALUES ('prepared'); PREPARE TRANSACTION 'of app'$$, false);
SELECT FROM dblink_disconnect('other');
SELECT FROM dblink_connect('third', :'place');
SELECT is((SELECT count(*) FROM dblink('third', 'SELECT gid FROM pg_prepared_xacts') AS t (gid text)), 1::bigint, 'everybody sees that there is one');
SELECT is(dblink_exec('third', 'COMMIT PREPARED ''of app'''), 'COMMIT PREPARED', 'and another session of the role ends it');
SELECT is((SELECT tenant_id FROM notes WHERE body = 'prepared'), a(), 'whose rows stay those of A');
SELECT FROM dblink_disconnect('third');
SELECT * FROM finish();
