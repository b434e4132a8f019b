-- One schema, once with plain names and once with those of our own SQL (the variable naming says which). Results are printed with
-- places in the list of names instead of names, so that both outputs must be the same.
CREATE EXTENSION tenancy CASCADE;
CREATE SCHEMA test;
CREATE TABLE test.words (word text COLLATE "C");
SELECT format('\copy test.words FROM %L', :'words') AS load \gset
:load

-- The words of all functions, their arguments, and of the policies and triggers that are installed.
CREATE TABLE test.texts AS
SELECT p.prosrc || ' ' || coalesce(pg_get_function_sqlbody(p.oid), '') || ' ' || array_to_string(coalesce(p.proargnames, '{}'), ' ') AS body
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'tenancy';
INSERT INTO test.words SELECT DISTINCT (regexp_matches(body, '[A-Za-z_][A-Za-z0-9_]*', 'g'))[1] FROM test.texts;
INSERT INTO test.words SELECT 'NEW' UNION SELECT lower(word) FROM test.words UNION SELECT word FROM pg_get_keywords();
-- A word that gets a number behind it: 'parent' || depth.
CREATE TABLE test.stems AS
SELECT DISTINCT (regexp_matches(body, '''([a-z_]{1,40})''(?:::text)? \|\| [a-z(]', 'g'))[1] AS stem FROM test.texts;
INSERT INTO test.words SELECT stem || e FROM test.stems, unnest('{1,2,3,1_,2_}'::text[]) e;

-- Names of tables: what stands as an alias anywhere.
CREATE TABLE test.aliases AS
SELECT DISTINCT m AS word FROM (
    SELECT (regexp_matches(body, '\m(?:FROM|JOIN|USING|UPDATE|INTO)\M\s+(?:ONLY\s+|LATERAL\s+)?[^\s()]+(?:\([^()]*\))?\s+(?:AS\s+)?([a-z_][a-z0-9_]*)\M', 'g'))[1] AS m FROM test.texts
    UNION SELECT (regexp_matches(body, '\m(?:AS|TABLE AS|WITH|INTO)\s+([a-z_][a-z0-9_]*)\M', 'g'))[1] FROM test.texts
    UNION SELECT (regexp_matches(body, '\)\s+(?:AS\s+)?([a-z_][a-z0-9_]?)\M', 'g'))[1] FROM test.texts
    UNION SELECT stem || e FROM test.stems, unnest('{1,2,3,1_}'::text[]) e) a
WHERE length(m) <= 14;
-- What is odd by itself.
CREATE TABLE test.strange AS SELECT * FROM unnest(ARRAY['User', 'SELECT', ' ', '%', '%s %I %1$s %%', 'it''s', '"', 'a"b', '\', 'a.b', '(', '$1', E'new\nline', E'tab\t', U&'\00e9', U&'e\0301',
    repeat('x', 62) || 'a', repeat('x', 62) || 'b', repeat(U&'\00e9', 31), 'tenancy_read', 'tenancy_isolation', 'tenancy_audit_insert', 'pg_temp', 'tenant_id_1',
    'x ADD CONSTRAINT y ', 'x INDEX CONCURRENTLY y', ') WHERE ', 'VALIDATE CONSTRAINT z', 'a USING btree (', ' ON ONLY ']) AS word;
CREATE TABLE test.names AS
SELECT row_number() OVER (ORDER BY w.word) AS place, w.word, w.word IN (SELECT a.word FROM test.aliases a UNION SELECT s.word FROM test.strange s) AS is_alias
FROM (SELECT word FROM test.words WHERE octet_length(word) < 64 UNION SELECT word FROM test.aliases UNION SELECT word FROM test.strange) w
WHERE w.word NOT IN ('tenant_id', 'ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid', 'id');
ALTER TABLE test.names ADD PRIMARY KEY (place), ADD UNIQUE (word);
ANALYZE test.names;
SELECT set_config('test.naming', :'naming', false) \g /dev/null

CREATE FUNCTION test.n(place bigint) RETURNS text LANGUAGE sql STABLE
RETURN CASE current_setting('test.naming') WHEN 'odd' THEN (SELECT n.word FROM test.names n WHERE n.place = $1) ELSE 'plain_' || $1 END;
-- A name that has a part to play: both namings know it by its odd one.
CREATE FUNCTION test.n(word text) RETURNS text LANGUAGE sql STABLE
RETURN test.n((SELECT coalesce(min(n.place), -1) FROM test.names n WHERE n.word = $1));
CREATE FUNCTION test.back(name text) RETURNS text LANGUAGE sql STABLE
RETURN CASE current_setting('test.naming') WHEN 'odd' THEN coalesce((SELECT 'plain_' || n.place FROM test.names n WHERE n.word = name), name) ELSE name END;
CREATE FUNCTION test.row(data json) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT string_agg(test.back(e.key) || '=' || coalesce(e.value, 'null'), ' ' ORDER BY test.back(e.key) COLLATE "C") FROM json_each_text(data) e WHERE e.key <> 'tenant_id');
CREATE FUNCTION test.run(statements text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE s text; n bigint; total bigint := 0;
BEGIN
    FOREACH s IN ARRAY statements LOOP
        BEGIN
            EXECUTE s;
            GET DIAGNOSTICS n = ROW_COUNT;
            total := total + n;
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION '% IN %', SQLERRM, left(s, 300);
        END;
    END LOOP;
    RETURN total;
END $$;
CREATE FUNCTION test.count(statements text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE s text; n bigint; total bigint := 0;
BEGIN
    FOREACH s IN ARRAY statements LOOP EXECUTE s INTO n; total := total + n; END LOOP;
    RETURN total;
END $$;
CREATE FUNCTION test.refused(statements text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE s text; n bigint := 0;
BEGIN
    FOREACH s IN ARRAY statements LOOP
        BEGIN
            EXECUTE s;
        EXCEPTION WHEN insufficient_privilege THEN n := n + 1;
        END;
    END LOOP;
    RETURN n;
END $$;
GRANT USAGE ON SCHEMA test TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA test TO PUBLIC;

INSERT INTO tenancy.tenants (id, organization_id, slug, name, external_key)
VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', '00000000-0000-0000-0000-000000000001', 'a', 'A', '1001'),
       ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', '00000000-0000-0000-0000-000000000001', 'b', 'B', '1002');
SELECT format('names_%s', :'naming') AS app \gset
CREATE ROLE :"app" LOGIN;
SELECT tenancy.grant_app(:'app') \g /dev/null
SELECT test.n('%s %I %1$s %%') AS schema \gset
CREATE SCHEMA :"schema";
CREATE SCHEMA base;
GRANT USAGE ON SCHEMA :"schema", base TO :"app";
SELECT quote_ident(:'schema') AS app_schema \gset

\echo == names of tables: paths
CREATE TABLE base.families (family_id integer PRIMARY KEY);
SELECT FROM tenancy.protect('base.families', global_keys => '{families_pkey}') \g /dev/null
CREATE TABLE test.paths AS
SELECT n.place, format('%s.%I', :'app_schema', test.n(n.place)) AS relation, quote_ident(test.n(n.place)) AS name
FROM test.names n WHERE n.is_alias;
GRANT SELECT ON test.paths TO PUBLIC;
SELECT test.run(array_agg(format('CREATE TABLE %1$s (family_id integer NOT NULL CONSTRAINT %2$s REFERENCES base.families, %2$s integer CONSTRAINT %3$I UNIQUE)', relation, name, 'u' || place))) FROM test.paths \g /dev/null
SELECT count(*) > 150, count(*) = count(DISTINCT relation) FROM test.paths;
SELECT test.run(array_agg(format('SELECT tenancy.protect_by_path(%L)', relation))) FROM test.paths;
SELECT test.run(array_agg(format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', relation, :'app'))) FROM test.paths \g /dev/null
GRANT SELECT, INSERT ON base.families TO :"app";
SET SESSION AUTHORIZATION :"app";
BEGIN; SELECT tenancy.set_tenant('a') \g /dev/null
INSERT INTO base.families VALUES (1);
SELECT test.run(array_agg(format('INSERT INTO %s VALUES (1, 1)', relation))) = count(*) FROM test.paths;
COMMIT;
BEGIN; SELECT tenancy.set_tenant('b') \g /dev/null
INSERT INTO base.families VALUES (2);
SELECT test.run(array_agg(format('INSERT INTO %s VALUES (2, 2)', relation))) = count(*) FROM test.paths;
SELECT test.count(array_agg(format('SELECT count(*) FROM %s', relation))) - count(*) AS rows_of_a FROM test.paths;
SELECT test.run(array_agg(format('UPDATE %s SET %s = 3 WHERE family_id = 1', relation, name))) FROM test.paths;
SELECT test.run(array_agg(format('DELETE FROM %s WHERE family_id = 1', relation))) FROM test.paths;
SELECT test.refused(array_agg(format('INSERT INTO %s VALUES (1, 9)', relation))) = count(*) FROM test.paths;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT test.count(array_agg(format('SELECT count(*) FROM %s WHERE family_id = 1 AND %s = 1', relation, name))) = count(*) FROM test.paths;

\echo == names of tables: counted and exported
SELECT count(*) = (SELECT count(*) FROM test.paths), sum(row_count) = count(*) FROM tenancy.count_rows('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb') WHERE relation NOT LIKE 'tenancy.%' AND relation <> 'base.families';
SELECT count(DISTINCT e.relation) = (SELECT count(*) FROM test.paths), min((e.data ->> 'family_id')::integer), max((e.data ->> 'family_id')::integer)
FROM tenancy.export_tenant('b') e WHERE e.relation NOT LIKE 'tenancy.%' AND e.relation <> 'base.families';

\echo == names of tables: check
SELECT code, severity, count(*) > 150 FROM tenancy.check() WHERE code <> 'server_outdated' AND code NOT LIKE 'superuser%' GROUP BY 1, 2 ORDER BY 1, 2;

\echo == names of tables: pentest
SELECT r.attack, r.result, count(*) FROM (SELECT relation FROM test.paths WHERE place IN (SELECT n.place FROM test.names n WHERE n.word IN ('parent1', 'parent2', 't', 'r', 'x', 'k', 'old_rows', 'User', '%s %I %1$s %%', 'a"b', E'new\nline', 'tenancy_read'))) p
CROSS JOIN LATERAL tenancy.pentest(p.relation::regclass) r GROUP BY 1, 2 ORDER BY 1, 2;

\echo == names of tables: unprotected again
SELECT test.run(array_agg(format('SELECT tenancy.unprotect(%L)', relation))) > 0 FROM test.paths;
SELECT count(*) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :'schema';
SELECT test.run(array_agg(format('DROP TABLE %s', relation))) FROM test.paths \g /dev/null

\echo == names of columns
CREATE TABLE test.wide AS
SELECT w.number, format('%s.%I', :'app_schema', test.n(w.named)) AS relation, w.columns, w.key
FROM (SELECT number, (array_agg(place ORDER BY place))[7] AS named, (array_agg(test.n(place) ORDER BY place))[3] AS key,
             array_agg(test.n(place) ORDER BY place) AS columns
      FROM (SELECT place, place % 8 AS number FROM test.names) n GROUP BY number) w;
GRANT SELECT ON test.wide TO PUBLIC;
-- By turns an integer, a text, a jsonb and a json; values say whose they are, and some are null.
SELECT test.run(array_agg(format('CREATE TABLE %s (%s, CONSTRAINT %I PRIMARY KEY (%I))', relation,
    (SELECT string_agg(format('%I %s', c, CASE WHEN c = key THEN 'integer' ELSE (ARRAY['integer', 'text', 'jsonb', 'json', 'integer[]'])[1 + o % 5] END), ', ' ORDER BY o) FROM unnest(columns) WITH ORDINALITY u (c, o)),
    columns[11], key))) FROM test.wide \g /dev/null
SELECT sum(cardinality(columns)) = (SELECT count(*) FROM test.names), sum(cardinality(columns)) > 2000 FROM test.wide;
SELECT test.run(array_agg(format('SELECT tenancy.protect(%L)', relation))) FROM test.wide;
SELECT test.run(array_agg(format('SELECT tenancy.audit(%L)', relation))) FROM test.wide;
SELECT test.run(array_agg(format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', relation, :'app'))) FROM test.wide \g /dev/null
CREATE FUNCTION test.inserts(who integer) RETURNS text[] LANGUAGE sql STABLE
RETURN (SELECT array_agg(format('INSERT INTO %s (%s) VALUES (%s), (%s)', relation, (SELECT string_agg(quote_ident(c), ', ' ORDER BY o) FROM unnest(columns) WITH ORDINALITY u (c, o)),
    (SELECT string_agg(CASE WHEN c = key THEN who::text WHEN o % 7 = 2 THEN 'NULL'
                            ELSE (ARRAY[who || '0', quote_literal('text of ' || who), quote_literal(format('{"tenant_id": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "who": %s}', who)),
                                        quote_literal(format('{"a": "\u0000", "who": %s}', who)) || '::json', quote_literal(format('[0:1]={%s,2}', who))])[1 + o % 5] END, ', ' ORDER BY o)
     FROM unnest(columns) WITH ORDINALITY u (c, o)),
    (SELECT string_agg(CASE WHEN c = key THEN (who + 10)::text ELSE 'NULL' END, ', ' ORDER BY o) FROM unnest(columns) WITH ORDINALITY u (c, o)))) FROM test.wide);
SET SESSION AUTHORIZATION :"app";
BEGIN; SELECT tenancy.set_tenant('a') \g /dev/null
SELECT test.run(test.inserts(1));
COMMIT;
BEGIN; SELECT tenancy.set_tenant('b') \g /dev/null
SELECT test.run(test.inserts(2));
SELECT test.run(array_agg(format('UPDATE %s SET %I = 5 WHERE %2$I < 10', relation, key))) FROM test.wide;
SELECT test.run(array_agg(format('DELETE FROM %s WHERE %I > 10', relation, key))) FROM test.wide;
SELECT test.count(array_agg(format('SELECT count(*) FROM %s', relation))) FROM test.wide;
COMMIT;
RESET SESSION AUTHORIZATION;

\echo == names of columns: export
SELECT e.row_number, md5(test.row(e.data)) FROM tenancy.export_tenant('b') e WHERE e.relation IN (SELECT w.relation::regclass::text FROM test.wide w) ORDER BY 2;
SELECT e.row_number, md5(test.row(e.data)) FROM tenancy.export_tenant('a') e WHERE e.relation IN (SELECT w.relation::regclass::text FROM test.wide w) ORDER BY 2;

\echo == names of columns: audit
SELECT l.action, md5(test.row(l.before::json)), md5(test.row(l.after::json)) FROM tenancy.audit_log('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', max_rows => 1000) l WHERE l.action IN ('insert', 'update', 'delete') ORDER BY 1, 2, 3;
SELECT l.action, count(*) FROM tenancy.audit_log('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', max_rows => 1000) l WHERE l.action IN ('insert', 'update', 'delete') GROUP BY 1;
SELECT intact FROM tenancy.verify_audit('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');

\echo == names of columns: check and pentest
SELECT code, severity, count(*) FROM tenancy.check() WHERE code <> 'server_outdated' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT r.attack, r.result, count(*) FROM test.wide w CROSS JOIN LATERAL tenancy.pentest(w.relation::regclass) r GROUP BY 1, 2 ORDER BY 1, 2;

\echo == names of columns: publication
SELECT length(tenancy.publish_tenant('b', test.n('a"b'), ARRAY(SELECT w.relation::regclass FROM test.wide w))) > 0;
SELECT pubname = test.n('a"b'), count(*) FROM pg_publication_tables GROUP BY 1;
SELECT format('DROP PUBLICATION %I', test.n('a"b')) \gexec

\echo == names of keys
SELECT test.n('a.b') AS schema_of_keys \gset
CREATE SCHEMA :"schema_of_keys";
SELECT format('%I.%I', :'schema_of_keys', test.n('found')) AS parents, format('%I.%I', :'schema_of_keys', test.n('format')) AS children \gset
CREATE TABLE test.keys AS SELECT row_number() OVER (ORDER BY n.place)::integer AS i, n.place, test.n(n.place) AS name FROM test.names n WHERE n.word IN (SELECT word FROM test.strange);
SELECT format('CREATE TABLE %s (%s)', :'parents', string_agg(format('%I integer NOT NULL CONSTRAINT %1$I UNIQUE', name), ', ' ORDER BY i)) FROM test.keys \gexec
SELECT format('CREATE TABLE %s (%s)', :'children', string_agg(format('%I integer CONSTRAINT %1$I REFERENCES %2$s (%1$I) ON DELETE SET NULL', name, :'parents'), ', ' ORDER BY i)) FROM test.keys \gexec
CREATE FUNCTION test.keys_of() RETURNS TABLE (name text, kind "char", columns text) LANGUAGE sql STABLE
AS $$ SELECT test.back(f.conname::text), f.contype, (SELECT string_agg(test.back(a.attname::text), ',' ORDER BY k.o) FROM unnest(f.conkey) WITH ORDINALITY k (n, o) JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.n)
      FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid WHERE c.relnamespace = quote_ident(test.n('a.b'))::regnamespace AND f.contype IN ('p', 'u', 'f') $$;
CREATE TABLE test.before AS SELECT * FROM test.keys_of();
SELECT kind, test.back(name::text), blocked IS NULL, cardinality(prepare), cardinality(swap), cardinality(undo) FROM tenancy.key_changes(:'parents') ORDER BY 1, 2;
SELECT count(*) FROM tenancy.protect(:'parents');
SELECT count(*) FROM tenancy.protect(:'children');
SELECT * FROM test.keys_of() WHERE name NOT LIKE '%tenant_id%' ORDER BY kind, name COLLATE "C", columns COLLATE "C";
SELECT code, severity, count(*) FROM tenancy.check() WHERE code <> 'server_outdated' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM tenancy.unprotect(:'children');
SELECT count(*) FROM tenancy.unprotect(:'parents');
SELECT count(*) FROM (SELECT * FROM test.keys_of() EXCEPT SELECT * FROM test.before UNION ALL (SELECT * FROM test.before EXCEPT SELECT * FROM test.keys_of())) d;
SELECT format('DROP TABLE %s, %s', :'children', :'parents') \gexec

\echo == purge
SELECT tenancy.delete_tenant('b') \g /dev/null
CALL tenancy.purge_tenant('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 3);
SELECT test.count(array_agg(format('SELECT count(*) FROM %s', relation))) FROM test.wide;
SELECT test.run(array_agg(format('SELECT tenancy.unprotect(%L)', relation))) > 0 FROM test.wide;
SELECT test.run(array_agg(format('DROP TABLE %s', relation))) FROM test.wide \g /dev/null

\echo == migration: plan
SELECT test.n('it''s') AS u, test.n('old') AS uid, test.n('SELECT') AS uname, test.n('parent1') AS o, test.n('new') AS oid, test.n('found') AS ouser,
       test.n(repeat('x', 62) || 'b') AS i, test.n('tg_op') AS iorder, test.n('r') AS inote, test.n('k') AS uniq, test.n('x ADD CONSTRAINT y ') AS p, test.n('migration') AS ikey,
       test.n('VALIDATE CONSTRAINT z') AS ukey, test.n('x INDEX CONCURRENTLY y') AS opk \gset
CREATE TABLE :app_schema.:"u" (:"uid" integer CONSTRAINT :"ukey" PRIMARY KEY, :"uname" text);
CREATE TABLE :app_schema.:"o" (:"oid" integer CONSTRAINT :"opk" PRIMARY KEY, :"ouser" integer NOT NULL CONSTRAINT :"ouser" REFERENCES :app_schema.:"u", :"uniq" text CONSTRAINT :"uniq" UNIQUE);
CREATE TABLE :app_schema.:"i" (:"ikey" integer PRIMARY KEY, :"iorder" integer NOT NULL CONSTRAINT :"iorder" REFERENCES :app_schema.:"o", :"inote" text);
CREATE TABLE :app_schema.:"p" (:"iorder" integer NOT NULL REFERENCES :app_schema.:"i", :"inote" text);
INSERT INTO :app_schema.:"u" VALUES (1, 'one'), (2, 'two');
INSERT INTO :app_schema.:"o" VALUES (10, 1, 'x'), (20, 2, 'y');
INSERT INTO :app_schema.:"i" VALUES (100, 10, 'a'), (200, 20, 'b');
INSERT INTO :app_schema.:"p" VALUES (100, 'a'), (200, 'b');
CREATE FUNCTION test.fingerprint() RETURNS TABLE (what text) LANGUAGE sql STABLE AS $$
    SELECT format('%s %s %s %s', c.relname, a.attname, a.atttypid, a.attnotnull) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relkind = 'r' AND c.relnamespace = quote_ident(test.n('%s %I %1$s %%'))::regnamespace
    UNION ALL SELECT pg_get_constraintdef(f.oid) || f.conname FROM pg_constraint f WHERE f.connamespace = quote_ident(test.n('%s %I %1$s %%'))::regnamespace
    UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = quote_ident(test.n('%s %I %1$s %%'))::regnamespace
    UNION ALL SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE NOT g.tgisinternal AND c.relnamespace = quote_ident(test.n('%s %I %1$s %%'))::regnamespace
    UNION ALL SELECT p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = quote_ident(test.n('%s %I %1$s %%'))::regnamespace $$;
CREATE TABLE test.shop AS SELECT * FROM test.fingerprint();
SELECT jsonb_build_object(format('%s.%I', :'app_schema', :'u'), jsonb_build_object('name', :'uname'), format('%s.%I', :'app_schema', :'p'), 'path') AS choices,
       format('%s.%I', :'app_schema', :'u') AS users \gset
SELECT kind, severity, code, count(*) FROM tenancy.plan_migration('personal', :'choices', :'users', schemas => ARRAY[:'schema']::name[]) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

\echo == migration: run
SELECT tenancy.start_migration('personal', :'choices', :'users', schemas => ARRAY[:'schema']::name[], online => false);
CALL tenancy.run_migration('prepared');
-- The old application goes on: what it writes gets its tenant, and what moves takes along what follows it.
INSERT INTO :app_schema.:"u" VALUES (3, 'three');
INSERT INTO :app_schema.:"o" VALUES (30, 3, 'z');
INSERT INTO :app_schema.:"i" VALUES (300, 30, 'c');
INSERT INTO :app_schema.:"p" VALUES (300, 'c');
UPDATE :app_schema.:"o" SET :"ouser" = 1 WHERE :"oid" = 20;
SELECT i.:"ikey", t.external_key FROM :app_schema.:"i" i JOIN tenancy.tenants t ON t.id = i.tenant_id ORDER BY 1;
CALL tenancy.run_migration('trial');
CALL tenancy.run_migration('enforced');
SELECT kind, phase, state, count(*) FROM tenancy.migration_steps GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT code, severity, count(*) FROM tenancy.check() WHERE code <> 'server_outdated' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %I', :'app_schema', :'app') \gexec
SELECT id AS three FROM tenancy.tenants WHERE external_key = '3' \gset
SET SESSION AUTHORIZATION :"app";
BEGIN; SELECT tenancy.set_tenant(:'three'::uuid) \g /dev/null
SELECT (SELECT count(*) FROM :app_schema.:"u"), (SELECT count(*) FROM :app_schema.:"o"), (SELECT count(*) FROM :app_schema.:"i"), (SELECT count(*) FROM :app_schema.:"p");
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT r.attack, r.result, count(*) FROM tenancy.pentest() r GROUP BY 1, 2 ORDER BY 1, 2;

\echo == migration: disabled, enabled and undone
SELECT count(*) FROM tenancy.disable_tenancy();
SELECT count(*) FROM tenancy.enable_tenancy();
CALL tenancy.undo_migration();
SELECT count(*) FROM (SELECT * FROM test.fingerprint() EXCEPT SELECT * FROM test.shop UNION ALL (SELECT * FROM test.shop EXCEPT SELECT * FROM test.fingerprint())) d;
SELECT (SELECT count(*) FROM :app_schema.:"u"), (SELECT count(*) FROM :app_schema.:"o"), (SELECT count(*) FROM :app_schema.:"i"), (SELECT count(*) FROM :app_schema.:"p");
DROP TABLE :app_schema.:"u", :app_schema.:"o", :app_schema.:"i", :app_schema.:"p";

\echo == search
SELECT test.n('d') AS documents, test.n('c') AS chunks, test.n('x') AS tid, test.n('k') AS cid, test.n('raw') AS document_id, test.n('n') AS chunk_index, test.n('%') AS content,
       test.n('distance') AS embedding, test.n('a"b') AS metadata, test.n('it''s') AS title, test.n('source') AS source, test.n('place') AS did \gset
CREATE TABLE :app_schema.:"documents" (:"tid" uuid NOT NULL, :"did" uuid, :"title" text, :"source" text, PRIMARY KEY (:"tid", :"did"));
CREATE TABLE :app_schema.:"chunks" (:"tid" uuid NOT NULL, :"cid" uuid, :"document_id" uuid NOT NULL, :"chunk_index" integer, :"content" text, :"embedding" vector(3), :"metadata" jsonb, PRIMARY KEY (:"tid", :"cid"));
SELECT count(*) FROM tenancy.protect(format('%s.%I', :'app_schema', :'documents')::regclass, :'tid');
SELECT count(*) FROM tenancy.protect(format('%s.%I', :'app_schema', :'chunks')::regclass, :'tid');
SELECT tenancy.attach_corpus('default', format('%s.%I', :'app_schema', :'documents')::regclass, format('%s.%I', :'app_schema', :'chunks')::regclass,
    jsonb_build_object('id', :'cid', 'document_id', :'document_id', 'chunk_index', :'chunk_index', 'content', :'content', 'embedding', :'embedding', 'metadata', :'metadata',
                       'documents_id', :'did', 'title', :'title', 'source', :'source'));
SELECT tenancy.create_graph();
SET SESSION AUTHORIZATION :"app";
BEGIN; SELECT tenancy.set_tenant('a') \g /dev/null
INSERT INTO :app_schema.:"documents" SELECT 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'title ' || n, 'source ' || n FROM generate_series(1, 3) n;
INSERT INTO :app_schema.:"chunks" SELECT 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', format('00000000-0000-4000-9000-%s', lpad(n::text, 12, '0'))::uuid, format('00000000-0000-4000-8000-%s', lpad((1 + n % 3)::text, 12, '0'))::uuid,
    n, 'word' || n || ' common ' || repeat('often ', n % 5), format('[%s,%s,1]', n % 7, n % 5)::vector, jsonb_build_object('even', n % 2 = 0) FROM generate_series(1, 40) n;
SELECT * FROM tenancy.match_chunks('[1,2,3]', 5);
SELECT * FROM tenancy.match_chunks('[1,2,3]', 5, filter => '{"even": true}', document_ids => '{00000000-0000-4000-8000-000000000001}');
SELECT * FROM tenancy.keyword_search('often word7', 5);
SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'often common', 5);
SELECT * FROM tenancy.get_document_chunks('00000000-0000-4000-8000-000000000002');
SET LOCAL tenancy.use_stores = off;
SELECT * FROM tenancy.match_chunks('[1,2,3]', 5, filter => '{"even": true}');
SELECT * FROM tenancy.keyword_search('often word7', 5, filter => '{"even": true}');
SELECT * FROM tenancy.hybrid_search('[1,2,3]', 'often common', 5);
SELECT kind, name FROM tenancy.upsert_entities('[{"name": "one", "chunk_ids": ["00000000-0000-4000-9000-000000000001"]}, {"name": "two", "kind": "k"}]');
SELECT tenancy.upsert_relations('[{"source": "one", "target": "two", "target_kind": "k"}]');
SELECT kind, name, score, distance, path_kinds, chunk_ids FROM tenancy.graph_search('one');
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT metric, used FROM tenancy.limits('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa') WHERE metric = 'documents';
CALL tenancy.rebuild_corpus();
SELECT code, severity, count(*) FROM tenancy.check() WHERE code <> 'server_outdated' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT r.attack, r.result, count(*) FROM tenancy.pentest() r GROUP BY 1, 2 ORDER BY 1, 2;
SELECT tenancy.drop_corpus('default', true);
