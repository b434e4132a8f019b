-- Attack 41: name tables and columns like what our generated SQL is made of. Isolation, export and audit are as with plain names.
BEGIN;
SELECT plan(31);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset

-- Every relation on a path, and each one twice: a policy must compare the parent's column with the table's, not with itself.
CREATE TABLE families (family_id integer PRIMARY KEY);
SELECT FROM tenancy.protect('families', global_keys => '{families_pkey}');
CREATE TABLE parent1 (family_id integer NOT NULL REFERENCES families, id integer PRIMARY KEY, name text);
SELECT FROM tenancy.protect_by_path('parent1');
CREATE TABLE parent1_ (id integer NOT NULL REFERENCES parent1, name text);
SELECT FROM tenancy.protect_by_path('parent1_');
CREATE TABLE parent2 (id integer NOT NULL REFERENCES parent1, family_id integer REFERENCES families, name text);
SELECT FROM tenancy.protect_by_path('parent2', 'parent2_id_fkey');
GRANT SELECT, INSERT, UPDATE, DELETE ON families, parent1, parent1_, parent2 TO :"app";

CREATE TABLE t (id integer PRIMARY KEY, t text, r jsonb, x text, v text, k text, c text, "t.*" text);
CREATE TABLE old_rows (id integer PRIMARY KEY, r text, x text, new_rows text, raw json);
CREATE TABLE new_rows (id integer PRIMARY KEY, r jsonb, x jsonb, before jsonb, after jsonb, omitted text);
SELECT FROM unnest('{t,old_rows,new_rows}'::regclass[]) u (r) CROSS JOIN LATERAL tenancy.protect(u.r);
SELECT FROM unnest('{t,old_rows,new_rows}'::regclass[]) u (r) CROSS JOIN LATERAL tenancy.audit(u.r);
GRANT SELECT, INSERT, UPDATE, DELETE ON t, old_rows, new_rows TO :"app";
CREATE VIEW seen WITH (security_invoker = true) AS SELECT id, t AS v FROM t;
GRANT SELECT ON seen TO :"app";
CREATE VIEW seen_by_all AS SELECT id, 'the same'::text AS v FROM t;
GRANT SELECT ON seen_by_all TO :"app";

-- In a transaction that no tenant has entered yet.
SELECT is_empty($$SELECT r.attack, r.relation, r.evidence FROM tenancy.isolated_tables() i CROSS JOIN LATERAL tenancy.pentest(i) r
                  WHERE r.result = 'LEAKED' AND r.evidence NOT LIKE 'public.seen_by_all %' OR r.attack IN ('rows', 'table') OR r.evidence ~ 'sealed'$$,
                'pentest() makes its rows in all of them and raises no alarm');
SELECT is((SELECT array_agg(DISTINCT r.result || ' ' || split_part(r.evidence, ' ', 1) ORDER BY r.result || ' ' || split_part(r.evidence, ' ', 1))
           FROM tenancy.pentest('t') r WHERE r.attack = 'read_by_view'),
          ARRAY['LEAKED public.seen_by_all', 'held public.seen'], 'a column v of a view hides nothing from pentest()');
SELECT is_empty($$SELECT * FROM tenancy.check() WHERE severity = 'error' AND object LIKE 'table public.%'$$, 'check() finds nothing either');

SELECT act_as('app', a());
INSERT INTO families VALUES (1);
INSERT INTO parent1 VALUES (1, 1, 'of a');
INSERT INTO parent1_ VALUES (1, 'of a');
INSERT INTO parent2 VALUES (1, 1, 'of a');
SELECT act_as('app', b());
INSERT INTO families VALUES (2);
INSERT INTO parent1 VALUES (2, 2, 'of b');
INSERT INTO parent1_ VALUES (2, 'of b');
INSERT INTO parent2 VALUES (2, 2, 'of b'), (2, NULL, 'of b');

SELECT results_eq('SELECT id FROM parent1', ARRAY[2], 'a table called like the alias of its parent shows B its own rows only');
SELECT results_eq('SELECT id FROM parent1_', ARRAY[2], 'and so does one called like the other alias');
SELECT results_eq('SELECT id FROM parent2', ARRAY[2, 2], 'and one called like the alias of its parent''s parent');
SELECT is(run('UPDATE parent1 SET name = ''changed'' WHERE family_id = 1'), 0::bigint, 'B changes no row of A');
SELECT is(run('DELETE FROM parent1_ WHERE id = 1'), 0::bigint, 'and deletes none');
SELECT throws_ok('INSERT INTO parent1 VALUES (1, 3, ''planted'')', '42501', 'new row violates row-level security policy for table "parent1"', 'B plants no row under A''s');
SELECT throws_ok('INSERT INTO parent1_ VALUES (1, ''planted'')', '42501', 'new row violates row-level security policy for table "parent1_"', 'nor a step further');
SELECT throws_ok('UPDATE parent2 SET id = 1', '42501', NULL, 'nor moves one there');
SELECT throws_ok('UPDATE parent2 SET family_id = 1', '42501', NULL, 'nor lets one refer to A''s by another key');
SELECT is(run('UPDATE parent1 SET name = ''changed'''), 1::bigint, 'B''s own row is changed');
SELECT act_as('app', a());
SELECT results_eq('SELECT name FROM parent1 UNION ALL SELECT name FROM parent1_ UNION ALL SELECT name FROM parent2',
                  ARRAY['of a', 'of a', 'of a'], 'A has what it had');
SELECT act_as_superuser();
SELECT results_eq($$SELECT relation, row_count FROM tenancy.count_rows(b()) WHERE relation ~ '^public[.](fam|parent)' ORDER BY relation COLLATE "C"$$,
                  $$VALUES ('public.families', 1::bigint), ('public.parent1', 1), ('public.parent1_', 1), ('public.parent2', 2)$$, 'rows are counted by the same paths');

-- Whole rows.
SELECT act_as('app', b());
SELECT lives_ok(format('INSERT INTO t VALUES (1, NULL, jsonb_build_object(''tenant_id'', %1$L::text), NULL), (2, ''two'', NULL, ''x'')', a()), 'columns called like aliases are written');
SELECT lives_ok('INSERT INTO old_rows VALUES (1, NULL, NULL, ''n'', ''{}''), (2, ''r'', ''x'', NULL, NULL)', 'with nulls, too');
SELECT lives_ok(format('INSERT INTO new_rows VALUES (1, jsonb_build_object(''tenant_id'', %1$L::text), jsonb_build_object(''tenant_id'', %1$L::text), '
                       'jsonb_build_object(''tenant_id'', %1$L::text), jsonb_build_object(''tenant_id'', %1$L::text), ''{id}'')', a()), 'and rows that name another tenant');
SELECT lives_ok('UPDATE new_rows SET r = NULL, id = 2', 'they are changed');
SELECT lives_ok('UPDATE old_rows SET r = NULL', 'where old rows are called so, too');
SELECT lives_ok('DELETE FROM t WHERE id = 2', 'and deleted');
SELECT act_as_superuser();
SELECT is_empty($$SELECT action, object FROM tenancy.audit_log(a()) WHERE action IN ('insert', 'update', 'delete')$$, 'B writes nothing into A''s log');
SELECT is_empty($$SELECT action, object FROM tenancy.audit_log('00000000-0000-0000-0000-000000000000') WHERE action IN ('insert', 'update', 'delete')$$,
                'nor into the installation''s');
SELECT results_eq($$SELECT action, object FROM tenancy.audit_log(b()) WHERE action IN ('insert', 'update', 'delete') ORDER BY id$$,
    $$VALUES ('insert', 'public.t 1'), ('insert', 'public.t 2'), ('insert', 'public.old_rows 1'), ('insert', 'public.old_rows 2'), ('insert', 'public.new_rows 1'),
             ('update', 'public.new_rows 2'), ('update', 'public.old_rows 1'), ('update', 'public.old_rows 2'), ('delete', 'public.t 2')$$, 'B''s log has all of it');
SELECT is((SELECT after FROM tenancy.audit_log(b()) WHERE object = 'public.t 2' AND action = 'insert'),
          (SELECT jsonb_build_object('id', 2, 't', 'two', 'r', NULL, 'x', 'x', 'v', NULL, 'k', NULL, 'c', NULL, 't.*', NULL, 'tenant_id', b())), 'with whole rows');
SELECT set_eq($$SELECT relation, data::jsonb FROM tenancy.export_tenant(b()) WHERE relation IN ('public.t', 'public.old_rows', 'public.new_rows')$$,
              $$SELECT 'public.t', to_jsonb(y.*) FROM t y UNION ALL SELECT 'public.old_rows', to_jsonb(y.*) FROM old_rows y UNION ALL
                SELECT 'public.new_rows', to_jsonb(y.*) FROM new_rows y$$, 'B''s export has whole rows');
SELECT is((SELECT count(*) FROM tenancy.export_tenant(a()) WHERE relation IN ('public.t', 'public.old_rows', 'public.new_rows')), 0::bigint, 'A''s has none of B''s');

-- What the application called like objects of ours stays its own.
CREATE FUNCTION own_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER tenancy_audit_mine AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION own_trigger();
SELECT tenancy.unaudit('t');
SELECT is((SELECT array_agg(tgname::text) FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal), '{tenancy_audit_mine}', 'a trigger with a name like ours stays');
CREATE TRIGGER tenancy_audit_insert AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION own_trigger();
SELECT throws_ok($$SELECT tenancy.audit('t')$$, '42710', 'trigger "tenancy_audit_insert" for relation "t" already exists', 'one with the very name is said');

-- Columns to leave out, in a partition that comes later.
CREATE TABLE parted (id integer, "pässwörd \ '" text) PARTITION BY LIST (id);
SELECT FROM tenancy.protect('parted');
SELECT tenancy.audit('parted', ARRAY['pässwörd \ '''::name]);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
GRANT INSERT ON parted_1 TO :"app";
SELECT act_as('app', b());
SELECT lives_ok('INSERT INTO parted_1 VALUES (1, ''secret'')', 'a partition that came later is written');
SELECT act_as_superuser();
SELECT is((SELECT after FROM tenancy.audit_log(b()) WHERE object ~ 'parted_1'), jsonb_build_object('id', 1, 'tenant_id', b()), 'a column that is left out is left out there, whatever its name');

SELECT * FROM finish();
ROLLBACK;
