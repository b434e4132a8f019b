-- Auditing protected tables: what every statement changed, row by row.

CREATE FUNCTION tenancy.audit_rows() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_audit_rows';

COMMENT ON FUNCTION tenancy.audit_rows() IS 'trigger: adds an event to the audit log for each row that a statement changed';

CREATE FUNCTION tenancy.write_row_events(relation regclass, action text, omitted text[], before jsonb[], after jsonb[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    table_name text;
    tenant_column text;
    tenants_column text;
    key_columns text[];
    who text := tenancy.actor();
BEGIN
    SELECT format('%I.%I', n.nspname, c.relname), p.tenant_column, tenancy.tenants_column(p.column_type),
           (SELECT array_agg(a.attname ORDER BY k.place)
            FROM pg_index i
            CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname <> p.tenant_column)
    INTO table_name, tenant_column, tenants_column, key_columns
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN tenancy.protected_tables p ON p.relation = c.oid
    WHERE c.oid = write_row_events.relation;

    IF write_row_events.action = 'truncate' THEN
        PERFORM tenancy.audit_event(NULL, 'truncate', table_name);
        RETURN;
    END IF;
    INSERT INTO tenancy.audit_log (tenant_id, id, at, actor, action, object, before, after, digest)
    SELECT e.tenant_id, e.id, e.at, who, write_row_events.action, e.object, e.before, e.after,
           tenancy.audit_digest(e.tenant_id, e.id, e.at, who, write_row_events.action, e.object, e.before, e.after)
    FROM (
        SELECT coalesce(t.id, '00000000-0000-0000-0000-000000000000') AS tenant_id, tenancy.uuid_v7() AS id, clock_timestamp() AS at,
               table_name || coalesce((SELECT ' ' || string_agg(coalesce(r.after, r.before) ->> k, ',' ORDER BY place)
                                       FROM unnest(key_columns) WITH ORDINALITY AS c (k, place)), '') AS object,
               r.before - omitted AS before, r.after - omitted AS after
        FROM unnest(write_row_events.before, write_row_events.after) WITH ORDINALITY AS r (before, after, place)
        LEFT JOIN tenancy.tenants t ON CASE tenants_column
            WHEN 'id' THEN t.id = (coalesce(r.after, r.before) ->> tenant_column)::uuid
            ELSE t.external_key = coalesce(r.after, r.before) ->> tenant_column END
        -- A purge is one event: the rows must not live on in the log that tells of it.
        WHERE t.purge_started_at IS NULL
        ORDER BY r.place
        OFFSET 0
    ) e;
    PERFORM tenancy.note_events();
END
$$;

COMMENT ON FUNCTION tenancy.write_row_events(regclass, text, text[], jsonb[], jsonb[]) IS
'adds an event for each changed row of a protected table to its tenant''s audit log; internal';

CREATE FUNCTION tenancy.refuse_other_caller(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner oid;
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'relation must not be null',
            HINT = 'Pass the name of a table.';
    END IF;
    SELECT c.relowner INTO owner FROM pg_class c WHERE c.oid = relation;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = format('relation with OID %s does not exist', relation::oid),
            HINT = 'Pass the name of a table.';
    END IF;
    IF NOT pg_has_role(tenancy_internal.caller(), owner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of relation %s', relation),
            HINT = 'Call it as the table''s owner.';
    END IF;
    IF NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = refuse_other_caller.relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s is not protected', relation),
            HINT = format('Call tenancy.protect(%L) first.', relation);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_other_caller(regclass) IS
'raises 22004, 42P01, 42501 or TN009 for a relation that is not a protected table of who calls; internal';

CREATE FUNCTION tenancy.drop_triggers(relation regclass, prefix text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found name;
    dropped boolean := false;
BEGIN
    FOR found IN
        SELECT t.tgname
        FROM pg_trigger t
        -- The application may have named one of its own so.
        JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = t.tgfoid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'tenancy'
        WHERE t.tgrelid = relation AND starts_with(t.tgname, prefix)
        ORDER BY t.tgname
    LOOP
        PERFORM tenancy.run_own_ddl(format('DROP TRIGGER %I ON %s', found, relation));
        dropped := true;
    END LOOP;
    RETURN dropped;
END
$$;

COMMENT ON FUNCTION tenancy.drop_triggers(regclass, text) IS 'drops the triggers of a table that call functions of the extension''s and have names that begin so, and says whether there were any; internal';

CREATE FUNCTION tenancy.install_audit(relation regclass, omitted text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.drop_triggers(relation, 'tenancy_audit_');
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_audit_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.audit_rows(%2$L)$ddl$, relation, omitted);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_audit_update AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.audit_rows(%2$L)$ddl$, relation, omitted);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_audit_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.audit_rows(%2$L)$ddl$, relation, omitted);
    EXECUTE format($ddl$
        CREATE TRIGGER tenancy_audit_truncate AFTER TRUNCATE ON %1$s
        FOR EACH STATEMENT EXECUTE FUNCTION tenancy.audit_rows(%2$L)$ddl$, relation, omitted);
END
$$;

COMMENT ON FUNCTION tenancy.install_audit(regclass, text[]) IS 'creates the triggers of tenancy.audit() on one table; internal';

CREATE FUNCTION tenancy_internal.audit(relation regclass, omit name[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
    unknown name;
BEGIN
    PERFORM tenancy.refuse_other_caller(audit.relation);
    IF omit IS NULL OR array_position(omit, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'omit must not be null',
            HINT = 'It names the columns to leave out, such as an embedding or a password.';
    END IF;
    SELECT o INTO unknown FROM unnest(omit) o
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = audit.relation AND a.attname = o AND a.attnum > 0 AND NOT a.attisdropped)
    LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42703', MESSAGE = format('column "%s" of relation %s does not exist', unknown, audit.relation);
    END IF;
    -- A statement on a partition fires the triggers of that partition only.
    FOR member IN SELECT t.relation FROM tenancy.tree_of(audit.relation) t LOOP
        PERFORM tenancy.install_audit(member, omit::text[]);
    END LOOP;
    PERFORM tenancy.audit_event(NULL, 'audit.start', audit.relation::text, NULL, jsonb_build_object('omit', omit));
END
$$;

SELECT tenancy_internal.expose('audit(regclass, name[])');

COMMENT ON FUNCTION tenancy.audit(regclass, name[]) IS
'from now on every row that a statement inserts, updates or deletes in a protected table of the caller is recorded in its tenant''s audit log, with all columns but those in omit; again with other columns to change that';

CREATE FUNCTION tenancy_internal.unaudit(relation regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member regclass;
    dropped boolean := false;
BEGIN
    PERFORM tenancy.refuse_other_caller(unaudit.relation);
    FOR member IN SELECT t.relation FROM tenancy.tree_of(unaudit.relation) t LOOP
        dropped := tenancy.drop_triggers(member, 'tenancy_audit_') OR dropped;
    END LOOP;
    IF dropped THEN
        PERFORM tenancy.audit_event(NULL, 'audit.stop', unaudit.relation::text);
    END IF;
END
$$;

SELECT tenancy_internal.expose('unaudit(regclass)');

COMMENT ON FUNCTION tenancy.unaudit(regclass) IS 'undoes tenancy.audit(); what was recorded stays';
