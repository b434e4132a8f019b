-- Who there is. extension/src/context/catalogue.cpp reads these tables by column number: columns are only appended.

CREATE TABLE tenancy.organizations (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    slug text COLLATE "C" NOT NULL,
    name text NOT NULL,
    status text NOT NULL DEFAULT 'active',
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    contact jsonb NOT NULL DEFAULT '{}',
    created_by uuid,
    plan text COLLATE "C" NOT NULL DEFAULT 'enterprise',
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_slug_key UNIQUE (slug),
    CONSTRAINT organizations_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT organizations_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT organizations_status_check CHECK (status IN ('active', 'suspended', 'deleted')),
    CONSTRAINT organizations_settings_check CHECK (jsonb_typeof(settings) = 'object'),
    CONSTRAINT organizations_contact_check CHECK (jsonb_typeof(contact) = 'object')
);

COMMENT ON TABLE tenancy.organizations IS 'who pays; owns tenants';
COMMENT ON COLUMN tenancy.organizations.slug IS 'unique name for people and addresses: a-z, 0-9 and hyphens, 1 to 63 characters';
COMMENT ON COLUMN tenancy.organizations.status IS 'active, suspended or deleted; the tenants of one that is not active cannot be entered';
COMMENT ON COLUMN tenancy.organizations.contact IS 'whom to write to: an object with what the operator needs, such as email and name';
COMMENT ON COLUMN tenancy.organizations.plan IS
'of tenancy.plans: what it may use; an operator''s organization has no limits unless a plan is given, a personal one is free';
COMMENT ON COLUMN tenancy.organizations.created_by IS 'the user for whom register_user() made it, or null';

CREATE TABLE tenancy.tenants (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    organization_id uuid NOT NULL,
    slug text COLLATE "C" NOT NULL,
    name text NOT NULL,
    status text NOT NULL DEFAULT 'active',
    external_key text COLLATE "C",
    -- Stored beside the text, so that bigint and integer tenant columns can reference it.
    external_key_bigint bigint GENERATED ALWAYS AS (
        CASE WHEN external_key ~ '^(0|-?[1-9][0-9]{0,17})$' THEN external_key::bigint END) STORED,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    deleted_at timestamptz,
    status_set_by uuid,
    purge_started_at timestamptz,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES tenancy.organizations (id),
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    CONSTRAINT tenants_external_key_key UNIQUE (external_key),
    CONSTRAINT tenants_external_key_bigint_key UNIQUE (external_key_bigint),
    CONSTRAINT tenants_slug_check CHECK (
        slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
        AND slug !~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'),
    CONSTRAINT tenants_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended', 'deleted')),
    CONSTRAINT tenants_external_key_check CHECK (octet_length(external_key) BETWEEN 1 AND 255),
    CONSTRAINT tenants_settings_check CHECK (jsonb_typeof(settings) = 'object')
);

CREATE INDEX tenants_organization_id_idx ON tenancy.tenants (organization_id);

COMMENT ON TABLE tenancy.tenants IS 'the units of isolation: what products call workspace, account or project';
COMMENT ON COLUMN tenancy.tenants.slug IS
'unique in the installation: a-z, 0-9 and hyphens, 1 to 63 characters, and not the text of a uuid';
COMMENT ON COLUMN tenancy.tenants.status IS 'active, suspended or deleted; only an active tenant can be entered';
COMMENT ON COLUMN tenancy.tenants.external_key IS
'the application''s own key for the tenant, for protected tables whose tenant column is text, bigint or integer; at most 255 bytes';
COMMENT ON COLUMN tenancy.tenants.external_key_bigint IS 'external_key as a number, where it is one of at most 18 digits';
COMMENT ON COLUMN tenancy.tenants.created_by IS 'the user who made it, who cannot be removed from it, or null';
COMMENT ON COLUMN tenancy.tenants.deleted_at IS 'when it was deleted; its rows stay until purge_tenant()';
COMMENT ON COLUMN tenancy.tenants.status_set_by IS
'the user or API key that suspended or deleted it; null for an operator, whose decision no member takes back';
COMMENT ON COLUMN tenancy.tenants.purge_started_at IS 'when its rows began to go; from then on it cannot be restored';

-- Data that had no tenant belongs to these.
INSERT INTO tenancy.organizations (id, slug, name)
VALUES ('00000000-0000-0000-0000-000000000001', 'default', 'Default organization');

INSERT INTO tenancy.tenants (id, organization_id, slug, name)
VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'default', 'Default tenant');

-- A dump holds the default rows as they were edited, and restoring it meets the ones that CREATE EXTENSION just made.
CREATE FUNCTION tenancy.merge_default_row() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text;
BEGIN
    SELECT string_agg(format('%1$I = ($1).%1$I', a.attname), ', ' ORDER BY a.attnum) INTO columns
    FROM pg_attribute a
    WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attname <> 'id';
    EXECUTE format('UPDATE %I.%I SET %s WHERE id = ($1).id', TG_TABLE_SCHEMA, TG_TABLE_NAME, columns) USING NEW;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION tenancy.merge_default_row() IS
'trigger: a restored default row updates the one that CREATE EXTENSION made';

CREATE TRIGGER merge_default_row BEFORE INSERT ON tenancy.organizations
FOR EACH ROW WHEN (NEW.id = '00000000-0000-0000-0000-000000000001') EXECUTE FUNCTION tenancy.merge_default_row();

CREATE TRIGGER merge_default_row BEFORE INSERT ON tenancy.tenants
FOR EACH ROW WHEN (NEW.id = '00000000-0000-0000-0000-000000000002') EXECUTE FUNCTION tenancy.merge_default_row();

SELECT pg_catalog.pg_extension_config_dump('tenancy.organizations', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.tenants', '');

-- Nobody reads this table. Its invalidation is the message by which a session learns that its context may have become
-- stale; the tables themselves will not do, because that would throw away the plans that read them.
CREATE TABLE tenancy.context_signal ();

COMMENT ON TABLE tenancy.context_signal IS 'empty: its relation cache entry is invalidated when a tenant, an organization or who may act in one changes';

CREATE FUNCTION tenancy.context_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_context_changed';

COMMENT ON FUNCTION tenancy.context_changed() IS 'trigger: tells all sessions to look at their tenant again, when this transaction commits';

CREATE TRIGGER context_changed
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF status ON tenancy.organizations
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.context_changed();

CREATE TRIGGER context_changed
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF status, organization_id, external_key ON tenancy.tenants
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.context_changed();
