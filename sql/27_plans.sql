-- Plans: what an organization may use, and the exceptions made for one organization or one tenant.

CREATE TABLE tenancy.plans (
    name text COLLATE "C" NOT NULL,
    description text NOT NULL DEFAULT '',
    CONSTRAINT plans_pkey PRIMARY KEY (name),
    CONSTRAINT plans_name_check CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$')
);

COMMENT ON TABLE tenancy.plans IS 'what organizations subscribe to';

CREATE TABLE tenancy.metrics (
    name text COLLATE "C" NOT NULL,
    kind text NOT NULL DEFAULT 'flow',
    scope text NOT NULL DEFAULT 'tenant',
    description text NOT NULL DEFAULT '',
    CONSTRAINT metrics_pkey PRIMARY KEY (name),
    CONSTRAINT metrics_name_check CHECK (name ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    CONSTRAINT metrics_kind_check CHECK (kind IN ('level', 'flow')),
    CONSTRAINT metrics_scope_check CHECK (scope IN ('organization', 'tenant'))
);

COMMENT ON TABLE tenancy.metrics IS 'what is counted; a metric that is not listed is a flow, limited for each tenant';
COMMENT ON COLUMN tenancy.metrics.kind IS 'level: how many there are now, such as documents; flow: how many were in a month (UTC), such as requests';
COMMENT ON COLUMN tenancy.metrics.scope IS 'whether a plan''s limit is for each tenant, or for all tenants of the organization together';

CREATE TABLE tenancy.plan_limits (
    plan text COLLATE "C" NOT NULL,
    metric text COLLATE "C" NOT NULL,
    max_amount bigint,
    CONSTRAINT plan_limits_pkey PRIMARY KEY (plan, metric),
    CONSTRAINT plan_limits_plan_fkey FOREIGN KEY (plan) REFERENCES tenancy.plans (name) ON DELETE CASCADE,
    CONSTRAINT plan_limits_metric_check CHECK (metric ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    CONSTRAINT plan_limits_max_amount_check CHECK (max_amount BETWEEN 0 AND 1000000000000000)
);

COMMENT ON TABLE tenancy.plan_limits IS 'how much of a metric a plan allows; what is not listed is not limited';
COMMENT ON COLUMN tenancy.plan_limits.max_amount IS 'null: not limited';

CREATE TABLE tenancy.limit_overrides (
    organization_id uuid,
    tenant_id uuid,
    metric text COLLATE "C" NOT NULL,
    max_amount bigint,
    CONSTRAINT limit_overrides_key UNIQUE NULLS NOT DISTINCT (tenant_id, organization_id, metric),
    CONSTRAINT limit_overrides_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES tenancy.organizations (id) ON DELETE CASCADE,
    CONSTRAINT limit_overrides_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT limit_overrides_owner_check CHECK (num_nonnulls(organization_id, tenant_id) = 1),
    CONSTRAINT limit_overrides_metric_check CHECK (metric ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    CONSTRAINT limit_overrides_max_amount_check CHECK (max_amount BETWEEN 0 AND 1000000000000000)
);

CREATE INDEX limit_overrides_organization_id_idx ON tenancy.limit_overrides (organization_id, metric);

COMMENT ON TABLE tenancy.limit_overrides IS
'limits of one organization or one tenant that stand before the plan''s; a tenant''s stands before its organization''s';
COMMENT ON COLUMN tenancy.limit_overrides.max_amount IS 'null: not limited';

INSERT INTO tenancy.plans (name, description) VALUES
    ('free', 'for trying it out: 1 tenant, 100 documents in it, 1,000 requests a month'),
    ('starter', '3 tenants, 500 documents in each, 10,000 requests a month'),
    ('pro', '10 tenants, 5,000 documents in each, 100,000 requests a month'),
    ('enterprise', 'no limits');

INSERT INTO tenancy.metrics (name, kind, scope, description) VALUES
    ('tenants', 'level', 'organization', 'tenants that are not deleted'),
    ('members', 'level', 'tenant', 'members of the tenant'),
    ('documents', 'level', 'tenant', 'rows in the documents tables of all corpora'),
    ('requests', 'flow', 'organization', 'requests to the application');

INSERT INTO tenancy.plan_limits (plan, metric, max_amount) VALUES
    ('free', 'tenants', 1), ('free', 'documents', 100), ('free', 'requests', 1000),
    ('starter', 'tenants', 3), ('starter', 'documents', 500), ('starter', 'requests', 10000),
    ('pro', 'tenants', 10), ('pro', 'documents', 5000), ('pro', 'requests', 100000),
    ('enterprise', 'tenants', NULL), ('enterprise', 'documents', NULL), ('enterprise', 'requests', NULL);

-- A dump holds the plans as they were edited, and restoring it meets the ones that CREATE EXTENSION just made.
CREATE FUNCTION tenancy.merge_default_plan() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'plans' THEN
        UPDATE tenancy.plans p SET description = NEW.description WHERE p.name = NEW.name;
    ELSE
        UPDATE tenancy.plan_limits l SET max_amount = NEW.max_amount WHERE (l.plan, l.metric) = (NEW.plan, NEW.metric);
    END IF;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION tenancy.merge_default_plan() IS 'trigger: a restored plan or limit updates the one that CREATE EXTENSION made';

CREATE TRIGGER merge_default_plan BEFORE INSERT ON tenancy.plans
FOR EACH ROW WHEN (NEW.name IN ('free', 'starter', 'pro', 'enterprise')) EXECUTE FUNCTION tenancy.merge_default_plan();

CREATE TRIGGER merge_default_plan BEFORE INSERT ON tenancy.plan_limits
FOR EACH ROW WHEN (NEW.plan IN ('free', 'starter', 'pro', 'enterprise')) EXECUTE FUNCTION tenancy.merge_default_plan();

ALTER TABLE tenancy.organizations ADD CONSTRAINT organizations_plan_fkey FOREIGN KEY (plan) REFERENCES tenancy.plans (name);

SELECT pg_catalog.pg_extension_config_dump('tenancy.plans', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.metrics', $$WHERE name NOT IN ('tenants', 'members', 'documents', 'requests')$$);
SELECT pg_catalog.pg_extension_config_dump('tenancy.plan_limits', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.limit_overrides', '');

ALTER TABLE tenancy.plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.metrics ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.plan_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.limit_overrides ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.effective_limit(organization uuid, tenant uuid, metric text) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT l.max_amount
    FROM (
        SELECT 1 AS rank, o.max_amount FROM tenancy.limit_overrides o
        WHERE o.tenant_id = effective_limit.tenant AND o.organization_id IS NULL AND o.metric = effective_limit.metric
        UNION ALL
        SELECT 2, o.max_amount FROM tenancy.limit_overrides o
        WHERE o.organization_id = effective_limit.organization AND o.tenant_id IS NULL AND o.metric = effective_limit.metric
        UNION ALL
        SELECT 3, p.max_amount
        FROM tenancy.organizations g JOIN tenancy.plan_limits p ON p.plan = g.plan
        WHERE g.id = effective_limit.organization AND p.metric = effective_limit.metric
    ) l
    ORDER BY l.rank
    LIMIT 1;
END;

COMMENT ON FUNCTION tenancy.effective_limit(uuid, uuid, text) IS
'how much of a metric is allowed: by the tenant''s override, else the organization''s, else the plan; null when nothing limits it; internal';
