-- Users: registered and kept by operators; a user in context reads and changes what is their own.

CREATE FUNCTION tenancy.refuse_bad_email(email text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(email) > 320 OR email !~ '^[^@[:space:]]+@[^@[:space:]]+$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid e-mail address %L', left(email, 80)),
            HINT = 'Use name@domain without spaces, at most 320 characters.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_email(text) IS 'raises 22023 for what cannot be an e-mail address; internal';

CREATE FUNCTION tenancy.refuse_bad_identity(issuer text, subject text) RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_null(issuer IS NULL, 'issuer'), tenancy.refuse_null(subject IS NULL, 'subject');
    IF octet_length(issuer) NOT BETWEEN 1 AND 1024 OR octet_length(subject) NOT BETWEEN 1 AND 1024 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid identity: expected 1 to 1024 bytes each, not %s for issuer and %s for subject',
                             octet_length(issuer), octet_length(subject)),
            HINT = 'Pass the claims iss and sub of the identity provider''s tokens.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_identity(text, text) IS 'raises 22004 or 22023 for what cannot name a user at an identity provider; internal';

CREATE FUNCTION tenancy.raise_no_user(user_id uuid) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('user %s does not exist', user_id),
        HINT = 'tenancy.find_user() finds a user by e-mail or external identity.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_no_user(uuid) IS 'raises 42704; internal';

-- Everybody but operators sees themselves only.
CREATE FUNCTION tenancy.authorize_user(user_id uuid) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_null(user_id IS NULL, 'user_id');
    IF NOT EXISTS (SELECT FROM tenancy.users u WHERE u.id = authorize_user.user_id)
       OR NOT tenancy.is_operator() AND tenancy.acting_user() IS DISTINCT FROM authorize_user.user_id THEN
        PERFORM tenancy.raise_no_user(user_id);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.authorize_user(uuid) IS 'lets an operator pass and the user in person; 42704 for everybody else; internal';

CREATE FUNCTION tenancy.insert_identity(user_id uuid, issuer text, subject text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO tenancy.user_identities (issuer, subject, user_id)
    VALUES (insert_identity.issuer, insert_identity.subject, insert_identity.user_id)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '23505',
            MESSAGE = format('identity %L of issuer %L belongs to a user already', left(subject, 80), left(issuer, 80)),
            HINT = 'tenancy.find_user(issuer => ..., subject => ...) tells to whom.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.insert_identity(uuid, text, text) IS 'adds an external identity to a user; 23505 where it belongs to one already; internal';

CREATE FUNCTION tenancy.raise_email_taken(email text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = format('a user with the e-mail address %L exists already', email),
        HINT = 'Addresses are compared without regard to case; tenancy.find_user() finds the user.';
END
$$;

COMMENT ON FUNCTION tenancy.raise_email_taken(text) IS 'raises 23505; internal';

-- The part of the e-mail before the @ in the letters of a slug; short enough for what makes it unique.
CREATE FUNCTION tenancy.slug_of(text_of_person text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN coalesce(nullif(trim(BOTH '-' FROM left(
    trim(BOTH '-' FROM regexp_replace(lower(split_part(text_of_person, '@', 1)), '[^a-z0-9]+', '-', 'g')), 48)), ''), 'user');

COMMENT ON FUNCTION tenancy.slug_of(text) IS 'a slug made of a person''s e-mail address or name; internal';

CREATE FUNCTION tenancy_internal.register_user(
    email text DEFAULT NULL,
    name text DEFAULT NULL,
    issuer text DEFAULT NULL,
    subject text DEFAULT NULL,
    settings jsonb DEFAULT '{}',
    plan text DEFAULT 'free',
    OUT user_id uuid,
    OUT organization_id uuid,
    OUT tenant_id uuid
) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base text := tenancy.slug_of(coalesce(register_user.email, register_user.name, ''));
    candidate text := base;
    title text := coalesce(register_user.name, split_part(register_user.email, '@', 1), 'Personal');
BEGIN
    PERFORM tenancy.authorize_operator();
    IF register_user.email IS NULL AND (register_user.issuer IS NULL OR register_user.subject IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'email must not be null',
            HINT = 'A user is known by an e-mail address, or by issuer and subject of an identity provider, or both.';
    END IF;
    PERFORM tenancy.refuse_bad_email(register_user.email);
    PERFORM tenancy.refuse_bad_name(register_user.name, 'a user');
    PERFORM tenancy.refuse_bad_object(register_user.settings, 'settings');
    IF register_user.issuer IS NOT NULL OR register_user.subject IS NOT NULL THEN
        PERFORM tenancy.refuse_bad_identity(register_user.issuer, register_user.subject);
    END IF;
    PERFORM tenancy.refuse_null(register_user.plan IS NULL, 'plan');
    IF NOT EXISTS (SELECT FROM tenancy.plans p WHERE p.name = register_user.plan) THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('plan %L does not exist', left(register_user.plan, 80)),
            HINT = 'Plans are the rows of tenancy.plans.';
    END IF;

    INSERT INTO tenancy.users (email, name, settings)
    VALUES (register_user.email, register_user.name, coalesce(register_user.settings, '{}'))
    ON CONFLICT DO NOTHING
    RETURNING id INTO user_id;
    IF user_id IS NULL THEN
        PERFORM tenancy.raise_email_taken(register_user.email);
    END IF;
    IF register_user.issuer IS NOT NULL THEN
        PERFORM tenancy.insert_identity(user_id, register_user.issuer, register_user.subject);
    END IF;

    -- Another session may take the same slug at any time: the insert itself tells, and then the next one is tried.
    LOOP
        INSERT INTO tenancy.organizations (slug, name, created_by, plan)
        VALUES (candidate, left(title, 200), user_id, register_user.plan)
        ON CONFLICT ON CONSTRAINT organizations_slug_key DO NOTHING
        RETURNING id INTO organization_id;
        EXIT WHEN organization_id IS NOT NULL;
        candidate := base || '-' || right(gen_random_uuid()::text, 8);
    END LOOP;
    PERFORM tenancy.consume_of_organization(organization_id, 'tenants', 1);
    -- Most often the same one as the organization's.
    LOOP
        INSERT INTO tenancy.tenants (organization_id, slug, name, created_by)
        VALUES (register_user.organization_id, candidate, left(title, 200), user_id)
        ON CONFLICT ON CONSTRAINT tenants_slug_key DO NOTHING
        RETURNING id INTO tenant_id;
        EXIT WHEN tenant_id IS NOT NULL;
        candidate := base || '-' || right(gen_random_uuid()::text, 8);
    END LOOP;
    PERFORM tenancy.audit_event(NULL, 'user.register', 'user:' || user_id, NULL,
        jsonb_build_object('email', register_user.email, 'organization_id', organization_id, 'tenant_id', tenant_id));
    PERFORM tenancy.audit_event(tenant_id, 'tenant.create', 'tenant:' || tenant_id, NULL, jsonb_build_object(
        'slug', candidate, 'name', left(title, 200), 'organization_id', organization_id));
    PERFORM tenancy.insert_member(tenant_id, user_id, 'admin', user_id);
    UPDATE tenancy.users u SET current_tenant_id = register_user.tenant_id WHERE u.id = user_id;
END
$$;

SELECT tenancy_internal.expose('register_user(text, text, text, text, jsonb, text)');

COMMENT ON FUNCTION tenancy.register_user(text, text, text, text, jsonb, text) IS
'makes a user with an organization, of this plan, and a tenant of their own, of which they are the admin, all or nothing; 23505 when the e-mail or the identity is taken; for operators';

CREATE FUNCTION tenancy_internal.get_user(user_id uuid)
RETURNS TABLE (id uuid, email text, name text, status text, settings jsonb, current_tenant_id uuid,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_null(user_id IS NULL, 'user_id');
    RETURN QUERY
        SELECT u.id, u.email, u.name, u.status, u.settings, u.current_tenant_id, u.created_at, u.updated_at
        FROM tenancy.users u
        WHERE u.id = get_user.user_id AND (tenancy.is_operator() OR u.id = tenancy.acting_user());
END
$$;

SELECT tenancy_internal.expose('get_user(uuid)');

COMMENT ON FUNCTION tenancy.get_user(uuid) IS 'the user with this id, for operators and for the user in person; no row for everybody else';

CREATE FUNCTION tenancy.user_named(email text, issuer text, subject text) RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id uuid;
BEGIN
    PERFORM tenancy.authorize_operator();
    IF email IS NULL AND (issuer IS NULL OR subject IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'email must not be null',
            HINT = 'Name a user by e-mail, or by issuer and subject.';
    END IF;
    IF issuer IS NOT NULL OR subject IS NOT NULL THEN
        SELECT i.user_id INTO found_id FROM tenancy.user_identities i
        WHERE i.issuer = user_named.issuer AND i.subject = user_named.subject;
        RETURN (SELECT u.id FROM tenancy.users u
                WHERE u.id = found_id AND (user_named.email IS NULL OR lower(u.email) = lower(user_named.email)));
    END IF;
    RETURN (SELECT u.id FROM tenancy.users u WHERE lower(u.email) = lower(user_named.email));
END
$$;

COMMENT ON FUNCTION tenancy.user_named(text, text, text) IS 'id of the user whom all that is not null names, or null; internal';

CREATE FUNCTION tenancy_internal.find_user(email text DEFAULT NULL, issuer text DEFAULT NULL, subject text DEFAULT NULL)
RETURNS TABLE (id uuid, email text, name text, status text, settings jsonb, current_tenant_id uuid,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.id, u.email, u.name, u.status, u.settings, u.current_tenant_id, u.created_at, u.updated_at
    FROM tenancy.users u
    WHERE u.id = (SELECT tenancy.user_named($1, $2, $3));
END;

SELECT tenancy_internal.expose('find_user(text, text, text)');

COMMENT ON FUNCTION tenancy.find_user(text, text, text) IS
'the user with this e-mail address, whatever its case, or this external identity, or no row; for operators';

CREATE FUNCTION tenancy_internal.list_users(after uuid DEFAULT NULL, at_most integer DEFAULT 1000)
RETURNS TABLE (id uuid, email text, name text, status text, settings jsonb, current_tenant_id uuid,
               created_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_operator();
    IF at_most IS NULL OR at_most < 0 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid at_most %s', coalesce(at_most::text, 'NULL')),
            HINT = 'Use how many users are wanted, 0 or more.';
    END IF;
    RETURN QUERY
        SELECT u.id, u.email, u.name, u.status, u.settings, u.current_tenant_id, u.created_at, u.updated_at
        FROM tenancy.users u
        WHERE list_users.after IS NULL OR u.id > list_users.after
        ORDER BY u.id LIMIT list_users.at_most;
END
$$;

SELECT tenancy_internal.expose('list_users(uuid, integer)');

COMMENT ON FUNCTION tenancy.list_users(uuid, integer) IS
'users in the order in which they were made, from the one after this id on, at most so many; for operators';

CREATE FUNCTION tenancy_internal.update_user(
    user_id uuid,
    name text DEFAULT NULL,
    settings jsonb DEFAULT NULL,
    email text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_row tenancy.users;
    new_row tenancy.users;
BEGIN
    PERFORM tenancy.authorize_user(update_user.user_id);
    -- Invitations are bound to the address: it is changed by those who have checked that it is the user's.
    IF update_user.email IS NOT NULL THEN
        PERFORM tenancy.authorize_operator();
        PERFORM tenancy.refuse_bad_email(update_user.email);
    END IF;
    PERFORM tenancy.refuse_bad_name(update_user.name, 'a user');
    PERFORM tenancy.refuse_bad_object(update_user.settings, 'settings');
    SELECT u.* INTO old_row FROM tenancy.users u WHERE u.id = update_user.user_id FOR NO KEY UPDATE;
    BEGIN
        UPDATE tenancy.users u
        SET name = coalesce(update_user.name, u.name), settings = coalesce(update_user.settings, u.settings),
            email = coalesce(update_user.email, u.email), updated_at = now()
        WHERE u.id = update_user.user_id
        RETURNING u.* INTO new_row;
    EXCEPTION WHEN unique_violation THEN
        PERFORM tenancy.raise_email_taken(update_user.email);
    END;
    PERFORM tenancy.audit_event(NULL, 'user.update', 'user:' || update_user.user_id,
        jsonb_build_object('name', old_row.name, 'email', old_row.email, 'settings', old_row.settings),
        jsonb_build_object('name', new_row.name, 'email', new_row.email, 'settings', new_row.settings));
END
$$;

SELECT tenancy_internal.expose('update_user(uuid, text, jsonb, text)');

COMMENT ON FUNCTION tenancy.update_user(uuid, text, jsonb, text) IS
'changes what is not null of a user; for operators, and for the user in person all but the e-mail address';

CREATE FUNCTION tenancy.set_user_status(user_id uuid, status text, action text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old_status text;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.authorize_user(set_user_status.user_id);
    -- Whether an admin is the last one depends on who is active: it must not change while members of those tenants do.
    PERFORM FROM tenancy.tenants t
    WHERE t.id IN (SELECT m.tenant_id FROM tenancy.memberships m WHERE m.user_id = set_user_status.user_id)
    ORDER BY t.id FOR NO KEY UPDATE;
    SELECT u.status INTO old_status FROM tenancy.users u WHERE u.id = set_user_status.user_id FOR NO KEY UPDATE;
    IF old_status <> set_user_status.status THEN
        UPDATE tenancy.users u SET status = set_user_status.status, updated_at = now() WHERE u.id = set_user_status.user_id;
        PERFORM tenancy.audit_event(NULL, action, 'user:' || set_user_status.user_id,
            jsonb_build_object('status', old_status), jsonb_build_object('status', set_user_status.status));
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.set_user_status(uuid, text, text) IS 'changes the status of a user, and records it; internal';

CREATE FUNCTION tenancy_internal.deactivate_user(user_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.set_user_status(user_id, 'deactivated', 'user.deactivate');

SELECT tenancy_internal.expose('deactivate_user(uuid)');

COMMENT ON FUNCTION tenancy.deactivate_user(uuid) IS
'lets a user enter nowhere, and lose by the next transaction where they are; memberships stay; for operators';

CREATE FUNCTION tenancy_internal.reactivate_user(user_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.set_user_status(user_id, 'active', 'user.reactivate');

SELECT tenancy_internal.expose('reactivate_user(uuid)');

COMMENT ON FUNCTION tenancy.reactivate_user(uuid) IS 'takes back deactivate_user(); for operators';

CREATE FUNCTION tenancy_internal.link_identity(user_id uuid, issuer text, subject text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.authorize_user(link_identity.user_id);
    PERFORM tenancy.refuse_bad_identity(link_identity.issuer, link_identity.subject);
    PERFORM tenancy.insert_identity(link_identity.user_id, link_identity.issuer, link_identity.subject);
    PERFORM tenancy.audit_event(NULL, 'user.link_identity', 'user:' || link_identity.user_id, NULL,
        jsonb_build_object('issuer', link_identity.issuer, 'subject', link_identity.subject));
END
$$;

SELECT tenancy_internal.expose('link_identity(uuid, text, text)');

COMMENT ON FUNCTION tenancy.link_identity(uuid, text, text) IS
'lets a user be known by issuer and subject of an identity provider''s tokens; 23505 when these belong to a user already; for operators';

CREATE FUNCTION tenancy_internal.unlink_identity(issuer text, subject text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner uuid;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_bad_identity(unlink_identity.issuer, unlink_identity.subject);
    DELETE FROM tenancy.user_identities i
    WHERE i.issuer = unlink_identity.issuer AND i.subject = unlink_identity.subject
    RETURNING i.user_id INTO owner;
    IF owner IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('identity %L of issuer %L belongs to no user', left(unlink_identity.subject, 80), left(unlink_identity.issuer, 80)),
            HINT = 'Both are compared byte by byte, as they stand in the tokens.';
    END IF;
    PERFORM tenancy.audit_event(NULL, 'user.unlink_identity', 'user:' || owner,
        jsonb_build_object('issuer', unlink_identity.issuer, 'subject', unlink_identity.subject), NULL);
END
$$;

SELECT tenancy_internal.expose('unlink_identity(text, text)');

COMMENT ON FUNCTION tenancy.unlink_identity(text, text) IS 'takes back link_identity(); for operators';

-- A user's own tenants ---------------------------------------------------------------------------------------------

CREATE FUNCTION tenancy.tenants_of(user_id uuid)
RETURNS TABLE (id uuid, slug text, name text, status text, role text, organization_id uuid, organization_slug text,
               is_current boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- One that was deleted is shown to those who may bring it back.
    SELECT t.id, t.slug, t.name, CASE WHEN t.status = 'active' THEN o.status ELSE t.status END, m.role, o.id, o.slug,
           t.id = u.current_tenant_id AND t.status = 'active' AND o.status = 'active'
    FROM tenancy.users u
    JOIN tenancy.memberships m ON m.user_id = u.id
    JOIN tenancy.tenants t ON t.id = m.tenant_id
    JOIN tenancy.organizations o ON o.id = t.organization_id
    WHERE u.id = tenants_of.user_id
      AND (t.status <> 'deleted' OR t.status_set_by IS NOT NULL AND t.purge_started_at IS NULL AND EXISTS (
            SELECT FROM tenancy.role_named(t.id, m.role) r WHERE 'tenant.delete' = ANY (string_to_array(r.permissions, ' '))))
    ORDER BY t.slug;
END;

COMMENT ON FUNCTION tenancy.tenants_of(uuid) IS 'the tenants of which a user is a member; internal';

CREATE FUNCTION tenancy_internal.my_tenants()
RETURNS TABLE (id uuid, slug text, name text, status text, role text, organization_id uuid, organization_slug text,
               is_current boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.id, t.slug, t.name, t.status, t.role, t.organization_id, t.organization_slug, t.is_current
    FROM tenancy.tenants_of(tenancy.require_user()) t ORDER BY t.slug;
END;

SELECT tenancy_internal.expose('my_tenants()');

COMMENT ON FUNCTION tenancy.my_tenants() IS
'the tenants of which the user in context is a member, with their role, and which one they switched to last';

CREATE FUNCTION tenancy_internal.list_tenants_of_user(user_id uuid)
RETURNS TABLE (id uuid, slug text, name text, status text, role text, organization_id uuid, organization_slug text,
               is_current boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_user(list_tenants_of_user.user_id);
    RETURN QUERY
        SELECT t.id, t.slug, t.name, t.status, t.role, t.organization_id, t.organization_slug, t.is_current
        FROM tenancy.tenants_of(list_tenants_of_user.user_id) t ORDER BY t.slug;
END
$$;

SELECT tenancy_internal.expose('list_tenants_of_user(uuid)');

COMMENT ON FUNCTION tenancy.list_tenants_of_user(uuid) IS
'what my_tenants() is for the user in context, of any user for operators: a log-in asks it to choose the tenant to enter';

CREATE FUNCTION tenancy_internal.switch_tenant(tenant uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    acting uuid;
BEGIN
    PERFORM tenancy.refuse_null(switch_tenant.tenant IS NULL, 'tenant');
    acting := tenancy.require_user();
    -- The membership first: without one, an unknown tenant takes the same work as one of others.
    PERFORM FROM tenancy.memberships m WHERE m.tenant_id = switch_tenant.tenant AND m.user_id = acting;
    IF FOUND THEN
        PERFORM FROM tenancy.tenants t
        JOIN tenancy.organizations o ON o.id = t.organization_id AND o.status = 'active'
        WHERE t.id = switch_tenant.tenant AND t.status = 'active';
    END IF;
    IF NOT FOUND THEN
        PERFORM tenancy.raise_not_available();
    END IF;
    UPDATE tenancy.users u SET current_tenant_id = switch_tenant.tenant WHERE u.id = acting;
    UPDATE tenancy.memberships m SET shows_user = true
    WHERE m.tenant_id = switch_tenant.tenant AND m.user_id = acting AND NOT m.shows_user;
    RETURN switch_tenant.tenant;
END
$$;

SELECT tenancy_internal.expose('switch_tenant(uuid)');

COMMENT ON FUNCTION tenancy.switch_tenant(uuid) IS
'remembers a tenant of the user in context as their current one, for the application to enter next; this transaction keeps the tenant that it has';

CREATE FUNCTION tenancy_internal.switch_tenant(tenant text) RETURNS uuid
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN tenancy.switch_tenant(tenancy.tenant_named(tenant));

SELECT tenancy_internal.expose('switch_tenant(text)');

COMMENT ON FUNCTION tenancy.switch_tenant(text) IS 'the same, by slug or id';
