-- Nasty values for the arguments of the extension's C functions, and the statements that call them. test/scripts/fuzz_functions.sh
-- runs what this generates. The first value of a type is a plausible one.
CREATE EXTENSION tenancy CASCADE;
CREATE SCHEMA fuzz;

SELECT tenancy.create_tenant('a') AS tenant \gset
SELECT tenancy.create_corpus(dimensions => 3) \g /dev/null
BEGIN;
SELECT tenancy.set_tenant(:'tenant'::uuid) \g /dev/null
INSERT INTO documents (id, title) VALUES ('00000000-0000-4000-8000-000000000001', 'title');
INSERT INTO chunks (document_id, chunk_index, content, embedding)
SELECT '00000000-0000-4000-8000-000000000001', i, 'word and words ' || i, ARRAY[i, 1, 2]::vector FROM generate_series(1, 300) i;
COMMIT;

CREATE TABLE fuzz.plain (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid, n int, body text, gone int);
ALTER TABLE fuzz.plain DROP COLUMN gone;
INSERT INTO fuzz.plain (n, body) SELECT i, 'x' FROM generate_series(1, 10) i;
CREATE VIEW fuzz.view AS SELECT * FROM fuzz.plain;
CREATE MATERIALIZED VIEW fuzz.materialized AS SELECT * FROM fuzz.plain;
CREATE SEQUENCE fuzz.sequence;
CREATE TYPE fuzz.composite AS (a int, b text);
CREATE TABLE fuzz.parted (id int, tenant_id uuid) PARTITION BY RANGE (id);
CREATE TABLE fuzz.part PARTITION OF fuzz.parted DEFAULT;
CREATE TABLE fuzz.dropped (id int);
SELECT 'fuzz.dropped'::regclass::oid AS dropped \gset
DROP TABLE fuzz.dropped;

CREATE TABLE fuzz.values (id serial, type text NOT NULL, value text NOT NULL);
INSERT INTO fuzz.values (type, value)
SELECT t.type, v.value
FROM (VALUES
    ('boolean', ARRAY['true', 'false', 'NULL']),
    ('smallint', ARRAY['1', 'NULL', '0', '-1', '32767', '-32768', '2']),
    ('integer', ARRAY['1', 'NULL', '0', '-1', '2147483647', '-2147483648', '60']),
    ('bigint', ARRAY['1', 'NULL', '0', '-1', '9223372036854775807', '-9223372036854775808']),
    ('double precision', ARRAY['0.5', 'NULL', '0', '-1', '''NaN''', '''Infinity''', '''-Infinity''', '1e308', '5e-324']),
    ('uuid', ARRAY[quote_literal(:'tenant'), 'NULL', '''00000000-0000-0000-0000-000000000000''', '''ffffffff-ffff-ffff-ffff-ffffffffffff''',
                   '''00000000-0000-4000-8000-000000000001''']),
    ('text', ARRAY['''default''', 'NULL', '''''', '''a''', 'repeat(''a'', 100000)', 'repeat(''é'', 50000)', 'repeat(''a '', 5000000)', '''%s%n%1$s''', '''"'''' \\''',
                   'E''\x01''', '''{''', '''{}''', 'repeat(''['', 20000)', 'repeat(''a.'', 2000)', quote_literal(:'tenant'), '''live''', '''SELECT''',
                   '''SELECT 1''', '''SELECT 1::bigint''', '''SELECT NULL::jsonb''', '''SELECT pg_catalog.jsonb_build_object()''',
                   '''SELECT NULL::uuid, NULL::uuid, NULL::public.vector''', '''SELECT NULL::uuid, NULL::uuid, NULL::text''', '''SELECT 1, 2, 3''',
                   '''SELECT c.tenant_id, c.id, c.embedding FROM public.chunks c''', '''SELECT c.tenant_id, c.id, c.content FROM public.chunks c''',
                   '''SELECT c.tenant_id, c.id, c.tsv FROM public.chunks c''',
                   '''SELECT 1; SELECT 2''', '''COMMIT''', '''CREATE TABLE fuzz.made ()''', '''COPY fuzz.plain TO STDOUT''', '''HS256 RS256 none''']),
    ('bytea', ARRAY['uuid_send(''' || :'tenant' || ''')', 'NULL', '''\x''', '''\x00''', 'repeat(''a'', 100000)::bytea', 'repeat(''a'', 255)::bytea',
                    'repeat(''a'', 256)::bytea', '''\xffffffffffffffffffffffffffffffff''']),
    ('regclass', ARRAY['''public.chunks''', 'NULL', '0', '4294967295', :'dropped', '''fuzz.plain''', '''fuzz.plain_pkey''', '''fuzz.view''', '''fuzz.materialized''',
                       '''fuzz.sequence''', '''fuzz.composite''', '''fuzz.parted''', '''fuzz.part''', '''pg_catalog.pg_class''', '''pg_catalog.pg_statistic''',
                       '(SELECT reltoastrelid FROM pg_class WHERE oid = ''public.chunks''::regclass)', '''tenancy.tenants''', '''tenancy.vector_blocks''']),
    ('regrole', ARRAY['current_user::regrole', 'NULL', '0', '4294967295']),
    ('jsonb', ARRAY['''{"a": 1}''', 'NULL', '''{}''', '''[]''', '''null''', '''"x"''', '''{"a": {"b": null}}''',
                    '(SELECT jsonb_object_agg(i, repeat(''x'', 100)) FROM generate_series(1, 1000) i)', '(repeat(''['', 3000) || repeat('']'', 3000))::jsonb']),
    ('uuid[]', ARRAY['''{00000000-0000-4000-8000-000000000001}''', 'NULL', '''{}''', '''{NULL}''', '''{{00000000-0000-4000-8000-000000000001},{NULL}}''',
                     '''[5:6]={00000000-0000-4000-8000-000000000001,NULL}''', 'array_fill(gen_random_uuid(), ARRAY[100000])',
                     'array_fill(NULL::uuid, ARRAY[10,10,10])']),
    ('timestamptz', ARRAY['now()', 'NULL', '''infinity''', '''-infinity''', '''4713-01-01 BC''', '''294276-12-31''']),
    ('date', ARRAY['current_date', 'NULL', '''infinity''', '''-infinity''', '''5874897-12-31''', '''4713-01-01 BC''']),
    ('interval', ARRAY['''1 day''', 'NULL', '''0''', '''-1 day''', '''178000000 years''', '''-178000000 years''', '''2147483647 days''']),
    ('regtype', ARRAY['''uuid''', 'NULL', '0', '4294967295', '''integer''', '''text''', '''bigint''', '''fuzz.composite''', '''anyelement''', '''internal''', '''uuid[]''']),
    ('text[]', ARRAY['''{a}''', 'NULL', '''{}''', '''{NULL}''', '''{{a,b},{c,NULL}}''', '''[5:6]={a,NULL}''', '''{data.read}''', '''{HS256}''', 'array_fill(''a''::text, ARRAY[100000])',
                     'ARRAY[repeat(''a'', 100000)]', 'ARRAY['''']', 'ARRAY[''a,b'', ''%s'', ''"'']']),
    ('name[]', ARRAY['''{n}''', 'NULL', '''{}''', '''{NULL}''', '''{{a,b},{c,NULL}}''', '''[5:6]={a,NULL}''', 'array_fill(''a''::name, ARRAY[10000])']),
    ('regclass[]', ARRAY['''{public.chunks}''', 'NULL', '''{}''', '''{NULL}''', '''{0}''', '''{4294967295}''', '''{{public.chunks},{fuzz.view}}''', '''[5:6]={fuzz.sequence,NULL}''',
                         '''{fuzz.plain_pkey,fuzz.view,fuzz.composite}''']),
    ('jsonb[]', ARRAY['ARRAY[''{"a": 1}''::jsonb]', 'NULL', '''{}''', '''{NULL}''', 'ARRAY[ARRAY[''1''::jsonb], ARRAY[''[]''::jsonb]]', 'array_fill(''{}''::jsonb, ARRAY[10000])',
                      'ARRAY[''null''::jsonb, ''[]'', ''"x"'', ''5'']']),
    ('vector', ARRAY['''[1,2,3]''', 'NULL', '''[1]''', '''[0,0,0]''', '''[3e38,3e38,3e38]''', '''[1e-38,0,1e-45]''', 'array_fill(1, ARRAY[16000])']),
    ('anyelement', ARRAY['''' || :'tenant' || '''::uuid', 'NULL::uuid', '1', '1::bigint', '''a''::text', 'NULL::text', 'repeat(''a'', 100000)', 'ARRAY[1]', '''x''::name',
                         'ROW(1, 2)', '''{}''::jsonb', '1.5::float8', '''(1,2)''::tid', '''a''::"char"', '''\x00''::bytea'])
) AS t (type, all_values), unnest(t.all_values) WITH ORDINALITY AS v (value, place) ORDER BY t.type, v.place;

CREATE VIEW fuzz.functions AS
SELECT p.oid, p.oid::regprocedure::text AS name, format('%I.%I', n.nspname, p.proname) AS called, p.prorettype::regtype::text AS result,
       ARRAY(SELECT CASE format_type(a.type, NULL) WHEN 'character varying' THEN 'text' WHEN 'oid' THEN 'regclass' WHEN 'name' THEN 'text'
                         WHEN 'timestamp with time zone' THEN 'timestamptz'
                         ELSE regexp_replace(format_type(a.type, NULL), '^.*\.', '') END
             FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place) ORDER BY a.place) AS types
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'tenancy'
WHERE l.lanname = 'c';

-- A call with the chosen value of each argument (1 is the plausible one).
CREATE FUNCTION fuzz.call_of(called text, types text[], chosen int[]) RETURNS text
LANGUAGE sql AS $$
    SELECT format('BEGIN; SELECT count(*) FROM (SELECT * FROM %s(%s)) made; ROLLBACK;', called, string_agg(
        CASE WHEN a.type = 'anyelement' THEN v.value ELSE v.value || '::' || CASE a.type WHEN 'vector' THEN 'public.vector' ELSE a.type END END, ', ' ORDER BY a.place))
    FROM unnest(types) WITH ORDINALITY AS a (type, place)
    LEFT JOIN LATERAL (SELECT x.value FROM fuzz.values x WHERE x.type = a.type ORDER BY x.id OFFSET (chosen)[a.place] - 1 LIMIT 1) v ON true
$$;

CREATE FUNCTION fuzz.many(type text) RETURNS int LANGUAGE sql AS $$ SELECT count(*)::int FROM fuzz.values v WHERE v.type = many.type $$;

-- Each value once with plausible ones beside it, then values by chance.
CREATE FUNCTION fuzz.calls(function oid, by_chance int) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    it fuzz.functions;
    chosen int[];
BEGIN
    SELECT f.* INTO it FROM fuzz.functions f WHERE f.oid = function;
    IF it.result IN ('trigger', 'event_trigger') OR cardinality(it.types) = 0 THEN
        RETURN NEXT format('BEGIN; SELECT %s(); ROLLBACK;', it.called);
        RETURN;
    END IF;
    FOR place IN 1 .. cardinality(it.types) LOOP
        FOR which IN 1 .. fuzz.many(it.types[place]) LOOP
            chosen := array_fill(1, ARRAY[cardinality(it.types)]);
            chosen[place] := which;
            RETURN NEXT fuzz.call_of(it.called, it.types, chosen);
        END LOOP;
    END LOOP;
    FOR i IN 1 .. by_chance LOOP
        chosen := ARRAY(SELECT 1 + floor(random() * fuzz.many(a.type))::int FROM unnest(it.types) WITH ORDINALITY a (type, place) ORDER BY a.place);
        RETURN NEXT fuzz.call_of(it.called, it.types, chosen);
    END LOOP;
END
$$;

-- A trigger function on relations, levels and events that it was not made for.
CREATE FUNCTION fuzz.attachments(function oid) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT format('BEGIN; CREATE TRIGGER nasty %s %s ON %s %s FOR EACH %s EXECUTE FUNCTION %s(%s); INSERT INTO %4$s%s; UPDATE %4$s SET %s; DELETE FROM %4$s; %s ROLLBACK;',
                  w.timing, e.event, t.name, CASE WHEN w.with_tables THEN x.tables ELSE '' END, w.level, f.called, g.arguments, t.insert, t.update,
                  CASE WHEN t.kind = 'table' THEN format('TRUNCATE %s CASCADE;', t.name) ELSE '' END)
    FROM fuzz.functions f,
         (VALUES ('fuzz.plain', 'table', ' (n) VALUES (1)', 'n = 2'), ('fuzz.view', 'view', ' (n) VALUES (1)', 'n = 2'), ('fuzz.parted', 'table', ' (id) VALUES (1)', 'id = 2'),
                 ('public.chunks', 'table', $x$ (tenant_id, document_id, chunk_index, content, embedding) SELECT tenant_id, document_id, 1000, 'a', '[1,1,1]' FROM public.chunks LIMIT 1$x$, 'content = ''b''')
         ) AS t (name, kind, insert, update),
         (VALUES ('BEFORE', 'ROW', false), ('AFTER', 'ROW', false), ('AFTER', 'ROW', true), ('BEFORE', 'STATEMENT', false), ('AFTER', 'STATEMENT', false),
                 ('AFTER', 'STATEMENT', true), ('INSTEAD OF', 'ROW', false)) AS w (timing, level, with_tables),
         (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('INSERT OR UPDATE OR DELETE')) AS e (event),
         (VALUES (''), ('''default'''), ('''nothing'''), ('''{n}'''), ('''a'', ''b''')) AS g (arguments),
         LATERAL (SELECT CASE e.event WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS old_rows'
                                      ELSE 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows' END AS tables) x
    WHERE f.oid = function AND f.result = 'trigger'
      AND (w.timing = 'INSTEAD OF') = (t.kind = 'view')
    UNION ALL
    SELECT format('BEGIN; CREATE EVENT TRIGGER nasty ON %s EXECUTE FUNCTION %s(); CREATE TABLE fuzz.a (i int); ALTER TABLE fuzz.a ALTER i TYPE bigint USING i + 1; '
                  'CREATE VIEW fuzz.b AS SELECT 1 AS c; DROP TABLE fuzz.a; GRANT SELECT ON fuzz.plain TO PUBLIC; REFRESH MATERIALIZED VIEW fuzz.materialized; ROLLBACK;', e.event, f.called)
    FROM fuzz.functions f, (VALUES ('ddl_command_start'), ('ddl_command_end'), ('sql_drop'), ('table_rewrite')) AS e (event)
    WHERE f.oid = function AND f.result = 'event_trigger'
$$;
