-- The way back, from any state: table by table, children before their parents.

-- What a migration puts on a table for the time between.
CREATE FUNCTION tenancy.drop_helpers(this tenancy.migration_tables) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('DROP POLICY %I ON %s', p.polname, t.relation)
    FROM tenancy.tree_of((this).relation) t
    JOIN pg_policy p ON p.polrelid = t.relation AND p.polname = ANY (tenancy.trial_policies())
    UNION ALL
    SELECT format('DROP TRIGGER %I ON %s', g.tgname, r)
    FROM tenancy.roots_of((this).relation) r
    JOIN pg_trigger g ON g.tgrelid = r
    JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'tenancy'::regnamespace
    WHERE g.tgname IN ('zz_tenancy_adopt', 'zz_tenancy_fill', 'zz_tenancy_refill')
    UNION ALL
    SELECT format('DROP TRIGGER %I ON %s', g.tgname, (this).parent)
    FROM pg_trigger g
    JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'tenancy'::regnamespace
    WHERE g.tgrelid = (this).parent AND g.tgname = tenancy.move_trigger((this).ordinal)
    UNION ALL
    SELECT format('DROP FUNCTION %s', f.oid::regprocedure)
    FROM pg_proc f
    WHERE f.pronamespace = 'tenancy'::regnamespace
      AND 'tenancy.' || f.proname IN (tenancy.fill_name((this).migration, (this).ordinal, 'fill'),
                                      tenancy.fill_name((this).migration, (this).ordinal, 'owner'),
                                      tenancy.fill_name((this).migration, (this).ordinal, 'adopt'),
                                      tenancy.fill_name((this).migration, (this).ordinal, 'move'))
    UNION ALL
    SELECT format('ALTER TABLE %s DROP CONSTRAINT tenancy_not_null', (this).relation)
    FROM pg_constraint f WHERE f.conrelid = (this).relation AND f.conname = 'tenancy_not_null' AND f.contype = 'c';
END;

COMMENT ON FUNCTION tenancy.drop_helpers(tenancy.migration_tables) IS
'the statements that take away what a migration put on a table for the time of the migration; internal';

-- What every member of a table's tree was before; by name, which a dump keeps.
CREATE FUNCTION tenancy.states_before(root regclass, tenant_column name) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN tenancy.state_before(root, tenant_column) || jsonb_build_object('members', (
    SELECT jsonb_object_agg(t.relation::text, tenancy.state_before(t.relation, tenant_column)) FROM tenancy.tree_of(root) t));

COMMENT ON FUNCTION tenancy.states_before(regclass, name) IS 'what a table and its children are before a migration; internal';

-- Keys that were built beside the old ones and not put in their place.
CREATE FUNCTION tenancy.drop_prepared(migration tenancy.migrations, root regclass) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH named AS (
        SELECT s.relation, s.kind, (tenancy.statement_names(s.statement)).name
        FROM tenancy.migration_steps s
        WHERE s.migration = (drop_prepared.migration).id AND s.kind IN ('index', 'foreign_key')
          AND (s.kind = 'foreign_key' OR s.relation IN (SELECT t.relation FROM tenancy.tree_of(root) t))
    )
    SELECT d.statement FROM (
        SELECT DISTINCT 1 AS place, format('ALTER TABLE %s DROP CONSTRAINT %I', f.conrelid::regclass, f.conname) AS statement
        FROM named n
        JOIN pg_constraint f ON f.conrelid = n.relation AND quote_ident(f.conname) = n.name AND f.contype = 'f' AND f.conparentid = 0
        WHERE n.kind = 'foreign_key' AND (n.relation IN (SELECT t.relation FROM tenancy.tree_of(root) t) OR f.confrelid = root)
        UNION
        SELECT 2, format('DROP INDEX %s', x.oid::regclass)
        FROM named n
        CROSS JOIN LATERAL tenancy.tree_of(n.relation) t
        JOIN pg_index i ON i.indrelid = t.relation
        JOIN pg_class x ON x.oid = i.indexrelid AND quote_ident(x.relname) = n.name AND NOT x.relispartition
        -- A foreign key of the table to itself names its index, too, and goes before it.
        WHERE n.kind = 'index' AND NOT EXISTS (SELECT FROM pg_constraint f
                                               WHERE f.conindid = x.oid AND f.conrelid = i.indrelid AND f.contype IN ('p', 'u', 'x'))
    ) d
    ORDER BY d.place, d.statement
$$;

COMMENT ON FUNCTION tenancy.drop_prepared(tenancy.migrations, regclass) IS
'the statements that drop the keys that a migration built for a table and that are not in use; internal';

CREATE FUNCTION tenancy.restore_statements(this tenancy.migration_tables, tenant_column name) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.statement
    FROM tenancy.tree_of((this).relation) t
    JOIN pg_class c ON c.oid = t.relation
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = tenant_column AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL (SELECT coalesce((this).before -> 'members' -> t.relation::text, (this).before) AS state) b
    CROSS JOIN LATERAL (
        SELECT 1 AS place, format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', t.relation) AS statement
        WHERE c.relforcerowsecurity AND NOT (b.state ->> 'force')::boolean
        UNION ALL
        SELECT 2, format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t.relation)
        WHERE c.relrowsecurity AND NOT (b.state ->> 'rls')::boolean
        UNION ALL
        SELECT 3, format('ALTER TABLE %s DROP COLUMN %I', t.relation, tenant_column)
        WHERE t.relation = (this).relation AND a.attnum IS NOT NULL AND NOT (b.state ->> 'column')::boolean
        UNION ALL
        SELECT 4, format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', t.relation, tenant_column)
        WHERE t.relation = (this).relation AND a.attnotnull AND (b.state ->> 'column')::boolean AND NOT (b.state ->> 'not_null')::boolean
    ) s
    ORDER BY t.depth, t.relation, s.place;
END;

COMMENT ON FUNCTION tenancy.restore_statements(tenancy.migration_tables, name) IS
'the statements that make a table what it was before a migration, where it is not protected; internal';

-- share() takes privileges of the applications' roles, and gives them SELECT.
CREATE FUNCTION tenancy.grants_before(this tenancy.migration_tables) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH was AS (
        SELECT a.grantee, a.privilege_type, a.is_grantable
        -- One by one: of an empty array aclexplode() will not hear.
        FROM jsonb_array_elements_text(CASE jsonb_typeof((this).before -> 'acl') WHEN 'array' THEN (this).before -> 'acl' ELSE '[]' END) e
        CROSS JOIN aclexplode(ARRAY[e::aclitem]) a
    ), stands AS (
        SELECT a.grantee, a.privilege_type, a.is_grantable FROM pg_class c CROSS JOIN aclexplode(c.relacl) a WHERE c.oid = (this).relation
    )
    SELECT format('GRANT %s ON %s TO %s%s', w.privilege_type, (this).relation,
                  CASE w.grantee WHEN 0 THEN 'PUBLIC' ELSE w.grantee::regrole::text END,
                  CASE WHEN w.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM (SELECT * FROM was EXCEPT SELECT * FROM stands) w
    UNION ALL
    SELECT format('REVOKE %s ON %s FROM %s', s.privilege_type, (this).relation,
                  CASE s.grantee WHEN 0 THEN 'PUBLIC' ELSE s.grantee::regrole::text END)
    FROM stands s
    WHERE (this).before ? 'acl' AND s.privilege_type = 'SELECT'
      AND NOT EXISTS (SELECT FROM was w WHERE w.grantee = s.grantee AND w.privilege_type = 'SELECT')
      AND s.grantee <> (SELECT c.relowner FROM pg_class c WHERE c.oid = (this).relation);
END;

COMMENT ON FUNCTION tenancy.grants_before(tenancy.migration_tables) IS
'the statements that give the privileges on a shared table back as they were; internal';

CREATE FUNCTION tenancy.undo_table(migration tenancy.migrations, this tenancy.migration_tables) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = this.relation) THEN
        FOR statement IN SELECT tenancy.drop_helpers(this) LOOP
            EXECUTE statement;
        END LOOP;
        RETURN;
    END IF;
    IF this.action <> 'share' OR EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = this.relation) THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', this.relation);
    END IF;
    IF EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = this.relation)
       OR EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = this.relation) THEN
        PERFORM tenancy.unprotect(this.relation);
    END IF;
    IF this.action = 'share' THEN
        FOR statement IN SELECT tenancy.grants_before(this) LOOP
            EXECUTE statement;
        END LOOP;
    ELSIF this.before IS NOT NULL THEN
        FOR statement IN SELECT tenancy.drop_prepared(migration, this.relation) LOOP
            EXECUTE statement;
        END LOOP;
        FOR statement IN SELECT tenancy.drop_helpers(this) LOOP
            EXECUTE statement;
        END LOOP;
        FOR statement IN SELECT tenancy.restore_statements(this, migration.tenant_column) LOOP
            EXECUTE statement;
        END LOOP;
        PERFORM tenancy.open_trial();
        DELETE FROM tenancy.state_before_migration b USING tenancy.tree_of(this.relation) t WHERE b.relation = t.relation;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.undo_table(tenancy.migrations, tenancy.migration_tables) IS
'makes a table what it was before a migration; internal';

-- Tenants that nothing refers to any more: neither our own tables nor a tenant column without a foreign key.
CREATE FUNCTION tenancy.drop_unused_tenants(migration tenancy.migrations) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    used text;
    dropped bigint;
BEGIN
    SELECT string_agg(format(' AND NOT EXISTS (SELECT FROM %s x WHERE x.%I = t.%I)', u.relation, u.here, u.there), '') INTO used
    FROM (SELECT f.conrelid::regclass AS relation, (tenancy.columns_named(f.conrelid, f.conkey))[1] AS here,
                 (tenancy.columns_named(f.confrelid, f.confkey))[1] AS there
          FROM pg_constraint f
          WHERE f.confrelid = 'tenancy.tenants'::regclass AND f.contype = 'f' AND f.conparentid = 0 AND cardinality(f.conkey) = 1
            AND f.conrelid <> 'tenancy.migration_tenants'::regclass
          UNION
          SELECT p.relation, p.tenant_column, tenancy.tenants_column(p.column_type) FROM tenancy.protected_tables p
          WHERE p.tenant_column IS NOT NULL AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = p.relation)) u;
    EXECUTE format('DELETE FROM tenancy.tenants t USING tenancy.migration_tenants m WHERE m.migration = $1 AND t.id = m.tenant_id%s', used)
    USING (drop_unused_tenants.migration).id;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    DELETE FROM tenancy.migration_tenants m WHERE m.migration = (drop_unused_tenants.migration).id;
    RETURN dropped;
END
$$;

COMMENT ON FUNCTION tenancy.drop_unused_tenants(tenancy.migrations) IS
'deletes the tenants that a migration made and that nothing uses, and says how many; internal';

CREATE FUNCTION tenancy.advance_undo(migration integer DEFAULT NULL)
RETURNS TABLE (outcome text, relation text, message text, wait double precision, tables_left bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    current tenancy.migrations;
    this tenancy.migration_tables;
    lock_wait text := current_setting('lock_timeout');
    later integer;
    failure text;
BEGIN
    PERFORM tenancy.lock_migrations();
    current := tenancy.current_migration(advance_undo.migration);
    SELECT m.id INTO later FROM tenancy.migrations m WHERE m.id > current.id AND m.state <> 'undone' ORDER BY m.id DESC LIMIT 1;
    IF later IS NOT NULL AND current.state <> 'undone' THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('migration %s came after migration %s', later, current.id),
            HINT = 'Undo the later one first.';
    END IF;
    wait := 0;
    IF current.state <> 'undone' THEN
        UPDATE tenancy.migrations m SET state = 'undoing', paused = false, finished_at = NULL
        WHERE m.id = current.id AND m.state <> 'undoing';
        SELECT t.* INTO this FROM tenancy.migration_tables t
        WHERE t.migration = current.id AND NOT t.undone AND t.action IN ('column', 'column_only', 'path', 'share')
        ORDER BY t.ordinal DESC LIMIT 1;
        IF this.relation IS NULL THEN
            PERFORM tenancy.drop_unused_tenants(current);
            UPDATE tenancy.migrations m SET state = 'undone', finished_at = now() WHERE m.id = current.id;
            PERFORM tenancy.audit_event(NULL, 'migration.undo', 'migration:' || current.id);
        ELSE
            relation := this.relation::text;
            BEGIN
                PERFORM set_config('lock_timeout', coalesce(current.options ->> 'lock_timeout', '200ms'), true);
                IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
                    PERFORM set_config('deadlock_timeout', '20ms', true);
                END IF;
                PERFORM tenancy.undo_table(current, this);
                UPDATE tenancy.migration_tables t SET undone = true WHERE t.migration = current.id AND t.relation = this.relation;
                outcome := 'done';
            EXCEPTION
                WHEN lock_not_available OR deadlock_detected THEN
                    outcome := 'locked';
                    message := 'others use the table';
                    wait := 0.5;
                WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS failure = PG_EXCEPTION_DETAIL;
                    outcome := 'failed';
                    message := SQLERRM || CASE WHEN failure <> '' THEN E'\n' || failure ELSE '' END;
            END;
            PERFORM set_config('lock_timeout', lock_wait, true);
            SELECT count(*) INTO tables_left FROM tenancy.migration_tables t
            WHERE t.migration = current.id AND NOT t.undone AND t.action IN ('column', 'column_only', 'path', 'share');
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    outcome := 'reached';
    message := format('migration %s is undone', current.id);
    tables_left := 0;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION tenancy.advance_undo(integer) IS
'takes one table of a migration back to what it was before, and says what to do next: outcome done, locked (call again after wait seconds), failed or reached; for clients, which commit after each call; for superusers';

CREATE PROCEDURE tenancy.undo_migration(migration integer DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
    result record;
    path_before pg_catalog.text := pg_catalog.current_setting('search_path');
BEGIN
    -- A procedure that commits can have no SET clause, and each commit ends this one.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    LOOP
        SELECT a.* INTO result FROM tenancy.advance_undo(migration) a;
        COMMIT;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        IF result.outcome = 'failed' THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('undoing the migration of %s failed', result.relation),
                DETAIL = result.message, HINT = 'What was undone stays so; repair the cause and call the procedure again.';
        END IF;
        EXIT WHEN result.outcome = 'reached';
        IF result.wait > 0 THEN
            PERFORM pg_sleep(result.wait);
        END IF;
    END LOOP;
    PERFORM pg_catalog.set_config('search_path', path_before, true);
END
$$;

COMMENT ON PROCEDURE tenancy.undo_migration(integer) IS
'undoes a migration, from whatever state: the schema is what it was before, and tenants that the migration made and nothing uses are gone; commits after each table; for superusers';

CREATE FUNCTION tenancy.adopt_missing(migration tenancy.migrations, this tenancy.migration_tables) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    keys text[];
    names text[];
BEGIN
    EXECUTE format('SELECT array_agg(k), array_agg(n) FROM (SELECT DISTINCT r.%1$I::text AS k, %2$s AS n FROM %3$s AS r '
                   'WHERE %4$I IS NULL AND r.%1$I IS NOT NULL) s', this.columns[1],
                   CASE this.source WHEN 'anchor' THEN format('r.%I::text', tenancy.name_column(migration.options, this)) ELSE 'NULL::text' END,
                   this.relation, migration.tenant_column)
    INTO keys, names;
    PERFORM tenancy.adopt_tenants(migration.id, keys, names, migration.column_type = 'uuid'::regtype AND migration.strategy = 'column');
END
$$;

COMMENT ON FUNCTION tenancy.adopt_missing(tenancy.migrations, tenancy.migration_tables) IS
'makes the tenants of rows that have none yet; internal';
