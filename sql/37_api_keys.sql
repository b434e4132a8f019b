-- API keys: made once and shown once, kept as an HMAC, looked up by their short id.

CREATE TABLE tenancy.api_key_uses (
    api_key_id uuid NOT NULL,
    last_used_at timestamptz,
    CONSTRAINT api_key_uses_pkey PRIMARY KEY (api_key_id),
    CONSTRAINT api_key_uses_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES tenancy.api_keys (id) ON DELETE CASCADE
) WITH (fillfactor = 50);

COMMENT ON TABLE tenancy.api_key_uses IS
'when a key last entered; apart from the keys, because a change of those makes every session look at its tenant again';
COMMENT ON COLUMN tenancy.api_key_uses.last_used_at IS 'written at most once a minute; null before the first use';

SELECT pg_catalog.pg_extension_config_dump('tenancy.api_key_uses', '');
ALTER TABLE tenancy.api_key_uses ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.make_api_key(environment text, OUT short_id text, OUT api_key text, OUT secret_mac bytea, OUT pepper_id integer)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'tenancy_make_api_key';

COMMENT ON FUNCTION tenancy.make_api_key(text) IS 'a new key as text, and what is stored of it; internal';

CREATE FUNCTION tenancy.enter_with_key(api_key text, is_local boolean DEFAULT true) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_enter_with_key';

COMMENT ON FUNCTION tenancy.enter_with_key(text, boolean) IS
'makes an API key and its tenant the context and returns the tenant''s id; TN007 for every key that is not valid, TN006 for too many wrong ones or when the key is used too often, otherwise errors as set_tenant';

CREATE FUNCTION tenancy.refuse_wider_grant(tenant uuid, role text, scopes text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    granted record;
    own_rank integer;
    missing text;
BEGIN
    SELECT r.rank, string_to_array(r.permissions, ' ') AS permissions INTO granted
    FROM tenancy.role_named(refuse_wider_grant.tenant, refuse_wider_grant.role) r;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('role %s does not exist', coalesce(quote_literal(left(refuse_wider_grant.role, 80)), 'NULL')),
            HINT = 'tenancy.list_roles() shows the roles; tenancy.create_role() makes one.';
    END IF;
    IF tenancy.is_operator() THEN
        RETURN;
    END IF;
    SELECT r.rank INTO own_rank
    FROM tenancy.role_named(refuse_wider_grant.tenant, tenancy.current_role_name()) r;
    IF own_rank IS NULL OR own_rank < granted.rank THEN
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('role "%s" is above your own', refuse_wider_grant.role),
            DETAIL = 'Nobody grants a role of a higher rank than their own.';
    END IF;
    -- Neither by a role of the same rank with other permissions, nor past the scopes of the key in context.
    SELECT p INTO missing
    FROM unnest(granted.permissions) p
    WHERE (cardinality(refuse_wider_grant.scopes) = 0 OR p = ANY (refuse_wider_grant.scopes)) AND NOT tenancy.has_permission(p)
    ORDER BY p LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('role "%s" may do what you may not', refuse_wider_grant.role),
            DETAIL = format('You do not hold permission "%s" here.', missing);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_wider_grant(uuid, text, text[]) IS
'raises 42501 unless the caller is an operator or may do themselves all that a role, narrowed by scopes, may; 42704 for an unknown role; internal';

CREATE FUNCTION tenancy.scopes_as_text(scopes text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    IF scopes IS NULL OR array_position(scopes, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'scopes must not be null';
    END IF;
    SELECT s INTO unknown FROM unnest(scopes) s
    WHERE NOT EXISTS (SELECT FROM tenancy.permissions p WHERE p.name = s) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('permission %L does not exist', left(unknown, 80)),
            HINT = 'tenancy.permissions lists them.';
    END IF;
    RETURN coalesce((SELECT string_agg(DISTINCT s, ' ') FROM unnest(scopes) s), '');
END
$$;

COMMENT ON FUNCTION tenancy.scopes_as_text(text[]) IS 'names of permissions as api_keys stores them; 22023 for an unknown one; internal';

CREATE FUNCTION tenancy_internal.create_api_key(
    tenant uuid,
    name text,
    role text DEFAULT 'editor',
    scopes text[] DEFAULT '{}',
    environment text DEFAULT 'live',
    expires_at timestamptz DEFAULT NULL,
    requests_per_minute integer DEFAULT NULL)
RETURNS TABLE (id uuid, api_key text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    made record;
    stored_scopes text;
BEGIN
    PERFORM tenancy.authorize(create_api_key.tenant, 'keys.manage');
    IF create_api_key.name IS NULL OR length(create_api_key.name) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN create_api_key.name IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = 'name of an API key must have 1 to 200 characters';
    END IF;
    IF create_api_key.environment IS NULL OR create_api_key.environment NOT IN ('live', 'test') THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN create_api_key.environment IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = 'environment must be live or test';
    END IF;
    IF create_api_key.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'expires_at must be in the future';
    END IF;
    IF create_api_key.requests_per_minute <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('requests_per_minute must be positive, not %s', create_api_key.requests_per_minute);
    END IF;
    stored_scopes := tenancy.scopes_as_text(create_api_key.scopes);
    PERFORM tenancy.refuse_wider_grant(create_api_key.tenant, create_api_key.role, create_api_key.scopes);

    made := tenancy.make_api_key(create_api_key.environment);
    INSERT INTO tenancy.api_keys AS k (tenant_id, short_id, role, scopes, expires_at, secret_mac, pepper_id, name, environment,
                                       requests_per_minute, created_by)
    VALUES (create_api_key.tenant, made.short_id, create_api_key.role, stored_scopes, create_api_key.expires_at, made.secret_mac,
            made.pepper_id, create_api_key.name, create_api_key.environment, create_api_key.requests_per_minute,
            CASE WHEN tenancy.has_context() THEN tenancy.current_user_id() END)
    RETURNING k.id, made.api_key INTO create_api_key.id, create_api_key.api_key;
    INSERT INTO tenancy.api_key_uses (api_key_id) VALUES (create_api_key.id);
    PERFORM tenancy.audit_event(create_api_key.tenant, 'api_key.create', 'api_key:' || create_api_key.id, NULL,
        jsonb_build_object('name', create_api_key.name, 'short_id', made.short_id, 'role', create_api_key.role,
                           'scopes', stored_scopes, 'expires_at', create_api_key.expires_at));
    RETURN NEXT;
END
$$;

SELECT tenancy_internal.expose('create_api_key(uuid, text, text, text[], text, timestamptz, integer)');

COMMENT ON FUNCTION tenancy.create_api_key(uuid, text, text, text[], text, timestamptz, integer) IS
'makes an API key of a tenant and returns its id and its text, which is shown this once only; needs keys.manage, and gives no more than the caller may do (42501)';

CREATE FUNCTION tenancy.own_api_key(id uuid) RETURNS tenancy.api_keys
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found_key tenancy.api_keys;
    -- Null for an operator, who manages the keys of all tenants.
    own_tenant uuid;
BEGIN
    IF NOT tenancy.is_operator() THEN
        PERFORM tenancy.require_permission('keys.manage');
        own_tenant := tenancy.current_tenant_id();
    END IF;
    SELECT k.* INTO found_key
    FROM tenancy.api_keys k
    WHERE k.id = own_api_key.id AND (own_tenant IS NULL OR k.tenant_id = own_tenant)
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('API key %s does not exist', coalesce(quote_literal(own_api_key.id), 'NULL'));
    END IF;
    RETURN found_key;
END
$$;

COMMENT ON FUNCTION tenancy.own_api_key(uuid) IS
'the locked row of a key that the caller manages; 42704 for an unknown key and for another tenant''s alike; internal';

CREATE FUNCTION tenancy_internal.revoke_api_key(id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old tenancy.api_keys := tenancy.own_api_key(revoke_api_key.id);
BEGIN
    UPDATE tenancy.api_keys k SET revoked_at = least(k.revoked_at, now()) WHERE k.id = old.id;
    PERFORM tenancy.audit_event(old.tenant_id, 'api_key.revoke', 'api_key:' || old.id,
        jsonb_build_object('revoked_at', old.revoked_at), jsonb_build_object('revoked_at', least(old.revoked_at, now())));
END
$$;

SELECT tenancy_internal.expose('revoke_api_key(uuid)');

COMMENT ON FUNCTION tenancy.revoke_api_key(uuid) IS
'ends an API key; sessions that entered with it lose the tenant by their next transaction; needs keys.manage';

CREATE FUNCTION tenancy_internal.rotate_api_key(id uuid, overlap interval DEFAULT '1 hour')
RETURNS TABLE (new_id uuid, api_key text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old tenancy.api_keys := tenancy.own_api_key(rotate_api_key.id);
    made record;
BEGIN
    IF rotate_api_key.overlap IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'overlap must not be null';
    END IF;
    IF rotate_api_key.overlap < '0'::interval OR rotate_api_key.overlap > '1 year'::interval THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('overlap must be between 0 and 1 year, not %s', rotate_api_key.overlap);
    END IF;
    IF least(old.revoked_at, old.expires_at) <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = 'a key that has expired or was revoked cannot be rotated',
            HINT = 'Make a new one with tenancy.create_api_key().';
    END IF;
    PERFORM tenancy.refuse_wider_grant(old.tenant_id, old.role, string_to_array(old.scopes, ' '));

    made := tenancy.make_api_key(old.environment);
    INSERT INTO tenancy.api_keys AS k (tenant_id, short_id, role, scopes, expires_at, secret_mac, pepper_id, name, environment,
                                       requests_per_minute, created_by)
    VALUES (old.tenant_id, made.short_id, old.role, old.scopes, old.expires_at, made.secret_mac, made.pepper_id, old.name,
            old.environment, old.requests_per_minute, CASE WHEN tenancy.has_context() THEN tenancy.current_user_id() END)
    RETURNING k.id, made.api_key INTO rotate_api_key.new_id, rotate_api_key.api_key;
    INSERT INTO tenancy.api_key_uses (api_key_id) VALUES (rotate_api_key.new_id);
    UPDATE tenancy.api_keys k SET revoked_at = least(k.revoked_at, now() + rotate_api_key.overlap) WHERE k.id = old.id;
    PERFORM tenancy.audit_event(old.tenant_id, 'api_key.rotate', 'api_key:' || old.id, NULL,
        jsonb_build_object('new_id', rotate_api_key.new_id, 'revoked_at', least(old.revoked_at, now() + rotate_api_key.overlap)));
    RETURN NEXT;
END
$$;

SELECT tenancy_internal.expose('rotate_api_key(uuid, interval)');

COMMENT ON FUNCTION tenancy.rotate_api_key(uuid, interval) IS
'replaces an API key by a new one with the same rights and the newest pepper; the old one works for the overlap; needs keys.manage';

CREATE FUNCTION tenancy_internal.list_api_keys(tenant uuid)
RETURNS TABLE (id uuid, short_id text, name text, environment text, role text, scopes text[], expires_at timestamptz,
               revoked_at timestamptz, requests_per_minute integer, pepper_id integer, created_by uuid, created_at timestamptz,
               last_used_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM tenancy.authorize(list_api_keys.tenant, 'keys.manage');
    RETURN QUERY
    SELECT k.id, k.short_id, k.name, k.environment, k.role, string_to_array(k.scopes, ' '), k.expires_at, k.revoked_at,
           k.requests_per_minute, k.pepper_id, k.created_by, k.created_at, u.last_used_at
    FROM tenancy.api_keys k
    LEFT JOIN tenancy.api_key_uses u ON u.api_key_id = k.id
    WHERE k.tenant_id = list_api_keys.tenant
    ORDER BY k.id;
END
$$;

SELECT tenancy_internal.expose('list_api_keys(uuid)');

COMMENT ON FUNCTION tenancy.list_api_keys(uuid) IS 'the API keys of a tenant, without their secrets; needs keys.manage';
