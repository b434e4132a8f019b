-- Who may call what of protected tables.
BEGIN;
SELECT plan(12);

SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.make_role('nobody', NULL);

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                  WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace) AND a.grantee = 0$$, 'no function is PUBLIC''s');
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'tenancy'::regnamespace AND a.grantee = 0$$,
                'and no table');
SELECT ok(NOT has_function_privilege(test_helpers.role_name('owner'), 'tenancy.after_ddl(text, boolean, boolean)', 'EXECUTE'),
          'owners do not call what runs with the extension''s rights');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                  WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace) AND (p.prosecdef OR p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql'))
                    AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=pg_catalog, pg_temp')
                    -- What commits can have no SET clause: it runs as its caller, and sets the path itself.
                    AND (p.prosecdef OR p.prokind <> 'p')$$,
                'every definer and plpgsql function fixes its search_path');
SELECT set_eq(format($$SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'tenancy'::regnamespace AND p.prosrc = 'tenancy_entry'
                  AND has_function_privilege(%L, p.oid, 'EXECUTE') AND p.oid::regprocedure::text ~ 'tenant_value|without_tenant'$$, test_helpers.role_name('owner')),
              $$VALUES ('tenancy.default_tenant_value(regtype)'), ('tenancy.values_without_tenant(regtype,text[])')$$,
              'what an owner learns of tenants is whether a key is one');

SELECT test_helpers.act_as('owner');
SELECT throws_ok('SELECT * FROM tenancy.tenants', '42501', 'permission denied for table tenants', 'an owner does not read the tenants');
CREATE TABLE mine (id integer);
SELECT lives_ok($$SELECT tenancy.protect('mine')$$, 'an owner protects');
SELECT lives_ok($$SELECT tenancy.unprotect('mine')$$, 'and unprotects');
SELECT test_helpers.act_as('app');
SELECT throws_ok($$SELECT tenancy.unprotect('mine')$$, '42501', 'permission denied for function unprotect', 'an application''s role does not');
SELECT throws_ok($$SELECT tenancy.check()$$, '42501', 'permission denied for function check', 'nor check');

SELECT test_helpers.act_as_superuser();
SELECT tenancy.revoke_owner(test_helpers.role_name('owner')::regrole);
SELECT is_empty(format($$SELECT 1 FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'tenancy'::regnamespace AND a.grantee = %1$L::regrole
                         UNION ALL SELECT 1 FROM pg_attribute t, aclexplode(t.attacl) a WHERE a.grantee = %1$L::regrole
                         UNION ALL SELECT 1 FROM pg_proc p, aclexplode(p.proacl) a WHERE a.grantee = %1$L::regrole$$, test_helpers.role_name('owner')),
                'revoke_owner() takes everything back');
SELECT test_helpers.act_as('owner');
SELECT throws_ok($$SELECT tenancy.protect('mine')$$, '42501', 'permission denied for schema tenancy', 'who then protects no more');

SELECT * FROM finish();
ROLLBACK;
