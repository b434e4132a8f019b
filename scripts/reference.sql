-- Prints docs/reference.md from the catalogue of a database with the extension: psql -XqAt -f scripts/reference.sql
\set QUIET on
SET search_path = pg_catalog;

\echo '# Reference'
\echo
\echo 'Made by `scripts/reference.sql` from the comments of the objects themselves; a test compares the two.'
\echo
\echo 'Who may call a function is said by what grants it: `grant_app`, `grant_owner`, `grant_control_plane`. All others are for'
\echo 'superusers. Functions marked internal in their comment are left out.'

CREATE FUNCTION pg_temp.entry(function regprocedure) RETURNS text LANGUAGE sql AS $$
    SELECT format(E'### %s\n\n```\ntenancy.%s(%s)%s\n```\n\n%s.\n', p.proname, p.proname,
                  CASE WHEN pg_get_function_arguments(p.oid) = '' THEN ''
                       ELSE E'\n    ' || regexp_replace(regexp_replace(pg_get_function_arguments(p.oid), ', (?=\w+ )', E',\n    ', 'g'),
                                                        '(DEFAULT (''[^'']*''|NULL|[0-9.]+))::[a-z_ ]+(\[\])?', '\1', 'g') END,
                  coalesce(E'\n    RETURNS ' || pg_get_function_result(p.oid), ''),
                  upper(left(d, 1)) || substr(d, 2))
    FROM pg_proc p, obj_description(p.oid, 'pg_proc') d
    WHERE p.oid = function
$$;

CREATE TEMP VIEW public_function AS
SELECT p.oid::regprocedure AS function, p.proname, p.oid,
       coalesce((SELECT k FROM unnest('{app,session,session_context,member,owner,control_plane}'::text[]) k
                 WHERE p.oid::regprocedure IN (SELECT tenancy.grant_list(k))), 'superuser') AS kind
FROM pg_proc p
WHERE p.pronamespace = 'tenancy'::regnamespace
  AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND obj_description(p.oid, 'pg_proc') !~ '; internal$';

\echo
\echo '## For application roles (grant_app)'
\echo
SELECT pg_temp.entry(function) FROM public_function WHERE kind = 'app' ORDER BY proname, oid;

\echo '## For application roles that may name the tenant (grant_app with trust session or pooled)'
\echo
SELECT pg_temp.entry(function) FROM public_function WHERE kind IN ('session', 'session_context') ORDER BY proname, oid;

\echo '## For members and keys, by permission, and for operators (grant_app, grant_control_plane)'
\echo
SELECT pg_temp.entry(function) FROM public_function WHERE kind = 'member' ORDER BY proname, oid;

\echo '## For owners of tables (grant_owner)'
\echo
SELECT pg_temp.entry(function) FROM public_function WHERE kind = 'owner' ORDER BY proname, oid;

\echo '## For operators (grant_control_plane)'
\echo
SELECT pg_temp.entry(function) FROM public_function WHERE kind = 'control_plane' ORDER BY proname, oid;

\echo '## For superusers'
\echo
SELECT pg_temp.entry(function) FROM public_function WHERE kind = 'superuser' ORDER BY proname, oid;

\echo '## Tables'
\echo
\echo '| table | |'
\echo '|---|---|'
SELECT format('| `tenancy.%s` | %s |', c.relname, obj_description(c.oid, 'pg_class'))
FROM pg_class c
WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind IN ('r', 'v')
ORDER BY c.relname;
