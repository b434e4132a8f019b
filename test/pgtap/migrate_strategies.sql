-- What rows get by each strategy, also those that come while the migration runs, in tables of all kinds.
SELECT plan(32);

-- An organization column becomes the tenant column; its values become tenants.
CREATE SCHEMA shop;
CREATE TABLE shop.companies (id bigint PRIMARY KEY, name text);
CREATE TABLE shop.orders (id integer PRIMARY KEY, company_id bigint REFERENCES shop.companies, total integer);
CREATE TABLE shop.items (order_id integer NOT NULL REFERENCES shop.orders, what text, PRIMARY KEY (order_id, what));
CREATE TABLE shop.logs (company_id bigint, line text);
INSERT INTO shop.companies VALUES (7, 'Seven'), (8, 'Eight');
INSERT INTO shop.orders VALUES (1, 7, 10), (2, 8, 20), (3, NULL, 30);
INSERT INTO shop.items VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO shop.logs VALUES (9, 'of nobody any more');
UPDATE tenancy.tenants SET external_key = '0' WHERE slug = 'default';
SELECT results_eq($$SELECT severity, object FROM tenancy.plan_migration(schemas => '{shop}') WHERE code = 'null_owner'$$,
                  $$VALUES ('error', 'column company_id of table shop.orders')$$, 'no company stands for the default tenant, so nobody''s orders are in the way');
SELECT throws_ok($$SELECT tenancy.start_migration(schemas => '{shop}')$$, 'TN009', 'migration cannot start', 'and nothing starts');
INSERT INTO shop.companies VALUES (0, 'Nobody');
SELECT tenancy.start_migration(schemas => '{shop}', online => false);
CALL tenancy.run_migration('prepared');
SELECT set_eq('SELECT external_key, name FROM tenancy.tenants', $$VALUES ('0', 'Default tenant'), ('7', 'Seven'), ('8', 'Eight'), ('9', '9')$$,
              'tenants are named after the companies');
SELECT results_eq('SELECT id, company_id FROM shop.orders ORDER BY id', 'VALUES (1, 7::bigint), (2, 8), (3, 0)', 'an order of nobody is the default tenant''s');
SELECT results_eq('SELECT what, company_id FROM shop.items ORDER BY what', $$VALUES ('a', 7::bigint), ('b', 8), ('c', 0)$$, 'items follow their orders');
SELECT results_eq('SELECT id, company_id FROM shop.companies ORDER BY id', 'VALUES (0::bigint, 0::bigint), (7, 7), (8, 8)', 'companies are their own');
INSERT INTO shop.companies VALUES (77, 'Seventy-seven');
INSERT INTO shop.orders VALUES (4, 77, 40), (5, NULL, 50);
INSERT INTO shop.items VALUES (4, 'd');
SELECT is((SELECT name FROM tenancy.tenants WHERE external_key = '77'), 'Seventy-seven', 'a new company is a tenant at once');
SELECT is((SELECT company_id FROM shop.items WHERE what = 'd'), 77::bigint, 'and what it orders is its own');
SELECT is((SELECT company_id FROM shop.orders WHERE id = 5), 0::bigint, 'what has none is the default tenant''s');
CALL tenancy.run_migration('enforced');
BEGIN;
SELECT tenancy.set_tenant(id) FROM tenancy.tenants WHERE external_key = '7';
SELECT test_helpers.make_role('app');
SELECT test_helpers.run(format('GRANT USAGE ON SCHEMA shop TO %I', test_helpers.role_name('app')),
                        format('GRANT SELECT ON ALL TABLES IN SCHEMA shop TO %I', test_helpers.role_name('app')));
SELECT test_helpers.run(format('SET LOCAL ROLE %I', test_helpers.role_name('app')));
SELECT results_eq('SELECT id FROM shop.orders', 'VALUES (1)', 'a company sees its orders');
SELECT results_eq('SELECT what FROM shop.items', $$VALUES ('a')$$, 'and items');
ROLLBACK;
CALL tenancy.undo_migration();
SELECT hasnt_column('shop'::name, 'items'::name, 'company_id'::name, 'undone, the column that was added is gone');
SELECT is((SELECT count(*) FROM tenancy.tenants), 1::bigint, 'and the tenants');

-- A column of uuids: the tenants get these ids.
CREATE SCHEMA work;
CREATE TABLE work.plans (workspace_id uuid NOT NULL, plan text);
INSERT INTO work.plans VALUES (test_helpers.a(), 'x'), (test_helpers.b(), 'y'), (test_helpers.b(), 'z');
SELECT tenancy.start_migration('column', source_column => 'workspace_id', schemas => '{work}', online => false);
CALL tenancy.run_migration('enforced');
SELECT set_eq('SELECT id FROM tenancy.tenants WHERE slug <> ''default''', $$VALUES (test_helpers.a()), (test_helpers.b())$$, 'workspaces keep their ids');
CALL tenancy.undo_migration();
SELECT col_not_null('work', 'plans', 'workspace_id', 'a column that was there stays as it was');

-- A column of texts.
CREATE SCHEMA zone;
CREATE TABLE zone.domains (id integer PRIMARY KEY, account text, name text NOT NULL UNIQUE);
CREATE TABLE zone.records (id integer PRIMARY KEY, domain_id integer REFERENCES zone.domains ON DELETE CASCADE, content text);
INSERT INTO zone.domains VALUES (1, 'Ann & Co', 'ann.example'), (2, 'bob', 'bob.example');
INSERT INTO zone.records VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, 'c');
SELECT tenancy.start_migration('column', source_column => 'account', schemas => '{zone}', online => false, tables => '{"domains": {"global_keys": ["domains_name_key"]}}');
CALL tenancy.run_migration('enforced');
SELECT set_eq('SELECT external_key, slug FROM tenancy.tenants WHERE slug <> ''default''', $$VALUES ('Ann & Co', 'tenant-ann-co'), ('bob', 'tenant-bob')$$, 'texts are external keys');
SELECT results_eq('SELECT id, account FROM zone.records ORDER BY id', $$VALUES (1, 'Ann & Co'), (2, 'bob'), (3, '0')$$, 'records follow their domains');
SELECT is((SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'domains_name_key'), 'UNIQUE (name)', 'a key that is to stay global stays');
CALL tenancy.undo_migration();

-- Personal tenants in tables of all kinds.
CREATE SCHEMA mail;
CREATE TABLE mail.users (id integer PRIMARY KEY, email text);
CREATE TABLE mail.letters (id integer, user_id integer REFERENCES mail.users, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE mail.letters_1 PARTITION OF mail.letters FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE mail.things (id integer, user_id integer);
CREATE TABLE mail.odd_things (oddity text) INHERITS (mail.things);
CREATE TABLE mail.marks (letter integer, at date, mark text, FOREIGN KEY (letter, at) REFERENCES mail.letters);
CREATE TABLE mail.free (id integer PRIMARY KEY, key text);
CREATE TABLE mail.gone (id integer PRIMARY KEY, user_id integer REFERENCES mail.users);
INSERT INTO mail.users VALUES (1, 'ann@x.example'), (2, NULL), (3, 'ann@y.example');
INSERT INTO mail.letters VALUES (1, 1, '2026-01-05'), (2, 2, '2026-01-06');
INSERT INTO mail.things VALUES (1, 1);
INSERT INTO mail.odd_things VALUES (2, 2, 'odd');
INSERT INTO mail.marks VALUES (1, '2026-01-05', 'read'), (NULL, NULL, 'lost');
INSERT INTO mail.free VALUES (1, NULL), (2, '00000000-0000-0000-0000-000000000002');
SELECT tenancy.start_migration('personal', users => 'mail.users', schemas => '{mail}', online => false,
                               tables => '{"free": {"expression": "key::uuid"}}');
SELECT outcome FROM tenancy.advance_migration() LIMIT 1;
DO $$
BEGIN
    -- The columns, and no more.
    WHILE EXISTS (SELECT FROM tenancy.migration_steps WHERE kind = 'column' AND state <> 'done' AND migration = (SELECT max(id) FROM tenancy.migrations)) LOOP
        PERFORM outcome FROM tenancy.advance_migration();
        COMMIT;
    END LOOP;
END $$;
CREATE TABLE mail.letters_2 PARTITION OF mail.letters DEFAULT;
INSERT INTO mail.users VALUES (4, 'new@x.example');
INSERT INTO mail.letters VALUES (4, 4, '2026-05-05');
INSERT INTO mail.odd_things VALUES (4, 4, 'new');
INSERT INTO mail.marks VALUES (4, '2026-05-05', 'new');
INSERT INTO mail.free VALUES (3, NULL);
DROP TABLE mail.gone;
CREATE TEMP VIEW tenant_of AS SELECT t.id, u.id AS user_id FROM mail.users u JOIN tenancy.tenants t ON t.external_key = u.id::text;
SELECT results_eq('SELECT tenant_id FROM mail.letters WHERE id = 4', 'SELECT id FROM tenant_of WHERE user_id = 4', 'a partition that is new has the triggers');
SELECT results_eq('SELECT tenant_id FROM mail.odd_things WHERE id = 4', 'SELECT id FROM tenant_of WHERE user_id = 4', 'an inheritance child too');
SELECT results_eq('SELECT tenant_id FROM mail.marks WHERE letter = 4', 'SELECT id FROM tenant_of WHERE user_id = 4', 'a key of two columns is followed');
CALL tenancy.run_migration('enforced');
SELECT is((SELECT state FROM tenancy.migration_status()), 'enforced', 'a table that was dropped meanwhile is no obstacle');
SELECT is((SELECT count(DISTINCT id) FROM tenant_of), 4::bigint, 'four users, four tenants');
SELECT is((SELECT name FROM tenancy.tenants WHERE external_key = '2'), '2', 'one without an e-mail is named by the key');
SELECT is((SELECT count(DISTINCT slug) FROM tenancy.tenants WHERE slug ~ '^ann'), 2::bigint, 'two Anns have two slugs');
SELECT set_eq('SELECT l.id, t.user_id FROM mail.letters l LEFT JOIN tenant_of t ON t.id = l.tenant_id', 'VALUES (1, 1), (2, 2), (4, 4)', 'letters are their users''');
SELECT set_eq('SELECT l.id, t.user_id FROM mail.things l LEFT JOIN tenant_of t ON t.id = l.tenant_id', 'VALUES (1, 1), (2, 2), (4, 4)', 'things too, of all kinds');
SELECT set_eq('SELECT m.mark, t.user_id FROM mail.marks m LEFT JOIN tenant_of t ON t.id = m.tenant_id', $$VALUES ('read', 1), ('lost', NULL), ('new', 4)$$, 'marks go with their letters');
SELECT set_eq('SELECT DISTINCT tenant_id FROM mail.free', $$VALUES ('00000000-0000-0000-0000-000000000002'::uuid)$$, 'an expression, and where it is null the default tenant');
SELECT set_eq('SELECT relation::text FROM tenancy.protected_tables', $$VALUES ('mail.users'), ('mail.letters'), ('mail.letters_1'), ('mail.letters_2'),
    ('mail.things'), ('mail.odd_things'), ('mail.marks'), ('mail.free')$$, 'all are protected');
SELECT is_empty('SELECT p.relation, f.* FROM tenancy.protected_tables p, tenancy.protection_faults(p.relation) f', 'and lack nothing');
CALL tenancy.undo_migration();
SELECT is_empty($$SELECT attrelid::regclass FROM pg_attribute WHERE attname = 'tenant_id' AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'mail'::regnamespace)$$,
                'undone: the column is gone everywhere');

SELECT * FROM finish();
