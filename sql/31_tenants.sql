-- Tenants: made by operators and by the users who own an organization, kept by members with the permission.

-- An unknown slug becomes an id that no tenant has, and so goes the way of a stranger's.
CREATE FUNCTION tenancy.tenant_named(name text) RETURNS uuid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN tenant_named.name IS NOT NULL THEN coalesce(
        tenancy.uuid_or_null(tenant_named.name),
        (SELECT t.id FROM tenancy.tenants t WHERE t.slug = tenant_named.name),
        '00000000-0000-0000-0000-000000000000') END;
END;

COMMENT ON FUNCTION tenancy.tenant_named(text) IS
'id of the tenant with this slug, or the id itself; an id of no tenant for what is unknown; internal';

CREATE FUNCTION tenancy.role_named(tenant uuid, role text) RETURNS SETOF tenancy.roles
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.* FROM tenancy.roles r
    WHERE r.tenant_id IN (role_named.tenant, '00000000-0000-0000-0000-000000000000') AND r.name = role_named.role
    ORDER BY r.tenant_id DESC LIMIT 1;
END;

COMMENT ON FUNCTION tenancy.role_named(uuid, text) IS 'a role of the tenant''s own, else the built-in one of that name; internal';

-- A tenant that is not active cannot be entered, so who may bring it back acts from another one, by their own membership.
CREATE FUNCTION tenancy.authorize_return(tenant uuid, permission text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting uuid := tenancy.acting_user();
    held record;
BEGIN
    -- The membership first: without one, an unknown tenant takes the same work as one of others.
    SELECT m.role, t.status, t.status_set_by, r.permissions INTO held
    FROM (SELECT o.tenant_id, o.role FROM tenancy.memberships o
          WHERE o.tenant_id = authorize_return.tenant AND o.user_id = acting OFFSET 0) m
    JOIN tenancy.tenants t ON t.id = m.tenant_id
    LEFT JOIN LATERAL tenancy.role_named(t.id, m.role) r ON true;
    IF tenancy.is_operator() THEN
        IF NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = authorize_return.tenant) THEN
            PERFORM tenancy.raise_not_available();
        END IF;
    ELSIF held.role IS NULL THEN
        PERFORM tenancy.raise_not_available();
    ELSIF held.permissions IS NULL OR NOT authorize_return.permission = ANY (string_to_array(held.permissions, ' ')) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Role "%s" does not hold permission "%s" there.', held.role, authorize_return.permission),
            HINT = 'Act as a member whose role holds the permission.';
    ELSIF held.status <> 'active' AND held.status_set_by IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = format('Permission "%s" does not take back what an operator decided.', authorize_return.permission),
            HINT = 'Ask those who run the installation.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.authorize_return(uuid, text) IS
'lets an operator pass, and a member of a tenant that a member took out of use whose role holds the permission; TN002 for a stranger; internal';

CREATE FUNCTION tenancy.refuse_bad_external_key(external_key text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF octet_length(external_key) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid external key: expected 1 to 255 bytes, not %s', octet_length(external_key)),
            HINT = 'Pass the key that the application''s own tables have for the tenant.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_external_key(text) IS 'raises 22023 for a key that is empty or too long; internal';

CREATE FUNCTION tenancy.raise_tenant_exists(slug text, external_key text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '23505',
        MESSAGE = format('tenant %L exists already', slug),
        DETAIL = format('The slug %L or the external key %s is taken.', slug, coalesce(quote_literal(external_key), 'NULL')),
        HINT = 'Slugs and external keys of tenants are unique in the installation; choose others.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_tenant_exists(text, text) IS 'raises 23505; internal';

CREATE FUNCTION tenancy_internal.create_tenant(
    slug text,
    name text DEFAULT NULL,
    organization text DEFAULT NULL,
    external_key text DEFAULT NULL,
    settings jsonb DEFAULT '{}'
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_id uuid;
    creator uuid;
    owner uuid;
    owner_status text;
BEGIN
    -- Operators use all organizations, a user those that they created.
    IF NOT tenancy.is_operator() THEN
        creator := tenancy.require_user();
    END IF;
    owner := tenancy.organization_named(coalesce(create_tenant.organization, '00000000-0000-0000-0000-000000000001'));
    IF creator IS NOT NULL AND create_tenant.external_key IS NOT NULL THEN
        PERFORM tenancy.authorize_operator();
    END IF;
    PERFORM tenancy.refuse_bad_slug(create_tenant.slug, 'a tenant');
    PERFORM tenancy.refuse_bad_name(create_tenant.name, 'a tenant');
    PERFORM tenancy.refuse_bad_external_key(create_tenant.external_key);
    PERFORM tenancy.refuse_bad_object(create_tenant.settings, 'settings');

    -- The lock keeps the organization as it is: it must not be deleted while it gets a tenant.
    SELECT o.status INTO owner_status FROM tenancy.organizations o WHERE o.id = owner FOR SHARE;
    IF owner_status = 'deleted' THEN
        PERFORM tenancy.organization_named(coalesce(create_tenant.organization, owner::text));
    ELSIF creator IS NOT NULL AND owner_status <> 'active' THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('organization %L is %s', create_tenant.organization, owner_status),
            HINT = 'Ask those who run the installation.';
    END IF;
    PERFORM tenancy.consume_of_organization(owner, 'tenants', 1);
    INSERT INTO tenancy.tenants (organization_id, slug, name, external_key, settings, created_by)
    VALUES (owner, create_tenant.slug, coalesce(create_tenant.name, create_tenant.slug), create_tenant.external_key,
            coalesce(create_tenant.settings, '{}'), creator)
    ON CONFLICT DO NOTHING
    RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        PERFORM tenancy.raise_tenant_exists(create_tenant.slug, create_tenant.external_key);
    END IF;
    PERFORM tenancy.audit_event(new_id, 'tenant.create', 'tenant:' || new_id, NULL, jsonb_build_object(
        'slug', create_tenant.slug, 'name', coalesce(create_tenant.name, create_tenant.slug), 'organization_id', owner));
    IF creator IS NOT NULL THEN
        PERFORM tenancy.insert_member(new_id, creator, 'admin', creator);
    END IF;
    RETURN new_id;
END
$$;

SELECT tenancy_internal.expose('create_tenant(text, text, text, text, jsonb)');

COMMENT ON FUNCTION tenancy.create_tenant(text, text, text, text, jsonb) IS
'creates a tenant of an organization (slug or id; the default organization when null) and returns its id; a user does so in an organization that they created, and becomes its admin; 23505 when slug or external key are taken';

CREATE FUNCTION tenancy_internal.list_tenants(organization text DEFAULT NULL)
RETURNS TABLE (id uuid, slug text, name text, status text, organization_id uuid, organization_slug text,
               external_key text, settings jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid;
BEGIN
    IF list_tenants.organization IS NULL THEN
        PERFORM tenancy.authorize_operator();
    ELSE
        wanted := tenancy.organization_named(list_tenants.organization, true);
    END IF;
    RETURN QUERY
        SELECT t.id, t.slug, t.name, t.status, o.id, o.slug, t.external_key, t.settings, t.created_at, t.updated_at
        FROM tenancy.tenants t
        JOIN tenancy.organizations o ON o.id = t.organization_id
        WHERE wanted IS NULL OR t.organization_id = wanted
        ORDER BY o.slug, t.slug;
END
$$;

SELECT tenancy_internal.expose('list_tenants(text)');

COMMENT ON FUNCTION tenancy.list_tenants(text) IS
'the tenants of an organization (slug or id), or all of them for operators; by organization and slug';

CREATE FUNCTION tenancy_internal.get_tenant(tenant text)
RETURNS TABLE (id uuid, slug text, name text, status text, organization_id uuid, organization_slug text,
               external_key text, settings jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid := tenancy.tenant_named(get_tenant.tenant);
BEGIN
    IF NOT tenancy.is_operator() THEN
        IF wanted IS NULL OR NOT tenancy.has_context() OR tenancy.current_tenant_id() <> wanted THEN
            RETURN;
        END IF;
        PERFORM tenancy.require_permission('tenant.read');
    END IF;
    RETURN QUERY
        SELECT t.id, t.slug, t.name, t.status, o.id, o.slug, t.external_key, t.settings, t.created_at, t.updated_at
        FROM tenancy.tenants t
        JOIN tenancy.organizations o ON o.id = t.organization_id
        WHERE t.id = wanted;
END
$$;

SELECT tenancy_internal.expose('get_tenant(text)');

COMMENT ON FUNCTION tenancy.get_tenant(text) IS
'the tenant with this slug or id, for operators and for its members with tenant.read; no row for everybody else';

CREATE FUNCTION tenancy_internal.update_tenant(
    tenant text,
    slug text DEFAULT NULL,
    name text DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    external_key text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid := tenancy.tenant_named(update_tenant.tenant);
    old_row tenancy.tenants;
    new_row tenancy.tenants;
BEGIN
    PERFORM tenancy.refuse_null(wanted IS NULL, 'tenant');
    PERFORM tenancy.authorize(wanted, 'tenant.update');
    -- Names that are unique in the installation are the operators' to give again.
    IF update_tenant.slug IS NOT NULL OR update_tenant.external_key IS NOT NULL THEN
        PERFORM tenancy.authorize_operator();
    END IF;
    IF update_tenant.slug IS NOT NULL THEN
        PERFORM tenancy.refuse_bad_slug(update_tenant.slug, 'a tenant');
    END IF;
    PERFORM tenancy.refuse_bad_name(update_tenant.name, 'a tenant');
    PERFORM tenancy.refuse_bad_object(update_tenant.settings, 'settings');
    PERFORM tenancy.refuse_bad_external_key(update_tenant.external_key);

    old_row := tenancy.lock_tenant(wanted);
    BEGIN
        IF update_tenant.external_key IS DISTINCT FROM old_row.external_key AND update_tenant.external_key IS NOT NULL THEN
            PERFORM tenancy.change_tenant_row('UPDATE tenancy.tenants SET external_key = $2 WHERE id OPERATOR(pg_catalog.=) $1',
                                              wanted, update_tenant.external_key);
        END IF;
        UPDATE tenancy.tenants t
        SET slug = coalesce(update_tenant.slug, t.slug), name = coalesce(update_tenant.name, t.name),
            settings = coalesce(update_tenant.settings, t.settings), updated_at = now()
        WHERE t.id = wanted
        RETURNING t.* INTO new_row;
    EXCEPTION WHEN unique_violation THEN
        PERFORM tenancy.raise_tenant_exists(coalesce(update_tenant.slug, old_row.slug), update_tenant.external_key);
    END;
    PERFORM tenancy.audit_event(wanted, 'tenant.update', 'tenant:' || wanted,
        jsonb_build_object('slug', old_row.slug, 'name', old_row.name, 'settings', old_row.settings, 'external_key', old_row.external_key),
        jsonb_build_object('slug', new_row.slug, 'name', new_row.name, 'settings', new_row.settings, 'external_key', new_row.external_key));
END
$$;

SELECT tenancy_internal.expose('update_tenant(text, text, text, jsonb, text)');

COMMENT ON FUNCTION tenancy.update_tenant(text, text, text, jsonb, text) IS
'changes what is not null of a tenant (slug or id); name and settings need tenant.update, slug and external key are for operators';

-- The life of a tenant ---------------------------------------------------------------------------------------------

-- What changes members, roles or the status of a tenant takes this lock first, so that such changes come one after the other.
CREATE FUNCTION tenancy.lock_tenant(tenant uuid, with_deleted boolean DEFAULT false) RETURNS tenancy.tenants
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked tenancy.tenants;
BEGIN
    SELECT t.* INTO locked FROM tenancy.tenants t WHERE t.id = lock_tenant.tenant FOR NO KEY UPDATE;
    IF NOT FOUND OR locked.status = 'deleted' AND NOT with_deleted THEN
        PERFORM tenancy.raise_not_available();
    END IF;
    RETURN locked;
END
$$;

COMMENT ON FUNCTION tenancy.lock_tenant(uuid, boolean) IS
'locks the row of a tenant against other changes of it, its members and roles; TN002 for one that is unknown or deleted; internal';

-- Who was in the tenant when the transaction began may have waited for an operator to take it out of use, and must not
-- make that decision their own.
CREATE FUNCTION tenancy.refuse_if_lost(tenant tenancy.tenants) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF (tenant).status <> 'active' AND NOT tenancy.is_operator() THEN
        PERFORM tenancy.raise_not_available();
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_if_lost(tenancy.tenants) IS
'raises TN002 for a member whose tenant went out of use during the transaction; internal';

CREATE FUNCTION tenancy.set_tenant_status(tenant uuid, status text, action text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_row tenancy.tenants := tenancy.lock_tenant(set_tenant_status.tenant, true);
    -- An operator's decision holds, whoever decided the same before.
    decider uuid := CASE WHEN NOT tenancy.is_operator() THEN coalesce(tenancy.current_user_id(), tenancy.current_api_key_id()) END;
BEGIN
    UPDATE tenancy.tenants t
    SET status = set_tenant_status.status, updated_at = now(),
        status_set_by = CASE WHEN set_tenant_status.status <> 'active' THEN decider END,
        deleted_at = CASE WHEN set_tenant_status.status = 'deleted' THEN now() END
    WHERE t.id = old_row.id;
    PERFORM tenancy.audit_event(old_row.id, action, 'tenant:' || old_row.id,
        jsonb_build_object('status', old_row.status), jsonb_build_object('status', set_tenant_status.status));
END
$$;

COMMENT ON FUNCTION tenancy.set_tenant_status(uuid, text, text) IS 'changes the status of a tenant, and records who did; internal';

CREATE FUNCTION tenancy.raise_wrong_status(tenant tenancy.tenants, wanted text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '55000',
        MESSAGE = format('tenant %L is %s, not %s', (tenant).slug,
                         CASE WHEN (tenant).purge_started_at IS NULL THEN (tenant).status ELSE 'being purged' END, wanted),
        HINT = CASE WHEN (tenant).purge_started_at IS NOT NULL THEN 'Let tenancy.purge_tenant() end its work.'
                    WHEN (tenant).status = 'deleted' THEN 'tenancy.restore_tenant() brings it back.'
                    WHEN wanted = 'deleted' THEN 'Delete it first, with tenancy.delete_tenant().'
                    ELSE 'tenancy.get_tenant() shows its status.' END;
END
$$;

COMMENT ON FUNCTION tenancy.raise_wrong_status(tenancy.tenants, text) IS 'raises 55000 for a tenant that is not in the state wanted; internal';

CREATE FUNCTION tenancy_internal.suspend_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.tenants;
BEGIN
    PERFORM tenancy.refuse_null(suspend_tenant.tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize(suspend_tenant.tenant, 'tenant.update');
    held := tenancy.lock_tenant(suspend_tenant.tenant, true);
    PERFORM tenancy.refuse_if_lost(held);
    IF held.status = 'deleted' THEN
        PERFORM tenancy.raise_wrong_status(held, 'active');
    END IF;
    PERFORM tenancy.set_tenant_status(held.id, 'suspended', 'tenant.suspend');
END
$$;

SELECT tenancy_internal.expose('suspend_tenant(uuid)');

COMMENT ON FUNCTION tenancy.suspend_tenant(uuid) IS
'lets nobody enter a tenant until resume_tenant(); who is in it loses it by the next transaction; needs tenant.update';

CREATE FUNCTION tenancy_internal.resume_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.tenants;
BEGIN
    PERFORM tenancy.refuse_null(resume_tenant.tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize_return(resume_tenant.tenant, 'tenant.update');
    held := tenancy.lock_tenant(resume_tenant.tenant, true);
    -- Once more under the lock: an operator may have decided meanwhile.
    PERFORM tenancy.authorize_return(resume_tenant.tenant, 'tenant.update');
    IF held.status <> 'suspended' THEN
        PERFORM tenancy.raise_wrong_status(held, 'suspended');
    END IF;
    PERFORM tenancy.set_tenant_status(held.id, 'active', 'tenant.resume');
END
$$;

SELECT tenancy_internal.expose('resume_tenant(uuid)');

COMMENT ON FUNCTION tenancy.resume_tenant(uuid) IS
'ends a suspension; for operators, and where a member suspended the tenant for its members with tenant.update, who act from another tenant';

CREATE FUNCTION tenancy_internal.delete_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.tenants;
BEGIN
    PERFORM tenancy.refuse_null(delete_tenant.tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize(delete_tenant.tenant, 'tenant.delete');
    IF delete_tenant.tenant = '00000000-0000-0000-0000-000000000002' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the default tenant cannot be deleted',
            HINT = 'Rows that had no tenant belong to it; suspend it instead.';
    END IF;
    held := tenancy.lock_tenant(delete_tenant.tenant, true);
    PERFORM tenancy.refuse_if_lost(held);
    IF held.status = 'deleted' THEN
        PERFORM tenancy.raise_wrong_status(held, 'active or suspended');
    END IF;
    PERFORM tenancy.release_of_organization(held.organization_id, 'tenants', 1);
    PERFORM tenancy.set_tenant_status(held.id, 'deleted', 'tenant.delete');
END
$$;

SELECT tenancy_internal.expose('delete_tenant(uuid)');

COMMENT ON FUNCTION tenancy.delete_tenant(uuid) IS
'lets nobody enter a tenant and counts it no more; all its rows stay until purge_tenant(), and restore_tenant() brings it back; needs tenant.delete';

CREATE FUNCTION tenancy_internal.restore_tenant(tenant uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held tenancy.tenants;
BEGIN
    PERFORM tenancy.refuse_null(restore_tenant.tenant IS NULL, 'tenant');
    PERFORM tenancy.authorize_return(restore_tenant.tenant, 'tenant.delete');
    held := tenancy.lock_tenant(restore_tenant.tenant, true);
    PERFORM tenancy.authorize_return(restore_tenant.tenant, 'tenant.delete');
    IF held.status <> 'deleted' OR held.purge_started_at IS NOT NULL THEN
        PERFORM tenancy.raise_wrong_status(held, 'deleted');
    END IF;
    -- The organization must not be deleted meanwhile, nor get back a tenant when it was.
    PERFORM FROM tenancy.organizations o WHERE o.id = held.organization_id AND o.status <> 'deleted' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the organization of tenant %L is deleted', held.slug),
            HINT = 'Make the organization active again: tenancy.update_organization(..., status => ''active'').';
    END IF;
    PERFORM tenancy.consume_of_organization(held.organization_id, 'tenants', 1);
    PERFORM tenancy.set_tenant_status(held.id, 'active', 'tenant.restore');
END
$$;

SELECT tenancy_internal.expose('restore_tenant(uuid)');

COMMENT ON FUNCTION tenancy.restore_tenant(uuid) IS
'makes a deleted tenant active again; for operators, and where a member deleted it for its members with tenant.delete, who act from another tenant';

CREATE FUNCTION tenancy_internal.suspend_tenant(tenant text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.suspend_tenant(tenancy.tenant_named(tenant));

SELECT tenancy_internal.expose('suspend_tenant(text)');

COMMENT ON FUNCTION tenancy.suspend_tenant(text) IS 'the same, by slug or id';

CREATE FUNCTION tenancy_internal.resume_tenant(tenant text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.resume_tenant(tenancy.tenant_named(tenant));

SELECT tenancy_internal.expose('resume_tenant(text)');

COMMENT ON FUNCTION tenancy.resume_tenant(text) IS 'the same, by slug or id';

CREATE FUNCTION tenancy_internal.delete_tenant(tenant text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.delete_tenant(tenancy.tenant_named(tenant));

SELECT tenancy_internal.expose('delete_tenant(text)');

COMMENT ON FUNCTION tenancy.delete_tenant(text) IS 'the same, by slug or id';

CREATE FUNCTION tenancy_internal.restore_tenant(tenant text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.restore_tenant(tenancy.tenant_named(tenant));

SELECT tenancy_internal.expose('restore_tenant(text)');

COMMENT ON FUNCTION tenancy.restore_tenant(text) IS 'the same, by slug or id';
