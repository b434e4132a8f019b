-- The public surface: every function that somebody may call, with its signature and who is given it. A change of it must
-- show in a diff.
\pset format unaligned
SELECT granted_by, name, arguments, result
FROM (
    SELECT coalesce((SELECT k FROM unnest('{app,session,member,owner,control_plane}'::text[]) k
                     WHERE p.oid::regprocedure IN (SELECT tenancy.grant_list(k))), 'superuser') AS granted_by,
           p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
    FROM pg_proc p
    WHERE p.pronamespace = 'tenancy'::regnamespace
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND obj_description(p.oid, 'pg_proc') !~ '; internal$') AS public_functions
ORDER BY granted_by COLLATE "C", name COLLATE "C", arguments COLLATE "C";
\pset format aligned

-- Nothing of it is PUBLIC's.
SELECT p.oid::regprocedure AS function_for_all
FROM pg_proc p
WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace) AND has_function_privilege('public', p.oid, 'EXECUTE');
SELECT c.oid::regclass AS relation_for_all
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'tenancy'::regnamespace AND a.grantee = 0;
SELECT has_schema_privilege('public', s, 'USAGE') AS schema_for_all FROM unnest('{tenancy,tenancy_internal}'::text[]) s;

-- Every definer function lies behind a function that notes who calls, and has a fixed search_path. These two tables alone have no row level security: nobody may read them at all.
SELECT p.oid::regprocedure AS definer_without_entry
FROM pg_proc p
JOIN pg_extension e ON e.extname = 'tenancy'
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE p.prosecdef
  AND NOT EXISTS (SELECT FROM pg_proc f
                  WHERE p.pronamespace = 'tenancy_internal'::regnamespace AND f.pronamespace = 'tenancy'::regnamespace
                    AND f.proname = p.proname AND f.proargtypes = p.proargtypes AND f.prosrc = 'tenancy_entry' AND NOT f.prosecdef
                    AND pg_get_function_arguments(f.oid) = pg_get_function_arguments(p.oid)
                    AND pg_get_function_result(f.oid) = pg_get_function_result(p.oid)
                    AND (f.provolatile, f.proisstrict, f.proparallel, f.proretset, f.prorows, f.procost)
                        = (p.provolatile, p.proisstrict, p.proparallel, p.proretset, p.prorows, p.procost));
SELECT p.oid::regprocedure AS definer_without_search_path
FROM pg_proc p
WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace) AND p.prosecdef
  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s IN ('search_path=pg_catalog, pg_temp', 'search_path=""'));
SELECT c.oid::regclass AS table_without_rls
FROM pg_class c
WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
ORDER BY c.relname COLLATE "C";

-- Settings.
SELECT name, context, vartype, boot_val FROM pg_settings WHERE name LIKE 'tenancy.%' ORDER BY name;

-- Everything says what it is for.
SELECT p.oid::regprocedure AS function_without_comment FROM pg_proc p
WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.oid::regclass AS relation_without_comment FROM pg_class c
WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND obj_description(c.oid, 'pg_class') IS NULL;
