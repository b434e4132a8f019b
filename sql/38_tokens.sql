-- Tokens of identity providers: who issues them, what verifies them, and how their claims name a tenant and a user.

CREATE FUNCTION tenancy.check_token_keys(algorithms text, keys text) RETURNS integer
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'tenancy_check_token_keys';

COMMENT ON FUNCTION tenancy.check_token_keys(text, text) IS
'how many of the keys can verify tokens; raises 22023 with the reason when they cannot be used; internal';

CREATE FUNCTION tenancy.is_claim_path(path text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'tenancy_is_claim_path';

COMMENT ON FUNCTION tenancy.is_claim_path(text) IS 'whether a text can name a claim: a name, or a JSON pointer beginning with a slash; internal';

CREATE TABLE tenancy.token_issuers (
    issuer text COLLATE "C" NOT NULL,
    algorithms text COLLATE "C" NOT NULL,
    audience text,
    tenant_claim text,
    subject_claim text,
    tenant_id uuid,
    clock_skew integer NOT NULL DEFAULT 30,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT token_issuers_pkey PRIMARY KEY (issuer),
    CONSTRAINT token_issuers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT token_issuers_issuer_check CHECK (octet_length(issuer) BETWEEN 1 AND 1024),
    -- A public key must never be taken for a shared secret.
    CONSTRAINT token_issuers_algorithms_check CHECK (
        algorithms ~ '^(HS256|(RS256|ES256|EdDSA)( (RS256|ES256|EdDSA)){0,2})$'),
    CONSTRAINT token_issuers_audience_check CHECK (octet_length(audience) BETWEEN 1 AND 1024),
    CONSTRAINT token_issuers_claims_check CHECK (tenancy.is_claim_path(tenant_claim) AND tenancy.is_claim_path(subject_claim)),
    CONSTRAINT token_issuers_tenant_check CHECK (
        (tenant_id IS NULL OR tenant_claim IS NULL) AND (tenant_id IS NOT NULL OR tenant_claim IS NOT NULL OR subject_claim IS NOT NULL)),
    CONSTRAINT token_issuers_clock_skew_check CHECK (clock_skew BETWEEN 0 AND 600)
);

CREATE INDEX token_issuers_tenant_id_idx ON tenancy.token_issuers (tenant_id);

COMMENT ON TABLE tenancy.token_issuers IS 'whose tokens are accepted; their keys are in tenancy.secrets';
COMMENT ON COLUMN tenancy.token_issuers.issuer IS 'claim iss of its tokens, to the letter';
COMMENT ON COLUMN tenancy.token_issuers.algorithms IS 'HS256 alone, or some of RS256, ES256 and EdDSA, separated by single spaces';
COMMENT ON COLUMN tenancy.token_issuers.audience IS 'must be in claim aud; null accepts only tokens without an audience';
COMMENT ON COLUMN tenancy.token_issuers.tenant_claim IS
'claim with the tenant''s id or slug, by name or JSON pointer; null for the tenant that the user switched to last';
COMMENT ON COLUMN tenancy.token_issuers.subject_claim IS
'claim that user_identities maps to a user; null for tokens of programs, which act as the application itself';
COMMENT ON COLUMN tenancy.token_issuers.tenant_id IS 'the only tenant that its tokens are good for; null for all';
COMMENT ON COLUMN tenancy.token_issuers.clock_skew IS 'seconds by which exp and nbf may be missed';

SELECT pg_catalog.pg_extension_config_dump('tenancy.token_issuers', '');
ALTER TABLE tenancy.token_issuers ENABLE ROW LEVEL SECURITY;

-- Also when the issuer goes with its tenant.
CREATE FUNCTION tenancy_internal.forget_issuer_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM tenancy.secrets s WHERE s.kind = 'issuer' AND s.name = OLD.issuer;
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('forget_issuer_keys()');

COMMENT ON FUNCTION tenancy.forget_issuer_keys() IS 'trigger: the keys of an issuer end with it';

CREATE TRIGGER forget_issuer_keys AFTER DELETE ON tenancy.token_issuers
FOR EACH ROW EXECUTE FUNCTION tenancy.forget_issuer_keys();

CREATE FUNCTION tenancy.enter_with_token(token text, is_local boolean DEFAULT true) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_enter_with_token';

COMMENT ON FUNCTION tenancy.enter_with_token(text, boolean) IS
'makes the tenant and user that a signed JSON Web Token names the context and returns the tenant''s id; TN007 for every token that is not valid, otherwise errors as set_tenant';

CREATE FUNCTION tenancy.pre_request() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tenancy_pre_request';

COMMENT ON FUNCTION tenancy.pre_request() IS
'for PostgREST''s db-pre-request: enters as the claims in request.jwt.claims say, which PostgREST has verified; whoever may call it and SET that setting can name any user, so it is given with trust session, like enter()';

CREATE FUNCTION tenancy_internal.add_token_issuer(
    issuer text,
    algorithms text[],
    keys text DEFAULT NULL,
    audience text DEFAULT NULL,
    tenant_claim text DEFAULT 'tenant',
    subject_claim text DEFAULT 'sub',
    tenant uuid DEFAULT NULL,
    clock_skew interval DEFAULT '30 seconds')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM tenancy.authorize_operator();
    IF add_token_issuer.issuer IS NULL OR add_token_issuer.algorithms IS NULL OR add_token_issuer.clock_skew IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'issuer, algorithms and clock_skew must not be null';
    END IF;
    IF octet_length(add_token_issuer.issuer) NOT BETWEEN 1 AND 1024 OR octet_length(add_token_issuer.audience) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'issuer and audience must have 1 to 1024 bytes';
    END IF;
    IF array_to_string(add_token_issuer.algorithms, ' ', '') !~ '^(HS256|(RS256|ES256|EdDSA)( (RS256|ES256|EdDSA)){0,2})$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid algorithms %s', left(array_to_string(add_token_issuer.algorithms, ', ', 'NULL'), 80)),
            HINT = 'Use HS256 alone, or some of RS256, ES256 and EdDSA.';
    END IF;
    IF NOT coalesce(tenancy.is_claim_path(add_token_issuer.tenant_claim), true)
       OR NOT coalesce(tenancy.is_claim_path(add_token_issuer.subject_claim), true) THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'tenant_claim and subject_claim must be the name of a claim or a JSON pointer',
            HINT = 'A JSON pointer begins with a slash: /app_metadata/tenant.';
    END IF;
    IF add_token_issuer.clock_skew NOT BETWEEN '0'::interval AND '10 minutes'::interval THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('clock_skew must be between 0 and 10 minutes, not %s', add_token_issuer.clock_skew);
    END IF;
    IF add_token_issuer.tenant IS NOT NULL THEN
        IF NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = add_token_issuer.tenant) THEN
            PERFORM tenancy.raise_not_available();
        END IF;
    ELSIF add_token_issuer.tenant_claim IS NULL AND add_token_issuer.subject_claim IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'tokens of the issuer would name no tenant and no user',
            HINT = 'Give tenant_claim, subject_claim or tenant.';
    END IF;

    INSERT INTO tenancy.token_issuers (issuer, algorithms, audience, tenant_claim, subject_claim, tenant_id, clock_skew)
    VALUES (add_token_issuer.issuer, array_to_string(add_token_issuer.algorithms, ' '), add_token_issuer.audience,
            CASE WHEN add_token_issuer.tenant IS NULL THEN add_token_issuer.tenant_claim END, add_token_issuer.subject_claim,
            add_token_issuer.tenant, extract(epoch FROM add_token_issuer.clock_skew)::integer)
    ON CONFLICT ON CONSTRAINT token_issuers_pkey DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42710',
            MESSAGE = format('token issuer %L already exists', left(add_token_issuer.issuer, 200)),
            HINT = 'tenancy.set_token_issuer_keys() changes its keys, tenancy.drop_token_issuer() removes it.';
    END IF;
    PERFORM tenancy.audit_event(add_token_issuer.tenant, 'token_issuer.add', 'token_issuer:' || add_token_issuer.issuer, NULL,
        jsonb_build_object('algorithms', add_token_issuer.algorithms, 'audience', add_token_issuer.audience));
    IF add_token_issuer.keys IS NOT NULL THEN
        PERFORM tenancy.set_token_issuer_keys(add_token_issuer.issuer, add_token_issuer.keys);
    END IF;
END
$$;

SELECT tenancy_internal.expose('add_token_issuer(text, text[], text, text, text, text, uuid, interval)');

COMMENT ON FUNCTION tenancy.add_token_issuer(text, text[], text, text, text, text, uuid, interval) IS
'lets the tokens of an identity provider enter: the shared secret (HS256), or public keys as PEM or JSON Web Key set; without keys its claims are good for pre_request() only; for operators';

CREATE FUNCTION tenancy_internal.set_token_issuer_keys(issuer text, keys text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found_algorithms text;
    found_tenant uuid;
    usable integer;
BEGIN
    PERFORM tenancy.authorize_operator();
    IF set_token_issuer_keys.keys IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'keys must not be null';
    END IF;
    UPDATE tenancy.token_issuers t SET updated_at = now() WHERE t.issuer = set_token_issuer_keys.issuer
    RETURNING t.algorithms, t.tenant_id INTO found_algorithms, found_tenant;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_no_issuer(set_token_issuer_keys.issuer);
    END IF;
    usable := tenancy.check_token_keys(found_algorithms, set_token_issuer_keys.keys);
    INSERT INTO tenancy.secrets (kind, name, secret)
    VALUES ('issuer', set_token_issuer_keys.issuer, convert_to(set_token_issuer_keys.keys, 'UTF8'))
    ON CONFLICT ON CONSTRAINT secrets_pkey DO UPDATE SET secret = excluded.secret, created_at = now();
    PERFORM tenancy.audit_event(found_tenant, 'token_issuer.set_keys', 'token_issuer:' || set_token_issuer_keys.issuer, NULL,
        jsonb_build_object('usable', usable));
    RETURN usable;
END
$$;

SELECT tenancy_internal.expose('set_token_issuer_keys(text, text)');

COMMENT ON FUNCTION tenancy.set_token_issuer_keys(text, text) IS
'replaces the keys of a token issuer and returns how many of them can be used; a JSON Web Key set may hold the old and the new; for operators';

CREATE FUNCTION tenancy.raise_no_issuer(issuer text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '42704',
        MESSAGE = format('token issuer %s does not exist', coalesce(quote_literal(left(raise_no_issuer.issuer, 200)), 'NULL')),
        HINT = 'tenancy.list_token_issuers() lists them.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_no_issuer(text) IS 'raises 42704 for an unknown issuer; internal';

CREATE FUNCTION tenancy_internal.drop_token_issuer(issuer text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found_tenant uuid;
BEGIN
    PERFORM tenancy.authorize_operator();
    DELETE FROM tenancy.token_issuers t WHERE t.issuer = drop_token_issuer.issuer RETURNING t.tenant_id INTO found_tenant;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_no_issuer(drop_token_issuer.issuer);
    END IF;
    PERFORM tenancy.audit_event(found_tenant, 'token_issuer.drop', 'token_issuer:' || drop_token_issuer.issuer);
END
$$;

SELECT tenancy_internal.expose('drop_token_issuer(text)');

COMMENT ON FUNCTION tenancy.drop_token_issuer(text) IS 'ends the trust in an identity provider''s tokens; for operators';

CREATE FUNCTION tenancy_internal.list_token_issuers()
RETURNS TABLE (issuer text, algorithms text[], audience text, tenant_claim text, subject_claim text, tenant_id uuid,
               clock_skew interval, has_keys boolean, created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM tenancy.authorize_operator();
    RETURN QUERY
    SELECT t.issuer, string_to_array(t.algorithms, ' '), t.audience, t.tenant_claim, t.subject_claim, t.tenant_id,
           make_interval(secs => t.clock_skew),
           EXISTS (SELECT FROM tenancy.secrets s WHERE s.kind = 'issuer' AND s.name = t.issuer), t.created_at, t.updated_at
    FROM tenancy.token_issuers t
    ORDER BY t.issuer;
END
$$;

SELECT tenancy_internal.expose('list_token_issuers()');

COMMENT ON FUNCTION tenancy.list_token_issuers() IS 'whose tokens are accepted, without their keys; for operators';
