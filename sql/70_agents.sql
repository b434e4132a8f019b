-- Agents: behaviour configurations inside a tenant, which share its knowledge.

CREATE TABLE tenancy.agents (
    id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    system_prompt text,
    model_provider text,
    model_name text,
    temperature double precision,
    enabled_tools text[] NOT NULL DEFAULT '{}',
    tool_config jsonb NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    is_default boolean NOT NULL DEFAULT false,
    CONSTRAINT agents_pkey PRIMARY KEY (id),
    CONSTRAINT agents_tenant_id_name_key UNIQUE (tenant_id, name),
    -- Conversations refer to an agent of their own tenant.
    CONSTRAINT agents_tenant_id_id_key UNIQUE (tenant_id, id),
    CONSTRAINT agents_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id) ON DELETE CASCADE,
    CONSTRAINT agents_name_check CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT agents_settings_check CHECK (jsonb_typeof(settings) = 'object'),
    CONSTRAINT agents_temperature_check CHECK (temperature BETWEEN 0 AND 2),
    CONSTRAINT agents_enabled_tools_check CHECK (array_position(enabled_tools, NULL) IS NULL),
    CONSTRAINT agents_tool_config_check CHECK (jsonb_typeof(tool_config) = 'object')
);

CREATE UNIQUE INDEX agents_default_key ON tenancy.agents (tenant_id) WHERE is_default;

COMMENT ON TABLE tenancy.agents IS 'behaviour configurations inside a tenant; agents of one tenant share its knowledge';
COMMENT ON COLUMN tenancy.agents.temperature IS 'sampling temperature, 0 to 2; null leaves it to the model''s provider';
COMMENT ON COLUMN tenancy.agents.enabled_tools IS 'names of the tools that it may call';
COMMENT ON COLUMN tenancy.agents.tool_config IS 'configuration of its tools: an object with a member for each';
COMMENT ON COLUMN tenancy.agents.is_active IS 'an agent that is not active is not resolved to';
COMMENT ON COLUMN tenancy.agents.is_default IS 'what resolve_agent() takes when neither caller nor session says otherwise; at most one a tenant';

INSERT INTO tenancy.agents (id, tenant_id, name, is_default)
VALUES ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002', 'Default agent', true);

CREATE TRIGGER merge_default_row BEFORE INSERT ON tenancy.agents
FOR EACH ROW WHEN (NEW.id = '00000000-0000-0000-0000-000000000003') EXECUTE FUNCTION tenancy.merge_default_row();

CREATE FUNCTION tenancy.authorize_agent(agent uuid, permission text) RETURNS uuid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid;
BEGIN
    SELECT a.tenant_id INTO tenant FROM tenancy.agents a WHERE a.id = authorize_agent.agent;
    -- An agent of another tenant is as unknown as one that does not exist.
    IF tenant IS NULL OR NOT (tenancy.is_operator() OR (tenancy.has_context() AND tenancy.current_tenant_id() = tenant)) THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = format('agent %s is not available', coalesce(quote_literal(authorize_agent.agent), 'NULL')),
            HINT = 'tenancy.list_agents() shows the agents of the current tenant.';
    END IF;
    PERFORM tenancy.authorize(tenant, authorize_agent.permission);
    RETURN tenant;
END
$$;

COMMENT ON FUNCTION tenancy.authorize_agent(uuid, text) IS
'the tenant of an agent, for who may do this there; 42704 for an agent that is unknown or of another tenant; internal';

CREATE FUNCTION tenancy_internal.create_agent(
    tenant uuid,
    name text,
    system_prompt text DEFAULT NULL,
    model_provider text DEFAULT NULL,
    model_name text DEFAULT NULL,
    temperature double precision DEFAULT NULL,
    enabled_tools text[] DEFAULT '{}',
    tool_config jsonb DEFAULT '{}',
    is_active boolean DEFAULT true,
    settings jsonb DEFAULT '{}'
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    made tenancy.agents;
BEGIN
    PERFORM tenancy.authorize(create_agent.tenant, 'agents.manage');
    INSERT INTO tenancy.agents (tenant_id, name, system_prompt, model_provider, model_name, temperature, enabled_tools,
                                tool_config, is_active, settings)
    VALUES (create_agent.tenant, create_agent.name, create_agent.system_prompt, create_agent.model_provider,
            create_agent.model_name, create_agent.temperature, coalesce(create_agent.enabled_tools, '{}'),
            coalesce(create_agent.tool_config, '{}'), coalesce(create_agent.is_active, true),
            coalesce(create_agent.settings, '{}'))
    ON CONFLICT ON CONSTRAINT agents_tenant_id_name_key DO NOTHING
    RETURNING * INTO made;
    IF made.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '23505',
            MESSAGE = format('agent %L exists already', create_agent.name),
            HINT = 'Names of agents are unique in their tenant; choose another one.';
    END IF;
    PERFORM tenancy.audit_event(create_agent.tenant, 'agent.create', 'agent:' || made.id, NULL, to_jsonb(made));
    RETURN made.id;
END
$$;

SELECT tenancy_internal.expose('create_agent(uuid, text, text, text, text, double precision, text[], jsonb, boolean, jsonb)');

COMMENT ON FUNCTION tenancy.create_agent(uuid, text, text, text, text, double precision, text[], jsonb, boolean, jsonb) IS
'creates an agent in a tenant and returns its id; needs agents.manage; 23505 when the tenant has one of that name, 23514 for a temperature outside 0 to 2';

CREATE FUNCTION tenancy_internal.list_agents(tenant uuid DEFAULT NULL) RETURNS SETOF tenancy.agents
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted uuid := coalesce(list_agents.tenant, tenancy.current_tenant_id());
BEGIN
    PERFORM tenancy.authorize(wanted, 'agents.read');
    RETURN QUERY SELECT a.* FROM tenancy.agents a WHERE a.tenant_id = wanted ORDER BY a.name;
END
$$;

SELECT tenancy_internal.expose('list_agents(uuid)');

COMMENT ON FUNCTION tenancy.list_agents(uuid) IS 'the agents of a tenant, of the current one when null, by name; needs agents.read';

CREATE FUNCTION tenancy_internal.get_agent(agent uuid) RETURNS tenancy.agents
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.agents;
BEGIN
    PERFORM tenancy.authorize_agent(get_agent.agent, 'agents.read');
    SELECT a.* INTO found FROM tenancy.agents a WHERE a.id = get_agent.agent;
    RETURN found;
END
$$;

SELECT tenancy_internal.expose('get_agent(uuid)');

COMMENT ON FUNCTION tenancy.get_agent(uuid) IS 'an agent; needs agents.read in its tenant; 42704 when it is unknown or of another tenant';

CREATE FUNCTION tenancy_internal.update_agent(agent uuid, changes jsonb) RETURNS tenancy.agents
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    allowed constant text[] := '{name,system_prompt,model_provider,model_name,temperature,enabled_tools,tool_config,is_active,settings}';
    unknown text;
    tenant uuid;
    old tenancy.agents;
    new tenancy.agents;
BEGIN
    tenant := tenancy.authorize_agent(update_agent.agent, 'agents.manage');
    IF jsonb_typeof(changes) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('changes must be an object, not %s', coalesce(jsonb_typeof(changes), 'NULL')),
            HINT = format('Its members may be %s.', array_to_string(allowed, ', '));
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(changes) k WHERE k <> ALL (allowed) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('agents have no %L that can be changed', unknown),
            HINT = format('Change one of %s.', array_to_string(allowed, ', '));
    END IF;

    SELECT a.* INTO old FROM tenancy.agents a WHERE a.id = update_agent.agent FOR UPDATE;
    new := jsonb_populate_record(old, changes);
    UPDATE tenancy.agents a
    SET name = new.name, system_prompt = new.system_prompt, model_provider = new.model_provider,
        model_name = new.model_name, temperature = new.temperature, enabled_tools = new.enabled_tools,
        tool_config = new.tool_config, is_active = new.is_active, settings = new.settings, updated_at = now()
    WHERE a.id = update_agent.agent
    RETURNING a.* INTO new;
    PERFORM tenancy.audit_event(tenant, 'agent.update', 'agent:' || new.id, to_jsonb(old), to_jsonb(new));
    RETURN new;
END
$$;

SELECT tenancy_internal.expose('update_agent(uuid, jsonb)');

COMMENT ON FUNCTION tenancy.update_agent(uuid, jsonb) IS
'changes the members of an agent that are named in an object, such as {"temperature": 0.2, "is_active": false}, and returns it; needs agents.manage; 22023 for a member that cannot be changed';

CREATE FUNCTION tenancy_internal.set_default_agent(agent uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid;
BEGIN
    tenant := tenancy.authorize_agent(set_default_agent.agent, 'agents.manage');
    -- Two sessions that choose at once take turns, so that the tenant never has two defaults.
    PERFORM FROM tenancy.tenants t WHERE t.id = tenant FOR NO KEY UPDATE;
    UPDATE tenancy.agents a SET is_default = false, updated_at = now()
    WHERE a.tenant_id = tenant AND a.is_default AND a.id <> set_default_agent.agent;
    UPDATE tenancy.agents a SET is_default = true, updated_at = now()
    WHERE a.id = set_default_agent.agent AND NOT a.is_default;
    PERFORM tenancy.audit_event(tenant, 'agent.set_default', 'agent:' || set_default_agent.agent);
END
$$;

SELECT tenancy_internal.expose('set_default_agent(uuid)');

COMMENT ON FUNCTION tenancy.set_default_agent(uuid) IS 'makes an agent its tenant''s default; needs agents.manage';

CREATE FUNCTION tenancy_internal.delete_agent(agent uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid;
    old tenancy.agents;
BEGIN
    tenant := tenancy.authorize_agent(delete_agent.agent, 'agents.manage');
    IF delete_agent.agent = '00000000-0000-0000-0000-000000000003' THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'the default agent of the system cannot be deleted',
            DETAIL = 'It is what resolve_agent() takes when there is no other.',
            HINT = 'Change it with tenancy.update_agent().';
    END IF;
    DELETE FROM tenancy.agents a WHERE a.id = delete_agent.agent RETURNING a.* INTO old;
    PERFORM tenancy.audit_event(tenant, 'agent.delete', 'agent:' || old.id, to_jsonb(old));
END
$$;

SELECT tenancy_internal.expose('delete_agent(uuid)');

COMMENT ON FUNCTION tenancy.delete_agent(uuid) IS
'deletes an agent with its conversations; its runs stay and name no agent; needs agents.manage; 55000 for the default agent of the system';

SELECT pg_catalog.pg_extension_config_dump('tenancy.agents', '');

ALTER TABLE tenancy.agents ENABLE ROW LEVEL SECURITY;
