-- What an export and the audit log carry of values that JSON, or jsonb, has no place for.
BEGIN;
SELECT plan(21);
SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role() AS app \gset
CREATE DOMAIN documents AS json;
CREATE TYPE pair AS (one json, other integer[]);
CREATE TABLE answers (id integer PRIMARY KEY, raw json, list json[], domained documents, made pair, body jsonb);
CREATE TABLE numbers (id integer PRIMARY KEY, n numeric, f double precision, r real, list integer[], grid integer[]);
CREATE TABLE times (id integer PRIMARY KEY, d date, s timestamp, z timestamptz, i interval, r tsrange, b bytea, x xml);
SELECT FROM unnest('{answers,numbers,times}'::regclass[]) u (r) CROSS JOIN LATERAL tenancy.protect(u.r);
SELECT tenancy.audit('answers');
GRANT SELECT, INSERT, UPDATE, DELETE ON answers, numbers, times TO :"app";

SELECT test_helpers.act_as('app', test_helpers.a());
SELECT lives_ok($$INSERT INTO answers VALUES (1, '{"out": "bad \u0000 char"}', NULL, NULL, NULL, '{"a": 1}')$$, 'json that jsonb cannot hold is written under audit()');
SELECT lives_ok($$INSERT INTO answers VALUES (2, '"\ud800"', ARRAY['{"a":"\u0000"}', 'null']::json[], '"\u0000"', ROW('"\u0000"', '{1,2}'), NULL)$$,
                'in arrays, domains and composites, too');
SELECT lives_ok($$INSERT INTO answers VALUES (3, '1e999999', '{}', 'null', ROW(NULL, NULL)::pair, 'null'), (4, '{"a":1, "a": 2 }', NULL, NULL, NULL, NULL)$$,
                'and numbers that no numeric holds');
SELECT lives_ok('UPDATE answers SET body = NULL WHERE id = 1', 'such rows are changed');
SELECT lives_ok('DELETE FROM answers WHERE id = 3', 'and deleted');
INSERT INTO numbers VALUES (1, 'NaN', 'Infinity', 'NaN', '[0:2]={1,2,3}', '{{1,2},{3,4}}'), (2, '-Infinity', 0.1, 0.1, '{1,NULL}', '[1:1][0:1]={{1,2}}'),
                           (3, 1.10, 1.7976931348623157e308, 3.4028235e38, '{}', NULL),
                           (4, 123456789012345678901234567890.000000000000000000001, 5e-324, 1e-45, '[5:5]={7}', '{}');
INSERT INTO times VALUES (1, 'infinity', '-infinity', 'infinity', '1 mon -2 days 03:04:05.678', '[2024-02-01,2024-03-04)', '\x00ff5c27', '<a b="c">&amp;</a>'),
                         (2, '4713-01-01 BC', '2024-02-03 04:05:06.789012', '2024-02-03 04:05:06+09', '-1 year', 'empty', '', NULL);
SELECT test_helpers.act_as_superuser();

SELECT results_eq($$SELECT after ->> 'raw', after ->> 'list', after ->> 'domained', after ->> 'made', jsonb_typeof(after -> 'body')
                    FROM tenancy.audit_log(test_helpers.a()) WHERE action = 'insert' AND object ~ '^public.answers' ORDER BY id$$,
    $$VALUES ('{"out": "bad \u0000 char"}', NULL, NULL, NULL, 'object'),
             ('"\ud800"', '[{"a":"\u0000"},null]', '"\u0000"', '{"one":"\u0000","other":[1,2]}', 'null'),
             ('1e999999', '[]', NULL, '{"one": null, "other": null}', 'null'),
             ('{"a": 2}', NULL, NULL, NULL, 'null')$$, 'the log has what jsonb holds, and the text of what it does not');
SELECT is((SELECT jsonb_typeof(after -> 'raw') FROM tenancy.audit_log(test_helpers.a()) WHERE object = 'public.answers 4'), 'object', 'as JSON where it can');
SELECT is((SELECT jsonb_typeof(after -> 'raw') FROM tenancy.audit_log(test_helpers.a()) WHERE object = 'public.answers 2'), 'string', 'and as a string where not');
SELECT results_eq($$SELECT action, before ->> 'raw' FROM tenancy.audit_log(test_helpers.a()) WHERE action IN ('update', 'delete') ORDER BY id$$,
                  $$VALUES ('update', '{"out": "bad \u0000 char"}'), ('delete', '1e999999')$$, 'and so do the rows before a change');

-- Whatever the caller has set, and read back as it was.
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET TimeZone = 'Asia/Kathmandu';
SET extra_float_digits = -10;
SET bytea_output = 'escape';
CREATE TEMP TABLE exported AS SELECT e.relation, e.row_number, e.data FROM tenancy.export_tenant(test_helpers.a()) e;
RESET DateStyle;
RESET IntervalStyle;
RESET TimeZone;
RESET extra_float_digits;
RESET bytea_output;
SELECT is((SELECT count(*) FROM exported WHERE relation LIKE 'public.%'), 9::bigint, 'all rows are exported');
SELECT results_eq($$SELECT (e.data ->> 'id')::integer, e.data ->> 'raw', e.data ->> 'list', e.data ->> 'domained', e.data ->> 'made'
                    FROM exported e WHERE e.relation = 'public.answers' ORDER BY e.row_number$$,
                  $$VALUES (1, '{"out": "bad \u0000 char"}', NULL, NULL, NULL), (2, '"\ud800"', '[{"a":"\u0000"},null]', '"\u0000"', '{"one":"\u0000","other":[1,2]}'),
                           (4, '{"a":1, "a": 2 }', NULL, NULL, NULL)$$,
                  'json comes as it was written, also with the same key twice');
SELECT results_eq($$SELECT json_typeof(e.data -> 'raw') FROM exported e WHERE e.relation = 'public.answers' ORDER BY e.row_number$$,
                  $$VALUES ('string'), ('string'), ('object')$$, 'what jsonb cannot hold as a string of its text');
SELECT lives_ok('SELECT count(data::jsonb) FROM exported', 'so everything can be read as jsonb');
SELECT results_eq($$SELECT p.* FROM exported e CROSS JOIN LATERAL json_populate_record(NULL::numbers, e.data) p WHERE e.relation = 'public.numbers' ORDER BY p.id$$,
                  'SELECT * FROM numbers ORDER BY id', 'numbers to the last digit, no numbers, and arrays with the bounds that they have');
SELECT results_eq($$SELECT p.id, p.n::text, array_dims(p.list), array_dims(p.grid) FROM exported e CROSS JOIN LATERAL json_populate_record(NULL::numbers, e.data) p
                    WHERE e.relation = 'public.numbers' ORDER BY p.id$$,
                  'SELECT id, n::text, array_dims(list), array_dims(grid) FROM numbers ORDER BY id', 'also what compares as equal');
SELECT results_eq($$SELECT p.id, p.d, p.s, p.z, p.i, p.r, p.b, p.x::text FROM exported e CROSS JOIN LATERAL json_populate_record(NULL::times, e.data) p
                    WHERE e.relation = 'public.times' ORDER BY p.id$$,
                  'SELECT id, d, s, z, i, r, b, x::text FROM times ORDER BY id', 'times without end, ranges, bytes and xml, whatever the caller''s settings are');

-- What has no text at all stops it, and is named.
CREATE TYPE glad AS ENUM ('good', 'bad');
CREATE FUNCTION glad_json(glad) RETURNS json LANGUAGE plpgsql AS
$$BEGIN IF $1 = 'bad' THEN RAISE EXCEPTION 'no such JSON'; END IF; RETURN to_json($1::text); END$$;
CREATE CAST (glad AS json) WITH FUNCTION glad_json(glad);
CREATE TABLE moods ("the t" integer, k text, "how %s 'is'" glad, PRIMARY KEY (k, "the t"));
CREATE TABLE keyless (number integer, mood glad);
SELECT FROM tenancy.protect('moods');
INSERT INTO moods (tenant_id, "the t", k, "how %s 'is'")
SELECT test_helpers.a(), n, 'x', CASE n WHEN 37 THEN 'bad' ELSE 'good' END::glad FROM generate_series(1, 50) n;
CREATE FUNCTION said(statement text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE d text; c text;
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, c = RETURNED_SQLSTATE;
    RETURN ARRAY[c, SQLERRM, d];
END $$;
SELECT is(said('SELECT FROM tenancy.export_tenant(test_helpers.a())'),
          ARRAY['P0001', $$cannot export a value of column "how %s 'is'" of public.moods$$, 'Row {"the t":37,"k":"x","tenant_id":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}: no such JSON.'],
          'a value that cannot be written is told with its table, column and key');
UPDATE moods SET "how %s 'is'" = 'good' WHERE "the t" = 37;
SELECT is((SELECT count(*) FROM tenancy.export_tenant(test_helpers.a()) WHERE relation = 'public.moods'), 50::bigint, 'once it is corrected, all is exported');
SELECT FROM tenancy.protect('keyless');
INSERT INTO keyless (tenant_id, number, mood) SELECT test_helpers.a(), n, CASE n WHEN 3 THEN 'bad' ELSE 'good' END::glad FROM generate_series(1, 4) n;
SELECT is(said('SELECT FROM tenancy.export_tenant(test_helpers.a())'),
          ARRAY['P0001', 'cannot export a value of column mood of public.keyless', 'Row number 3: no such JSON.'], 'of a table without a key by its place');
SELECT is((SELECT row_count FROM tenancy.count_rows(test_helpers.a()) WHERE relation = 'public.keyless'), 4::bigint, 'such rows are counted');
DELETE FROM keyless WHERE number = 3;
ALTER TABLE keyless ADD COLUMN many integer[];
UPDATE keyless SET many = '[3:4]={1,2}' WHERE number = 1;
SELECT is((SELECT data::text FROM tenancy.export_tenant(test_helpers.a()) WHERE relation = 'public.keyless' AND data ->> 'number' = '1'),
          format('{"number":1,"mood":"good","tenant_id":"%s","many":"[3:4]={1,2}"}', test_helpers.a()), 'an array with bounds of its own comes as its text');

SELECT * FROM finish();
ROLLBACK;
