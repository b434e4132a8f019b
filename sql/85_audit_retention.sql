-- How long events are kept, and how they leave: links of the chain from its beginning, after they were archived. The hash of
-- the last one stays as an anchor, so that the rest of the chain and the archive verify.

CREATE TABLE tenancy.audit_retention (
    tenant_id uuid NOT NULL,
    keep interval NOT NULL,
    CONSTRAINT audit_retention_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT audit_retention_keep_check CHECK (keep >= interval '1 day')
);

COMMENT ON TABLE tenancy.audit_retention IS 'how long events of audit logs are kept; without a row for ever; written by set_audit_retention()';
COMMENT ON COLUMN tenancy.audit_retention.tenant_id IS
'whose log; 00000000-0000-0000-0000-000000000000 is for all that have no row of their own, the installation''s among them';

SELECT pg_catalog.pg_extension_config_dump('tenancy.audit_retention', '');

ALTER TABLE tenancy.audit_retention ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy_internal.set_audit_retention(keep interval, tenant uuid DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := coalesce(set_audit_retention.tenant, '00000000-0000-0000-0000-000000000000');
    old interval;
BEGIN
    PERFORM tenancy.authorize_operator();
    IF set_audit_retention.keep < interval '1 day' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('events are kept for 1 day or more, not %s', set_audit_retention.keep),
            HINT = 'Null keeps them for ever.';
    END IF;
    IF tenant IS NOT NULL AND NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = set_audit_retention.tenant) THEN
        PERFORM tenancy.raise_not_available();
    END IF;
    SELECT r.keep INTO old FROM tenancy.audit_retention r WHERE r.tenant_id = whose FOR UPDATE;
    IF set_audit_retention.keep IS NULL THEN
        DELETE FROM tenancy.audit_retention r WHERE r.tenant_id = whose;
    ELSE
        INSERT INTO tenancy.audit_retention AS r (tenant_id, keep) VALUES (whose, set_audit_retention.keep)
        ON CONFLICT ON CONSTRAINT audit_retention_pkey DO UPDATE SET keep = excluded.keep;
    END IF;
    PERFORM tenancy.audit_event(set_audit_retention.tenant, 'audit.retention', coalesce('tenant:' || tenant, 'all logs'),
                                jsonb_build_object('keep', old), jsonb_build_object('keep', set_audit_retention.keep));
END
$$;

SELECT tenancy_internal.expose('set_audit_retention(interval, uuid)');

COMMENT ON FUNCTION tenancy.set_audit_retention(interval, uuid) IS
'how long events of a tenant''s audit log are kept at least, or, with a null tenant, those of all logs that have no retention of their own; null is for ever; for operators';

-- Whole links, from the beginning, whose events are all old enough.
CREATE FUNCTION tenancy.expired_link(whose uuid) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    until timestamptz;
BEGIN
    SELECT now() - r.keep INTO until FROM tenancy.audit_retention r
    WHERE r.tenant_id IN (whose, '00000000-0000-0000-0000-000000000000')
    ORDER BY r.tenant_id = whose DESC LIMIT 1;
    IF until IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'events of this audit log are kept for ever',
            HINT = 'tenancy.set_audit_retention() says how long they are kept.';
    END IF;
    RETURN (
        SELECT max(s.number) FROM tenancy.audit_seals s
        WHERE s.tenant_id = whose AND s.sealed_at < until
          AND s.number < coalesce((
                SELECT min(y.number) FROM tenancy.audit_seals y
                WHERE y.tenant_id = whose
                  AND (y.sealed_at >= until OR EXISTS (SELECT FROM tenancy.audit_log l
                                                       WHERE l.tenant_id = whose AND l.id = ANY (y.events) AND l.at >= until))), 9223372036854775807));
END
$$;

COMMENT ON FUNCTION tenancy.expired_link(uuid) IS
'the last link of a chain that may go by now, with all before it; null when none may; 55000 for a log that is kept for ever; internal';

CREATE FUNCTION tenancy_internal.archive_audit(tenant uuid DEFAULT NULL) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := coalesce(archive_audit.tenant, '00000000-0000-0000-0000-000000000000');
BEGIN
    PERFORM tenancy.authorize_operator();
    RETURN QUERY
        SELECT jsonb_build_object(
            'tenant_id', s.tenant_id, 'number', s.number, 'sealed_at', s.sealed_at,
            'previous', encode(s.previous, 'hex'), 'hash', encode(s.hash, 'hex'),
            'events', (SELECT jsonb_agg(jsonb_build_object(
                                  'id', l.id, 'at', l.at, 'actor', l.actor, 'action', l.action, 'object', l.object,
                                  'before', l.before, 'after', l.after) ORDER BY e.place)
                       FROM unnest(s.events) WITH ORDINALITY AS e (id, place)
                       JOIN tenancy.audit_log l ON l.tenant_id = s.tenant_id AND l.id = e.id))
        FROM tenancy.audit_seals s
        WHERE s.tenant_id = whose AND s.number <= tenancy.expired_link(whose)
        ORDER BY s.number;
END
$$;

SELECT tenancy_internal.expose('archive_audit(uuid)');

COMMENT ON FUNCTION tenancy.archive_audit(uuid) IS
'what may expire of a tenant''s audit log (null: the installation''s), link by link as JSON objects that verify_audit_archive() reads; for operators';

CREATE FUNCTION tenancy_internal.verify_audit_archive(
    archive jsonb[], OUT intact boolean, OUT events bigint, OUT first_number bigint, OUT last_number bigint, OUT last_hash text, OUT problem text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid;
    link jsonb;
    held bytea;
    computed bytea;
    anchored bytea;
BEGIN
    events := 0;
    PERFORM tenancy.refuse_null(archive IS NULL, 'archive');
    whose := tenancy.audit_scope((archive[1] ->> 'tenant_id')::uuid);
    FOREACH link IN ARRAY archive LOOP
        EXIT WHEN problem IS NOT NULL;
        IF first_number IS NULL THEN
            first_number := (link ->> 'number')::bigint;
            -- The end of the archive before, which the anchor of that time is of.
            held := CASE WHEN first_number = 1 THEN decode(repeat('00', 32), 'hex')
                    ELSE (SELECT a.hash FROM tenancy.audit_anchors a WHERE a.tenant_id = whose AND a.number = first_number - 1) END;
            problem := CASE WHEN held IS NULL THEN format('the archive begins with link %s, and no anchor is of the one before', first_number) END;
        ELSIF (link ->> 'number')::bigint IS DISTINCT FROM last_number + 1 THEN
            problem := format('link %s is missing', last_number + 1);
        END IF;
        SELECT sha256(decode(link ->> 'previous', 'hex') || string_agg(tenancy.audit_digest(
                   whose, (e ->> 'id')::uuid, (e ->> 'at')::timestamptz, e ->> 'actor', e ->> 'action', e ->> 'object',
                   nullif(e -> 'before', 'null'), nullif(e -> 'after', 'null')), ''::bytea ORDER BY place)),
               events + count(*)
        INTO computed, events
        FROM jsonb_array_elements(link -> 'events') WITH ORDINALITY AS a (e, place);
        last_number := (link ->> 'number')::bigint;
        problem := coalesce(problem, CASE
            WHEN (link ->> 'tenant_id')::uuid IS DISTINCT FROM whose THEN format('link %s is of another log', last_number)
            WHEN decode(link ->> 'previous', 'hex') IS DISTINCT FROM held THEN format('link %s does not follow from the one before', last_number)
            WHEN computed IS DISTINCT FROM decode(link ->> 'hash', 'hex') THEN format('link %s does not seal its events as they are', last_number)
        END);
        held := computed;
        last_hash := link ->> 'hash';
    END LOOP;
    IF problem IS NULL THEN
        SELECT a.hash INTO anchored FROM tenancy.audit_anchors a WHERE a.tenant_id = whose AND a.number = last_number;
        IF anchored IS NULL THEN
            SELECT s.hash INTO anchored FROM tenancy.audit_seals s WHERE s.tenant_id = whose AND s.number = last_number;
        END IF;
        problem := CASE WHEN last_number IS NULL THEN 'the archive is empty'
                        WHEN anchored IS NULL THEN format('the archive ends with link %s, and no anchor is of it', last_number)
                        WHEN anchored <> held THEN format('link %s is not the one that the database knows', last_number) END;
    END IF;
    intact := problem IS NULL;
END
$$;

SELECT tenancy_internal.expose('verify_audit_archive(jsonb[])');

COMMENT ON FUNCTION tenancy.verify_audit_archive(jsonb[]) IS
'whether the lines of an archive, all of one archive_audit(), are the events that were sealed: each follows from the one before, the first from an anchor, and the last is an anchor, or a link that is there still; permission audit.read';

CREATE FUNCTION tenancy_internal.expire_audit(archived_number bigint, archived_hash text, tenant uuid DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := coalesce(expire_audit.tenant, '00000000-0000-0000-0000-000000000000');
    last_expired bigint;
    held text;
    state record;
    deleted bigint;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_null(archived_number IS NULL, 'archived_number'), tenancy.refuse_null(archived_hash IS NULL, 'archived_hash');
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = '25001',
            MESSAGE = 'tenancy.expire_audit() needs the isolation level read committed',
            DETAIL = 'With an older snapshot it could not see what others sealed meanwhile.';
    END IF;
    -- One at a time, and nobody seals meanwhile.
    LOCK TABLE tenancy.audit_progress IN EXCLUSIVE MODE;
    last_expired := tenancy.expired_link(whose);
    SELECT encode(s.hash, 'hex') INTO held FROM tenancy.audit_seals s WHERE s.tenant_id = whose AND s.number = archived_number;
    IF held IS NULL OR archived_number > coalesce(last_expired, 0) THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('link %s of this audit log may not expire', archived_number),
            DETAIL = CASE WHEN last_expired IS NULL THEN 'No link is old enough.' ELSE format('Those up to %s may.', last_expired) END,
            HINT = 'Give the number and the hash of the last line of tenancy.archive_audit().';
    END IF;
    IF held <> archived_hash THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('the hash of link %s is not %s', archived_number, left(archived_hash, 80)),
            DETAIL = 'What was archived is not what would be removed.',
            HINT = 'Give the number and the hash of the last line of tenancy.archive_audit().';
    END IF;
    -- What is broken stays, as it is the evidence.
    state := tenancy_internal.verify_audit(whose);
    IF NOT state.intact THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'the audit log is not intact', DETAIL = format('The problem is: %s.', state.problem),
            HINT = 'Find out who changed it; nothing expires until then.';
    END IF;
    deleted := tenancy.delete_expired(whose, archived_number);
    PERFORM tenancy.audit_event(expire_audit.tenant, 'audit.expire', coalesce('tenant:' || tenant, 'installation'), NULL,
        jsonb_build_object('number', archived_number, 'hash', archived_hash, 'events', deleted));
    RETURN deleted;
END
$$;

SELECT tenancy_internal.expose('expire_audit(bigint, text, uuid)');

COMMENT ON FUNCTION tenancy.expire_audit(bigint, text, uuid) IS
'removes from a tenant''s audit log (null: the installation''s) the links up to the last line of what archive_audit() gave, by its number and hash, and keeps the hash as an anchor; returns how many events went; nothing goes from a log that is not intact; for operators';

CREATE FUNCTION tenancy.delete_expired(whose uuid, upto bigint) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_delete_expired';

COMMENT ON FUNCTION tenancy.delete_expired(uuid, bigint) IS 'deletes links with their events and writes the anchor, past append_only(); internal';
