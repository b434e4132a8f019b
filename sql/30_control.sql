-- Organizations and tenants, for operators. Definer functions: the tables themselves are granted to nobody.

CREATE FUNCTION tenancy.uuid_or_null(value text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN value::uuid END;

COMMENT ON FUNCTION tenancy.uuid_or_null(text) IS 'a uuid in canonical form, or null for any other text; internal';

CREATE FUNCTION tenancy.organization_named(name text) RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id uuid;
BEGIN
    SELECT o.id INTO found_id
    FROM tenancy.organizations o
    WHERE (o.slug = organization_named.name OR o.id = tenancy.uuid_or_null(organization_named.name)) AND o.status <> 'deleted';
    IF found_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('organization %s does not exist', coalesce(quote_literal(organization_named.name), 'NULL')),
            HINT = 'Name it by its slug or its id; tenancy.create_organization() makes one.';
    END IF;
    RETURN found_id;
END
$$;

COMMENT ON FUNCTION tenancy.organization_named(text) IS 'id of the organization with this slug or id; internal';

CREATE FUNCTION tenancy.refuse_bad_slug(slug text, of text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
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

CREATE FUNCTION tenancy.create_organization(slug text, name text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    new_id uuid;
BEGIN
    PERFORM tenancy.refuse_bad_slug(create_organization.slug, 'an organization');
    INSERT INTO tenancy.organizations (slug, name)
    VALUES (create_organization.slug, coalesce(create_organization.name, create_organization.slug))
    ON CONFLICT ON CONSTRAINT organizations_slug_key DO NOTHING
    RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23505',
            MESSAGE = format('organization %L exists already', create_organization.slug),
            HINT = 'Slugs of organizations are unique in the installation; choose another one.';
    END IF;
    RETURN new_id;
END
$$;

COMMENT ON FUNCTION tenancy.create_organization(text, text) IS
'creates an organization and returns its id; the name defaults to the slug; 23505 when the slug is taken';

CREATE FUNCTION tenancy.create_tenant(
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
    owner uuid := '00000000-0000-0000-0000-000000000001';
BEGIN
    PERFORM tenancy.refuse_bad_slug(create_tenant.slug, 'a tenant');
    IF create_tenant.organization IS NOT NULL THEN
        owner := tenancy.organization_named(create_tenant.organization);
    END IF;
    INSERT INTO tenancy.tenants (organization_id, slug, name, external_key, settings)
    VALUES (owner, create_tenant.slug, coalesce(create_tenant.name, create_tenant.slug), create_tenant.external_key,
            coalesce(create_tenant.settings, '{}'))
    ON CONFLICT DO NOTHING
    RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23505',
            MESSAGE = format('tenant %L exists already', create_tenant.slug),
            DETAIL = format('The slug %L or the external key %s is taken.', create_tenant.slug,
                            coalesce(quote_literal(create_tenant.external_key), 'NULL')),
            HINT = 'Slugs and external keys of tenants are unique in the installation; choose others.';
    END IF;
    RETURN new_id;
END
$$;

COMMENT ON FUNCTION tenancy.create_tenant(text, text, text, text, jsonb) IS
'creates a tenant of an organization (slug or id; the default organization when null) and returns its id; 23505 when slug or external key are taken';

CREATE FUNCTION tenancy.list_tenants(organization text DEFAULT NULL)
RETURNS TABLE (id uuid, slug text, name text, status text, organization_id uuid, organization_slug text,
               external_key text, settings jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid;
BEGIN
    IF list_tenants.organization IS NOT NULL THEN
        wanted := tenancy.organization_named(list_tenants.organization);
    END IF;
    RETURN QUERY
        SELECT t.id, t.slug, t.name, t.status, o.id, o.slug, t.external_key, t.settings, t.created_at, t.updated_at
        FROM tenancy.tenants t
        JOIN tenancy.organizations o ON o.id = t.organization_id
        WHERE wanted IS NULL OR t.organization_id = wanted
        ORDER BY o.slug, t.slug;
END
$$;

COMMENT ON FUNCTION tenancy.list_tenants(text) IS
'the tenants of an organization (slug or id), or all of them; by organization and slug';

CREATE FUNCTION tenancy.get_tenant(tenant text)
RETURNS TABLE (id uuid, slug text, name text, status text, organization_id uuid, organization_slug text,
               external_key text, settings jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.id, t.slug, t.name, t.status, o.id, o.slug, t.external_key, t.settings, t.created_at, t.updated_at
    FROM tenancy.tenants t
    JOIN tenancy.organizations o ON o.id = t.organization_id
    WHERE t.slug = get_tenant.tenant OR t.id = tenancy.uuid_or_null(get_tenant.tenant);
END;

COMMENT ON FUNCTION tenancy.get_tenant(text) IS 'the tenant with this slug or id, or no row';
