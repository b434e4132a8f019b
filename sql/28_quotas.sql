-- Quotas: consuming what a limit allows, exactly, however many sessions do so at once, and without one row that they all
-- wait for. A limit is an account; what it still allows is leased in portions to slots, rows of which a session picks one
-- that no other holds. Only who finds no slot with enough goes to the account, and when that is empty collects the leases.
-- Portions shrink with what remains, so near the limit everything goes through the account, one transaction at a time.

CREATE TABLE tenancy.quota_accounts (
    account uuid NOT NULL,
    metric text COLLATE "C" NOT NULL,
    period date NOT NULL,
    taken bigint NOT NULL,
    CONSTRAINT quota_accounts_pkey PRIMARY KEY (account, metric, period)
) WITH (fillfactor = 50);

COMMENT ON TABLE tenancy.quota_accounts IS 'what was taken out of each limit: used, or leased to slots';
COMMENT ON COLUMN tenancy.quota_accounts.account IS 'the organization or tenant that the limit is of';
COMMENT ON COLUMN tenancy.quota_accounts.period IS 'first day of the month (UTC); -infinity for a level';

CREATE TABLE tenancy.usage_slots (
    subject uuid NOT NULL,
    metric text COLLATE "C" NOT NULL,
    period date NOT NULL,
    account uuid NOT NULL,
    slot smallint NOT NULL,
    used bigint NOT NULL,
    lease bigint NOT NULL,
    CONSTRAINT usage_slots_pkey PRIMARY KEY (subject, metric, period, account, slot),
    CONSTRAINT usage_slots_lease_check CHECK (lease >= 0)
) WITH (fillfactor = 50);

CREATE INDEX usage_slots_account_idx ON tenancy.usage_slots (account, metric, period);

COMMENT ON TABLE tenancy.usage_slots IS 'what was used, in several rows of which the sum counts, so that sessions do not wait for each other';
COMMENT ON COLUMN tenancy.usage_slots.subject IS 'the tenant that used it, or the organization itself';
COMMENT ON COLUMN tenancy.usage_slots.account IS 'the organization or tenant whose limit it was taken out of';
COMMENT ON COLUMN tenancy.usage_slots.period IS 'first day of the month (UTC); -infinity for a level';
COMMENT ON COLUMN tenancy.usage_slots.slot IS '0 is for sessions that hold the account, the others are for whoever finds them free, those below zero hold documents that a restore counted';
COMMENT ON COLUMN tenancy.usage_slots.used IS 'may be below zero in one slot when more was released than used through it';
COMMENT ON COLUMN tenancy.usage_slots.lease IS 'what may still be used here without asking the account';

SELECT pg_catalog.pg_extension_config_dump('tenancy.quota_accounts', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.usage_slots', '');

ALTER TABLE tenancy.quota_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.usage_slots ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.refuse_bad_metric(metric text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF metric IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'metric must not be null';
    END IF;
    IF metric !~ '^[a-z][a-z0-9_.-]{0,62}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid metric %L', left(metric, 80)),
            HINT = 'Use 1 to 63 characters of a-z, 0-9, underscores, points and hyphens, beginning with a letter.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_metric(text) IS 'raises 22004 or 22023 with a hint for what cannot name a metric; internal';

CREATE FUNCTION tenancy.refuse_bad_amount(amount bigint) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF amount IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'amount must not be null';
    END IF;
    -- The upper bound keeps sums far from the end of bigint.
    IF amount NOT BETWEEN 1 AND 1000000000000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('amount must be between 1 and 1000000000000, not %s', amount);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_amount(bigint) IS 'raises 22004 or 22023 for what cannot be an amount of usage; internal';

CREATE FUNCTION tenancy.metric_kind(metric text, OUT kind text, OUT scope text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT m.kind, m.scope INTO kind, scope FROM tenancy.metrics m WHERE m.name = metric_kind.metric;
    IF NOT FOUND THEN
        kind := 'flow';
        scope := 'tenant';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.metric_kind(text) IS 'how a metric is counted: as tenancy.metrics says, else as a flow for each tenant; internal';

CREATE FUNCTION tenancy.current_period(kind text) RETURNS date
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN CASE kind WHEN 'level' THEN '-infinity'::date ELSE date_trunc('month', now() AT TIME ZONE 'UTC')::date END;

COMMENT ON FUNCTION tenancy.current_period(text) IS 'the period that counts now: the month (UTC) of a flow, -infinity for a level; internal';

CREATE FUNCTION tenancy.raise_quota_exceeded(metric text, period date, max_amount bigint, used bigint, amount bigint) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_level boolean := period = '-infinity';
    resets timestamptz := CASE WHEN NOT is_level THEN (period + interval '1 month') AT TIME ZONE 'UTC' END;
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TN005',
        MESSAGE = 'quota exceeded',
        DETAIL = format('%s of %s %s are used and %s more asked for.', used, max_amount, metric, amount) || CASE WHEN is_level THEN
            ' That does not change by waiting.'
            ELSE format(' The month ends at %s UTC, in %s seconds.', to_char(resets AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                        ceil(extract(epoch FROM resets - clock_timestamp()))::bigint) END,
        HINT = CASE WHEN is_level THEN 'Remove some, or ask the operator for a larger plan.'
               ELSE 'Wait until then, or ask the operator for a larger plan.' END;
END
$$;

COMMENT ON FUNCTION tenancy.raise_quota_exceeded(text, date, bigint, bigint, bigint) IS 'raises TN005, saying how much is used and when it resets; internal';

CREATE FUNCTION tenancy.recall_leases(account uuid, metric text, period date) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    recalled bigint;
BEGIN
    -- In one order, so that two who recall cannot wait for each other. Waits for transactions that use a lease.
    PERFORM FROM tenancy.usage_slots s
    WHERE (s.account, s.metric, s.period) = (recall_leases.account, recall_leases.metric, recall_leases.period)
    ORDER BY s.subject, s.slot
    FOR UPDATE;
    WITH emptied AS (
        SELECT s.subject, s.slot, s.lease FROM tenancy.usage_slots s
        WHERE (s.account, s.metric, s.period) = (recall_leases.account, recall_leases.metric, recall_leases.period) AND s.lease > 0
    ), changed AS (
        UPDATE tenancy.usage_slots s SET lease = 0
        FROM emptied e
        WHERE (s.account, s.metric, s.period) = (recall_leases.account, recall_leases.metric, recall_leases.period)
          AND (s.subject, s.slot) = (e.subject, e.slot)
        RETURNING e.lease
    )
    SELECT coalesce(sum(c.lease), 0) INTO recalled FROM changed c;
    UPDATE tenancy.quota_accounts a SET taken = a.taken - recalled
    WHERE (a.account, a.metric, a.period) = (recall_leases.account, recall_leases.metric, recall_leases.period) AND recalled > 0;
    RETURN recalled;
END
$$;

COMMENT ON FUNCTION tenancy.recall_leases(uuid, text, date) IS
'gives what slots hold unused back to the account, which the caller has locked, and returns how much that was; internal';

CREATE FUNCTION tenancy.draw(account uuid, organization uuid, subject uuid, metric text, period date, amount bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_slots constant integer := 64;
    preferred smallint := pg_backend_pid() % most_slots + 1;
    maximum bigint;
    cap bigint;
    is_capped boolean;
    capped_used bigint;
    account_taken bigint;
    extra bigint := 0;
    into_slot smallint := 0;
BEGIN
    -- Limits stand still from here to the end of the transaction: who changes one recalls what was leased under the old.
    LOCK TABLE tenancy.plan_limits, tenancy.limit_overrides IN SHARE MODE;
    INSERT INTO tenancy.quota_accounts AS a (account, metric, period, taken)
    VALUES (draw.account, draw.metric, draw.period, 0) ON CONFLICT DO NOTHING;
    SELECT a.taken INTO account_taken FROM tenancy.quota_accounts a
    WHERE (a.account, a.metric, a.period) = (draw.account, draw.metric, draw.period) FOR UPDATE;

    maximum := tenancy.effective_limit(organization, CASE WHEN account <> organization THEN subject END, metric);
    IF maximum - account_taken < amount THEN
        account_taken := account_taken - tenancy.recall_leases(account, metric, period);
        IF maximum - account_taken < amount THEN
            PERFORM tenancy.raise_quota_exceeded(metric, period, maximum, account_taken, amount);
        END IF;
    END IF;

    -- A limit of one tenant on what its organization is limited in has an account of its own, and no leases.
    IF account = organization AND subject <> organization THEN
        SELECT o.max_amount INTO cap FROM tenancy.limit_overrides o
        WHERE o.tenant_id = subject AND o.organization_id IS NULL AND o.metric = draw.metric;
        is_capped := cap IS NOT NULL;
    END IF;
    IF is_capped THEN
        INSERT INTO tenancy.quota_accounts AS a (account, metric, period, taken)
        SELECT draw.subject, draw.metric, draw.period, coalesce(sum(s.used), 0) FROM tenancy.usage_slots s
        WHERE (s.subject, s.metric, s.period) = (draw.subject, draw.metric, draw.period)
        ON CONFLICT DO NOTHING;
        UPDATE tenancy.quota_accounts a SET taken = a.taken + draw.amount
        WHERE (a.account, a.metric, a.period) = (draw.subject, draw.metric, draw.period)
        RETURNING a.taken - draw.amount INTO capped_used;
        IF cap - capped_used < amount THEN
            PERFORM tenancy.raise_quota_exceeded(metric, period, cap, capped_used, amount);
        END IF;
    ELSIF maximum IS NULL THEN
        extra := 1::bigint << 40;
    ELSE
        extra := (maximum - account_taken - amount) / most_slots;
    END IF;

    UPDATE tenancy.quota_accounts a SET taken = a.taken + draw.amount + extra
    WHERE (a.account, a.metric, a.period) = (draw.account, draw.metric, draw.period);
    IF extra > 0 THEN
        SELECT s.slot INTO into_slot FROM tenancy.usage_slots s
        WHERE (s.subject, s.metric, s.period, s.account) = (draw.subject, draw.metric, draw.period, draw.account) AND s.slot > 0
        ORDER BY s.slot <> preferred, s.slot
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            SELECT coalesce(min(n), preferred) INTO into_slot FROM generate_series(1, most_slots) n
            WHERE NOT EXISTS (
                SELECT FROM tenancy.usage_slots s
                WHERE (s.subject, s.metric, s.period, s.account, s.slot) = (draw.subject, draw.metric, draw.period, draw.account, n));
        END IF;
    END IF;
    INSERT INTO tenancy.usage_slots AS s (subject, metric, period, account, slot, used, lease)
    VALUES (draw.subject, draw.metric, draw.period, draw.account, into_slot, draw.amount, extra)
    ON CONFLICT ON CONSTRAINT usage_slots_pkey DO UPDATE SET used = s.used + excluded.used, lease = s.lease + excluded.lease;
END
$$;

COMMENT ON FUNCTION tenancy.draw(uuid, uuid, uuid, text, date, bigint) IS
'uses an amount out of the account, and leases a portion of what remains to a slot; TN005 when the limit does not allow it; internal';

CREATE FUNCTION tenancy.free_slot(account uuid, subject uuid, metric text, period date, amount bigint) RETURNS smallint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    preferred smallint := pg_backend_pid() % 64 + 1;
    found_slot smallint;
BEGIN
    SELECT s.slot INTO found_slot FROM tenancy.usage_slots s
    WHERE (s.subject, s.metric, s.period, s.account) = (free_slot.subject, free_slot.metric, free_slot.period, free_slot.account)
      AND s.lease >= free_slot.amount
    ORDER BY s.slot <> preferred, s.slot
    LIMIT 1
    FOR UPDATE SKIP LOCKED;
    RETURN found_slot;
END
$$;

COMMENT ON FUNCTION tenancy.free_slot(uuid, uuid, text, date, bigint) IS
'locks a slot that leases so much and that no other session holds, or returns null; internal';

CREATE FUNCTION tenancy.take(account uuid, organization uuid, subject uuid, metric text, period date, amount bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    largest bigint;
    found_slot smallint;
BEGIN
    SELECT max(s.lease) INTO largest FROM tenancy.usage_slots s
    WHERE (s.subject, s.metric, s.period, s.account) = (take.subject, take.metric, take.period, take.account);
    IF largest > 1::bigint << 39 THEN
        found_slot := tenancy.free_slot(account, subject, metric, period, amount);
    ELSIF largest >= amount THEN
        BEGIN
            found_slot := tenancy.free_slot(account, subject, metric, period, amount);
            IF found_slot IS NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'TNX01';
            END IF;
        EXCEPTION
            -- Rows that were looked at and had not enough are locked: they must be let go before waiting for the account,
            -- whose holder may be waiting for them. Without a limit nobody does, and the block is saved.
            WHEN SQLSTATE 'TNX01' THEN NULL;
        END;
    END IF;
    IF found_slot IS NULL THEN
        PERFORM tenancy.draw(account, organization, subject, metric, period, amount);
    ELSE
        UPDATE tenancy.usage_slots s SET used = s.used + take.amount, lease = s.lease - take.amount
        WHERE (s.subject, s.metric, s.period, s.account, s.slot) = (take.subject, take.metric, take.period, take.account, found_slot);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.take(uuid, uuid, uuid, text, date, bigint) IS 'uses an amount out of a slot that no other session holds, else out of the account; internal';

CREATE FUNCTION tenancy.give_back(account uuid, organization uuid, subject uuid, metric text, period date, amount bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    preferred smallint := pg_backend_pid() % 64 + 1;
    found_slot smallint;
    is_near boolean;
BEGIN
    LOCK TABLE tenancy.plan_limits, tenancy.limit_overrides IN SHARE MODE;
    IF account <> subject THEN
        UPDATE tenancy.quota_accounts a SET taken = a.taken - give_back.amount
        WHERE (a.account, a.metric, a.period) = (give_back.subject, give_back.metric, give_back.period);
    END IF;
    -- Near the limit nothing is leased, so that who waits for the account waits for nobody's slot; and where more is used
    -- than a limit that came later allows, what is given back is not there to be used again.
    is_near := tenancy.effective_limit(organization, CASE WHEN account <> organization THEN subject END, metric)
        - (SELECT a.taken FROM tenancy.quota_accounts a WHERE (a.account, a.metric, a.period) = (give_back.account, give_back.metric, give_back.period)) < 64;
    IF is_near THEN
        UPDATE tenancy.quota_accounts a SET taken = a.taken - give_back.amount
        WHERE (a.account, a.metric, a.period) = (give_back.account, give_back.metric, give_back.period);
    ELSE
        SELECT s.slot INTO found_slot FROM tenancy.usage_slots s
        WHERE (s.subject, s.metric, s.period, s.account) = (give_back.subject, give_back.metric, give_back.period, give_back.account)
          AND s.slot > 0
        ORDER BY s.slot <> preferred, s.slot
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
    END IF;
    INSERT INTO tenancy.usage_slots AS s (subject, metric, period, account, slot, used, lease)
    VALUES (give_back.subject, give_back.metric, give_back.period, give_back.account,
            CASE WHEN is_near THEN 0 ELSE coalesce(found_slot, preferred) END, -give_back.amount, CASE WHEN is_near THEN 0 ELSE give_back.amount END)
    ON CONFLICT ON CONSTRAINT usage_slots_pkey DO UPDATE SET used = s.used + excluded.used, lease = s.lease + excluded.lease;
END
$$;

COMMENT ON FUNCTION tenancy.give_back(uuid, uuid, uuid, text, date, bigint) IS 'undoes the use of an amount: what is free again can be used through the slot; internal';

-- Tenants and members are few and change seldom: the tables themselves are counted, so that nothing can disagree with them.
CREATE FUNCTION tenancy.count_of(metric text, whose uuid) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN CASE metric
    WHEN 'tenants' THEN (SELECT count(*) FROM tenancy.tenants t WHERE t.organization_id = whose AND t.status <> 'deleted')
    WHEN 'members' THEN (SELECT count(*) FROM tenancy.memberships m WHERE m.tenant_id = whose)
END;

COMMENT ON FUNCTION tenancy.count_of(text, uuid) IS
'how many tenants an organization or members a tenant has, or null for any other metric; internal';

CREATE FUNCTION tenancy.refuse_above(organization uuid, tenant uuid, metric text, amount bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := coalesce(tenant, organization);
    maximum bigint;
    counted bigint;
BEGIN
    LOCK TABLE tenancy.plan_limits, tenancy.limit_overrides IN SHARE MODE;
    -- One at a time, to the end of the transaction; written, so that a transaction with an older snapshot fails.
    INSERT INTO tenancy.quota_accounts AS a (account, metric, period, taken)
    VALUES (whose, refuse_above.metric, '-infinity', 0)
    ON CONFLICT ON CONSTRAINT quota_accounts_pkey DO UPDATE SET taken = a.taken;
    maximum := tenancy.effective_limit(organization, tenant, metric);
    counted := tenancy.count_of(metric, whose);
    IF maximum - counted < amount THEN
        PERFORM tenancy.raise_quota_exceeded(metric, '-infinity', maximum, counted, amount);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_above(uuid, uuid, text, bigint) IS
'raises TN005 where tenants or members would become more than allowed, and lets no other transaction pass until this one ends; internal';

CREATE FUNCTION tenancy.consume(tenant uuid, metric text, amount bigint DEFAULT 1) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    organization uuid;
    how record;
BEGIN
    PERFORM tenancy.refuse_bad_metric(consume.metric), tenancy.refuse_bad_amount(consume.amount);
    SELECT t.organization_id INTO organization FROM tenancy.tenants t WHERE t.id = consume.tenant;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_not_available();
    END IF;
    IF metric = 'members' THEN
        PERFORM tenancy.refuse_above(organization, tenant, metric, amount);
        RETURN;
    END IF;
    how := tenancy.metric_kind(metric);
    PERFORM tenancy.take(CASE how.scope WHEN 'tenant' THEN tenant ELSE organization END, organization, tenant, metric,
                         tenancy.current_period(how.kind), amount);
END
$$;

COMMENT ON FUNCTION tenancy.consume(uuid, text, bigint) IS
'uses an amount of a metric for a tenant; TN005 when a limit would be passed; for members called before each is added; internal';

CREATE FUNCTION tenancy.release(tenant uuid, metric text, amount bigint DEFAULT 1) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    organization uuid;
    how record;
BEGIN
    PERFORM tenancy.refuse_bad_metric(release.metric), tenancy.refuse_bad_amount(release.amount);
    SELECT t.organization_id INTO organization FROM tenancy.tenants t WHERE t.id = release.tenant;
    -- A tenant that is gone has taken its usage with it.
    IF NOT FOUND OR metric = 'members' THEN
        RETURN;
    END IF;
    how := tenancy.metric_kind(metric);
    PERFORM tenancy.give_back(CASE how.scope WHEN 'tenant' THEN tenant ELSE organization END, organization, tenant, metric,
                              tenancy.current_period(how.kind), amount);
END
$$;

COMMENT ON FUNCTION tenancy.release(uuid, text, bigint) IS 'gives back what consume() used; internal';

CREATE FUNCTION tenancy.consume_of_organization(organization uuid, metric text, amount bigint DEFAULT 1) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_bad_metric(consume_of_organization.metric), tenancy.refuse_bad_amount(consume_of_organization.amount);
    IF metric = 'tenants' THEN
        PERFORM tenancy.refuse_above(organization, NULL, metric, amount);
    ELSE
        PERFORM tenancy.take(organization, organization, organization, metric,
                             tenancy.current_period((tenancy.metric_kind(metric)).kind), amount);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.consume_of_organization(uuid, text, bigint) IS
'uses an amount of a metric for an organization; TN005 when the limit would be passed; for tenants called before each is added; internal';

CREATE FUNCTION tenancy.release_of_organization(organization uuid, metric text, amount bigint DEFAULT 1) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_bad_metric(release_of_organization.metric), tenancy.refuse_bad_amount(release_of_organization.amount);
    IF metric <> 'tenants' THEN
        PERFORM tenancy.give_back(organization, organization, organization, metric,
                                  tenancy.current_period((tenancy.metric_kind(metric)).kind), amount);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.release_of_organization(uuid, text, bigint) IS 'gives back what consume_of_organization() used; internal';

-- Of no use to a dump: a minute is over when it is restored.
CREATE TABLE tenancy.rate_windows (
    key uuid NOT NULL,
    minute timestamptz NOT NULL,
    taken integer NOT NULL,
    CONSTRAINT rate_windows_pkey PRIMARY KEY (key)
) WITH (fillfactor = 50);

COMMENT ON TABLE tenancy.rate_windows IS
'how often each key was used in its latest minute; only where the library is not in shared_preload_libraries';

ALTER TABLE tenancy.rate_windows ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.take_rate_in_table(key uuid, per_minute integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this_minute timestamptz;
BEGIN
    INSERT INTO tenancy.rate_windows (key, minute, taken) VALUES (take_rate_in_table.key, '-infinity', 0) ON CONFLICT DO NOTHING;
    PERFORM FROM tenancy.rate_windows w WHERE w.key = take_rate_in_table.key FOR UPDATE;
    -- Only now: waiting for the row may have taken a while.
    this_minute := date_trunc('minute', clock_timestamp());
    UPDATE tenancy.rate_windows w
    SET minute = this_minute, taken = CASE WHEN w.minute = this_minute THEN w.taken ELSE 0 END + 1
    WHERE w.key = take_rate_in_table.key AND (w.minute < this_minute OR w.taken < take_rate_in_table.per_minute);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN006',
            MESSAGE = 'rate limit exceeded',
            DETAIL = format('The limit is %s in a minute; the next minute begins in %s seconds.', per_minute,
                            ceil(60 - extract(second FROM clock_timestamp()))::integer),
            HINT = 'Wait that long and try again.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.take_rate_in_table(uuid, integer) IS
'take_rate() without shared memory: transactions of one key wait for each other, and what is rolled back is not counted; internal';

CREATE FUNCTION tenancy.take_rate(key uuid, per_minute integer) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_take_rate';

COMMENT ON FUNCTION tenancy.take_rate(uuid, integer) IS
'counts one use of a key in this minute of the clock, rolled back or not; TN006, saying how many seconds to wait, when it had per_minute already; null is no limit; internal';

-- A limit that changes takes back what was leased under the old one. One that is restored does not: the leases of the dump fit it.

CREATE FUNCTION tenancy.recall_of(accounts uuid[], metrics text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    leased record;
BEGIN
    FOR leased IN
        SELECT DISTINCT s.account, s.metric, s.period FROM tenancy.usage_slots s
        WHERE s.account = ANY (accounts) AND (metrics IS NULL OR s.metric = ANY (metrics)) AND s.lease > 0
        ORDER BY 1, 2, 3
    LOOP
        PERFORM FROM tenancy.quota_accounts a
        WHERE (a.account, a.metric, a.period) = (leased.account, leased.metric, leased.period) FOR UPDATE;
        -- Without its account it is a slot of a dump that is being restored.
        IF FOUND THEN
            PERFORM tenancy.recall_leases(leased.account, leased.metric, leased.period);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.recall_of(uuid[], text[]) IS 'takes back all leases of some accounts, of all metrics or the named ones; internal';

CREATE FUNCTION tenancy_internal.limits_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    organizations uuid[];
    tenants uuid[];
    metrics text[];
BEGIN
    IF TG_TABLE_NAME = 'plan_limits' THEN
        SELECT array_agg(DISTINCT o.id), array_agg(DISTINCT c.metric) INTO organizations, metrics
        FROM changed_rows c JOIN tenancy.organizations o ON o.plan = c.plan;
    ELSE
        SELECT array_agg(DISTINCT coalesce(c.organization_id, t.organization_id)), array_agg(DISTINCT c.metric) INTO organizations, metrics
        FROM changed_rows c LEFT JOIN tenancy.tenants t ON t.id = c.tenant_id;
        -- An account of a tenant's own limit on what its organization is limited in is made anew from what was used.
        DELETE FROM tenancy.quota_accounts a
        USING changed_rows c, tenancy.metrics m
        WHERE a.account = c.tenant_id AND a.metric = c.metric AND m.name = c.metric AND m.scope = 'organization';
    END IF;
    SELECT array_agg(t.id) INTO tenants FROM tenancy.tenants t WHERE t.organization_id = ANY (organizations);
    PERFORM tenancy.recall_of(organizations || tenants, metrics);
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('limits_changed()');

COMMENT ON FUNCTION tenancy.limits_changed() IS 'trigger: takes back what was leased under the limits before';

CREATE TRIGGER limits_inserted AFTER INSERT ON tenancy.plan_limits REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT WHEN (NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.limits_changed();
CREATE TRIGGER limits_updated AFTER UPDATE ON tenancy.plan_limits REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT WHEN (NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.limits_changed();
CREATE TRIGGER limits_deleted AFTER DELETE ON tenancy.plan_limits REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.limits_changed();
CREATE TRIGGER limits_inserted AFTER INSERT ON tenancy.limit_overrides REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT WHEN (NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.limits_changed();
CREATE TRIGGER limits_updated AFTER UPDATE ON tenancy.limit_overrides REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT WHEN (NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.limits_changed();
CREATE TRIGGER limits_deleted AFTER DELETE ON tenancy.limit_overrides REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.limits_changed();

CREATE FUNCTION tenancy_internal.plan_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Waits for who reads the limits to draw on them, and lets nobody do so until the new plan is there.
    LOCK TABLE tenancy.plan_limits IN ROW EXCLUSIVE MODE;
    PERFORM tenancy.recall_of(array_agg(t.id) || NEW.id, NULL) FROM tenancy.tenants t WHERE t.organization_id = NEW.id;
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('plan_changed()');

COMMENT ON FUNCTION tenancy.plan_changed() IS 'trigger: takes back what was leased under the plan before';

CREATE TRIGGER plan_changed AFTER UPDATE OF plan ON tenancy.organizations
FOR EACH ROW WHEN (NEW.plan <> OLD.plan AND NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.plan_changed();

CREATE FUNCTION tenancy_internal.organization_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    LOCK TABLE tenancy.plan_limits IN ROW EXCLUSIVE MODE;
    PERFORM tenancy.recall_of(ARRAY[NEW.id, OLD.organization_id, NEW.organization_id], NULL);
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('organization_changed()');

COMMENT ON FUNCTION tenancy.organization_changed() IS 'trigger: a tenant that moves to another organization comes under its limits';

CREATE TRIGGER organization_changed AFTER UPDATE OF organization_id ON tenancy.tenants
FOR EACH ROW WHEN (NEW.organization_id <> OLD.organization_id AND NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.organization_changed();

CREATE FUNCTION tenancy_internal.forget_levels() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM tenancy.usage_slots s USING gone WHERE s.subject = gone.id AND s.period = '-infinity';
    DELETE FROM tenancy.quota_accounts a USING gone WHERE a.account = gone.id AND a.period = '-infinity';
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('forget_levels()');

COMMENT ON FUNCTION tenancy.forget_levels() IS 'trigger: of a tenant that is gone only what it used in each month is kept, for billing';

CREATE TRIGGER forget_levels AFTER DELETE ON tenancy.tenants REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.forget_levels();
