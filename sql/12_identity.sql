-- Who may act in a tenant: users by membership, programs by API key, both by a role. extension/src/context/catalogue.cpp
-- reads users, memberships, roles and api_keys by column number: columns are only appended.

CREATE TABLE tenancy.users (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    email text,
    name text,
    status text NOT NULL DEFAULT 'active',
    settings jsonb NOT NULL DEFAULT '{}',
    current_tenant_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_current_tenant_id_fkey FOREIGN KEY (current_tenant_id) REFERENCES tenancy.tenants (id) ON DELETE SET NULL,
    CONSTRAINT users_email_check CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND length(email) <= 320),
    CONSTRAINT users_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'deactivated')),
    CONSTRAINT users_settings_check CHECK (jsonb_typeof(settings) = 'object')
);

CREATE UNIQUE INDEX users_email_key ON tenancy.users (lower(email));
CREATE INDEX users_current_tenant_id_idx ON tenancy.users (current_tenant_id);

COMMENT ON TABLE tenancy.users IS 'people; a user may be a member of many tenants';
COMMENT ON COLUMN tenancy.users.email IS 'unique without regard to case; null for a user known by an external identity only';
COMMENT ON COLUMN tenancy.users.status IS 'active or deactivated; one who is not active cannot enter a tenant';
COMMENT ON COLUMN tenancy.users.current_tenant_id IS 'the tenant that the user switched to last';

CREATE TABLE tenancy.user_identities (
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT user_identities_pkey PRIMARY KEY (issuer, subject),
    CONSTRAINT user_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES tenancy.users (id) ON DELETE CASCADE,
    CONSTRAINT user_identities_length_check CHECK (
        octet_length(issuer) BETWEEN 1 AND 1024 AND octet_length(subject) BETWEEN 1 AND 1024)
);

CREATE INDEX user_identities_user_id_idx ON tenancy.user_identities (user_id);

COMMENT ON TABLE tenancy.user_identities IS 'how identity providers name a user: issuer and subject of their tokens';

CREATE TABLE tenancy.permissions (
    name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    CONSTRAINT permissions_pkey PRIMARY KEY (name),
    CONSTRAINT permissions_name_check CHECK (name ~ '^[a-z]+[.][a-z]+$')
);

COMMENT ON TABLE tenancy.permissions IS 'what a role can be allowed';

INSERT INTO tenancy.permissions (name, description) VALUES
    ('tenant.read', 'read the tenant''s name, status and settings'),
    ('tenant.update', 'change the tenant''s name and settings, suspend and resume it'),
    ('tenant.delete', 'delete and restore the tenant'),
    ('members.read', 'list members'),
    ('members.manage', 'add and remove members, change their roles'),
    ('roles.manage', 'create, change and drop roles of the tenant'),
    ('invitations.manage', 'invite by e-mail'),
    ('keys.manage', 'create, rotate and revoke API keys'),
    ('agents.read', 'read agents and their configuration'),
    ('agents.manage', 'create, change and delete agents'),
    ('agents.run', 'hold conversations with agents and record their runs'),
    ('data.read', 'read protected tables'),
    ('data.write', 'write protected tables'),
    ('usage.read', 'read usage, limits and what is left of them'),
    ('usage.record', 'record usage'),
    ('audit.read', 'read, export and verify the audit log');

CREATE TABLE tenancy.roles (
    tenant_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    rank integer NOT NULL,
    permissions text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT roles_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT roles_name_check CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    CONSTRAINT roles_rank_check CHECK (rank BETWEEN 1 AND 100),
    CONSTRAINT roles_permissions_check CHECK (
        octet_length(permissions) <= 1023 AND permissions ~ '^([a-z]+[.][a-z]+( [a-z]+[.][a-z]+)*)?$')
);

COMMENT ON TABLE tenancy.roles IS 'what members and keys may do; the built-in roles belong to tenant 00000000-0000-0000-0000-000000000000 and so to all';
COMMENT ON COLUMN tenancy.roles.rank IS 'nobody grants a role of a higher rank than their own: viewer 10, editor 50, admin 100';
COMMENT ON COLUMN tenancy.roles.permissions IS 'names of tenancy.permissions, separated by single spaces';

INSERT INTO tenancy.roles (tenant_id, name, rank, permissions)
SELECT '00000000-0000-0000-0000-000000000000', r.name, r.rank, string_agg(p.name, ' ' ORDER BY p.name)
FROM (VALUES ('admin', 100, '.'), ('editor', 50, '^(tenant[.]read|members[.]read|agents[.]|data[.]|usage[.])'),
             ('viewer', 10, '^(tenant[.]read|members[.]read|agents[.](read|run)|data[.]read|usage[.]read)$')) AS r (name, rank, may)
JOIN tenancy.permissions p ON p.name ~ r.may
GROUP BY r.name, r.rank;

CREATE TABLE tenancy.memberships (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    shows_user boolean NOT NULL DEFAULT true,
    CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES tenancy.users (id) ON DELETE CASCADE,
    CONSTRAINT memberships_role_check CHECK (role ~ '^[a-z][a-z0-9_-]{0,62}$')
);

CREATE INDEX memberships_user_id_idx ON tenancy.memberships (user_id);

COMMENT ON TABLE tenancy.memberships IS 'which user has which role in which tenant';
COMMENT ON COLUMN tenancy.memberships.role IS 'a role of the tenant''s own, else the built-in one of that name; an unknown one holds no permission';
COMMENT ON COLUMN tenancy.memberships.created_by IS 'the user who added or invited the member, or null';
COMMENT ON COLUMN tenancy.memberships.shows_user IS
'whether the other members see the user''s address, name and status: not of one whom a member added by id, until the user accepts an invitation or switches to the tenant';

CREATE TABLE tenancy.api_keys (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    tenant_id uuid NOT NULL,
    short_id text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    scopes text COLLATE "C" NOT NULL DEFAULT '',
    expires_at timestamptz,
    revoked_at timestamptz,
    secret_mac bytea NOT NULL,
    pepper_id integer NOT NULL,
    name text NOT NULL,
    environment text NOT NULL,
    requests_per_minute integer,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_short_id_key UNIQUE (short_id),
    CONSTRAINT api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_scopes_check CHECK (
        octet_length(scopes) <= 1023 AND scopes ~ '^([a-z]+[.][a-z]+( [a-z]+[.][a-z]+)*)?$'),
    CONSTRAINT api_keys_secret_mac_check CHECK (octet_length(secret_mac) = 32),
    CONSTRAINT api_keys_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT api_keys_environment_check CHECK (environment IN ('live', 'test')),
    CONSTRAINT api_keys_requests_per_minute_check CHECK (requests_per_minute > 0)
);

CREATE INDEX api_keys_tenant_id_idx ON tenancy.api_keys (tenant_id);

COMMENT ON TABLE tenancy.api_keys IS 'credentials of programs; the secret itself is not here';
COMMENT ON COLUMN tenancy.api_keys.short_id IS 'the part of the key by which it is looked up and shown in lists';
COMMENT ON COLUMN tenancy.api_keys.scopes IS 'names of permissions that narrow the role, separated by single spaces; empty does not narrow it';
COMMENT ON COLUMN tenancy.api_keys.revoked_at IS 'from when it is refused; a time to come while it is being replaced';
COMMENT ON COLUMN tenancy.api_keys.secret_mac IS 'HMAC-SHA-256 of the secret under the pepper';
COMMENT ON COLUMN tenancy.api_keys.pepper_id IS 'which pepper secret_mac was made with';
COMMENT ON COLUMN tenancy.api_keys.requests_per_minute IS 'how often it may enter in a minute; null without a limit';

SELECT pg_catalog.pg_extension_config_dump('tenancy.users', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.user_identities', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.roles', $$WHERE tenant_id <> '00000000-0000-0000-0000-000000000000'$$);
SELECT pg_catalog.pg_extension_config_dump('tenancy.memberships', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.api_keys', '');

CREATE TRIGGER context_changed
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF status ON tenancy.users
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.context_changed();

CREATE TRIGGER context_changed
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE ON tenancy.roles
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.context_changed();

CREATE TRIGGER context_changed
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE ON tenancy.memberships
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.context_changed();

CREATE TRIGGER context_changed
AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF role, expires_at, revoked_at ON tenancy.api_keys
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.context_changed();

-- Nobody but the owner reads or writes these directly, whatever is granted: row level security without a policy.
ALTER TABLE tenancy.organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.user_identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.roles ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.api_keys ENABLE ROW LEVEL SECURITY;
