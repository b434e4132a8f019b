-- check() about the roles of applications, about settings and what is stored of them.
BEGIN;
SELECT plan(45);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_role('pooled', 'pooled');
SELECT test_helpers.make_role('group', NULL);
SELECT test_helpers.make_role('power', NULL);
CREATE TABLE notes (id integer, body text);
SELECT tenancy.protect('notes');
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO %I', test_helpers.role_name('app')));
SELECT is_empty('SELECT * FROM tenancy.check()', 'roles as grant_app() makes them are clean, a pooled one too');

-- {app} and the like stand for the names of this session's roles.
CREATE FUNCTION named(t text) RETURNS text LANGUAGE sql STABLE AS
$$SELECT replace(replace(replace(replace(t, '{app}', test_helpers.role_name('app')), '{group}', test_helpers.role_name('group')),
                 '{power}', test_helpers.role_name('power')), '{pooled}', test_helpers.role_name('pooled'))$$;
CREATE FUNCTION finds(deed text, finding text, about text, how_bad text, repaired_by text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    EXECUTE named(deed);
    SELECT * INTO found FROM tenancy.check() c WHERE c.code = finding AND c.object = named(about);
    RETURN NEXT is(found.severity || ': ' || found.fix, how_bad || ': ' || named(repaired_by), finding || ' is found');
    EXECUTE found.fix;
    RETURN NEXT is_empty('SELECT * FROM tenancy.check()', 'and repaired');
END
$$;
SELECT finds('ALTER ROLE {app} BYPASSRLS', 'app_role_bypasses', 'role {app}', 'error', 'ALTER ROLE {app} NOBYPASSRLS');
SELECT finds('ALTER ROLE {app} SUPERUSER', 'app_role_bypasses', 'role {app}', 'error', 'ALTER ROLE {app} NOSUPERUSER');
SELECT finds('ALTER ROLE {app} CREATEROLE', 'app_role_bypasses', 'role {app}', 'warning', 'ALTER ROLE {app} NOCREATEROLE');
SELECT finds('ALTER ROLE {power} BYPASSRLS; GRANT {power} TO {group}; GRANT {group} TO {app}', 'app_role_bypasses', 'role {app}', 'error', 'REVOKE {group} FROM {app}');
SELECT finds('GRANT pg_read_server_files TO {app}', 'app_role_bypasses', 'role {app}', 'error', 'REVOKE pg_read_server_files FROM {app}');
SELECT finds('GRANT TRUNCATE ON notes TO {app}', 'app_role_privilege', 'table public.notes', 'error', 'REVOKE TRUNCATE ON public.notes FROM {app}');
SELECT finds('GRANT TRIGGER ON notes TO PUBLIC', 'app_role_privilege', 'table public.notes', 'error', 'REVOKE TRIGGER ON public.notes FROM PUBLIC');
SELECT finds('GRANT REFERENCES (body) ON notes TO {app}', 'app_role_privilege', 'table public.notes', 'error', 'REVOKE REFERENCES (body) ON public.notes FROM {app}');
SELECT finds('REVOKE {power} FROM {group}; GRANT {group} TO {app}; GRANT REFERENCES ON notes TO {group}', 'app_role_privilege', 'table public.notes', 'error', 'REVOKE REFERENCES ON public.notes FROM {group}');
SELECT finds('GRANT SET ON PARAMETER tenancy.tenant_id TO {power}', 'parameter_granted', 'parameter tenancy.tenant_id', 'info', 'REVOKE SET ON PARAMETER tenancy.tenant_id FROM {power}');
SELECT finds('GRANT SET ON PARAMETER tenancy.role TO {pooled}', 'parameter_granted', 'parameter tenancy.role', 'warning', 'REVOKE SET ON PARAMETER tenancy.role FROM {pooled}');
SELECT finds('GRANT SET ON PARAMETER tenancy.tenant_id TO PUBLIC', 'parameter_granted', 'parameter tenancy.tenant_id', 'error', 'REVOKE SET ON PARAMETER tenancy.tenant_id FROM PUBLIC');
SELECT finds(format('ALTER ROLE {app} SET tenancy.tenant_id = %L', test_helpers.a()), 'context_stored', 'role {app}', 'error', 'ALTER ROLE {app} RESET tenancy.tenant_id');
SELECT finds(format('ALTER ROLE {app} IN DATABASE %I SET tenancy.user_id = %L', current_database(), test_helpers.admin_of_a()), 'context_stored', 'role {app}', 'error',
             format('ALTER ROLE {app} IN DATABASE %I RESET tenancy.user_id', current_database()));
SELECT finds(format('ALTER DATABASE %I SET tenancy.tenant_id = %L', current_database(), test_helpers.a()), 'context_stored', format('database %I', current_database()), 'error',
             format('ALTER DATABASE %I RESET tenancy.tenant_id', current_database()));

SELECT finds('CREATE SCHEMA apart AUTHORIZATION {app}; CREATE TABLE apart.own (id integer); SELECT tenancy.protect(''apart.own'')', 'app_role_owns', 'schema apart', 'warning',
             'ALTER SCHEMA apart OWNER TO postgres');
SELECT finds(format('ALTER DATABASE %I OWNER TO {app}', current_database()), 'app_role_owns', format('database %I', current_database()), 'warning',
             format('ALTER DATABASE %I OWNER TO postgres', current_database()));
SELECT finds('GRANT EXECUTE ON FUNCTION tenancy.set_tenant(uuid, boolean) TO PUBLIC', 'function_public', 'function tenancy.set_tenant(uuid,boolean)', 'error',
             'REVOKE EXECUTE ON ROUTINE tenancy.set_tenant(uuid,boolean) FROM PUBLIC');
SELECT finds('GRANT SELECT ON tenancy.tenants TO {app}', 'catalogue_granted', 'table tenancy.tenants', 'error', 'REVOKE SELECT ON tenancy.tenants FROM {app}');
SELECT finds('GRANT UPDATE ON tenancy.memberships TO PUBLIC', 'catalogue_granted', 'table tenancy.memberships', 'error', 'REVOKE UPDATE ON tenancy.memberships FROM PUBLIC');
SELECT test_helpers.run(named('SELECT tenancy.grant_owner(''{app}'')'));
SELECT is_empty('SELECT * FROM tenancy.check()', 'what grant_owner() gives to an application that owns tables is no finding');
SELECT test_helpers.run(named('SELECT tenancy.create_corpus(dimensions => 3)'));
SELECT is_empty('SELECT * FROM tenancy.check()', 'nor is a corpus');

-- What only its owner can decide.
SELECT test_helpers.run(named('ALTER TABLE notes OWNER TO {app}'));
SELECT results_eq('SELECT code, severity, object FROM tenancy.check()', $$VALUES ('app_role_owns', 'warning', 'table public.notes')$$, 'an application that owns its tables is warned about');
SELECT test_helpers.run(named('ALTER TABLE notes OWNER TO {power}'));
SELECT is_empty('SELECT * FROM tenancy.check()', 'until somebody else does');

SELECT * FROM finish();
ROLLBACK;
