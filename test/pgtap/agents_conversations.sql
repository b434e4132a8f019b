-- Which agent answers, and conversations with it.
BEGIN;
SELECT plan(29);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
CREATE TEMP TABLE made AS
SELECT tenancy.create_agent(test_helpers.a(), 'First') AS first, tenancy.create_agent(test_helpers.a(), 'Second') AS second;
GRANT SELECT ON made TO PUBLIC;

SELECT is((SELECT source FROM tenancy.resolve_agent()), 'system', 'without a default the system''s agent answers');
SELECT is((SELECT (resolved).id FROM tenancy.resolve_agent()), '00000000-0000-0000-0000-000000000003',
          'which is the one with the fixed id');
SELECT throws_ok($$SELECT tenancy.create_session()$$, '42704', 'the tenant has no active agent',
                 'a conversation needs an agent of the tenant');

SELECT lives_ok(format('SELECT tenancy.set_default_agent(%L)', first), 'an editor chooses the default') FROM made;
SELECT is((SELECT source FROM tenancy.resolve_agent()), 'tenant', 'then the tenant''s default answers');
SELECT lives_ok(format('SELECT tenancy.set_default_agent(%L)', second), 'the default can be changed') FROM made;
SELECT is((SELECT count(*) FROM tenancy.list_agents() WHERE is_default), 1::bigint, 'and there is one default only');
SELECT is((SELECT (resolved).id FROM tenancy.resolve_agent()), second, 'the one chosen last') FROM made;
SELECT is((SELECT source FROM tenancy.resolve_agent(agent => (SELECT first FROM made))), 'explicit', 'an agent asked for goes first');

CREATE TEMP TABLE talk AS SELECT tenancy.create_session(agent => (SELECT first FROM made), title => 'Hello') AS id;
GRANT SELECT ON talk TO PUBLIC;
SELECT is((SELECT source FROM tenancy.resolve_agent(session => (SELECT id FROM talk))), 'session',
          'the conversation''s agent goes before the tenant''s');
SELECT is((SELECT (resolved).id FROM tenancy.resolve_agent(session => (SELECT id FROM talk))), first,
          'and is the one it began with') FROM made;
SELECT lives_ok(format($$SELECT tenancy.update_agent(%L, '{"is_active": false}')$$, first), 'an agent is turned off') FROM made;
SELECT is((SELECT source FROM tenancy.resolve_agent(session => (SELECT id FROM talk))), 'tenant',
          'then the conversation falls back to the tenant''s default');
SELECT throws_ok(format($$SELECT tenancy.resolve_agent(agent => %L)$$, first), '42704', format('agent %L is not available', first),
                 'and asking for it by name is an error, not another agent') FROM made;

SELECT lives_ok(format($$SELECT tenancy.add_message(%L, 'user', 'Hi')$$, id), 'a user writes a message') FROM talk;
SELECT lives_ok(format($$SELECT tenancy.add_message(%L, 'assistant', 'Hello!', tokens => 2)$$, id), 'the agent answers') FROM talk;
SELECT throws_ok(format($$SELECT tenancy.add_message(%L, 'robot', 'x')$$, id), '23514', NULL, 'other roles are refused') FROM talk;
SELECT results_eq(format($$SELECT role, content FROM tenancy.list_messages(%L)$$, id),
                  $$VALUES ('user', 'Hi'), ('assistant', 'Hello!')$$, 'messages come back in order') FROM talk;

CREATE TEMP TABLE run AS SELECT tenancy.start_run(session => (SELECT id FROM talk), input => '{"q": "Hi"}') AS id;
SELECT lives_ok(format($$SELECT tenancy.finish_run(%L, 'succeeded', '{"a": "Hello!"}', prompt_tokens => 5, completion_tokens => 2)$$, id),
                'a run is finished') FROM run;
SELECT throws_ok(format($$SELECT tenancy.finish_run(%L, 'failed')$$, id), '42704', format('run %L is not available', id),
                 'once only') FROM run;
SELECT throws_ok(format($$SELECT tenancy.finish_run(%L, 'running')$$, id), '22023', 'invalid status ''running'' of a finished run',
                 'and not to running') FROM run;
SELECT results_eq($$SELECT actor, status, prompt_tokens FROM tenancy.list_runs()$$,
                  format($$VALUES ('user:%s', 'succeeded', 5)$$, test_helpers.editor_of_a()), 'the record says who and how');

-- Another user of A, who does not manage agents, does not see the editor's conversation.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.viewer_of_a());
SELECT is((SELECT count(*) FROM tenancy.list_sessions()), 0::bigint, 'a viewer does not see another user''s conversations');
SELECT throws_ok(format($$SELECT tenancy.list_messages(%L)$$, id), '42704', format('session %L is not available', id),
                 'nor reads them') FROM talk;

-- Nor does B.
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT throws_ok(format($$SELECT tenancy.add_message(%L, 'user', 'x')$$, id), '42704', format('session %L is not available', id),
                 'B does not write into A''s conversation') FROM talk;
SELECT is((SELECT source FROM tenancy.resolve_agent(session => (SELECT id FROM talk))), 'system',
          'A''s conversation says nothing about B''s agent');
SELECT is(tenancy.graph_namespace(), 'workspace_' || test_helpers.b(), 'the graph''s namespace is the tenant''s');

-- An installation that went back to one tenant has no tenant's step, and needs no context.
SELECT test_helpers.act_as_superuser();
SELECT lives_ok('SELECT tenancy.set_enabled(false)', 'tenancy is turned off');
SELECT is((SELECT source FROM tenancy.resolve_agent()), 'system', 'then the system''s agent answers without a context');

SELECT * FROM finish();
ROLLBACK;
