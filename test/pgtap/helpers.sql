-- Helpers by which tests act as a person. Installed once into the template database, in a schema of their own.
--
-- A test file begins as superuser, calls make_tenants() and make_role(), and then act_as(). A change of person ends what
-- the last one held; a superuser enters the tenant, since a transaction that belongs to one tenant refuses another.
\ir ../any_server.sql

REVOKE EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint), pg_cancel_backend(integer) FROM PUBLIC;

CREATE SCHEMA test_helpers;
GRANT USAGE ON SCHEMA test_helpers TO PUBLIC;

CREATE FUNCTION test_helpers.a() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'::uuid;

CREATE FUNCTION test_helpers.b() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'::uuid;

-- Users: one of each role in A, and an admin of B.
CREATE FUNCTION test_helpers.admin_of_a() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'a0000000-0000-4000-8000-000000000001'::uuid;

CREATE FUNCTION test_helpers.editor_of_a() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'a0000000-0000-4000-8000-000000000002'::uuid;

CREATE FUNCTION test_helpers.viewer_of_a() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'a0000000-0000-4000-8000-000000000003'::uuid;

CREATE FUNCTION test_helpers.admin_of_b() RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'b0000000-0000-4000-8000-000000000001'::uuid;

-- Tenants A (slug tenant-a, external key 1001) and B (slug tenant-b, external key 1002) with their users.
CREATE FUNCTION test_helpers.make_tenants() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO tenancy.tenants (id, organization_id, slug, name, external_key)
    VALUES (test_helpers.a(), '00000000-0000-0000-0000-000000000001', 'tenant-a', 'Tenant A', '1001'),
           (test_helpers.b(), '00000000-0000-0000-0000-000000000001', 'tenant-b', 'Tenant B', '1002');
    INSERT INTO tenancy.users (id, email)
    VALUES (test_helpers.admin_of_a(), 'admin@a.example'), (test_helpers.editor_of_a(), 'editor@a.example'),
           (test_helpers.viewer_of_a(), 'viewer@a.example'), (test_helpers.admin_of_b(), 'admin@b.example');
    INSERT INTO tenancy.memberships (tenant_id, user_id, role)
    VALUES (test_helpers.a(), test_helpers.admin_of_a(), 'admin'),
           (test_helpers.a(), test_helpers.editor_of_a(), 'editor'),
           (test_helpers.a(), test_helpers.viewer_of_a(), 'viewer'),
           (test_helpers.b(), test_helpers.admin_of_b(), 'admin');
END;

-- Roles are the cluster's, and test files run side by side: a name of this session's own.
CREATE FUNCTION test_helpers.role_name(purpose text) RETURNS text
LANGUAGE sql STABLE RETURN format('test_%s_%s', purpose, pg_backend_pid());

-- A login role without attributes. The trust is that of tenancy.grant_app(): null for a role that gets nothing.
CREATE FUNCTION test_helpers.make_role(purpose text DEFAULT 'app', trust text DEFAULT 'session', session_context boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    role text := test_helpers.role_name(purpose);
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN', role);
    -- As check() advises where one role serves several tenants.
    EXECUTE format('ALTER ROLE %I SET track_activities = off', role);
    IF trust IS NOT NULL THEN
        PERFORM tenancy.grant_app(role::regrole, trust, session_context OR trust = 'pooled');
    END IF;
    RETURN role;
END
$$;

-- A login role that may make and protect its own tables, in the schema public.
CREATE FUNCTION test_helpers.make_owner(purpose text DEFAULT 'owner') RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    role text := test_helpers.make_role(purpose, NULL);
BEGIN
    EXECUTE format('GRANT CREATE, USAGE ON SCHEMA public TO %I', role);
    PERFORM tenancy.grant_owner(role::regrole);
    RETURN role;
END
$$;

-- The superuser of the test again, without a tenant.
CREATE FUNCTION test_helpers.act_as_superuser() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RESET SESSION AUTHORIZATION;
    PERFORM tenancy.leave();
END
$$;

-- A role made by make_role() or make_owner(), by its purpose; in a tenant, and there as a user, where they are given.
CREATE FUNCTION test_helpers.act_as(purpose text, tenant uuid DEFAULT NULL, user_id uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM test_helpers.act_as_superuser();
    IF user_id IS NOT NULL THEN
        PERFORM tenancy.enter(tenant, user_id);
    ELSIF tenant IS NOT NULL THEN
        PERFORM tenancy.set_tenant(tenant);
    END IF;
    EXECUTE format('SET SESSION AUTHORIZATION %I', test_helpers.role_name(purpose));
END
$$;

-- Run statements that are made at run time, and say how many rows the last one touched.
CREATE FUNCTION test_helpers.run(VARIADIC statements text[]) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    statement text;
    touched bigint := 0;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
        GET DIAGNOSTICS touched = ROW_COUNT;
    END LOOP;
    RETURN touched;
END
$$;
