-- Findings of check() that are meant to be so. What is accepted is one finding as it was: with another problem or severity it is shown again.

CREATE TABLE tenancy.accepted_findings (
    code text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    problem text COLLATE "C" NOT NULL,
    severity text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    accepted_by text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accepted_findings_pkey PRIMARY KEY (code, object, problem),
    CONSTRAINT accepted_findings_reason_check CHECK (reason ~ '[^[:space:]]' AND length(reason) <= 2000)
);

COMMENT ON TABLE tenancy.accepted_findings IS 'findings of check() that are meant to be so; written by accept_finding() and unaccept_finding()';
COMMENT ON COLUMN tenancy.accepted_findings.problem IS 'what the finding said when it was accepted; the acceptance is for that and no other problem';
COMMENT ON COLUMN tenancy.accepted_findings.accepted_by IS 'the role, or who was in context, as in the audit log';

SELECT pg_catalog.pg_extension_config_dump('tenancy.accepted_findings', '');

ALTER TABLE tenancy.accepted_findings ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy_internal.acceptances() RETURNS SETOF tenancy.accepted_findings
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.* FROM tenancy.accepted_findings a;
END;

SELECT tenancy_internal.expose('acceptances()');

COMMENT ON FUNCTION tenancy.acceptances() IS 'what was accepted of check()''s findings, for check() by an owner; internal';

CREATE FUNCTION tenancy_internal.accept_finding(code text, object text, reason text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text := CASE WHEN code IS NULL THEN 'code' WHEN object IS NULL THEN 'object' WHEN reason IS NULL THEN 'reason' END;
    found record;
    accepted integer := 0;
BEGIN
    PERFORM tenancy.authorize_operator();
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('%s must not be null', missing);
    END IF;
    IF reason !~ '[^[:space:]]' OR length(reason) > 2000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('reason must have 1 to 2000 characters, not %s', length(btrim(reason))),
            HINT = 'Say why the finding is meant to be so, for whoever reads it next.';
    END IF;
    IF code IN ('acceptance_stale', 'check_failed') THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('finding %s cannot be accepted', code),
            HINT = CASE code WHEN 'check_failed' THEN 'Correct what check() fails at: it cannot know what else is there.'
                             ELSE 'Take the acceptance back with tenancy.unaccept_finding().' END;
    END IF;
    FOR found IN SELECT f.* FROM tenancy.all_findings() f WHERE f.code = accept_finding.code AND f.object = accept_finding.object LOOP
        INSERT INTO tenancy.accepted_findings AS a (code, object, problem, severity, reason, accepted_by)
        VALUES (found.code, found.object, found.problem, found.severity, accept_finding.reason, tenancy.actor())
        ON CONFLICT ON CONSTRAINT accepted_findings_pkey DO UPDATE
        SET severity = excluded.severity, reason = excluded.reason, accepted_by = excluded.accepted_by, accepted_at = excluded.accepted_at;
        accepted := accepted + 1;
        PERFORM tenancy.audit_event(NULL, 'finding.accept', format('finding:%s %s', found.code, found.object), NULL,
                                    jsonb_build_object('severity', found.severity, 'problem', found.problem, 'reason', accept_finding.reason));
    END LOOP;
    IF accepted = 0 THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('there is no finding %s of %s', left(code, 80), left(object, 200)),
            HINT = 'Give code and object just as tenancy.check() does.';
    END IF;
    RETURN accepted;
END
$$;

SELECT tenancy_internal.expose('accept_finding(text, text, text)');

COMMENT ON FUNCTION tenancy.accept_finding(text, text, text) IS
'says that what check() finds now with this code of this object is meant to be so, and why; returns how many findings that are. A finding whose problem or severity changes is not accepted any more';

CREATE FUNCTION tenancy_internal.unaccept_finding(code text, object text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone record;
    removed integer := 0;
BEGIN
    PERFORM tenancy.authorize_operator();
    FOR gone IN
        DELETE FROM tenancy.accepted_findings a WHERE a.code = unaccept_finding.code AND a.object = unaccept_finding.object RETURNING a.*
    LOOP
        removed := removed + 1;
        PERFORM tenancy.audit_event(NULL, 'finding.unaccept', format('finding:%s %s', gone.code, gone.object),
                                    jsonb_build_object('severity', gone.severity, 'problem', gone.problem, 'reason', gone.reason));
    END LOOP;
    IF removed = 0 THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('finding %s of %s is not accepted', coalesce(left(code, 80), 'NULL'), coalesce(left(object, 200), 'NULL')),
            HINT = 'tenancy.list_accepted_findings() shows those that are.';
    END IF;
    RETURN removed;
END
$$;

SELECT tenancy_internal.expose('unaccept_finding(text, text)');

COMMENT ON FUNCTION tenancy.unaccept_finding(text, text) IS 'takes back what accept_finding() said of a code and an object; returns how many findings that were';

CREATE FUNCTION tenancy_internal.list_accepted_findings()
RETURNS TABLE (code text, object text, severity text, problem text, reason text, accepted_by text, accepted_at timestamptz, is_found boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH found AS MATERIALIZED (SELECT f.* FROM tenancy.all_findings() f)
    SELECT a.code, a.object, a.severity, a.problem, a.reason, a.accepted_by, a.accepted_at,
           EXISTS (SELECT FROM found f WHERE (f.code, f.object, f.severity, f.problem) = (a.code, a.object, a.severity, a.problem))
    FROM tenancy.accepted_findings a
    ORDER BY a.code, a.object, a.problem
$$;

SELECT tenancy_internal.expose('list_accepted_findings()');

COMMENT ON FUNCTION tenancy.list_accepted_findings() IS 'the findings that were accepted, by whom and why, and whether they are found still';
