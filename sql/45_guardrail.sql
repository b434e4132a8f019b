-- Event triggers: new partitions and inheritance children are protected as their parents are, what would weaken a
-- protection is refused, and dropped tables leave the registry. Those functions run as the extension's owner, because the
-- person who alters a table need not be one who may protect it; what they execute on the table is ENABLE, FORCE, SET DEFAULT and CREATE
-- POLICY with names quoted by us, none of which runs code of the table's owner.

CREATE FUNCTION tenancy.protect_child(child regclass, is_new boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent tenancy.protected_tables;
    statement text;
BEGIN
    SELECT p.* INTO parent
    FROM pg_inherits i
    JOIN tenancy.protected_tables p ON p.relation = i.inhparent
    WHERE i.inhrelid = child
    ORDER BY i.inhseqno
    LIMIT 1;
    PERFORM tenancy.refuse_unprotectable(child);
    -- A table that was made as a child has its column from the parent: undone, it is as one made before.
    INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type, own_policies, foreign_key, index, undo)
    VALUES (child, parent.tenant_column, parent.column_type, parent.own_policies, parent.foreign_key, parent.index,
            tenancy.state_before(child, parent.tenant_column)
            || CASE WHEN is_new THEN jsonb_build_object('column', parent.undo -> 'column', 'default', parent.undo -> 'default',
                                                        'not_null', parent.undo -> 'not_null')
                    ELSE '{}' END);
    IF EXISTS (SELECT FROM tenancy.protection_faults(child) f WHERE f.code = 'default_lost') THEN
        EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT %s', child, parent.tenant_column,
                       tenancy.context_call(parent.column_type, false));
    END IF;
    FOR statement IN
        SELECT tenancy.policy_statements(child, parent.tenant_column, parent.column_type, parent.own_policies)
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.protect_child(regclass, boolean) IS 'protects a new child of a protected table; internal';

CREATE FUNCTION tenancy_internal.after_ddl(faults text, links boolean, copies boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    IF links THEN
        FOR found IN
            SELECT DISTINCT ON (t.depth, t.relation) t.relation, d.command_tag LIKE 'CREATE%' AS is_new
            FROM pg_event_trigger_ddl_commands() d
            CROSS JOIN tenancy.tree_of(d.objid) t
            JOIN pg_class c ON c.oid = t.relation AND c.relpersistence <> 't'
            WHERE d.classid = 'pg_class'::regclass
            ORDER BY t.depth, t.relation
        LOOP
            IF NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = found.relation)
               AND EXISTS (SELECT FROM pg_inherits i JOIN tenancy.protected_tables p ON p.relation = i.inhparent
                           WHERE i.inhrelid = found.relation) THEN
                PERFORM tenancy.protect_child(found.relation, found.is_new);
            END IF;
        END LOOP;
        SELECT t.relation, i.inhparent::regclass AS parent INTO found
        FROM pg_event_trigger_ddl_commands() d
        CROSS JOIN tenancy.tree_of(d.objid) t
        JOIN tenancy.protected_tables p ON p.relation = t.relation
        JOIN pg_inherits i ON i.inhrelid = t.relation
        WHERE d.classid = 'pg_class'::regclass
          AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = i.inhparent)
        LIMIT 1;
        IF found.relation IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009',
                MESSAGE = format('protected table %s cannot be a child of %s', found.relation, found.parent),
                DETAIL = 'Its rows could be read through the parent, which is not protected.',
                HINT = format('Call tenancy.protect(%L) first.', found.parent);
        END IF;
    END IF;

    -- pg_restore --clean takes policies away before it drops their tables.
    IF faults <> '' AND NOT tenancy.caller_is_restoring() THEN
        SELECT r.relation, f.problem INTO found
        FROM (SELECT t.relation
              FROM pg_event_trigger_ddl_commands() d
              CROSS JOIN tenancy.tree_of(d.objid) t
              WHERE d.classid = 'pg_class'::regclass
              UNION
              SELECT p.polrelid
              FROM pg_event_trigger_ddl_commands() d
              JOIN pg_policy p ON p.oid = d.objid
              WHERE d.classid = 'pg_policy'::regclass
              UNION
              SELECT c.oid
              FROM pg_event_trigger_ddl_commands() d
              JOIN pg_type y ON y.typrelid = d.objid
              JOIN pg_class c ON c.reloftype = y.oid
              WHERE d.classid = 'pg_class'::regclass) r
        CROSS JOIN LATERAL (SELECT * FROM tenancy.protection_faults(r.relation)
                            UNION ALL SELECT * FROM tenancy.indirect_faults(r.relation)) f
        WHERE f.code = ANY (string_to_array(faults, ','))
          AND NOT (f.code = 'rls_not_forced'
                   AND EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = r.relation AND p.is_changing))
        LIMIT 1;
        IF found.relation IS NOT NULL THEN
            PERFORM tenancy.refuse_weakening(found.relation, found.problem);
        END IF;
    END IF;

    IF copies THEN
        FOR found IN
            SELECT DISTINCT c.oid::regclass AS relation, a.attname AS tenant_column
            FROM pg_event_trigger_ddl_commands() d
            JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            WHERE d.classid = 'pg_class'::regclass
              AND a.attname IN (SELECT p.tenant_column FROM tenancy.protected_tables p)
              AND NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = c.oid)
        LOOP
            RAISE WARNING USING ERRCODE = 'TN009',
                MESSAGE = format('relation %s has a tenant column and is not protected', found.relation),
                HINT = format('Call tenancy.protect(%L%s).', found.relation,
                              CASE WHEN found.tenant_column <> 'tenant_id' THEN format(', %L', found.tenant_column) ELSE '' END);
        END LOOP;
    END IF;
END
$$;

SELECT tenancy_internal.expose('after_ddl(text, boolean, boolean)');

COMMENT ON FUNCTION tenancy.after_ddl(text, boolean, boolean) IS
'judges a DDL statement that may concern protected tables by the state it leaves; called by the event trigger; internal';

CREATE FUNCTION tenancy.refuse_weakening(relation regclass, problem text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s is protected', relation),
        DETAIL = format('After this statement %s.', problem),
        HINT = 'Leave out that part of the statement: a protected table keeps what tenancy.protect() gave it.';
END
$$;

COMMENT ON FUNCTION tenancy.refuse_weakening(regclass, text) IS 'raises TN009 for a statement that would weaken a protection; internal';

CREATE FUNCTION tenancy_internal.after_drop() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    DELETE FROM tenancy.protected_tables p
    USING pg_event_trigger_dropped_objects() o
    WHERE o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND p.relation = o.objid;
    DELETE FROM tenancy.indirect_tables i
    USING pg_event_trigger_dropped_objects() o
    WHERE o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND i.relation = o.objid;
    DELETE FROM tenancy.state_before_migration b
    USING pg_event_trigger_dropped_objects() o
    WHERE o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND b.relation = o.objid;

    IF tenancy.caller_is_restoring() THEN
        RETURN;
    END IF;
    SELECT c.oid::regclass AS relation, o.address_names[3] AS policy INTO found
    FROM pg_event_trigger_dropped_objects() o
    JOIN pg_namespace n ON n.nspname = o.address_names[1]
    JOIN pg_class c ON c.relname = o.address_names[2] AND c.relnamespace = n.oid
    LEFT JOIN tenancy.protected_tables p ON p.relation = c.oid
    LEFT JOIN tenancy.indirect_tables i ON i.relation = c.oid
    WHERE o.classid = 'pg_policy'::regclass
      AND (o.address_names[3] IN (SELECT e.policy FROM tenancy.policies_for(p.tenant_column, p.column_type, p.own_policies) e
                                  WHERE p.relation IS NOT NULL)
           OR i.policies ? o.address_names[3])
    LIMIT 1;
    IF found.relation IS NOT NULL THEN
        PERFORM tenancy.refuse_weakening(found.relation, format('policy %I is missing', found.policy));
    END IF;
END
$$;

SELECT tenancy_internal.expose('after_drop()');

COMMENT ON FUNCTION tenancy.after_drop() IS
'event trigger: dropped tables leave the registry, policies of protected tables are not dropped';

-- The extension's own DDL on tables of applications is told from theirs by a flag in C: the text of a statement and the names
-- in it are the caller's to choose.
CREATE FUNCTION tenancy.run_own_ddl(statement text) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_run_own_ddl';

COMMENT ON FUNCTION tenancy.run_own_ddl(text) IS
'runs a DDL statement as the caller, and lets the extension''s event triggers know that it is its own; internal';

CREATE FUNCTION tenancy.is_own_ddl() RETURNS boolean
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'tenancy_is_own_ddl';

COMMENT ON FUNCTION tenancy.is_own_ddl() IS 'whether the DDL statement under way was run by run_own_ddl(); internal';

CREATE FUNCTION tenancy.before_ddl() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_before_ddl';

COMMENT ON FUNCTION tenancy.before_ddl() IS
'event trigger: sees whether a table is made LIKE another or a partition detached, and has the library loaded where a statement validates foreign keys or fills a materialized view';

CREATE FUNCTION tenancy.guardrail() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_guardrail';

COMMENT ON FUNCTION tenancy.guardrail() IS
'event trigger: hands statements that may concern protected tables to tenancy.after_ddl()';

CREATE EVENT TRIGGER tenancy_before_ddl ON ddl_command_start
WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE MATERIALIZED VIEW', 'REFRESH MATERIALIZED VIEW')
EXECUTE FUNCTION tenancy.before_ddl();

CREATE EVENT TRIGGER tenancy_guardrail ON ddl_command_end EXECUTE FUNCTION tenancy.guardrail();

CREATE EVENT TRIGGER tenancy_after_drop ON sql_drop EXECUTE FUNCTION tenancy.after_drop();

COMMENT ON EVENT TRIGGER tenancy_before_ddl IS 'sees what is about to be made or detached, before it is';
COMMENT ON EVENT TRIGGER tenancy_guardrail IS 'protects new partitions and refuses what would weaken a protected table';
COMMENT ON EVENT TRIGGER tenancy_after_drop IS 'takes dropped tables out of the registry and keeps the policies of protected ones';
