-- Attack 44: ask the planner for other tenants' values. Its estimates are made from the rows of all, and EXPLAIN shows them. A role
-- that cannot name a tenant itself is refused, however it asks; the setting says for whom else.
BEGIN;
SELECT plan(48);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT make_role('cred', 'credential') AS cred \gset
SELECT make_role('app') AS app \gset
SELECT make_role('pooled', 'pooled') AS pooled \gset

SELECT act_as('owner');
CREATE TABLE people (id integer PRIMARY KEY, email text, salary integer);
CREATE TABLE letters (id integer PRIMARY KEY, person integer NOT NULL REFERENCES people, body text);
SELECT FROM tenancy.protect('people');
SELECT FROM tenancy.protect_by_path('letters');
CREATE TABLE prices (id integer PRIMARY KEY);
CREATE VIEW as_caller WITH (security_invoker = true) AS SELECT * FROM people;
CREATE VIEW as_owner AS SELECT * FROM as_caller;
GRANT SELECT, INSERT, UPDATE, DELETE ON people, letters, prices, as_caller, as_owner TO PUBLIC;
SELECT act_as_superuser();
INSERT INTO people (tenant_id, id, email, salary)
SELECT t, CASE t WHEN b() THEN 1000 ELSE 0 END + i, CASE WHEN t = b() AND i <= 40 THEN 'chief@b.example' ELSE i || '@example' END, CASE t WHEN b() THEN 50000 + i ELSE 1000 END
FROM unnest(ARRAY[a(), b()]) t, generate_series(1, 200) i;
ANALYZE people;
CREATE VIEW of_all AS SELECT count(*) AS n, email FROM people GROUP BY email;
GRANT SELECT ON of_all TO PUBLIC;
CREATE FUNCTION inlined(text) RETURNS SETOF people LANGUAGE sql STABLE AS 'SELECT * FROM public.people WHERE email = $1';

CREATE TEMPORARY TABLE ways (statement text);
INSERT INTO ways VALUES
    ('EXPLAIN SELECT FROM people WHERE email = ''chief@b.example'''),
    ('EXPLAIN (COSTS OFF) SELECT FROM people'),
    ('EXPLAIN ANALYZE SELECT FROM people WHERE salary < 50100'),
    ('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT FROM people'),
    ('EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS) SELECT FROM people'),
    ('EXPLAIN SELECT FROM letters'),
    ('EXPLAIN SELECT FROM as_caller WHERE email = ''x'''),
    ('EXPLAIN SELECT FROM as_owner WHERE email = ''x'''),
    ('EXPLAIN SELECT FROM of_all WHERE email = ''x'''),
    ('EXPLAIN SELECT (SELECT count(*) FROM people WHERE email = ''x'') FROM prices'),
    ('EXPLAIN WITH p AS MATERIALIZED (SELECT * FROM people) SELECT FROM prices WHERE EXISTS (SELECT FROM p)'),
    ('EXPLAIN SELECT FROM prices UNION ALL SELECT FROM people'),
    ('EXPLAIN SELECT FROM inlined(''x'')'),
    ('EXPLAIN INSERT INTO prices SELECT id FROM people'),
    ('EXPLAIN UPDATE people SET salary = 0 WHERE salary > 50000'),
    ('EXPLAIN DELETE FROM people WHERE salary > 50000'),
    ('EXPLAIN MERGE INTO prices USING people p ON p.id = prices.id WHEN MATCHED THEN DO NOTHING'),
    ('EXPLAIN DECLARE c CURSOR FOR SELECT FROM people'),
    ('EXPLAIN CREATE TEMPORARY TABLE copied AS SELECT * FROM people'),
    ('EXPLAIN EXECUTE prepared'),
    ('EXPLAIN (ANALYZE) EXECUTE prepared'),
    ('DO $do$ DECLARE line text; BEGIN EXECUTE ''EXPLAIN SELECT FROM people'' INTO line; END $do$'),
    ('DO $do$ DECLARE line text; BEGIN FOR line IN EXPLAIN SELECT FROM people LOOP NULL; END LOOP; END $do$');
GRANT SELECT ON ways TO PUBLIC;
SELECT run(format('GRANT CREATE ON SCHEMA public TO %I', :'cred'));

PREPARE prepared AS SELECT FROM people WHERE salary > 50000;
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT act_as('cred', a());
EXECUTE prepared;
SELECT throws_ok(statement, '42501', format('permission denied to explain a query over protected table "%s"',
                                            CASE WHEN statement ~ 'letters' THEN 'letters' ELSE 'people' END),
                 'a credential role: ' || statement)
FROM ways;
SELECT lives_ok('EXPLAIN SELECT FROM prices', 'other tables are explained to it');
SELECT is((SELECT count(*) FROM people), 200::bigint, 'and its own rows are there');
SET LOCAL plan_cache_mode = auto;

-- A plan is printed for who asks, too.
CREATE FUNCTION sneaks() RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT set_config('debug_print_plan', 'on', true) IS NOT NULL$$;
SELECT throws_ok('SET LOCAL client_min_messages = log; SET LOCAL debug_print_plan = on; SELECT FROM people WHERE email = ''chief@b.example''', '42501',
                 'permission denied to print the plan of a query over protected table "people"', 'no plan is sent as a message');
SELECT throws_ok('SET LOCAL client_min_messages = debug1; SELECT FROM people WHERE sneaks()', '42501', NULL, 'nor where planning turns that on');
SELECT lives_ok('SET LOCAL debug_print_plan = on; SELECT FROM people WHERE email = ''x''; SET LOCAL debug_print_plan = off', 'the log of the server is no concern');
SELECT is_empty('SELECT FROM pg_stats WHERE tablename = ''people''', 'statistics are closed');
SELECT throws_ok('SET tenancy.refuse_explain = off', '42501', 'permission denied to set parameter "tenancy.refuse_explain"', 'the setting is not its own');

-- Who may name any tenant, who owns the table, and who bypasses policies.
SELECT act_as('app', a());
SELECT lives_ok('EXPLAIN ANALYZE SELECT FROM people', 'a session role may explain');
SELECT act_as('pooled', a());
SELECT lives_ok('EXPLAIN SELECT FROM people', 'and a pooled one');
SELECT act_as_superuser();
SELECT lives_ok('EXPLAIN SELECT FROM people', 'and a superuser');
SELECT ok(NOT tenancy.names_tenants(:'cred') AND tenancy.names_tenants(:'app') AND tenancy.names_tenants(:'pooled'), 'which goes by who may name a tenant');
SELECT run(format('GRANT EXECUTE ON FUNCTION tenancy.current_tenant_id() TO %I', :'owner'));
SELECT act_as('owner', a());
SELECT lives_ok('EXPLAIN SELECT FROM people', 'and the table''s owner');
SELECT act_as_superuser();
SELECT run(format('REVOKE EXECUTE ON FUNCTION tenancy.current_tenant_id() FROM %I', :'owner'));

SET LOCAL tenancy.refuse_explain = 'on';
SELECT is_empty('SELECT * FROM tenancy.check() WHERE code = ''explain_open''', 'check() has nothing to say where it is refused to all');
SELECT act_as('app', a());
SELECT throws_ok('EXPLAIN SELECT FROM people', '42501', NULL, 'on: a session role may not');
SELECT is((SELECT count(*) FROM people), 200::bigint, 'and reads as before');
SELECT act_as('pooled', a());
SELECT throws_ok('EXPLAIN SELECT FROM people', '42501', NULL, 'on: nor a pooled one');
SELECT act_as_superuser();
SELECT lives_ok('EXPLAIN SELECT FROM people', 'on: a superuser may');

SET LOCAL tenancy.refuse_explain = 'off';
SELECT act_as('cred', a());
SELECT lives_ok('EXPLAIN SELECT FROM people', 'off: a credential role may');
CREATE FUNCTION pg_temp.estimate(email text) RETURNS float LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM people WHERE email = %L', email) INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END
$$;
SELECT cmp_ok(pg_temp.estimate('chief@b.example'), '>', pg_temp.estimate('nobody@b.example'), 'which is why: it tells who is there');
SELECT act_as_superuser();
SELECT is((SELECT count(*) FROM tenancy.check() WHERE code = 'explain_open'), 3::bigint, 'check() names all three');
SET LOCAL tenancy.refuse_explain = 'credential';
SELECT bag_eq('SELECT severity, object FROM tenancy.check() WHERE code = ''explain_open''',
              format('VALUES (''info'', ''role %s''), (''info'', ''role %s'')', :'app', :'pooled'), 'and of those under credential that may name tenants');
SELECT run(format('ALTER ROLE %I SET tenancy.refuse_explain = ''on''', :'app'));
SELECT results_eq('SELECT object FROM tenancy.check() WHERE code = ''explain_open''', ARRAY['role ' || :'pooled'], 'what is stored for a role counts');
SELECT is_empty('SELECT * FROM tenancy.check() WHERE code IN (''context_stored'', ''parameter_granted'') AND problem ~ ''explain''', 'and is no finding itself');

-- pentest() asks as a role that cannot name a tenant.
SELECT results_eq($$SELECT DISTINCT result FROM tenancy.pentest('people') WHERE attack = 'explain_estimates'$$, ARRAY['held'], 'pentest() finds it refused');
SET LOCAL tenancy.refuse_explain = 'off';
SELECT isnt_empty($$SELECT FROM tenancy.pentest('people') WHERE attack = 'explain_estimates' AND result = 'LEAKED'$$, 'and finds it open');

SELECT * FROM finish();
ROLLBACK;
