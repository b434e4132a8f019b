-- What signs and seals: peppers of API keys, the secret that signs invitations, and the keys of token issuers.

CREATE FUNCTION tenancy.random_secret() RETURNS bytea
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'tenancy_random_secret';

COMMENT ON FUNCTION tenancy.random_secret() IS '32 bytes of the server''s strong random source; internal';

CREATE TABLE tenancy.secrets (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL DEFAULT '',
    id integer NOT NULL DEFAULT 1,
    secret bytea NOT NULL DEFAULT tenancy.random_secret(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT secrets_pkey PRIMARY KEY (kind, name, id),
    CONSTRAINT secrets_kind_check CHECK (kind IN ('pepper', 'invitation', 'issuer')),
    CONSTRAINT secrets_name_check CHECK ((kind = 'issuer') = (name <> '')),
    CONSTRAINT secrets_id_check CHECK (id > 0),
    CONSTRAINT secrets_secret_check CHECK (octet_length(secret) BETWEEN 32 AND 65536)
);

COMMENT ON TABLE tenancy.secrets IS
'peppers of API keys, the secret that signs invitations, and the keys that verify issuers'' tokens; a superuser''s dump holds them';
COMMENT ON COLUMN tenancy.secrets.name IS 'the issuer whose keys these are; empty for the other kinds';
COMMENT ON COLUMN tenancy.secrets.id IS 'counts rotations: the highest is for new things, the others for what was made with them';

INSERT INTO tenancy.secrets (kind) VALUES ('pepper'), ('invitation');

-- A dump holds the secrets that were in use, and restoring it meets the ones that CREATE EXTENSION just made.
CREATE FUNCTION tenancy.merge_secret() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.id = 1 THEN
        UPDATE tenancy.secrets s SET secret = NEW.secret, created_at = NEW.created_at
        WHERE s.kind = NEW.kind AND s.name = NEW.name AND s.id = NEW.id;
        RETURN CASE WHEN FOUND THEN NULL ELSE NEW END;
    END IF;
    -- The first one may have been thrown away before the dump. It is as old as the built-in roles if CREATE EXTENSION made it.
    DELETE FROM tenancy.secrets s
    USING tenancy.roles r
    WHERE (s.kind, s.name, s.id) = (NEW.kind, NEW.name, 1) AND s.created_at = r.created_at
      AND (r.tenant_id, r.name) = ('00000000-0000-0000-0000-000000000000', 'admin');
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION tenancy.merge_secret() IS 'trigger: restored secrets take the place of those that CREATE EXTENSION made';

CREATE TRIGGER merge_secret BEFORE INSERT ON tenancy.secrets
FOR EACH ROW WHEN (NEW.name = '' AND (NEW.id = 1 OR tenancy.is_restoring())) EXECUTE FUNCTION tenancy.merge_secret();

SELECT pg_catalog.pg_extension_config_dump('tenancy.secrets', '');

-- Row level security without a policy: also pg_read_all_data sees no row.
ALTER TABLE tenancy.secrets ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.rotate_secret(kind text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made integer;
BEGIN
    -- Two rotations at once would choose the same id.
    LOCK TABLE tenancy.secrets IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO tenancy.secrets (kind, id)
    SELECT rotate_secret.kind, coalesce(max(s.id), 0) + 1 FROM tenancy.secrets s WHERE s.kind = rotate_secret.kind
    RETURNING id INTO made;
    RETURN made;
END
$$;

COMMENT ON FUNCTION tenancy.rotate_secret(text) IS 'makes a new secret of a kind, beside the old ones; internal';

CREATE FUNCTION tenancy_internal.rotate_pepper() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made integer;
BEGIN
    PERFORM tenancy.authorize_operator();
    made := tenancy.rotate_secret('pepper');
    PERFORM tenancy.audit_event(NULL, 'pepper.rotate', 'pepper:' || made);
    RETURN made;
END
$$;

SELECT tenancy_internal.expose('rotate_pepper()');

COMMENT ON FUNCTION tenancy.rotate_pepper() IS
'makes a new pepper for API keys and returns its id; existing keys go on with theirs until they are rotated themselves';

CREATE FUNCTION tenancy_internal.rotate_invitation_secret(keep_old boolean DEFAULT true) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made integer;
BEGIN
    PERFORM tenancy.authorize_operator();
    IF keep_old IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'keep_old must not be null';
    END IF;
    made := tenancy.rotate_secret('invitation');
    IF NOT keep_old THEN
        DELETE FROM tenancy.secrets s WHERE s.kind = 'invitation' AND s.id < made;
    END IF;
    PERFORM tenancy.audit_event(NULL, 'invitation_secret.rotate', 'invitation_secret:' || made, NULL,
                                jsonb_build_object('keep_old', keep_old));
    RETURN made;
END
$$;

SELECT tenancy_internal.expose('rotate_invitation_secret(boolean)');

COMMENT ON FUNCTION tenancy.rotate_invitation_secret(boolean) IS
'makes a new secret that signs invitations and returns its id; with keep_old => false every open invitation ends';
