-- The context: who is asking. All of it is C: what a policy calls must be fast and cannot be forged.

CREATE FUNCTION tenancy.set_tenant(tenant uuid, is_local boolean DEFAULT true) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_set_tenant';

COMMENT ON FUNCTION tenancy.set_tenant(uuid, boolean) IS
'makes an active tenant the context of this transaction (of the session with is_local => false) and returns its id; TN002 when it is not available, TN003 when the transaction belongs to another tenant or user, 25P01 for a local context outside a transaction block, 42501 for a role that may keep no context for its session';

CREATE FUNCTION tenancy.set_tenant(tenant text, is_local boolean DEFAULT true) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_set_tenant_by_name';

COMMENT ON FUNCTION tenancy.set_tenant(text, boolean) IS
'the same for a tenant named by its slug or by its id as text';

CREATE FUNCTION tenancy.enter(tenant uuid, user_id uuid, is_local boolean DEFAULT true) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_enter';

COMMENT ON FUNCTION tenancy.enter(uuid, uuid, boolean) IS
'makes a tenant and a user who is a member of it the context, with the member''s role; errors as set_tenant, TN002 also when the user is not a member';

CREATE FUNCTION tenancy.enter(tenant text, user_id uuid, is_local boolean DEFAULT true) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_enter_by_name';

COMMENT ON FUNCTION tenancy.enter(text, uuid, boolean) IS
'the same for a tenant named by its slug or by its id as text';

CREATE FUNCTION tenancy.may_keep_context() RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN true;

COMMENT ON FUNCTION tenancy.may_keep_context() IS
'true; its EXECUTE privilege is what lets a role keep a context for its session (is_local => false): grant_app(role, session_context => false) withholds it';

CREATE FUNCTION tenancy.leave() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_leave';

COMMENT ON FUNCTION tenancy.leave() IS
'ends the context, the transaction''s and the session''s; the transaction stays sealed to the tenant that it belonged to';

CREATE FUNCTION tenancy.has_context() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_has_context';

COMMENT ON FUNCTION tenancy.has_context() IS 'whether a tenant is set and may still be used; never raises for want of one';

CREATE FUNCTION tenancy.current_user_id() RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_user_id';

COMMENT ON FUNCTION tenancy.current_user_id() IS
'the user in context, or null when the application itself acts for the tenant; TN001 when no tenant is set';

CREATE FUNCTION tenancy.current_role_name() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_role_name';

COMMENT ON FUNCTION tenancy.current_role_name() IS
'the role of the user in context as the membership says it now, or null when the application itself acts; TN001 when no tenant is set';

CREATE FUNCTION tenancy.current_tenant_id() RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_tenant_id';

COMMENT ON FUNCTION tenancy.current_tenant_id() IS
'id of the current tenant, for uuid tenant columns; TN001 when no tenant is set (null with tenancy.missing_tenant = empty), TN002 when it is no longer available';

CREATE FUNCTION tenancy.writable_tenant_id() RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_writable_tenant_id';

COMMENT ON FUNCTION tenancy.writable_tenant_id() IS
'the same as current_tenant_id() for policies that guard writes; TN004 when the role in context may not write';

CREATE FUNCTION tenancy.current_tenant_key() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_tenant_key';

COMMENT ON FUNCTION tenancy.current_tenant_key() IS
'external key of the current tenant, for text tenant columns; null when it has none; TN001 when no tenant is set (null with tenancy.missing_tenant = empty), TN002 when it is no longer available';

CREATE FUNCTION tenancy.writable_tenant_key() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_writable_tenant_key';

COMMENT ON FUNCTION tenancy.writable_tenant_key() IS
'the same as current_tenant_key() for policies that guard writes; TN004 when the role in context may not write';

CREATE FUNCTION tenancy.current_tenant_key_bigint() RETURNS bigint
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_tenant_key_bigint';

COMMENT ON FUNCTION tenancy.current_tenant_key_bigint() IS
'external key as a number of the current tenant, for bigint tenant columns; null when it has none or it is no number; TN001 when no tenant is set (null with tenancy.missing_tenant = empty), TN002 when it is no longer available';

CREATE FUNCTION tenancy.writable_tenant_key_bigint() RETURNS bigint
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_writable_tenant_key_bigint';

COMMENT ON FUNCTION tenancy.writable_tenant_key_bigint() IS
'the same as current_tenant_key_bigint() for policies that guard writes; TN004 when the role in context may not write';

CREATE FUNCTION tenancy.current_tenant_key_integer() RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_current_tenant_key_integer';

COMMENT ON FUNCTION tenancy.current_tenant_key_integer() IS
'external key as a number of the current tenant, for integer tenant columns; null when it has none or it is no integer; TN001 when no tenant is set (null with tenancy.missing_tenant = empty), TN002 when it is no longer available';

CREATE FUNCTION tenancy.writable_tenant_key_integer() RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'tenancy_writable_tenant_key_integer';

COMMENT ON FUNCTION tenancy.writable_tenant_key_integer() IS
'the same as current_tenant_key_integer() for policies that guard writes; TN004 when the role in context may not write';
