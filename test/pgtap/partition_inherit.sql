-- Inheritance children are tables of their own: each is protected, and no other parent leads to its rows.
BEGIN;
SELECT plan(16);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
CREATE TABLE animals (id integer);
CREATE TABLE dogs (breed text) INHERITS (animals);
INSERT INTO animals VALUES (1);
INSERT INTO dogs VALUES (2, 'x');
SELECT isnt_empty($$SELECT tenancy.protect('animals')$$, 'protect the parent');
SELECT is((SELECT count(*) FROM tenancy.protected_tables), 2::bigint, 'the child with it');
SELECT is_empty('SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f', 'nothing is missing, index and key included');

CREATE TABLE cats (lives integer) INHERITS (animals);
CREATE TABLE birds (id integer, tenant_id uuid NOT NULL, wings integer);
ALTER TABLE birds INHERIT animals;
SELECT is((SELECT count(*) FROM tenancy.protected_tables), 4::bigint, 'children that come later are protected');
SELECT results_eq('SELECT DISTINCT f.code FROM tenancy.protected_tables, tenancy.protection_faults(relation) f ORDER BY 1',
                  $$VALUES ('foreign_key_missing'), ('index_missing')$$, 'but PostgreSQL gives them neither key nor index');
SELECT isnt_empty($$SELECT tenancy.protect('animals')$$, 'which protect() completes');
SELECT is_empty('SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f', 'then nothing is missing');

GRANT SELECT, INSERT ON animals, dogs, cats, birds TO PUBLIC;
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT test_helpers.run('INSERT INTO cats VALUES (20)', 'INSERT INTO dogs VALUES (21)', 'INSERT INTO birds (id) VALUES (22)');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT test_helpers.run('INSERT INTO cats VALUES (10)', 'INSERT INTO dogs VALUES (11)', 'INSERT INTO birds (id) VALUES (12)');
SELECT results_eq('SELECT id FROM animals ORDER BY 1', 'VALUES (10), (11), (12)', 'A sees its rows through the parent');
SELECT results_eq('SELECT id FROM cats', 'VALUES (10)', 'and through a child');
SELECT results_eq('SELECT id FROM birds', 'VALUES (12)', 'and another');

SELECT test_helpers.act_as_superuser();
CREATE TABLE things (id integer);
SELECT throws_ok('ALTER TABLE cats INHERIT things', 'TN009', 'protected table public.cats cannot be a child of public.things', 'an open table does not become a parent');
SELECT throws_ok('CREATE TABLE ducks () INHERITS (animals, things)', 'TN009', 'protected table public.ducks cannot be a child of public.things', 'nor a second one');
CREATE TABLE mixed () INHERITS (things);
CREATE TABLE base (id integer);
ALTER TABLE mixed INHERIT base;
SELECT throws_ok($$SELECT tenancy.protect('base')$$, 'TN009', 'relation public.mixed cannot be protected', 'a child that an open table leads to stops its other parent');
SELECT hasnt_column('public', 'base', 'tenant_id', 'which is unchanged');
SELECT isnt_empty($$SELECT tenancy.unprotect('animals')$$, 'unprotect the parent');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'and all are free');

SELECT * FROM finish();
ROLLBACK;
