-- The caller's search_path decides nothing: shadowed operators, functions and tables are never run.
BEGIN;
SELECT plan(9);
SET LOCAL client_min_messages = error; -- the traps are tables without protection, and it is warned of them

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT tenancy.create_corpus(dimensions => 2);
SELECT format('GRANT CREATE ON SCHEMA public TO %I; CREATE SCHEMA evil AUTHORIZATION %1$I', test_helpers.role_name('app')) \gexec

SELECT test_helpers.act_as('app', test_helpers.a());
INSERT INTO documents (id, title) VALUES ('00000000-0000-0000-0000-00000000000d', 'doc');
INSERT INTO chunks (document_id, chunk_index, content, embedding)
VALUES ('00000000-0000-0000-0000-00000000000d', 1, 'red apple', '[1,0]'), ('00000000-0000-0000-0000-00000000000d', 2, 'green pear', '[0,1]');

CREATE FUNCTION pg_temp.all_results() RETURNS text LANGUAGE sql SET search_path = pg_catalog, public AS $$
    SELECT concat_ws(E'\n', (SELECT string_agg(m::text, E'\n') FROM tenancy.match_chunks('[1,0]', filter => '{}', document_ids => '{00000000-0000-0000-0000-00000000000d}') m),
        (SELECT string_agg(k::text, E'\n') FROM tenancy.keyword_search('apple "green pear"', filter => '{}') k),
        (SELECT string_agg(h::text, E'\n') FROM tenancy.hybrid_search('[1,0]', 'apple -pear') h),
        (SELECT string_agg(d::text, E'\n') FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d') d))
$$;
CREATE TEMP TABLE honest AS SELECT pg_temp.all_results();

-- Everything that the statements could name, as traps.
CREATE FUNCTION evil.trap() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION evil.compare(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.trap(); SELECT true $$;
CREATE FUNCTION evil.contains(jsonb, jsonb) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.trap(); SELECT true $$;
CREATE FUNCTION evil.distance(public.vector, public.vector) RETURNS double precision LANGUAGE sql AS $$ SELECT evil.trap(); SELECT 0::double precision $$;
CREATE FUNCTION evil.equal(double precision, double precision) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.trap(); SELECT true $$;
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.compare);
CREATE OPERATOR evil.= (LEFTARG = double precision, RIGHTARG = double precision, FUNCTION = evil.equal);
CREATE OPERATOR evil.@> (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = evil.contains);
CREATE OPERATOR evil.<=> (LEFTARG = public.vector, RIGHTARG = public.vector, FUNCTION = evil.distance);
CREATE FUNCTION evil.unnest(uuid[]) RETURNS SETOF uuid LANGUAGE sql AS $$ SELECT evil.trap(); SELECT NULL::uuid $$;
CREATE FUNCTION evil.to_tsvector(regconfig, text) RETURNS tsvector LANGUAGE sql AS $$ SELECT evil.trap(); SELECT NULL::tsvector $$;
CREATE TABLE evil.chunks (LIKE public.chunks);
CREATE TABLE evil.documents (LIKE public.documents);
CREATE TEMP TABLE chunks (LIKE public.chunks);
CREATE DOMAIN evil.float8 AS text;
CREATE DOMAIN evil.int4 AS text;

CREATE FUNCTION pg_temp.results_with(path text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    PERFORM set_config('search_path', path, true);
    SELECT pg_catalog.concat_ws(E'\n', (SELECT pg_catalog.string_agg(m::text, E'\n') FROM tenancy.match_chunks('[1,0]'::public.vector, filter => '{}', document_ids => '{00000000-0000-0000-0000-00000000000d}') m),
        (SELECT pg_catalog.string_agg(k::text, E'\n') FROM tenancy.keyword_search('apple "green pear"', filter => '{}') k),
        (SELECT pg_catalog.string_agg(h::text, E'\n') FROM tenancy.hybrid_search('[1,0]'::public.vector, 'apple -pear') h),
        (SELECT pg_catalog.string_agg(d::text, E'\n') FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d') d)) INTO result;
    PERFORM pg_catalog.set_config('search_path', 'public', true);
    RETURN result;
END
$$;

-- A session that has its plans, and one that makes them under the path of the attacker.
SELECT is(pg_temp.results_with(path), (SELECT all_results FROM honest), format('search_path = %s', path))
FROM unnest('{"evil,pg_catalog","pg_temp,evil,pg_catalog,public","\"\"","evil"}'::text[]) path;
SELECT test_helpers.act_as_superuser();
COMMENT ON SCHEMA evil IS 'touched';
ALTER TABLE public.chunks SET (fillfactor = 90);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(pg_temp.results_with(path), (SELECT all_results FROM honest), format('planned under search_path = %s', path))
FROM unnest('{"evil,pg_catalog","pg_temp,evil,pg_catalog,public","\"\"","evil"}'::text[]) path;

SELECT matches((SELECT all_results FROM honest), 'red apple.*green pear', 'and these are the rows');

SELECT * FROM finish();
ROLLBACK;
