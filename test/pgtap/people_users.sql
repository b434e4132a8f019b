-- Users: registration, identities, and what is a user's own.
BEGIN;
SELECT plan(65);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);
CREATE TABLE made (step integer, user_id uuid, organization_id uuid, tenant_id uuid);
GRANT ALL ON made TO PUBLIC;

-- Registration.
SELECT test_helpers.act_as('operator');
INSERT INTO made SELECT 1, r.* FROM tenancy.register_user('Jane.Doe+x@Example.com', 'Jane', 'https://id.example', 'sub-1') r;
SELECT is((SELECT name FROM tenancy.find_user('jane.doe+X@example.COM')), 'Jane', 'e-mail is found without regard to case');
SELECT is((SELECT id FROM tenancy.find_user(issuer => 'https://id.example', subject => 'sub-1')), user_id, 'and the identity') FROM made;
SELECT results_eq($$SELECT t.slug, t.name, t.organization_slug, m.role, m.is_creator FROM made, tenancy.get_tenant(tenant_id::text) t, tenancy.list_members(tenant_id) m$$,
    $$VALUES ('jane-doe-x', 'Jane', 'jane-doe-x', 'admin', true)$$, 'with a tenant and an organization of their own');
SELECT results_eq($$SELECT o.plan, o.created_by FROM made, tenancy.get_organization(organization_id::text) o$$,
    $$SELECT 'free', user_id FROM made$$, 'on the free plan');
SELECT is((SELECT current_tenant_id FROM tenancy.get_user(user_id)), tenant_id, 'which is their current one') FROM made;
SELECT throws_ok($$SELECT tenancy.register_user('jane.doe+x@example.com')$$, '23505',
    'a user with the e-mail address ''jane.doe+x@example.com'' exists already', 'an address registers once, in whatever case');
SELECT throws_ok($$SELECT tenancy.register_user('other@example.com', issuer => 'https://id.example', subject => 'sub-1')$$, '23505',
    'identity ''sub-1'' of issuer ''https://id.example'' belongs to a user already', 'so does an identity');
SELECT is((SELECT count(*) FROM tenancy.find_user('other@example.com')), 0::bigint, 'and nothing is left of the attempt');
INSERT INTO made SELECT 2, r.* FROM tenancy.register_user('jane.doe+x@example.org') r;
SELECT matches((SELECT t.slug::text FROM made, tenancy.get_tenant(tenant_id::text) t WHERE step = 2), '^jane-doe-x-[0-9a-f]{8}$', 'a slug is made unique');
INSERT INTO made SELECT 3, r.* FROM tenancy.register_user(issuer => 'https://id.example', subject => 'sub-3') r;
SELECT is((SELECT t.slug::text FROM made, tenancy.get_tenant(tenant_id::text) t WHERE step = 3), 'user', 'without an address there is a slug too');
INSERT INTO made SELECT 4, r.* FROM tenancy.register_user('???@example.org', settings => '{"theme": "dark"}', plan => 'pro') r;
SELECT matches((SELECT t.slug::text FROM made, tenancy.get_tenant(tenant_id::text) t WHERE step = 4), '^user-', 'as with one that has no letters');
SELECT is((SELECT settings FROM made, tenancy.get_user(user_id) WHERE step = 4), '{"theme": "dark"}', 'settings are kept');

SELECT throws_ok(statement, code, message, message) FROM (VALUES
    ($$SELECT tenancy.register_user(NULL)$$, '22004', 'email must not be null'),
    ($$SELECT tenancy.register_user('no at sign')$$, '22023', 'invalid e-mail address ''no at sign'''),
    ($$SELECT tenancy.register_user(repeat('x', 320) || '@x')$$, '22023', 'invalid e-mail address ''' || repeat('x', 80) || ''''),
    ($$SELECT tenancy.register_user('x@x', '')$$, '22023', 'invalid name for a user: expected 1 to 200 characters, not 0'),
    ($$SELECT tenancy.register_user('x@x', issuer => 'i')$$, '22004', 'subject must not be null'),
    ($$SELECT tenancy.register_user('x@x', issuer => 'i', subject => '')$$, '22023', 'invalid identity: expected 1 to 1024 bytes each, not 1 for issuer and 0 for subject'),
    ($$SELECT tenancy.register_user('x@x', settings => '[]')$$, '22023', 'invalid settings: expected a JSON object, not an array'),
    ($$SELECT tenancy.register_user('x@x', plan => NULL)$$, '22004', 'plan must not be null'),
    ($$SELECT tenancy.register_user('x@x', plan => 'gold')$$, '42704', 'plan ''gold'' does not exist'),
    ($$SELECT tenancy.get_user(NULL)$$, '22004', 'user_id must not be null'),
    ($$SELECT tenancy.find_user()$$, '22004', 'email must not be null'),
    ($$SELECT tenancy.find_user(issuer => 'i')$$, '22004', 'email must not be null'),
    ($$SELECT tenancy.list_users(at_most => -1)$$, '22023', 'invalid at_most -1'),
    ($$SELECT tenancy.update_user(NULL)$$, '22004', 'user_id must not be null'),
    ($$SELECT tenancy.update_user('00000000-0000-4000-8000-00000000dead', 'x')$$, '42704', 'user 00000000-0000-4000-8000-00000000dead does not exist'),
    ($$SELECT tenancy.update_user(test_helpers.admin_of_a(), email => 'x')$$, '22023', 'invalid e-mail address ''x'''),
    ($$SELECT tenancy.update_user(test_helpers.admin_of_a(), email => 'ADMIN@b.example')$$, '23505', 'a user with the e-mail address ''ADMIN@b.example'' exists already'),
    ($$SELECT tenancy.deactivate_user(NULL)$$, '22004', 'user_id must not be null'),
    ($$SELECT tenancy.reactivate_user('00000000-0000-4000-8000-00000000dead')$$, '42704', 'user 00000000-0000-4000-8000-00000000dead does not exist'),
    ($$SELECT tenancy.link_identity(NULL, 'i', 's')$$, '22004', 'user_id must not be null'),
    ($$SELECT tenancy.link_identity(test_helpers.admin_of_a(), NULL, 's')$$, '22004', 'issuer must not be null'),
    ($$SELECT tenancy.link_identity(test_helpers.admin_of_a(), 'https://id.example', 'sub-1')$$, '23505', 'identity ''sub-1'' of issuer ''https://id.example'' belongs to a user already'),
    ($$SELECT tenancy.unlink_identity('i', 's')$$, '42704', 'identity ''s'' of issuer ''i'' belongs to no user'),
    ($$SELECT tenancy.list_tenants_of_user(NULL)$$, '22004', 'user_id must not be null')
) AS bad (statement, code, message);

SELECT lives_ok($$SELECT tenancy.link_identity(test_helpers.admin_of_a(), 'https://id.example', 'sub-a')$$, 'another user is linked');
SELECT is((SELECT email FROM tenancy.find_user(issuer => 'https://id.example', subject => 'sub-a')), 'admin@a.example', 'and found');
SELECT is((SELECT count(*) FROM tenancy.find_user('admin@b.example', 'https://id.example', 'sub-a')), 0::bigint, 'by all that is named');
SELECT lives_ok($$SELECT tenancy.unlink_identity('https://id.example', 'sub-a')$$, 'and unlinked');
SELECT is((SELECT count(*) FROM tenancy.list_users()), 8::bigint, 'all are listed');
SELECT is((SELECT count(*) FROM tenancy.list_users((SELECT max(id::text)::uuid FROM tenancy.list_users()))), 0::bigint, 'in pages');
SELECT lives_ok($$SELECT tenancy.update_user(test_helpers.admin_of_a(), email => 'Admin@A.example')$$, 'an address may change its case');
SELECT is((SELECT count(*) FROM made, tenancy.list_tenants_of_user(user_id) WHERE step = 1), 1::bigint, 'an operator sees where a user is a member');

-- A user's own.
SELECT test_helpers.act_as('app', tenant_id, user_id) FROM made WHERE step = 4;
SELECT results_eq('SELECT slug, role, is_current FROM tenancy.my_tenants()', $$SELECT t.slug, 'admin', true FROM made, tenancy.get_tenant(tenant_id::text) t WHERE step = 4$$, 'a user sees their tenants');
SELECT lives_ok($$SELECT tenancy.update_user(user_id, 'Four', '{}') FROM made WHERE step = 4$$, 'changes their name');
SELECT is((SELECT name FROM made, tenancy.get_user(user_id) WHERE step = 4), 'Four', 'and reads it');
SELECT throws_like($$SELECT tenancy.update_user(user_id, email => 'four@x') FROM made WHERE step = 4$$, '%does not manage this installation', 'but not the address');
SELECT is((SELECT count(*) FROM tenancy.get_user(test_helpers.admin_of_a())), 0::bigint, 'another user is no row');
SELECT throws_like($$SELECT tenancy.update_user(test_helpers.admin_of_a(), 'x')$$, 'user % does not exist', 'nor to be changed');
SELECT throws_ok($$SELECT tenancy.find_user('admin@a.example')$$, '42501', NULL, 'nor found');
SELECT throws_ok($$SELECT tenancy.register_user('x@x')$$, '42501', NULL, 'users do not register others');
SELECT throws_ok($$SELECT tenancy.deactivate_user(test_helpers.admin_of_a())$$, '42501', NULL, 'nor deactivate them');

-- A tenant in the own organization.
SELECT is((SELECT count(*) FROM tenancy.list_organizations()), 1::bigint, 'a user sees the organization that they created');
SELECT lives_ok($$SELECT tenancy.create_tenant('second', organization => (SELECT slug FROM tenancy.list_organizations()))$$, 'and makes a tenant in it');
SELECT is((SELECT role FROM tenancy.my_tenants() WHERE slug = 'second'), 'admin', 'as its admin');
SELECT is((SELECT count(*) FROM tenancy.list_tenants((SELECT slug FROM tenancy.list_organizations()))), 2::bigint, 'both are listed');
SELECT throws_like($$SELECT tenancy.create_tenant('third', organization => (SELECT slug FROM tenancy.list_organizations()), external_key => '5')$$,
                   '%does not manage this installation', 'keys of the application are the operators''');
SELECT lives_ok($$SELECT tenancy.update_organization((SELECT slug FROM tenancy.list_organizations()), name => 'Ours')$$, 'they name their organization');
SELECT throws_like($$SELECT tenancy.update_organization((SELECT slug FROM tenancy.list_organizations()), status => 'suspended')$$,
                   '%does not manage this installation', 'its status is the operators''');
SELECT isnt(tenancy.switch_tenant('second'), NULL, 'they switch');
SELECT is((SELECT slug::text FROM tenancy.my_tenants() WHERE is_current), 'second', 'which is remembered');
SELECT throws_ok($$SELECT tenancy.switch_tenant('tenant-a')$$, 'TN002', 'tenant is not available', 'not to where they are no member');
SELECT throws_ok($$SELECT tenancy.switch_tenant('nobody')$$, 'TN002', 'tenant is not available', 'nor to what is not there');

-- On the free plan there is one tenant.
SELECT test_helpers.act_as('app', tenant_id, user_id) FROM made WHERE step = 1;
SELECT throws_ok($$SELECT tenancy.create_tenant('more', organization => 'jane-doe-x')$$, 'TN005', NULL, 'the plan holds');

SELECT * FROM finish();
ROLLBACK;
