-- Tables that reach their tenant by a foreign key, over one step and over two, and shared reference tables.
BEGIN;
SELECT plan(81);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app') AS app \gset
SELECT test_helpers.make_owner() AS owner \gset

SELECT test_helpers.act_as('owner');
CREATE TABLE projects (id integer PRIMARY KEY, name text, tenant_id uuid);
CREATE TABLE tasks (id integer PRIMARY KEY, project integer NOT NULL CONSTRAINT of_project REFERENCES projects ON DELETE CASCADE,
                    other integer CONSTRAINT also REFERENCES projects, title text);
CREATE TABLE steps (number integer, task integer NOT NULL CONSTRAINT of_task REFERENCES tasks ON DELETE CASCADE, text text);
CREATE TABLE countries (code text PRIMARY KEY, name text);
CREATE TABLE nullable (id integer, project integer REFERENCES projects);
CREATE TABLE tree (id integer PRIMARY KEY, project integer NOT NULL REFERENCES projects, up integer CONSTRAINT up REFERENCES tree);
CREATE TABLE alone (id integer);
CREATE TABLE parted (project integer NOT NULL REFERENCES projects) PARTITION BY LIST (project);
CREATE FUNCTION shape(of regclass) RETURNS TABLE (s text) LANGUAGE sql AS $$
    SELECT concat_ws(' ', relrowsecurity, relforcerowsecurity) FROM pg_class WHERE oid = of
    UNION ALL SELECT polname::text COLLATE "default" FROM pg_policy WHERE polrelid = of
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = of
    UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = of ORDER BY 1
$$;
CREATE TEMP TABLE before AS SELECT 'tasks'::regclass AS of, s FROM shape('tasks') UNION ALL SELECT 'steps', s FROM shape('steps');
SELECT throws_ok($$SELECT tenancy.protect_by_path('tasks', 'of_project')$$, 'TN009', 'relation public.tasks cannot be protected', 'a parent that is not protected');
SELECT FROM tenancy.protect('projects');

-- Bad input.
SELECT throws_ok('SELECT tenancy.protect_by_path(NULL)', '22004', 'relation must not be null', 'no table');
SELECT throws_ok($$SELECT tenancy.protect_by_path('tasks', 'of_project', index => NULL)$$, '22004', 'index must not be null', 'index is NULL');
SELECT throws_ok($$SELECT tenancy.protect_by_path('tasks', 'of_project', dry_run => NULL)$$, '22004', 'dry_run must not be null', 'dry_run is NULL');
SELECT throws_ok($$SELECT tenancy.protect_by_path('tasks')$$, 'TN009', 'relation public.tasks cannot be protected', 'two paths to choose from');
SELECT throws_ok($$SELECT tenancy.protect_by_path('tasks', 'nothing')$$, 'TN009', 'relation public.tasks cannot be protected', 'no such path');
SELECT throws_ok($$SELECT tenancy.protect_by_path('alone')$$, 'TN009', 'relation public.alone cannot be protected', 'no path at all');
SELECT throws_ok($$SELECT tenancy.protect_by_path('nullable')$$, 'TN009', 'relation public.nullable cannot be protected', 'a path that may be null');
SELECT throws_ok($$SELECT tenancy.protect_by_path('tree')$$, 'TN009', 'relation public.tree cannot be protected', 'a table that refers to itself');
SELECT throws_ok($$SELECT tenancy.protect_by_path('parted')$$, 'TN009', 'relation public.parted cannot be protected', 'a partitioned table');
SELECT throws_ok($$SELECT tenancy.protect_by_path('projects')$$, 'TN009', 'relation public.projects cannot be protected', 'a table with a tenant column');
SELECT throws_ok($$SELECT tenancy.protect_by_path('pg_class')$$, '42501', 'must be owner of relation pg_class', 'a table of the system');
SELECT throws_ok($$SELECT tenancy.share(NULL)$$, '22004', 'relation must not be null', 'share no table');
SELECT throws_ok($$SELECT tenancy.share('countries', NULL)$$, '22004', 'dry_run must not be null', 'share with dry_run NULL');
SELECT throws_ok($$SELECT tenancy.share('projects')$$, 'TN009', 'relation public.projects cannot be protected', 'share a protected table');

-- Statements.
CREATE TEMP TABLE promised AS SELECT s FROM tenancy.protect_by_path('tasks', 'of_project', dry_run => true) s;
SELECT is_empty('SELECT FROM tenancy.indirect_tables', 'a dry run does nothing');
SELECT results_eq($$SELECT tenancy.protect_by_path('tasks', 'of_project')$$, 'TABLE promised', 'and says what is run');
SELECT is((SELECT string_agg(s, '; ' ORDER BY s) FROM promised WHERE s LIKE '%tenancy_delete%' OR s LIKE 'CREATE INDEX%'),
    'CREATE INDEX tasks_project_idx ON public.tasks (project); CREATE POLICY tenancy_delete ON public.tasks AS PERMISSIVE FOR DELETE USING (EXISTS (SELECT FROM ONLY public.projects parent1 WHERE parent1.id = tasks.project AND parent1.tenant_id = tenancy.writable_tenant_id()))',
    'the tenant stands at the end of the path');
SELECT is_empty($$SELECT tenancy.protect_by_path('tasks')$$, 'a second time there is nothing to do');
SELECT lives_ok($$SELECT tenancy.protect_by_path('steps')$$, 'a path over two steps');
SELECT is_empty('SELECT f.* FROM tenancy.indirect_tables i, tenancy.indirect_faults(i.relation) f', 'nothing is missing');
SELECT throws_ok($$SELECT tenancy.protect('tasks')$$, 'TN009', 'relation public.tasks cannot be protected', 'protect() wants it unprotected first');
SELECT throws_ok($$SELECT tenancy.share('tasks')$$, 'TN009', 'relation public.tasks cannot be protected', 'and so does share()');
SELECT results_eq($$SELECT blocked FROM tenancy.key_changes('projects')$$, $$VALUES ('Constraint also of table public.tasks, which has no tenant column, refers to it.')$$, 'a key that paths need holds for all tenants');

-- The guard.
SELECT throws_ok('ALTER TABLE tasks DISABLE ROW LEVEL SECURITY', 'TN009', 'relation public.tasks is protected', 'row level security stays on');
SELECT throws_ok('ALTER TABLE steps NO FORCE ROW LEVEL SECURITY', 'TN009', 'relation public.steps is protected', 'and forced');
SELECT throws_ok('DROP POLICY tenancy_isolation ON tasks', 'TN009', 'relation public.tasks is protected', 'policies stay');
SELECT throws_ok('ALTER POLICY tenancy_read ON tasks USING (true)', 'TN009', 'relation public.tasks is protected', 'as they are');
SELECT throws_ok('ALTER TABLE tasks DROP CONSTRAINT of_project', 'TN009', 'relation public.tasks is protected', 'and so does the path');
SELECT lives_ok('ALTER TABLE tasks ADD CONSTRAINT more FOREIGN KEY (other) REFERENCES projects NOT VALID; ALTER TABLE tasks DROP CONSTRAINT more', 'another foreign key does not matter');
SELECT throws_ok($$SELECT tenancy.unprotect('projects')$$, 'TN009', 'relation public.projects cannot be unprotected', 'the parent stays protected');

-- Rows.
GRANT SELECT, INSERT, UPDATE, DELETE ON projects, tasks, steps, countries TO :"app";
SELECT test_helpers.act_as_superuser();
INSERT INTO projects VALUES (1, 'of a', test_helpers.a()), (2, 'of b', test_helpers.b()), (3, 'of a', test_helpers.a());
INSERT INTO tasks VALUES (1, 1, NULL, 'of a'), (2, 2, NULL, 'of b');
INSERT INTO steps VALUES (1, 1, 'of a'), (2, 2, 'of b');
INSERT INTO countries VALUES ('AT', 'Austria');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT id FROM tasks', 'VALUES (1)', 'A sees its tasks');
SELECT results_eq('SELECT number FROM steps', 'VALUES (1)', 'and their steps');
SELECT lives_ok('INSERT INTO tasks VALUES (3, 3, 1, ''new'')', 'A inserts under its own');
SELECT lives_ok('INSERT INTO steps VALUES (3, 3, ''new'')', 'on each step');
SELECT throws_ok('INSERT INTO tasks VALUES (4, 2, NULL, ''x'')', '42501', 'new row violates row-level security policy for table "tasks"', 'and not under B''s');
SELECT throws_ok('INSERT INTO steps VALUES (4, 2, ''x'')', '42501', 'new row violates row-level security policy for table "steps"', 'nor two steps away');
SELECT throws_ok('INSERT INTO tasks VALUES (4, 9, NULL, ''x'')', '42501', 'new row violates row-level security policy for table "tasks"', 'which looks like a parent that nobody has');
SELECT throws_ok('INSERT INTO tasks VALUES (4, 1, 2, ''x'')', '42501', 'new row violates row-level security policy for table "tasks"', 'nor does it refer to B''s by another key');
SELECT throws_ok('UPDATE tasks SET project = 2 WHERE id = 1', '42501', 'new row violates row-level security policy for table "tasks"', 'a row is not moved to B');
SELECT throws_ok('UPDATE tasks SET other = 2 WHERE id = 1', '42501', 'new row violates row-level security policy for table "tasks"', 'nor tied to it');
SELECT throws_ok('UPDATE steps SET task = 2 WHERE number = 1', '42501', 'new row violates row-level security policy for table "steps"', 'nor two steps away');
SELECT is(test_helpers.run('UPDATE tasks SET project = 3 WHERE id = 1'), 1::bigint, 'within A it is');
SELECT is(test_helpers.run('UPDATE tasks SET title = ''x'' WHERE id = 2'), 0::bigint, 'B''s rows are not updated');
SELECT is(test_helpers.run('DELETE FROM steps WHERE number = 2'), 0::bigint, 'nor deleted');
SELECT is((SELECT count(*) FROM (SELECT FROM tasks WHERE id = 2 FOR UPDATE) l), 0::bigint, 'nor locked');
SELECT is(test_helpers.run('DELETE FROM projects WHERE id = 3'), 1::bigint, 'deleting a parent');
SELECT is_empty('SELECT FROM steps', 'takes A''s rows along');
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.viewer_of_a());
SELECT throws_ok('INSERT INTO tasks VALUES (5, 1, NULL, ''x'')', 'TN004', 'permission denied by role', 'a viewer does not write');
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT results_eq('SELECT t.id, s.number FROM tasks t JOIN steps s ON s.task = t.id', 'VALUES (2, 2)', 'B has its rows');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT * FROM tasks', 'TN001', 'no tenant is set', 'without a tenant there is an error');
SELECT test_helpers.act_as_superuser();

-- Both ends are found by an index.
INSERT INTO projects SELECT g, 'many', CASE WHEN g % 100 = 0 THEN test_helpers.a() ELSE test_helpers.b() END FROM generate_series(1000, 9000) g;
INSERT INTO tasks SELECT g, 1000 + g % 8000, NULL, 'many' FROM generate_series(10000, 40000) g;
ANALYZE projects, tasks;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END$$;
SELECT test_helpers.act_as('app', test_helpers.a());
CREATE TEMP TABLE plan AS SELECT p FROM plan_of('SELECT title FROM tasks WHERE project = 1000') p;
SELECT isnt_empty($$SELECT FROM plan WHERE p LIKE '%Scan%tasks_project_idx%'$$, 'the rows of a parent are found by the index on the path');
SELECT isnt_empty($$SELECT FROM plan WHERE p LIKE '%Index%Scan using projects_%on projects parent1%'$$, 'and the tenant by an index of the parent');
SELECT is_empty($$SELECT FROM plan WHERE p LIKE '%Seq Scan%'$$, 'and nothing is read whole');
SELECT test_helpers.act_as_superuser();

-- Shared tables.
CREATE TEMP TABLE sharing AS SELECT s FROM tenancy.share('countries', dry_run => true) s;
SELECT results_eq($$SELECT tenancy.share('countries')$$, 'TABLE sharing', 'share a table');
SELECT is_empty($$SELECT tenancy.share('countries')$$, 'a second time there is nothing to do');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT name FROM countries', $$VALUES ('Austria')$$, 'an application reads it');
SELECT throws_ok($$INSERT INTO countries VALUES ('XX', 'x')$$, '42501', 'permission denied for table countries', 'and does not insert');
SELECT throws_ok($$UPDATE countries SET name = 'x'$$, '42501', 'permission denied for table countries', 'update');
SELECT throws_ok($$DELETE FROM countries$$, '42501', 'permission denied for table countries', 'or delete');
SELECT test_helpers.act_as('owner');
SELECT lives_ok($$INSERT INTO countries VALUES ('CH', 'Switzerland')$$, 'its owner does');
SELECT test_helpers.run(format('GRANT INSERT ON countries TO %I', :'app'));
SELECT results_eq($$SELECT code FROM tenancy.indirect_faults('countries')$$, $$VALUES ('shared_writable')$$, 'a grant is found');
SELECT test_helpers.act_as_superuser();
SELECT results_eq($$SELECT code, fix FROM tenancy.check() WHERE code = 'shared_writable'$$, $$VALUES ('shared_writable', 'SELECT tenancy.share(''public.countries'')')$$, 'by check() too');
SELECT test_helpers.make_role('later');
SELECT ok(has_table_privilege(test_helpers.role_name('later'), 'countries', 'SELECT'), 'a later application reads it');
SET LOCAL session_replication_role = replica;
ALTER TABLE tasks DISABLE ROW LEVEL SECURITY;
ALTER POLICY tenancy_read ON tasks USING (true);
SET LOCAL session_replication_role = origin;
SELECT results_eq($$SELECT code, fix FROM tenancy.check() WHERE object = 'table public.tasks'$$,
    $$VALUES ('policy_changed', 'SELECT tenancy.protect_by_path(''public.tasks'', ''of_project'')'), ('rls_off', 'SELECT tenancy.protect_by_path(''public.tasks'', ''of_project'')')$$, 'what went round the guard is found');
SELECT lives_ok($$SELECT tenancy.protect_by_path('tasks')$$, 'and repaired');
SELECT is_empty($$SELECT FROM tenancy.check() WHERE object = 'table public.tasks'$$, 'for good');
SELECT test_helpers.act_as('owner');
SELECT lives_ok($$SELECT tenancy.share('countries')$$, 'and taken back');
SELECT is_empty($$SELECT tenancy.indirect_faults('countries')$$, 'for good');
SELECT lives_ok($$SELECT tenancy.unprotect('countries')$$, 'it is shared no more');

-- An inheritance child of the parent may have the key of a row of the parent's.
CREATE TABLE roots (id integer PRIMARY KEY, tenant_id uuid);
CREATE TABLE branches (PRIMARY KEY (id)) INHERITS (roots);
CREATE TABLE leaves (root integer NOT NULL REFERENCES roots);
CREATE TABLE eras (year integer PRIMARY KEY, tenant_id uuid) PARTITION BY LIST (year);
CREATE TABLE eras_1 PARTITION OF eras FOR VALUES IN (1);
CREATE TABLE eras_2 PARTITION OF eras FOR VALUES IN (2);
CREATE TABLE facts (year integer NOT NULL REFERENCES eras);
SELECT FROM (VALUES ('roots'), ('eras')) t (r), tenancy.protect(t.r::regclass);
SELECT FROM (VALUES ('leaves'), ('facts')) t (r), tenancy.protect_by_path(t.r::regclass);
GRANT SELECT, INSERT ON roots, branches, leaves, eras, facts TO :"app";
SELECT test_helpers.act_as('app', test_helpers.a());
INSERT INTO roots VALUES (1);
INSERT INTO leaves VALUES (1);
INSERT INTO eras VALUES (1), (2);
SELECT lives_ok('INSERT INTO facts VALUES (1), (2)', 'a path to a partitioned table, whatever the partition');
SELECT test_helpers.act_as('app', test_helpers.b());
INSERT INTO branches VALUES (1);
SELECT is_empty('SELECT FROM leaves', 'whoever puts the same key into an inheritance child sees nothing');
SELECT throws_ok('INSERT INTO leaves VALUES (1)', '42501', 'new row violates row-level security policy for table "leaves"', 'and adds nothing');
SELECT is_empty('SELECT FROM facts', 'nor through partitions');
SELECT throws_ok('INSERT INTO facts VALUES (1)', '42501', 'new row violates row-level security policy for table "facts"', 'and adds nothing there');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM leaves) + (SELECT count(*) FROM facts), 3::bigint, 'A sees its own');
SELECT test_helpers.act_as('owner');
SELECT tenancy.unprotect('leaves'), tenancy.unprotect('facts');

-- The way back.
SELECT throws_ok($$SELECT tenancy.unprotect('tasks')$$, 'TN009', 'relation public.tasks cannot be unprotected', 'what is on the way stays');
SELECT lives_ok($$SELECT tenancy.unprotect('steps')$$, 'from the end');
SELECT lives_ok($$SELECT tenancy.unprotect('tasks')$$, 'to the beginning');
SELECT results_eq($$SELECT 'tasks'::regclass, s FROM shape('tasks') UNION ALL SELECT 'steps', s FROM shape('steps')$$, 'TABLE before', 'the tables are as they were');
SELECT is_empty('SELECT FROM tenancy.indirect_tables', 'and none is registered');

SELECT * FROM finish();
ROLLBACK;
