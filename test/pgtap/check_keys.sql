-- check() about keys and indexes: each fault is made, seen, and repaired by executing what check() says.
BEGIN;
SELECT plan(45);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
CREATE TABLE notes (id integer NOT NULL, author integer, code text, body text, at tstzrange, embedding vector(3));
SELECT FROM tenancy.protect('notes');
CREATE TABLE authors (id integer PRIMARY KEY);
SELECT FROM tenancy.protect('authors');
CREATE TABLE parts (id integer, kind text) PARTITION BY LIST (kind);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
SELECT FROM tenancy.protect('parts');
SELECT FROM tenancy.create_corpus(dimensions => 3);
INSERT INTO authors (id, tenant_id) VALUES (1, test_helpers.a()), (1, test_helpers.b());
INSERT INTO notes (id, author, code, tenant_id) VALUES (1, 1, 'x', test_helpers.a()), (2, 1, 'y', test_helpers.b());
SELECT is_empty('SELECT * FROM tenancy.check()', 'tables just protected are clean, with a corpus too');

CREATE FUNCTION finds(deed text, finding text, about text, how_bad text, also text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SET LOCAL session_replication_role = replica;
    EXECUTE deed;
    SET LOCAL session_replication_role = origin;
    SELECT * INTO found FROM tenancy.check() c WHERE c.code = finding AND c.object = about;
    RETURN NEXT is(found.severity, how_bad, finding || ' is found');
    RETURN NEXT is((SELECT array_agg(c.code ORDER BY c.code) FROM tenancy.check() c), (SELECT array_agg(a ORDER BY a) FROM unnest(also || finding) a), 'with nothing else');
    EXECUTE found.fix;
    RETURN NEXT is_empty('SELECT * FROM tenancy.check()', 'and repaired by: ' || found.fix);
END
$$;
SELECT finds('CREATE UNIQUE INDEX notes_code ON notes (code)', 'unique_across', 'index public.notes_code', 'warning');
SELECT finds('CREATE UNIQUE INDEX notes_lower ON notes (lower(body)) WHERE body <> ''''', 'unique_across', 'index public.notes_lower', 'warning');
SELECT finds('ALTER TABLE notes ADD CONSTRAINT notes_at UNIQUE (at)', 'unique_across', 'index public.notes_at', 'warning');
SELECT finds('CREATE UNIQUE INDEX authors_id ON authors (id) INCLUDE (tenant_id) WHERE id > 1', 'unique_across', 'index public.authors_id', 'warning');
SELECT throws_ok('INSERT INTO authors (id, tenant_id) VALUES (1, test_helpers.a())', '23505', NULL, 'within a tenant they hold still');
SELECT finds('CREATE UNIQUE INDEX parts_kind ON parts (kind, id)', 'unique_across', 'index public.parts_kind', 'warning');

SELECT finds('CREATE INDEX notes_author ON notes USING btree (author DESC, lower(code)) INCLUDE (body) WHERE author > 0', 'index_without_tenant', 'index public.notes_author', 'info');
SELECT is(pg_get_indexdef('notes_author'::regclass),
          'CREATE INDEX notes_author ON public.notes USING btree (tenant_id, author DESC, lower(code)) INCLUDE (body) WHERE (author > 0)', 'it is the same with the tenant');
SELECT finds('CREATE INDEX parts_id ON parts (id)', 'index_without_tenant', 'index public.parts_id', 'info');
SELECT finds('CREATE INDEX notes_near ON notes USING hnsw (embedding vector_cosine_ops)', 'approximate_index', 'index public.notes_near', 'warning');
SELECT finds('ALTER TABLE notes ADD CONSTRAINT notes_span EXCLUDE USING gist (at WITH &&) WHERE (id > 0) DEFERRABLE', 'exclusion_across', 'constraint notes_span on table public.notes', 'warning');
SELECT is(pg_get_constraintdef(f.oid), 'EXCLUDE USING gist (tenant_id WITH =, at WITH &&) WHERE ((id > 0)) DEFERRABLE', 'it is the same with the tenant')
FROM pg_constraint f WHERE f.conname = 'notes_span';

-- A table that refers to a protected one and is not protected itself.
CREATE TABLE orders (id integer PRIMARY KEY);
CREATE TABLE items (id integer, "order" integer REFERENCES orders);
SELECT FROM tenancy.protect('orders');
SELECT results_eq('SELECT code, severity, object, fix FROM tenancy.check()', $$VALUES
    ('reference_unprotected', 'warning', 'table public.items', 'SELECT tenancy.protect(''public.items'')'),
    ('unique_pinned', 'info', 'index public.orders_pkey', 'SELECT tenancy.protect(''public.items'')')$$, 'the table is found, and the key that it pins');
SELECT test_helpers.run((SELECT fix FROM tenancy.check() WHERE code = 'unique_pinned'));
SELECT is_empty('SELECT * FROM tenancy.check()', 'and repaired');

-- One that is protected by a path, or shared, cannot be protected as well.
CREATE TABLE shops (id integer PRIMARY KEY, name text CONSTRAINT "Name" UNIQUE, account bigint NOT NULL);
CREATE TABLE visits (shop integer NOT NULL CONSTRAINT to_shop REFERENCES shops);
CREATE TABLE towns (shop text REFERENCES shops (name));
SELECT FROM tenancy.protect('shops', 'account');
SELECT FROM tenancy.protect_by_path('visits');
SELECT FROM tenancy.share('towns');
SELECT results_eq('SELECT code, severity, object, problem, fix FROM tenancy.check()', $$VALUES
    ('unique_pinned', 'info', 'index public."Name"',
     'it stays unique for all tenants of public.shops while public.towns, which is shared, refers to it by towns_shop_fkey',
     'SELECT tenancy.protect(''public.shops'', ''account'', global_keys => ''{Name}'')'),
    ('unique_pinned', 'info', 'index public.shops_pkey',
     'it stays unique for all tenants of public.shops while public.visits, which is protected by a path and has no tenant column, refers to it by to_shop',
     'SELECT tenancy.protect(''public.shops'', ''account'', global_keys => ''{shops_pkey}'')')$$, 'a key that a path needs is said to be one');
SELECT throws_ok($$SELECT tenancy.protect('visits')$$, 'TN009', NULL, 'protect() would be refused');
SELECT test_helpers.run(fix) FROM tenancy.check();
SELECT is_empty('SELECT * FROM tenancy.check()', 'and is global by choice then');
SELECT results_eq($$SELECT array_to_string(global_keys, ',') COLLATE "default" FROM tenancy.protected_tables WHERE relation = 'shops'::regclass$$, $$VALUES ('Name,shops_pkey')$$, 'both are');

-- What is deleted from outside.
CREATE TABLE kinds (id integer PRIMARY KEY);
ALTER TABLE notes ADD kind integer REFERENCES kinds ON DELETE CASCADE;
SELECT is_empty('SELECT * FROM tenancy.check()', 'a reference to a table that no application may delete from is clean');
SELECT finds('GRANT DELETE ON kinds TO PUBLIC', 'cascade_from_outside', 'table public.kinds', 'warning');

-- References that leave the tenant out.
CREATE TABLE codes (code integer CONSTRAINT codes_code UNIQUE);
SELECT FROM tenancy.protect('codes', global_keys => '{codes_code}');
SELECT finds('ALTER TABLE notes ADD number integer CONSTRAINT crosses REFERENCES codes (code)', 'foreign_key_across', 'constraint crosses on table public.notes', 'warning');

-- A key that is global by choice is no finding.
CREATE TABLE users (mail text CONSTRAINT users_mail UNIQUE);
SELECT FROM tenancy.protect('users', global_keys => '{users_mail}');
SELECT is_empty('SELECT * FROM tenancy.check()', 'a key that is global by choice is none');

SELECT * FROM finish();
ROLLBACK;
