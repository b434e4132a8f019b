-- The chain of hashes over the audit log. Writers do not wait for it: events that are final are sealed afterwards, in
-- batches. An event is final when no transaction as old as its own still runs, so that none can come in before it.

CREATE TABLE tenancy.audit_seals (
    tenant_id uuid NOT NULL,
    number bigint NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now(),
    events uuid[] NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_seals_pkey PRIMARY KEY (tenant_id, number)
);

COMMENT ON TABLE tenancy.audit_seals IS 'a chain for each audit log: each link seals some events and the link before it';
COMMENT ON COLUMN tenancy.audit_seals.number IS 'from 1, without gaps';
COMMENT ON COLUMN tenancy.audit_seals.events IS 'ids of the events that it seals, in the order of their digests in the hash';
COMMENT ON COLUMN tenancy.audit_seals.previous IS 'hash of the link before; 32 zero bytes in the first';
COMMENT ON COLUMN tenancy.audit_seals.hash IS 'SHA-256 of previous and the digests of the events';

-- Separate from the chain, so that cutting off its end does not go unnoticed.
CREATE TABLE tenancy.audit_heads (
    tenant_id uuid NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_heads_pkey PRIMARY KEY (tenant_id)
);

COMMENT ON TABLE tenancy.audit_heads IS 'the last link of each chain';

-- Not dumped: transactions of another server mean nothing, and without a row everything is looked at once.
CREATE TABLE tenancy.audit_progress (
    transaction_id bigint NOT NULL
);

COMMENT ON TABLE tenancy.audit_progress IS 'events of transactions before this one are sealed; no row: not known';

SELECT pg_catalog.pg_extension_config_dump('tenancy.audit_seals', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.audit_heads', '');

ALTER TABLE tenancy.audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.audit_progress ENABLE ROW LEVEL SECURITY;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenancy.audit_seals
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.append_only();

ALTER TABLE tenancy.audit_seals ENABLE ALWAYS TRIGGER append_only;

-- Each says where the log began anew after events expired; together with an archive it proves what those were.
CREATE TABLE tenancy.audit_anchors (
    tenant_id uuid NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    expired_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_anchors_pkey PRIMARY KEY (tenant_id, number)
);

COMMENT ON TABLE tenancy.audit_anchors IS 'the last links of what expired of each audit log: the chain goes on from the latest; append-only';
COMMENT ON COLUMN tenancy.audit_anchors.number IS 'number of the last link that was removed';
COMMENT ON COLUMN tenancy.audit_anchors.hash IS 'its hash';
COMMENT ON COLUMN tenancy.audit_anchors.sealed_at IS 'when it was sealed';

SELECT pg_catalog.pg_extension_config_dump('tenancy.audit_anchors', '');

ALTER TABLE tenancy.audit_anchors ENABLE ROW LEVEL SECURITY;

-- Not even INSERT: an anchor that somebody makes up would explain away what is missing.
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.audit_anchors
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.append_only();

ALTER TABLE tenancy.audit_anchors ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION tenancy.add_seal(tenant uuid, events uuid[], digests bytea) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last tenancy.audit_heads;
    new_hash bytea;
BEGIN
    SELECT h.* INTO last FROM tenancy.audit_heads h WHERE h.tenant_id = add_seal.tenant;
    last.number := coalesce(last.number, 0) + 1;
    last.hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
    new_hash := sha256(last.hash || digests);
    INSERT INTO tenancy.audit_seals (tenant_id, number, events, previous, hash)
    VALUES (tenant, last.number, events, last.hash, new_hash);
    INSERT INTO tenancy.audit_heads AS h (tenant_id, number, hash) VALUES (tenant, last.number, new_hash)
    ON CONFLICT (tenant_id) DO UPDATE SET number = excluded.number, hash = excluded.hash;
END
$$;

COMMENT ON FUNCTION tenancy.add_seal(uuid, uuid[], bytea) IS 'adds a link to a chain; internal';

CREATE FUNCTION tenancy_internal.seal_audit(OUT sealed bigint, OUT waiting bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most_in_link constant integer := 1000;
    since bigint;
    horizon bigint;
    link record;
BEGIN
    PERFORM tenancy.authorize_operator();
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = '25001',
            MESSAGE = 'tenancy.seal_audit() needs the isolation level read committed',
            DETAIL = 'With an older snapshot it could not see what others sealed meanwhile.';
    END IF;
    -- One at a time; what the one before wrote is seen by the statements below.
    LOCK TABLE tenancy.audit_progress IN EXCLUSIVE MODE;
    SELECT max(p.transaction_id) INTO since FROM tenancy.audit_progress p;
    horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    sealed := 0;
    FOR link IN
        SELECT e.tenant_id, array_agg(e.id ORDER BY e.id) AS events, string_agg(e.digest, ''::bytea ORDER BY e.id) AS digests
        FROM (SELECT l.tenant_id, l.id, l.digest, (row_number() OVER (PARTITION BY l.tenant_id ORDER BY l.id) - 1) / most_in_link AS batch
              FROM tenancy.audit_log l
              WHERE l.transaction_id >= coalesce(since, 0) AND l.transaction_id < horizon
                AND (since IS NOT NULL OR NOT EXISTS (
                        SELECT FROM (SELECT unnest(s.events) AS id FROM tenancy.audit_seals s WHERE s.tenant_id = l.tenant_id OFFSET 0) s
                        WHERE s.id = l.id))) e
        GROUP BY e.tenant_id, e.batch
        ORDER BY e.tenant_id, e.batch
    LOOP
        PERFORM tenancy.add_seal(link.tenant_id, link.events, link.digests);
        sealed := sealed + cardinality(link.events);
    END LOOP;
    IF since IS NULL THEN
        INSERT INTO tenancy.audit_progress (transaction_id) VALUES (horizon);
    ELSIF sealed > 0 THEN
        UPDATE tenancy.audit_progress SET transaction_id = horizon;
    END IF;
    SELECT count(*) INTO waiting FROM tenancy.audit_log l WHERE l.transaction_id >= horizon;
END
$$;

SELECT tenancy_internal.expose('seal_audit()');

COMMENT ON FUNCTION tenancy.seal_audit() IS
'seals the events that are final, and says how many that were and how many it could not seal yet because an older transaction still runs; a background worker calls it where the library is preloaded';

CREATE FUNCTION tenancy_internal.verify_audit(
    tenant uuid DEFAULT NULL, known_number bigint DEFAULT NULL, known_hash bytea DEFAULT NULL,
    OUT intact boolean, OUT events bigint, OUT unsealed bigint, OUT last_number bigint, OUT last_hash bytea, OUT problem text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := tenancy.audit_scope(verify_audit.tenant);
    link record;
    head tenancy.audit_heads;
    anchor tenancy.audit_anchors;
    sealed bigint := 0;
    bad uuid;
BEGIN
    -- What came before the anchor is in archives; verify_audit_archive() holds them against it.
    SELECT a.* INTO anchor FROM tenancy.audit_anchors a WHERE a.tenant_id = whose ORDER BY a.number DESC LIMIT 1;
    last_number := coalesce(anchor.number, 0);
    last_hash := coalesce(anchor.hash, decode(repeat('00', 32), 'hex'));
    SELECT count(*) INTO events FROM tenancy.audit_log l WHERE l.tenant_id = whose;
    SELECT l.id INTO bad
    FROM tenancy.audit_log l
    WHERE l.tenant_id = whose
      AND l.digest <> tenancy.audit_digest(l.tenant_id, l.id, l.at, l.actor, l.action, l.object, l.before, l.after)
    ORDER BY l.id LIMIT 1;
    IF FOUND THEN
        problem := format('event %s was changed', bad);
    END IF;

    FOR link IN
        SELECT s.number, s.previous, s.hash, cardinality(s.events) AS expected, count(l.id) AS present,
               sha256(s.previous || coalesce(string_agg(l.digest, ''::bytea ORDER BY e.place), ''::bytea)) AS computed
        FROM tenancy.audit_seals s
        CROSS JOIN LATERAL unnest(s.events) WITH ORDINALITY AS e (id, place)
        LEFT JOIN tenancy.audit_log l ON l.tenant_id = s.tenant_id AND l.id = e.id
        WHERE s.tenant_id = whose
        GROUP BY s.tenant_id, s.number
        ORDER BY s.number
    LOOP
        problem := coalesce(problem, CASE
            WHEN link.number <= anchor.number THEN format('link %s is there, which expired with those up to %s', link.number, anchor.number)
            WHEN link.number <> last_number + 1 THEN format('link %s is missing', last_number + 1)
            WHEN link.previous <> last_hash THEN format('link %s does not follow from the one before', link.number)
            WHEN link.present <> link.expected THEN format('link %s seals %s events, of which %s are missing',
                                                            link.number, link.expected, link.expected - link.present)
            WHEN link.computed <> link.hash THEN format('link %s does not seal its events as they are', link.number)
            WHEN link.number = known_number AND link.hash <> known_hash THEN format('link %s is not the one that is known', link.number)
        END);
        last_number := link.number;
        last_hash := link.hash;
        sealed := sealed + link.present;
    END LOOP;

    SELECT h.* INTO head FROM tenancy.audit_heads h WHERE h.tenant_id = whose;
    problem := coalesce(problem, CASE
        WHEN coalesce(head.number, 0) <> last_number OR coalesce(head.hash, last_hash) <> last_hash
            THEN format('the chain ends with link %s instead of %s', last_number, coalesce(head.number, 0))
        WHEN known_number > last_number THEN format('the chain ends with link %s, before the known link %s', last_number, known_number)
        WHEN known_number <= anchor.number THEN (
            SELECT CASE WHEN count(*) = 0 THEN format('the known link %s expired with those up to %s: verify its archive', known_number, anchor.number)
                        WHEN bool_or(a.hash <> known_hash) THEN format('link %s is not the one that is known', known_number) END
            FROM tenancy.audit_anchors a WHERE a.tenant_id = whose AND a.number = known_number)
    END);
    intact := problem IS NULL;
    unsealed := events - sealed;
END
$$;

SELECT tenancy_internal.expose('verify_audit(uuid, bigint, bytea)');

COMMENT ON FUNCTION tenancy.verify_audit(uuid, bigint, bytea) IS
'whether an audit log (null: the current tenant''s, without one the installation''s) is as it was written, and if not, the first problem; last_number and last_hash, kept elsewhere and given as known ones later, show also a chain that was made anew; permission audit.read';

CREATE FUNCTION tenancy_internal.export_audit(tenant uuid DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := tenancy.audit_scope(export_audit.tenant);
BEGIN
    RETURN QUERY
        SELECT jsonb_build_object(
            'tenant_id', l.tenant_id, 'id', l.id, 'at', l.at, 'actor', l.actor, 'action', l.action, 'object', l.object,
            'before', l.before, 'after', l.after, 'digest', encode(l.digest, 'hex'))
        FROM tenancy.audit_log l
        WHERE l.tenant_id = whose AND (since IS NULL OR l.at >= since) AND (until IS NULL OR l.at < until)
        ORDER BY l.id;
END
$$;

SELECT tenancy_internal.expose('export_audit(uuid, timestamptz, timestamptz)');

COMMENT ON FUNCTION tenancy.export_audit(uuid, timestamptz, timestamptz) IS
'all events of an audit log, oldest first, as JSON objects with their digests, for COPY to a file; permission audit.read';

CREATE FUNCTION tenancy_internal.guard_audit() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    touched regclass;
BEGIN
    IF tenancy.caller_is_superuser() THEN
        RETURN;
    END IF;
    IF TG_EVENT = 'sql_drop' THEN
        SELECT c.oid INTO touched
        FROM pg_event_trigger_dropped_objects() o
        JOIN pg_class c ON c.relnamespace = 'tenancy'::regnamespace AND c.relname = o.address_names[2]
        WHERE o.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_constraint'::regclass, 'pg_rewrite'::regclass)
          AND o.address_names[1] = 'tenancy' AND c.relname IN ('audit_log', 'audit_seals', 'audit_anchors')
        LIMIT 1;
    ELSE
        SELECT c.oid INTO touched
        FROM pg_event_trigger_ddl_commands() d
        LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
        LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
        JOIN pg_class c ON c.oid = coalesce(t.tgrelid, r.ev_class, p.polrelid, d.objid)
            AND (d.classid IN ('pg_class'::regclass, 'pg_trigger'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass))
        WHERE c.oid IN ('tenancy.audit_log'::regclass, 'tenancy.audit_seals'::regclass, 'tenancy.audit_anchors'::regclass)
        LIMIT 1;
    END IF;
    IF touched IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('table %s is append-only', touched),
            DETAIL = 'Only a superuser may alter it.';
    END IF;
END
$$;

SELECT tenancy_internal.expose('guard_audit()');

COMMENT ON FUNCTION tenancy.guard_audit() IS 'event trigger: refuses to all but superusers what would make the audit log changeable';

CREATE EVENT TRIGGER tenancy_guard_audit ON ddl_command_end
WHEN TAG IN ('ALTER TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE RULE', 'ALTER RULE', 'CREATE POLICY', 'ALTER POLICY')
EXECUTE FUNCTION tenancy.guard_audit();

CREATE EVENT TRIGGER tenancy_guard_audit_drop ON sql_drop
WHEN TAG IN ('DROP TRIGGER', 'DROP RULE', 'DROP POLICY', 'ALTER TABLE')
EXECUTE FUNCTION tenancy.guard_audit();
