-- Attack 4: values that are no tenant. They are refused when they are set, not when a row is read.
BEGIN;
SELECT plan(78);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();

SELECT throws_ok(format('SET tenancy.%s = %L', name, value), '22023', NULL, format('%s: %s', name, left(value, 60)))
FROM (VALUES ('tenant_id'), ('user_id'), ('api_key_id')) AS settings (name)
CROSS JOIN (VALUES
    ('x'), (' '), ('null'), ('0'), ('tenant-a'),
    ('AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA'),
    ('{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}'),
    ('aaaaaaaaaaaa4aaa8aaaaaaaaaaaaaaa'),
    (' aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'),
    ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa '),
    ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa'),
    ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaaa'),
    ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaag'),
    ('aaaaaaaa_aaaa_4aaa_8aaa_aaaaaaaaaaaa'),
    (E'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\n'),
    ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'',''bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'),
    (repeat('a', 1024 * 1024))
) AS bad (value);
SELECT throws_ok('SET tenancy.tenant_id = ''x''', '22023', 'invalid value for parameter "tenancy.tenant_id": "x"',
                 'the value is shown');
SELECT throws_ok('SET tenancy.role = ' || quote_literal(value), '22023', NULL, 'role: ' || left(value, 60))
FROM (VALUES ('Admin'), ('a b'), ('x/y'), (repeat('x', 64))) AS bad (value);
SELECT throws_ok('SET tenancy.scopes = ' || quote_literal(value), '22023', NULL, 'scopes: ' || left(value, 60))
FROM (VALUES (repeat('x', 1024 * 1024))) AS bad (value);

SELECT act_as('app');
SELECT throws_ok(format('SELECT tenancy.set_tenant(%L::text)', value), 'TN002', 'tenant is not available',
                 format('set_tenant(text): %s', left(value, 60)))
FROM (VALUES (''), (' '), ('x'), ('no-such-tenant'), ('Tenant-A'), ('tenant-a '), ('%'), ('tenant-_'),
             ('AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA'), ('{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}'),
             ('00000000-0000-0000-0000-00000000dead'), (repeat('a', 1024 * 1024)), (E'tenant-a\u0001'),
             ('tenant-a'' OR true --')) AS bad (value);
SELECT throws_ok('SELECT tenancy.set_tenant(''x''::uuid)', '22P02', 'invalid input syntax for type uuid: "x"',
                 'what is no uuid is not one');
SELECT is(tenancy.has_context(), false, 'nothing was entered by any of them');
SELECT is(tenancy.set_tenant('tenant-a'), a(), 'a slug is found');
SELECT is(tenancy.set_tenant(a()::text), a(), 'and the text of the id');
SELECT is(tenancy.set_tenant('{AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa}'::uuid), a(), 'a uuid is one in any form of input');

SELECT act_as_superuser();
SELECT lives_ok(format('SET LOCAL tenancy.tenant_id = %L', b()), 'the setting takes the canonical form');
SELECT is(tenancy.current_tenant_id(), b(), 'and names the tenant');

SELECT * FROM finish();
ROLLBACK;
