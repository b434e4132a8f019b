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
LANGUAGE sql IMMUTABLE PARALLEL SAFE
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

CREATE FUNCTION tenancy.audit_event(
    tenant uuid, action text, object text, before jsonb DEFAULT NULL, after jsonb DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose uuid := coalesce(audit_event.tenant, '00000000-0000-0000-0000-000000000000');
    new_id uuid := tenancy.uuid_v7();
    written_at timestamptz := clock_timestamp();
    who text := tenancy.actor();
BEGIN
    INSERT INTO tenancy.audit_log (tenant_id, id, at, actor, action, object, before, after, digest)
    VALUES (whose, new_id, written_at, who, audit_event.action, audit_event.object, audit_event.before, audit_event.after,
            tenancy.audit_digest(whose, new_id, written_at, who, audit_event.action, audit_event.object,
                                 audit_event.before, audit_event.after));
END
$$;

COMMENT ON FUNCTION tenancy.audit_event(uuid, text, text, jsonb, jsonb) IS
'adds an event to a tenant''s audit log, or with a null tenant to the installation''s; the actor is who calls; internal';
