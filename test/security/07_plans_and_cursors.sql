-- Attack 7: carry one tenant's rows or identity over in a plan, a cursor or a parallel worker.
BEGIN;
SELECT plan(39);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes SELECT g, CASE WHEN g % 3 = 0 THEN b() ELSE a() END, repeat('x', 100) FROM generate_series(1, 9000) g;
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
ANALYZE notes;

-- Cursors.
SELECT act_as('app');
SAVEPOINT before_a;
SELECT tenancy.set_tenant(a());
DECLARE of_a CURSOR FOR SELECT tenant_id FROM notes;
SELECT results_eq('FETCH 2 FROM of_a', format('VALUES (%1$L::uuid), (%1$L::uuid)', a()), 'a cursor of A gives rows of A');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed',
                 'B cannot come to fetch from it');
SELECT tenancy.leave();
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed', 'nor after A has left');
SELECT throws_ok(statement, 'TN003', 'a holdable cursor cannot be declared while a tenant is set', statement)
FROM (VALUES
    ('SELECT tenancy.set_tenant(test_helpers.a()); DECLARE held CURSOR WITH HOLD FOR SELECT * FROM public.notes'),
    ('SELECT tenancy.set_tenant(test_helpers.a()); DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT 1'),
    ('SELECT tenancy.set_tenant(test_helpers.a()); DO $d$ BEGIN EXECUTE ''DECLARE held CURSOR WITH HOLD FOR SELECT 1''; END $d$')
) AS tries (statement);
ROLLBACK TO before_a;
SELECT throws_ok('FETCH 1 FROM of_a', '34000', 'cursor "of_a" does not exist', 'rolled back, the cursor is gone');
SELECT lives_ok('DECLARE held CURSOR WITH HOLD FOR SELECT 1', 'without a tenant, holdable cursors are free');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.a())', 'TN003',
                 'a tenant cannot be entered after a holdable cursor was declared', 'and then no tenant comes');
SELECT throws_ok('SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_a())', 'TN003',
                 'a tenant cannot be entered after a holdable cursor was declared', 'nor a user');
CLOSE held;
SELECT is(tenancy.set_tenant(a()), a(), 'once it is closed, one does');
ROLLBACK TO before_a;

-- Parallel workers.
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT set_config(name, 'on', true) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; whole text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        whole := whole || line || E'\n';
    END LOOP;
    RETURN whole;
END
$$;

SELECT act_as('app', a());
SELECT matches(plan_of(query), 'Workers Launched: [1-9]', 'workers are launched: ' || query)
FROM (VALUES ('SELECT count(*) FROM notes'), ('SELECT max(id) FROM notes WHERE body > ''a''')) AS queries (query);
SELECT is((SELECT count(*) FROM notes), 6000::bigint, 'parallel: A sees its rows');
SET LOCAL parallel_leader_participation = off;
SELECT is((SELECT count(*) FROM notes), 6000::bigint, 'parallel, workers only: A sees its rows');
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexonlyscan = off;
SELECT is((SELECT count(*) FROM notes), 6000::bigint, 'parallel sequential scan: A sees its rows');
SELECT is((SELECT count(*) FROM notes WHERE tenant_id = b()), 0::bigint, 'parallel: and none of B');
SELECT act_as('app', b());
SELECT is((SELECT count(*) FROM notes), 3000::bigint, 'parallel: B sees its rows');
SELECT act_as('app');
SELECT throws_ok('SELECT count(*) FROM notes', 'TN001', 'no tenant is set', 'parallel: nobody sees an error');
SELECT act_as('app', a(), viewer_of_a());
SELECT is((SELECT count(*) FROM notes), 6000::bigint, 'parallel: a viewer of A sees the rows of A');
SELECT is(tenancy.current_role_name(), 'viewer', 'and the workers made nothing else of the viewer');
RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;
RESET parallel_leader_participation;
SELECT set_config(name, 'off', true) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SET LOCAL max_parallel_workers_per_gather = 0;

-- Plans that outlive the tenant they were made under.
SELECT act_as('app', a());
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE counted AS SELECT count(*), min(tenant_id::text) FROM notes;
PREPARE one (int) AS SELECT tenant_id FROM notes WHERE id = $1;
PREPARE marked (int) AS UPDATE notes SET body = 'marked' WHERE id = $1;
SELECT results_eq('EXECUTE counted', format('VALUES (6000::bigint, %L)', a()), 'prepared under A, executed under A');
SELECT is_empty('EXECUTE one (3)', 'A does not find a row of B');
EXECUTE marked (1);
EXECUTE marked (3);
SELECT results_eq('SELECT id FROM notes WHERE body = ''marked''', 'VALUES (1)', 'A updates its own row and not that of B');
SELECT act_as('app', b());
SELECT results_eq('EXECUTE counted', format('VALUES (3000::bigint, %L)', b()), 'generic plan: executed under B');
SELECT is_empty('EXECUTE one (1)', 'generic plan: B does not find a row of A');
SELECT results_eq('EXECUTE one (3)', format('VALUES (%L::uuid)', b()), 'generic plan: B finds its own');
EXECUTE marked (1);
EXECUTE marked (6);
SELECT results_eq('SELECT id FROM notes WHERE body = ''marked''', 'VALUES (6)',
                  'generic plan: B updates its own row and not that of A');
SELECT act_as('app');
SELECT throws_ok('EXECUTE counted', 'TN001', 'no tenant is set', 'generic plan: nobody sees an error');
SET LOCAL plan_cache_mode = force_custom_plan;
SELECT act_as('app', a());
SELECT results_eq('EXECUTE counted', format('VALUES (6000::bigint, %L)', a()), 'custom plan: back under A');

-- Plans of plpgsql and of SQL functions.
CREATE FUNCTION counted_here() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM notes); END $$;
CREATE FUNCTION tenant_here() RETURNS uuid LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN tenancy.current_tenant_id(); END $$;
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT is(counted_here(), 6000::bigint, 'plpgsql under A') FROM generate_series(1, 6);
SELECT is(tenant_here(), a(), 'a simple expression of plpgsql under A');
SELECT act_as('app', b());
SELECT is(counted_here(), 3000::bigint, 'plpgsql: the kept plan under B');
SELECT is(tenant_here(), b(), 'a simple expression of plpgsql under B');
SET LOCAL plan_cache_mode = auto;

SELECT * FROM finish();
ROLLBACK;
