-- Roles of a tenant's own, below the role of whoever makes them. The built-in ones belong to all tenants.

CREATE FUNCTION tenancy.checked_permissions(permissions text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    IF array_position(permissions, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'permissions must not hold null';
    END IF;
    SELECT string_agg(quote_literal(left(p, 80)), ', ' ORDER BY p) INTO unknown
    FROM unnest(permissions) p WHERE NOT EXISTS (SELECT FROM tenancy.permissions k WHERE k.name = p);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('unknown permission %s', unknown),
            HINT = 'Use ' || (SELECT string_agg(k.name, ', ' ORDER BY k.name) FROM tenancy.permissions k) || '.';
    END IF;
    RETURN (SELECT coalesce(string_agg(DISTINCT p, ' ' ORDER BY p), '') FROM unnest(permissions) p);
END
$$;

COMMENT ON FUNCTION tenancy.checked_permissions(text[]) IS
'the names of known permissions as tenancy.roles stores them; 42704 for a name that is none; internal';

-- A role may be made and changed by whoever ranks above it, before and after, and holds all that it gives.
CREATE FUNCTION tenancy.refuse_role_not_below(tenant uuid, role text, rank integer, permissions text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting record;
    lacking text;
BEGIN
    SELECT * INTO acting FROM tenancy.acting_role(refuse_role_not_below.tenant);
    IF refuse_role_not_below.rank >= acting.rank THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Permission "roles.manage" of role "%s", rank %s, does not reach role "%s" of rank %s.',
                            acting.name, acting.rank, role, refuse_role_not_below.rank),
            HINT = 'Choose a rank below your own.';
    END IF;
    SELECT string_agg(p, ', ' ORDER BY p) INTO lacking
    FROM unnest(string_to_array(refuse_role_not_below.permissions, ' ')) p WHERE NOT p = ANY (acting.permissions);
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Role "%s" cannot give role "%s" what it does not hold: %s.', acting.name, role, lacking),
            HINT = 'Nobody gives permissions that they do not hold.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_role_not_below(uuid, text, integer, text) IS
'raises TN004 for a role that is not below the caller''s rank or holds what they do not; internal';

CREATE FUNCTION tenancy.refuse_bad_rank(rank integer) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF rank NOT BETWEEN 1 AND 99 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid rank %s: expected 1 to 99', rank),
            HINT = 'viewer has 10, editor 50 and admin 100.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_rank(integer) IS 'raises 22023 for what cannot be the rank of a role; internal';

-- The row of a role of the tenant's own, which the caller may change.
CREATE FUNCTION tenancy.role_to_change(tenant uuid, name text) RETURNS tenancy.roles
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.roles;
BEGIN
    PERFORM tenancy.lock_members(role_to_change.tenant, 'roles.manage');
    PERFORM tenancy.refuse_null(role_to_change.name IS NULL, 'name');
    PERFORM tenancy.refuse_builtin(role_to_change.name);
    SELECT r.* INTO held FROM tenancy.roles r
    WHERE r.tenant_id = role_to_change.tenant AND r.name = role_to_change.name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('role %L does not exist in this tenant', left(role_to_change.name, 80)),
            HINT = 'tenancy.list_roles() shows the roles; tenancy.create_role() makes one.';
    END IF;
    PERFORM tenancy.refuse_role_not_below(role_to_change.tenant, held.name, held.rank, '');
    RETURN held;
END
$$;

COMMENT ON FUNCTION tenancy.role_to_change(uuid, text) IS 'locks a role of the tenant''s own that ranks below the caller; internal';

-- A role of the tenant's own hides the built-in one of that name, and would change what all of its members may do.
CREATE FUNCTION tenancy.refuse_builtin(name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM tenancy.roles r
               WHERE r.tenant_id = '00000000-0000-0000-0000-000000000000' AND r.name = refuse_builtin.name) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('role %L is built in', refuse_builtin.name),
            HINT = 'Make a role of another name, and give that one.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_builtin(text) IS 'raises 22023 for the name of a built-in role; internal';

CREATE FUNCTION tenancy_internal.create_role(tenant uuid, name text, rank integer, permissions text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    listed text;
BEGIN
    PERFORM tenancy.lock_members(create_role.tenant, 'roles.manage');
    PERFORM tenancy.refuse_null(create_role.name IS NULL, 'name');
    PERFORM tenancy.refuse_null(create_role.rank IS NULL, 'rank');
    PERFORM tenancy.refuse_null(create_role.permissions IS NULL, 'permissions');
    IF create_role.name !~ '^[a-z][a-z0-9_-]{0,62}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid name %L for a role', left(create_role.name, 80)),
            HINT = 'Use 1 to 63 characters of a-z, 0-9, _ and -, beginning with a letter.';
    END IF;
    PERFORM tenancy.refuse_builtin(create_role.name);
    PERFORM tenancy.refuse_bad_rank(create_role.rank);
    listed := tenancy.checked_permissions(create_role.permissions);
    PERFORM tenancy.refuse_role_not_below(create_role.tenant, create_role.name, create_role.rank, listed);
    INSERT INTO tenancy.roles (tenant_id, name, rank, permissions)
    VALUES (create_role.tenant, create_role.name, create_role.rank, listed)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = format('role %L exists already in this tenant', create_role.name),
            HINT = 'tenancy.update_role() changes it.';
    END IF;
    PERFORM tenancy.audit_event(create_role.tenant, 'role.create', 'role:' || create_role.name, NULL,
        jsonb_build_object('rank', create_role.rank, 'permissions', listed));
END
$$;

SELECT tenancy_internal.expose('create_role(uuid, text, integer, text[])');

COMMENT ON FUNCTION tenancy.create_role(uuid, text, integer, text[]) IS
'makes a role of the tenant''s own, of rank 1 to 99; it ranks below the caller and holds nothing that they lack; needs roles.manage';

CREATE FUNCTION tenancy_internal.update_role(tenant uuid, name text, rank integer DEFAULT NULL, permissions text[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.roles := tenancy.role_to_change(update_role.tenant, update_role.name);
    listed text := held.permissions;
BEGIN
    PERFORM tenancy.refuse_bad_rank(update_role.rank);
    IF update_role.permissions IS NOT NULL THEN
        listed := tenancy.checked_permissions(update_role.permissions);
    END IF;
    PERFORM tenancy.refuse_role_not_below(update_role.tenant, held.name, coalesce(update_role.rank, held.rank), listed);
    UPDATE tenancy.roles r
    SET rank = coalesce(update_role.rank, r.rank), permissions = listed, updated_at = now()
    WHERE r.tenant_id = update_role.tenant AND r.name = update_role.name;
    PERFORM tenancy.audit_event(update_role.tenant, 'role.update', 'role:' || update_role.name,
        jsonb_build_object('rank', held.rank, 'permissions', held.permissions),
        jsonb_build_object('rank', coalesce(update_role.rank, held.rank), 'permissions', listed));
END
$$;

SELECT tenancy_internal.expose('update_role(uuid, text, integer, text[])');

COMMENT ON FUNCTION tenancy.update_role(uuid, text, integer, text[]) IS
'changes what is not null of a role of the tenant''s own, for all who hold it; it ranks below the caller before and after; needs roles.manage';

CREATE FUNCTION tenancy_internal.drop_role(tenant uuid, name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.roles := tenancy.role_to_change(drop_role.tenant, drop_role.name);
    members bigint;
    keys bigint;
BEGIN
    SELECT count(*) INTO members FROM tenancy.memberships m WHERE m.tenant_id = drop_role.tenant AND m.role = drop_role.name;
    SELECT count(*) INTO keys FROM tenancy.api_keys k
    WHERE k.tenant_id = drop_role.tenant AND k.role = drop_role.name
      AND least(k.revoked_at, k.expires_at, 'infinity') > now();
    IF members + keys > 0 THEN
        RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = format('role %L is still in use', drop_role.name),
            DETAIL = format('%s members and %s API keys have it.', members, keys),
            HINT = 'Give the members another role and revoke the keys first.';
    END IF;
    DELETE FROM tenancy.roles r WHERE r.tenant_id = drop_role.tenant AND r.name = drop_role.name;
    PERFORM tenancy.audit_event(drop_role.tenant, 'role.drop', 'role:' || drop_role.name,
        jsonb_build_object('rank', held.rank, 'permissions', held.permissions), NULL);
END
$$;

SELECT tenancy_internal.expose('drop_role(uuid, text)');

COMMENT ON FUNCTION tenancy.drop_role(uuid, text) IS
'drops a role of the tenant''s own that no member and no working API key has; needs roles.manage';

CREATE FUNCTION tenancy_internal.list_roles(tenant uuid)
RETURNS TABLE (name text, rank integer, permissions text[], is_builtin boolean, members bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize(tenant, 'members.read');
    RETURN QUERY
        SELECT r.name, r.rank, string_to_array(r.permissions, ' '), r.tenant_id <> list_roles.tenant,
               (SELECT count(*) FROM tenancy.memberships m WHERE m.tenant_id = list_roles.tenant AND m.role = r.name)
        FROM tenancy.roles r
        WHERE r.tenant_id IN (list_roles.tenant, '00000000-0000-0000-0000-000000000000')
        ORDER BY r.rank DESC, r.name;
END
$$;

SELECT tenancy_internal.expose('list_roles(uuid)');

COMMENT ON FUNCTION tenancy.list_roles(uuid) IS
'the roles of a tenant, its own and the built-in ones, with how many members have each, the highest first; needs members.read';
