-- Agents of a tenant: who may make, see, change and delete them.
BEGIN;
SELECT plan(25);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();

-- The editor of A.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());

CREATE TEMP TABLE made AS
SELECT tenancy.create_agent(test_helpers.a(), 'Helper', system_prompt => 'Be brief.', model_provider => 'openai', model_name => 'small',
                            temperature => 0.2, enabled_tools => '{search}', tool_config => '{"search": {"limit": 3}}') AS id;
GRANT SELECT ON made TO PUBLIC;

SELECT is((tenancy.get_agent(id)).system_prompt, 'Be brief.', 'an agent keeps its system prompt') FROM made;
SELECT is((tenancy.get_agent(id)).enabled_tools, '{search}', 'and its tools') FROM made;
SELECT is((tenancy.get_agent(id)).tenant_id, test_helpers.a(), 'and belongs to the tenant it was made in') FROM made;
SELECT is((SELECT count(*) FROM tenancy.list_agents()), 1::bigint, 'the list shows the tenant''s agents and no others');
SELECT throws_ok($$SELECT tenancy.create_agent(test_helpers.a(), 'Helper')$$, '23505', 'agent ''Helper'' exists already',
                 'names are unique in the tenant');
SELECT throws_ok($$SELECT tenancy.create_agent(test_helpers.a(), 'Hot', temperature => 3)$$, '23514', NULL,
                 'a temperature above 2 is refused');
SELECT throws_ok($$SELECT tenancy.create_agent(test_helpers.a(), NULL)$$, '23502', NULL, 'a name is needed');
SELECT throws_ok($$SELECT tenancy.create_agent(test_helpers.a(), 'x', tool_config => '[]')$$, '23514', NULL,
                 'a tool configuration is an object');

SELECT is((tenancy.update_agent(id, '{"temperature": 0.7, "is_active": false}')).temperature, 0.7::double precision,
          'an update changes what it names') FROM made;
SELECT is((tenancy.get_agent(id)).system_prompt, 'Be brief.', 'and nothing else') FROM made;
SELECT throws_ok(format($$SELECT tenancy.update_agent(%L, '{"tenant_id": null}')$$, id), '22023',
                 'agents have no ''tenant_id'' that can be changed', 'the tenant of an agent cannot be changed') FROM made;
SELECT throws_ok(format($$SELECT tenancy.update_agent(%L, '[1]')$$, id), '22023', 'changes must be an object, not array',
                 'changes are an object') FROM made;
SELECT throws_ok(format($$SELECT tenancy.update_agent(%L, NULL)$$, id), '22023', 'changes must be an object, not NULL',
                 'and not null') FROM made;
SELECT throws_ok($$SELECT tenancy.get_agent(NULL)$$, '42704', 'agent NULL is not available', 'null is no agent');

-- The viewer of A reads and does not change.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.viewer_of_a());
SELECT is((SELECT count(*) FROM tenancy.list_agents()), 1::bigint, 'a viewer sees agents');
SELECT throws_ok($$SELECT tenancy.create_agent(test_helpers.a(), 'Mine')$$, 'TN004', 'permission denied by role',
                 'a viewer does not make agents');
SELECT throws_ok(format($$SELECT tenancy.delete_agent(%L)$$, id), 'TN004', 'permission denied by role',
                 'a viewer does not delete agents') FROM made;

-- B's admin is a stranger in A.
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT is((SELECT count(*) FROM tenancy.list_agents()), 0::bigint, 'B has no agents of its own');
SELECT throws_ok(format($$SELECT tenancy.get_agent(%L)$$, id), '42704', format('agent %L is not available', id),
                 'A''s agent is unknown in B') FROM made;
SELECT throws_ok($$SELECT tenancy.get_agent('a0000000-0000-4000-8000-00000000ffff')$$, '42704',
                 'agent ''a0000000-0000-4000-8000-00000000ffff'' is not available', 'as one that does not exist is');
SELECT throws_ok($$SELECT tenancy.create_agent(test_helpers.a(), 'Spy')$$, 'TN002', 'tenant is not available',
                 'B''s admin makes no agents in A');
SELECT throws_ok($$SELECT tenancy.list_agents(test_helpers.a())$$, 'TN002', 'tenant is not available',
                 'and does not list A''s');

-- A's editor deletes it.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT lives_ok(format($$SELECT tenancy.delete_agent(%L)$$, id), 'an editor deletes an agent') FROM made;
SELECT is((SELECT count(*) FROM tenancy.list_agents()), 0::bigint, 'and it is gone');

SELECT test_helpers.act_as_superuser();
SELECT throws_ok($$SELECT tenancy.delete_agent('00000000-0000-0000-0000-000000000003')$$, '55000',
                 'the default agent of the system cannot be deleted', 'the system''s default agent stays');

SELECT * FROM finish();
ROLLBACK;
