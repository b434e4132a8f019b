-- The audit log: who did what to what. Rows are only ever added; a chain of hashes per tenant shows a change that a
-- superuser makes all the same.

CREATE TABLE tenancy.audit_log (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text COLLATE "C" NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb,
    digest bytea NOT NULL,
    transaction_id bigint NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT audit_log_digest_check CHECK (octet_length(digest) = 32)
);

CREATE INDEX audit_log_transaction_id_idx ON tenancy.audit_log (transaction_id);

COMMENT ON TABLE tenancy.audit_log IS 'who did what to what; append-only, also for the owner, short of a superuser';
COMMENT ON COLUMN tenancy.audit_log.tenant_id IS
'whose log it is in; 00000000-0000-0000-0000-000000000000 is the installation''s, for what belongs to no tenant';
COMMENT ON COLUMN tenancy.audit_log.at IS 'when the event was written; its transaction may have ended later';
COMMENT ON COLUMN tenancy.audit_log.actor IS 'user:<id>, key:<id> or role:<name>';
COMMENT ON COLUMN tenancy.audit_log.action IS 'what was done: a dotted name such as tenant.suspend, or insert, update, delete of an audited table';
COMMENT ON COLUMN tenancy.audit_log.object IS 'what it was done to';
COMMENT ON COLUMN tenancy.audit_log.before IS 'what it was before; null for what was created';
COMMENT ON COLUMN tenancy.audit_log.after IS 'what it is since; null for what was deleted';
COMMENT ON COLUMN tenancy.audit_log.digest IS 'SHA-256 of the event, as tenancy.audit_digest() computes it';
COMMENT ON COLUMN tenancy.audit_log.transaction_id IS
'the transaction that wrote the row into this table, which for a restored row is the one that restored it; tells what is final';

SELECT pg_catalog.pg_extension_config_dump('tenancy.audit_log', '');

ALTER TABLE tenancy.audit_log ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.audit_digest(
    tenant uuid, id uuid, at timestamptz, actor text, action text, object text, before jsonb, after jsonb
) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
-- A JSON array, so that no two events have one text; the time as a number, which no setting changes.
RETURN sha256(convert_to(jsonb_build_array(tenant, id, extract(epoch FROM at), actor, action, object, before, after)::text, 'UTF8'));

COMMENT ON FUNCTION tenancy.audit_digest(uuid, uuid, timestamptz, text, text, text, jsonb, jsonb) IS
'SHA-256 of an event of the audit log: of the text of the jsonb array of its columns, the time as seconds since 1970; internal';

CREATE FUNCTION tenancy.audit_stamp() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A restored row brings the number of a transaction of another server, which means nothing here.
    NEW.transaction_id := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION tenancy.audit_stamp() IS 'trigger: notes which transaction writes the row';

CREATE TRIGGER audit_stamp BEFORE INSERT ON tenancy.audit_log
FOR EACH ROW EXECUTE FUNCTION tenancy.audit_stamp();

CREATE FUNCTION tenancy.note_events() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_note_events';

COMMENT ON FUNCTION tenancy.note_events() IS 'lets the events of this transaction be sealed soon after its commit, where there is a worker for that; internal';

CREATE FUNCTION tenancy.write_event(
    tenant uuid, at timestamptz, actor text, action text, object text, before jsonb, after jsonb
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := coalesce(write_event.tenant, '00000000-0000-0000-0000-000000000000');
    new_id uuid := tenancy.uuid_v7();
BEGIN
    INSERT INTO tenancy.audit_log (tenant_id, id, at, actor, action, object, before, after, digest)
    VALUES (whose, new_id, write_event.at, write_event.actor, write_event.action, write_event.object, write_event.before, write_event.after,
            tenancy.audit_digest(whose, new_id, write_event.at, write_event.actor, write_event.action, write_event.object,
                                 write_event.before, write_event.after));
    PERFORM tenancy.note_events();
END
$$;

COMMENT ON FUNCTION tenancy.write_event(uuid, timestamptz, text, text, text, jsonb, jsonb) IS 'adds an event to a log; internal';

CREATE FUNCTION tenancy.audit_event(
    tenant uuid, action text, object text, before jsonb DEFAULT NULL, after jsonb DEFAULT NULL
) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
RETURN tenancy.write_event(audit_event.tenant, clock_timestamp(), tenancy.actor(), audit_event.action, audit_event.object,
                           audit_event.before, audit_event.after);

COMMENT ON FUNCTION tenancy.audit_event(uuid, text, text, jsonb, jsonb) IS
'adds an event to a tenant''s audit log, or with a null tenant to the installation''s; the actor is who calls; internal';

-- Refusals: the transaction that is refused rolls back, so somebody else writes them down.

CREATE FUNCTION tenancy.note_denial(code text, tenant uuid, object text) RETURNS void
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tenancy_note_denial';

COMMENT ON FUNCTION tenancy.note_denial(text, uuid, text) IS
'notes a refusal that is about to be raised, for the audit log of the tenant if there is one, else of the installation; internal';

CREATE FUNCTION tenancy.denials_go_to() RETURNS text
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'tenancy_denials_go_to';

COMMENT ON FUNCTION tenancy.denials_go_to() IS
'where refusals are recorded: "audit log" with the library in shared_preload_libraries, else, and on a standby, "server log"';

-- A row for like refusals, or, without an object, for those of an actor that were too many to be kept one by one.
CREATE FUNCTION tenancy.record_denial(
    first timestamptz, last timestamptz, tenant uuid, code text, actor text, object text, times bigint
) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT tenancy.write_event(t.id, record_denial.first, record_denial.actor, 'denied',
                               coalesce(record_denial.object, 'more than is kept one by one'), NULL,
                               jsonb_build_object('times', record_denial.times)
                               || CASE WHEN record_denial.code IS NULL THEN '{}' ELSE jsonb_build_object('code', record_denial.code) END
                               || CASE WHEN record_denial.times = 1 THEN '{}' ELSE jsonb_build_object('until', record_denial.last) END
                               || CASE WHEN record_denial.object IS NULL THEN '{"merged": true}'::jsonb ELSE '{}' END)
    FROM (SELECT) AS always LEFT JOIN tenancy.tenants t ON t.id = record_denial.tenant;
END;

COMMENT ON FUNCTION tenancy.record_denial(timestamptz, timestamptz, uuid, text, text, text, bigint) IS
'writes refusals down; called by the background worker; internal';

-- Append-only. Privileges keep everybody out; this keeps out the owner too.

CREATE FUNCTION tenancy.caller_is_superuser() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN coalesce((SELECT r.rolsuper FROM pg_roles r WHERE r.oid = tenancy_internal.caller()), false);

COMMENT ON FUNCTION tenancy.caller_is_superuser() IS 'whether who calls is a superuser; internal';

CREATE FUNCTION tenancy.is_expiring() RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'tenancy_is_expiring';

COMMENT ON FUNCTION tenancy.is_expiring() IS 'whether the statement that runs is one of expire_audit(); nothing else can make it true; internal';

CREATE FUNCTION tenancy_internal.append_only() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT tenancy.caller_is_superuser() AND NOT (TG_OP IN ('INSERT', 'DELETE') AND tenancy.is_expiring()) THEN
        RAISE EXCEPTION USING ERRCODE = '42501',
            MESSAGE = format('table %s.%s is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME),
            DETAIL = 'Not even its owner may change it.';
    END IF;
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('append_only()');

COMMENT ON FUNCTION tenancy.append_only() IS 'trigger: refuses to change what was written, to all but superusers and expire_audit()';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenancy.audit_log
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.append_only();

ALTER TABLE tenancy.audit_log ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION tenancy.audit_scope(tenant uuid) RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF audit_scope.tenant IS NULL AND tenancy.has_context() THEN
        tenant := tenancy.current_tenant_id();
    END IF;
    IF audit_scope.tenant IS NULL OR audit_scope.tenant = '00000000-0000-0000-0000-000000000000' THEN
        PERFORM tenancy.authorize_operator();
        RETURN '00000000-0000-0000-0000-000000000000';
    END IF;
    -- The log of a tenant that was purged is still there, for operators.
    IF NOT tenancy.is_operator() THEN
        PERFORM tenancy.authorize(tenant, 'audit.read');
    END IF;
    RETURN tenant;
END
$$;

COMMENT ON FUNCTION tenancy.audit_scope(uuid) IS
'the log that a caller asks for, if they may read it: null is the current tenant''s, or without one the installation''s; internal';

CREATE FUNCTION tenancy_internal.audit_log(
    tenant uuid DEFAULT NULL, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, by_action text DEFAULT NULL,
    by_actor text DEFAULT NULL, by_object text DEFAULT NULL, max_rows integer DEFAULT 100, before_id uuid DEFAULT NULL
) RETURNS TABLE (id uuid, at timestamptz, actor text, action text, object text, before jsonb, after jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := tenancy.audit_scope(audit_log.tenant);
BEGIN
    IF max_rows IS NULL OR max_rows NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('max_rows must be between 1 and 10000, not %s', coalesce(max_rows::text, 'NULL')),
            HINT = 'Read on with before_id, the id of the last row, or use tenancy.export_audit() for everything.';
    END IF;
    RETURN QUERY
        SELECT l.id, l.at, l.actor, l.action, l.object, l.before, l.after
        FROM tenancy.audit_log l
        WHERE l.tenant_id = whose
          AND (before_id IS NULL OR l.id < before_id)
          AND (since IS NULL OR l.at >= since) AND (until IS NULL OR l.at < until)
          AND (by_action IS NULL OR l.action = by_action)
          AND (by_actor IS NULL OR l.actor = by_actor)
          AND (by_object IS NULL OR l.object = by_object)
        ORDER BY l.id DESC
        LIMIT max_rows;
END
$$;

SELECT tenancy_internal.expose('audit_log(uuid, timestamptz, timestamptz, text, text, text, integer, uuid)');

COMMENT ON FUNCTION tenancy.audit_log(uuid, timestamptz, timestamptz, text, text, text, integer, uuid) IS
'events of a tenant''s audit log (null: the current tenant''s, without one the installation''s), newest first; permission audit.read; before_id reads on from a row';
