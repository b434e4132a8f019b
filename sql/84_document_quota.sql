-- Documents of a tenant are counted by triggers on the documents tables of corpora: once for a statement, whatever it
-- inserts or deletes, and undone with it.

CREATE FUNCTION tenancy.tenant_keys_of(relation regclass, column_number smallint) RETURNS SETOF text
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_tenant_keys_of';

COMMENT ON FUNCTION tenancy.tenant_keys_of(regclass, smallint) IS
'the tenant column of every row of a table, not of its children, read past policies and without running anything that its owner made; internal';

CREATE FUNCTION tenancy.tenant_of_key(key text, column_type regtype) RETURNS uuid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN CASE column_type WHEN 'uuid'::regtype THEN key::uuid
       ELSE (SELECT t.id FROM tenancy.tenants t WHERE t.external_key = key) END;

COMMENT ON FUNCTION tenancy.tenant_of_key(text, regtype) IS 'the tenant that a value of a tenant column means; internal';

CREATE FUNCTION tenancy.count_documents() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant_column name;
    column_type regtype;
    found record;
BEGIN
    SELECT a.attname, a.atttypid INTO tenant_column, column_type
    FROM pg_attribute a
    WHERE a.attrelid = TG_RELID AND a.attnum = TG_ARGV[0]::smallint;
    -- Other types could bring a cast of their owner's, which must not run here.
    IF column_type NOT IN ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bigint'::regtype, 'integer'::regtype) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('column "%s" of relation %s cannot be a tenant column', tenant_column, TG_RELID::regclass);
    END IF;
    FOR found IN EXECUTE CASE TG_OP
        WHEN 'TRUNCATE' THEN format('SELECT k AS key, count(*) AS rows FROM tenancy.tenant_keys_of(%s::oid, %s::smallint) k GROUP BY k ORDER BY k', TG_RELID, TG_ARGV[0])
        ELSE format('SELECT (r.%I)::text AS key, count(*) AS rows FROM changed_rows r GROUP BY 1 ORDER BY 1', tenant_column) END
    LOOP
        IF TG_OP = 'INSERT' THEN
            PERFORM tenancy.consume(tenancy.tenant_of_key(found.key, column_type), 'documents', found.rows);
        ELSE
            PERFORM tenancy.release(tenancy.tenant_of_key(found.key, column_type), 'documents', found.rows);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION tenancy.count_documents() IS 'trigger: uses and gives back the quota of documents; TN005 when a tenant would have too many';

CREATE FUNCTION tenancy.install_document_count(relation regclass, tenant_column name) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_number smallint := (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = tenant_column);
BEGIN
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS changed_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_documents(%2$L)$ddl$, relation, column_number);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS changed_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_documents(%2$L)$ddl$, relation, column_number);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_truncate BEFORE TRUNCATE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_documents(%2$L)$ddl$, relation, column_number);
END
$$;

COMMENT ON FUNCTION tenancy.install_document_count(regclass, name) IS 'creates the triggers that count documents on one table; internal';

CREATE FUNCTION tenancy.document_counts(documents regclass) RETURNS TABLE (tenant uuid, rows bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT tenancy.tenant_of_key(k.key, p.column_type), count(*)
    FROM tenancy.protected_tables p
    JOIN tenancy.tree_of(documents) m ON m.relation = p.relation
    JOIN pg_attribute a ON a.attrelid = p.relation AND a.attname = p.tenant_column
    CROSS JOIN LATERAL tenancy.tenant_keys_of(p.relation, a.attnum) AS k (key)
    GROUP BY 1
    ORDER BY 1;
END;

COMMENT ON FUNCTION tenancy.document_counts(regclass) IS 'how many rows each tenant has in a table and its children; internal';

CREATE FUNCTION tenancy.meter_documents(documents regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member record;
    found record;
BEGIN
    PERFORM tenancy.refuse_other_outer_owner(documents);
    IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = documents AND t.tgname = 'tenancy_count_insert') THEN
        RETURN;
    END IF;
    FOR member IN
        SELECT t.relation, p.tenant_column FROM tenancy.tree_of(documents) t JOIN tenancy.protected_tables p ON p.relation = t.relation
    LOOP
        PERFORM tenancy.install_document_count(member.relation, member.tenant_column);
    END LOOP;
    -- What is there already is there, whatever the limit. Creating the triggers has ended all other writing.
    FOR found IN SELECT c.tenant, c.rows FROM tenancy.document_counts(documents) c JOIN tenancy.tenants t ON t.id = c.tenant LOOP
        INSERT INTO tenancy.quota_accounts AS a (account, metric, period, taken) VALUES (found.tenant, 'documents', '-infinity', found.rows)
        ON CONFLICT ON CONSTRAINT quota_accounts_pkey DO UPDATE SET taken = a.taken + excluded.taken;
        INSERT INTO tenancy.usage_slots AS s (subject, metric, period, account, slot, used, lease)
        VALUES (found.tenant, 'documents', '-infinity', found.tenant, 0, found.rows, 0)
        ON CONFLICT ON CONSTRAINT usage_slots_pkey DO UPDATE SET used = s.used + excluded.used;
        PERFORM tenancy.recall_leases(found.tenant, 'documents', '-infinity');
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.meter_documents(regclass) IS
'counts the rows of a protected table of the caller as documents of their tenants, from now on; attach_corpus() calls it';

CREATE FUNCTION tenancy.unmeter_documents(documents regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
    dropped boolean := false;
    found record;
BEGIN
    PERFORM tenancy.refuse_other_outer_owner(documents);
    FOR member IN SELECT t.relation FROM tenancy.tree_of(documents) t LOOP
        dropped := tenancy.drop_triggers(member, 'tenancy\_count\_%') OR dropped;
    END LOOP;
    IF dropped THEN
        FOR found IN SELECT c.tenant, c.rows FROM tenancy.document_counts(documents) c JOIN tenancy.tenants t ON t.id = c.tenant LOOP
            PERFORM tenancy.release(found.tenant, 'documents', found.rows);
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.unmeter_documents(regclass) IS
'no longer counts the rows of a table as documents, nor those that it has; drop_corpus() calls it';

CREATE FUNCTION tenancy.recount_documents() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    documents regclass;
    counted bigint := 0;
    found record;
BEGIN
    PERFORM tenancy.authorize_operator();
    FOR documents IN
        SELECT DISTINCT c.documents FROM tenancy.corpora c JOIN pg_class t ON t.oid = c.documents ORDER BY 1
    LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE MODE', documents);
    END LOOP;
    DELETE FROM tenancy.usage_slots s WHERE s.metric = 'documents';
    DELETE FROM tenancy.quota_accounts a WHERE a.metric = 'documents';
    FOR found IN
        SELECT n.tenant, sum(n.rows)::bigint AS rows
        FROM (SELECT DISTINCT c.documents FROM tenancy.corpora c JOIN pg_class t ON t.oid = c.documents) d
        CROSS JOIN LATERAL tenancy.document_counts(d.documents) n
        JOIN tenancy.tenants t ON t.id = n.tenant
        GROUP BY n.tenant
    LOOP
        INSERT INTO tenancy.quota_accounts (account, metric, period, taken) VALUES (found.tenant, 'documents', '-infinity', found.rows);
        INSERT INTO tenancy.usage_slots (subject, metric, period, account, slot, used, lease)
        VALUES (found.tenant, 'documents', '-infinity', found.tenant, 0, found.rows, 0);
        counted := counted + found.rows;
    END LOOP;
    RETURN counted;
END
$$;

COMMENT ON FUNCTION tenancy.recount_documents() IS
'counts the documents of all tenants anew, for a database whose tables were loaded or dropped past the triggers; returns how many there are';

CREATE FUNCTION tenancy.extend_to_children() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT t.relation, g.tgname, p.tenant_column,
               string_to_array(encode(substring(g.tgargs FROM 1 FOR octet_length(g.tgargs) - 1), 'escape'), E'\\000') AS arguments
        FROM pg_event_trigger_ddl_commands() d
        CROSS JOIN tenancy.tree_of(d.objid) t
        JOIN tenancy.protected_tables p ON p.relation = t.relation
        JOIN pg_inherits i ON i.inhrelid = t.relation
        JOIN pg_trigger g ON g.tgrelid = i.inhparent AND g.tgname IN ('tenancy_audit_insert', 'tenancy_count_insert')
                         AND g.tgfoid IN ('tenancy.audit_rows()'::regprocedure, 'tenancy.count_documents()'::regprocedure)
        WHERE d.classid = 'pg_class'::regclass
          AND NOT EXISTS (SELECT FROM pg_trigger o WHERE o.tgrelid = t.relation AND o.tgname = g.tgname)
        ORDER BY t.depth, t.relation, g.tgname
    LOOP
        IF found.tgname = 'tenancy_audit_insert' THEN
            PERFORM tenancy.install_audit(found.relation, (found.arguments[1])::text[]);
        ELSE
            PERFORM tenancy.install_document_count(found.relation, found.tenant_column);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.extend_to_children() IS
'event trigger: new partitions and children of audited tables and of documents tables are audited and counted too';

-- Named to run after the one that protects them.
CREATE EVENT TRIGGER tenancy_zz_extend_to_children ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
EXECUTE FUNCTION tenancy.extend_to_children();
