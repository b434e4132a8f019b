-- Foreign keys with the tenant do what they did without it: actions, MATCH FULL, deferral, and columns of an extension's type.
BEGIN;
SELECT plan(22);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app') AS app \gset
CREATE TABLE parents (id integer PRIMARY KEY, a integer, b integer, UNIQUE (a, b));
CREATE TABLE nulled (id integer PRIMARY KEY, parent integer REFERENCES parents ON DELETE SET NULL);
CREATE TABLE defaulted (id integer PRIMARY KEY, parent integer DEFAULT 0 REFERENCES parents ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
CREATE TABLE updated (id integer PRIMARY KEY, parent integer REFERENCES parents ON UPDATE SET NULL);
CREATE TABLE fully (id integer PRIMARY KEY, a integer, b integer, CONSTRAINT fully_pair FOREIGN KEY (a, b) REFERENCES parents (a, b) MATCH FULL ON DELETE SET NULL);
CREATE TABLE waiting (id integer PRIMARY KEY, parent integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE unchecked (id integer PRIMARY KEY, parent integer);
INSERT INTO unchecked VALUES (1, 99);
ALTER TABLE unchecked ADD CONSTRAINT unchecked_parent FOREIGN KEY (parent) REFERENCES parents NOT VALID;
CREATE TEMP TABLE before AS SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace;
SELECT tenancy.protect(t::regclass) FROM unnest('{parents,nulled,defaulted,updated,fully,waiting,unchecked}'::text[]) t;
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO %I', :'app'));
INSERT INTO parents (tenant_id, id, a, b) SELECT t, n, n, n FROM unnest(ARRAY[test_helpers.a(), test_helpers.b()]) t, generate_series(0, 6) n;
INSERT INTO nulled (tenant_id, id, parent) VALUES (test_helpers.b(), 1, 1);

SELECT test_helpers.act_as('app', test_helpers.a());
SELECT test_helpers.run('INSERT INTO nulled VALUES (1, 1)', 'INSERT INTO defaulted VALUES (1, 1), (2, 2)', 'INSERT INTO updated VALUES (1, 3)', 'INSERT INTO fully VALUES (1, 1, 1), (2, NULL, NULL)');
SELECT throws_ok('INSERT INTO fully VALUES (3, 1, NULL)', '23514', NULL, 'MATCH FULL takes all columns or none');
SELECT throws_ok('INSERT INTO fully VALUES (3, 1, 2)', '23503', NULL, 'and a pair that is there');
SELECT is(test_helpers.run('DELETE FROM parents WHERE id = 1'), 1::bigint, 'delete a parent');
SELECT results_eq('SELECT id, parent FROM nulled', 'VALUES (1, NULL::integer)', 'SET NULL');
SELECT results_eq('SELECT id, parent FROM defaulted ORDER BY id', 'VALUES (1, 0), (2, 2)', 'SET DEFAULT');
SELECT results_eq('SELECT id, a, b FROM fully ORDER BY id', 'VALUES (1, NULL::integer, NULL::integer), (2, NULL, NULL)', 'SET NULL of a pair');
SELECT is((SELECT count(*) FROM nulled WHERE tenant_id = tenancy.current_tenant_id()), 1::bigint, 'the tenant stays');
SELECT is(test_helpers.run('UPDATE parents SET id = 20 WHERE id = 2'), 1::bigint, 'change a parent''s key');
SELECT results_eq('SELECT id, parent FROM defaulted ORDER BY id', 'VALUES (1, 0), (2, 0)', 'SET DEFAULT on update, with the tenant as it was');
SELECT throws_ok('UPDATE parents SET id = 30 WHERE id = 3', '23503', NULL, 'SET NULL on update refuses, as it would empty the tenant too');
SELECT lives_ok('INSERT INTO waiting VALUES (1, 50)', 'a deferred key waits');
SELECT lives_ok('INSERT INTO parents VALUES (50); SET CONSTRAINTS ALL IMMEDIATE', 'for its parent');
SELECT throws_ok('INSERT INTO unchecked VALUES (2, 98)', '23503', NULL, 'what was not valid checks new rows');
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT results_eq('SELECT id, parent FROM nulled', 'VALUES (1, 1)', 'B''s child keeps its parent');
SELECT is((SELECT count(*) FROM parents), 7::bigint, 'B has its parents');
SELECT test_helpers.act_as_superuser();
SELECT is((SELECT convalidated FROM pg_constraint WHERE conname = 'unchecked_parent'), false, 'what was not valid is not valid');
SELECT is_empty($$SELECT FROM pg_constraint f JOIN tenancy.protected_tables p ON p.relation = f.conrelid
                  WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND confrelid = 'parents'::regclass
                    AND pg_get_constraintdef(oid) NOT LIKE 'FOREIGN KEY (tenant_id, %'$$, 'all have the tenant');
SELECT is((SELECT count(*) FROM unchecked WHERE parent = 99), 1::bigint, 'and its row is there');

DELETE FROM nulled; DELETE FROM defaulted; DELETE FROM updated; DELETE FROM fully; DELETE FROM waiting; DELETE FROM parents;
SELECT lives_ok($$SELECT tenancy.unprotect(relation) FROM tenancy.protected_tables ORDER BY relation DESC$$, 'unprotect all of them');
SELECT results_eq('SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = ''public''::regnamespace ORDER BY 1, 2', 'TABLE before ORDER BY 1, 2', 'and every constraint is as it was');

-- A type of an extension's compares by its own operators, also in policies.
CREATE SCHEMA elsewhere;
CREATE TYPE elsewhere.colour AS ENUM ('red', 'blue');
CREATE TABLE paints (colour elsewhere.colour PRIMARY KEY);
CREATE TABLE walls (id integer, colour elsewhere.colour NOT NULL REFERENCES paints);
SELECT tenancy.protect('paints');
SELECT lives_ok($$SELECT tenancy.protect_by_path('walls')$$, 'a path by a type of its own');
SELECT is_empty($$SELECT f.* FROM tenancy.indirect_faults('walls') f$$, 'is whole');

SELECT * FROM finish();
ROLLBACK;
