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

-- Which tables are counted, and by which column. Not dumped: a restored table becomes one when its triggers are made. The counts
-- themselves are, and a restore leaves them as they come, in whatever order tenants, documents and counts are loaded.
CREATE TABLE tenancy.counted_tables (
    relation oid NOT NULL,
    column_number smallint NOT NULL,
    CONSTRAINT counted_tables_pkey PRIMARY KEY (relation)
);

COMMENT ON TABLE tenancy.counted_tables IS
'the tables whose rows are in the counts of documents now: those of corpora with all their triggers switched on';
COMMENT ON COLUMN tenancy.counted_tables.relation IS 'each partition and child for itself';
COMMENT ON COLUMN tenancy.counted_tables.column_number IS 'number of the tenant column';

ALTER TABLE tenancy.counted_tables ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.counted_column(relation oid) RETURNS smallint
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'tenancy_counted_column';

COMMENT ON FUNCTION tenancy.counted_column(oid) IS
'the tenant column of a counted table, null for any other; as it is now, whatever the transaction''s snapshot; internal';

CREATE FUNCTION tenancy.tenant_type(relation oid, column_number smallint) RETURNS regtype
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held record;
BEGIN
    SELECT a.attname, a.atttypid::regtype AS type INTO held FROM pg_attribute a
    WHERE a.attrelid = tenant_type.relation AND a.attnum = tenant_type.column_number;
    -- Other types could bring a cast of their owner's, which must not run here.
    IF held.type NOT IN ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'bigint'::regtype, 'integer'::regtype) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009',
            MESSAGE = format('column "%s" of relation %s cannot be a tenant column', held.attname, tenant_type.relation::regclass),
            DETAIL = format('Its type is %s.', held.type);
    END IF;
    RETURN held.type;
END
$$;

COMMENT ON FUNCTION tenancy.tenant_type(oid, smallint) IS 'the type of a tenant column; TN009 for one that cannot be; internal';

-- The tenants in one order, so that two statements over the same tenants do not wait for each other.
CREATE FUNCTION tenancy_internal.count_documents() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_number smallint := tenancy.counted_column(TG_RELID);
    column_type regtype;
    tenant_column name;
    keys text;
    found record;
BEGIN
    IF column_number IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' AND tenancy.caller_is_restoring() THEN
        PERFORM tenancy.count_restored();
        RETURN NULL;
    END IF;
    column_type := tenancy.tenant_type(TG_RELID, column_number);
    tenant_column := (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attnum = column_number);
    keys := concat_ws(' UNION ALL ',
        CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN format('SELECT (gone.%I)::text, -1 FROM old_rows gone', tenant_column) END,
        CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN format('SELECT (come.%I)::text, 1 FROM new_rows come', tenant_column) END,
        CASE WHEN TG_OP = 'TRUNCATE' THEN format('SELECT gone.key, -1 FROM tenancy.tenant_keys_of(%s::oid, %s::smallint) AS gone (key)', TG_RELID, column_number) END);
    FOR found IN EXECUTE format($query$
            SELECT k.tenant, sum(k.change)::bigint AS change
            FROM (SELECT tenancy.tenant_of_key(c.key, $1) AS tenant, sum(c.change) AS change
                  FROM (%s) AS c (key, change) GROUP BY c.key HAVING sum(c.change) <> 0) k
            GROUP BY k.tenant HAVING sum(k.change) <> 0 ORDER BY k.tenant$query$, keys) USING column_type
    LOOP
        IF found.change > 0 THEN
            PERFORM tenancy.consume(found.tenant, 'documents', found.change);
        ELSE
            PERFORM tenancy.release(found.tenant, 'documents', -found.change);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('count_documents()');

COMMENT ON FUNCTION tenancy.count_documents() IS
'trigger: uses and gives back the quota of documents as rows come, go and change their tenant; TN005 when a tenant would have too many';

CREATE FUNCTION tenancy.count_updates() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_count_updates';

COMMENT ON FUNCTION tenancy.count_updates() IS 'trigger: calls count_documents() where an UPDATE changed the tenant of a row, as few do';

CREATE FUNCTION tenancy.add_documents(tenant uuid, amount bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF amount < 0 THEN
        PERFORM tenancy.release(tenant, 'documents', -amount);
    ELSIF amount > 0 AND EXISTS (SELECT FROM tenancy.tenants t WHERE t.id = add_documents.tenant) THEN
        INSERT INTO tenancy.quota_accounts AS a (account, metric, period, taken) VALUES (tenant, 'documents', '-infinity', amount)
        ON CONFLICT ON CONSTRAINT quota_accounts_pkey DO UPDATE SET taken = a.taken + excluded.taken;
        INSERT INTO tenancy.usage_slots AS s (subject, metric, period, account, slot, used, lease)
        VALUES (tenant, 'documents', '-infinity', tenant, 0, amount, 0)
        ON CONFLICT ON CONSTRAINT usage_slots_pkey DO UPDATE SET used = s.used + excluded.used;
        PERFORM tenancy.recall_leases(tenant, 'documents', '-infinity');
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.add_documents(uuid, bigint) IS
'counts documents that are there already, whatever the limit, or, below zero, that are gone; internal';

CREATE FUNCTION tenancy.rows_of_tenants(relation oid, column_number smallint) RETURNS TABLE (tenant uuid, rows bigint)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.id, sum(c.rows)::bigint
    FROM (SELECT tenancy.tenant_of_key(k.key, tenancy.tenant_type(rows_of_tenants.relation, rows_of_tenants.column_number)) AS tenant,
                 count(*) AS rows
          FROM tenancy.tenant_keys_of(rows_of_tenants.relation, rows_of_tenants.column_number) AS k (key)
          GROUP BY k.key) c
    JOIN tenancy.tenants t ON t.id = c.tenant
    GROUP BY t.id
    ORDER BY t.id;
END;

COMMENT ON FUNCTION tenancy.rows_of_tenants(oid, smallint) IS
'how many rows each tenant has in one table, without its children, now; rows of nobody are left out; internal';

-- Nobody may write meanwhile: what a writer adds would be counted twice or not at all.
CREATE FUNCTION tenancy.count_table(relation regclass, column_number smallint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.caller_is_restoring() THEN
        INSERT INTO tenancy.counted_tables (relation, column_number) VALUES (count_table.relation, count_table.column_number)
        ON CONFLICT ON CONSTRAINT counted_tables_pkey DO NOTHING;
        PERFORM tenancy.count_restored();
        RETURN;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', relation);
    INSERT INTO tenancy.counted_tables (relation, column_number) VALUES (count_table.relation, count_table.column_number);
    PERFORM tenancy.add_documents(r.tenant, r.rows) FROM tenancy.rows_of_tenants(count_table.relation, count_table.column_number) r;
END
$$;

COMMENT ON FUNCTION tenancy.count_table(regclass, smallint) IS 'counts the rows of a table, and from now on their changes; internal';

CREATE FUNCTION tenancy.uncount_table(relation oid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    by_column smallint := tenancy.counted_column(relation);
BEGIN
    IF by_column IS NULL THEN
        RETURN;
    END IF;
    PERFORM tenancy.flush_applied();
    IF tenancy.caller_is_restoring() THEN
        NULL; -- what a restore drops or switches off comes back
    ELSIF EXISTS (SELECT FROM pg_class c WHERE c.oid = uncount_table.relation) THEN
        EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', relation::regclass);
        PERFORM tenancy.add_documents(r.tenant, -r.rows) FROM tenancy.rows_of_tenants(uncount_table.relation, by_column) r;
    ELSE
        RAISE WARNING 'the documents of a table that was dropped are still counted'
            USING HINT = 'Call tenancy.recount_documents() as an operator.';
    END IF;
    DELETE FROM tenancy.counted_tables c WHERE c.relation = uncount_table.relation;
END
$$;

COMMENT ON FUNCTION tenancy.uncount_table(oid) IS 'no longer counts a table, nor the rows that it has; nothing where it was not counted; internal';

CREATE FUNCTION tenancy.has_count_triggers(relation oid) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT count(*) = 4 FROM pg_trigger t
        WHERE t.tgrelid = has_count_triggers.relation AND t.tgenabled IN ('O', 'A')
          AND t.tgname IN ('tenancy_count_insert', 'tenancy_count_update', 'tenancy_count_delete', 'tenancy_count_truncate')
          AND t.tgfoid IN (SELECT p.oid FROM pg_proc p WHERE p.proname IN ('count_documents', 'count_updates') AND p.pronamespace = 'tenancy'::regnamespace));

COMMENT ON FUNCTION tenancy.has_count_triggers(oid) IS 'whether a table has the triggers that count its rows, switched on; internal';

CREATE FUNCTION tenancy.documents_tables() RETURNS TABLE (relation regclass, root regclass, column_number smallint, counts boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT m.relation, d.root, a.attnum, tenancy.has_count_triggers(m.relation) AND tenancy.has_count_triggers(d.root)
    FROM (SELECT DISTINCT c.documents AS root FROM tenancy.corpora c JOIN pg_class t ON t.oid = c.documents) d
    CROSS JOIN LATERAL tenancy.tree_of(d.root) m
    JOIN pg_class t ON t.oid = m.relation AND t.relkind IN ('r', 'p')
    JOIN tenancy.protected_tables p ON p.relation = m.relation
    JOIN pg_attribute a ON a.attrelid = m.relation AND a.attname = coalesce(tenancy.tenant_column(m.relation), p.tenant_column)
                       AND NOT a.attisdropped;
END;

COMMENT ON FUNCTION tenancy.documents_tables() IS
'the documents tables of corpora with their children, and whether triggers count them; a statement on a table fires only its own; internal';

-- Restored documents are counted where the dump's counts did not say them already; those that come later take the place of this.
CREATE FUNCTION tenancy.count_restored() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Waits for a worker that loads them now, and lets none begin until this is committed.
    LOCK TABLE tenancy.quota_accounts, tenancy.usage_slots IN SHARE ROW EXCLUSIVE MODE;
    WITH added AS (
        INSERT INTO tenancy.usage_slots AS s (subject, metric, period, account, slot, used, lease)
        SELECT n.tenant, 'documents', '-infinity', n.tenant, -1, n.rows - coalesce(u.used, 0), 0
        FROM (SELECT r.tenant, sum(r.rows)::bigint AS rows
              FROM (SELECT DISTINCT d.relation, d.column_number FROM tenancy.documents_tables() d) c
              CROSS JOIN LATERAL tenancy.rows_of_tenants(c.relation, c.column_number) r
              GROUP BY r.tenant) n
        LEFT JOIN (SELECT s.subject, sum(s.used)::bigint AS used FROM tenancy.usage_slots s WHERE s.metric = 'documents' GROUP BY s.subject) u
            ON u.subject = n.tenant
        WHERE n.rows > coalesce(u.used, 0)
        ON CONFLICT ON CONSTRAINT usage_slots_pkey DO UPDATE SET used = s.used + excluded.used
        RETURNING s.subject
    )
    INSERT INTO tenancy.quota_accounts AS a (account, metric, period, taken)
    SELECT d.subject, 'documents', '-infinity', 0 FROM added d
    ON CONFLICT ON CONSTRAINT quota_accounts_pkey DO NOTHING;
    -- What is taken is what is used or leased.
    UPDATE tenancy.quota_accounts a SET taken = n.taken
    FROM (SELECT s.subject, sum(s.used + s.lease)::bigint AS taken FROM tenancy.usage_slots s
          WHERE s.metric = 'documents'
            AND s.subject IN (SELECT o.subject FROM tenancy.usage_slots o WHERE o.metric = 'documents' AND o.slot = -1)
          GROUP BY s.subject) n
    WHERE a.account = n.subject AND a.metric = 'documents' AND a.taken <> n.taken;
END
$$;

COMMENT ON FUNCTION tenancy.count_restored() IS
'counts documents that a restore loaded into tables, as far as the counts that it loads do not have them; internal';

CREATE FUNCTION tenancy.merge_counts() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'usage_slots' THEN
        DELETE FROM tenancy.usage_slots s WHERE s.subject = NEW.subject AND s.metric = 'documents' AND s.slot = -1;
        -- What an earlier restore had counted stays apart from what this one counts.
        IF NEW.slot < 0 THEN
            UPDATE tenancy.usage_slots s SET used = s.used + NEW.used
            WHERE (s.subject, s.metric, s.period, s.account, s.slot) = (NEW.subject, NEW.metric, NEW.period, NEW.account, -2);
            IF FOUND THEN
                RETURN NULL;
            END IF;
            NEW.slot := -2;
        END IF;
        RETURN NEW;
    END IF;
    UPDATE tenancy.quota_accounts a SET taken = NEW.taken
    WHERE (a.account, a.metric, a.period) = (NEW.account, NEW.metric, NEW.period);
    RETURN CASE WHEN FOUND THEN NULL ELSE NEW END;
END
$$;

COMMENT ON FUNCTION tenancy.merge_counts() IS 'trigger: restored counts of documents take the place of those that were made from restored documents';

CREATE TRIGGER merge_counts BEFORE INSERT ON tenancy.usage_slots
FOR EACH ROW WHEN (NEW.metric = 'documents' AND tenancy.is_restoring()) EXECUTE FUNCTION tenancy.merge_counts();
CREATE TRIGGER merge_counts BEFORE INSERT ON tenancy.quota_accounts
FOR EACH ROW WHEN (NEW.metric = 'documents' AND tenancy.is_restoring()) EXECUTE FUNCTION tenancy.merge_counts();

-- By the state, not by the statement: whatever attached, detached, made, switched on or off is followed.
CREATE FUNCTION tenancy.follow_documents() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    PERFORM tenancy.uncount_table(c.relation)
    FROM (SELECT c.relation FROM tenancy.counted_tables c
          WHERE NOT EXISTS (SELECT FROM tenancy.documents_tables() d WHERE d.relation = c.relation AND d.counts)
          ORDER BY c.relation) c;
    FOR found IN
        SELECT DISTINCT d.relation, d.column_number FROM tenancy.documents_tables() d
        WHERE d.counts AND tenancy.counted_column(d.relation) IS NULL
        ORDER BY d.relation
    LOOP
        PERFORM tenancy.count_table(found.relation, found.column_number);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.follow_documents() IS
'counts the rows of tables that became documents tables with triggers, and no longer those of tables that are not any more; internal';

CREATE FUNCTION tenancy_internal.corpora_to_count() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.follow_documents();
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('corpora_to_count()');

COMMENT ON FUNCTION tenancy.corpora_to_count() IS 'trigger: documents tables of corpora are counted, those of corpora that are gone are not';

CREATE TRIGGER corpora_to_count AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.corpora
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.corpora_to_count();

-- What a subscription applies, and what else changes under session_replication_role = replica, is there whatever the limit.
CREATE FUNCTION tenancy.count_applied(relations oid[], keys text[], changes bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Where the counts themselves are subscribed to, they come as they are.
    IF EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = 'tenancy.usage_slots'::regclass) THEN
        RETURN;
    END IF;
    PERFORM tenancy.add_documents(n.tenant, n.change)
    FROM (SELECT k.tenant, sum(k.change)::bigint AS change
          FROM (SELECT tenancy.tenant_of_key(u.key, tenancy.tenant_type(u.relation, tenancy.counted_column(u.relation))) AS tenant,
                       sum(u.change) AS change
                FROM unnest(relations, keys, changes) AS u (relation, key, change)
                WHERE tenancy.counted_column(u.relation) IS NOT NULL
                GROUP BY u.relation, u.key HAVING sum(u.change) <> 0) k
          WHERE k.tenant IS NOT NULL
          GROUP BY k.tenant ORDER BY k.tenant) n;
END
$$;

COMMENT ON FUNCTION tenancy.count_applied(oid[], text[], bigint[]) IS
'counts what came and went under session_replication_role = replica, by table and key; internal';

CREATE FUNCTION tenancy.flush_applied() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_flush_applied';

COMMENT ON FUNCTION tenancy.flush_applied() IS 'hands what this transaction noted so far to count_applied(); internal';

CREATE FUNCTION tenancy.count_applied_rows() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_count_applied_rows';

COMMENT ON FUNCTION tenancy.count_applied_rows() IS 'trigger: counts documents that change under session_replication_role = replica';

-- ALTER TABLE ... ENABLE TRIGGER ALL, as pg_restore --disable-triggers ends with, makes them ordinary.
CREATE FUNCTION tenancy.enable_for_replicas(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found name;
BEGIN
    FOR found IN
        SELECT t.tgname FROM pg_trigger t
        WHERE t.tgrelid = enable_for_replicas.relation AND t.tgenabled = 'O'
          AND t.tgname IN ('tenancy_count_applied', 'tenancy_count_applied_rows', 'tenancy_count_truncate')
        ORDER BY t.tgname
    LOOP
        EXECUTE format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', relation,
                       CASE WHEN found = 'tenancy_count_truncate' THEN 'ALWAYS' ELSE 'REPLICA' END, found);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.enable_for_replicas(regclass) IS
'lets the triggers of a documents table fire under session_replication_role = replica that are for it; internal';

CREATE FUNCTION tenancy.install_document_count(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.drop_triggers(relation, 'tenancy_count_');
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_documents()$ddl$, relation);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_update AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_updates()$ddl$, relation);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_documents()$ddl$, relation);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_truncate BEFORE TRUNCATE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_documents()$ddl$, relation);
    -- A partitioned table would pass the trigger for rows on to its partitions, which have their own.
    IF (SELECT c.relkind = 'r' FROM pg_class c WHERE c.oid = relation) THEN
        EXECUTE format($ddl$
            CREATE TRIGGER tenancy_count_applied_rows AFTER INSERT OR UPDATE OR DELETE ON %1$s
            FOR EACH ROW EXECUTE FUNCTION tenancy.count_applied_rows()$ddl$, relation);
    END IF;
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_count_applied AFTER INSERT OR UPDATE OR DELETE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.count_applied_rows()$ddl$, relation);
    PERFORM tenancy.enable_for_replicas(relation);
END
$$;

COMMENT ON FUNCTION tenancy.install_document_count(regclass) IS 'creates the triggers that count documents on one table; internal';

CREATE FUNCTION tenancy_internal.meter_documents(documents regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_other_caller(documents);
    PERFORM tenancy.install_document_count(t.relation)
    FROM tenancy.tree_of(documents) t
    JOIN tenancy.protected_tables p ON p.relation = t.relation
    JOIN pg_class c ON c.oid = t.relation AND c.relkind IN ('r', 'p')
    WHERE NOT tenancy.has_count_triggers(t.relation);
    PERFORM tenancy.follow_documents();
END
$$;

SELECT tenancy_internal.expose('meter_documents(regclass)');

COMMENT ON FUNCTION tenancy.meter_documents(regclass) IS
'counts the rows of the caller''s documents table of a corpus as documents of their tenants, from now on; what is there is counted whatever the limit; attach_corpus() calls it';

CREATE FUNCTION tenancy_internal.unmeter_documents(documents regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
BEGIN
    PERFORM tenancy.refuse_other_caller(documents);
    FOR member IN SELECT t.relation FROM tenancy.tree_of(documents) t ORDER BY t.relation LOOP
        PERFORM tenancy.uncount_table(member);
        PERFORM tenancy.drop_triggers(member, 'tenancy_count_');
    END LOOP;
END
$$;

SELECT tenancy_internal.expose('unmeter_documents(regclass)');

COMMENT ON FUNCTION tenancy.unmeter_documents(regclass) IS
'no longer counts the rows of a table as documents, nor those that it has; drop_corpus() calls it';

CREATE FUNCTION tenancy_internal.recount_documents() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    documents regclass;
    counted bigint;
BEGIN
    PERFORM tenancy.authorize_operator();
    FOR documents IN SELECT DISTINCT d.root FROM tenancy.documents_tables() d ORDER BY 1 LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', documents);
    END LOOP;
    PERFORM tenancy.flush_applied();
    DELETE FROM tenancy.counted_tables;
    DELETE FROM tenancy.usage_slots s WHERE s.metric = 'documents';
    DELETE FROM tenancy.quota_accounts a WHERE a.metric = 'documents';
    -- Tables whose triggers are off are not: check() names them.
    INSERT INTO tenancy.counted_tables (relation, column_number)
    SELECT DISTINCT d.relation, d.column_number FROM tenancy.documents_tables() d WHERE d.counts;
    SELECT coalesce(sum(r.rows), 0) INTO counted
    FROM (SELECT r.tenant, sum(r.rows)::bigint AS rows
          FROM tenancy.counted_tables c CROSS JOIN LATERAL tenancy.rows_of_tenants(c.relation, c.column_number) r
          GROUP BY r.tenant ORDER BY r.tenant) r
    CROSS JOIN LATERAL tenancy.add_documents(r.tenant, r.rows);
    RETURN counted;
END
$$;

SELECT tenancy_internal.expose('recount_documents()');

COMMENT ON FUNCTION tenancy.recount_documents() IS
'counts the documents of all tenants anew, for a database whose tables were changed past the triggers; returns how many there are; nobody writes documents meanwhile; for operators';

CREATE FUNCTION tenancy_internal.document_drift() RETURNS TABLE (tenant_id uuid, tenant_slug text, counted bigint, actual bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.flush_applied();
    RETURN QUERY
        SELECT t.id, t.slug, coalesce(u.used, 0), coalesce(r.rows, 0)
        FROM (SELECT s.subject, sum(s.used)::bigint AS used FROM tenancy.usage_slots s WHERE s.metric = 'documents' GROUP BY s.subject) u
        FULL JOIN (SELECT r.tenant, sum(r.rows)::bigint AS rows
                   FROM (SELECT DISTINCT d.relation, d.column_number FROM tenancy.documents_tables() d) c
                   CROSS JOIN LATERAL tenancy.rows_of_tenants(c.relation, c.column_number) r
                   GROUP BY r.tenant) r ON r.tenant = u.subject
        JOIN tenancy.tenants t ON t.id = coalesce(u.subject, r.tenant)
        WHERE coalesce(u.used, 0) <> coalesce(r.rows, 0)
        ORDER BY t.slug;
END
$$;

SELECT tenancy_internal.expose('document_drift()');

COMMENT ON FUNCTION tenancy.document_drift() IS
'the tenants whose count of documents is not what the documents tables of corpora hold, which recount_documents() sets right; reads all rows, locks none, so a row that another session commits meanwhile may show; for operators';

CREATE FUNCTION tenancy.rows_with_key(relation regclass, tenant_column name, column_type regtype, key text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    is_number boolean := column_type IN ('bigint'::regtype, 'integer'::regtype);
BEGIN
    IF key IS NULL OR is_number AND key !~ '^(0|-?[1-9][0-9]{0,17})$' THEN
        RETURN 0;
    END IF;
    -- As the owner, whose code an index's predicate is.
    RETURN tenancy.run_as_owner(relation, format(
        CASE WHEN is_number THEN 'SELECT pg_catalog.count(*) FROM ONLY %s held WHERE held.%I OPERATOR(pg_catalog.=) %L::pg_catalog.int8'
             ELSE 'SELECT pg_catalog.count(*) FROM ONLY %s held WHERE held.%I::pg_catalog.text OPERATOR(pg_catalog.=) %L::pg_catalog.text' END,
        relation, tenant_column, key));
END
$$;

COMMENT ON FUNCTION tenancy.rows_with_key(regclass, name, regtype, text) IS
'how many rows of one table, without its children, hold an external key in their tenant column; internal';

CREATE FUNCTION tenancy_internal.check_counts() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'documents_not_counted', 'warning', format('table %s', d.relation),
           'its rows do not count as documents of their tenants: triggers that count them are missing or switched off here or on the table that it is a part of',
           CASE WHEN (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = ANY (ARRAY[d.relation, d.root]) AND t.tgenabled = 'D'
                                                          AND starts_with(t.tgname, 'tenancy_count_')) > 0
                THEN format('ALTER TABLE %s ENABLE TRIGGER USER', CASE WHEN tenancy.has_count_triggers(d.root) THEN d.relation ELSE d.root END)
                ELSE format('SELECT tenancy.meter_documents(%L)', d.root) END
    FROM tenancy.documents_tables() d
    WHERE NOT d.counts
$$;

SELECT tenancy_internal.expose('check_counts()');

COMMENT ON FUNCTION tenancy.check_counts() IS 'the part of check() about the counts of documents; internal';

-- Rows that hold the external key of their tenant change hands when the key does.
CREATE FUNCTION tenancy_internal.count_keys_anew() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keyed record;
    old_key text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.external_key END;
    change bigint := 0;
BEGIN
    PERFORM tenancy.flush_applied();
    FOR keyed IN
        SELECT c.relation::regclass AS relation, a.attname, a.atttypid::regtype AS type FROM tenancy.counted_tables c
        JOIN pg_attribute a ON a.attrelid = c.relation AND a.attnum = c.column_number AND a.atttypid <> 'uuid'::regtype
        JOIN pg_class r ON r.oid = c.relation AND r.relkind = 'r'
        ORDER BY c.relation
    LOOP
        IF TG_OP = 'UPDATE' THEN
            -- Whoever writes now counts for the key as it was, and we do not see it yet.
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE MODE', keyed.relation);
        END IF;
        change := change + tenancy.rows_with_key(keyed.relation, keyed.attname, keyed.type, NEW.external_key)
                         - tenancy.rows_with_key(keyed.relation, keyed.attname, keyed.type, old_key);
    END LOOP;
    PERFORM tenancy.add_documents(NEW.id, change);
    RETURN NEW;
END
$$;

SELECT tenancy_internal.expose('count_keys_anew()');

COMMENT ON FUNCTION tenancy.count_keys_anew() IS
'trigger: documents with the external key that a tenant gives up are no longer its, those with the key that it takes are';

-- Before, and not after: a foreign key that cascades changes the documents in between, and their own triggers count that.
CREATE TRIGGER count_keys_anew BEFORE UPDATE OF external_key ON tenancy.tenants
FOR EACH ROW WHEN (NEW.external_key IS DISTINCT FROM OLD.external_key AND NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.count_keys_anew();
CREATE TRIGGER count_keys_of_new AFTER INSERT ON tenancy.tenants
FOR EACH ROW WHEN (NEW.external_key IS NOT NULL AND NOT tenancy.is_restoring()) EXECUTE FUNCTION tenancy.count_keys_anew();

CREATE FUNCTION tenancy_internal.extend_to_children() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT t.relation, g.tgname,
               -- That of audit_rows() is one, and ends with a zero byte.
               CASE WHEN g.tgnargs = 1 THEN convert_from(substring(g.tgargs FROM 1 FOR octet_length(g.tgargs) - 1), getdatabaseencoding()) END AS argument
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
            PERFORM tenancy.install_audit(found.relation, found.argument::text[]);
        ELSE
            PERFORM tenancy.install_document_count(found.relation);
        END IF;
    END LOOP;
END
$$;

SELECT tenancy_internal.expose('extend_to_children()');

COMMENT ON FUNCTION tenancy.extend_to_children() IS
'event trigger: new partitions and children of audited tables and of documents tables are audited and counted too';

-- Named to run after the one that protects them.
CREATE EVENT TRIGGER tenancy_zz_extend_to_children ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'CREATE SCHEMA', 'ALTER TABLE')
EXECUTE FUNCTION tenancy.extend_to_children();

CREATE FUNCTION tenancy_internal.watch_documents() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.caller_is_restoring() THEN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d
                   WHERE d.objid IN ('tenancy.corpora'::regclass, 'tenancy.protected_tables'::regclass)) THEN
            -- Together they say which tables are counted: whichever is loaded last must see the other.
            PERFORM pg_advisory_xact_lock('tenancy.counted_tables'::regclass::oid::bigint);
        ELSIF NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d JOIN tenancy.documents_tables() t ON t.relation = d.objid) THEN
            -- Each worker of a parallel restore holds the table that it loads: if all of them counted, they would wait for each other.
            RETURN;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM tenancy.corpora) OR EXISTS (SELECT FROM tenancy.counted_tables) THEN
        PERFORM tenancy.follow_documents();
        PERFORM tenancy.enable_for_replicas(c.relation) FROM tenancy.counted_tables c;
        -- What is no part of a corpus any more is not asked to count.
        PERFORM tenancy.drop_triggers(t.tgrelid, 'tenancy_count_')
        FROM (SELECT DISTINCT t.tgrelid FROM pg_trigger t
              WHERE t.tgfoid = 'tenancy.count_documents()'::regprocedure AND NOT t.tgisinternal
                AND EXISTS (SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.command_tag = 'ALTER TABLE')
                AND NOT EXISTS (SELECT FROM tenancy.corpora c CROSS JOIN LATERAL tenancy.tree_of(c.documents) m WHERE m.relation = t.tgrelid)) t;
    END IF;
END
$$;

SELECT tenancy_internal.expose('watch_documents()');

COMMENT ON FUNCTION tenancy.watch_documents() IS
'event trigger: counts the rows of partitions that come, no longer those of partitions that leave, and follows triggers that are switched on or off';

-- Also where another session_replication_role keeps ordinary triggers from firing: the tables change all the same.
CREATE EVENT TRIGGER tenancy_zzz_documents ON ddl_command_end
WHEN TAG IN ('CREATE TABLE', 'CREATE SCHEMA', 'ALTER TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'DROP TRIGGER')
EXECUTE FUNCTION tenancy.watch_documents();

ALTER EVENT TRIGGER tenancy_zzz_documents ENABLE ALWAYS;

CREATE FUNCTION tenancy.before_drop() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_before_drop';

COMMENT ON FUNCTION tenancy.before_drop() IS
'event trigger: sees to it that the rows of documents tables that are dropped are given back while they can be read';

CREATE EVENT TRIGGER tenancy_before_drop ON ddl_command_start
WHEN TAG IN ('DROP TABLE', 'DROP SCHEMA', 'DROP OWNED', 'DROP TRIGGER', 'DROP FUNCTION', 'DROP ROUTINE', 'DROP TYPE', 'DROP DOMAIN', 'DROP EXTENSION')
EXECUTE FUNCTION tenancy.before_drop();

ALTER EVENT TRIGGER tenancy_before_drop ENABLE ALWAYS;
