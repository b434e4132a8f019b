-- Conversations with agents, and the record of what agents did.

CREATE TABLE tenancy.agent_sessions (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    user_id uuid,
    title text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agent_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT agent_sessions_tenant_id_id_key UNIQUE (tenant_id, id),
    CONSTRAINT agent_sessions_agent_id_fkey FOREIGN KEY (tenant_id, agent_id)
        REFERENCES tenancy.agents (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT agent_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES tenancy.users (id) ON DELETE SET NULL,
    CONSTRAINT agent_sessions_title_check CHECK (length(title) <= 500),
    CONSTRAINT agent_sessions_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);

CREATE INDEX agent_sessions_agent_idx ON tenancy.agent_sessions (tenant_id, agent_id);
CREATE INDEX agent_sessions_user_id_idx ON tenancy.agent_sessions (user_id);

COMMENT ON TABLE tenancy.agent_sessions IS 'conversations with an agent';
COMMENT ON COLUMN tenancy.agent_sessions.user_id IS 'who holds it, or null for a program';

CREATE TABLE tenancy.agent_messages (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    tenant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    role text NOT NULL,
    content text NOT NULL,
    tool_calls jsonb,
    tokens integer,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT agent_messages_pkey PRIMARY KEY (session_id, id),
    CONSTRAINT agent_messages_session_id_fkey FOREIGN KEY (tenant_id, session_id)
        REFERENCES tenancy.agent_sessions (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT agent_messages_role_check CHECK (role IN ('system', 'user', 'assistant', 'tool')),
    CONSTRAINT agent_messages_tokens_check CHECK (tokens >= 0)
);

CREATE INDEX agent_messages_tenant_idx ON tenancy.agent_messages (tenant_id, session_id);

COMMENT ON TABLE tenancy.agent_messages IS 'messages of a conversation, in the order of their ids';
COMMENT ON COLUMN tenancy.agent_messages.role IS 'system, user, assistant or tool';
COMMENT ON COLUMN tenancy.agent_messages.tokens IS 'length in tokens of the model, where it is known';

CREATE TABLE tenancy.agent_runs (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    tenant_id uuid NOT NULL,
    agent_id uuid,
    session_id uuid,
    actor text NOT NULL,
    status text NOT NULL DEFAULT 'running',
    model_provider text,
    model_name text,
    input jsonb,
    output jsonb,
    error text,
    prompt_tokens integer,
    completion_tokens integer,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CONSTRAINT agent_runs_pkey PRIMARY KEY (id),
    CONSTRAINT agent_runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT agent_runs_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES tenancy.agents (id) ON DELETE SET NULL,
    CONSTRAINT agent_runs_session_id_fkey FOREIGN KEY (session_id) REFERENCES tenancy.agent_sessions (id) ON DELETE SET NULL,
    CONSTRAINT agent_runs_status_check CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT agent_runs_finished_check CHECK ((finished_at IS NULL) = (status = 'running')),
    CONSTRAINT agent_runs_tokens_check CHECK (prompt_tokens >= 0 AND completion_tokens >= 0)
);

CREATE INDEX agent_runs_tenant_idx ON tenancy.agent_runs (tenant_id, started_at);
CREATE INDEX agent_runs_agent_id_idx ON tenancy.agent_runs (agent_id);
CREATE INDEX agent_runs_session_id_idx ON tenancy.agent_runs (session_id);

COMMENT ON TABLE tenancy.agent_runs IS 'what agents did: an audit of executions, which outlives agents and conversations';
COMMENT ON COLUMN tenancy.agent_runs.actor IS 'who started it: user:<id>, key:<id> or role:<name>';
COMMENT ON COLUMN tenancy.agent_runs.status IS 'running, succeeded, failed or cancelled';

-- Whether the installation is multi-tenant now: one that went back to a single tenant keeps its agents.
CREATE TABLE tenancy.installation (
    name text COLLATE "C" NOT NULL,
    value jsonb NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE tenancy.installation IS 'what holds for the whole database';

CREATE FUNCTION tenancy_internal.is_enabled() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce((SELECT (i.value)::boolean FROM tenancy.installation i WHERE i.name = 'enabled'), true);
END;

SELECT tenancy_internal.expose('is_enabled()');

COMMENT ON FUNCTION tenancy.is_enabled() IS 'whether tenancy is turned on for this database; it is unless set_enabled(false) was called';

CREATE FUNCTION tenancy.set_enabled(enabled boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF enabled IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'enabled must not be null';
    END IF;
    INSERT INTO tenancy.installation (name, value) VALUES ('enabled', to_jsonb(enabled))
    ON CONFLICT ON CONSTRAINT installation_pkey DO UPDATE SET value = excluded.value;
END
$$;

COMMENT ON FUNCTION tenancy.set_enabled(boolean) IS
'turns the tenant''s step of resolve_agent() on or off for this database; protected tables stay protected';

CREATE FUNCTION tenancy.authorize_session(session uuid) RETURNS tenancy.agent_sessions
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.agent_sessions;
BEGIN
    SELECT s.* INTO found
    FROM tenancy.agent_sessions s
    WHERE s.id = authorize_session.session
      AND CASE WHEN tenancy.is_operator() THEN true
               WHEN s.tenant_id <> tenancy.current_tenant_id() THEN false
               ELSE s.user_id IS NULL OR s.user_id = tenancy.current_user_id() OR tenancy.has_permission('agents.manage')
          END;
    IF found.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('session %s is not available', coalesce(quote_literal(authorize_session.session), 'NULL')),
            HINT = 'tenancy.list_sessions() shows the conversations that you may continue.';
    END IF;
    PERFORM tenancy.authorize(found.tenant_id, 'agents.run');
    RETURN found;
END
$$;

COMMENT ON FUNCTION tenancy.authorize_session(uuid) IS
'a conversation, for its user, who manages agents, or an operator; 42704 for everybody else and for an unknown one; internal';

CREATE FUNCTION tenancy_internal.resolve_agent(
    agent uuid DEFAULT NULL,
    session uuid DEFAULT NULL,
    OUT source text,
    OUT resolved tenancy.agents
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    enabled boolean := tenancy.is_enabled();
    tenant uuid := CASE WHEN enabled THEN tenancy.current_tenant_id() END;
BEGIN
    IF enabled THEN
        IF tenant IS NULL THEN
            PERFORM tenancy.raise_not_available();
        END IF;
        PERFORM tenancy.require_permission('agents.read');
    END IF;

    IF resolve_agent.agent IS NOT NULL THEN
        SELECT a.* INTO resolved
        FROM tenancy.agents a
        WHERE a.id = resolve_agent.agent AND a.is_active AND (NOT enabled OR a.tenant_id = tenant);
        IF resolved.id IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = '42704',
                MESSAGE = format('agent %L is not available', resolve_agent.agent),
                DETAIL = 'An agent that was asked for by name is not replaced by another one.',
                HINT = 'tenancy.list_agents() shows the agents of the current tenant and whether they are active.';
        END IF;
        source := 'explicit';
        RETURN;
    END IF;

    IF resolve_agent.session IS NOT NULL THEN
        SELECT a.* INTO resolved
        FROM tenancy.agent_sessions s
        JOIN tenancy.agents a ON a.id = s.agent_id
        WHERE s.id = resolve_agent.session AND a.is_active AND (NOT enabled OR s.tenant_id = tenant);
        IF resolved.id IS NOT NULL THEN
            source := 'session';
            RETURN;
        END IF;
    END IF;

    IF enabled THEN
        SELECT a.* INTO resolved FROM tenancy.agents a WHERE a.tenant_id = tenant AND a.is_default AND a.is_active;
        IF resolved.id IS NOT NULL THEN
            source := 'tenant';
            RETURN;
        END IF;
    END IF;

    SELECT a.* INTO resolved FROM tenancy.agents a WHERE a.id = '00000000-0000-0000-0000-000000000003';
    source := 'system';
END
$$;

SELECT tenancy_internal.expose('resolve_agent(uuid, uuid)');

COMMENT ON FUNCTION tenancy.resolve_agent(uuid, uuid) IS
'the agent to use and where it was found: explicit (asked for), session (the conversation''s), tenant (the tenant''s default) or system; inactive agents of sessions and tenants are passed over; needs agents.read; without the tenant''s step where tenancy is turned off';

CREATE FUNCTION tenancy.graph_namespace() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN 'workspace_' || tenancy.current_tenant_id();

COMMENT ON FUNCTION tenancy.graph_namespace() IS
'the current tenant''s stable group name in an external knowledge graph: workspace_<tenant id>';

CREATE FUNCTION tenancy_internal.create_session(agent uuid DEFAULT NULL, title text DEFAULT NULL, metadata jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    resolved tenancy.agents;
    made uuid;
BEGIN
    PERFORM tenancy.authorize(tenancy.current_tenant_id(), 'agents.run');
    SELECT (r.resolved).* INTO resolved FROM tenancy.resolve_agent(create_session.agent) r;
    IF resolved.tenant_id <> tenancy.current_tenant_id() THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = 'the tenant has no active agent',
            HINT = 'Create one with tenancy.create_agent(), and make it the default or pass its id.';
    END IF;
    INSERT INTO tenancy.agent_sessions (tenant_id, agent_id, user_id, title, metadata)
    VALUES (resolved.tenant_id, resolved.id, tenancy.current_user_id(), create_session.title,
            coalesce(create_session.metadata, '{}'))
    RETURNING id INTO made;
    RETURN made;
END
$$;

SELECT tenancy_internal.expose('create_session(uuid, text, jsonb)');

COMMENT ON FUNCTION tenancy.create_session(uuid, text, jsonb) IS
'begins a conversation with an agent of the current tenant (its default when null) and returns its id; needs agents.run';

CREATE FUNCTION tenancy_internal.list_sessions(match_count integer DEFAULT 100) RETURNS SETOF tenancy.agent_sessions
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require_permission('agents.run');
    RETURN QUERY
        SELECT s.*
        FROM tenancy.agent_sessions s
        WHERE s.tenant_id = tenancy.current_tenant_id()
          AND (s.user_id IS NULL OR s.user_id = tenancy.current_user_id() OR tenancy.has_permission('agents.manage'))
        ORDER BY s.updated_at DESC, s.id DESC
        LIMIT list_sessions.match_count;
END
$$;

SELECT tenancy_internal.expose('list_sessions(integer)');

COMMENT ON FUNCTION tenancy.list_sessions(integer) IS
'the conversations of the current tenant that the caller may continue, the latest first; who manages agents sees all; needs agents.run';

CREATE FUNCTION tenancy_internal.delete_session(session uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.agent_sessions;
BEGIN
    found := tenancy.authorize_session(delete_session.session);
    DELETE FROM tenancy.agent_sessions s WHERE s.id = found.id;
END
$$;

SELECT tenancy_internal.expose('delete_session(uuid)');

COMMENT ON FUNCTION tenancy.delete_session(uuid) IS 'deletes a conversation with its messages; 42704 when it is not the caller''s';

CREATE FUNCTION tenancy_internal.add_message(session uuid, role text, content text, tool_calls jsonb DEFAULT NULL, tokens integer DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.agent_sessions;
    made uuid;
BEGIN
    found := tenancy.authorize_session(add_message.session);
    INSERT INTO tenancy.agent_messages (tenant_id, session_id, role, content, tool_calls, tokens)
    VALUES (found.tenant_id, found.id, add_message.role, add_message.content, add_message.tool_calls, add_message.tokens)
    RETURNING id INTO made;
    UPDATE tenancy.agent_sessions s SET updated_at = now() WHERE s.id = found.id;
    RETURN made;
END
$$;

SELECT tenancy_internal.expose('add_message(uuid, text, text, jsonb, integer)');

COMMENT ON FUNCTION tenancy.add_message(uuid, text, text, jsonb, integer) IS
'appends a message of role system, user, assistant or tool to a conversation and returns its id; needs agents.run';

CREATE FUNCTION tenancy_internal.list_messages(session uuid, after_message uuid DEFAULT NULL, match_count integer DEFAULT 1000)
RETURNS SETOF tenancy.agent_messages
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.agent_sessions;
BEGIN
    found := tenancy.authorize_session(list_messages.session);
    RETURN QUERY
        SELECT m.* FROM tenancy.agent_messages m
        WHERE m.session_id = found.id AND (after_message IS NULL OR m.id > after_message)
        ORDER BY m.id
        LIMIT list_messages.match_count;
END
$$;

SELECT tenancy_internal.expose('list_messages(uuid, uuid, integer)');

COMMENT ON FUNCTION tenancy.list_messages(uuid, uuid, integer) IS
'the messages of a conversation in order, after one of them where it is given; needs agents.run';

CREATE FUNCTION tenancy_internal.start_run(agent uuid DEFAULT NULL, session uuid DEFAULT NULL, input jsonb DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    resolved tenancy.agents;
    made uuid;
BEGIN
    PERFORM tenancy.authorize(tenancy.current_tenant_id(), 'agents.run');
    IF start_run.session IS NOT NULL THEN
        PERFORM tenancy.authorize_session(start_run.session);
    END IF;
    SELECT (r.resolved).* INTO resolved FROM tenancy.resolve_agent(start_run.agent, start_run.session) r;
    INSERT INTO tenancy.agent_runs (tenant_id, agent_id, session_id, actor, model_provider, model_name, input)
    VALUES (tenancy.current_tenant_id(), resolved.id, start_run.session, tenancy.actor(), resolved.model_provider,
            resolved.model_name, start_run.input)
    RETURNING id INTO made;
    RETURN made;
END
$$;

SELECT tenancy_internal.expose('start_run(uuid, uuid, jsonb)');

COMMENT ON FUNCTION tenancy.start_run(uuid, uuid, jsonb) IS
'records that an agent, resolved as resolve_agent() does, begins to work, and returns the run''s id; needs agents.run';

CREATE FUNCTION tenancy_internal.finish_run(
    run uuid,
    status text,
    output jsonb DEFAULT NULL,
    error text DEFAULT NULL,
    prompt_tokens integer DEFAULT NULL,
    completion_tokens integer DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require_permission('agents.run');
    IF finish_run.status IS NULL OR finish_run.status NOT IN ('succeeded', 'failed', 'cancelled') THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid status %s of a finished run', coalesce(quote_literal(finish_run.status), 'NULL')),
            HINT = 'Use succeeded, failed or cancelled.';
    END IF;
    -- Once finished, a run is a record and does not change.
    UPDATE tenancy.agent_runs r
    SET status = finish_run.status, output = finish_run.output, error = finish_run.error,
        prompt_tokens = finish_run.prompt_tokens, completion_tokens = finish_run.completion_tokens,
        finished_at = clock_timestamp()
    WHERE r.id = finish_run.run AND r.tenant_id = tenancy.current_tenant_id() AND r.status = 'running';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('run %s is not available', coalesce(quote_literal(finish_run.run), 'NULL')),
            DETAIL = 'It is unknown in this tenant, or finished already.',
            HINT = 'tenancy.list_runs() shows the runs of the current tenant.';
    END IF;
END
$$;

SELECT tenancy_internal.expose('finish_run(uuid, text, jsonb, text, integer, integer)');

COMMENT ON FUNCTION tenancy.finish_run(uuid, text, jsonb, text, integer, integer) IS
'records how a run of the current tenant ended: succeeded, failed or cancelled; 42704 when it is unknown or finished; needs agents.run';

CREATE FUNCTION tenancy_internal.list_runs(agent uuid DEFAULT NULL, match_count integer DEFAULT 100) RETURNS SETOF tenancy.agent_runs
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.require_permission('agents.manage');
    RETURN QUERY
        SELECT r.*
        FROM tenancy.agent_runs r
        WHERE r.tenant_id = tenancy.current_tenant_id() AND (list_runs.agent IS NULL OR r.agent_id = list_runs.agent)
        ORDER BY r.started_at DESC, r.id DESC
        LIMIT list_runs.match_count;
END
$$;

SELECT tenancy_internal.expose('list_runs(uuid, integer)');

COMMENT ON FUNCTION tenancy.list_runs(uuid, integer) IS
'the latest runs of the current tenant, of one agent where it is given; needs agents.manage';

SELECT pg_catalog.pg_extension_config_dump('tenancy.agent_sessions', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.agent_messages', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.agent_runs', '');
SELECT pg_catalog.pg_extension_config_dump('tenancy.installation', '');

ALTER TABLE tenancy.agent_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.agent_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.agent_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.installation ENABLE ROW LEVEL SECURITY;
