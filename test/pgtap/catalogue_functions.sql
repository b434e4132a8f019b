-- How functions of the extension are marked, over all of them, in both schemas. What PostgreSQL's own opr_sanity and type_sanity ask
-- of its catalogues is asked of ours in catalogue_sanity.sql.
BEGIN;
SELECT plan(16);

CREATE TEMPORARY VIEW ours AS
SELECT p.oid, p.oid::regprocedure::text AS name, n.nspname, p.proname, l.lanname, p.provolatile, p.proparallel, p.proleakproof, p.proisstrict, p.prosecdef,
       p.prokind, p.prorettype, p.proretset, p.proargtypes, p.proconfig, p.prosqlbody IS NOT NULL AS is_bound,
       -- Without what stands in quotes.
       regexp_replace(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), '''[^'']*''', '''''', 'g') AS body
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'tenancy';

SELECT cmp_ok((SELECT count(*) FROM ours), '>', 300::bigint, 'there are functions to look at');
SELECT set_eq('SELECT DISTINCT nspname FROM ours WHERE nspname <> ''tenancy_internal''', ARRAY['tenancy'], 'all of them are in our schemas');

-- Words of a body that are followed by a parenthesis, or are casts to types whose input reads the catalogue.
CREATE TEMPORARY VIEW calls AS
SELECT o.oid, o.name, o.provolatile, w.word[1] AS called
FROM ours o, regexp_matches(o.body, '([a-z_][a-z0-9_]*)\s*\(', 'g') AS w (word);

-- A name counts as far as none of the functions that have it may be called.
SELECT is_empty($$
    SELECT c.name, c.called FROM calls c
    WHERE c.provolatile = 'i'
      AND EXISTS (SELECT FROM pg_proc p WHERE p.proname = c.called)
      AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.proname = c.called AND p.provolatile = 'i')$$,
    'no IMMUTABLE function calls one that is not');
SELECT is_empty($$
    SELECT o.name FROM ours o WHERE o.provolatile = 'i' AND o.lanname <> 'c'
       AND o.body ~* '\m(raise|execute|perform|insert|update|delete)\M'$$,
    'no IMMUTABLE function raises, as it could be called while a statement is planned, or runs statements');
SELECT is_empty($$
    SELECT o.name, r.relname FROM ours o
    JOIN pg_class r ON r.relnamespace IN ('pg_catalog'::regnamespace, 'tenancy'::regnamespace) AND r.relkind IN ('r', 'v')
                   AND o.body ~ ('\m' || r.relname || '\M') AND o.body ~* ('\m(from|join)\s+(pg_catalog\.|tenancy\.)?' || r.relname || '\M')
    WHERE o.provolatile = 'i'$$,
    'no IMMUTABLE function reads a table');
SELECT is_empty($$SELECT o.name FROM ours o WHERE o.provolatile = 'i' AND o.body ~* '\m(current_setting|current_user|session_user|now\(\)|current_timestamp)\M'$$,
    'no IMMUTABLE function reads a setting');
SELECT is_empty($$SELECT o.name FROM ours o WHERE o.provolatile = 'i' AND o.proparallel <> 's'$$, 'an IMMUTABLE function is PARALLEL SAFE');

SELECT is_empty($$
    SELECT o.name FROM ours o
    WHERE o.proparallel = 's' AND o.lanname = 'plpgsql' AND o.body ~* '\m(insert|update|delete|execute|set_config|nextval)\M'$$,
    'no PARALLEL SAFE function writes');
SELECT is_empty($$
    SELECT c.name, c.called FROM calls c JOIN ours o USING (oid)
    WHERE o.proparallel = 's'
      AND EXISTS (SELECT FROM ours p WHERE p.proname = c.called)
      AND NOT EXISTS (SELECT FROM ours p WHERE p.proname = c.called AND p.proparallel = 's')$$,
    'no PARALLEL SAFE function calls one of ours that is not');

-- What these raise says nothing of their arguments, as they have none, or they raise nothing.
SELECT set_eq('SELECT proname::text FROM ours WHERE proleakproof',
    ARRAY['has_context', 'current_user_id', 'current_role_name', 'current_tenant_id', 'writable_tenant_id', 'current_tenant_key', 'writable_tenant_key',
          'current_tenant_key_bigint', 'writable_tenant_key_bigint', 'current_tenant_key_integer', 'writable_tenant_key_integer', 'current_api_key_id', 'trial_passes'],
    'only the functions of policies are LEAKPROOF');
SELECT is_empty($$SELECT name FROM ours WHERE proleakproof AND (lanname <> 'c' OR (cardinality(proargtypes::oid[]) > 0 AND proname <> 'trial_passes'))$$,
    'and those are C and take no argument, but the one that always says yes');
SELECT is_empty($$SELECT name FROM ours WHERE proleakproof AND (provolatile <> 's' OR proparallel <> 's')$$, 'they are STABLE and PARALLEL SAFE');

-- What enters a context, writes or draws from a generator that the session keeps is volatile.
SELECT is_empty($$
    SELECT name FROM ours
    WHERE lanname = 'c' AND provolatile <> 'v'
      AND proname ~ '^(set_|enter|leave|take_|note_|make_|sign_|pack_|freeze|unfreeze|lock_|run_|clear_|random|uuid_v7|keep_|end_)'$$,
    'C functions that change something are VOLATILE');
SELECT is_empty($$
    SELECT name FROM ours
    WHERE lanname = 'c' AND proparallel = 's' AND proname ~ '^(set_|enter|leave|take_|make_|pack_|freeze|unfreeze|lock_|run_|rows_|keep_|end_|match_|keyword_|hybrid_)'$$,
    'C functions that change the session or run statements are not PARALLEL SAFE');
SELECT is_empty($$SELECT name FROM ours WHERE prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AND provolatile <> 'v'$$, 'trigger functions are VOLATILE');
SELECT is_empty($$SELECT name FROM ours WHERE prosecdef AND NOT coalesce(array_to_string(proconfig, ',') ~ '^search_path=pg_catalog, pg_temp', false)$$,
    'a function with rights of its own has a fixed search_path');

SELECT * FROM finish();
ROLLBACK;
