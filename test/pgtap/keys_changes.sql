-- key_changes(): what it says of keys, what holds them as they are, and that its statements do it step by step.
BEGIN;
SELECT plan(44);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_owner() AS owner \gset
SELECT test_helpers.make_owner('other') AS other \gset

-- Arguments.
CREATE TABLE plain (id integer PRIMARY KEY);
CREATE VIEW a_view AS SELECT 1 AS one;
SELECT throws_ok('SELECT tenancy.key_changes(NULL)', '22004', 'relation must not be null', 'no table');
SELECT throws_ok('SELECT tenancy.key_changes(1)', '42P01', 'relation with OID 1 does not exist', 'no such table');
SELECT throws_ok($$SELECT tenancy.key_changes('plain', NULL)$$, '22004', 'tenant_column must not be null', 'no column');
SELECT throws_ok($$SELECT tenancy.key_changes('plain', global_keys => NULL)$$, '22004', 'global_keys must not be null', 'no list');
SELECT throws_ok($$SELECT tenancy.key_changes('plain', global_keys => '{NULL}')$$, '22004', 'global_keys must not be null', 'null in the list');
SELECT throws_ok($$SELECT tenancy.key_changes('plain', global_keys => '{plain}')$$, '42704', 'relation public.plain has no unique key "plain"', 'not a key');
SELECT throws_ok($$SELECT tenancy.protect('plain', global_keys => '{nothing}')$$, '42704', 'relation public.plain has no unique key "nothing"', 'protect() says so too');
SELECT throws_ok($$SELECT tenancy.protect('plain', global_keys => NULL)$$, '22004', 'global_keys must not be null', 'and that it is null');
SELECT is_empty($$SELECT tenancy.key_changes('a_view')$$, 'a view has no keys');
SELECT test_helpers.act_as('owner');
SELECT throws_ok($$SELECT tenancy.key_changes('plain')$$, '42501', 'must be owner of relation public.plain', 'another''s table');
SELECT test_helpers.act_as_superuser();

-- A plan for several tables.
CREATE TABLE orders (id integer PRIMARY KEY, number text UNIQUE);
CREATE TABLE items (id integer PRIMARY KEY, "order" integer CONSTRAINT of_order REFERENCES orders ON DELETE SET NULL, CONSTRAINT again FOREIGN KEY (id) REFERENCES orders);
CREATE FUNCTION said(relation regclass, among regclass[] DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', kind, c.relation, name, coalesce(blocked, new_definition)) FROM tenancy.key_changes(said.relation, 'tenant_id', among) c
$$;
SELECT results_eq($$SELECT said('items')$$, $$VALUES ('unique items items_pkey PRIMARY KEY (tenant_id, id)')$$, 'alone, a table''s foreign keys stay');
SELECT results_eq($$SELECT said('orders')$$, $$VALUES
    ('unique orders orders_number_key UNIQUE (tenant_id, number)'),
    ('unique orders orders_pkey Constraint again of table public.items, which is not protected, refers to it.')$$, 'and a key that others refer to');
SELECT results_eq($$SELECT said('items', '{orders,items}')$$, $$VALUES
    ('unique orders orders_number_key UNIQUE (tenant_id, number)'),
    ('unique orders orders_pkey PRIMARY KEY (tenant_id, id)'),
    ('unique items items_pkey PRIMARY KEY (tenant_id, id)'),
    ('foreign_key items again FOREIGN KEY (tenant_id, id) REFERENCES public.orders(tenant_id, id)'),
    ('foreign_key items of_order FOREIGN KEY (tenant_id, "order") REFERENCES public.orders(tenant_id, id) ON DELETE SET NULL ("order")')$$,
    'together they change');
SELECT is((SELECT array_agg(s ORDER BY s) FROM said('orders', '{items}') s), (SELECT array_agg(s ORDER BY s) FROM said('items', '{orders}') s), 'seen from both sides');

-- The statements do it: prepared one by one, swapped in the order of the rows, undone in the opposite order.
CREATE FUNCTION shape() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN ('orders'::regclass, 'items'::regclass)
    UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename IN ('orders', 'items') ORDER BY 1
$$;
ALTER TABLE orders ADD tenant_id uuid NOT NULL DEFAULT test_helpers.a();
ALTER TABLE items ADD tenant_id uuid NOT NULL DEFAULT test_helpers.a();
INSERT INTO orders VALUES (1, 'one');
INSERT INTO items VALUES (1, 1);
CREATE TEMP TABLE before AS SELECT s FROM shape() s;
CREATE TEMP TABLE steps AS SELECT row_number() OVER () AS place, c.* FROM tenancy.key_changes('orders', 'tenant_id', '{items}') c;
SELECT results_eq('SELECT unnest(prepare) FROM steps ORDER BY place', $$VALUES
    ('CREATE UNIQUE INDEX CONCURRENTLY orders_number_key_per_tenant ON public.orders USING btree (tenant_id, number)'),
    ('CREATE UNIQUE INDEX CONCURRENTLY orders_pkey_per_tenant ON public.orders USING btree (tenant_id, id)'),
    ('CREATE UNIQUE INDEX CONCURRENTLY items_pkey_per_tenant ON public.items USING btree (tenant_id, id)'),
    ('ALTER TABLE public.items ADD CONSTRAINT again_per_tenant FOREIGN KEY (tenant_id, id) REFERENCES public.orders(tenant_id, id) NOT VALID'),
    ('ALTER TABLE public.items VALIDATE CONSTRAINT again_per_tenant'),
    ('ALTER TABLE public.items ADD CONSTRAINT of_order_per_tenant FOREIGN KEY (tenant_id, "order") REFERENCES public.orders(tenant_id, id) ON DELETE SET NULL ("order") NOT VALID'),
    ('ALTER TABLE public.items VALIDATE CONSTRAINT of_order_per_tenant')$$, 'what can be prepared online');
SELECT test_helpers.run(VARIADIC array_agg(s ORDER BY place, n)) FROM steps, unnest(swap) WITH ORDINALITY AS u (s, n);
SELECT is_empty($$SELECT tenancy.key_changes('orders', 'tenant_id', '{items}') c$$, 'swapped without preparation, nothing is left to change');
SELECT test_helpers.run(VARIADIC array_agg(s ORDER BY place DESC, n)) FROM steps, unnest(undo) WITH ORDINALITY AS u (s, n);
SELECT results_eq('SELECT shape()', 'TABLE before', 'undone it is as before');
SELECT test_helpers.run(VARIADIC array_agg(replace(s, 'CONCURRENTLY ', '') ORDER BY place, n)) FROM steps, unnest(prepare) WITH ORDINALITY AS u (s, n);
SELECT is_empty($$SELECT unnest(prepare) FROM tenancy.key_changes('orders', 'tenant_id', '{items}')$$, 'what is prepared is not prepared again');
CREATE TEMP TABLE prepared AS SELECT 'orders_pkey_per_tenant'::regclass::oid AS index, (SELECT oid FROM pg_constraint WHERE conname = 'of_order_per_tenant') AS link;
SELECT isnt_empty($$SELECT tenancy.protect('orders')$$, 'the first table is protected');
SELECT results_eq($$SELECT conname FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype IN ('p', 'u') ORDER BY 1$$,
    $$VALUES ('orders_number_key'::name), ('orders_pkey')$$, 'its keys have their names');
SELECT results_eq($$SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'orders_pkey'$$, $$VALUES ('PRIMARY KEY (id)')$$, 'one waits for the other table');
SELECT isnt_empty($$SELECT tenancy.protect('items')$$, 'which is protected');
SELECT results_eq($$SELECT 'orders_pkey'::regclass::oid, (SELECT oid FROM pg_constraint WHERE conname = 'of_order')$$, 'TABLE prepared', 'with what was prepared');
SELECT is_empty($$SELECT shape() INTERSECT SELECT s FROM before$$, 'all has changed');
SELECT is_empty($$SELECT s FROM shape() s WHERE s LIKE '%per_tenant%'$$, 'and nothing is left over');
SELECT tenancy.unprotect('orders'), tenancy.unprotect('items');
SELECT results_eq('SELECT shape()', 'TABLE before', 'until they are unprotected');

-- What holds a key.
CREATE TABLE grouped (id integer PRIMARY KEY, name text);
CREATE VIEW groups AS SELECT id, name FROM grouped GROUP BY id;
SELECT results_eq($$SELECT said('grouped')$$, $$VALUES ('unique grouped grouped_pkey Rule _RETURN on view public.groups depends on it.')$$, 'a view that groups by it');
CREATE TABLE published (id integer PRIMARY KEY, name text);
CREATE PUBLICATION columns FOR TABLE published (id, name);
SELECT results_eq($$SELECT said('published')$$,
    $$VALUES ('unique published published_pkey Publication columns lists the table''s columns without tenant_id, and updates are identified by this key.')$$, 'a publication of columns');
SELECT test_helpers.run(format('CREATE TABLE wide (%s, UNIQUE (%s))', string_agg('c' || n || ' integer', ', '), string_agg('c' || n, ', '))) FROM generate_series(1, 32) n;
SELECT results_eq($$SELECT blocked FROM tenancy.key_changes('wide')$$, $$VALUES ('It has as many columns as an index can have.')$$, 'as many columns as there can be');
SELECT lives_ok($$SELECT tenancy.protect('grouped'), tenancy.protect('wide')$$, 'which does not keep the tables from being protected');

-- What holds a foreign key.
CREATE TABLE by_number (id integer PRIMARY KEY, account bigint NOT NULL);
CREATE TABLE by_uuid (id integer PRIMARY KEY, number integer CONSTRAINT by_types REFERENCES by_number);
SELECT tenancy.protect('by_number', 'account');
SELECT tenancy.protect('by_uuid');
SELECT results_eq($$SELECT name, blocked FROM tenancy.key_changes('by_uuid')$$, $$VALUES ('by_types'::name, 'The tenant columns are of different types, uuid and bigint.')$$, 'columns of different types');
CREATE TABLE spaces (space uuid PRIMARY KEY);
CREATE TABLE in_space (id integer PRIMARY KEY, tenant_id uuid CONSTRAINT by_pair REFERENCES spaces);
SELECT tenancy.protect('spaces'), tenancy.protect('in_space');
SELECT results_eq($$SELECT name, blocked FROM tenancy.key_changes('in_space')$$, $$VALUES ('by_pair'::name, 'It pairs the tenant column of public.in_space with another column.')$$, 'a tenant column that refers to something else');

-- Owners change keys of their own tables only.
SELECT test_helpers.act_as('other');
CREATE TABLE others (id integer PRIMARY KEY);
GRANT REFERENCES ON others TO :"owner";
SELECT test_helpers.act_as('owner');
CREATE TABLE mine (id integer PRIMARY KEY, other integer CONSTRAINT to_other REFERENCES others);
SELECT test_helpers.act_as('other');
SELECT FROM tenancy.protect('others');
SELECT test_helpers.act_as('owner');
SELECT lives_ok($$SELECT tenancy.protect('mine')$$, 'a table that refers to another owner''s is protected');
SELECT results_eq($$SELECT relation::text, name, blocked FROM tenancy.key_changes('mine')$$, $$VALUES ('mine', 'to_other'::name, 'The caller is not the owner of table public.others.')$$, 'and its foreign key waits for somebody who owns both');
SELECT test_helpers.act_as_superuser();
SELECT lives_ok($$SELECT tenancy.protect('mine')$$, 'such as a superuser');
SELECT results_eq($$SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'to_other'$$, $$VALUES ('FOREIGN KEY (tenant_id, other) REFERENCES others(tenant_id, id)')$$, 'after whom it has the tenant');

-- An owner, whom the policies hold, can do it with rows of several tenants.
SELECT test_helpers.act_as('owner');
CREATE TABLE own_parents (id integer PRIMARY KEY, tenant_id uuid);
CREATE TABLE own_children (id integer PRIMARY KEY, parent integer REFERENCES own_parents, tenant_id uuid);
INSERT INTO own_parents VALUES (1, test_helpers.a()), (2, test_helpers.b());
INSERT INTO own_children VALUES (1, 1, test_helpers.a()), (2, 2, test_helpers.b()), (3, 1, test_helpers.b());
SELECT FROM tenancy.protect('own_parents');
SELECT throws_ok($$SELECT tenancy.protect('own_children')$$, 'TN009', 'relation public.own_children cannot be protected', 'and is told of rows that cross');
DELETE FROM own_children WHERE id = 3;
SELECT lives_ok($$SELECT tenancy.protect('own_children')$$, 'until there are none');
SELECT is_empty($$SELECT f.* FROM tenancy.protected_tables p, tenancy.protection_faults(p.relation) f WHERE p.relation IN ('own_parents'::regclass, 'own_children')$$, 'FORCE is back');
SELECT is_empty($$SELECT FROM tenancy.protected_tables WHERE is_changing$$, 'and nothing is left open');
SELECT lives_ok($$SELECT tenancy.unprotect('own_parents'); SELECT tenancy.unprotect('own_children')$$, 'and undo it');
SELECT is((SELECT count(*) FROM own_children), 2::bigint, 'with all rows');
SELECT test_helpers.act_as_superuser();

-- Rows that became equal meanwhile.
CREATE TABLE numbered (id integer PRIMARY KEY);
SELECT FROM tenancy.protect('numbered');
INSERT INTO numbered VALUES (1, test_helpers.a()), (1, test_helpers.b());
SELECT throws_ok($$SELECT tenancy.unprotect('numbered')$$, 'TN009', 'relation public.numbered cannot be unprotected', 'keys that only tenants tell apart stay');
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('numbered')$$, 'and so does the whole protection');

SELECT * FROM finish();
ROLLBACK;
