-- Starting a migration: the list of its steps. Every step is idempotent, and whether one that runs outside of a
-- transaction was done is read from the catalogue, so a migration that was killed at any point goes on.

-- One migrates at a time in a database. The number says "tenancy migration" to nobody but us.
CREATE FUNCTION tenancy.lock_migrations() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7238414, 4607) THEN
        RAISE EXCEPTION USING ERRCODE = '55P03', MESSAGE = 'another session is migrating this database',
            DETAIL = (SELECT format('It is the server process %s.', string_agg(DISTINCT l.pid::text, ', ')) FROM pg_locks l
                      WHERE l.locktype = 'advisory' AND l.classid = 7238414 AND l.objid = 4607 AND l.granted
                        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())),
            HINT = 'Wait for it, or end it: what it did so far stays done.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.lock_migrations() IS 'holds other migrations off until this transaction ends, or raises 55P03; internal';

CREATE FUNCTION tenancy.hold_migrations() RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
RETURN pg_try_advisory_lock(7238414, 4607);

COMMENT ON FUNCTION tenancy.hold_migrations() IS
'holds other migrations off for this session, false when another session does so already; for clients that run migrations; internal';

CREATE FUNCTION tenancy.current_migration(migration integer) RETURNS tenancy.migrations
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.migrations;
BEGIN
    SELECT m.* INTO found FROM tenancy.migrations m
    WHERE m.id = coalesce(current_migration.migration, (SELECT max(o.id) FROM tenancy.migrations o));
    IF found.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704',
            MESSAGE = CASE WHEN migration IS NULL THEN 'there is no migration' ELSE format('migration %s does not exist', migration) END,
            HINT = 'tenancy.start_migration() begins one; tenancy.migrations lists them.';
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION tenancy.current_migration(integer) IS 'a migration by number, or the latest; internal';

CREATE FUNCTION tenancy.migration_plan(migration integer) RETURNS tenancy.migration_tables[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT t FROM tenancy.migration_tables t WHERE t.migration = migration_plan.migration ORDER BY t.ordinal);

COMMENT ON FUNCTION tenancy.migration_plan(integer) IS 'the tables of a migration, parents first; internal';

CREATE FUNCTION tenancy.fill_name(migration integer, ordinal integer, purpose text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('tenancy.migration_%s_table_%s_%s', migration, ordinal, purpose);

COMMENT ON FUNCTION tenancy.fill_name(integer, integer, text) IS
'the name of a function that is made for one table of a migration; internal';

CREATE FUNCTION tenancy.move_trigger(ordinal integer) RETURNS name
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('A_tenancy_move_%s', ordinal);

COMMENT ON FUNCTION tenancy.move_trigger(integer) IS
'the name of the trigger by which rows of a table of a migration follow the row that they refer to; internal';

-- Triggers of a partitioned table are its partitions' too; inheritance children have their own.
CREATE FUNCTION tenancy.roots_of(root regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.relation FROM tenancy.tree_of(root) t JOIN pg_class c ON c.oid = t.relation
    WHERE NOT c.relispartition ORDER BY t.depth, t.relation;
END;

COMMENT ON FUNCTION tenancy.roots_of(regclass) IS 'a table and its inheritance children, without partitions; internal';

-- The column, and what gives it to rows that the old application writes, in one transaction: no row is written between.
-- The functions lie in our schema and not in the application's, where others could put something in their place. They run
-- as who made them, because the application may not read what a row refers to; the one that reads has its names bound.
CREATE FUNCTION tenancy.column_statements(this tenancy.migration_tables, options jsonb, planned tenancy.migration_tables[])
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant_column name := options ->> 'tenant_column';
    type regtype := options ->> 'column_type';
    fill text := tenancy.fill_name(this.migration, this.ordinal, 'fill');
    look_up text := tenancy.fill_name(this.migration, this.ordinal, 'owner');
    fallback text := coalesce(quote_literal(tenancy.fallback_tenant(this, type)), 'NULL');
    of_context text := format('NEW.%I := %s', tenant_column, tenancy.context_call(type, false));
    arguments text;
    inner_query text;
    derive text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = this.relation AND a.attname = tenant_column AND NOT a.attisdropped) THEN
        -- A constant costs no rewrite and no backfill. It does not stay: who is in a context writes that tenant's rows.
        RETURN NEXT format('ALTER TABLE %s ADD COLUMN %I %s%s', this.relation, tenant_column, type,
                           CASE this.source WHEN 'system' THEN ' DEFAULT ' || fallback ELSE '' END);
        IF this.source = 'system' THEN
            RETURN NEXT format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', this.relation, tenant_column);
        END IF;
    END IF;

    CASE this.source
    WHEN 'system' THEN
        derive := format('NEW.%I := %s;', tenant_column, fallback);
    WHEN 'anchor' THEN
        derive := format('NEW.%I := tenancy.adopt_tenant(%s, NEW.%I::text, NEW.%I::text, %s);', tenant_column, this.migration,
                         this.columns[1], tenancy.name_column(options, this),
                         (type = 'uuid'::regtype AND options ->> 'strategy' = 'column')::text);
        IF options ->> 'strategy' = 'column' THEN
            derive := format('PERFORM tenancy.adopt_tenant(%s, NEW.%I::text, NEW.%I::text, %s); NEW.%I := NEW.%I;', this.migration,
                             this.columns[1], tenancy.name_column(options, this), (type = 'uuid'::regtype)::text, tenant_column,
                             this.columns[1]);
        END IF;
    WHEN 'existing' THEN
        derive := format('NEW.%I := %s;', tenant_column, fallback);
    WHEN 'expression' THEN
        derive := format('SELECT coalesce((%s), %s) INTO NEW.%I FROM (SELECT NEW.*) AS r;', this.expression, fallback, tenant_column);
    ELSE
        -- A parent that is not there is one thing, a parent that is not filled yet another: then the backfill does it.
        SELECT string_agg(format('a%s %s', k.place, format_type(a.atttypid, NULL)), ', ' ORDER BY k.place) INTO arguments
        FROM unnest(this.columns) WITH ORDINALITY AS k (name, place)
        JOIN pg_attribute a ON a.attrelid = this.relation AND a.attname = k.name AND NOT a.attisdropped;
        inner_query := tenancy.row_tenant(planned, options, this.relation, 'r', true);
        -- From (SELECT x FROM parent AS r1 WHERE r1.key = r.column) to a query over the arguments.
        SELECT regexp_replace(inner_query, E'^\\((.*)\\)$', E'\\1') INTO inner_query;
        RETURN NEXT format(
            'CREATE FUNCTION %s(%s) RETURNS SETOF %s LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp '
            'BEGIN ATOMIC SELECT q.tenant FROM (SELECT %s) AS r (%s) CROSS JOIN LATERAL (%s) AS q (tenant); END',
            look_up, arguments, type,
            (SELECT string_agg('$' || k.place, ', ' ORDER BY k.place) FROM unnest(this.columns) WITH ORDINALITY AS k (name, place)),
            (SELECT string_agg(quote_ident(k.name), ', ' ORDER BY k.place) FROM unnest(this.columns) WITH ORDINALITY AS k (name, place)),
            inner_query);
        RETURN NEXT format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', look_up);
        derive := format('SELECT o INTO NEW.%1$I FROM %2$s(%3$s) o; IF NOT FOUND THEN NEW.%1$I := %4$s; END IF;', tenant_column, look_up,
                         (SELECT string_agg(format('NEW.%I', c), ', ') FROM unnest(this.columns) c), fallback);
    END CASE;

    -- Columns of the application may be called like variables that plpgsql brings, such as found.
    RETURN NEXT format(
        'CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', fill,
        -- A dump holds what was filled; and what a row refers to may not be loaded yet.
        format(E'#variable_conflict use_column\nBEGIN\n'
               '    IF TG_OP = ''INSERT'' AND tenancy.caller_is_restoring() THEN\n'
               '        RETURN NEW;\n'
               '    END IF;\n'
               '    IF TG_OP = ''INSERT'' AND NEW.%1$I IS NULL AND tenancy.has_context() THEN\n'
               '        %2$s;\n'
               '        RETURN NEW;\n'
               '    END IF;\n'
               '    %3$s\n'
               '    RETURN NEW;\n'
               'END', tenant_column, of_context, derive));
    RETURN NEXT format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', fill);
    -- After the application's own triggers, which go by name too: they may be what sets the owner.
    IF this.source = 'existing' THEN
        RETURN NEXT format(
            'CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
            tenancy.fill_name(this.migration, this.ordinal, 'adopt'),
            format(E'BEGIN\n    IF NOT tenancy.caller_is_restoring() THEN\n        PERFORM tenancy.adopt_tenant(%s, NEW.%I::text, NULL, %s);\n    END IF;\n    RETURN NEW;\nEND', this.migration,
                   tenant_column, (type = 'uuid'::regtype)::text));
        RETURN NEXT format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', tenancy.fill_name(this.migration, this.ordinal, 'adopt'));
        RETURN QUERY SELECT format('CREATE TRIGGER zz_tenancy_adopt BEFORE INSERT OR UPDATE OF %1$I ON %2$s FOR EACH ROW WHEN (NEW.%1$I IS NOT NULL) EXECUTE FUNCTION %3$s()',
                                   tenant_column, r, tenancy.fill_name(this.migration, this.ordinal, 'adopt'))
            FROM tenancy.roots_of(this.relation) r;
    END IF;
    RETURN QUERY SELECT format('CREATE TRIGGER zz_tenancy_fill BEFORE INSERT ON %s FOR EACH ROW WHEN (NEW.%I IS NULL) EXECUTE FUNCTION %s()',
                               r, tenant_column, fill)
        FROM tenancy.roots_of(this.relation) r;
    RETURN QUERY SELECT format('CREATE TRIGGER zz_tenancy_refill BEFORE UPDATE ON %s FOR EACH ROW WHEN (NEW.%I IS NULL%s) EXECUTE FUNCTION %s()',
                               r, tenant_column,
                               CASE WHEN this.source IN ('owner', 'path', 'anchor') THEN
                                   (SELECT string_agg(format(' OR OLD.%I IS DISTINCT FROM NEW.%1$I AND OLD.%2$I IS NOT DISTINCT FROM NEW.%2$I',
                                                             c, tenant_column), '') FROM unnest(this.columns) c)
                               ELSE '' END, fill)
        FROM tenancy.roots_of(this.relation) r;
    -- A row that moves to another owner takes along what refers to it. By its name this comes before the checks of foreign
    -- keys, which are triggers of the parent, too.
    IF this.source = 'path' AND EXISTS (SELECT FROM unnest(planned) p
                                        WHERE p.relation = this.parent AND p.action IN ('column', 'column_only')) THEN
        RETURN NEXT format(
            'CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
            tenancy.fill_name(this.migration, this.ordinal, 'move'),
            format(E'BEGIN\n    UPDATE %1$s AS r SET %2$I = NEW.%2$I WHERE %3$s AND r.%2$I IS DISTINCT FROM NEW.%2$I;\n    RETURN NULL;\nEND',
                   this.relation, tenant_column,
                   (SELECT string_agg(format('r.%I = NEW.%I', k.here, k.there), ' AND ') FROM unnest(this.columns, this.parent_columns) AS k (here, there))));
        RETURN NEXT format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', tenancy.fill_name(this.migration, this.ordinal, 'move'));
        -- It writes, and so sets off what the owner hung on the table: as the owner.
        RETURN NEXT format('ALTER FUNCTION %s OWNER TO %s', tenancy.fill_name(this.migration, this.ordinal, 'move'),
                           (SELECT c.relowner::regrole FROM pg_class c WHERE c.oid = this.relation));
        RETURN NEXT format('CREATE TRIGGER %1$I AFTER UPDATE ON %2$s FOR EACH ROW WHEN (OLD.%3$I IS NOT NULL AND OLD.%3$I IS DISTINCT FROM NEW.%3$I) '
                           'EXECUTE FUNCTION %4$s()',
                           tenancy.move_trigger(this.ordinal), this.parent, tenant_column,
                           tenancy.fill_name(this.migration, this.ordinal, 'move'));
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.column_statements(tenancy.migration_tables, jsonb, tenancy.migration_tables[]) IS
'the statements that add the tenant column to a table and see to it that new rows have it; internal';

CREATE FUNCTION tenancy.tenant_index_statement(relation regclass, tenant_column name, index_name text, online boolean) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN format('CREATE INDEX %s%I ON %s (%I)',
              -- A partitioned table's index is not made so.
              CASE WHEN online AND (SELECT c.relkind = 'r' FROM pg_class c WHERE c.oid = relation) THEN 'CONCURRENTLY ' ELSE '' END,
              index_name, relation, tenant_column);

COMMENT ON FUNCTION tenancy.tenant_index_statement(regclass, name, text, boolean) IS
'the statement that makes the index that leads with the tenant column; internal';

CREATE FUNCTION tenancy.path_of(this tenancy.migration_tables) RETURNS name
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN (SELECT f.conname FROM pg_constraint f
        WHERE f.conrelid = (this).relation AND f.confrelid = (this).parent AND f.contype = 'f'
          AND tenancy.columns_named(f.conrelid, f.conkey) = (this).columns
        ORDER BY f.conname LIMIT 1);

COMMENT ON FUNCTION tenancy.path_of(tenancy.migration_tables) IS 'the foreign key by which a table reaches its tenant, or null; internal';

-- The steps of one table, in the order in which they are done; each phase of all tables comes before the next phase.
CREATE FUNCTION tenancy.table_steps(this tenancy.migration_tables, options jsonb, planned tenancy.migration_tables[])
RETURNS TABLE (phase text, stage integer, kind text, relation regclass, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant_column name := options ->> 'tenant_column';
    type regtype := options ->> 'column_type';
    wants_key boolean := coalesce((this.overrides ->> 'foreign_key')::boolean, (options ->> 'foreign_key')::boolean);
    is_partitioned boolean;
    fallback text := coalesce(format('%L::%s', tenancy.fallback_tenant(this, type), type), 'NULL');
    key_name text := this.before ->> 'foreign_key';
    index_name text := this.before ->> 'index';
BEGIN
    SELECT c.relkind = 'p' INTO is_partitioned FROM pg_class c WHERE c.oid = this.relation;
    IF this.action IN ('column', 'column_only') THEN
        RETURN QUERY SELECT 'prepare', 1, 'column', this.relation,
            string_agg(s, E';\n') FROM tenancy.column_statements(this, options, planned) s;
        IF this.source <> 'system' THEN
            RETURN QUERY SELECT 'prepare', 2, 'backfill', t.relation, format(
                'UPDATE ONLY %s AS r SET %I = %s WHERE %2$I IS NULL', t.relation, tenant_column,
                CASE this.source WHEN 'existing' THEN fallback
                     ELSE format('coalesce(%s, %s)', tenancy.row_tenant(planned, options, this.relation, 'r', true), fallback) END)
            FROM tenancy.tree_of(this.relation) t
            JOIN pg_class c ON c.oid = t.relation AND c.relkind = 'r';
        END IF;
        IF NOT (this.before ->> 'not_null')::boolean THEN
            RETURN QUERY SELECT 'prepare', 3, 'check', this.relation, format(
                'ALTER TABLE %s ADD CONSTRAINT tenancy_not_null CHECK (%I IS NOT NULL) NOT VALID', this.relation, tenant_column);
            IF this.source <> 'system' THEN
                RETURN QUERY SELECT 'prepare', 3, 'sweep', t.relation, format(
                    'UPDATE ONLY %s AS r SET %I = %s WHERE %2$I IS NULL', t.relation, tenant_column,
                    CASE this.source WHEN 'existing' THEN fallback
                         ELSE format('coalesce(%s, %s)', tenancy.row_tenant(planned, options, this.relation, 'r', true), fallback) END)
                FROM tenancy.tree_of(this.relation) t
                JOIN pg_class c ON c.oid = t.relation AND c.relkind = 'r';
            END IF;
            RETURN QUERY SELECT 'prepare', 3, 'validate', this.relation, format(
                'ALTER TABLE %s VALIDATE CONSTRAINT tenancy_not_null', this.relation);
            RETURN QUERY SELECT 'prepare', 3, 'not_null', this.relation, format(
                E'ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;\nALTER TABLE %1$s DROP CONSTRAINT tenancy_not_null', this.relation, tenant_column);
        END IF;
        IF wants_key AND key_name IS NOT NULL THEN
            -- Before 18 a partitioned table takes no key that is not valid. One that all its partitions have already is taken
            -- over without looking at their rows.
            RETURN QUERY SELECT 'prepare', 4, v.kind, m.relation, v.statement
            FROM (SELECT t.relation, t.depth, CASE WHEN c.relispartition THEN key_name
                                                   ELSE this.before -> 'members' -> t.relation::text ->> 'foreign_key' END AS name
                  FROM tenancy.tree_of(this.relation) t JOIN pg_class c ON c.oid = t.relation AND c.relkind = 'r'
                  WHERE NOT tenancy.has_tenant_key(t.relation, tenant_column)) m
            CROSS JOIN LATERAL (VALUES
                (1, 'foreign_key', format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES tenancy.tenants (%I) NOT VALID',
                                          m.relation, m.name, tenant_column, tenancy.tenants_column(type))),
                (2, 'validate', format('ALTER TABLE %s VALIDATE CONSTRAINT %I', m.relation, m.name))) AS v (place, kind, statement)
            WHERE m.name IS NOT NULL
            ORDER BY m.depth, m.relation, v.place;
            IF is_partitioned THEN
                -- Taking over drops the triggers that the partitions' keys have on the tenants. The lock for that is taken first:
                -- whoever needs a stronger lock than it has makes a deadlock with the application.
                RETURN QUERY SELECT 'prepare', 4, 'foreign_key', this.relation, format(
                    E'LOCK TABLE tenancy.tenants IN ACCESS EXCLUSIVE MODE;\nALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES tenancy.tenants (%I)', this.relation, key_name,
                    tenant_column, tenancy.tenants_column(type));
            END IF;
        END IF;
    END IF;
    IF this.action = 'column_only' AND index_name IS NOT NULL THEN
        RETURN QUERY SELECT 'prepare', 5, 'index', this.relation,
            tenancy.tenant_index_statement(this.relation, tenant_column, index_name, (options ->> 'online')::boolean);
    ELSIF this.action = 'column' THEN
        RETURN QUERY SELECT 'prepare', 6, 'keys', this.relation, format('SELECT * FROM tenancy.key_changes(%L, %L)', this.relation, tenant_column);
        RETURN QUERY SELECT 'trial', 7, 'trial', this.relation, format('policies on %s that count', this.relation);
        RETURN QUERY SELECT 'rollout', 8, 'rollout', this.relation, format('policies on %s that hold some roles', this.relation);
        RETURN QUERY SELECT 'enforce', 9, 'protect', this.relation, format(
            'SELECT tenancy.protect(%L, %L%s%s)', this.relation, tenant_column,
            CASE WHEN wants_key THEN '' ELSE ', foreign_key => false' END,
            CASE WHEN this.overrides ? 'global_keys' THEN format(', global_keys => %L',
                ARRAY(SELECT k FROM jsonb_array_elements_text(this.overrides -> 'global_keys') k)::text) ELSE '' END);
    ELSIF this.action = 'path' THEN
        RETURN QUERY SELECT 'enforce', 10, 'protect', this.relation, format('SELECT tenancy.protect_by_path(%L, %L)', this.relation,
            tenancy.path_of(this));
    ELSIF this.action = 'share' THEN
        RETURN QUERY SELECT 'enforce', 11, 'share', this.relation, format('SELECT tenancy.share(%L)', this.relation);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.table_steps(tenancy.migration_tables, jsonb, tenancy.migration_tables[]) IS
'the steps that a migration takes with a table; internal';

CREATE FUNCTION tenancy.start_migration(
    strategy text DEFAULT 'auto',
    tables jsonb DEFAULT '{}',
    users regclass DEFAULT NULL,
    source_column name DEFAULT NULL,
    tenant_column name DEFAULT NULL,
    schemas name[] DEFAULT NULL,
    foreign_key boolean DEFAULT true,
    online boolean DEFAULT true,
    force boolean DEFAULT false
) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    options jsonb;
    planned tenancy.migration_tables[];
    other tenancy.migrations;
    refusals text;
    refusal_count bigint;
    new_id integer;
BEGIN
    PERFORM tenancy.refuse_null(start_migration.foreign_key IS NULL, 'foreign_key'),
            tenancy.refuse_null(start_migration.online IS NULL, 'online'),
            tenancy.refuse_null(start_migration.force IS NULL, 'force');
    PERFORM tenancy.lock_migrations();
    SELECT m.* INTO other FROM tenancy.migrations m WHERE m.state NOT IN ('enforced', 'undone') ORDER BY m.id LIMIT 1;
    IF other.id IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('migration %s is under way', other.id),
            DETAIL = format('Its state is %s.', other.state), HINT = 'Finish it or undo it first.';
    END IF;
    options := tenancy.migration_options(start_migration.strategy, start_migration.tables, start_migration.users,
                                         start_migration.source_column, start_migration.tenant_column, start_migration.schemas)
               || jsonb_build_object('foreign_key', start_migration.foreign_key, 'online', start_migration.online);
    SELECT coalesce(max(m.id), 0) + 1 INTO new_id FROM tenancy.migrations m;
    planned := ARRAY(SELECT ROW(new_id, p.ordinal, p.relation, p.action, p.source, p.columns, p.parent, p.parent_columns, p.expression,
                                p.detail, p.overrides,
                                CASE WHEN p.action IN ('column', 'column_only')
                                     THEN tenancy.states_before(p.relation, (options ->> 'tenant_column')::name) END, false
                               )::tenancy.migration_tables
                     FROM tenancy.plan_tables(options) p ORDER BY p.ordinal);
    IF NOT EXISTS (SELECT FROM unnest(planned) p WHERE p.action IN ('column', 'column_only', 'path', 'share')) THEN
        PERFORM tenancy.refuse_plan('There is no table to be migrated.', 'tenancy.plan_migration() shows what was looked at.');
    END IF;
    SELECT string_agg(format('%s: %s', f.object, f.detail), '; ') FILTER (WHERE f.place <= 3), count(*) INTO refusals, refusal_count
    FROM (SELECT x.object, x.detail, row_number() OVER () AS place
          FROM (SELECT c.* FROM tenancy.finding_of_catalogue(planned, options) c
                UNION ALL SELECT r.* FROM tenancy.finding_of_rows(planned, options) r) x
          WHERE x.severity = 'error') f;
    IF refusal_count > 0 AND NOT start_migration.force THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = 'migration cannot start',
            DETAIL = refusals || CASE WHEN refusal_count > 3 THEN format('; and %s more.', refusal_count - 3) ELSE '.' END,
            HINT = 'tenancy.plan_migration() lists the errors with the statements that repair them.';
    END IF;

    INSERT INTO tenancy.migrations (id, strategy, tenant_column, column_type, options)
    VALUES (new_id, options ->> 'strategy', (options ->> 'tenant_column')::name, (options ->> 'column_type')::regtype, options);
    INSERT INTO tenancy.migration_tables SELECT (p).* FROM unnest(planned) p;
    PERFORM tenancy.remember(p.relation, (options ->> 'tenant_column')::name) FROM unnest(planned) p WHERE p.before IS NOT NULL;
    INSERT INTO tenancy.migration_steps (migration, step, phase, kind, relation, statement)
    SELECT new_id, 1000 * row_number() OVER (ORDER BY s.by_phase, s.by_table, s.place), s.phase, s.kind, s.relation, s.statement
    FROM (SELECT x.*, p.ordinal, row_number() OVER () AS place,
                 array_position(ARRAY['prepare', 'trial', 'rollout', 'enforce'], x.phase) AS by_phase,
                 -- All columns come first: new rows have their tenants from then on. Then table by table.
                 CASE WHEN x.stage = 1 THEN 0 ELSE 1 END * 100000
                     + CASE WHEN x.stage = 6 THEN 200000 WHEN x.stage > 8 THEN 100000 * x.stage ELSE 0 END + p.ordinal AS by_table
          FROM unnest(planned) p
          CROSS JOIN LATERAL tenancy.table_steps(p, options, planned) x) s;
    PERFORM tenancy.audit_event(NULL, 'migration.start', 'migration:' || new_id, NULL, jsonb_build_object('strategy', options ->> 'strategy'));
    RETURN new_id;
END
$$;

COMMENT ON FUNCTION tenancy.start_migration(text, jsonb, regclass, name, name, name[], boolean, boolean, boolean) IS
'records a migration and its steps, and returns its number; takes what plan_migration() takes; nothing is changed yet: run_migration() or `tenancyctl migrate run` does that; for superusers';
