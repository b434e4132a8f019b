-- plan_migration(): which strategy it takes, whose it says the rows are, and what the caller can say instead.
BEGIN;
SELECT plan(37);

CREATE FUNCTION planned(arguments text DEFAULT '') RETURNS TABLE (relation text, action text, detail text)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT relation::text, code, detail FROM tenancy.plan_migration(%s) WHERE kind = ''table''', arguments);
END $$;
CREATE FUNCTION strategy_of(arguments text DEFAULT '') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    EXECUTE format('SELECT code || '' '' || object FROM tenancy.plan_migration(%s) WHERE kind = ''strategy''', arguments) INTO found;
    RETURN found;
END $$;

SELECT is_empty('SELECT * FROM planned()', 'no tables, no plan');
CREATE TABLE settings (name text PRIMARY KEY, value text);
SELECT is(strategy_of(), 'system column tenant_id', 'nothing looks like users: all rows are the default tenant''s');
SELECT results_eq('SELECT * FROM planned()', $$VALUES ('settings', 'column', 'its rows belong to the default tenant')$$, 'of each table');

CREATE TABLE users (id integer PRIMARY KEY, email text);
CREATE TABLE folders (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users, editor integer REFERENCES users);
CREATE TABLE files (id integer PRIMARY KEY, folder integer NOT NULL REFERENCES folders ON DELETE CASCADE, by_whom integer REFERENCES users);
CREATE TABLE versions (file integer REFERENCES files, n integer, PRIMARY KEY (file, n));
CREATE TABLE notes (user_id integer, body text);
CREATE TABLE pages (id integer PRIMARY KEY, parent integer REFERENCES pages);
CREATE VIEW nothing AS SELECT 1;
CREATE TEMP TABLE passing (user_id integer);
SELECT is(strategy_of(), 'personal column tenant_id', 'a table looks like the users: each gets a tenant');
SELECT set_eq('SELECT * FROM planned()', $$VALUES
    ('users', 'column', 'each row is a tenant of its own, by column id'),
    ('files', 'column', 'follows public.folders by folder'),
    ('folders', 'column', 'follows public.users by user_id'),
    ('notes', 'column', 'follows public.users by user_id (by its name, there is no foreign key)'),
    ('versions', 'column', 'follows public.files by file'),
    ('pages', 'leave', 'no reference leads from it to the users in public.users'),
    ('settings', 'leave', 'no reference leads from it to the users in public.users')$$, 'rows follow what they cannot be without, then what they may refer to');
SELECT ok((SELECT array_position(array_agg(relation), 'folders') < array_position(array_agg(relation), 'files') FROM planned()), 'parents come first');
SELECT is(strategy_of($$'system'$$), 'system column tenant_id', 'another strategy can be chosen');
SELECT is((SELECT count(*) FROM planned($$'system'$$) WHERE action = 'column'), 7::bigint, 'and then all tables are the default tenant''s');

-- What the caller says of a table.
SELECT results_eq($$SELECT action, detail FROM planned('tables => ''{"settings": "share"}''') WHERE relation = 'settings'$$,
                  $$VALUES ('share', 'as was asked for')$$, 'shared');
SELECT results_eq($$SELECT action, detail FROM planned('tables => ''{"public.files": "leave"}''') WHERE relation IN ('files', 'versions') ORDER BY relation$$,
                  $$VALUES ('leave', 'as was asked for'), ('leave', 'no reference leads from it to the users in public.users')$$,
                  'what is left leads nowhere');
SELECT results_eq($$SELECT action, detail FROM planned('tables => ''{"files": {"column": "by_whom"}}''') WHERE relation = 'files'$$,
                  $$VALUES ('column', 'follows public.users by by_whom')$$, 'another column');
SELECT results_eq($$SELECT action, detail FROM planned('tables => ''{"pages": {"column": "parent", "parent": "folders"}}''') WHERE relation = 'pages'$$,
                  $$VALUES ('column', 'follows public.folders by parent')$$, 'a column that no foreign key is on');
SELECT results_eq($$SELECT action, detail FROM planned('tables => ''{"files": {"parent": "users"}}''') WHERE relation = 'files'$$,
                  $$VALUES ('column', 'follows public.users by by_whom')$$, 'another parent');
SELECT set_eq($$SELECT relation, detail FROM planned('tables => ''{"pages": {"strategy": "system"}, "settings": {"expression": "value::uuid"}}''') WHERE relation IN ('pages', 'settings')$$,
              $$VALUES ('settings', 'by the expression value::uuid'), ('pages', 'its rows belong to the default tenant')$$, 'a strategy, an expression');
SELECT is((SELECT action FROM planned($$tables => '{"versions": "path"}'$$) WHERE relation = 'versions'), 'path', 'through the parent');
SELECT is((SELECT action FROM planned($$tables => '{"users": "column_only"}'$$) WHERE relation = 'users'), 'column_only', 'with a column, and open');

-- Existing columns.
CREATE SCHEMA shop;
CREATE TABLE shop.companies (id bigint PRIMARY KEY, name text);
CREATE TABLE shop.orders (id integer PRIMARY KEY, company_id bigint REFERENCES shop.companies);
CREATE TABLE shop.items (order_id integer NOT NULL REFERENCES shop.orders, what text);
SELECT is(strategy_of($$schemas => '{shop}'$$), 'column column company_id', 'a column says the organization: it is the tenant column');
SELECT set_eq($$SELECT * FROM planned('schemas => ''{shop}''')$$, $$VALUES
    ('shop.companies', 'column', 'each row is a tenant of its own, by column id'),
    ('shop.orders', 'column', 'its column company_id says the tenant'),
    ('shop.items', 'column', 'follows shop.orders by order_id')$$, 'tables without it follow');
SELECT is(strategy_of($$schemas => '{shop}', source_column => 'company_id'$$), 'column column company_id', 'named');
SELECT is(strategy_of($$users => 'users'$$), 'personal column tenant_id', 'users that are named are personal tenants');

-- Bad input.
SELECT throws_ok($$SELECT tenancy.plan_migration('best')$$, '22023', $$invalid strategy 'best'$$, 'unknown strategy');
SELECT throws_ok($$SELECT tenancy.plan_migration(NULL)$$, '22004', 'strategy must not be null', 'strategy NULL');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => NULL)$$, '22004', 'tables must not be null', 'tables NULL');
SELECT throws_ok($$SELECT tenancy.plan_migration(examine => NULL)$$, '22004', 'examine must not be null', 'examine NULL');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '[]')$$, '22023', 'invalid tables: expected an object, not array', 'tables is no object');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"files": 1}')$$, '22023', $$invalid choice for table 'files': 1$$, 'a choice that is none');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"files": "drop"}')$$, '22023', $$invalid action 'drop' for table 'files'$$, 'unknown action');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"files": {"colour": 1}}')$$, '22023', $$unknown choice 'colour' for table 'files'$$, 'unknown choice');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"files": {"strategy": "column"}}')$$, '22023', $$invalid strategy 'column' for table 'files'$$, 'unknown strategy of a table');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"files": {"fallback": "any"}}')$$, '22023', $$invalid fallback 'any' for table 'files'$$, 'unknown fallback');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"no_such": "leave"}')$$, 'TN009', 'migration cannot be planned', 'unknown table');
SELECT throws_ok($$SELECT tenancy.plan_migration(tables => '{"files": {"column": "colour"}}')$$, 'TN009', 'migration cannot be planned', 'unknown column');
SELECT throws_ok($$SELECT tenancy.plan_migration(schemas => '{no_such}')$$, '3F000', $$schema 'no_such' does not exist$$, 'unknown schema');
SELECT throws_ok($$SELECT tenancy.plan_migration('personal', users => 'versions')$$, 'TN009', 'migration cannot be planned', 'users without a key of one column');
SELECT throws_ok($$SELECT tenancy.plan_migration('personal', users => 'nothing')$$, 'TN009', 'migration cannot be planned', 'users that are a view');
SELECT throws_ok($$SELECT tenancy.plan_migration('column', source_column => 'colour')$$, 'TN009', 'migration cannot be planned', 'a column that no table has');
SELECT throws_ok($$SELECT tenancy.plan_migration('column', source_column => 'company_id', tenant_column => 'tenant_id')$$, 'TN009', 'migration cannot be planned', 'two tenant columns');

SELECT * FROM finish();
ROLLBACK;
