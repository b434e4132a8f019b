-- Invitations: tokens that the database signs and does not keep, and an outbox for whoever sends the mail.

CREATE FUNCTION tenancy.sign_invitation(claims jsonb) RETURNS text
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'tenancy_sign_invitation';

COMMENT ON FUNCTION tenancy.sign_invitation(jsonb) IS 'a JSON Web Token with these claims, signed with the newest invitation secret; internal';

CREATE FUNCTION tenancy.open_invitation(token text) RETURNS jsonb
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'tenancy_open_invitation';

COMMENT ON FUNCTION tenancy.open_invitation(text) IS
'the claims of an invitation that was signed here and is not over, or null; internal';

CREATE TABLE tenancy.outbox (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    kind text COLLATE "C" NOT NULL,
    tenant_id uuid,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT outbox_kind_check CHECK (kind ~ '^[a-z][a-z0-9_.]{0,62}$')
);

CREATE INDEX outbox_tenant_id_idx ON tenancy.outbox (tenant_id);

COMMENT ON TABLE tenancy.outbox IS 'what the application has to send; take_outbox() hands it over';

CREATE TABLE tenancy.spent_invitations (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT spent_invitations_pkey PRIMARY KEY (id),
    CONSTRAINT spent_invitations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE
);

CREATE INDEX spent_invitations_tenant_id_idx ON tenancy.spent_invitations (tenant_id);

COMMENT ON TABLE tenancy.spent_invitations IS
'invitations that were accepted or revoked before they expire: a member who was removed does not come back by an old one';

SELECT pg_catalog.pg_extension_config_dump('tenancy.outbox', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.spent_invitations', '');
ALTER TABLE tenancy.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.spent_invitations ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.raise_bad_invitation() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TN008', MESSAGE = 'invitation is not valid',
        HINT = 'Accept it once, before it expires, as the user with the e-mail address that it was sent to; or ask for a new one.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_bad_invitation() IS 'raises TN008; internal';

CREATE FUNCTION tenancy_internal.invite(tenant uuid, email text, role text, valid_for interval DEFAULT '7 days') RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    id uuid := tenancy.uuid_v7();
    token text;
    ends timestamptz;
    outbox_id uuid;
BEGIN
    PERFORM tenancy.authorize(invite.tenant, 'invitations.manage');
    IF invite.email IS NULL OR invite.valid_for IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'email and valid_for must not be null';
    END IF;
    IF invite.email !~ '^[^@[:space:]]+@[^@[:space:]]+$' OR length(invite.email) > 320 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid e-mail address %L', left(invite.email, 80));
    END IF;
    IF invite.valid_for <= '0'::interval OR invite.valid_for > '90 days'::interval THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('valid_for must be more than 0 and at most 90 days, not %s', invite.valid_for);
    END IF;
    PERFORM tenancy.refuse_wider_grant(invite.tenant, invite.role, '{}');
    IF EXISTS (SELECT FROM tenancy.memberships m JOIN tenancy.users u ON u.id = m.user_id
               WHERE m.tenant_id = invite.tenant AND lower(u.email) = lower(invite.email)) THEN
        RAISE EXCEPTION USING ERRCODE = '42710', MESSAGE = 'a user with this e-mail address is a member already';
    END IF;

    ends := clock_timestamp() + invite.valid_for;
    token := tenancy.sign_invitation(jsonb_strip_nulls(jsonb_build_object(
        'aud', 'tenancy:invitation', 'jti', id, 'iat', floor(extract(epoch FROM clock_timestamp())), 'exp', ceil(extract(epoch FROM ends)),
        'email', invite.email, 'tenant', invite.tenant, 'role', invite.role,
        'inviter', CASE WHEN tenancy.is_operator() THEN 'operator' ELSE tenancy.actor() END)));
    INSERT INTO tenancy.outbox (kind, tenant_id, payload)
    VALUES ('invitation', invite.tenant, jsonb_build_object(
        'invitation_id', id, 'email', invite.email, 'role', invite.role, 'token', token, 'expires_at', ends))
    RETURNING outbox.id INTO outbox_id;
    PERFORM tenancy.audit_event(invite.tenant, 'invitation.create', 'invitation:' || id, NULL,
        jsonb_build_object('email', invite.email, 'role', invite.role, 'expires_at', ends));
    -- Every role of the database may listen: the message says only where to look.
    PERFORM pg_notify('tenancy_outbox', outbox_id::text);
    RETURN token;
END
$$;

SELECT tenancy_internal.expose('invite(uuid, text, text, interval)');

COMMENT ON FUNCTION tenancy.invite(uuid, text, text, interval) IS
'invites an e-mail address to a tenant and returns the signed token, which the outbox holds too; needs invitations.manage, and the caller may give no role that may do more than they (42501)';

CREATE FUNCTION tenancy.inviter_still_may(tenant uuid, inviter text, role text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    inviter_id uuid := tenancy.uuid_or_null(split_part(inviter, ':', 2));
    inviter_role text;
    inviter_scopes text := '';
    invited record;
    inviting record;
BEGIN
    SELECT r.rank INTO invited FROM tenancy.role_named(inviter_still_may.tenant, inviter_still_may.role) r;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF inviter = 'operator' THEN
        RETURN true;
    ELSIF inviter LIKE 'user:%' THEN
        SELECT m.role INTO inviter_role
        FROM tenancy.memberships m
        JOIN tenancy.users u ON u.id = m.user_id
        WHERE m.tenant_id = inviter_still_may.tenant AND m.user_id = inviter_id AND u.status = 'active';
    ELSIF inviter LIKE 'key:%' THEN
        SELECT k.role, k.scopes INTO inviter_role, inviter_scopes
        FROM tenancy.api_keys k
        WHERE k.tenant_id = inviter_still_may.tenant AND k.id = inviter_id
          AND coalesce(least(k.expires_at, k.revoked_at) > clock_timestamp(), true);
    END IF;
    SELECT r.rank, string_to_array(r.permissions, ' ') AS permissions INTO inviting
    FROM tenancy.role_named(inviter_still_may.tenant, inviter_role) r;
    RETURN FOUND AND inviting.rank >= invited.rank AND 'invitations.manage' = ANY (inviting.permissions)
        AND (inviter_scopes = '' OR 'invitations.manage' = ANY (string_to_array(inviter_scopes, ' ')));
END
$$;

COMMENT ON FUNCTION tenancy.inviter_still_may(uuid, text, text) IS
'whether who signed an invitation may still give its role, and the role still exists; internal';

CREATE FUNCTION tenancy.add_invited_member(claims jsonb, user_id uuid) RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    invited_to uuid;
    inviter text := claims ->> 'inviter';
BEGIN
    -- The lock that every change of the tenant and its members takes: nobody loses a role while this is decided.
    SELECT t.id INTO invited_to
    FROM tenancy.tenants t
    JOIN tenancy.organizations o ON o.id = t.organization_id
    WHERE t.id = (claims ->> 'tenant')::uuid AND t.status = 'active' AND o.status = 'active'
    FOR NO KEY UPDATE OF t;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM FROM tenancy.users u
    WHERE u.id = add_invited_member.user_id AND u.status = 'active' AND lower(u.email) = lower(claims ->> 'email')
    FOR SHARE;
    IF NOT FOUND OR NOT tenancy.inviter_still_may(invited_to, inviter, claims ->> 'role') THEN
        RETURN NULL;
    END IF;

    -- Of two sessions one waits here for the other, and then finds the invitation spent.
    DELETE FROM tenancy.spent_invitations s WHERE s.tenant_id = invited_to AND s.expires_at < now() - interval '1 day';
    INSERT INTO tenancy.spent_invitations (id, tenant_id, expires_at)
    VALUES ((claims ->> 'jti')::uuid, invited_to, to_timestamp((claims ->> 'exp')::double precision))
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE tenancy.memberships m SET shows_user = true
    WHERE m.tenant_id = invited_to AND m.user_id = add_invited_member.user_id AND NOT m.shows_user;
    IF FOUND THEN
        RETURN invited_to;
    ELSIF EXISTS (SELECT FROM tenancy.memberships m WHERE m.tenant_id = invited_to AND m.user_id = add_invited_member.user_id) THEN
        RETURN NULL;
    END IF;
    PERFORM tenancy.consume(invited_to, 'members');
    INSERT INTO tenancy.memberships (tenant_id, user_id, role, created_by)
    VALUES (invited_to, add_invited_member.user_id, claims ->> 'role',
            CASE WHEN inviter LIKE 'user:%' THEN substr(inviter, 6)::uuid END)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM tenancy.audit_event(invited_to, 'invitation.accept', 'user:' || add_invited_member.user_id, NULL,
        jsonb_build_object('invitation_id', claims ->> 'jti', 'role', claims ->> 'role', 'inviter', inviter));
    RETURN invited_to;
END
$$;

COMMENT ON FUNCTION tenancy.add_invited_member(jsonb, uuid) IS
'makes a user a member as the claims of an opened invitation say and returns the tenant''s id, or null when they may not become one; internal';

CREATE FUNCTION tenancy_internal.accept_invitation(token text, user_id uuid DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    accepting uuid := accept_invitation.user_id;
    user_in_context uuid;
    claims jsonb;
    entered uuid;
BEGIN
    IF tenancy.has_context() THEN
        user_in_context := tenancy.current_user_id();
    END IF;
    IF accepting IS NULL THEN
        accepting := user_in_context;
        IF accepting IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'user_id must not be null when no user is in context';
        END IF;
    ELSIF accepting IS DISTINCT FROM user_in_context THEN
        -- Who is somebody accepts for nobody else. Without a user, the roles that may enter as any user may name one.
        IF user_in_context IS NOT NULL
           OR NOT (tenancy.is_operator() OR has_function_privilege(tenancy_internal.caller(), 'tenancy.enter(uuid, uuid, boolean)', 'EXECUTE')) THEN
            RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'an invitation is accepted by the user in context only';
        END IF;
    END IF;

    claims := tenancy.open_invitation(accept_invitation.token);
    IF claims IS NOT NULL THEN
        entered := tenancy.add_invited_member(claims, accepting);
    END IF;
    IF entered IS NULL THEN
        -- One text, from one place, so that a token in wrong hands tells nothing.
        PERFORM tenancy.raise_bad_invitation();
    END IF;
    RETURN entered;
END
$$;

SELECT tenancy_internal.expose('accept_invitation(text, uuid)');

COMMENT ON FUNCTION tenancy.accept_invitation(text, uuid) IS
'makes the user in context, or the one that an application names, a member as invited and returns the tenant''s id; TN008 for every invitation that is not valid for them, TN005 when the tenant may have no more members';

CREATE FUNCTION tenancy_internal.revoke_invitation(token text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    claims jsonb := tenancy.open_invitation(revoke_invitation.token);
    invited_to uuid := (claims ->> 'tenant')::uuid;
BEGIN
    IF claims IS NULL THEN
        PERFORM tenancy.raise_bad_invitation();
    END IF;
    PERFORM tenancy.authorize(invited_to, 'invitations.manage');
    INSERT INTO tenancy.spent_invitations (id, tenant_id, expires_at)
    VALUES ((claims ->> 'jti')::uuid, invited_to, to_timestamp((claims ->> 'exp')::double precision))
    ON CONFLICT DO NOTHING;
    PERFORM tenancy.audit_event(invited_to, 'invitation.revoke', 'invitation:' || (claims ->> 'jti'));
    DELETE FROM tenancy.outbox o
    WHERE o.tenant_id = invited_to AND o.kind = 'invitation' AND o.payload ->> 'invitation_id' = claims ->> 'jti';
END
$$;

SELECT tenancy_internal.expose('revoke_invitation(text)');

COMMENT ON FUNCTION tenancy.revoke_invitation(text) IS
'ends an invitation that was not accepted yet; needs invitations.manage; TN008 when there is nothing left to end';

CREATE FUNCTION tenancy_internal.take_outbox(how_many integer DEFAULT 100)
RETURNS TABLE (id uuid, kind text, tenant_id uuid, payload jsonb, created_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM tenancy.authorize_operator();
    IF how_many IS NULL OR how_many <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN how_many IS NULL THEN '22004' ELSE '22023' END,
            MESSAGE = format('how_many must be positive, not %s', coalesce(how_many::text, 'NULL'));
    END IF;
    RETURN QUERY
    WITH taken AS (
        DELETE FROM tenancy.outbox o
        WHERE o.id IN (SELECT w.id FROM tenancy.outbox w ORDER BY w.id LIMIT how_many FOR UPDATE SKIP LOCKED)
        RETURNING o.*)
    SELECT t.id, t.kind, t.tenant_id, t.payload, t.created_at FROM taken t ORDER BY t.id;
END
$$;

SELECT tenancy_internal.expose('take_outbox(integer)');

COMMENT ON FUNCTION tenancy.take_outbox(integer) IS
'takes messages out of the outbox, the oldest first: they are gone when the transaction commits and back when it does not; for operators; LISTEN tenancy_outbox tells when there are new ones';
