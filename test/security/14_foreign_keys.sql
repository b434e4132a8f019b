-- Attack 14: reach another tenant through foreign keys, whose checks and actions go by policies. A child refers to parents of
-- its own tenant only, whatever is tried, and nothing that A does to its parents reaches children of B.
BEGIN;
SELECT plan(29);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset

CREATE TABLE parents (id integer PRIMARY KEY, code text UNIQUE, up integer REFERENCES parents ON DELETE CASCADE);
CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents ON DELETE CASCADE,
                       code text REFERENCES parents (code) ON DELETE SET NULL ON UPDATE CASCADE,
                       later integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE parts (id integer, parent integer REFERENCES parents) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
SELECT FROM tenancy.protect('children');
SELECT FROM tenancy.protect('parents');
SELECT FROM tenancy.protect('parts');
GRANT SELECT, INSERT, UPDATE, DELETE ON parents, children, parts, parts_1 TO :"app";
INSERT INTO parents (tenant_id, id, code) VALUES (a(), 1, 'one'), (b(), 1, 'one'), (b(), 2, 'two');
INSERT INTO children (tenant_id, id, parent, code) VALUES (b(), 1, 1, 'one'), (b(), 2, 2, 'two');

SELECT act_as('app', a());
SELECT throws_ok('INSERT INTO children (id, parent) VALUES (1, 2)', '23503', NULL, 'a parent of B does not exist for A');
SELECT throws_ok('INSERT INTO children (id, parent) VALUES (1, 3)', '23503', NULL, 'no more than one that nobody has');
SELECT throws_ok('INSERT INTO children (id, code) VALUES (1, ''two'')', '23503', NULL, 'nor by another key');
SELECT throws_ok(format('INSERT INTO children (tenant_id, id, parent) VALUES (%L, 1, 2)', b()), '42501', NULL, 'nor as a row of B');
SELECT throws_ok('INSERT INTO children (tenant_id, id, parent) VALUES (NULL, 1, 2)', '42501', NULL, 'nor with no tenant, which would not be checked');
SELECT throws_ok('INSERT INTO parents VALUES (9, ''nine'', 2)', '23503', NULL, 'nor within one table');
SELECT throws_ok('INSERT INTO parts VALUES (1, 2)', '23503', NULL, 'nor from a partitioned table');
SELECT throws_ok('INSERT INTO parts_1 VALUES (1, 2)', '23503', NULL, 'nor from its partition');
SELECT throws_ok('INSERT INTO children (id, later) VALUES (1, 2); SET CONSTRAINTS ALL IMMEDIATE', '23503', NULL, 'nor by the end of the transaction');
SELECT lives_ok('INSERT INTO children (id, parent, code, later) VALUES (1, 1, ''one'', 1)', 'A''s own parent does');
SELECT lives_ok('INSERT INTO children (id) VALUES (2)', 'and so does none');
SELECT lives_ok('INSERT INTO parts VALUES (1, 1)', 'partitions refer to A''s own too');
SELECT lives_ok('INSERT INTO parents VALUES (3, ''three'', 1)', 'and rows of one table to each other');
SELECT throws_ok('UPDATE children SET parent = 2 WHERE id = 1', '23503', NULL, 'a row is not moved under a parent of B');
SELECT throws_ok(format('UPDATE children SET tenant_id = %L WHERE id = 1', b()), '42501', NULL, 'nor to B');
SELECT throws_ok('UPDATE children SET tenant_id = NULL WHERE id = 1', '42501', NULL, 'nor out of all tenants');

SELECT throws_ok('DELETE FROM parents WHERE id = 1', '23503', NULL, 'a parent in use is kept');
SELECT run('DELETE FROM parts', 'UPDATE children SET later = NULL');
SELECT is(run('UPDATE parents SET code = ''uno'' WHERE id = 1'), 1::bigint, 'a cascading update');
SELECT results_eq('SELECT id, code FROM children ORDER BY id', $$VALUES (1, 'uno'), (2, NULL)$$, 'reaches A''s children');
SELECT lives_ok('INSERT INTO parents VALUES (2, ''two'')', 'A may have the keys that B has');
SELECT run($$INSERT INTO children (id, code) VALUES (3, 'two')$$);
SELECT is(run('DELETE FROM parents WHERE id IN (1, 2)'), 2::bigint, 'and delete its own of them');
SELECT results_eq('SELECT id, code FROM children ORDER BY id', 'VALUES (2, NULL::text), (3, NULL)', 'which cascades, and sets null what it should');
SELECT is_empty('SELECT FROM parents', 'also within the table');

SELECT act_as('app', b());
SELECT results_eq('SELECT id, parent, code FROM children ORDER BY id', $$VALUES (1, 1, 'one'), (2, 2, 'two')$$, 'B''s children are untouched');
SELECT is((SELECT count(*) FROM parents), 2::bigint, 'and so are its parents');
SELECT act_as_superuser();
SELECT throws_ok('INSERT INTO children (tenant_id, id, parent) VALUES (NULL, 1, 2)', '23502', NULL, 'who goes by policies needs a tenant too');
SELECT is_empty('SELECT * FROM tenancy.check() WHERE code = ''foreign_key_across''', 'check() finds no key across tenants');

-- Rows that cross already are told of, and nothing is half done.
CREATE TABLE owners (id integer PRIMARY KEY, tenant_id uuid NOT NULL);
CREATE TABLE things (id integer PRIMARY KEY, owner integer CONSTRAINT things_owner REFERENCES owners, tenant_id uuid NOT NULL);
INSERT INTO owners VALUES (1, a()), (2, b());
INSERT INTO things VALUES (1, 1, a()), (2, 1, b()), (3, 2, a());
SELECT FROM tenancy.protect('owners');
PREPARE refused AS SELECT FROM tenancy.protect('things');
SELECT throws_ok('EXECUTE refused', 'TN009', 'relation public.things cannot be protected', 'a table with rows that cross is not protected');
SELECT is((SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'things_owner'), 'FOREIGN KEY (owner) REFERENCES owners(id)', 'and left as it was');

SELECT * FROM finish();
ROLLBACK;
