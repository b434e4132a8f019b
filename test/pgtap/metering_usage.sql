-- Plans, limits and usage: what an operator sets, and what members see and may do.
BEGIN;
SELECT plan(75);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);

INSERT INTO tenancy.organizations (id, slug, name, plan) VALUES ('0f000000-0000-4000-8000-000000000001', 'acme', 'Acme', 'free');
UPDATE tenancy.tenants SET organization_id = '0f000000-0000-4000-8000-000000000001' WHERE id IN (test_helpers.a(), test_helpers.b());

-- What comes with the extension.
SELECT results_eq('SELECT plan, metric, max_amount FROM tenancy.list_plans()',
    $$VALUES ('enterprise', 'documents', NULL::bigint), ('enterprise', 'requests', NULL), ('enterprise', 'tenants', NULL),
             ('free', 'documents', 100), ('free', 'requests', 1000), ('free', 'tenants', 1),
             ('pro', 'documents', 5000), ('pro', 'requests', 100000), ('pro', 'tenants', 10),
             ('starter', 'documents', 500), ('starter', 'requests', 10000), ('starter', 'tenants', 3)$$, 'there are four plans');
SELECT is((SELECT plan FROM tenancy.organizations WHERE slug = 'default'), 'enterprise', 'the default organization has no limits');

-- The application itself counts, for the tenant that it entered.
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT lives_ok($$SELECT tenancy.record_usage('requests', 600)$$, 'the application records requests');
SELECT lives_ok($$SELECT tenancy.record_usage('tokens.out', 12345)$$, 'and a metric that nobody defined');
SELECT results_eq($$SELECT metric, kind, scope, max_amount, used, remaining, resets_at > now() FROM tenancy.limits()$$,
    $$VALUES ('documents', 'level', 'tenant', 100::bigint, 0::bigint, 100::bigint, NULL::boolean), ('members', 'level', 'tenant', NULL, 3, NULL, NULL),
             ('requests', 'flow', 'organization', 1000, 600, 400, true), ('tenants', 'level', 'organization', 1, 2, 0, NULL),
             ('tokens.out', 'flow', 'tenant', NULL, 12345, NULL, true)$$, 'limits shows all of it');
SELECT is(tenancy.remaining('requests'), 400::bigint, '400 requests remain');
SELECT is(tenancy.remaining('tokens.out'), NULL, 'what is not limited has no remainder');
SELECT is(tenancy.remaining('unheard.of'), NULL, 'nor has what was never used');

-- Tenants of one organization share its requests.
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT lives_ok($$SELECT tenancy.record_usage('requests', 400)$$, 'B takes the rest');
SELECT throws_like($$SELECT tenancy.record_usage('requests')$$, 'quota exceeded', 'and no more');
SELECT throws_ok($$SELECT tenancy.record_usage('requests')$$, 'TN005', 'quota exceeded', 'with its code');
CREATE FUNCTION pg_temp.detail(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN said;
END $$;
SELECT matches(pg_temp.detail($$SELECT tenancy.record_usage('requests')$$),
    '^1000 of 1000 requests are used and 1 more asked for[.] The month ends at \d{4}-\d\d-01 00:00:00 UTC, in \d+ seconds[.]$',
    'and how long to wait');
SELECT is((SELECT amount FROM tenancy.usage_report() WHERE metric = 'requests'), 400::bigint, 'the report is of the own tenant');
SELECT is((SELECT count(*) FROM tenancy.usage_report() WHERE tenant_id <> test_helpers.b()), 0::bigint, 'alone');
SELECT throws_ok($$SELECT * FROM tenancy.usage_report(tenant => test_helpers.a())$$, 'TN002', 'tenant is not available', 'A''s is not shown');
SELECT throws_ok($$SELECT * FROM tenancy.limits(test_helpers.a())$$, 'TN002', 'tenant is not available', 'nor its limits');
SELECT throws_ok($$SELECT tenancy.remaining('requests', test_helpers.a())$$, 'TN002', 'tenant is not available', 'nor what it has left');
SELECT throws_ok($$SELECT tenancy.record_usage('tokens', 1, test_helpers.a())$$, 'TN002', 'tenant is not available', 'nor is A charged');
SELECT throws_ok($$SELECT * FROM tenancy.usage_report(organization => '0f000000-0000-4000-8000-000000000001')$$, '42501', NULL, 'nor an organization''s');

-- Roles.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.viewer_of_a());
SELECT throws_ok($$SELECT tenancy.record_usage('tokens')$$, 'TN004', 'permission denied by role', 'a viewer records nothing');
SELECT is(tenancy.remaining('documents'), 100::bigint, 'but reads');
SELECT throws_ok($$SELECT tenancy.set_limit('requests', 9, test_helpers.a())$$, '42501', NULL, 'and sets no limit');
SELECT throws_ok('SELECT * FROM tenancy.usage_slots', '42501', NULL, 'the tables are not read');
SELECT throws_ok('UPDATE tenancy.plan_limits SET max_amount = NULL', '42501', NULL, 'nor written');
SELECT throws_ok($$SELECT tenancy.consume(test_helpers.a(), 'x')$$, '42501', NULL, 'nor the internal functions called');
SELECT test_helpers.act_as('app');
SELECT throws_ok($$SELECT tenancy.record_usage('tokens')$$, 'TN001', 'no tenant is set', 'a stranger is told that no tenant is set');
SELECT throws_ok($$SELECT * FROM tenancy.limits(test_helpers.a())$$, 'TN002', 'tenant is not available', 'and learns nothing of A');

-- The operator.
SELECT test_helpers.act_as('operator');
SELECT lives_ok($$SELECT tenancy.set_limit('requests', 650, tenant => test_helpers.a())$$, 'A gets a limit of its own within the organization''s');
SELECT lives_ok($$SELECT tenancy.change_plan('acme', 'starter')$$, 'the organization gets another plan');
SELECT results_eq($$SELECT max_amount, used, remaining FROM tenancy.limits(test_helpers.a()) WHERE metric = 'requests'$$,
                  'VALUES (650::bigint, 600::bigint, 50::bigint)', 'the nearer limit is shown');
SELECT results_eq($$SELECT max_amount, used, remaining FROM tenancy.limits(test_helpers.b()) WHERE metric = 'requests'$$,
                  'VALUES (10000::bigint, 1000::bigint, 9000::bigint)', 'to B the organization''s');
SELECT lives_ok($$SELECT tenancy.record_usage('requests', 50, test_helpers.a())$$, 'A has 50 more');
SELECT throws_ok($$SELECT tenancy.record_usage('requests', 1, test_helpers.a())$$, 'TN005', 'quota exceeded', 'and not 51');
SELECT ok(tenancy.drop_limit('requests', tenant => test_helpers.a()), 'the exception is taken back');
SELECT ok(NOT tenancy.drop_limit('requests', tenant => test_helpers.a()), 'once');
SELECT lives_ok($$SELECT tenancy.record_usage('requests', 1, test_helpers.a())$$, 'and A goes on');
SELECT lives_ok($$SELECT tenancy.set_limit('requests', 1051, organization => '0f000000-0000-4000-8000-000000000001')$$,
                'the organization gets just what it has used');
SELECT throws_ok($$SELECT tenancy.record_usage('requests', 1, test_helpers.b())$$, 'TN005', 'quota exceeded', 'leases of before do not help');
SELECT lives_ok($$SELECT tenancy.set_limit('requests', NULL, organization => '0f000000-0000-4000-8000-000000000001')$$, 'null is no limit');
SELECT lives_ok($$SELECT tenancy.record_usage('requests', 1000000, test_helpers.b())$$, 'so a million passes');
SELECT lives_ok($$SELECT tenancy.change_plan('acme', 'free')$$, 'back to free');
SELECT ok(tenancy.drop_limit('requests', organization => '0f000000-0000-4000-8000-000000000001'), 'without an exception');
SELECT throws_ok($$SELECT tenancy.record_usage('requests', 1, test_helpers.b())$$, 'TN005', 'quota exceeded', 'nothing more, and nothing is taken away');
SELECT results_eq($$SELECT tenant_slug, metric, amount FROM tenancy.usage_report(organization => '0f000000-0000-4000-8000-000000000001')$$,
    $$VALUES ('tenant-a', 'requests', 651::bigint), ('tenant-a', 'tokens.out', 12345), ('tenant-b', 'requests', 1000400)$$, 'the bill');
SELECT is_empty($$SELECT * FROM tenancy.usage_report(since => '2000-01-01', until => '2000-12-31')$$, 'months are chosen');
SELECT lives_ok($$SELECT tenancy.set_plan('team', 'for teams'), tenancy.set_plan_limit('team', 'seats', 2), tenancy.define_metric('seats', 'level'),
                         tenancy.change_plan('acme', 'team')$$, 'a plan of one''s own');

-- A level of the application's own.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT lives_ok($$SELECT tenancy.record_usage('seats', 2)$$, 'two seats');
SELECT throws_ok($$SELECT tenancy.record_usage('seats')$$, 'TN005', 'quota exceeded', 'not three');
SELECT is(pg_temp.detail($$SELECT tenancy.record_usage('seats')$$),
          '2 of 2 seats are used and 1 more asked for. That does not change by waiting.', 'waiting does not help');
SELECT lives_ok($$SELECT tenancy.release_usage('seats')$$, 'one is freed');
SELECT lives_ok($$SELECT tenancy.record_usage('seats')$$, 'and taken again');
SELECT throws_ok($$SELECT tenancy.release_usage('seats', 3)$$, '22023', 'cannot release 3 seats of 2 that are used', 'no more than there are');
SELECT throws_ok($$SELECT tenancy.release_usage('requests')$$, '22023', 'metric ''requests'' cannot be released', 'requests do not come back');
SELECT throws_ok($$SELECT tenancy.release_usage('documents')$$, '22023', 'metric ''documents'' cannot be released', 'nor what is counted');

-- Arguments.
SELECT throws_ok($$SELECT tenancy.record_usage(NULL)$$, '22004', 'metric must not be null', 'no metric');
SELECT throws_ok($$SELECT tenancy.record_usage('No such')$$, '22023', 'invalid metric ''No such''', 'a bad name');
SELECT throws_ok($$SELECT tenancy.record_usage('x', 0)$$, '22023', 'amount must be between 1 and 1000000000000, not 0', 'nothing');
SELECT throws_ok($$SELECT tenancy.record_usage('x', -5)$$, '22023', 'amount must be between 1 and 1000000000000, not -5', 'less than nothing');
SELECT throws_ok($$SELECT tenancy.record_usage('x', NULL)$$, '22004', 'amount must not be null', 'null');
SELECT throws_ok($$SELECT tenancy.record_usage('documents')$$, '22023', 'metric ''documents'' is counted by the database', 'what the database counts');
SELECT throws_ok($$SELECT * FROM tenancy.usage_report('2026-02-01', '2026-01-01')$$, '22023',
                 'since must not be after until, as 2026-02-01 is after 2026-01-01', 'time runs forward');
SELECT test_helpers.act_as('operator');
SELECT throws_ok($$SELECT tenancy.set_limit('x', -1, test_helpers.a())$$, '22023', 'max_amount must be between 0 and 1000000000000000, not -1', 'a negative limit');
SELECT throws_ok($$SELECT tenancy.set_limit('x', 1)$$, '22023', 'pass either tenant or organization', 'a limit of nobody');
SELECT throws_ok($$SELECT tenancy.set_limit('tenants', 1, test_helpers.a())$$, '22023', 'tenants are limited for an organization', 'tenants of a tenant');
SELECT throws_ok($$SELECT tenancy.set_limit('x', 1, test_helpers.admin_of_a())$$, 'TN002', 'tenant is not available', 'an unknown tenant');
SELECT throws_ok($$SELECT tenancy.set_limit('x', 1, organization => test_helpers.a())$$, '42704', NULL, 'an unknown organization');
SELECT throws_ok($$SELECT tenancy.change_plan('acme', 'gold')$$, '42704', 'plan ''gold'' does not exist', 'an unknown plan');
SELECT throws_ok($$SELECT tenancy.set_plan_limit('gold', 'x', 1)$$, '42704', 'plan ''gold'' does not exist', 'has no limits');
SELECT throws_ok($$SELECT tenancy.set_plan('Gold')$$, '22023', 'invalid plan ''Gold''', 'a bad name of a plan');
SELECT throws_ok($$SELECT tenancy.drop_plan('free')$$, '2BP01', 'plan ''free'' cannot be dropped', 'built-in plans stay');
SELECT throws_ok($$SELECT tenancy.drop_plan('team')$$, '2BP01', 'plan ''team'' is in use', 'and used ones');
SELECT throws_ok($$SELECT tenancy.define_metric('seats', 'flow')$$, '55006', 'metric ''seats'' is in use as a level of each tenant', 'a used metric stays what it is');
SELECT throws_ok($$SELECT tenancy.define_metric('documents')$$, '42710', 'metric ''documents'' is built in', 'and a built-in one');
SELECT throws_ok($$SELECT tenancy.define_metric('x', 'both')$$, '22023', 'invalid kind ''both''', 'a bad kind');
SELECT throws_ok($$SELECT tenancy.define_metric('x', scope => 'all')$$, '22023', 'invalid scope ''all''', 'a bad scope');

SELECT test_helpers.act_as_superuser();
SELECT * FROM finish();
ROLLBACK;
