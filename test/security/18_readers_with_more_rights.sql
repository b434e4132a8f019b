-- Attack 18: read through what has more rights than oneself: views, materialized views and functions of an owner whom
-- policies do not hold, and objects of pg_temp that take the place of ours.
BEGIN;
SELECT plan(8);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a(), 'of a'), (2, b(), 'of b');
SELECT make_role() AS app \gset
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
SELECT is_empty('SELECT * FROM tenancy.check() WHERE severity = ''error''', 'nothing is wrong to begin with');

CREATE VIEW notes_as_owner AS SELECT * FROM notes;
CREATE VIEW notes_over_view AS SELECT * FROM notes_as_owner;
CREATE VIEW notes_as_caller WITH (security_invoker = true) AS SELECT * FROM notes;
CREATE MATERIALIZED VIEW notes_kept AS SELECT * FROM notes;
CREATE FUNCTION notes_by_definer() RETURNS SETOF notes LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT * FROM public.notes';
CREATE FUNCTION notes_by_invoker() RETURNS SETOF notes LANGUAGE sql STABLE AS 'SELECT * FROM public.notes';
GRANT SELECT ON notes_as_owner, notes_over_view, notes_as_caller, notes_kept TO PUBLIC;

SELECT set_eq('SELECT code, severity, object FROM tenancy.check() WHERE object ~ ''notes_''',
              $$VALUES ('view_as_owner', 'error', 'view public.notes_as_owner'), ('view_as_owner', 'error', 'view public.notes_over_view'),
                       ('materialized_view', 'error', 'materialized view public.notes_kept'),
                       ('function_as_owner', 'warning', 'function public.notes_by_definer()')$$,
              'check() finds each of them, and not those that read as their caller');

SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes_as_caller', 'VALUES (1)', 'a view that reads as its caller: the rows of A');
SELECT results_eq('SELECT id FROM notes_by_invoker()', 'VALUES (1)', 'a function that reads as its caller: the rows of A');
SELECT act_as_superuser();
ALTER VIEW notes_as_owner SET (security_invoker = true);
SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes_as_owner', 'VALUES (1)', 'repaired as check() says, so does the other view');

-- An owner whom policies hold gives nothing away.
SELECT act_as_superuser();
SELECT make_role('owner', NULL) AS owner \gset
GRANT SELECT ON notes TO :"owner";
ALTER FUNCTION notes_by_definer() OWNER TO :"owner";
SELECT tenancy.grant_app(:'owner');
SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes_by_definer()', 'VALUES (1)', 'a definer function of an owner held by policies: the rows of A');

-- Objects of pg_temp that are named like ours.
SELECT act_as('app', a());
CREATE TEMP TABLE notes (id int, tenant_id uuid, body text);
CREATE TEMP TABLE tenants (LIKE public.notes);
CREATE TEMP TABLE memberships (tenant_id uuid, user_id uuid, role text);
INSERT INTO pg_temp.memberships VALUES (b(), admin_of_a(), 'admin');
CREATE FUNCTION pg_temp.current_tenant_id() RETURNS uuid LANGUAGE sql AS 'SELECT test_helpers.b()';
CREATE FUNCTION pg_temp.uuid_eq(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR pg_temp.= (leftarg = uuid, rightarg = uuid, function = pg_temp.uuid_eq);
SET LOCAL search_path = pg_temp, public, pg_catalog;
SELECT public.results_eq('SELECT id FROM public.notes', 'VALUES (1)', 'the policies go on with their own functions and operators');
SELECT public.throws_ok('SELECT tenancy.set_tenant(test_helpers.b())', 'TN003', 'context is sealed', 'so does the seal');
SELECT * FROM public.finish();
ROLLBACK;
