-- unprotect() that keeps the column, and a whole database that is single-tenant for a while.
BEGIN;
SELECT plan(40);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app') AS app \gset
UPDATE tenancy.tenants SET external_key = '0' WHERE slug = 'default';

CREATE TABLE parents (id integer PRIMARY KEY, name text UNIQUE);
CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents ON DELETE CASCADE);
CREATE TABLE grandchildren (id integer PRIMARY KEY, child integer REFERENCES children);
CREATE TABLE parts (id integer, parent integer REFERENCES parents) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE lines (number integer, parent integer NOT NULL CONSTRAINT lines_of REFERENCES parents);
CREATE TABLE details (id integer PRIMARY KEY, parent integer NOT NULL REFERENCES parents);
CREATE TABLE remarks (detail integer NOT NULL REFERENCES details);
CREATE TABLE family (id integer);
CREATE TABLE family_child (extra integer) INHERITS (family);
CREATE TABLE had_column (id integer PRIMARY KEY, tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000002');
CREATE TABLE accounts (id integer PRIMARY KEY, mail text CONSTRAINT accounts_mail UNIQUE, seen integer DEFAULT 0);
CREATE FUNCTION count_seen() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.seen := NEW.seen + 1; RETURN NEW; END$$;
CREATE TRIGGER count_seen BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION count_seen();
CREATE FUNCTION shape() RETURNS TABLE (s text) LANGUAGE sql AS $$
    SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', attrelid::regclass, attname, attnotnull, pg_get_expr(adbin, adrelid))
              FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
              LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
              WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    UNION ALL SELECT concat_ws(' ', polrelid::regclass, polname) FROM pg_policy
    UNION ALL SELECT concat_ws(' ', oid::regclass, relrowsecurity, relforcerowsecurity) FROM pg_class
              WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    ORDER BY 1
$$;
CREATE TEMP TABLE before AS SELECT s FROM shape();
INSERT INTO parents VALUES (1, 'one');
INSERT INTO children VALUES (1, 1);
SELECT tenancy.protect(t::regclass) FROM unnest('{parents,children,grandchildren,parts,family,had_column}'::text[]) t;
SELECT FROM tenancy.protect('accounts', 'account', 'bigint', global_keys => '{accounts_mail}');
SELECT FROM tenancy.protect_by_path('lines');
SELECT FROM tenancy.protect_by_path('details', index => false);
SELECT FROM tenancy.protect_by_path('remarks');
CREATE TEMP TABLE protected AS SELECT s FROM shape();
CREATE TEMP TABLE registered AS SELECT relation::text, tenant_column, column_type, global_keys, keys, undo FROM tenancy.protected_tables;
INSERT INTO parents (tenant_id, id, name) VALUES (test_helpers.a(), 2, 'of a'), (test_helpers.b(), 3, 'of b');
INSERT INTO accounts (account, id, mail) VALUES (1001, 1, 'a@a.example');
SELECT test_helpers.run(format('GRANT SELECT, INSERT ON parents, children, grandchildren, parts, accounts TO %I', :'app'));

-- One table.
SELECT throws_ok($$SELECT tenancy.unprotect('parents', keep_column => NULL)$$, '22004', 'keep_column must not be null', 'keep_column is given or left out');
SELECT ok(NOT bool_or(s LIKE '%DROP COLUMN%'), 'a dry run with keep_column drops none') FROM tenancy.unprotect('children', keep_column => true, dry_run => true) s;
SELECT lives_ok($$SELECT tenancy.unprotect('children', keep_column => true)$$, 'unprotect and keep the column');
SELECT col_is_null('public'::name, 'children'::name, 'tenant_id'::name, 'it may be null');
SELECT col_hasnt_default('public'::name, 'children'::name, 'tenant_id'::name, 'has no default');
SELECT is_empty($$SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id' WHERE indrelid = 'children'::regclass AND a.attnum = ANY (indkey)$$, 'no index');
SELECT is_empty($$SELECT FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attname = 'tenant_id' WHERE f.conrelid = 'children'::regclass AND a.attnum = ANY (conkey) AND contype <> 'n'$$, 'and no constraint');
SELECT is((SELECT count(tenant_id) FROM children), 1::bigint, 'and says whose the rows were');
SELECT lives_ok('INSERT INTO children VALUES (2, 3), (3, 2)', 'the old application goes on');
SELECT throws_ok($$SELECT tenancy.protect('children')$$, 'TN009', 'relation public.children cannot be protected', 'its rows have no tenant');
SELECT lives_ok($$SELECT tenancy.protect('children', backfill => '(SELECT p.tenant_id FROM public.parents p WHERE p.id = parent)')$$, 'until it is said');
SELECT results_eq('SELECT c.tenant_id = p.tenant_id FROM children c JOIN parents p ON p.id = c.parent', 'VALUES (true), (true), (true)', 'theirs is that of their parents');
UPDATE tenancy.protected_tables SET undo = r.undo FROM registered r WHERE r.relation = 'children' AND protected_tables.relation = 'children'::regclass;

-- All of them.
SELECT throws_ok('SELECT tenancy.disable_tenancy(NULL)', '22004', 'keep_columns must not be null', 'keep_columns is given or left out');
SELECT throws_ok('SELECT tenancy.disable_tenancy(dry_run => NULL)', '22004', 'dry_run must not be null', 'dry_run too');
CREATE TEMP TABLE promised AS SELECT s FROM tenancy.disable_tenancy(dry_run => true) s;
SELECT is_empty($$SELECT s FROM shape() EXCEPT SELECT s FROM protected$$, 'a dry run does nothing');
SELECT results_eq('SELECT tenancy.disable_tenancy()', 'TABLE promised', 'and says what is run');
SELECT is(tenancy.is_enabled(), false, 'tenancy is off');
SELECT is_empty('SELECT FROM tenancy.protected_tables', 'no table is protected');
SELECT is_empty('SELECT FROM tenancy.indirect_tables', 'nor by a path');
SELECT is_empty($$SELECT s FROM shape() WHERE s NOT LIKE '%tenant_id f' AND s NOT LIKE '% account f' EXCEPT SELECT s FROM before$$, 'besides columns, the schema is as before');
SELECT test_helpers.act_as('app');
SELECT is((SELECT count(*) FROM parents), 3::bigint, 'everybody sees all rows, with no tenant');
SELECT test_helpers.run($$INSERT INTO parents VALUES (4, 'new')$$, $$INSERT INTO children VALUES (4, 3), (5, 4)$$, 'INSERT INTO grandchildren VALUES (1, 4)',
                        'INSERT INTO parts VALUES (1, 2)', $$INSERT INTO accounts VALUES (2, 'new@example.org')$$);
SELECT test_helpers.act_as_superuser();
SELECT isnt_empty('SELECT tenancy.enable_tenancy()', 'and back');
SELECT is(tenancy.is_enabled(), true, 'tenancy is on');
SELECT results_eq('SELECT s FROM shape()', 'SELECT s FROM protected', 'the schema is as it was protected');
SELECT results_eq('SELECT relation::text, tenant_column, column_type, global_keys, keys, undo FROM tenancy.protected_tables ORDER BY relation::text',
                  'SELECT * FROM registered ORDER BY relation', 'and registered');
SELECT is((SELECT count(*) FROM tenancy.indirect_tables i WHERE NOT EXISTS (SELECT FROM tenancy.indirect_faults(i.relation))), 3::bigint, 'so are those with a path');
SELECT results_eq('SELECT id, tenant_id FROM children WHERE id > 3 ORDER BY 1', $$VALUES (4, test_helpers.b()), (5, '00000000-0000-0000-0000-000000000002')$$, 'new rows are of their parents'' tenant');
SELECT results_eq('SELECT id, tenant_id FROM grandchildren', 'VALUES (1, test_helpers.b())', 'over two steps');
SELECT results_eq('SELECT id, tenant_id FROM parts', 'VALUES (1, test_helpers.a())', 'in partitions');
SELECT results_eq('SELECT id, account, seen FROM accounts ORDER BY 1', 'VALUES (1, 1001::bigint, 0), (2, 0, 0)', 'and else of the default tenant, without setting off triggers');
SELECT is_empty('SELECT FROM tenancy.disabled_tables', 'nothing is left');
SELECT lives_ok('SELECT tenancy.enable_tenancy()', 'enabling again does nothing');
SELECT lives_ok($$SELECT tenancy.disable_tenancy(keep_columns => false)$$, 'disable without keeping columns');
SELECT is_empty($$SELECT s FROM shape() EXCEPT SELECT s FROM before$$, 'the schema is as before');
SELECT throws_ok($$SELECT tenancy.enable_tenancy('nothing')$$, '42703', 'column "nothing" does not exist', 'a backfill that does not work');
SELECT lives_ok('SELECT tenancy.enable_tenancy()', 'enable after that');
SELECT results_eq('SELECT s FROM shape()', 'SELECT s FROM protected', 'the schema is as it was protected, once more');
SELECT results_eq('SELECT DISTINCT tenant_id FROM parents', $$VALUES ('00000000-0000-0000-0000-000000000002'::uuid)$$, 'whose rows were is lost with the columns');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT tenancy.disable_tenancy()', '42501', 'permission denied for function disable_tenancy', 'an application does not disable');
SELECT throws_ok('SELECT tenancy.enable_tenancy()', '42501', 'permission denied for function enable_tenancy', 'nor enable');
SELECT test_helpers.act_as_superuser();

SELECT * FROM finish();
ROLLBACK;
