-- Attack 40: a search_path that somebody else chose. What every function and statement of the extension does about it, by the
-- catalogue; test/scripts/attack_40_search_path.sh runs them with hostile objects in the way.
BEGIN;
SELECT plan(11);

CREATE TEMP VIEW ours AS
SELECT p.*, l.lanname, p.oid::regprocedure::text AS signature
FROM pg_proc p
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('tenancy', 'tenancy_internal');

SELECT is_empty($$SELECT signature FROM ours
                  WHERE (prosecdef OR lanname = 'plpgsql' OR lanname = 'sql' AND prosqlbody IS NULL) AND prokind <> 'p' AND lanname <> 'c'
                    AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$,
                'a function whose body is read when it runs, or that runs with rights of its own, has a search_path of its own');
SELECT isnt_empty($$SELECT signature FROM ours WHERE 'search_path=pg_catalog, pg_temp' = ANY (proconfig)$$, 'and there are such functions');

-- A procedure that commits can have no SET clause. It pins the path by its first statement, and again after each commit.
CREATE TEMP VIEW procedures AS
SELECT o.signature, o.prosrc, o.proconfig, 'PERFORM pg_catalog.set_config(''search_path'', ''pg_catalog, pg_temp'', true);' AS pin,
       regexp_replace(o.prosrc, '--[^\n]*\n', '', 'g') AS code
FROM ours o WHERE o.prokind = 'p';
SELECT isnt_empty('SELECT signature FROM procedures', 'there are procedures');
SELECT is_empty($$SELECT signature FROM procedures WHERE proconfig IS NULL
                  AND NOT starts_with(ltrim(split_part(code, E'\nBEGIN\n', 2), E' \n'), pin)$$, 'each pins the path by its first statement');
SELECT is_empty($$SELECT p.signature
                  FROM procedures p, regexp_split_to_table(p.code, E'\\mCOMMIT;') WITH ORDINALITY AS part (text, place)
                  WHERE p.proconfig IS NULL AND part.place > 1 AND NOT starts_with(ltrim(part.text, E' \n'), p.pin)$$, 'and again after each commit');
-- Its types are looked up when it is compiled, before that.
SELECT is_empty($$SELECT p.signature, d.line
                  FROM procedures p, regexp_split_to_table(split_part(p.code, E'\nBEGIN\n', 1), E'\n') AS d (line)
                  WHERE p.proconfig IS NULL AND d.line !~ E'^\\s*($|DECLARE$|[a-z_]+ (record|(pg_catalog|tenancy)[.][a-z0-9_]+(\\[\\])?)( := .*)?;$)'$$,
                'and names the schema of every type that it declares');
SELECT is_empty($$SELECT signature FROM procedures WHERE proconfig IS NULL AND code !~ E'set_config\\(''search_path'', path_before, true\\);\\s*END\\s*$'$$,
                'and leaves the caller the path that it had');

-- Bodies that were read when the extension was made are bound to what they name.
SELECT is_empty($$SELECT signature FROM ours WHERE lanname NOT IN ('c', 'plpgsql', 'sql')$$, 'there are functions in these languages only');

-- Text that a caller can write decides nothing.
SELECT is_empty($$SELECT o.signature, w.word
                  FROM ours o, unnest('{PG_CONTEXT,current_query,application_name,pg_stat_activity}'::text[]) AS w (word)
                  WHERE pg_get_functiondef(o.oid) ~ w.word AND o.prokind <> 'a' AND o.proname NOT IN ('check_server', 'check_sharing')$$,
                'no function asks for the text of the statements around it, or for a name that anybody may give himself');

-- The same under any standard_conforming_strings: PL/pgSQL reads a body again in each session.
SELECT is_empty($$SELECT o.signature, m.literal[1]
                  FROM ours o,
                       regexp_matches(regexp_replace(regexp_replace(o.prosrc, '--[^\n]*', '', 'g'), E'E(''([^''\\\\]|\\\\.|'''')*''\\s*)+', '', 'g'),
                                      E'''(?:[^'']|'''')*''', 'g') AS m (literal)
                  WHERE o.lanname IN ('plpgsql', 'sql') AND o.prosqlbody IS NULL AND m.literal[1] ~ E'\\\\'$$,
                'no body has a backslash in a string that a setting gives another meaning to');

-- As the attacker: the guard of the stores is not talked out of its work.
SELECT test_helpers.make_tenants();
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.act_as('owner');
SET LOCAL client_min_messages = error;
SELECT tenancy.create_corpus(dimensions => 2);
DO $$
BEGIN
    EXECUTE E'ALTER TABLE public.chunks DISABLE TRIGGER USER /*\nPL/pgSQL function tenancy.drop_triggers(regclass,text) */';
END
$$;
SELECT test_helpers.act_as_superuser();
SELECT set_eq('SELECT kind, state FROM tenancy.stores', $$VALUES ('vectors', 'stale'), ('words', 'stale')$$,
              'a statement whose text names functions of ours is watched as any other');

SELECT * FROM finish();
ROLLBACK;
