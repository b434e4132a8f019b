-- Attack 48: follow a hint to the letter on a pooled connection. What the hint of 25P01 says keeps nothing for the next client, and a role
-- that was granted without session contexts cannot leave one behind by any way of entering.
SELECT plan(22);
SET search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE notes (id int PRIMARY KEY, tenant_id uuid);
SELECT FROM tenancy.protect('notes');
INSERT INTO notes VALUES (1, a()), (2, b());
SELECT make_role('pooled', NULL) AS app \gset
SELECT make_role('keyed', NULL) AS keyed \gset
SELECT make_role('usual', session_context => true) AS usual \gset
SELECT tenancy.grant_app(:'app', session_context => false);
SELECT tenancy.grant_app(:'keyed', 'credential', session_context => false);
SELECT api_key FROM tenancy.create_api_key(a(), 'of a service', 'editor') \gset
GRANT SELECT ON notes TO PUBLIC;

SET SESSION AUTHORIZATION :"app";
CREATE FUNCTION pg_temp.hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ': ' || hint;
END
$$;

-- By itself: inside of a function there would be a subtransaction to last in.
\set ON_ERROR_STOP 0
SELECT tenancy.set_tenant('tenant-a');
\set ON_ERROR_STOP 1
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '25P01', 'a local context outside a transaction is refused');
BEGIN;
SELECT lives_ok($$SELECT tenancy.set_tenant('tenant-a')$$, 'the hint says to begin a transaction, which works');
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'and shows A''s rows');
COMMIT;
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'and leaves nothing to the next client');

-- Every way of entering, with a context for the session.
SELECT throws_ok(statement, '42501', format('role %s may not keep a tenant context for its session', :'app'), 'refused: ' || statement)
FROM (VALUES ($$SELECT tenancy.set_tenant('tenant-a', false)$$),
             ($$SELECT tenancy.set_tenant(test_helpers.a(), is_local => false)$$),
             ($$SELECT tenancy.enter('tenant-a', test_helpers.editor_of_a(), false)$$),
             ($$SELECT tenancy.enter(test_helpers.a(), test_helpers.editor_of_a(), false)$$),
             (format('SELECT tenancy.enter_with_key(%L, false)', :'api_key'))) AS ways (statement);
SELECT is(pg_temp.hint_of($$SELECT tenancy.set_tenant('tenant-a', false)$$),
          '42501: Begin a transaction and set the tenant in it, without is_local => false.', 'and the hint does not lead around it');
SELECT throws_ok('SELECT id FROM notes', 'TN001', 'no tenant is set', 'no tenant is left after the refusals');
SELECT throws_ok($$SELECT tenancy.set_tenant('no-such-tenant', false)$$, '42501',
                 format('role %s may not keep a tenant context for its session', :'app'), 'whether there is such a tenant is not told');
BEGIN;
SELECT FROM tenancy.set_tenant('tenant-a');
SELECT throws_ok($$SELECT tenancy.set_tenant('tenant-a', false)$$, '42501',
                 format('role %s may not keep a tenant context for its session', :'app'), 'nor is a local context made one of the session');
COMMIT;
SELECT throws_ok($$SET tenancy.tenant_id = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'$$, '42501',
                 'permission denied to set parameter "tenancy.tenant_id"', 'nor is the setting set');

SET SESSION AUTHORIZATION :"keyed";
SELECT throws_ok(format('SELECT tenancy.enter_with_key(%L, false)', :'api_key'), '42501',
                 format('role %s may not keep a tenant context for its session', :'keyed'), 'a role that enters by keys is held, too');
BEGIN;
SELECT lives_ok(format('SELECT tenancy.enter_with_key(%L)', :'api_key'), 'and enters for a transaction');
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'which shows A''s rows');
COMMIT;

SET SESSION AUTHORIZATION :"usual";
SELECT lives_ok($$SELECT tenancy.set_tenant('tenant-a', false)$$, 'a role with connections of its own keeps one, as granted by default');
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'and reads with it');
SELECT tenancy.leave();

RESET SESSION AUTHORIZATION;
SELECT throws_ok(format('SELECT tenancy.grant_app(%L, ''pooled'', false)', :'app'), '22023', 'a pooled role cannot be without session_context',
                 'a pooler that replays the setting needs it');
SELECT throws_ok(format('SELECT tenancy.grant_app(%L, session_context => NULL)', :'app'), '22004', 'session_context must not be null', 'null is no answer');

SELECT set_eq($$SELECT object FROM tenancy.check() WHERE code = 'session_context'$$, format('VALUES (%L)', 'role ' || :'usual'),
              'check() names the role that may keep a context, and not the others');

SELECT * FROM finish();
