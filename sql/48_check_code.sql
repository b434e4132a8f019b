-- check() about code that hangs on tables and runs with more rights than whoever writes to them: rules and triggers.

CREATE FUNCTION tenancy.may_be_written(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT
        FROM pg_class c
        CROSS JOIN LATERAL (
            SELECT x.grantee, x.privilege_type FROM aclexplode(c.relacl) x
            UNION ALL
            SELECT x.grantee, x.privilege_type
            FROM pg_attribute t CROSS JOIN aclexplode(t.attacl) x
            WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped) a
        WHERE c.oid = may_be_written.relation AND a.grantee <> c.relowner
          AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'));
END;

COMMENT ON FUNCTION tenancy.may_be_written(regclass) IS 'whether somebody other than its owner may write to a relation; internal';

-- PostgreSQL checks what a rule reads and writes as the owner of the rule's relation, also where that is a view that reads as its caller.
-- OLD and NEW are none of it: they stand for the rows of the statement, which its own caller may reach.
CREATE FUNCTION tenancy.rules_as_owner(tables regclass[])
RETURNS TABLE (rule name, relation regclass, target regclass, owner name, owner_bypasses boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rulename, c.oid::regclass, m.mentioned::regclass, w.rolname, w.rolsuper OR w.rolbypassrls
    FROM pg_rewrite r
    JOIN pg_class c ON c.oid = r.ev_class
    JOIN pg_roles w ON w.oid = c.relowner
    CROSS JOIN LATERAL (SELECT concat(r.ev_qual, r.ev_action) AS tree) t
    CROSS JOIN LATERAL (
        SELECT a.mentioned
        FROM (SELECT x[1]::oid AS mentioned, 1 AS times FROM regexp_matches(t.tree, E':rtekind 0 :relid (\\d+) ', 'g') x
              UNION ALL
              SELECT x[1]::oid, -1
              FROM regexp_matches(t.tree, E':alias \\{ALIAS :aliasname (?:old|new) :colnames <>\\} :eref \\{ALIAS :aliasname (?:old|new) '
                                          ':colnames \\((?:"(?:[^"\\\\]|\\\\.)*" ?)*\\)\\} :rtekind 0 :relid (\\d+) ', 'g') x) a
        WHERE a.mentioned = ANY (rules_as_owner.tables)
        GROUP BY a.mentioned
        HAVING sum(a.times) > 0) m
    WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D'
$$;

COMMENT ON FUNCTION tenancy.rules_as_owner(regclass[]) IS
'the rules that read or write these tables, as whom, and whether policies hold that owner; internal';

-- A trigger fires for whoever writes, and PostgreSQL asks for EXECUTE on its function only when the trigger is made. Where a foreign key
-- deletes or changes rows, PostgreSQL acts as the owner of the referencing table, and what fires before that has the owner's rights;
-- since version 18 what fires after it has them too.
CREATE FUNCTION tenancy.triggers_as_owner(tables regclass[])
RETURNS TABLE (trigger name, relation regclass, function regprocedure, owner name, owner_bypasses boolean, foreign_key name, runs_statements boolean, key_of regclass)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH fired AS (
        SELECT t.tgname, t.tgrelid, t.tgtype, f.oid AS function, f.prosecdef, f.proowner,
               NOT (l.lanname = 'plpgsql' AND f.prosrc !~* E'\\m(select|insert|update|delete|merge|perform|execute|call|truncate|copy)\\M') AS runs_statements
        FROM pg_trigger t
        JOIN pg_proc f ON f.oid = t.tgfoid
        JOIN pg_language l ON l.oid = f.prolang
        WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D'
          -- What a migration makes lies in our schema.
          AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'tenancy'::regnamespace)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
    )
    SELECT t.tgname, t.tgrelid::regclass, t.function::regprocedure, w.rolname, w.rolsuper OR w.rolbypassrls, NULL::name, t.runs_statements, NULL::regclass
    FROM fired t
    JOIN pg_roles w ON w.oid = t.proowner
    WHERE t.prosecdef AND (t.tgrelid = ANY (triggers_as_owner.tables) OR tenancy.may_be_written(t.tgrelid))
    UNION ALL
    SELECT t.tgname, t.tgrelid::regclass, t.function::regprocedure, w.rolname, w.rolsuper OR w.rolbypassrls, min(k.conname), t.runs_statements, k.conrelid::regclass
    FROM fired t
    -- A trigger of a partition fires below a key of the partitioned table, whose owner it is then.
    JOIN pg_constraint k ON (k.conrelid = t.tgrelid OR k.conrelid IN (SELECT p.relid FROM pg_partition_ancestors(t.tgrelid) p))
        AND k.contype = 'f' AND k.conparentid = 0
        AND (k.confdeltype = 'c' AND t.tgtype & 8 <> 0
             OR (k.confdeltype IN ('n', 'd') OR k.confupdtype IN ('c', 'n', 'd')) AND t.tgtype & 16 <> 0)
    JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_roles w ON w.oid = c.relowner
    WHERE NOT t.prosecdef AND (t.tgtype & 2 <> 0 OR current_setting('server_version_num')::integer >= 180000)
      AND (t.tgrelid = ANY (triggers_as_owner.tables) OR tenancy.may_be_written(k.confrelid))
    GROUP BY t.tgname, t.tgrelid, t.function, w.rolname, w.rolsuper, w.rolbypassrls, t.runs_statements, k.conrelid
$$;

COMMENT ON FUNCTION tenancy.triggers_as_owner(regclass[]) IS
'the triggers on these tables, and on others that somebody may write to, whose functions run as an owner, their own or by a foreign key the table''s, and whether policies hold it; internal';

CREATE FUNCTION tenancy.check_code() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH isolated AS MATERIALIZED (SELECT array_agg(i) AS tables FROM tenancy.isolated_tables() i)
    SELECT 'rule_as_owner', 'error', format('rule %I on %s', r.rule, r.relation),
           format('for whoever writes to %s it reads or changes rows of %s as the owner %I, whom policies do not hold',
                  r.relation, string_agg(r.target::text, ', ' ORDER BY r.target::text), r.owner),
           format('DROP RULE %I ON %s', r.rule, r.relation)
    FROM isolated i
    CROSS JOIN LATERAL tenancy.rules_as_owner(i.tables) r
    WHERE r.owner_bypasses
    GROUP BY r.rule, r.relation, r.owner
    UNION ALL
    SELECT 'trigger_as_owner', CASE WHEN t.runs_statements THEN 'error' ELSE 'warning' END, format('trigger %I on %s', t.trigger, t.relation),
           format('for whoever writes to %s its function %s runs as its owner %I, whom policies do not hold', t.relation, t.function, t.owner),
           format('ALTER ROUTINE %s SECURITY INVOKER', t.function)
    FROM isolated i
    CROSS JOIN LATERAL tenancy.triggers_as_owner(i.tables) t
    WHERE i.tables IS NOT NULL AND t.owner_bypasses AND t.foreign_key IS NULL
    UNION ALL
    SELECT 'trigger_by_cascade', 'warning', format('trigger %I on %s', t.trigger, t.relation),
           format('where %I deletes or changes rows, its function %s runs as %I, the owner of the table, whom policies do not hold', t.foreign_key, t.function, t.owner),
           format('Give the table to a role without SUPERUSER and BYPASSRLS: ALTER TABLE %s OWNER TO ...', t.key_of)
    FROM isolated i
    CROSS JOIN LATERAL tenancy.triggers_as_owner(i.tables) t
    WHERE i.tables IS NOT NULL AND t.owner_bypasses AND t.foreign_key IS NOT NULL AND t.runs_statements
$$;

COMMENT ON FUNCTION tenancy.check_code() IS 'the part of check() about rules and triggers; internal';
