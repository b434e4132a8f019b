-- Migrations: what was planned for the tables of an application that knows nothing of tenants, and how far it has come.
--
-- A migration is run by the extension's owner or another superuser, and by nobody else: the steps are statements that
-- are executed as whoever runs them, so whoever can write them must not be less trusted than that.

CREATE TABLE tenancy.migrations (
    id integer NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'planned',
    paused boolean NOT NULL DEFAULT false,
    strategy text COLLATE "C" NOT NULL,
    tenant_column name NOT NULL,
    column_type regtype NOT NULL,
    options jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT migrations_pkey PRIMARY KEY (id),
    CONSTRAINT migrations_state_check CHECK (
        state IN ('planned', 'running', 'prepared', 'trial', 'rollout', 'enforced', 'undoing', 'undone')),
    CONSTRAINT migrations_strategy_check CHECK (strategy IN ('system', 'personal', 'column'))
);

COMMENT ON TABLE tenancy.migrations IS 'the migrations of existing tables, one at a time under way';
COMMENT ON COLUMN tenancy.migrations.state IS
'planned, running (to prepared), prepared (columns are filled and keys are built), trial (policies only count), rollout (policies hold some roles), enforced, undoing or undone';
COMMENT ON COLUMN tenancy.migrations.paused IS 'its runners stop after the step that they are at';
COMMENT ON COLUMN tenancy.migrations.options IS 'what it was started with, and what was chosen where that was left open';

-- Parents before their children.
CREATE TABLE tenancy.migration_tables (
    migration integer NOT NULL,
    ordinal integer NOT NULL,
    relation regclass NOT NULL,
    action text COLLATE "C" NOT NULL,
    source text COLLATE "C",
    columns name[] NOT NULL DEFAULT '{}',
    parent regclass,
    parent_columns name[] NOT NULL DEFAULT '{}',
    expression text,
    detail text NOT NULL,
    overrides jsonb NOT NULL DEFAULT '{}',
    before jsonb,
    undone boolean NOT NULL DEFAULT false,
    CONSTRAINT migration_tables_pkey PRIMARY KEY (migration, relation),
    CONSTRAINT migration_tables_migration_fkey FOREIGN KEY (migration) REFERENCES tenancy.migrations (id),
    CONSTRAINT migration_tables_action_check CHECK (action IN ('column', 'column_only', 'path', 'share', 'leave', 'protected')),
    CONSTRAINT migration_tables_source_check CHECK (source IN ('system', 'anchor', 'owner', 'path', 'existing', 'expression'))
);

COMMENT ON TABLE tenancy.migration_tables IS 'what a migration makes of each table';
COMMENT ON COLUMN tenancy.migration_tables.action IS
'column (gets the tenant column and is protected), column_only (gets the column and stays open), path (is protected through its parent), share (readable by all, written by none), leave (as it is) or protected (it was already)';
COMMENT ON COLUMN tenancy.migration_tables.source IS
'whose a row is: system (the default tenant''s), anchor (it is a user or organization with a tenant of its own), owner (that of the user whom a column names), path (that of the row it refers to), existing (a column says it) or expression';
COMMENT ON COLUMN tenancy.migration_tables.before IS 'what the table was before the first step';

CREATE TABLE tenancy.migration_steps (
    migration integer NOT NULL,
    step integer NOT NULL,
    phase text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    relation regclass,
    statement text NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'pending',
    position bigint NOT NULL DEFAULT 0,
    target bigint,
    batch integer,
    rows_done bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    CONSTRAINT migration_steps_pkey PRIMARY KEY (migration, step),
    CONSTRAINT migration_steps_migration_fkey FOREIGN KEY (migration) REFERENCES tenancy.migrations (id),
    CONSTRAINT migration_steps_phase_check CHECK (phase IN ('prepare', 'trial', 'rollout', 'enforce')),
    CONSTRAINT migration_steps_state_check CHECK (state IN ('pending', 'running', 'failed', 'done'))
);

COMMENT ON TABLE tenancy.migration_steps IS 'the steps of a migration in their order; each is idempotent';
COMMENT ON COLUMN tenancy.migration_steps.statement IS 'what is executed; for a backfill what is executed for each range of blocks';
COMMENT ON COLUMN tenancy.migration_steps.position IS 'of a backfill: the next block';
COMMENT ON COLUMN tenancy.migration_steps.target IS 'of a backfill: the block to stop at';
COMMENT ON COLUMN tenancy.migration_steps.batch IS 'of a backfill: how many blocks the next batch takes';
COMMENT ON COLUMN tenancy.migration_steps.attempts IS 'how often it had to give way to others who used the table';
COMMENT ON COLUMN tenancy.migration_steps.seconds IS 'how long it was at work';

-- What an undo may take away again.
CREATE TABLE tenancy.migration_tenants (
    migration integer NOT NULL,
    tenant_id uuid NOT NULL,
    CONSTRAINT migration_tenants_pkey PRIMARY KEY (migration, tenant_id),
    CONSTRAINT migration_tenants_migration_fkey FOREIGN KEY (migration) REFERENCES tenancy.migrations (id),
    CONSTRAINT migration_tenants_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE
);

CREATE INDEX migration_tenants_tenant_id_idx ON tenancy.migration_tenants (tenant_id);

COMMENT ON TABLE tenancy.migration_tenants IS 'the tenants that a migration made';

SELECT pg_catalog.pg_extension_config_dump('tenancy.migrations', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.migration_tables', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.migration_steps', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.migration_tenants', '');

ALTER TABLE tenancy.migrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.migration_tables ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.migration_steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.migration_tenants ENABLE ROW LEVEL SECURITY;

-- Tenants for what the application has: by its key, which becomes the external key.

CREATE FUNCTION tenancy.adopted_tenant(key text) RETURNS uuid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.id FROM tenancy.tenants t WHERE t.external_key = adopted_tenant.key;
END;

COMMENT ON FUNCTION tenancy.adopted_tenant(text) IS 'the tenant with this external key; internal';

-- Where as_ids, the keys are the tenants' ids too: a uuid column refers to tenants by id.
CREATE FUNCTION tenancy.adopt_tenants(migration integer, keys text[], names text[], as_ids boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner constant uuid := '00000000-0000-0000-0000-000000000001';
    wanted text[];
    titles text[];
    made uuid[];
    total bigint := 0;
    attempt integer := 0;
BEGIN
    LOOP
        SELECT array_agg(k.key), array_agg(k.title) INTO wanted, titles
        FROM (SELECT DISTINCT ON (u.key) u.key, u.title
              FROM unnest(adopt_tenants.keys, adopt_tenants.names) AS u (key, title)
              WHERE octet_length(u.key) BETWEEN 1 AND 255
              ORDER BY u.key) k
        WHERE NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.external_key = k.key)
          AND NOT (adopt_tenants.as_ids AND EXISTS (SELECT FROM tenancy.tenants t WHERE t.id::text = k.key));
        EXIT WHEN wanted IS NULL;
        PERFORM tenancy.consume_of_organization(owner, 'tenants', cardinality(wanted));
        -- A slug may be taken, also by a session that has not committed yet; the next round then takes one that is surely free.
        WITH new AS (
            INSERT INTO tenancy.tenants (id, organization_id, slug, name, external_key)
            SELECT CASE WHEN adopt_tenants.as_ids THEN w.key::uuid ELSE tenancy.uuid_v7() END, owner,
                   CASE WHEN attempt = 0 AND w.rank = 1
                             AND NOT EXISTS (SELECT FROM tenancy.tenants t WHERE t.slug = w.stem)
                        THEN w.stem ELSE w.stem || '-' || right(gen_random_uuid()::text, 8) END,
                   w.name, w.key
            FROM (SELECT n.*, row_number() OVER (PARTITION BY n.stem ORDER BY n.key) AS rank
                  FROM (SELECT u.key, left(coalesce(nullif(btrim(u.title), ''), u.key), 200) AS name,
                               tenancy.slug_of(coalesce(nullif(btrim(u.title), ''), 'tenant-' || u.key)) AS stem
                        FROM unnest(wanted, titles) AS u (key, title)) n) w
            ON CONFLICT DO NOTHING
            RETURNING id)
        SELECT array_agg(n.id) INTO made FROM new n;
        INSERT INTO tenancy.migration_tenants (migration, tenant_id)
        SELECT adopt_tenants.migration, m FROM unnest(made) m;
        total := total + coalesce(cardinality(made), 0);
        attempt := attempt + 1;
        IF attempt > 20 THEN
            RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('cannot make a tenant for key %L', wanted[1]),
                DETAIL = 'A tenant with this id or external key is being made by somebody else, or cannot be.',
                HINT = 'Run the migration again.';
        END IF;
    END LOOP;
    RETURN total;
END
$$;

COMMENT ON FUNCTION tenancy.adopt_tenants(integer, text[], text[], boolean) IS
'makes the tenants of a migration that are missing, and says how many; internal';

CREATE FUNCTION tenancy.adopt_tenant(migration integer, key text, name text, as_id boolean) RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_id uuid;
BEGIN
    IF key IS NULL THEN
        RETURN NULL;
    END IF;
    found_id := CASE WHEN as_id THEN (SELECT t.id FROM tenancy.tenants t WHERE t.id = key::uuid)
                     ELSE tenancy.adopted_tenant(key) END;
    IF found_id IS NULL THEN
        PERFORM tenancy.adopt_tenants(migration, ARRAY[key], ARRAY[name], as_id);
        found_id := CASE WHEN as_id THEN (SELECT t.id FROM tenancy.tenants t WHERE t.id = key::uuid)
                         ELSE tenancy.adopted_tenant(key) END;
    END IF;
    RETURN found_id;
END
$$;

COMMENT ON FUNCTION tenancy.adopt_tenant(integer, text, text, boolean) IS
'the tenant of a row that the application just wrote, made where it is missing; called by the triggers of a migration; internal';

-- Whose rows are whose is the migration's to say, from the moment it is planned.
CREATE FUNCTION tenancy_internal.migration_preparing(relation regclass) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN (SELECT m.id FROM tenancy.migrations m
        WHERE m.state NOT IN ('enforced', 'undoing', 'undone')
          AND EXISTS (SELECT FROM tenancy.migration_steps s
                      WHERE s.migration = m.id AND s.relation = migration_preparing.relation AND s.phase = 'prepare' AND s.state <> 'done')
        ORDER BY m.id LIMIT 1);

SELECT tenancy_internal.expose('migration_preparing(regclass)');

COMMENT ON FUNCTION tenancy.migration_preparing(regclass) IS
'the migration that has not yet filled and keyed a table that it is to protect, or null; internal';
