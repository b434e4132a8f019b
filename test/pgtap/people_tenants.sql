-- Organizations and tenants: operators keep all, users what they created, members what they may.
BEGIN;
SELECT plan(75);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);

-- The operator.
SELECT test_helpers.act_as('operator');
SELECT lives_ok($$SELECT tenancy.create_organization('acme', 'Acme')$$, 'an operator makes an organization');
SELECT lives_ok($$SELECT tenancy.update_organization('acme', name => 'Acme Inc.', contact => '{"email": "hi@acme.example"}')$$, 'and changes it');
SELECT results_eq($$SELECT slug, name, status, contact, settings, tenants, created_by FROM tenancy.get_organization('acme')$$,
    $$VALUES ('acme', 'Acme Inc.', 'active', '{"email": "hi@acme.example"}'::jsonb, '{}'::jsonb, 0::bigint, NULL::uuid)$$,
    'what was not named stays');
SELECT is((SELECT count(*) FROM tenancy.list_organizations()), 2::bigint, 'there is the default organization, and this one');
SELECT is((SELECT count(*) FROM tenancy.get_organization('nobody')), 0::bigint, 'an unknown one is no row');
SELECT lives_ok($$SELECT tenancy.update_organization('acme', slug => 'acme-inc')$$, 'it may get another slug');
SELECT throws_ok($$SELECT tenancy.update_organization('acme-inc', slug => 'default')$$, '23505', 'organization ''default'' exists already', 'one that is free');
SELECT throws_ok($$SELECT tenancy.create_organization('acme-inc')$$, '23505', 'organization ''acme-inc'' exists already', 'slugs are unique');

SELECT lives_ok($$SELECT tenancy.create_tenant('acme-sales', 'Sales', 'acme-inc', '77', '{"a": 1}')$$, 'an operator makes a tenant');
SELECT results_eq($$SELECT name, status, organization_slug, external_key, settings FROM tenancy.get_tenant('acme-sales')$$,
    $$VALUES ('Sales', 'active', 'acme-inc', '77', '{"a": 1}'::jsonb)$$, 'as it was asked for');
SELECT is((SELECT count(*) FROM tenancy.list_tenants('acme-inc')), 1::bigint, 'it is the organization''s');
SELECT is((SELECT count(*) FROM tenancy.list_tenants()), 4::bigint, 'all of them are listed');
SELECT lives_ok($$SELECT tenancy.update_tenant('acme-sales', slug => 'acme-world', name => 'World', external_key => '78')$$, 'an operator changes it');
SELECT results_eq($$SELECT name, external_key, settings FROM tenancy.get_tenant('acme-world')$$,
    $$VALUES ('World', '78', '{"a": 1}'::jsonb)$$, 'and what was not named stays');
SELECT throws_ok($$SELECT tenancy.update_tenant('acme-world', slug => 'tenant-a')$$, '23505', 'tenant ''tenant-a'' exists already', 'slugs are unique');
SELECT throws_ok($$SELECT tenancy.update_tenant('acme-world', external_key => '1001')$$, '23505', 'tenant ''acme-world'' exists already', 'and external keys');
SELECT throws_ok($$SELECT tenancy.create_tenant('acme-world', organization => 'acme-inc')$$, '23505', 'tenant ''acme-world'' exists already', 'also of new ones');

-- Arguments.
SELECT throws_ok(statement, code, message, message) FROM (VALUES
    ($$SELECT tenancy.create_organization(NULL)$$, '22004', 'slug of an organization must not be null'),
    ($$SELECT tenancy.create_organization('Bad Slug')$$, '22023', 'invalid slug ''Bad Slug'' for an organization'),
    ($$SELECT tenancy.create_organization('x', '')$$, '22023', 'invalid name for an organization: expected 1 to 200 characters, not 0'),
    ($$SELECT tenancy.update_organization(NULL, name => 'x')$$, '22004', 'organization must not be null'),
    ($$SELECT tenancy.update_organization('nobody', name => 'x')$$, '42704', 'organization ''nobody'' does not exist'),
    ($$SELECT tenancy.update_organization('acme-inc', slug => '-')$$, '22023', 'invalid slug ''-'' for an organization'),
    ($$SELECT tenancy.update_organization('acme-inc', contact => '[]')$$, '22023', 'invalid contact: expected a JSON object, not an array'),
    ($$SELECT tenancy.update_organization('acme-inc', settings => '1')$$, '22023', 'invalid settings: expected a JSON object, not a number'),
    ($$SELECT tenancy.update_organization('acme-inc', status => 'gone')$$, '22023', 'invalid status ''gone'' for an organization'),
    ($$SELECT tenancy.update_organization('acme-inc', status => 'deleted')$$, '2BP01', 'organization ''acme-inc'' still has tenants'),
    ($$SELECT tenancy.update_organization('default', status => 'deleted')$$, '22023', 'the default organization cannot be deleted'),
    ($$SELECT * FROM tenancy.get_organization(NULL)$$, '22004', 'organization must not be null'),
    ($$SELECT tenancy.create_tenant(NULL)$$, '22004', 'slug of a tenant must not be null'),
    ($$SELECT tenancy.create_tenant('x', repeat('x', 201))$$, '22023', 'invalid name for a tenant: expected 1 to 200 characters, not 201'),
    ($$SELECT tenancy.create_tenant('x', organization => 'nobody')$$, '42704', 'organization ''nobody'' does not exist'),
    ($$SELECT tenancy.create_tenant('x', external_key => '')$$, '22023', 'invalid external key: expected 1 to 255 bytes, not 0'),
    ($$SELECT tenancy.create_tenant('x', settings => '[]')$$, '22023', 'invalid settings: expected a JSON object, not an array'),
    ($$SELECT tenancy.update_tenant(NULL, name => 'x')$$, '22004', 'tenant must not be null'),
    ($$SELECT tenancy.update_tenant('nobody', name => 'x')$$, 'TN002', 'tenant is not available'),
    ($$SELECT tenancy.update_tenant('acme-world', settings => '"x"')$$, '22023', 'invalid settings: expected a JSON object, not a string'),
    ($$SELECT tenancy.suspend_tenant(NULL::uuid)$$, '22004', 'tenant must not be null'),
    ($$SELECT tenancy.suspend_tenant('nobody')$$, 'TN002', 'tenant is not available'),
    ($$SELECT tenancy.resume_tenant(NULL::text)$$, '22004', 'tenant must not be null'),
    ($$SELECT tenancy.delete_tenant(NULL::text)$$, '22004', 'tenant must not be null'),
    ($$SELECT tenancy.delete_tenant('default')$$, '22023', 'the default tenant cannot be deleted'),
    ($$SELECT tenancy.restore_tenant(NULL::text)$$, '22004', 'tenant must not be null'),
    ($$SELECT tenancy.restore_tenant('nobody')$$, 'TN002', 'tenant is not available')
) AS bad (statement, code, message);

-- Life and death.
SELECT lives_ok($$SELECT tenancy.suspend_tenant('acme-world')$$, 'suspended');
SELECT throws_ok($$SELECT tenancy.restore_tenant('acme-world')$$, '55000', 'tenant ''acme-world'' is suspended, not deleted', 'is not deleted');
SELECT lives_ok($$SELECT tenancy.resume_tenant('acme-world')$$, 'resumed');
SELECT throws_ok($$SELECT tenancy.resume_tenant('acme-world')$$, '55000', 'tenant ''acme-world'' is active, not suspended', 'is active');
SELECT lives_ok($$SELECT tenancy.delete_tenant('acme-world')$$, 'deleted');
SELECT throws_ok($$SELECT tenancy.delete_tenant('acme-world')$$, '55000', 'tenant ''acme-world'' is deleted, not active or suspended', 'only once');
SELECT throws_ok($$SELECT tenancy.suspend_tenant('acme-world')$$, '55000', 'tenant ''acme-world'' is deleted, not active', 'is not suspended then');
SELECT throws_ok($$SELECT tenancy.update_tenant('acme-world', name => 'x')$$, 'TN002', 'tenant is not available', 'nor changed');
SELECT lives_ok($$SELECT tenancy.update_organization('acme-inc', status => 'deleted')$$, 'its organization may go now');
SELECT throws_ok($$SELECT tenancy.create_tenant('x', organization => 'acme-inc')$$, '42704', 'organization ''acme-inc'' does not exist', 'and gets no tenants');
SELECT throws_ok($$SELECT tenancy.restore_tenant('acme-world')$$, '55000', 'the organization of tenant ''acme-world'' is deleted', 'nor back any');
SELECT lives_ok($$SELECT tenancy.update_organization('acme-inc', status => 'active')$$, 'until it is active again');
SELECT lives_ok($$SELECT tenancy.restore_tenant('acme-world')$$, 'and its tenant restored');
SELECT is((SELECT status FROM tenancy.get_tenant('acme-world')), 'active', 'which is active');

-- The admin of A.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
SELECT lives_ok($$SELECT tenancy.update_tenant('tenant-a', name => 'Alpha', settings => '{"colour": "red"}')$$, 'an admin changes name and settings');
SELECT throws_like($$SELECT tenancy.update_tenant('tenant-a', slug => 'alpha')$$, '%does not manage this installation', 'not the slug');
SELECT is((SELECT name FROM tenancy.get_tenant('tenant-a')), 'Alpha', 'reads the tenant by its slug');
SELECT is((SELECT name FROM tenancy.get_tenant(test_helpers.a()::text)), 'Alpha', 'or its id');
SELECT is((SELECT count(*) FROM tenancy.get_tenant('tenant-b')), 0::bigint, 'and no other');
SELECT throws_ok($$SELECT tenancy.update_tenant('tenant-b', name => 'x')$$, 'TN002', 'tenant is not available', 'nor changes another');
SELECT throws_ok($$SELECT tenancy.delete_tenant('tenant-b')$$, 'TN002', 'tenant is not available', 'nor deletes it');
SELECT throws_ok($$SELECT tenancy.resume_tenant('tenant-b')$$, 'TN002', 'tenant is not available', 'nor resumes it');
SELECT throws_ok($$SELECT tenancy.resume_tenant('tenant-a')$$, '55000', 'tenant ''tenant-a'' is active, not suspended', 'nor what is not suspended');
SELECT throws_ok($$SELECT tenancy.create_tenant('mine')$$, '42704', 'organization ''00000000-0000-0000-0000-000000000001'' does not exist',
                 'nor makes tenants in an organization that is not theirs');
SELECT throws_like($$SELECT tenancy.list_tenants()$$, '%does not manage this installation', 'nor lists all');
SELECT is((SELECT count(*) FROM tenancy.get_organization('default')), 0::bigint, 'nor sees the organization');
SELECT throws_ok($$SELECT tenancy.update_organization('default', name => 'x')$$, '42704', 'organization ''default'' does not exist', 'nor changes it');

-- The others of A.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT is((SELECT name FROM tenancy.get_tenant('tenant-a')), 'Alpha', 'an editor reads the tenant');
SELECT throws_ok($$SELECT tenancy.update_tenant('tenant-a', name => 'x')$$, 'TN004', 'permission denied by role', 'and does not change it');
SELECT throws_ok($$SELECT tenancy.suspend_tenant('tenant-a')$$, 'TN004', 'permission denied by role', 'nor suspends it');
SELECT throws_ok($$SELECT tenancy.delete_tenant('tenant-a')$$, 'TN004', 'permission denied by role', 'nor deletes it');

SELECT * FROM finish();
ROLLBACK;
