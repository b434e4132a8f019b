-- Plans, limits and usage as operators and members see them.

CREATE FUNCTION tenancy.raise_no_plan(plan text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '42704',
        MESSAGE = format('plan %s does not exist', coalesce(quote_literal(left(plan, 80)), 'NULL')),
        HINT = 'tenancy.list_plans() shows those that do; tenancy.set_plan() makes one.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_no_plan(text) IS 'raises 42704; internal';

CREATE FUNCTION tenancy.refuse_bad_limit(max_amount bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF max_amount NOT BETWEEN 0 AND 1000000000000000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('max_amount must be between 0 and 1000000000000000, not %s', max_amount),
            HINT = 'Null is no limit.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_limit(bigint) IS 'raises 22023 for what cannot be a limit; internal';

CREATE FUNCTION tenancy_internal.list_plans() RETURNS TABLE (plan text, description text, metric text, max_amount bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT p.name, p.description, l.metric, l.max_amount
    FROM tenancy.plans p LEFT JOIN tenancy.plan_limits l ON l.plan = p.name
    ORDER BY p.name, l.metric;
END;

SELECT tenancy_internal.expose('list_plans()');

COMMENT ON FUNCTION tenancy.list_plans() IS 'the plans with their limits; max_amount null is no limit, and so is a metric that is not listed';

CREATE FUNCTION tenancy_internal.set_plan(plan text, description text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_operator();
    IF plan IS NULL OR plan !~ '^[a-z][a-z0-9_-]{0,62}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid plan %s', coalesce(quote_literal(left(plan, 80)), 'NULL')),
            HINT = 'Use 1 to 63 characters of a-z, 0-9, underscores and hyphens, beginning with a letter.';
    END IF;
    IF description IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'description must not be null';
    END IF;
    INSERT INTO tenancy.plans AS p (name, description) VALUES (set_plan.plan, set_plan.description)
    ON CONFLICT (name) DO UPDATE SET description = excluded.description;
    PERFORM tenancy.audit_event(NULL, 'plan.set', 'plan:' || plan, NULL, jsonb_build_object('description', description));
END
$$;

SELECT tenancy_internal.expose('set_plan(text, text)');

COMMENT ON FUNCTION tenancy.set_plan(text, text) IS 'makes a plan, without limits at first, or changes its description';

CREATE FUNCTION tenancy_internal.set_plan_limit(plan text, metric text, max_amount bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old jsonb;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_bad_metric(set_plan_limit.metric), tenancy.refuse_bad_limit(set_plan_limit.max_amount);
    IF NOT EXISTS (SELECT FROM tenancy.plans p WHERE p.name = set_plan_limit.plan) THEN
        PERFORM tenancy.raise_no_plan(plan);
    END IF;
    SELECT jsonb_build_object('max_amount', l.max_amount) INTO old FROM tenancy.plan_limits l
    WHERE (l.plan, l.metric) = (set_plan_limit.plan, set_plan_limit.metric) FOR UPDATE;
    INSERT INTO tenancy.plan_limits AS l (plan, metric, max_amount)
    VALUES (set_plan_limit.plan, set_plan_limit.metric, set_plan_limit.max_amount)
    ON CONFLICT ON CONSTRAINT plan_limits_pkey DO UPDATE SET max_amount = excluded.max_amount;
    PERFORM tenancy.audit_event(NULL, 'plan.set_limit', format('plan:%s %s', plan, metric), old, jsonb_build_object('max_amount', max_amount));
END
$$;

SELECT tenancy_internal.expose('set_plan_limit(text, text, bigint)');

COMMENT ON FUNCTION tenancy.set_plan_limit(text, text, bigint) IS
'limits how much of a metric a plan allows, or with null does not limit it; holds at once for all that subscribe to it, and takes nothing away from who has more';

CREATE FUNCTION tenancy_internal.drop_plan(plan text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_operator();
    IF plan IN ('free', 'starter', 'pro', 'enterprise') THEN
        RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = format('plan %L cannot be dropped', plan),
            HINT = 'It comes with the extension; change its limits with tenancy.set_plan_limit().';
    END IF;
    IF EXISTS (SELECT FROM tenancy.organizations o WHERE o.plan = drop_plan.plan) THEN
        RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = format('plan %L is in use', plan),
            HINT = 'Give its organizations another plan first, with tenancy.change_plan().';
    END IF;
    DELETE FROM tenancy.plans p WHERE p.name = drop_plan.plan;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_no_plan(plan);
    END IF;
    PERFORM tenancy.audit_event(NULL, 'plan.drop', 'plan:' || plan);
END
$$;

SELECT tenancy_internal.expose('drop_plan(text)');

COMMENT ON FUNCTION tenancy.drop_plan(text) IS 'drops a plan that no organization has, with its limits';

CREATE FUNCTION tenancy_internal.change_plan(organization text, plan text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id uuid;
    old text;
BEGIN
    PERFORM tenancy.authorize_operator();
    found_id := tenancy.organization_named(change_plan.organization);
    IF NOT EXISTS (SELECT FROM tenancy.plans p WHERE p.name = change_plan.plan) THEN
        PERFORM tenancy.raise_no_plan(plan);
    END IF;
    SELECT o.plan INTO old FROM tenancy.organizations o WHERE o.id = found_id FOR UPDATE;
    UPDATE tenancy.organizations o SET plan = change_plan.plan, updated_at = now() WHERE o.id = found_id;
    PERFORM tenancy.audit_event(NULL, 'organization.change_plan', 'organization:' || found_id,
                                jsonb_build_object('plan', old), jsonb_build_object('plan', plan));
END
$$;

SELECT tenancy_internal.expose('change_plan(text, text)');

COMMENT ON FUNCTION tenancy.change_plan(text, text) IS
'gives an organization (slug or id) another plan; what it has more than that allows stays, and nothing is added to it';

CREATE FUNCTION tenancy_internal.define_metric(metric text, kind text DEFAULT 'flow', scope text DEFAULT 'tenant', description text DEFAULT '') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before record;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_bad_metric(define_metric.metric);
    IF kind IS NULL OR kind NOT IN ('level', 'flow') THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid kind %s', coalesce(quote_literal(left(kind, 80)), 'NULL')),
            HINT = 'Use level (how many there are) or flow (how many were in a month).';
    END IF;
    IF scope IS NULL OR scope NOT IN ('organization', 'tenant') THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid scope %s', coalesce(quote_literal(left(scope, 80)), 'NULL')),
            HINT = 'Use tenant (each tenant has the limit) or organization (its tenants share it).';
    END IF;
    IF description IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'description must not be null';
    END IF;
    IF metric IN ('tenants', 'members', 'documents', 'requests') THEN
        RAISE EXCEPTION USING ERRCODE = '42710', MESSAGE = format('metric %L is built in', metric), HINT = 'Choose another name.';
    END IF;
    before := tenancy.metric_kind(metric);
    IF (before.kind, before.scope) <> (kind, scope)
       AND EXISTS (SELECT FROM tenancy.usage_slots s WHERE s.metric = define_metric.metric) THEN
        RAISE EXCEPTION USING ERRCODE = '55006', MESSAGE = format('metric %L is in use as a %s of each %s', metric, before.kind, before.scope),
            HINT = 'Choose another name.';
    END IF;
    INSERT INTO tenancy.metrics AS m (name, kind, scope, description)
    VALUES (define_metric.metric, define_metric.kind, define_metric.scope, define_metric.description)
    ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, scope = excluded.scope, description = excluded.description;
    PERFORM tenancy.audit_event(NULL, 'metric.define', 'metric:' || metric, NULL,
                                jsonb_build_object('kind', kind, 'scope', scope, 'description', description));
END
$$;

SELECT tenancy_internal.expose('define_metric(text, text, text, text)');

COMMENT ON FUNCTION tenancy.define_metric(text, text, text, text) IS
'says how an application''s metric is counted; one that is not defined is a flow of each tenant';

CREATE FUNCTION tenancy_internal.set_limit(metric text, max_amount bigint, tenant uuid DEFAULT NULL, organization uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old jsonb;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_bad_metric(set_limit.metric), tenancy.refuse_bad_limit(set_limit.max_amount);
    PERFORM tenancy.refuse_bad_owner(set_limit.tenant, set_limit.organization);
    IF tenant IS NOT NULL AND metric = 'tenants' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'tenants are limited for an organization',
            HINT = 'Pass organization in the place of tenant.';
    END IF;
    SELECT jsonb_build_object('max_amount', o.max_amount) INTO old FROM tenancy.limit_overrides o
    WHERE (o.tenant_id, o.organization_id) IS NOT DISTINCT FROM (set_limit.tenant, set_limit.organization) AND o.metric = set_limit.metric FOR UPDATE;
    INSERT INTO tenancy.limit_overrides (organization_id, tenant_id, metric, max_amount)
    VALUES (set_limit.organization, set_limit.tenant, set_limit.metric, set_limit.max_amount)
    ON CONFLICT ON CONSTRAINT limit_overrides_key DO UPDATE SET max_amount = excluded.max_amount;
    PERFORM tenancy.audit_event(tenant, 'limit.set', coalesce('organization:' || organization, 'tenant:' || tenant) || ' ' || metric,
                                old, jsonb_build_object('max_amount', max_amount));
END
$$;

SELECT tenancy_internal.expose('set_limit(text, bigint, uuid, uuid)');

COMMENT ON FUNCTION tenancy.set_limit(text, bigint, uuid, uuid) IS
'an exception from the plan for one tenant or one organization; null is no limit; for what an organization is limited in, a tenant''s own limit holds beside it';

CREATE FUNCTION tenancy.refuse_bad_owner(tenant uuid, organization uuid) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF num_nonnulls(tenant, organization) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'pass either tenant or organization';
    END IF;
    IF organization IS NOT NULL AND NOT EXISTS (SELECT FROM tenancy.organizations o WHERE o.id = organization) THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('organization %s does not exist', organization);
    END IF;
    IF tenant IS NOT NULL AND NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = tenant) THEN
        PERFORM tenancy.raise_not_available();
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_owner(uuid, uuid) IS 'raises unless just one of the two is given and exists; internal';

CREATE FUNCTION tenancy_internal.drop_limit(metric text, tenant uuid DEFAULT NULL, organization uuid DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old bigint;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_bad_metric(drop_limit.metric), tenancy.refuse_bad_owner(drop_limit.tenant, drop_limit.organization);
    DELETE FROM tenancy.limit_overrides o
    WHERE (o.tenant_id, o.organization_id) IS NOT DISTINCT FROM (drop_limit.tenant, drop_limit.organization) AND o.metric = drop_limit.metric
    RETURNING o.max_amount INTO old;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM tenancy.audit_event(tenant, 'limit.drop', coalesce('organization:' || organization, 'tenant:' || tenant) || ' ' || metric,
                                jsonb_build_object('max_amount', old));
    RETURN true;
END
$$;

SELECT tenancy_internal.expose('drop_limit(text, uuid, uuid)');

COMMENT ON FUNCTION tenancy.drop_limit(text, uuid, uuid) IS 'takes an exception of set_limit() back, so that the plan holds again; false when there was none';

CREATE FUNCTION tenancy.usage_scope(tenant uuid, permission text) RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF usage_scope.tenant IS NULL THEN
        tenant := tenancy.current_tenant_id();
    END IF;
    PERFORM tenancy.authorize(tenant, permission);
    RETURN tenant;
END
$$;

COMMENT ON FUNCTION tenancy.usage_scope(uuid, text) IS 'the tenant that is given, else the current one, if the caller may; internal';

CREATE FUNCTION tenancy_internal.record_usage(metric text, amount bigint DEFAULT 1, tenant uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_bad_metric(record_usage.metric);
    IF metric IN ('tenants', 'members', 'documents') THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('metric %L is counted by the database', metric),
            HINT = 'Record metrics of the application, and requests.';
    END IF;
    PERFORM tenancy.consume(tenancy.usage_scope(record_usage.tenant, 'usage.record'), record_usage.metric, record_usage.amount);
END
$$;

SELECT tenancy_internal.expose('record_usage(text, bigint, uuid)');

COMMENT ON FUNCTION tenancy.record_usage(text, bigint, uuid) IS
'counts usage of the current tenant (operators: of any); TN005 when that would pass a limit, with nothing counted; permission usage.record';

CREATE FUNCTION tenancy_internal.release_usage(metric text, amount bigint DEFAULT 1, tenant uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := tenancy.usage_scope(release_usage.tenant, 'usage.record');
    used bigint;
BEGIN
    PERFORM tenancy.refuse_bad_metric(release_usage.metric), tenancy.refuse_bad_amount(release_usage.amount);
    IF metric IN ('tenants', 'members', 'documents') OR (tenancy.metric_kind(metric)).kind <> 'level' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('metric %L cannot be released', metric),
            HINT = 'Only levels can that tenancy.define_metric() defined.';
    END IF;
    -- One at a time, or two could release the same.
    PERFORM FROM tenancy.quota_accounts a
    WHERE a.account IN (SELECT s.account FROM tenancy.usage_slots s WHERE s.subject = whose AND s.metric = release_usage.metric AND s.period = '-infinity')
      AND a.metric = release_usage.metric AND a.period = '-infinity'
    ORDER BY a.account
    FOR UPDATE;
    SELECT sum(s.used) INTO used FROM tenancy.usage_slots s WHERE s.subject = whose AND s.metric = release_usage.metric AND s.period = '-infinity';
    IF amount > coalesce(used, 0) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('cannot release %s %s of %s that are used', amount, metric, coalesce(used, 0));
    END IF;
    PERFORM tenancy.release(whose, metric, amount);
END
$$;

SELECT tenancy_internal.expose('release_usage(text, bigint, uuid)');

COMMENT ON FUNCTION tenancy.release_usage(text, bigint, uuid) IS
'gives back what record_usage() counted of an application''s own level, such as seats; permission usage.record';

CREATE FUNCTION tenancy_internal.limits(tenant uuid DEFAULT NULL)
RETURNS TABLE (metric text, kind text, scope text, max_amount bigint, used bigint, remaining bigint, resets_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := tenancy.usage_scope(limits.tenant, 'usage.read');
    owner uuid := (SELECT t.organization_id FROM tenancy.tenants t WHERE t.id = whose);
BEGIN
    RETURN QUERY
        SELECT m.name, m.kind, m.scope, l.maximum, u.used,
               CASE WHEN l.maximum IS NOT NULL THEN greatest(l.maximum - u.used, 0) END,
               CASE m.kind WHEN 'flow' THEN (m.period + interval '1 month') AT TIME ZONE 'UTC' END
        FROM (
            SELECT n.name, k.kind, k.scope, tenancy.current_period(k.kind) AS period, CASE k.scope WHEN 'tenant' THEN whose ELSE owner END AS account
            FROM (SELECT d.name FROM tenancy.metrics d
                  UNION SELECT s.metric FROM tenancy.usage_slots s WHERE s.subject = whose
                  UNION SELECT p.metric FROM tenancy.plan_limits p JOIN tenancy.organizations o ON o.plan = p.plan WHERE o.id = owner
                  UNION SELECT v.metric FROM tenancy.limit_overrides v WHERE v.tenant_id = whose OR v.organization_id = owner) AS n (name)
            CROSS JOIN LATERAL tenancy.metric_kind(n.name) AS k
        ) m
        CROSS JOIN LATERAL (
            SELECT coalesce(tenancy.count_of(m.name, m.account),
                            (SELECT sum(s.used)::bigint FROM tenancy.usage_slots s
                             WHERE (s.account, s.metric, s.period) = (m.account, m.name, m.period)), 0) AS by_account,
                   (SELECT coalesce(sum(s.used), 0)::bigint FROM tenancy.usage_slots s
                    WHERE (s.subject, s.metric, s.period) = (whose, m.name, m.period)) AS by_tenant,
                   CASE WHEN m.account <> whose THEN (
                        SELECT v.max_amount FROM tenancy.limit_overrides v WHERE v.tenant_id = whose AND v.metric = m.name) END AS own,
                   tenancy.effective_limit(owner, CASE m.account WHEN whose THEN whose END, m.name) AS general
        ) c
        -- The one of the two limits that leaves less.
        CROSS JOIN LATERAL (SELECT c.own IS NOT NULL AND (c.general IS NULL OR c.own - c.by_tenant < c.general - c.by_account) AS by_own) w
        CROSS JOIN LATERAL (SELECT CASE WHEN w.by_own THEN c.own ELSE c.general END AS maximum) l
        CROSS JOIN LATERAL (SELECT CASE WHEN w.by_own THEN c.by_tenant ELSE c.by_account END AS used) u
        ORDER BY m.name;
END
$$;

SELECT tenancy_internal.expose('limits(uuid)');

COMMENT ON FUNCTION tenancy.limits(uuid) IS
'what the current tenant (operators: any) may use now, has used and has left; max_amount null is no limit; used is the organization''s for what all its tenants share; permission usage.read';

CREATE FUNCTION tenancy_internal.remaining(metric text, tenant uuid DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_bad_metric(remaining.metric);
    RETURN (SELECT l.remaining FROM tenancy.limits(remaining.tenant) l WHERE l.metric = remaining.metric);
END
$$;

SELECT tenancy_internal.expose('remaining(text, uuid)');

COMMENT ON FUNCTION tenancy.remaining(text, uuid) IS
'how much of a metric the current tenant (operators: any) may still use; null when nothing limits it; permission usage.read';

CREATE FUNCTION tenancy_internal.usage_report(
    since date DEFAULT NULL, until date DEFAULT NULL, tenant uuid DEFAULT NULL, organization uuid DEFAULT NULL
) RETURNS TABLE (organization_id uuid, tenant_id uuid, tenant_slug text, month date, metric text, amount bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_operator boolean := tenancy.is_operator();
    whose uuid := usage_report.tenant;
BEGIN
    IF NOT is_operator AND organization IS NOT NULL THEN
        PERFORM tenancy.authorize_operator();
    END IF;
    IF NOT is_operator OR whose IS NOT NULL THEN
        whose := tenancy.usage_scope(usage_report.tenant, 'usage.read');
    END IF;
    IF since > until THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('since must not be after until, as %s is after %s', since, until);
    END IF;
    RETURN QUERY
        SELECT coalesce(t.organization_id, s.account), s.subject, t.slug, s.period, s.metric, sum(s.used)::bigint
        FROM tenancy.usage_slots s
        LEFT JOIN tenancy.tenants t ON t.id = s.subject
        WHERE s.period > '-infinity'
          AND (since IS NULL OR s.period >= date_trunc('month', since)) AND (until IS NULL OR s.period <= until)
          AND (whose IS NULL OR s.subject = whose)
          AND (usage_report.organization IS NULL OR usage_report.organization IN (t.organization_id, s.account))
        GROUP BY 1, 2, 3, 4, 5
        ORDER BY 4, 1, 3, 2, 5;
END
$$;

SELECT tenancy_internal.expose('usage_report(date, date, uuid, uuid)');

COMMENT ON FUNCTION tenancy.usage_report(date, date, uuid, uuid) IS
'what was used in each month (UTC) from the one of since to the one of until, by tenant and metric: of the current tenant; operators: of all, of one or of an organization''s; permission usage.read';
