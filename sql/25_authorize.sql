-- Who is asking, for the functions of the control plane: an operator, or a member whose role holds a permission.

CREATE FUNCTION tenancy.current_api_key_id() RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_api_key_id';

COMMENT ON FUNCTION tenancy.current_api_key_id() IS
'the API key that the context was entered with, or null; TN001 when no tenant is set';

CREATE FUNCTION tenancy.has_permission(permission text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'tenancy_has_permission';

COMMENT ON FUNCTION tenancy.has_permission(text) IS
'whether who is in context may do this in the current tenant, by role and a credential''s scopes; false without a context';

CREATE FUNCTION tenancy.require_permission(permission text) RETURNS void
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tenancy_require_permission';

COMMENT ON FUNCTION tenancy.require_permission(text) IS
'raises TN004, naming the permission, unless who is in context holds it in the current tenant; TN001 when no tenant is set';

-- Functions that act with the rights of the extension's owner are written in the schema tenancy_internal. What users call is an
-- invoker function of the same name in the schema tenancy: in it the current role is the one that asks, whatever role the
-- session has and whoever's code runs just now.
CREATE FUNCTION tenancy_internal.caller() RETURNS regrole
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'tenancy_caller';

COMMENT ON FUNCTION tenancy_internal.caller() IS
'the role that called the function of schema tenancy behind which this runs; elsewhere the current role; internal';

CREATE FUNCTION tenancy_internal.expose(signature text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    implementation pg_proc;
BEGIN
    SELECT p.* INTO implementation FROM pg_proc p WHERE p.oid = ('tenancy_internal.' || signature)::regprocedure AND p.prosecdef;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = format('function tenancy_internal.%s is not SECURITY DEFINER', signature);
    END IF;
    EXECUTE format('CREATE FUNCTION tenancy.%I(%s) RETURNS %s LANGUAGE c %s %s PARALLEL %s COST %s %s AS %L, %L',
        implementation.proname, pg_get_function_arguments(implementation.oid), pg_get_function_result(implementation.oid),
        CASE implementation.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
        CASE WHEN implementation.proisstrict THEN 'STRICT' ELSE '' END,
        CASE implementation.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END,
        implementation.procost, CASE WHEN implementation.proretset THEN 'ROWS ' || implementation.prorows ELSE '' END,
        'MODULE_PATHNAME', 'tenancy_entry');
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', implementation.oid::regprocedure,
                   format('does the work of tenancy.%s with the rights of the extension''s owner; internal', signature));
END
$$;

COMMENT ON FUNCTION tenancy_internal.expose(text) IS
'creates the function of schema tenancy by which users call a definer function of schema tenancy_internal; used by the install script; internal';

CREATE FUNCTION tenancy.is_operator() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN has_function_privilege(tenancy_internal.caller(), 'tenancy.create_organization(text, text)', 'EXECUTE');

COMMENT ON FUNCTION tenancy.is_operator() IS 'whether the calling role manages the installation: grant_control_plane() gave it that';

CREATE FUNCTION tenancy.raise_not_available() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TN002', MESSAGE = 'tenant is not available',
        HINT = 'Check the tenant''s id or slug, that it is active, and that the user is a member.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_not_available() IS 'raises TN002 with the text that set_tenant() has for it; internal';

CREATE FUNCTION tenancy.authorize(tenant uuid, permission text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.is_operator() THEN
        IF NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = authorize.tenant) THEN
            PERFORM tenancy.raise_not_available();
        END IF;
    ELSIF tenancy.has_context() AND tenancy.current_tenant_id() = authorize.tenant THEN
        PERFORM tenancy.require_permission(authorize.permission);
    ELSE
        -- A stranger learns nothing, not even that there is such a tenant.
        PERFORM tenancy.note_denial('TN002', authorize.tenant, authorize.permission);
        PERFORM tenancy.raise_not_available();
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.authorize(uuid, text) IS
'lets an operator pass, and in the current tenant who holds the permission (TN004 for who does not); TN002 for everybody else; internal';

CREATE FUNCTION tenancy.authorize_operator() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT tenancy.is_operator() THEN
        PERFORM tenancy.note_denial('42501', NULL, 'control plane');
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('role %s does not manage this installation', tenancy_internal.caller()),
            HINT = 'Call it as a role that manages the installation, not as an application''s.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.authorize_operator() IS 'lets an operator pass and raises 42501 for everybody else; internal';

CREATE FUNCTION tenancy.actor() RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.has_context() THEN
        IF tenancy.current_user_id() IS NOT NULL THEN
            RETURN 'user:' || tenancy.current_user_id();
        ELSIF tenancy.current_api_key_id() IS NOT NULL THEN
            RETURN 'key:' || tenancy.current_api_key_id();
        END IF;
    END IF;
    RETURN 'role:' || tenancy_internal.caller();
END
$$;

COMMENT ON FUNCTION tenancy.actor() IS 'who acts, for records: user:<id>, key:<id> or role:<name>; internal';
