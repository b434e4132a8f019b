-- Logical replication sends rows past all policies: a publication for one tenant, with a filter on each of its tables.

CREATE FUNCTION tenancy_internal.key_of_tenant(tenant text, column_type regtype) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE column_type WHEN 'uuid'::regtype THEN t.id::text WHEN 'text'::regtype THEN t.external_key
                            ELSE t.external_key_bigint::text END
    FROM tenancy.tenants t
    WHERE t.id::text = tenant OR t.slug = tenant;
END;

SELECT tenancy_internal.expose('key_of_tenant(text, regtype)');

COMMENT ON FUNCTION tenancy.key_of_tenant(text, regtype) IS
'a tenant, named by id or slug, as a tenant column of this type holds it; internal';

CREATE FUNCTION tenancy.publish_tenant(tenant text, publication text, relations regclass[] DEFAULT NULL, dry_run boolean DEFAULT false)
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    published record;
    key text;
    filtered text[] := '{}';
    statement text;
BEGIN
    IF tenant IS NULL OR publication IS NULL OR dry_run IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = format('%s must not be null', CASE WHEN tenant IS NULL THEN 'tenant' WHEN publication IS NULL THEN 'publication' ELSE 'dry_run' END);
    ELSIF publication = '' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'publication must not be empty';
    ELSIF tenancy.key_of_tenant(tenant, 'uuid') IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN002', MESSAGE = 'tenant is not available',
            HINT = 'Pass the id or the slug of a tenant.';
    END IF;
    FOR published IN
        SELECT r.relation, p.tenant_column, p.column_type, i.inhparent::regclass AS parent,
               -- Updates and deletes are filtered by what identifies a row.
               c.relreplident = 'f' OR EXISTS (
                   SELECT FROM pg_index x
                   JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attname = p.tenant_column AND a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1])
                   WHERE x.indrelid = r.relation AND (x.indisprimary AND c.relreplident = 'd' OR x.indisreplident)) AS is_identified
        FROM (SELECT DISTINCT u.relation FROM unnest(relations) AS u (relation)
              UNION ALL
              SELECT o.relation FROM tenancy.protected_tables o JOIN pg_class c ON c.oid = o.relation
              WHERE relations IS NULL AND o.tenant_column IS NOT NULL AND pg_has_role(c.relowner, 'USAGE')
                AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = o.relation)) r
        LEFT JOIN pg_class c ON c.oid = r.relation
        LEFT JOIN tenancy.protected_tables p ON p.relation = r.relation
        LEFT JOIN pg_inherits i ON i.inhrelid = r.relation AND c.relispartition
        ORDER BY r.relation::text
    LOOP
        IF published.relation IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'relations must not hold null';
        ELSIF published.tenant_column IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s is not protected by a tenant column', published.relation),
                DETAIL = 'A publication filters rows by their own columns.',
                HINT = 'tenancy.protected_tables lists the protected tables.';
        ELSIF published.parent IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s is a partition', published.relation),
                DETAIL = format('Its rows are published with %s.', published.parent), HINT = 'Name the partitioned table.';
        ELSIF NOT published.is_identified THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s cannot be published by tenant', published.relation),
                DETAIL = format('Its replica identity lacks column %I, so its rows could not be updated any more.', published.tenant_column),
                HINT = format('Give it a primary key with %I, or say ALTER TABLE %s REPLICA IDENTITY FULL.', published.tenant_column, published.relation);
        END IF;
        key := tenancy.key_of_tenant(tenant, published.column_type);
        IF key IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s cannot be published by tenant', published.relation),
                DETAIL = format('The tenant has no external key for column %I of type %s.', published.tenant_column, published.column_type),
                HINT = 'Name the tables that shall be published in relations.';
        END IF;
        filtered := filtered || format('%s WHERE (%I = %L::%s)', published.relation, published.tenant_column, key, published.column_type);
    END LOOP;
    IF filtered = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = 'there is nothing to publish',
            DETAIL = 'The caller owns no table that is protected by a tenant column.', HINT = 'Call tenancy.protect() first.';
    END IF;
    statement := format('CREATE PUBLICATION %I FOR TABLE %s WITH (publish_via_partition_root = true)', publication, array_to_string(filtered, ', '));
    IF NOT dry_run THEN
        EXECUTE statement;
    END IF;
    RETURN NEXT statement;
END
$$;

COMMENT ON FUNCTION tenancy.publish_tenant(text, text, regclass[], boolean) IS
'makes a publication of one tenant''s rows in the caller''s protected tables, or in those of relations, for logical replication; the tenant is named by id or slug, and the statement is returned (dry_run: not run). Tables that are protected later are not in it';
