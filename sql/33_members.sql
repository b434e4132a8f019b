-- Members of a tenant. Nobody gives what they do not have, nobody changes their own role, and an admin stays.
--
-- Every change locks the tenant's row first and then reads again, and locks, the rows that it decides by. So two admins
-- who remove each other do it one after the other, and the second one finds that they are no longer a member. Where the
-- isolation level hides that from the second, PostgreSQL refuses its row locks (40001).

-- What the caller may give to others in the tenant. Scopes narrow it through has_permission(), a role that was changed
-- since the transaction began through the table.
CREATE FUNCTION tenancy.acting_role(tenant uuid, OUT name text, OUT rank integer, OUT permissions text[]) RETURNS record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.is_operator() THEN
        name := 'operator';
        rank := 101;
        permissions := ARRAY(SELECT p.name::text FROM tenancy.permissions p);
        RETURN;
    END IF;
    name := tenancy.current_role_name();
    IF tenancy.current_user_id() IS NOT NULL THEN
        -- Who acts may have been removed or demoted while waiting for the tenant.
        SELECT m.role INTO acting_role.name FROM tenancy.memberships m
        WHERE m.tenant_id = acting_role.tenant AND m.user_id = tenancy.current_user_id() FOR SHARE;
        IF NOT FOUND THEN
            PERFORM tenancy.raise_not_available();
        END IF;
    END IF;
    PERFORM FROM tenancy.roles r WHERE r.tenant_id = acting_role.tenant AND r.name = acting_role.name FOR SHARE;
    SELECT r.rank, ARRAY(SELECT p FROM unnest(string_to_array(r.permissions, ' ')) p WHERE tenancy.has_permission(p))
    INTO acting_role.rank, acting_role.permissions
    FROM tenancy.role_named(acting_role.tenant, acting_role.name) r;
END
$$;

COMMENT ON FUNCTION tenancy.acting_role(uuid) IS
'the role by which the caller acts in their tenant, as it stands now, its rank and what it may; rank 101 for operators; internal';

CREATE FUNCTION tenancy.refuse_role_above(tenant uuid, role text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted tenancy.roles;
    acting record;
    lacking text;
BEGIN
    PERFORM tenancy.refuse_null(role IS NULL, 'role');
    PERFORM FROM tenancy.roles r WHERE r.tenant_id = refuse_role_above.tenant AND r.name = refuse_role_above.role FOR SHARE;
    SELECT r.* INTO wanted FROM tenancy.role_named(refuse_role_above.tenant, refuse_role_above.role) r;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('role %L does not exist in this tenant', left(role, 80)),
            HINT = 'tenancy.list_roles() shows the roles; tenancy.create_role() makes one.';
    END IF;
    SELECT * INTO acting FROM tenancy.acting_role(refuse_role_above.tenant);
    IF wanted.rank > acting.rank THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Role "%s" of rank %s cannot give role "%s" of rank %s.', acting.name, acting.rank, role, wanted.rank),
            HINT = 'Nobody gives a role that ranks above their own.';
    END IF;
    SELECT string_agg(p, ', ' ORDER BY p) INTO lacking
    FROM unnest(string_to_array(wanted.permissions, ' ')) p WHERE NOT p = ANY (acting.permissions);
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Role "%s" cannot give role "%s", which holds more: %s.', acting.name, role, lacking),
            HINT = 'Nobody gives permissions that they do not hold.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_role_above(uuid, text) IS
'raises 42704 for an unknown role, and TN004 for one that is above the caller''s rank or holds what they do not; internal';

CREATE FUNCTION tenancy.lock_members(tenant uuid, permission text) RETURNS tenancy.tenants
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked tenancy.tenants;
    acting record;
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize(tenant, permission);
    locked := tenancy.lock_tenant(tenant);
    SELECT * INTO acting FROM tenancy.acting_role(tenant);
    IF acting.permissions IS NULL OR NOT permission = ANY (acting.permissions) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Role "%s" does not hold permission "%s" here.', acting.name, permission),
            HINT = 'Act as a member whose role holds the permission.';
    END IF;
    RETURN locked;
END
$$;

COMMENT ON FUNCTION tenancy.lock_members(uuid, text) IS
'begins a change of the members or roles of a tenant: asks for the permission, locks, and asks again; internal';

-- The role of a member, whose row stays as it is until the transaction ends.
CREATE FUNCTION tenancy.role_of_member(tenant uuid, user_id uuid) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held text;
BEGIN
    PERFORM tenancy.refuse_null(role_of_member.user_id IS NULL, 'user_id');
    SELECT m.role INTO held FROM tenancy.memberships m
    WHERE m.tenant_id = role_of_member.tenant AND m.user_id = role_of_member.user_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('user %s is not a member of this tenant', role_of_member.user_id),
            HINT = 'tenancy.list_members() shows the members.';
    END IF;
    RETURN held;
END
$$;

COMMENT ON FUNCTION tenancy.role_of_member(uuid, uuid) IS 'the role of a member, locked; 42704 for who is none; internal';

CREATE FUNCTION tenancy.refuse_member_above(tenant uuid, held text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting record;
    member_rank integer;
BEGIN
    SELECT * INTO acting FROM tenancy.acting_role(refuse_member_above.tenant);
    SELECT r.rank INTO member_rank FROM tenancy.role_named(refuse_member_above.tenant, held) r;
    IF member_rank > acting.rank THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Permission "members.manage" of role "%s", rank %s, does not reach a member with role "%s", rank %s.',
                            acting.name, acting.rank, held, member_rank),
            HINT = 'Act as a member who ranks as high.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_member_above(uuid, text) IS 'raises TN004 for a member who ranks above the caller; internal';

-- One who was deactivated cannot act, and does not count.
CREATE FUNCTION tenancy.refuse_last_admin(tenant uuid, user_id uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM tenancy.memberships m
    JOIN tenancy.users u ON u.id = m.user_id
    WHERE m.tenant_id = refuse_last_admin.tenant AND m.user_id <> refuse_last_admin.user_id AND m.role = 'admin'
      AND u.status = 'active'
    LIMIT 1 FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'the last admin of a tenant stays',
            DETAIL = 'Permission "members.manage" does not reach the only active admin.',
            HINT = 'Make another member an admin first.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_last_admin(uuid, uuid) IS 'raises TN004 unless the tenant has another active admin than this user; internal';

CREATE FUNCTION tenancy.insert_member(tenant uuid, user_id uuid, role text, created_by uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    user_status text;
BEGIN
    -- The tenant before the user, as everywhere. One transaction at a time comes further, so nobody else adds the member.
    PERFORM tenancy.lock_tenant(insert_member.tenant);
    SELECT u.status INTO user_status FROM tenancy.users u WHERE u.id = insert_member.user_id FOR SHARE;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_no_user(insert_member.user_id);
    ELSIF user_status <> 'active' AND NOT tenancy.is_operator() THEN
        -- A member who names somebody by id learns nothing of them.
        PERFORM tenancy.raise_no_user(insert_member.user_id);
    ELSIF user_status <> 'active' THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('user %s is %s', insert_member.user_id, user_status),
            HINT = 'tenancy.reactivate_user() takes that back.';
    END IF;
    IF EXISTS (SELECT FROM tenancy.memberships m
               WHERE m.tenant_id = insert_member.tenant AND m.user_id = insert_member.user_id) THEN
        RAISE EXCEPTION USING ERRCODE = '23505',
            MESSAGE = format('user %s is a member of this tenant already', insert_member.user_id),
            HINT = 'tenancy.change_role() gives a member another role.';
    END IF;
    PERFORM tenancy.consume(insert_member.tenant, 'members', 1);
    INSERT INTO tenancy.memberships (tenant_id, user_id, role, created_by)
    VALUES (insert_member.tenant, insert_member.user_id, insert_member.role, insert_member.created_by);
    PERFORM tenancy.audit_event(insert_member.tenant, 'member.add', 'user:' || insert_member.user_id, NULL,
        jsonb_build_object('role', insert_member.role));
END
$$;

COMMENT ON FUNCTION tenancy.insert_member(uuid, uuid, text, uuid) IS
'makes a user a member, within the limit of members, and records it; asks for no permission; internal';

CREATE FUNCTION tenancy.delete_member(tenant tenancy.tenants, user_id uuid, held text, action text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (tenant).created_by = user_id AND NOT tenancy.is_operator() THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'the creator of a tenant stays',
            DETAIL = 'Permission "members.manage" does not reach the user who created the tenant.',
            HINT = 'Delete the tenant, or ask those who run the installation.';
    END IF;
    IF held = 'admin' THEN
        PERFORM tenancy.refuse_last_admin((tenant).id, delete_member.user_id);
    END IF;
    DELETE FROM tenancy.memberships m WHERE m.tenant_id = (tenant).id AND m.user_id = delete_member.user_id;
    -- One who comes back later does so as any other member.
    UPDATE tenancy.tenants t SET created_by = NULL WHERE t.id = (tenant).id AND t.created_by = delete_member.user_id;
    UPDATE tenancy.users u SET current_tenant_id = NULL
    WHERE u.id = delete_member.user_id AND u.current_tenant_id = (tenant).id;
    PERFORM tenancy.release((tenant).id, 'members', 1);
    PERFORM tenancy.audit_event((tenant).id, action, 'user:' || delete_member.user_id, jsonb_build_object('role', held), NULL);
END
$$;

COMMENT ON FUNCTION tenancy.delete_member(tenancy.tenants, uuid, text, text) IS
'ends a membership, unless of the creator or the last admin, and records it; asks for no permission; internal';

CREATE FUNCTION tenancy_internal.list_members(tenant uuid)
RETURNS TABLE (user_id uuid, email text, name text, role text, status text, is_creator boolean, created_by uuid,
               created_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize(tenant, 'members.read');
    RETURN QUERY
        SELECT m.user_id, CASE WHEN s.shown THEN u.email END, CASE WHEN s.shown THEN u.name END, m.role, CASE WHEN s.shown THEN u.status END, t.created_by IS NOT DISTINCT FROM m.user_id, m.created_by, m.created_at
        FROM tenancy.memberships m
        JOIN tenancy.users u ON u.id = m.user_id
        JOIN tenancy.tenants t ON t.id = m.tenant_id
        CROSS JOIN LATERAL (SELECT m.shows_user OR tenancy.is_operator() OR m.user_id IS NOT DISTINCT FROM tenancy.acting_user() AS shown) s
        WHERE m.tenant_id = list_members.tenant
        ORDER BY m.created_at, m.user_id;
END
$$;

SELECT tenancy_internal.expose('list_members(uuid)');

COMMENT ON FUNCTION tenancy.list_members(uuid) IS 'the members of a tenant with their roles, the oldest first; address, name and status are null of one whom a member added by id and who has not accepted an invitation or switched to the tenant since; needs members.read';

CREATE FUNCTION tenancy_internal.add_member(tenant uuid, user_id uuid, role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.lock_members(add_member.tenant, 'members.manage');
    PERFORM tenancy.refuse_null(add_member.user_id IS NULL, 'user_id');
    PERFORM tenancy.refuse_role_above(add_member.tenant, add_member.role);
    PERFORM tenancy.insert_member(add_member.tenant, add_member.user_id, add_member.role,
        CASE WHEN NOT tenancy.is_operator() THEN tenancy.current_user_id() END);
    IF NOT tenancy.is_operator() THEN
        -- Whoever knows an id could make anybody a member and read their address. An invitation asks the user.
        UPDATE tenancy.memberships m SET shows_user = false
        WHERE m.tenant_id = add_member.tenant AND m.user_id = add_member.user_id;
    END IF;
END
$$;

SELECT tenancy_internal.expose('add_member(uuid, uuid, text)');

COMMENT ON FUNCTION tenancy.add_member(uuid, uuid, text) IS
'makes a user a member with a role that is not above the caller''s; needs members.manage; unless an operator did it, the tenant sees nothing of the user but the id until they accept an invitation or switch to it; 23505 for who is one already, TN005 when the limit is reached';

CREATE FUNCTION tenancy_internal.change_role(tenant uuid, user_id uuid, role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held text;
BEGIN
    PERFORM tenancy.lock_members(change_role.tenant, 'members.manage');
    held := tenancy.role_of_member(change_role.tenant, change_role.user_id);
    IF NOT tenancy.is_operator() AND tenancy.current_user_id() = change_role.user_id THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'nobody changes their own role',
            DETAIL = 'Permission "members.manage" reaches other members only.',
            HINT = 'Ask another member who manages members; tenancy.leave_tenant() ends a membership of one''s own.';
    END IF;
    PERFORM tenancy.refuse_member_above(change_role.tenant, held);
    PERFORM tenancy.refuse_role_above(change_role.tenant, change_role.role);
    IF held = 'admin' AND change_role.role <> 'admin' THEN
        PERFORM tenancy.refuse_last_admin(change_role.tenant, change_role.user_id);
    END IF;
    IF held <> change_role.role THEN
        UPDATE tenancy.memberships m SET role = change_role.role
        WHERE m.tenant_id = change_role.tenant AND m.user_id = change_role.user_id;
        PERFORM tenancy.audit_event(change_role.tenant, 'member.change_role', 'user:' || change_role.user_id,
            jsonb_build_object('role', held), jsonb_build_object('role', change_role.role));
    END IF;
END
$$;

SELECT tenancy_internal.expose('change_role(uuid, uuid, text)');

COMMENT ON FUNCTION tenancy.change_role(uuid, uuid, text) IS
'gives another member another role; needs members.manage, and neither role may be above the caller''s; the last admin stays one';

CREATE FUNCTION tenancy_internal.remove_member(tenant uuid, user_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked tenancy.tenants := tenancy.lock_members(remove_member.tenant, 'members.manage');
    held text := tenancy.role_of_member(remove_member.tenant, remove_member.user_id);
BEGIN
    PERFORM tenancy.refuse_member_above(remove_member.tenant, held);
    PERFORM tenancy.delete_member(locked, remove_member.user_id, held, 'member.remove');
END
$$;

SELECT tenancy_internal.expose('remove_member(uuid, uuid)');

COMMENT ON FUNCTION tenancy.remove_member(uuid, uuid) IS
'ends a membership: who is in the tenant loses it by the next transaction; needs members.manage; the creator and the last admin stay';

CREATE FUNCTION tenancy_internal.leave_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting uuid;
    locked tenancy.tenants;
    held text;
BEGIN
    PERFORM tenancy.refuse_null(leave_tenant.tenant IS NULL, 'tenant');
    acting := tenancy.require_user();
    -- Only a member may wait for the tenant's lock.
    PERFORM FROM tenancy.memberships m WHERE m.tenant_id = leave_tenant.tenant AND m.user_id = acting;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_not_available();
    END IF;
    locked := tenancy.lock_tenant(leave_tenant.tenant);
    SELECT m.role INTO held FROM tenancy.memberships m
    WHERE m.tenant_id = leave_tenant.tenant AND m.user_id = acting FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_not_available();
    END IF;
    PERFORM tenancy.delete_member(locked, acting, held, 'member.leave');
END
$$;

SELECT tenancy_internal.expose('leave_tenant(uuid)');

COMMENT ON FUNCTION tenancy.leave_tenant(uuid) IS
'ends the membership of the user in context, in the current tenant or another one; the creator and the last admin stay';
