-- check() about keys and indexes: what crosses from one tenant to another, because checks of keys bypass policies.

-- An index or an exclusion constraint with the tenant as its first column. Only the beginning is looked at, name by name: what
-- looks like the rest of it may be part of a name.
CREATE FUNCTION tenancy.with_tenant_first(definition text, addition text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(definition,
    '^((?:CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")+"|[^ "]+) ON )?)(?:ONLY )?((?:(?:"(?:[^"]|"")+"|[^ "]+?)+|EXCLUDE) USING \w+ \()',
    '\1\2' || replace(addition, '\', '\\') || ', ');

COMMENT ON FUNCTION tenancy.with_tenant_first(text, text) IS
'the definition of an index or exclusion constraint, with a column put before its first; internal';

CREATE FUNCTION tenancy.check_keys() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH protected AS MATERIALIZED (
        SELECT p.relation, p.tenant_column, p.global_keys, a.attnum AS tenant_number, c.relname
        FROM tenancy.protected_tables p
        JOIN pg_class c ON c.oid = p.relation
        JOIN pg_attribute a ON a.attrelid = p.relation AND a.attname = p.tenant_column AND NOT a.attisdropped
    ), indexes AS MATERIALIZED (
        -- Those of partitions that belong to an index of the parent's are told of there.
        SELECT p.relation, p.tenant_column, i.indexrelid, x.relname, m.amname, i.indisunique, i.indisexclusion, i.indpred IS NOT NULL AS is_partial,
               i.indkey[0] = p.tenant_number AS leads,
               p.tenant_number = ANY (i.indkey[0:i.indnkeyatts - 1]) AS has_tenant,
               x.relname = ANY (p.global_keys) AS is_global
        FROM protected p
        JOIN pg_index i ON i.indrelid = p.relation
        JOIN pg_class x ON x.oid = i.indexrelid AND NOT x.relispartition
        JOIN pg_am m ON m.oid = x.relam
    ), pins AS MATERIALIZED (
        SELECT f.conindid, f.conname, f.conrelid::regclass AS child, f.confrelid::regclass AS parent,
               (SELECT i.kind FROM tenancy.indirect_tables i WHERE i.relation = f.conrelid) AS indirect_kind
        FROM pg_constraint f
        WHERE f.contype = 'f' AND f.conparentid = 0
          AND f.confrelid IN (SELECT i FROM tenancy.isolated_tables() i)
          AND NOT EXISTS (SELECT FROM protected p WHERE p.relation = f.conrelid)
    )
    SELECT 'unique_across', 'warning', format('index %s', i.indexrelid::regclass),
           format('it is unique for all tenants of %s, so an error tells one tenant which values another has', i.relation),
           tenancy.protect_statement(i.relation, i.relation)
    FROM indexes i
    WHERE i.indisunique AND NOT i.indisexclusion AND NOT i.has_tenant AND NOT i.is_global
      AND NOT EXISTS (SELECT FROM pins n WHERE n.conindid = i.indexrelid)
    UNION ALL
    SELECT 'unique_pinned', 'info', format('index %s', i.indexrelid::regclass),
           format('it stays unique for all tenants of %s while %s, which %s, refers to it by %I', i.relation, n.child,
                  CASE n.indirect_kind WHEN 'path' THEN 'is protected by a path and has no tenant column'
                                       WHEN 'shared' THEN 'is shared' ELSE 'is not protected' END, n.conname),
           -- What a path ends at must be unique for all: then that is said, or the table gets a column, which takes more than a statement.
           CASE WHEN n.indirect_kind IS NULL THEN format('SELECT tenancy.protect(%L)', n.child)
                ELSE left(tenancy.protect_statement(i.relation, i.relation), -1) || format(', global_keys => %L)', ARRAY[i.relname]) END
    FROM indexes i
    JOIN pins n ON n.conindid = i.indexrelid
    WHERE NOT i.is_global AND NOT i.has_tenant
    UNION ALL
    SELECT 'reference_unprotected', 'warning', format('table %s', n.child),
           format('its rows belong to rows of %s, and everybody sees those of all tenants', string_agg(DISTINCT n.parent::text, ', ')),
           format('SELECT tenancy.protect(%L)', n.child)
    FROM pins n
    WHERE n.indirect_kind IS NULL
    GROUP BY n.child
    UNION ALL
    SELECT 'foreign_key_across', 'warning', format('constraint %I on table %s', f.conname, child.relation),
           format('a row of one tenant can refer to a row of another in %s', parent.relation),
           tenancy.protect_statement(child.relation, child.relation)
    FROM pg_constraint f
    JOIN protected child ON child.relation = f.conrelid
    JOIN protected parent ON parent.relation = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0
      AND NOT EXISTS (SELECT FROM unnest(f.conkey, f.confkey) AS pair (child_key, parent_key)
                      WHERE pair.child_key = child.tenant_number AND pair.parent_key = parent.tenant_number)
      -- From the tenant column to the row that stands for the tenant: it says nothing but whose the row is. That it can be
      -- made under another tenant is told of the key.
      AND NOT (f.conkey = ARRAY[child.tenant_number] AND f.confdeltype IN ('a', 'r') AND f.confupdtype IN ('a', 'r'))
    UNION ALL
    -- The rows that go with it are those of all tenants.
    SELECT 'cascade_from_outside', 'warning', format('table %s', parent.oid::regclass),
           format('%s may delete from it, and %I then changes rows of all tenants in %s',
                  CASE WHEN g.grantee = 0 THEN 'everybody' ELSE 'role ' || g.grantee::regrole END, f.conname, child.relation),
           format('REVOKE DELETE ON %s FROM %s', parent.oid::regclass, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
    FROM pg_constraint f
    JOIN protected child ON child.relation = f.conrelid
    JOIN pg_class parent ON parent.oid = f.confrelid
    CROSS JOIN aclexplode(parent.relacl) g
    WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confdeltype IN ('c', 'n', 'd')
      AND parent.relnamespace <> 'tenancy'::regnamespace
      AND NOT EXISTS (SELECT FROM protected p WHERE p.relation = f.confrelid)
      AND g.privilege_type = 'DELETE' AND (g.grantee = 0 OR g.grantee IN (SELECT r::oid FROM tenancy.app_roles() r))
    UNION ALL
    SELECT 'exclusion_across', 'warning', format('constraint %I on table %s', f.conname, i.relation),
           'it excludes rows of different tenants, so an error tells one tenant what another has',
           CASE WHEN i.amname = 'gist' AND NOT EXISTS (
                    SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'gist'
                    JOIN pg_attribute a ON a.attrelid = i.relation AND a.attname = i.tenant_column
                    WHERE o.opcintype = a.atttypid AND o.opcdefault)
                THEN 'CREATE EXTENSION btree_gist; ' ELSE '' END
           || format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s', i.relation, f.conname,
                     tenancy.with_tenant_first(pg_get_constraintdef(f.oid), format('%I WITH =', i.tenant_column)))
    FROM indexes i
    JOIN pg_constraint f ON f.conindid = i.indexrelid AND f.contype = 'x'
    WHERE NOT i.has_tenant AND NOT i.is_global
    UNION ALL
    -- EXPLAIN ANALYZE tells how many rows of others it removed, and reading them takes time.
    SELECT 'index_without_tenant', 'info', format('index %s', i.indexrelid::regclass),
           format('it does not lead with the tenant, so queries by it read rows of all tenants of %s', i.relation),
           format('DROP INDEX %s; %s', i.indexrelid::regclass,
                  tenancy.with_tenant_first(pg_get_indexdef(i.indexrelid), quote_ident(i.tenant_column)))
    FROM indexes i
    WHERE NOT i.leads AND NOT i.indisunique AND NOT i.indisexclusion AND i.amname = 'btree'
    UNION ALL
    SELECT 'approximate_index', 'warning', format('index %s', i.indexrelid::regclass),
           format('a search by it finds the nearest rows of all tenants of %s first, and hides those of others afterwards: a tenant can get too few', i.relation),
           format('DROP INDEX %s', i.indexrelid::regclass)
    FROM indexes i
    WHERE i.amname IN ('hnsw', 'ivfflat') AND NOT i.is_partial
$$;

COMMENT ON FUNCTION tenancy.check_keys() IS 'the part of check() about keys and indexes; internal';
