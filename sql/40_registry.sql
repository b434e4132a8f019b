-- Protected tables: the registry, what a protection consists of, and what is refused one.
--
-- protect() and unprotect() run as their caller, who must own the table: what a table's owner hung on it (defaults,
-- checks, index expressions) never runs with more rights than that. The registry is therefore written by table owners,
-- held to their own tables by row level security. What they cannot write is `undo`, because unprotect() executes
-- text from it and a superuser may be the one who calls it.

CREATE TABLE tenancy.protected_tables (
    relation regclass NOT NULL,
    tenant_column name NOT NULL,
    column_type regtype NOT NULL,
    own_policies boolean NOT NULL DEFAULT false,
    foreign_key boolean NOT NULL DEFAULT true,
    index boolean NOT NULL DEFAULT true,
    undo jsonb NOT NULL,
    global_keys name[] NOT NULL DEFAULT '{}',
    keys jsonb NOT NULL DEFAULT '{}',
    is_changing boolean NOT NULL DEFAULT false,
    CONSTRAINT protected_tables_pkey PRIMARY KEY (relation),
    CONSTRAINT protected_tables_undo_check CHECK (jsonb_typeof(undo) = 'object'),
    -- Of each key what was, an object or null, whose members are read as these types.
    CONSTRAINT protected_tables_keys_check CHECK (
        jsonb_typeof(keys) = 'object'
        AND NOT jsonb_path_exists(keys, '$.* ? (@.type() != "object" && @.type() != "null")')
        AND NOT jsonb_path_exists(keys, 'strict $.*.* ? (@.type() != "boolean" && @.type() != "string" && @.type() != "null")')
        AND NOT jsonb_path_exists(keys, '$.*.match_full ? (@.type() == "string")')
        AND NOT jsonb_path_exists(keys, '$.*.update_null ? (@.type() == "string")')
        AND NOT jsonb_path_exists(keys, '$.*.delete_list ? (@.type() == "string")'))
);

COMMENT ON TABLE tenancy.protected_tables IS 'the tables under tenancy''s policies, each partition and inheritance child with a row of its own';
COMMENT ON COLUMN tenancy.protected_tables.own_policies IS 'the application brings the permissive policies, only the floor is tenancy''s';
COMMENT ON COLUMN tenancy.protected_tables.foreign_key IS 'a foreign key to tenancy.tenants is wanted';
COMMENT ON COLUMN tenancy.protected_tables.index IS 'an index that leads with the tenant column is wanted';
COMMENT ON COLUMN tenancy.protected_tables.undo IS 'what the table was before, for tenancy.unprotect()';
COMMENT ON COLUMN tenancy.protected_tables.global_keys IS 'unique keys that hold for all tenants, by name';
COMMENT ON COLUMN tenancy.protected_tables.keys IS
'the unique keys and foreign keys that got the tenant as their first column, by name, and what cannot be read back from them';
COMMENT ON COLUMN tenancy.protected_tables.is_changing IS
'its foreign keys are being replaced: the owner, whom policies would hide rows from, checks them without FORCE meanwhile';

SELECT pg_catalog.pg_extension_config_dump('tenancy.protected_tables', '');

ALTER TABLE tenancy.protected_tables ENABLE ROW LEVEL SECURITY;

CREATE POLICY read ON tenancy.protected_tables FOR SELECT USING (true);

CREATE POLICY write_own ON tenancy.protected_tables USING (EXISTS (
    SELECT FROM pg_catalog.pg_class c
    WHERE c.oid = relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

-- What a protection consists of. SQL functions without a SET clause are inlined into the plans of their callers, which fix
-- the search_path; the names in their bodies are bound already.

CREATE FUNCTION tenancy.context_call(column_type regtype, writing boolean) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('tenancy.%s_tenant_%s()', CASE WHEN writing THEN 'writable' ELSE 'current' END,
    CASE column_type WHEN 'uuid'::regtype THEN 'id' WHEN 'text'::regtype THEN 'key'
                     WHEN 'bigint'::regtype THEN 'key_bigint' WHEN 'integer'::regtype THEN 'key_integer' END);

COMMENT ON FUNCTION tenancy.context_call(regtype, boolean) IS
'the call that gives the current tenant to a column of this type; internal';

CREATE FUNCTION tenancy.tenants_column(column_type regtype) RETURNS name
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE column_type WHEN 'uuid'::regtype THEN 'id' WHEN 'text'::regtype THEN 'external_key'
                        WHEN 'bigint'::regtype THEN 'external_key_bigint' WHEN 'integer'::regtype THEN 'external_key_bigint' END;

COMMENT ON FUNCTION tenancy.tenants_column(regtype) IS
'the column of tenancy.tenants that a tenant column of this type refers to; null for other types; internal';

-- Every policy carries the equality itself, so that isolation stands where one is lost.
CREATE FUNCTION tenancy.policies_for(tenant_column name, column_type regtype, own_policies boolean)
RETURNS TABLE (policy name, is_permissive boolean, command "char", using_text text, check_text text, definition text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT p.policy, p.policy <> 'tenancy_isolation', p.command, p.using_text, p.check_text,
           format('AS %s FOR %s', CASE p.policy WHEN 'tenancy_isolation' THEN 'RESTRICTIVE' ELSE 'PERMISSIVE' END, p.verb)
               || coalesce(' USING ' || p.using_text, '') || coalesce(' WITH CHECK ' || p.check_text, '')
    FROM (SELECT format('(%I = %s)', tenant_column, tenancy.context_call(column_type, false)) AS reading,
                 format('(%I = %s)', tenant_column, tenancy.context_call(column_type, true)) AS writing) e,
         LATERAL (VALUES ('tenancy_read'::name, 'r'::"char", 'SELECT', e.reading, NULL),
                         ('tenancy_insert', 'a', 'INSERT', NULL, e.writing),
                         ('tenancy_update', 'w', 'UPDATE', e.writing, e.writing),
                         ('tenancy_delete', 'd', 'DELETE', e.writing, NULL),
                         ('tenancy_isolation', '*', 'ALL', e.reading, e.reading)
                 ) AS p (policy, command, verb, using_text, check_text)
    WHERE NOT own_policies OR p.policy = 'tenancy_isolation';
END;

COMMENT ON FUNCTION tenancy.policies_for(name, regtype, boolean) IS
'the policies of a protected table, as the catalogue shows them and as CREATE POLICY wants them; internal';

CREATE FUNCTION tenancy.tree_of(root regclass)
RETURNS TABLE (relation regclass, parent regclass, depth integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE tree AS (
        SELECT root AS relation, NULL::regclass AS parent, 0 AS depth
        UNION ALL
        SELECT i.inhrelid::regclass, i.inhparent::regclass, t.depth + 1
        FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation
    )
    -- A child of two parents comes once, after both.
    SELECT DISTINCT ON (t.depth, t.relation) t.relation, t.parent, t.depth
    FROM tree t
    JOIN pg_class c ON c.oid = t.relation AND c.relkind NOT IN ('i', 'I')
    WHERE t.depth = (SELECT max(o.depth) FROM tree o WHERE o.relation = t.relation)
    ORDER BY t.depth, t.relation;
END;

COMMENT ON FUNCTION tenancy.tree_of(regclass) IS 'a table with its partitions or inheritance children, parents first; internal';

CREATE FUNCTION tenancy.has_tenant_index(relation regclass, tenant_column name) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_index i
        JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = tenant_column AND a.attnum = i.indkey[0]
        WHERE i.indrelid = relation AND i.indisvalid AND i.indpred IS NULL);
END
$$;

COMMENT ON FUNCTION tenancy.has_tenant_index(regclass, name) IS
'whether a valid btree over all rows leads with the tenant column; internal';

CREATE FUNCTION tenancy.has_tenant_key(relation regclass, tenant_column name) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_constraint f
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attname = tenant_column AND f.conkey = ARRAY[a.attnum]
        JOIN pg_attribute t ON t.attrelid = f.confrelid AND t.attname = tenancy.tenants_column(a.atttypid::regtype)
                           AND f.confkey = ARRAY[t.attnum]
        WHERE f.conrelid = relation AND f.contype = 'f' AND f.convalidated
          AND f.confrelid = 'tenancy.tenants'::regclass);
END
$$;

COMMENT ON FUNCTION tenancy.has_tenant_key(regclass, name) IS
'whether a valid foreign key leads from the tenant column to tenancy.tenants; internal';

CREATE FUNCTION tenancy.changed_policies(relation regclass, tenant_column name, column_type regtype, own_policies boolean)
RETURNS TABLE (policy name)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT e.policy
    FROM tenancy.policies_for(tenant_column, column_type, own_policies) e
    JOIN pg_policy p ON p.polrelid = relation AND p.polname = e.policy
    WHERE p.polpermissive <> e.is_permissive OR p.polcmd <> e.command OR p.polroles <> '{0}'
       OR pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM e.using_text
       OR pg_get_expr(p.polwithcheck, p.polrelid) IS DISTINCT FROM e.check_text;
END;

COMMENT ON FUNCTION tenancy.changed_policies(regclass, name, regtype, boolean) IS
'policies that have the names of tenancy''s and are something else; internal';

CREATE FUNCTION tenancy.all_faults() RETURNS TABLE (relation regclass, code text, severity text, problem text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT r.relation, f.code, f.severity, f.problem
    FROM tenancy.protected_tables r
    JOIN pg_class c ON c.oid = r.relation
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = r.tenant_column AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    CROSS JOIN LATERAL (
        SELECT 'rls_off' AS code, 'error' AS severity, 'row level security is off' AS problem
        WHERE NOT c.relrowsecurity
        UNION ALL
        SELECT 'rls_not_forced', 'error', 'row level security does not hold the table''s owner'
        WHERE NOT c.relforcerowsecurity
        UNION ALL
        SELECT 'column_missing', 'error', format('there is no column %I of type %s', r.tenant_column, r.column_type)
        WHERE a.attnum IS NULL OR a.atttypid <> r.column_type
        UNION ALL
        SELECT 'column_nullable', 'error', format('column %I may be null', r.tenant_column)
        WHERE NOT a.attnotnull
        UNION ALL
        SELECT 'default_lost', 'warning', format('column %I does not default to the current tenant', r.tenant_column)
        WHERE a.attnum IS NOT NULL
          AND pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM tenancy.context_call(r.column_type, false)
        UNION ALL
        SELECT 'policy_missing', 'error', format('policy %I is missing', e.policy)
        FROM tenancy.policies_for(r.tenant_column, r.column_type, r.own_policies) e
        WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = e.policy)
        UNION ALL
        SELECT 'policy_changed', 'error', format('policy %I is not what it was', e.policy)
        FROM tenancy.changed_policies(r.relation, r.tenant_column, r.column_type, r.own_policies) e
        UNION ALL
        SELECT 'index_missing', 'warning', format('no index leads with column %I', r.tenant_column)
        WHERE r.index AND a.attnum IS NOT NULL AND NOT tenancy.has_tenant_index(r.relation, r.tenant_column)
        UNION ALL
        SELECT 'foreign_key_missing', 'warning', format('no foreign key leads from column %I to tenancy.tenants', r.tenant_column)
        WHERE r.foreign_key AND a.attnum IS NOT NULL AND NOT tenancy.has_tenant_key(r.relation, r.tenant_column)
    ) f;
END;

COMMENT ON FUNCTION tenancy.all_faults() IS 'what the registered tables lack of their protection; internal';

-- Called for each of many partitions: planning it costs more than running it, so its plan is kept.
CREATE FUNCTION tenancy.protection_faults(relation regclass)
RETURNS TABLE (code text, severity text, problem text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY SELECT f.code, f.severity, f.problem FROM tenancy.all_faults() f WHERE f.relation = protection_faults.relation;
END
$$;

COMMENT ON FUNCTION tenancy.protection_faults(regclass) IS
'what a registered table lacks of its protection; no rows when nothing, or when it is not registered; internal';

-- What was before.

CREATE FUNCTION tenancy.unused_name(relation regclass, tenant_column name, suffix text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stem text;
    schema oid;
    ending text;
    candidate text;
    attempt integer := 0;
BEGIN
    SELECT c.relname || '_' || tenant_column, c.relnamespace INTO stem, schema FROM pg_class c WHERE c.oid = relation;
    LOOP
        ending := '_' || suffix || CASE attempt WHEN 0 THEN '' ELSE attempt::text END;
        WHILE octet_length(stem) + octet_length(ending) > 63 LOOP
            stem := left(stem, -1);
        END LOOP;
        candidate := stem || ending;
        EXIT WHEN NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = candidate AND c.relnamespace = schema)
              AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conname = candidate AND f.connamespace = schema);
        attempt := attempt + 1;
    END LOOP;
    RETURN candidate;
END
$$;

COMMENT ON FUNCTION tenancy.unused_name(regclass, name, text) IS 'a name for an index or constraint that is free; internal';

-- Names of what protect() will add are chosen here, so that unprotect() finds it again. Partitions get their index and
-- foreign key from the parent; where they had the like before, PostgreSQL takes it over and drops it with the parent's.
CREATE FUNCTION tenancy.state_before(relation regclass, tenant_column name) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
    SELECT jsonb_build_object(
        'column', a.attnum IS NOT NULL,
        'default', pg_get_expr(d.adbin, d.adrelid),
        'not_null', coalesce(a.attnotnull, false),
        'rls', c.relrowsecurity,
        'force', c.relforcerowsecurity,
        'policies', (SELECT coalesce(jsonb_agg(p.polname ORDER BY p.polname), '[]')
                     FROM pg_policy p WHERE p.polrelid = c.oid),
        'foreign_key', CASE WHEN NOT c.relispartition AND NOT tenancy.has_tenant_key(c.oid, tenant_column)
                            THEN tenancy.unused_name(c.oid, tenant_column, 'fkey') END,
        'index', CASE WHEN NOT c.relispartition AND NOT tenancy.has_tenant_index(c.oid, tenant_column)
                      THEN tenancy.unused_name(c.oid, tenant_column, 'idx') END,
        'indexes', (SELECT coalesce(jsonb_object_agg(x.relname, pg_get_indexdef(x.oid)), '{}')
                    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                    WHERE c.relispartition AND i.indrelid = c.oid AND i.indkey::text = a.attnum::text
                      AND NOT i.indisunique AND NOT x.relispartition),
        'foreign_keys', (SELECT coalesce(jsonb_object_agg(f.conname, pg_get_constraintdef(f.oid)), '{}')
                         FROM pg_constraint f
                         WHERE c.relispartition AND f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
                           AND f.confrelid = 'tenancy.tenants'::regclass AND f.conparentid = 0))
    FROM pg_class c
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = tenant_column AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.oid = relation);

COMMENT ON FUNCTION tenancy.state_before(regclass, name) IS 'what unprotect() must know of a table that is not protected yet; internal';

-- A migration changes a table step by step before it is protected. What it was is remembered before the first step.
CREATE TABLE tenancy.state_before_migration (
    relation regclass NOT NULL,
    tenant_column name NOT NULL,
    undo jsonb NOT NULL,
    CONSTRAINT state_before_migration_pkey PRIMARY KEY (relation),
    CONSTRAINT state_before_migration_undo_check CHECK (jsonb_typeof(undo) = 'object')
);

COMMENT ON TABLE tenancy.state_before_migration IS
'what tables were before a migration began, until they are protected; written by tenancy.remember()';

SELECT pg_catalog.pg_extension_config_dump('tenancy.state_before_migration', '');

ALTER TABLE tenancy.state_before_migration ENABLE ROW LEVEL SECURITY;

CREATE POLICY write_own ON tenancy.state_before_migration USING (EXISTS (
    SELECT FROM pg_catalog.pg_class c
    WHERE c.oid = relation AND pg_catalog.pg_has_role(c.relowner, 'USAGE')));

CREATE FUNCTION tenancy.remember_state() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Given where a dump is restored.
    IF NEW.undo IS NULL THEN
        NEW.undo := coalesce((SELECT b.undo FROM tenancy.state_before_migration b
                              WHERE b.relation = NEW.relation AND b.tenant_column = NEW.tenant_column),
                             tenancy.state_before(NEW.relation, NEW.tenant_column));
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION tenancy.remember_state() IS 'trigger: fills undo, which table owners may not write themselves';

CREATE TRIGGER remember_state BEFORE INSERT ON tenancy.protected_tables
FOR EACH ROW EXECUTE FUNCTION tenancy.remember_state();

CREATE TRIGGER remember_state BEFORE INSERT ON tenancy.state_before_migration
FOR EACH ROW EXECUTE FUNCTION tenancy.remember_state();

-- Refusals.

CREATE FUNCTION tenancy.refuse_protection(relation regclass, reason text, advice text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s cannot be protected', relation),
        DETAIL = reason, HINT = advice;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_protection(regclass, text, text) IS 'raises TN009; internal';

CREATE FUNCTION tenancy.refuse_other_owner(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'relation must not be null',
            HINT = 'Pass the name of a table.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation) THEN
        RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = format('relation with OID %s does not exist', relation::oid),
            HINT = 'Pass the name of a table.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND pg_has_role(c.relowner, 'USAGE')) THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of relation %s', relation),
            HINT = 'Call it as the table''s owner.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_other_owner(regclass) IS
'raises 22004, 42P01 or 42501 for a relation that the caller does not own; internal';

CREATE FUNCTION tenancy.refuse_unprotectable(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    kind text;
BEGIN
    SELECT c.relkind, c.relpersistence, c.relnamespace::regnamespace AS schema,
           (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
              AND d.refclassid = 'pg_extension'::regclass) AS extension
    INTO found
    FROM pg_class c WHERE c.oid = relation;

    kind := CASE found.relkind
        WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
        WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index' WHEN 'I' THEN 'an index' WHEN 'c' THEN 'a composite type'
        WHEN 't' THEN 'a TOAST table' END;
    IF found.schema::text IN ('pg_toast', 'pg_catalog', 'information_schema') THEN
        PERFORM tenancy.refuse_protection(relation, 'It belongs to the system.', 'Protect tables of your own.');
    ELSIF found.extension IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('It belongs to the extension %s.', found.extension),
                                          'Protect tables of your own.');
    ELSIF kind IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('It is %s.', kind), CASE found.relkind
            WHEN 'v' THEN 'Protect the tables that it reads, and create it WITH (security_invoker = true).'
            WHEN 'm' THEN 'Its rows are those that whoever refreshes it sees; make it a protected table that is filled for each tenant.'
            WHEN 'f' THEN 'Policies do not reach foreign tables; protect the table where it is stored.'
            ELSE 'Only tables can be protected.' END);
    ELSIF found.relpersistence = 't' THEN
        PERFORM tenancy.refuse_protection(relation, 'It is a temporary table.', 'Only its own session sees a temporary table.');
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_unprotectable(regclass) IS 'raises TN009 for what is no ordinary or partitioned table of a user; internal';

CREATE FUNCTION tenancy.refuse_open_parents(root regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    WITH tree AS MATERIALIZED (SELECT t.relation FROM tenancy.tree_of(root) t)
    SELECT t.relation, i.inhparent::regclass AS parent INTO found
    FROM tree t
    JOIN pg_inherits i ON i.inhrelid = t.relation
    WHERE i.inhparent NOT IN (SELECT o.relation FROM tree o)
      AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = i.inhparent)
    LIMIT 1;
    IF found.relation IS NOT NULL THEN
        PERFORM tenancy.refuse_protection(found.relation,
            format('It is a partition or an inheritance child of %s, through which its rows could be read.', found.parent),
            format('Protect %s: its children are protected with it.', found.parent));
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_open_parents(regclass) IS
'raises TN009 when a table that stays unprotected leads to the rows of this one or its children; internal';

-- The catalogue of tenants, as a table owner may ask it.

CREATE FUNCTION tenancy_internal.default_tenant_value(column_type regtype) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE column_type WHEN 'uuid'::regtype THEN t.id::text WHEN 'text'::regtype THEN t.external_key
                            ELSE t.external_key_bigint::text END
    FROM tenancy.tenants t WHERE t.id = '00000000-0000-0000-0000-000000000002';
END;

SELECT tenancy_internal.expose('default_tenant_value(regtype)');

COMMENT ON FUNCTION tenancy.default_tenant_value(regtype) IS
'the default tenant as a tenant column of this type holds it; null when it has no such key; internal';

-- Tells no more than the foreign key does, which a table owner may create.
CREATE FUNCTION tenancy_internal.values_without_tenant(column_type regtype, given text[]) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(array_agg(v.value), '{}')
    FROM unnest(given) AS v (value)
    WHERE NOT EXISTS (
        SELECT FROM tenancy.tenants t
        WHERE CASE column_type WHEN 'uuid'::regtype THEN t.id::text WHEN 'text'::regtype THEN t.external_key
                               ELSE t.external_key_bigint::text END = v.value);
END;

SELECT tenancy_internal.expose('values_without_tenant(regtype, text[])');

COMMENT ON FUNCTION tenancy.values_without_tenant(regtype, text[]) IS
'those of the values that no tenant has; internal';

-- With row_security off a policy that would hide rows from the caller is an error instead.
CREATE FUNCTION tenancy.run_seeing_all(statement text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
BEGIN
    EXECUTE statement;
END
$$;

COMMENT ON FUNCTION tenancy.run_seeing_all(text) IS 'executes a statement as its caller, and raises where policies would hide rows from it; internal';

CREATE FUNCTION tenancy.has_rows(relation regclass) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', relation) INTO found;
    RETURN found;
END
$$;

COMMENT ON FUNCTION tenancy.has_rows(regclass) IS 'whether a table has rows; raises where policies would hide some from the caller; internal';

CREATE FUNCTION tenancy.refuse_bad_values(relation regclass, tenant_column name, column_type regtype, may_be_null boolean)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    keys text[];
    counts bigint[];
    null_count bigint;
    unknown text[];
    unknown_count bigint;
BEGIN
    EXECUTE format('SELECT array_agg(k), array_agg(n) FROM (SELECT %I::text AS k, count(*) AS n FROM %s GROUP BY 1) s',
                   tenant_column, relation)
    INTO keys, counts;
    SELECT coalesce(sum(n) FILTER (WHERE k IS NULL), 0) INTO null_count FROM unnest(keys, counts) AS u (k, n);
    IF null_count > 0 AND NOT may_be_null THEN
        PERFORM tenancy.refuse_protection(relation,
            format('Column %I is null in %s.', tenant_column, CASE null_count WHEN 1 THEN '1 row' ELSE null_count || ' rows' END),
            'Say whose these rows are with backfill, an SQL expression that may use the row''s columns.');
    END IF;
    unknown := tenancy.values_without_tenant(column_type, array_remove(keys, NULL));
    IF unknown <> '{}' THEN
        SELECT sum(n) INTO unknown_count FROM unnest(keys, counts) AS u (k, n) WHERE k = ANY (unknown);
        PERFORM tenancy.refuse_protection(relation,
            format('Column %I holds values that no tenant has, in %s.', tenant_column,
                   CASE unknown_count WHEN 1 THEN '1 row' ELSE unknown_count || ' rows' END),
            format('Create the tenants first with tenancy.create_tenant()%s, or correct the rows.',
                   CASE WHEN column_type <> 'uuid'::regtype THEN ', with these values as external_key' ELSE '' END));
    END IF;
    RETURN null_count > 0;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_values(regclass, name, regtype, boolean) IS
'raises TN009 when rows have no tenant (unless may_be_null) or an unknown one, and says whether any has none; internal';

CREATE FUNCTION tenancy.remember(relation regclass, tenant_column name) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM tenancy.refuse_other_owner(remember.relation);
    INSERT INTO tenancy.state_before_migration (relation, tenant_column)
    SELECT t.relation, remember.tenant_column
    FROM tenancy.tree_of(remember.relation) t
    WHERE NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = t.relation)
    ON CONFLICT ON CONSTRAINT state_before_migration_pkey DO NOTHING;
    RETURN coalesce((SELECT p.undo FROM tenancy.protected_tables p WHERE p.relation = remember.relation),
                    (SELECT b.undo FROM tenancy.state_before_migration b WHERE b.relation = remember.relation));
END
$$;

COMMENT ON FUNCTION tenancy.remember(regclass, name) IS
'keeps what a table and its children are before a migration changes them, for unprotect(), unless that is kept already, and returns it for the table; internal';
