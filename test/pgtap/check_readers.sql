-- check() about what reads with more rights than its caller has: views, materialized views, functions.
BEGIN;
SELECT plan(36);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_role('plain', NULL);
CREATE TABLE notes (id integer);
SELECT tenancy.protect('notes');
INSERT INTO notes VALUES (1, test_helpers.a()), (2, test_helpers.b());
CREATE FUNCTION app() RETURNS text LANGUAGE sql RETURN test_helpers.role_name('app');

CREATE VIEW findings WITH (security_invoker = true) AS SELECT code, severity, object FROM tenancy.check();

CREATE FUNCTION repair() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT fix FROM tenancy.check() LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

-- A view reads as its owner.
CREATE VIEW all_notes AS SELECT * FROM notes;
GRANT SELECT ON all_notes TO PUBLIC;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT count(*) FROM all_notes', 'VALUES (2::bigint)', 'a view of a superuser shows everything');
SELECT test_helpers.act_as_superuser();
SELECT results_eq('TABLE findings', $$VALUES ('view_as_owner', 'error', 'view public.all_notes')$$, 'which is found');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');
GRANT SELECT ON notes TO PUBLIC;
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT id FROM all_notes', 'VALUES (1)', 'then A sees its own rows through it');
SELECT test_helpers.act_as_superuser();

-- Also at a distance. A view in between that reads as its caller does so below another one too.
CREATE VIEW outer_view AS SELECT count(*) FROM all_notes;
GRANT SELECT ON outer_view TO PUBLIC;
SELECT is_empty('TABLE findings', 'a view over one that reads as its caller is none');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('TABLE outer_view', 'VALUES (1::bigint)', 'A''s rows alone are counted');
SELECT test_helpers.act_as_superuser();
ALTER VIEW all_notes RESET (security_invoker);
SELECT results_eq('TABLE findings', $$VALUES ('view_as_owner', 'error', 'view public.all_notes'), ('view_as_owner', 'error', 'view public.outer_view')$$,
                  'a view over one that reads as its owner is found');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');
DROP VIEW outer_view;
CREATE MATERIALIZED VIEW outer_view AS SELECT count(*) FROM all_notes;
GRANT SELECT ON outer_view TO PUBLIC;
SELECT results_eq('TABLE findings', $$VALUES ('materialized_view', 'error', 'materialized view public.outer_view')$$, 'what it keeps is of its owner');
DROP MATERIALIZED VIEW outer_view;
CREATE VIEW held_view AS SELECT * FROM notes;
SELECT test_helpers.run(format('ALTER VIEW held_view OWNER TO %I', test_helpers.role_name('plain')));
SELECT results_eq('TABLE findings', $$VALUES ('view_as_owner', 'info', 'view public.held_view')$$, 'one whose owner is held by policies is mentioned');
SELECT test_helpers.run('GRANT SELECT ON held_view TO PUBLIC', format('GRANT EXECUTE ON FUNCTION tenancy.current_tenant_id() TO %I', test_helpers.role_name('plain')),
                        format('GRANT USAGE ON SCHEMA tenancy TO %I', test_helpers.role_name('plain')));
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT id FROM held_view', 'VALUES (1)', 'it shows the tenant''s rows only');
SELECT test_helpers.act_as_superuser();
SELECT test_helpers.run(format('REVOKE ALL ON FUNCTION tenancy.current_tenant_id() FROM %I', test_helpers.role_name('plain')));
SELECT repair();
SELECT is_empty('TABLE findings', 'and is repaired');
CREATE VIEW unrelated AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW unrelated_too AS SELECT 1 AS one;
SELECT is_empty('TABLE findings', 'views over other things are none of its business');

-- A materialized view holds what its refresher saw.
CREATE MATERIALIZED VIEW stored AS SELECT * FROM notes;
SELECT is_empty('TABLE findings', 'a materialized view for its owner alone does no harm');
GRANT SELECT ON stored TO PUBLIC;
SELECT test_helpers.run(format('GRANT SELECT ON stored TO %I', app()));
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT results_eq('SELECT count(*) FROM stored', 'VALUES (2::bigint)', 'a readable one shows everything');
SELECT test_helpers.act_as_superuser();
SELECT results_eq('SELECT DISTINCT code, severity, object, count(*) OVER () FROM findings',
                  $$VALUES ('materialized_view', 'error', 'materialized view public.stored', 2::bigint)$$, 'which is found for each who may');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT throws_ok('SELECT count(*) FROM stored', '42501', 'permission denied for materialized view stored', 'then A does not see it');
SELECT test_helpers.act_as_superuser();
SELECT test_helpers.run(format('ALTER MATERIALIZED VIEW stored OWNER TO %I', app()));
SELECT results_eq('TABLE findings', $$VALUES ('materialized_view', 'error', 'materialized view public.stored')$$, 'an application''s own is found');
SELECT repair();
SELECT is_empty('TABLE findings', 'and dropped');

-- A function that runs as somebody whom policies do not hold.
CREATE FUNCTION count_notes() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.notes';
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(count_notes(), 2::bigint, 'a superuser''s SECURITY DEFINER function counts everything');
SELECT test_helpers.act_as_superuser();
SELECT results_eq('TABLE findings', $$VALUES ('function_as_owner', 'warning', 'function public.count_notes()')$$, 'which is found');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is(count_notes(), 1::bigint, 'then it counts A''s rows');
SELECT test_helpers.act_as_superuser();
ALTER FUNCTION count_notes() SECURITY DEFINER;
SELECT test_helpers.run(format('ALTER FUNCTION count_notes() OWNER TO %I', test_helpers.role_name('plain')));
SELECT is_empty('TABLE findings', 'one whose owner is held by policies is not');
CREATE PROCEDURE maintain() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
SELECT results_eq('TABLE findings', $$VALUES ('function_as_owner', 'warning', 'function public.maintain()')$$, 'a procedure is found too');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');
CREATE PROCEDURE private() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
REVOKE ALL ON PROCEDURE private() FROM PUBLIC;
SELECT is_empty('TABLE findings', 'one that nobody else may call is not');

-- A function that is declared to return the same for ever, and reads the context.
CREATE FUNCTION my_tenant() RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN tenancy.current_tenant_id(); END$$;
CREATE FUNCTION my_tenant_too() RETURNS uuid LANGUAGE sql IMMUTABLE RETURN tenancy.writable_tenant_id();
CREATE FUNCTION my_setting() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT current_setting('tenancy.tenant_id')$$;
CREATE FUNCTION my_stable() RETURNS uuid LANGUAGE sql STABLE RETURN tenancy.current_tenant_id();
CREATE FUNCTION my_harmless() RETURNS uuid LANGUAGE sql IMMUTABLE AS $$SELECT '00000000-0000-0000-0000-000000000002'::uuid$$;
SELECT results_eq('TABLE findings', $$VALUES ('context_immutable', 'error', 'function public.my_setting()'),
    ('context_immutable', 'error', 'function public.my_tenant()'), ('context_immutable', 'error', 'function public.my_tenant_too()')$$,
    'IMMUTABLE functions over the context are found, of every language');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');
SELECT is((SELECT string_agg(provolatile::text, '') FROM pg_proc WHERE proname IN ('my_tenant', 'my_tenant_too', 'my_setting')), 'sss', 'they are STABLE now');

-- A function that is called with rows before the policies are asked.
CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF AS $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$;
SELECT results_eq('TABLE findings', $$VALUES ('function_leakproof', 'warning', 'function public.peek(text)')$$, 'a LEAKPROOF function is found');
SELECT repair();
SELECT is_empty('TABLE findings', 'and repaired');

SELECT test_helpers.act_as('plain');
SELECT throws_ok('SELECT * FROM tenancy.check()', '42501', 'permission denied for function check', 'check() is not for everybody');
SELECT test_helpers.act_as_superuser();
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.act_as('owner');
SELECT lives_ok('SELECT * FROM tenancy.check()', 'owners of tables may call it');
SELECT test_helpers.act_as_superuser();
SELECT is_empty('TABLE findings', 'nothing is left');

SELECT * FROM finish();
ROLLBACK;
