-- grant_app() and revoke_app(): exactly what the trust says, the same when repeated, and all of it taken back.
BEGIN;
SELECT plan(35);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT tenancy.create_corpus(dimensions => 3);
SELECT make_role('app', NULL) AS app \gset
SELECT make_role('other', NULL) AS other \gset

-- All that a role holds here, in words.
CREATE FUNCTION held(role text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT 'function ' || p.oid::regprocedure FROM pg_proc p, aclexplode(p.proacl) a WHERE a.grantee = role::regrole
    UNION ALL
    SELECT a.privilege_type || ' on ' || c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = role::regrole
    UNION ALL
    SELECT a.privilege_type || ' on column of ' || t.attrelid::regclass FROM pg_attribute t, aclexplode(t.attacl) a WHERE a.grantee = role::regrole
    UNION ALL
    SELECT a.privilege_type || ' on schema ' || n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a WHERE a.grantee = role::regrole
    UNION ALL
    SELECT a.privilege_type || ' on parameter ' || p.parname FROM pg_parameter_acl p, aclexplode(p.paracl) a WHERE a.grantee = role::regrole
$$;
CREATE FUNCTION grant_app(role text, trust text) RETURNS SETOF text LANGUAGE plpgsql AS
$$ BEGIN PERFORM tenancy.grant_app(role::regrole, trust); RETURN QUERY SELECT public.held(role); END $$;

CREATE TEMP TABLE as_credential AS SELECT grant_app(:'app', 'credential') AS what;
CREATE TEMP TABLE as_session AS SELECT grant_app(:'app', 'session') AS what;
CREATE TEMP TABLE as_pooled AS SELECT grant_app(:'app', 'pooled') AS what;
SELECT tenancy.grant_app(:'app', session_context => false);
SELECT results_eq(format('SELECT what FROM as_session EXCEPT SELECT held(%L)', :'app'),
                  $$VALUES ('function tenancy.may_keep_context()')$$, 'without session_context it may keep no context for its session, and all else is the same');
SELECT set_eq('SELECT what FROM as_session EXCEPT SELECT what FROM as_credential',
              $$VALUES ('function tenancy.set_tenant(uuid,boolean)'), ('function tenancy.set_tenant(text,boolean)'),
                       ('function tenancy.enter(uuid,uuid,boolean)'), ('function tenancy.enter(text,uuid,boolean)'),
                       ('function tenancy.pre_request()')$$,
              'session adds the naming of tenants and users');
SELECT is_empty('SELECT what FROM as_credential EXCEPT SELECT what FROM as_session', 'and takes nothing away');
SELECT results_eq('SELECT what FROM as_pooled EXCEPT SELECT what FROM as_session',
                  $$VALUES ('SET on parameter tenancy.tenant_id')$$, 'pooled adds the setting itself, and of the settings only that');
SELECT set_eq('SELECT what FROM as_session WHERE what !~ ''^function''',
              $$VALUES ('USAGE on schema tenancy'), ('SELECT on tenancy.corpora'), ('SELECT on tenancy.graphs'),
                       ('SELECT on documents'), ('INSERT on documents'), ('UPDATE on documents'), ('DELETE on documents'),
                       ('SELECT on chunks'), ('INSERT on chunks'), ('UPDATE on chunks'), ('DELETE on chunks')$$,
              'of tables: the corpora and their graphs, without TRUNCATE, REFERENCES or TRIGGER');
SELECT is_empty($$SELECT what FROM as_pooled WHERE what ~ '(protect|create_corpus|create_organization|grant_|revoke_app)'$$,
                'nothing of owners and operators');

SELECT set_eq(format('SELECT grant_app(%L, ''pooled'')', :'app'), 'SELECT what FROM as_pooled', 'granted again, it is the same');
SELECT set_eq(format('SELECT grant_app(%L, ''session'')', :'app'), 'SELECT what FROM as_session', 'a lower trust takes the setting away');
SELECT set_eq(format('SELECT grant_app(%L, ''credential'')', :'app'), 'SELECT what FROM as_credential', 'and the naming');
SELECT tenancy.grant_app(:'app');
SELECT set_eq(format('SELECT held(%L)', :'app'), 'SELECT what FROM as_session', 'session is the default');
SELECT is_empty(format('SELECT held(%L)', :'other'), 'another role got nothing');
SELECT results_eq('SELECT tenancy.app_roles()::text', format('VALUES (%L)', :'app'), 'app_roles() tells who it was');

SELECT tenancy.revoke_app(:'app');
SELECT is_empty(format('SELECT held(%L)', :'app'), 'revoke_app() leaves nothing behind');
SELECT lives_ok(format('SELECT tenancy.revoke_app(%L)', :'app'), 'revoking again is no error');
SELECT lives_ok(format('SELECT tenancy.revoke_app(%L)', :'other'), 'nor from who never had it');
SELECT act_as('app');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.a())', '42501', 'permission denied for schema tenancy', 'it enters no more');

-- Who is an application and an owner or operator keeps the one when the other is taken.
SELECT act_as_superuser();
SELECT tenancy.grant_owner(:'other');
CREATE TEMP TABLE as_owner AS SELECT held(:'other') AS what;
SELECT tenancy.grant_app(:'other', 'session');
SELECT tenancy.revoke_app(:'other');
SELECT set_eq(format('SELECT held(%L)', :'other'), 'SELECT what FROM as_owner', 'an owner who was an application is an owner');
SELECT tenancy.grant_app(:'other', 'session');
SELECT tenancy.revoke_owner(:'other');
SELECT set_eq(format('SELECT held(%L)', :'other'), 'SELECT what FROM as_session', 'an application that was an owner is an application');
SELECT tenancy.revoke_app(:'other');
SELECT tenancy.grant_control_plane(:'other');
CREATE TEMP TABLE as_operator AS SELECT held(:'other') AS what;
SELECT tenancy.grant_app(:'other', 'session');
SELECT tenancy.revoke_app(:'other');
SELECT set_eq(format('SELECT held(%L)', :'other'), 'SELECT what FROM as_operator', 'an operator who was an application is an operator');
SELECT tenancy.grant_app(:'other', 'session');
SELECT tenancy.revoke_control_plane(:'other');
SELECT set_eq(format('SELECT held(%L)', :'other'), 'SELECT what FROM as_session', 'an application that was an operator is an application');

-- Bad input.
SELECT throws_ok(format('SELECT tenancy.grant_app(%L, %L)', :'app', trust), '22023', format('invalid trust %s', coalesce(quote_literal(trust), 'NULL')),
                 format('trust %s', coalesce(trust, 'null')))
FROM (VALUES ('all'), (''), ('Session'), (NULL)) AS bad (trust);
SELECT throws_ok('SELECT tenancy.grant_app(NULL)', '22004', 'role must not be null', 'grant_app: null');
SELECT throws_ok('SELECT tenancy.revoke_app(NULL)', '22004', 'role must not be null', 'revoke_app: null');
SELECT throws_ok('SELECT tenancy.grant_app(''no such role'')', '42602', NULL, 'not a name of a role');
SELECT throws_ok('SELECT tenancy.grant_app(''no_such_role'')', '42704', 'role "no_such_role" does not exist', 'an unknown role');
SELECT throws_ok('SELECT tenancy.grant_app(''postgres'')', '22023', 'role postgres bypasses row level security', 'a superuser');
ALTER ROLE :"other" BYPASSRLS;
SELECT throws_ok(format('SELECT tenancy.grant_app(%L)', :'other'), '22023', format('role %s bypasses row level security', :'other'),
                 'a role with BYPASSRLS');
SELECT is_empty(format('SELECT held(%L) EXCEPT SELECT what FROM as_session', :'other'), 'none of which changed anything');

-- Keys: version 7, rising, never the same.
SELECT is((SELECT count(DISTINCT k) FROM (SELECT tenancy.uuid_v7() AS k FROM generate_series(1, 5000)) s), 5000::bigint, 'uuid_v7: no two are the same');
SELECT is((SELECT bool_and(k::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')
           FROM (SELECT tenancy.uuid_v7() AS k FROM generate_series(1, 1000)) s), true, 'uuid_v7: version and variant');
SELECT is((SELECT bool_and(k > before) FROM (SELECT k, lag(k) OVER (ORDER BY n) AS before
           FROM (SELECT n, tenancy.uuid_v7() AS k FROM generate_series(1, 5000) n) s) t), true, 'uuid_v7: each is greater than the last');
SELECT ok(abs(extract(epoch FROM clock_timestamp()) * 1000
              - ('x' || lpad(left(replace(tenancy.uuid_v7()::text, '-', ''), 12), 16, '0'))::bit(64)::bigint) < 5000, 'uuid_v7: begins with the time');

SELECT * FROM finish();
ROLLBACK;
