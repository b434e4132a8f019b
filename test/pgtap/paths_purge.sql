-- Export and purge of tables that are protected by a path: no foreign key cascades here but where it says so. purge_tenant()
-- commits, so this file is not one transaction.
SELECT plan(29);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_owner();
SELECT test_helpers.make_owner('other');
SELECT test_helpers.role_name('owner') AS owner, test_helpers.role_name('other') AS other \gset

SET SESSION AUTHORIZATION :"owner";
CREATE TABLE projects (id integer PRIMARY KEY, tenant_id uuid);
CREATE TABLE tasks (id integer PRIMARY KEY, project integer NOT NULL CONSTRAINT of_project REFERENCES projects, other integer REFERENCES projects);
CREATE TABLE steps (number integer, task integer NOT NULL REFERENCES tasks, text text);
CREATE TABLE remarks (id integer, project integer NOT NULL REFERENCES projects ON DELETE CASCADE);
CREATE TABLE accounts (region text, id integer, account bigint NOT NULL, PRIMARY KEY (region, id));
CREATE TABLE "Lines" (id integer, "Region" text NOT NULL, "to" integer NOT NULL, FOREIGN KEY ("Region", "to") REFERENCES accounts);
CREATE TABLE days (day date PRIMARY KEY, tenant_id uuid) PARTITION BY RANGE (day);
CREATE TABLE days_2025 PARTITION OF days FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE days_2026 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE visits (id integer, day date NOT NULL REFERENCES days);
-- The path compares by a cast, which is code of the type's owner.
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE FUNCTION text_of(of mood) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> (SELECT tableowner FROM pg_catalog.pg_tables WHERE tablename = 'songs') THEN
        RAISE 'run by %', current_user;
    END IF;
    RETURN pg_catalog.enum_out(of);
END
$$;
CREATE CAST (mood AS text) WITH FUNCTION text_of(mood) AS IMPLICIT;
CREATE TABLE moods (name text PRIMARY KEY, tenant_id uuid);
CREATE TABLE songs (id integer, mood mood NOT NULL REFERENCES moods);
CREATE TABLE codes (code varchar PRIMARY KEY, tenant_id uuid);
CREATE TABLE labels (code varchar NOT NULL REFERENCES codes);
SELECT count(*) FROM (VALUES ('projects'), ('days'), ('moods'), ('codes')) AS t (relation), tenancy.protect(t.relation::regclass);
SELECT count(*) FROM tenancy.protect('accounts', 'account', 'bigint');
SELECT count(*) FROM tenancy.protect_by_path('tasks', 'of_project');
SELECT count(*) FROM (VALUES ('steps'), ('remarks'), ('"Lines"'), ('visits'), ('songs'), ('labels')) AS t (relation), tenancy.protect_by_path(t.relation::regclass);

-- What fits better than PostgreSQL's own, put into the schema by somebody else.
SET SESSION AUTHORIZATION :"other";
CREATE FUNCTION equal(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'equal() was run by %', current_user; END$$;
CREATE OPERATOR = (FUNCTION = equal, LEFTARG = varchar, RIGHTARG = varchar);
CREATE FUNCTION to_jsonb(labels) RETURNS jsonb LANGUAGE plpgsql AS $$BEGIN RAISE 'to_jsonb() was run by %', current_user; END$$;
RESET SESSION AUTHORIZATION;

-- Odd numbers are A's, even ones B's.
CREATE FUNCTION of_whom(number integer) RETURNS uuid LANGUAGE sql RETURN CASE number % 2 WHEN 1 THEN test_helpers.a() ELSE test_helpers.b() END;
INSERT INTO projects SELECT g, of_whom(g) FROM generate_series(1, 8) g;
INSERT INTO tasks SELECT g, 1 + (g - 1) % 8, CASE WHEN g > 8 THEN g - 8 END FROM generate_series(1, 16) g;
INSERT INTO steps SELECT g, 1 + (g - 1) % 16, 'step' FROM generate_series(1, 48) g;
INSERT INTO remarks SELECT g, 1 + (g - 1) % 8 FROM generate_series(1, 10) g;
INSERT INTO accounts SELECT r, g, 1002 - g % 2 FROM generate_series(1, 2) g, (VALUES ('x'), ('y')) v (r);
INSERT INTO "Lines" SELECT g, 'y', 2 - g % 2 FROM generate_series(1, 6) g;
INSERT INTO days SELECT '2025-12-30'::date + g, of_whom(g) FROM generate_series(1, 4) g;
INSERT INTO visits SELECT g, '2025-12-31'::date + (g - 1) % 4 FROM generate_series(1, 8) g;
INSERT INTO moods VALUES ('glad', test_helpers.a()), ('sad', test_helpers.b());
INSERT INTO songs VALUES (1, 'glad'), (2, 'sad'), (4, 'sad');
INSERT INTO codes VALUES ('odd', test_helpers.a()), ('even', test_helpers.b());
INSERT INTO labels VALUES ('odd'), ('even');
SELECT tenancy.create_tenant('tenant-c') AS c \gset

-- Export.
BEGIN;
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
CREATE TEMP TABLE exported AS SELECT * FROM tenancy.export_tenant(test_helpers.a()) WHERE relation LIKE 'public.%';
CREATE TEMP TABLE counted AS SELECT * FROM tenancy.count_rows(test_helpers.a()) WHERE relation LIKE 'public.%';
GRANT ALL ON exported, counted TO PUBLIC;
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT throws_ok('SELECT tenancy.export_tenant(test_helpers.a())', 'TN002', 'tenant is not available', 'a stranger exports nothing');
SELECT test_helpers.act_as_superuser();
COMMIT;
SELECT results_eq('SELECT relation, count(*) FROM exported GROUP BY 1 ORDER BY relation COLLATE "C"',
    $$VALUES ('public."Lines"', 3::bigint), ('public.accounts', 2), ('public.codes', 1), ('public.days', 2), ('public.labels', 1), ('public.moods', 1),
      ('public.projects', 4), ('public.remarks', 5), ('public.songs', 1), ('public.steps', 24), ('public.tasks', 8), ('public.visits', 4)$$,
    'rows that a path leads to are exported too, over two steps as well');
SELECT set_eq('SELECT relation, count(*) FROM exported GROUP BY 1', 'SELECT relation, row_count FROM counted WHERE row_count > 0', 'as many as are counted');
SELECT is((SELECT count(*) FROM exported WHERE relation IN ('public.tasks', 'public.steps', 'public.remarks', 'public."Lines"', 'public.visits', 'public.songs')
           AND coalesce(data->>'id', data->>'number')::integer % 2 = 0), 0::bigint, 'none of B''s');
SELECT is((SELECT array_agg((data->>'id')::integer ORDER BY row_number) FROM exported WHERE relation = 'public.tasks'),
          ARRAY(SELECT generate_series(1, 15, 2)), 'by primary key');
SELECT is((SELECT data::jsonb FROM exported WHERE relation = 'public.tasks' AND row_number = 1), '{"id": 1, "other": null, "project": 1}', 'with all columns');
SELECT is((SELECT count(*) FROM tenancy.export_tenant(test_helpers.b()) WHERE relation IN ('public.steps', 'public.songs')), 26::bigint, 'B gets its own');
SELECT is_empty(format('SELECT FROM tenancy.export_tenant(%L) WHERE relation LIKE ''public.%%''', :'c'), 'who has nothing, or no key, gets nothing');
SELECT set_eq(format('SELECT row_count FROM tenancy.count_rows(%L) WHERE relation LIKE ''public.%%''', :'c'), 'VALUES (0::bigint)', 'which is counted');

-- The order of the purge.
CREATE TEMP TABLE steps_of_purge AS SELECT relations[1]::text AS relation, in_batches, row_number() OVER () AS place FROM tenancy.purge_plan();
SELECT is((SELECT array_agg(relation ORDER BY place) FROM steps_of_purge WHERE relation IN ('steps', 'tasks', 'projects')),
          '{steps,tasks,projects}', 'what refers goes first');
SELECT is((SELECT bool_and(l.place < p.place) FROM steps_of_purge l, steps_of_purge p WHERE l.relation = 'visits' AND p.relation LIKE 'days%'),
          true, 'before each partition');
SELECT is((SELECT array_agg(relation ORDER BY place) FROM steps_of_purge WHERE relation IN ('remarks', 'projects')),
          '{remarks,projects}', 'also where it would cascade');
SELECT results_eq($$SELECT DISTINCT in_batches FROM steps_of_purge WHERE relation NOT LIKE 'tenancy.%'$$, 'VALUES (true)', 'in batches');
DROP INDEX remarks_project_idx;
SELECT is((SELECT p.in_batches FROM tenancy.purge_plan() p WHERE p.relations = '{remarks}'), false, 'without an index at once');

-- A trigger that keeps rows is found while it can still be told whose they are.
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON remarks FOR EACH ROW EXECUTE FUNCTION keep();
SELECT tenancy.delete_tenant('tenant-a');
\set ON_ERROR_STOP 0
CALL tenancy.purge_tenant('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 3);
\set ON_ERROR_STOP 1
SELECT is(:'LAST_ERROR_MESSAGE'::text, 'rows of tenant ''tenant-a'' are left in public.remarks', 'rows that stay stop the purge');
SELECT is((SELECT count(*) FROM projects WHERE tenant_id = test_helpers.a()), 4::bigint, 'before what they belong to is gone');
DROP TRIGGER keep ON remarks;
CREATE TEMP TABLE ran_as (who text);
GRANT ALL ON ran_as TO PUBLIC;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO ran_as VALUES (current_user); RETURN OLD; END';
CREATE TRIGGER tell AFTER DELETE ON songs FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO songs VALUES (1, 'glad');
CALL tenancy.purge_tenant('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 3);
SELECT is((SELECT count(*) FROM tenancy.tenants WHERE id = test_helpers.a()), 0::bigint, 'and goes on without it');
SELECT is((SELECT array_agg(who) FROM ran_as WHERE who <> :'owner'), NULL, 'triggers run with the rights of the table''s owner');
SELECT results_eq($$SELECT 'projects', count(*), count(*) FILTER (WHERE id % 2 = 1) FROM projects
    UNION ALL SELECT 'tasks', count(*), count(*) FILTER (WHERE id % 2 = 1) FROM tasks
    UNION ALL SELECT 'steps', count(*), count(*) FILTER (WHERE number % 2 = 1) FROM steps
    UNION ALL SELECT 'remarks', count(*), count(*) FILTER (WHERE id % 2 = 1) FROM remarks
    UNION ALL SELECT 'lines', count(*), count(*) FILTER (WHERE id % 2 = 1) FROM "Lines"
    UNION ALL SELECT 'visits', count(*), count(*) FILTER (WHERE id % 2 = 1) FROM visits
    UNION ALL SELECT 'songs', count(*), count(*) FILTER (WHERE id % 2 = 1) FROM songs
    UNION ALL SELECT 'labels', count(*), count(*) FILTER (WHERE code::text OPERATOR(pg_catalog.=) 'odd') FROM labels$$,
    $$VALUES ('projects', 4::bigint, 0::bigint), ('tasks', 8, 0), ('steps', 24, 0), ('remarks', 5, 0), ('lines', 3, 0), ('visits', 4, 0), ('songs', 2, 0), ('labels', 1, 0)$$,
    'A''s rows are gone, and B has all of its own');

-- A circle goes at once, a path in it too.
ALTER TABLE projects ADD COLUMN first integer REFERENCES tasks;
UPDATE projects SET first = id WHERE id > 4;
SELECT is((SELECT p.relations::text[] FROM tenancy.purge_plan() p WHERE cardinality(p.relations) > 1) @> '{projects,tasks}', true, 'a circle is one step');

-- Without the key, or the rights, nothing is told apart, and nothing left out in silence.
SET session_replication_role = replica;
ALTER TABLE labels DROP CONSTRAINT labels_code_fkey;
RESET session_replication_role;
SELECT throws_ok('SELECT tenancy.export_tenant(test_helpers.b())', '55000', 'whose the rows of public.labels are cannot be told', 'a path that is gone stops an export');
SELECT tenancy.delete_tenant('tenant-b');
\set ON_ERROR_STOP 0
CALL tenancy.purge_tenant('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 3);
\set ON_ERROR_STOP 1
SELECT is(:'LAST_ERROR_MESSAGE'::text, 'whose the rows of public.labels are cannot be told', 'and a purge');
SELECT is((SELECT count(*) FROM codes), 1::bigint, 'before it begins');
ALTER TABLE labels ADD CONSTRAINT labels_code_fkey FOREIGN KEY (code) REFERENCES codes;
ALTER TABLE labels OWNER TO :"other";
SELECT throws_ok('SELECT count(*) FROM tenancy.count_rows(test_helpers.b())', '55000', 'whose the rows of public.labels are cannot be told', 'another owner does not read the way');
GRANT :"owner" TO :"other";
SELECT is((SELECT row_count FROM tenancy.count_rows(test_helpers.b()) WHERE relation = 'public.labels'), 1::bigint, 'one who may act as the first does');
CALL tenancy.purge_tenant('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 3);
SELECT is((SELECT count(*) FROM tenancy.tenants WHERE id = test_helpers.b()), 0::bigint, 'then the purge goes on');
SELECT is((SELECT count(*) FROM projects) + (SELECT count(*) FROM tasks) + (SELECT count(*) FROM steps) + (SELECT count(*) FROM labels), 0::bigint, 'to the end');

-- Who comes later is not touched by what is done to others.
SELECT is((SELECT count(*) FROM tenancy.count_rows(:'c')), (SELECT count(*) FROM counted) + (SELECT count(*) FROM tenancy.count_rows(:'c') WHERE relation LIKE 'tenancy.%'), 'all tables are counted');
SELECT is((SELECT status::text FROM tenancy.tenants WHERE id = :'c'), 'active', 'C is there');

SELECT * FROM finish();
