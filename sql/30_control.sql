-- The control plane: what its functions share, and organizations. The functions are SECURITY DEFINER, because the
-- tables are granted to nobody, and begin with the question whether the caller may.

-- Arguments --------------------------------------------------------------------------------------------------------

CREATE FUNCTION tenancy.uuid_or_null(value text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN value::uuid END;

COMMENT ON FUNCTION tenancy.uuid_or_null(text) IS 'a uuid in canonical form, or null for any other text; internal';

CREATE FUNCTION tenancy.refuse_null(is_null boolean, argument text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF is_null THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('%s must not be null', argument);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_null(boolean, text) IS 'raises 22004 for an argument that is null; internal';

CREATE FUNCTION tenancy.refuse_bad_slug(slug text, of text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF slug IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('slug of %s must not be null', of);
    END IF;
    IF slug !~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
       OR slug ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid slug %L for %s', left(slug, 80), of),
            HINT = 'Use 1 to 63 characters of a-z, 0-9 and hyphens, with no hyphen at either end, and not the text of a uuid.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_slug(text, text) IS 'raises 22004 or 22023 with a hint for what cannot be a slug; internal';

-- Null is left to the caller: it means "as it is", or that a default is taken.
CREATE FUNCTION tenancy.refuse_bad_name(name text, of text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(name) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid name for %s: expected 1 to 200 characters, not %s', of, length(name)),
            HINT = 'Choose a name that a person can read.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_name(text, text) IS 'raises 22023 for a name that is empty or too long; internal';

CREATE FUNCTION tenancy.refuse_bad_object(value jsonb, argument text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF jsonb_typeof(value) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid %s: expected a JSON object, not %s %s', argument,
                             CASE WHEN jsonb_typeof(value) = 'array' THEN 'an' ELSE 'a' END, jsonb_typeof(value)),
            HINT = format('Pass %s as an object, such as {}.', argument);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_object(jsonb, text) IS 'raises 22023 for what is not a JSON object; internal';

-- Callers ----------------------------------------------------------------------------------------------------------

-- A key acts for its tenant, and a credential with scopes may only do what they name: neither is the user in person.
CREATE FUNCTION tenancy.acting_user() RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.has_context() AND tenancy.current_api_key_id() IS NULL
       AND coalesce(current_setting('tenancy.scopes', true), '') = '' THEN
        RETURN tenancy.current_user_id();
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION tenancy.acting_user() IS
'the user who acts in person, in whatever tenant; null for a key, a credential with scopes and without a context; internal';

CREATE FUNCTION tenancy.require_user() RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting uuid := tenancy.acting_user();
BEGIN
    IF acting IS NULL THEN
        PERFORM tenancy.current_tenant_id();
        RAISE EXCEPTION USING ERRCODE = 'TN004', MESSAGE = 'permission denied by role',
            DETAIL = 'This is the right of a user in person, and no user is in context, or only by a key or with scopes.',
            HINT = 'Have the user sign in, and enter as that user.';
    END IF;
    RETURN acting;
END
$$;

COMMENT ON FUNCTION tenancy.require_user() IS 'the user who acts in person; TN004 for everybody else, TN001 without a tenant; internal';

-- Organizations ----------------------------------------------------------------------------------------------------

-- One that was deleted is seen by operators only, and cannot be given tenants.
CREATE FUNCTION tenancy.organization_named(name text, with_deleted boolean DEFAULT false) RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id uuid;
BEGIN
    PERFORM tenancy.refuse_null(organization_named.name IS NULL, 'organization');
    SELECT o.id INTO found_id
    FROM tenancy.organizations o
    WHERE (o.slug = organization_named.name OR o.id = tenancy.uuid_or_null(organization_named.name))
      AND (o.status <> 'deleted' OR with_deleted AND tenancy.is_operator())
      AND (tenancy.is_operator() OR o.created_by = tenancy.acting_user());
    IF found_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('organization %L does not exist', left(organization_named.name, 80)),
            HINT = 'Name it by its slug or its id; tenancy.create_organization() makes one.';
    END IF;
    RETURN found_id;
END
$$;

COMMENT ON FUNCTION tenancy.organization_named(text, boolean) IS
'id of the organization with this slug or id, for operators and for the user who created it; 42704 for everybody else; internal';

CREATE FUNCTION tenancy.raise_organization_exists(slug text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = format('organization %L exists already', slug),
        HINT = 'Slugs of organizations are unique in the installation; choose another one.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_organization_exists(text) IS 'raises 23505; internal';

CREATE FUNCTION tenancy_internal.create_organization(slug text, name text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_id uuid;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_bad_slug(create_organization.slug, 'an organization');
    PERFORM tenancy.refuse_bad_name(create_organization.name, 'an organization');
    INSERT INTO tenancy.organizations (slug, name)
    VALUES (create_organization.slug, coalesce(create_organization.name, create_organization.slug))
    ON CONFLICT ON CONSTRAINT organizations_slug_key DO NOTHING
    RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        PERFORM tenancy.raise_organization_exists(create_organization.slug);
    END IF;
    PERFORM tenancy.audit_event(NULL, 'organization.create', 'organization:' || new_id, NULL,
        jsonb_build_object('slug', create_organization.slug, 'name', coalesce(create_organization.name, create_organization.slug)));
    RETURN new_id;
END
$$;

SELECT tenancy_internal.expose('create_organization(text, text)');

COMMENT ON FUNCTION tenancy.create_organization(text, text) IS
'creates an organization and returns its id; the name defaults to the slug; 23505 when the slug is taken';

CREATE FUNCTION tenancy_internal.update_organization(
    organization text,
    slug text DEFAULT NULL,
    name text DEFAULT NULL,
    contact jsonb DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    status text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid := tenancy.organization_named(update_organization.organization, true);
    old_row tenancy.organizations;
    new_row tenancy.organizations;
BEGIN
    -- A user may change what their organization says of itself.
    IF update_organization.slug IS NOT NULL OR update_organization.status IS NOT NULL THEN
        PERFORM tenancy.authorize_operator();
    END IF;
    IF update_organization.slug IS NOT NULL THEN
        PERFORM tenancy.refuse_bad_slug(update_organization.slug, 'an organization');
    END IF;
    PERFORM tenancy.refuse_bad_name(update_organization.name, 'an organization');
    PERFORM tenancy.refuse_bad_object(update_organization.contact, 'contact');
    PERFORM tenancy.refuse_bad_object(update_organization.settings, 'settings');
    IF update_organization.status NOT IN ('active', 'suspended', 'deleted') THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid status %L for an organization', left(update_organization.status, 80)),
            HINT = 'Use active, suspended or deleted.';
    END IF;

    SELECT o.* INTO old_row FROM tenancy.organizations o WHERE o.id = wanted FOR UPDATE;
    IF update_organization.status = 'deleted' AND old_row.status <> 'deleted' THEN
        IF wanted = '00000000-0000-0000-0000-000000000001' THEN
            RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the default organization cannot be deleted',
                HINT = 'Tenants that name no organization belong to it; suspend it, or delete its tenants.';
        END IF;
        IF EXISTS (SELECT FROM tenancy.tenants t WHERE t.organization_id = wanted AND t.status <> 'deleted') THEN
            RAISE EXCEPTION USING ERRCODE = '2BP01',
                MESSAGE = format('organization %L still has tenants', old_row.slug),
                HINT = 'Delete them first: tenancy.list_tenants() shows them, tenancy.delete_tenant() deletes one.';
        END IF;
    END IF;
    BEGIN
        UPDATE tenancy.organizations o
        SET slug = coalesce(update_organization.slug, o.slug), name = coalesce(update_organization.name, o.name),
            contact = coalesce(update_organization.contact, o.contact),
            settings = coalesce(update_organization.settings, o.settings),
            status = coalesce(update_organization.status, o.status), updated_at = now()
        WHERE o.id = wanted
        RETURNING o.* INTO new_row;
    EXCEPTION WHEN unique_violation THEN
        PERFORM tenancy.raise_organization_exists(update_organization.slug);
    END;
    PERFORM tenancy.audit_event(NULL, 'organization.update', 'organization:' || wanted,
        to_jsonb(old_row) - 'updated_at', to_jsonb(new_row) - 'updated_at');
END
$$;

SELECT tenancy_internal.expose('update_organization(text, text, text, jsonb, jsonb, text)');

COMMENT ON FUNCTION tenancy.update_organization(text, text, text, jsonb, jsonb, text) IS
'changes what is not null of an organization (slug or id); slug and status are for operators, the rest also for the user who created it';

CREATE FUNCTION tenancy_internal.list_organizations()
RETURNS TABLE (id uuid, slug text, name text, status text, contact jsonb, settings jsonb, tenants bigint,
               created_by uuid, created_at timestamptz, updated_at timestamptz, plan text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting uuid;
BEGIN
    IF NOT tenancy.is_operator() THEN
        acting := tenancy.require_user();
    END IF;
    RETURN QUERY
        SELECT o.id, o.slug, o.name, o.status, o.contact, o.settings,
               (SELECT count(*) FROM tenancy.tenants t WHERE t.organization_id = o.id AND t.status <> 'deleted'),
               o.created_by, o.created_at, o.updated_at, o.plan
        FROM tenancy.organizations o
        WHERE acting IS NULL OR o.created_by = acting AND o.status <> 'deleted'
        ORDER BY o.slug;
END
$$;

SELECT tenancy_internal.expose('list_organizations()');

COMMENT ON FUNCTION tenancy.list_organizations() IS
'all organizations with the number of their tenants, by slug; for a user those that they created';

CREATE FUNCTION tenancy_internal.get_organization(organization text)
RETURNS TABLE (id uuid, slug text, name text, status text, contact jsonb, settings jsonb, tenants bigint,
               created_by uuid, created_at timestamptz, updated_at timestamptz, plan text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_null(get_organization.organization IS NULL, 'organization');
    RETURN QUERY
        SELECT o.id, o.slug, o.name, o.status, o.contact, o.settings,
               (SELECT count(*) FROM tenancy.tenants t WHERE t.organization_id = o.id AND t.status <> 'deleted'),
               o.created_by, o.created_at, o.updated_at, o.plan
        FROM tenancy.organizations o
        WHERE (o.slug = get_organization.organization OR o.id = tenancy.uuid_or_null(get_organization.organization))
          AND (tenancy.is_operator() OR o.created_by = tenancy.acting_user() AND o.status <> 'deleted');
END
$$;

SELECT tenancy_internal.expose('get_organization(text)');

COMMENT ON FUNCTION tenancy.get_organization(text) IS
'the organization with this slug or id, for operators and for the user who created it; no row for everybody else';
