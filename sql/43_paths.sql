-- Tables without a tenant column: those whose rows belong to the tenant of the row that they refer to (by path), and those whose
-- rows belong to nobody (shared).

CREATE TABLE tenancy.indirect_tables (
    relation regclass NOT NULL,
    kind text COLLATE "C" NOT NULL,
    path name,
    undo jsonb NOT NULL,
    policies jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT indirect_tables_pkey PRIMARY KEY (relation),
    CONSTRAINT indirect_tables_kind_check CHECK (kind IN ('path', 'shared')),
    CONSTRAINT indirect_tables_path_check CHECK ((kind = 'path') = (path IS NOT NULL)),
    CONSTRAINT indirect_tables_undo_check CHECK (
        jsonb_typeof(undo) = 'object'
        AND (kind <> 'path' OR jsonb_typeof(undo -> 'rls') IS NOT DISTINCT FROM 'boolean'
                               AND jsonb_typeof(undo -> 'force') IS NOT DISTINCT FROM 'boolean')),
    CONSTRAINT indirect_tables_policies_check CHECK (jsonb_typeof(policies) = 'object')
);

COMMENT ON TABLE tenancy.indirect_tables IS 'the tables that are protected without a tenant column; written by protect_by_path() and share()';
COMMENT ON COLUMN tenancy.indirect_tables.kind IS
'path: a row belongs to the tenant of the row that it refers to; shared: applications read all rows and write none';
COMMENT ON COLUMN tenancy.indirect_tables.path IS 'the foreign key that leads to the tenant';
COMMENT ON COLUMN tenancy.indirect_tables.undo IS 'what the table was before';
COMMENT ON COLUMN tenancy.indirect_tables.policies IS 'the expressions of its policies, as the catalogue shows them';

SELECT pg_catalog.pg_extension_config_dump('tenancy.indirect_tables', '');

ALTER TABLE tenancy.indirect_tables ENABLE ROW LEVEL SECURITY;

CREATE POLICY read ON tenancy.indirect_tables FOR SELECT USING (true);

CREATE POLICY write_own ON tenancy.indirect_tables USING (EXISTS (
    SELECT FROM pg_catalog.pg_class c
    WHERE c.oid = relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

-- The tenant equality stands at the end of the chain, so that isolation does not hang on the parent's policies, and is an index
-- condition there. A column of the table is qualified by the name that policies know it by, which the application chose: the parent's
-- alias must be another one, or the parent's column is compared with itself. The tenant is that of the context, or the one given: then no operator may be one that somebody put into a schema on the way, and null is for a key that the tenant has not.
CREATE FUNCTION tenancy.path_condition(relation regclass, path name, alias text, depth integer, writing boolean,
                                       whose tenancy.tenants DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent regclass;
    parent_alias text := 'parent' || depth;
    registered tenancy.protected_tables;
    matching text;
    ending text;
    is_given boolean := (whose).id IS NOT NULL;
BEGIN
    IF parent_alias = alias THEN
        parent_alias := parent_alias || '_';
    END IF;
    -- By the operators of the foreign key itself, which may be those of an extension's type.
    -- The registry says where the path goes on, and its rows are the owners'.
    IF depth > 100 THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('the path of %s does not end', relation),
            DETAIL = format('It comes by %s again and again, or through more than 100 tables.', relation),
            HINT = 'tenancy.check() lists the tables that are registered wrongly.';
    END IF;
    SELECT f.confrelid,
           string_agg(format('%s.%I %s %s.%I', parent_alias, b.attname,
                             CASE WHEN o.oprnamespace = 'pg_catalog'::regnamespace AND NOT is_given THEN o.oprname
                                  ELSE format('OPERATOR(%s.%s)', o.oprnamespace::regnamespace, o.oprname) END,
                             alias, a.attname), ' AND ' ORDER BY k.place)
    INTO parent, matching
    FROM pg_constraint f
    CROSS JOIN unnest(f.conkey, f.confkey, f.conpfeqop) WITH ORDINALITY AS k (child_number, parent_number, equal, place)
    JOIN pg_operator o ON o.oid = k.equal
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.child_number
    JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent_number
    WHERE f.conrelid = relation AND f.conname = path AND f.contype = 'f'
    GROUP BY f.confrelid;
    SELECT p.* INTO registered FROM tenancy.protected_tables p WHERE p.relation = parent;
    IF registered.relation IS NOT NULL AND is_given THEN
        ending := parent_alias || '.' || tenancy.tenant_condition(whose, registered.tenant_column, registered.column_type);
    ELSIF registered.relation IS NOT NULL THEN
        ending := format('%s.%I = %s', parent_alias, registered.tenant_column, tenancy.context_call(registered.column_type, writing));
    ELSE
        SELECT tenancy.path_condition(parent, i.path, parent_alias, depth + 1, writing, whose) INTO ending
        FROM tenancy.indirect_tables i WHERE i.relation = parent AND i.kind = 'path';
    END IF;
    IF is_given AND ending IS NULL THEN
        RETURN NULL;
    END IF;
    -- A foreign key refers to the rows of a partitioned table, but not to those of inheritance children, whose keys may be the same.
    RETURN format('EXISTS (SELECT FROM %s%s %s WHERE %s AND %s)',
                  (SELECT CASE c.relkind WHEN 'r' THEN 'ONLY ' END FROM pg_class c WHERE c.oid = parent),
                  parent, parent_alias, matching, ending);
END
$$;

COMMENT ON FUNCTION tenancy.path_condition(regclass, name, text, integer, boolean, tenancy.tenants) IS
'the condition under which a row refers to one of the current tenant, or of the one given; internal';

CREATE FUNCTION tenancy.has_path_index(relation regclass, path name) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM pg_constraint f
        JOIN pg_index i ON i.indrelid = f.conrelid AND i.indisvalid AND i.indpred IS NULL
                       AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
        WHERE f.conrelid = relation AND f.conname = path);
END;

COMMENT ON FUNCTION tenancy.has_path_index(regclass, name) IS
'whether a valid index over all rows leads with the columns of a foreign key; internal';

-- By its other foreign keys a row refers to rows of its own tenant too. (One with a parent is the same again, for a partition of
-- what it refers to.)
CREATE FUNCTION tenancy.path_policies(relation regclass, path name)
RETURNS TABLE (policy name, is_permissive boolean, command "char", definition text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT p.policy, p.policy <> 'tenancy_isolation', p.command,
           format('AS %s FOR %s', CASE p.policy WHEN 'tenancy_isolation' THEN 'RESTRICTIVE' ELSE 'PERMISSIVE' END, p.verb)
               || coalesce(' USING (' || p.using_text || ')', '') || coalesce(' WITH CHECK (' || p.check_text || ')', '')
    FROM (SELECT tenancy.path_condition(relation, path, quote_ident(c.relname), 1, false) AS reading,
                 tenancy.path_condition(relation, path, quote_ident(c.relname), 1, true) AS writing,
                 (SELECT coalesce(string_agg(format(' AND (%s OR %s)',
                             (SELECT string_agg(format('%I.%I IS NULL', c.relname, a.attname), ' OR ' ORDER BY a.attnum)
                              FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)),
                             tenancy.path_condition(relation, f.conname, quote_ident(c.relname), 1, true)), '' ORDER BY f.conname), '')
                  FROM pg_constraint f
                  WHERE f.conrelid = relation AND f.contype = 'f' AND f.conparentid = 0 AND f.conname <> path
                    AND (EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = f.confrelid)
                         OR EXISTS (SELECT FROM tenancy.indirect_tables i
                                    WHERE i.relation = f.confrelid AND i.kind = 'path' AND f.confrelid <> f.conrelid))) AS others
          FROM pg_class c WHERE c.oid = relation) e,
         LATERAL (VALUES ('tenancy_read'::name, 'r'::"char", 'SELECT', e.reading, NULL),
                         ('tenancy_insert', 'a', 'INSERT', NULL, e.writing || e.others),
                         ('tenancy_update', 'w', 'UPDATE', e.writing, e.writing || e.others),
                         ('tenancy_delete', 'd', 'DELETE', e.writing, NULL),
                         ('tenancy_isolation', '*', 'ALL', e.reading, e.reading)
                 ) AS p (policy, command, verb, using_text, check_text);
END;

COMMENT ON FUNCTION tenancy.path_policies(regclass, name) IS 'the policies of a table that is protected by a path; internal';

CREATE FUNCTION tenancy.policy_expressions(relation regclass) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(p.polname, jsonb_build_array(p.polpermissive, p.polcmd::text, p.polroles::regrole[]::text[],
                                     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
                                     md5(concat_ws(' ', p.polqual::text, p.polwithcheck::text)))), '{}')
    FROM pg_policy p
    WHERE p.polrelid = relation
      AND p.polname IN ('tenancy_read', 'tenancy_insert', 'tenancy_update', 'tenancy_delete', 'tenancy_isolation');
END;

COMMENT ON FUNCTION tenancy.policy_expressions(regclass) IS
'what the catalogue shows of tenancy''s policies on a table, and a hash of how it keeps them; internal';

-- How the catalogue keeps a policy stays the same when a table or a column in it is renamed, and what it shows stays the same when
-- a dump is restored.
CREATE FUNCTION tenancy.same_policy(was jsonb, now jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(was - 5 = now - 5 OR was - 3 - 3 = now - 3 - 3, false);

COMMENT ON FUNCTION tenancy.same_policy(jsonb, jsonb) IS 'whether a policy is what it was, by two entries of policy_expressions(); internal';

CREATE FUNCTION tenancy.indirect_faults(relation regclass) RETURNS TABLE (code text, severity text, problem text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT f.code, f.severity, f.problem
    FROM tenancy.indirect_tables r
    JOIN pg_class c ON c.oid = r.relation
    CROSS JOIN LATERAL (
        SELECT 'rls_off' AS code, 'error' AS severity, 'row level security is off' AS problem
        WHERE r.kind = 'path' AND NOT c.relrowsecurity
        UNION ALL
        SELECT 'rls_not_forced', 'error', 'row level security does not hold the table''s owner'
        WHERE r.kind = 'path' AND NOT c.relforcerowsecurity
        UNION ALL
        SELECT 'path_missing', 'error', format('there is no foreign key %I, by which it is protected', r.path)
        WHERE r.kind = 'path'
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = r.relation AND k.conname = r.path AND k.contype = 'f')
        UNION ALL
        SELECT 'policy_missing', 'error', format('policy %I is missing', e.key)
        FROM jsonb_each(r.policies) e
        WHERE NOT tenancy.policy_expressions(r.relation) ? e.key
        UNION ALL
        SELECT 'policy_changed', 'error', format('policy %I is not what it was', e.key)
        FROM jsonb_each(r.policies) e
        WHERE NOT tenancy.same_policy(e.value, tenancy.policy_expressions(r.relation) -> e.key)
          AND tenancy.policy_expressions(r.relation) ? e.key
        UNION ALL
        SELECT 'shared_writable', 'error', format('role %s may write it, and what it writes all tenants read',
                                                  CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
        FROM aclexplode(c.relacl) a
        WHERE r.kind = 'shared' AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
          AND (a.grantee = 0 OR a.grantee IN (SELECT o::oid FROM tenancy.app_roles() o))
    ) f
    WHERE r.relation = indirect_faults.relation;
END
$$;

COMMENT ON FUNCTION tenancy.indirect_faults(regclass) IS
'what a table that is protected by a path, or shared, lacks of that; no rows when nothing, or when it is neither; internal';

CREATE FUNCTION tenancy.refuse_registered(relation regclass, kind text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered text;
    migration integer := tenancy.migration_preparing(relation);
BEGIN
    IF migration IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('Migration %s is under way and has not prepared it yet.', migration),
            'Let the migration protect it, with tenancy.run_migration(''enforced''), or take that back with tenancy.undo_migration().');
    END IF;
    SELECT CASE i.kind WHEN 'shared' THEN 'shared' ELSE 'protected by a path' END INTO registered
    FROM tenancy.indirect_tables i WHERE i.relation = refuse_registered.relation AND i.kind IS DISTINCT FROM refuse_registered.kind;
    IF registered IS NULL AND refuse_registered.kind IS NOT NULL THEN
        SELECT format('protected already, by column %I', p.tenant_column) INTO registered
        FROM tenancy.protected_tables p WHERE p.relation = refuse_registered.relation;
    END IF;
    IF registered IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('It is %s.', registered), format('Call tenancy.unprotect(%L) first.', relation));
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_registered(regclass, text) IS 'raises TN009 for a table that is protected in another way, or is being migrated; internal';

-- Which foreign key is the path.
CREATE FUNCTION tenancy.find_path(relation regclass, path name) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidates name[];
    nullable name;
    itself name;
BEGIN
    candidates := ARRAY(
        SELECT f.conname
        FROM pg_constraint f
        WHERE f.conrelid = relation AND f.contype = 'f' AND f.conparentid = 0 AND f.confrelid <> f.conrelid
          AND f.conname = coalesce(path, f.conname)
          AND (EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = f.confrelid)
               OR EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = f.confrelid AND i.kind = 'path'))
        ORDER BY f.conname);
    IF candidates = '{}' THEN
        PERFORM tenancy.refuse_protection(relation,
            CASE WHEN path IS NULL THEN 'No foreign key leads from it to a protected table.'
                 ELSE format('It has no foreign key "%s" to a protected table.', path) END,
            'Protect the table that it belongs to first, or give this one a tenant column with tenancy.protect().');
    ELSIF cardinality(candidates) > 1 THEN
        PERFORM tenancy.refuse_protection(relation,
            format('Several foreign keys lead to protected tables: %s.', array_to_string(candidates, ', ')),
            'Say with path which one says whose a row is.');
    END IF;
    SELECT a.attname INTO nullable
    FROM pg_constraint f
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey) AND NOT a.attnotnull
    WHERE f.conrelid = relation AND f.conname = candidates[1]
    ORDER BY a.attnum LIMIT 1;
    IF nullable IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('Column %I may be null, and a row that refers to nothing would have no tenant.', nullable),
                                          format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL, or use tenancy.protect().', relation, nullable));
    END IF;
    SELECT f.conname INTO itself
    FROM pg_constraint f WHERE f.conrelid = relation AND f.contype = 'f' AND f.confrelid = f.conrelid ORDER BY f.conname LIMIT 1;
    IF itself IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('It refers to itself by constraint %I, which a policy cannot check.', itself),
                                          'Give it a tenant column with tenancy.protect().');
    END IF;
    RETURN candidates[1];
END
$$;

COMMENT ON FUNCTION tenancy.find_path(regclass, name) IS
'the foreign key that leads to a table''s tenant; raises TN009 when there is none, or more than one to choose from; internal';

CREATE FUNCTION tenancy.protect_by_path(relation regclass, path name DEFAULT NULL, index boolean DEFAULT true, dry_run boolean DEFAULT false)
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    chosen name;
    registered tenancy.indirect_tables;
    columns text;
    index_name text;
    statements text[];
    statement text;
BEGIN
    PERFORM tenancy.refuse_other_owner(protect_by_path.relation);
    PERFORM tenancy.refuse_null(protect_by_path.index IS NULL, 'index');
    PERFORM tenancy.refuse_null(protect_by_path.dry_run IS NULL, 'dry_run');
    PERFORM tenancy.refuse_unprotectable(protect_by_path.relation);
    IF NOT protect_by_path.dry_run THEN
        LOCK TABLE tenancy.protected_tables IN SHARE UPDATE EXCLUSIVE MODE;
    END IF;
    EXECUTE format('LOCK TABLE %s IN %s MODE', protect_by_path.relation,
                   CASE WHEN protect_by_path.dry_run THEN 'ACCESS SHARE' ELSE 'ACCESS EXCLUSIVE' END);
    PERFORM tenancy.refuse_registered(protect_by_path.relation, 'path');
    SELECT i.* INTO registered FROM tenancy.indirect_tables i WHERE i.relation = protect_by_path.relation;
    IF EXISTS (SELECT FROM pg_inherits i WHERE protect_by_path.relation IN (i.inhrelid, i.inhparent))
       OR EXISTS (SELECT FROM pg_class c WHERE c.oid = protect_by_path.relation AND c.relkind = 'p') THEN
        PERFORM tenancy.refuse_protection(protect_by_path.relation, 'It is partitioned, or part of an inheritance tree.',
                                          'Give it a tenant column with tenancy.protect().');
    END IF;
    chosen := tenancy.find_path(protect_by_path.relation, coalesce(protect_by_path.path, registered.path));
    IF registered.relation IS NULL AND tenancy.policy_expressions(protect_by_path.relation) <> '{}' THEN
        PERFORM tenancy.refuse_protection(protect_by_path.relation, 'It has policies with the names of tenancy''s.', 'Rename or drop these policies.');
    END IF;

    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place), string_agg(a.attname, '_' ORDER BY k.place) INTO columns, index_name
    FROM pg_constraint f
    CROSS JOIN unnest(f.conkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number
    WHERE f.conrelid = protect_by_path.relation AND f.conname = chosen
      AND protect_by_path.index
      AND NOT tenancy.has_path_index(f.conrelid, f.conname);
    index_name := CASE WHEN columns IS NOT NULL THEN tenancy.unused_name(protect_by_path.relation, left(index_name, 40), 'idx') END;
    statements := CASE WHEN index_name IS NOT NULL THEN ARRAY[format('CREATE INDEX %I ON %s (%s)', index_name, protect_by_path.relation, columns)] END;
    statements := statements || ARRAY(
        SELECT s.statement
        FROM pg_class c
        CROSS JOIN LATERAL (
            SELECT 1, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protect_by_path.relation) WHERE NOT c.relrowsecurity
            UNION ALL
            SELECT 2, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protect_by_path.relation) WHERE NOT c.relforcerowsecurity
            UNION ALL
            SELECT 3, format('DROP POLICY %I ON %s', e.key, protect_by_path.relation)
            FROM jsonb_each(tenancy.policy_expressions(protect_by_path.relation)) e
            WHERE registered.path <> chosen OR NOT tenancy.same_policy(registered.policies -> e.key, e.value)
            UNION ALL
            SELECT 4, format('CREATE POLICY %I ON %s %s', p.policy, protect_by_path.relation, p.definition)
            FROM tenancy.path_policies(protect_by_path.relation, chosen) p
            WHERE registered.path IS DISTINCT FROM chosen
               OR NOT tenancy.same_policy(registered.policies -> p.policy::text, tenancy.policy_expressions(protect_by_path.relation) -> p.policy::text)
        ) AS s (step, statement)
        WHERE c.oid = protect_by_path.relation
        ORDER BY s.step);
    IF NOT protect_by_path.dry_run AND statements <> '{}' THEN
        DELETE FROM tenancy.indirect_tables i WHERE i.relation = protect_by_path.relation;
        INSERT INTO tenancy.indirect_tables (relation, kind, path, undo)
        SELECT protect_by_path.relation, 'path', chosen,
               coalesce(registered.undo, jsonb_build_object('rls', c.relrowsecurity, 'force', c.relforcerowsecurity))
               || CASE WHEN index_name IS NOT NULL THEN jsonb_build_object('index', index_name) ELSE '{}' END
        FROM pg_class c WHERE c.oid = protect_by_path.relation;
        FOREACH statement IN ARRAY statements LOOP
            EXECUTE statement;
        END LOOP;
        UPDATE tenancy.indirect_tables i SET policies = tenancy.policy_expressions(i.relation) WHERE i.relation = protect_by_path.relation;
    END IF;
    RETURN QUERY SELECT unnest(statements);
END
$$;

COMMENT ON FUNCTION tenancy.protect_by_path(regclass, name, boolean, boolean) IS
'protects a table without a tenant column: a row belongs to the tenant of the row that it refers to by the foreign key named path (or the only one that leads to a protected table), and refers to rows of that tenant only; returns the statements that it ran (dry_run: would run); TN009 with the reason when it cannot; unprotect() undoes it';

CREATE FUNCTION tenancy.share(relation regclass, dry_run boolean DEFAULT false) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statements text[];
    statement text;
BEGIN
    PERFORM tenancy.refuse_other_owner(share.relation);
    PERFORM tenancy.refuse_null(share.dry_run IS NULL, 'dry_run');
    PERFORM tenancy.refuse_unprotectable(share.relation);
    PERFORM tenancy.refuse_registered(share.relation, 'shared');
    statements := ARRAY(
        SELECT s.statement
        FROM pg_class c
        CROSS JOIN LATERAL (
            SELECT 1, format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %s FROM %s', share.relation, g.grantee)
            FROM (SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
                  FROM (SELECT x.grantee, x.privilege_type FROM aclexplode(c.relacl) x
                        UNION ALL
                        SELECT x.grantee, x.privilege_type FROM pg_attribute t CROSS JOIN aclexplode(t.attacl) x
                        WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped) a
                  WHERE a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') AND a.grantee <> c.relowner
                    AND (a.grantee = 0 OR a.grantee IN (SELECT o::oid FROM tenancy.app_roles() o))) g
            UNION ALL
            SELECT 2, format('GRANT SELECT ON %s TO %s', share.relation, o)
            FROM tenancy.app_roles() o
            WHERE NOT has_table_privilege(o, c.oid, 'SELECT')
        ) AS s (step, statement)
        WHERE c.oid = share.relation
        ORDER BY s.step, s.statement);
    IF NOT share.dry_run THEN
        INSERT INTO tenancy.indirect_tables (relation, kind, undo) VALUES (share.relation, 'shared', '{}')
        ON CONFLICT ON CONSTRAINT indirect_tables_pkey DO NOTHING;
        FOREACH statement IN ARRAY statements LOOP
            EXECUTE statement;
        END LOOP;
    END IF;
    RETURN QUERY SELECT unnest(statements);
END
$$;

COMMENT ON FUNCTION tenancy.share(regclass, boolean) IS
'makes a table one of shared reference data: the applications'' roles read all of its rows and may write none; returns the statements that it ran (dry_run: would run); unprotect() takes it out of the registry and leaves the privileges as they are';

CREATE FUNCTION tenancy.unprotect_indirect(of regclass, leaving regclass[], dry_run boolean) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.indirect_tables;
    statements text[];
    statement text;
BEGIN
    SELECT i.* INTO registered FROM tenancy.indirect_tables i WHERE i.relation = of;
    PERFORM tenancy.refuse_leading(of, leaving);
    statements := ARRAY(
        SELECT s.statement
        FROM pg_class c
        CROSS JOIN LATERAL (
            SELECT 1, format('DROP POLICY %I ON %s', e.key, of)
            FROM jsonb_each(tenancy.policy_expressions(of)) e
            UNION ALL
            SELECT 2, format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', of)
            WHERE c.relforcerowsecurity AND NOT (registered.undo ->> 'force')::boolean
            UNION ALL
            SELECT 3, format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', of)
            WHERE c.relrowsecurity AND NOT (registered.undo ->> 'rls')::boolean
            UNION ALL
            SELECT 4, format('DROP INDEX %s', x.oid::regclass)
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND x.relname = registered.undo ->> 'index'
        ) AS s (step, statement)
        WHERE c.oid = of AND registered.kind = 'path'
        ORDER BY s.step, s.statement);
    IF NOT dry_run THEN
        DELETE FROM tenancy.indirect_tables i WHERE i.relation = of;
        FOREACH statement IN ARRAY statements LOOP
            EXECUTE statement;
        END LOOP;
    END IF;
    RETURN QUERY SELECT unnest(statements);
END
$$;

COMMENT ON FUNCTION tenancy.unprotect_indirect(regclass, regclass[], boolean) IS
'undoes protect_by_path() or share(), and returns the statements; internal';

CREATE FUNCTION tenancy.refuse_leading(of regclass, leaving regclass[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    follower regclass;
BEGIN
    SELECT i.relation INTO follower
    FROM tenancy.indirect_tables i
    JOIN pg_constraint f ON f.conrelid = i.relation AND f.conname = i.path AND f.contype = 'f'
    WHERE f.confrelid = ANY (leaving) AND i.relation <> ALL (leaving)
    ORDER BY i.relation LIMIT 1;
    IF follower IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s cannot be unprotected', of),
            DETAIL = format('Table %s is protected by a path through it.', follower),
            HINT = format('Call tenancy.unprotect(%L) first.', follower);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_leading(regclass, regclass[]) IS
'raises TN009 when other tables are protected by a path through these; internal';
