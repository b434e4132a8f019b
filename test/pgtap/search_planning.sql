-- A search plans its own statements with an eye on indexes. What the application has in its policies is planned as it always is: when it
-- runs inside of a search, when the planner asks it while it plans ours, and when ours are planned again.
BEGIN;
SELECT plan(9);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 3);
CREATE TABLE big AS SELECT i AS id, i % 100 AS g FROM generate_series(1, 20000) i;
CREATE TABLE big_too AS TABLE big;
CREATE INDEX ON big (id);
CREATE INDEX ON big_too (id);
ANALYZE big, big_too;
GRANT SELECT ON big, big_too TO PUBLIC;

-- What the planner makes of a statement here and now goes into a setting, with how often it was asked.
CREATE FUNCTION note_plan(purpose text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    line text;
    lines text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT count(*) FROM big JOIN big_too USING (id) WHERE big.g >= 0 AND big_too.g >= 0' LOOP
        lines := lines || line;
    END LOOP;
    PERFORM set_config('test.' || purpose, lines, false),
            set_config('test.asked_' || purpose, (coalesce(nullif(current_setting('test.asked_' || purpose, true), '')::int, 0) + 1)::text, false);
    RETURN true;
END
$$;
CREATE FUNCTION noted(purpose text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT set_config('test.' || purpose || '_read', coalesce(current_setting('test.' || purpose, true), ''), false) || left(set_config('test.' || purpose, '', false), 0)
$$;
-- Of an operator whose selectivity is estimated by what the other side is, so that the planner calls it.
CREATE FUNCTION threshold() RETURNS integer LANGUAGE sql STABLE AS $$ SELECT CASE WHEN note_plan('planned') THEN -1 END $$;
CREATE POLICY running ON chunks AS RESTRICTIVE FOR SELECT USING ((SELECT note_plan('run')));
CREATE POLICY planning ON chunks AS RESTRICTIVE FOR SELECT USING (chunk_index > threshold());
SELECT note_plan('alone');

SELECT test_helpers.act_as_superuser();
SELECT tenancy.set_tenant(test_helpers.a());
INSERT INTO documents (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO chunks (document_id, chunk_index, content, embedding)
SELECT '00000000-0000-4000-8000-000000000001', i, 'word', ARRAY[i, 1, 2]::vector FROM generate_series(1, 50) i;
ANALYZE chunks;
SELECT noted('planned'), noted('run') \g /dev/null
SELECT test_helpers.act_as('app', test_helpers.a());

SELECT alike(current_setting('test.alone'), '%Hash Join%', 'alone, the statement joins by a hash');
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,1,2]')), 10::bigint, 'a search with such policies finds its rows');
SELECT is(noted('run'), current_setting('test.alone'), 'what runs inside of a search is planned as alone');
SELECT is(noted('planned'), current_setting('test.alone'), 'so is what the planner runs while it plans the search''s statements');
SELECT is((SELECT count(*) FROM tenancy.keyword_search('word', 5)), 5::bigint, 'a keyword search finds its rows');
SELECT is(noted('run'), current_setting('test.alone'), 'what runs inside of it is planned as alone');

SELECT test_helpers.act_as_superuser();
CREATE INDEX more ON chunks (chunk_index);
SELECT noted('planned'), noted('run') \g /dev/null
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.match_chunks('[1,1,2]')), 10::bigint, 'its statements are planned again');
SELECT is(noted('planned'), current_setting('test.alone'), 'and what the planner runs meanwhile is planned as alone');
SELECT is((SELECT array_agg(setting ORDER BY name) FROM pg_settings WHERE name IN ('enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_material', 'enable_bitmapscan')),
          ARRAY['on', 'on', 'on', 'on', 'on'], 'after a search the planner''s switches are what they were');

SELECT * FROM finish();
ROLLBACK;
