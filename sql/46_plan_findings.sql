-- What stands in a migration's way or is worth knowing before: from the catalogue for all tables at once, from the rows
-- table by table.

-- The expression that gives a row's tenant, for a row that is called by the alias: read from its parent where that has
-- the tenant column already (filled), or followed all the way to what the tenant will be made of.
CREATE FUNCTION tenancy.row_tenant(planned tenancy.migration_tables[], options jsonb, relation regclass, alias text, filled boolean,
                                   depth integer DEFAULT 0)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this tenancy.migration_tables;
    parent tenancy.migration_tables;
    type regtype := options ->> 'column_type';
    inner_alias text := alias || depth + 1;
    found text;
BEGIN
    SELECT (p).* INTO this FROM unnest(planned) p WHERE p.relation = row_tenant.relation;
    CASE this.source
    WHEN 'existing' THEN
        RETURN format('%I.%I', alias, this.columns[1]);
    WHEN 'expression' THEN
        RETURN format('(%s)', this.expression);
    WHEN 'anchor' THEN
        IF options ->> 'strategy' = 'column' THEN
            RETURN format('%I.%I::%s', alias, this.columns[1], type);
        END IF;
        RETURN format(CASE WHEN filled THEN 'tenancy.adopted_tenant(%I.%I::text)' ELSE '%I.%I::text' END, alias, this.columns[1]);
    WHEN 'owner', 'path' THEN
        SELECT (p).* INTO parent FROM unnest(planned) p WHERE p.relation = this.parent;
        IF parent.action = 'protected' THEN
            found := format('%I.%I', inner_alias,
                            (SELECT t.tenant_column FROM tenancy.protected_tables t WHERE t.relation = this.parent));
        ELSIF filled AND parent.action <> 'path' THEN
            found := format('%I.%I', inner_alias, options ->> 'tenant_column');
        ELSE
            found := tenancy.row_tenant(planned, options, this.parent, inner_alias, filled, depth + 1);
        END IF;
        RETURN format('(SELECT %s FROM %s AS %I WHERE %s)', found, this.parent, inner_alias,
            (SELECT string_agg(format('%I.%I = %I.%I', inner_alias, k.there, alias, k.here), ' AND ' ORDER BY k.here)
             FROM unnest(this.columns, this.parent_columns) AS k (here, there)));
    ELSE
        RETURN format('%L::%s', tenancy.default_tenant_value(type), type);
    END CASE;
END
$$;

COMMENT ON FUNCTION tenancy.row_tenant(tenancy.migration_tables[], jsonb, regclass, text, boolean, integer) IS
'the SQL expression for the tenant of a row; internal';

-- Whose the rows are that nobody owns, as the tenant column holds it; null where they must not be the default tenant's, or
-- cannot, because the column refers to a table of organizations that has no row for it.
CREATE FUNCTION tenancy.fallback_tenant(this tenancy.migration_tables, column_type regtype) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    value text := tenancy.default_tenant_value(column_type);
    reference record;
    is_there boolean;
BEGIN
    IF value IS NULL OR this.overrides ->> 'fallback' = 'refuse' THEN
        RETURN NULL;
    END IF;
    IF this.source = 'existing' THEN
        FOR reference IN
            SELECT f.confrelid::regclass AS parent, (tenancy.columns_named(f.confrelid, f.confkey))[1] AS key
            FROM pg_constraint f
            WHERE f.conrelid = this.relation AND f.contype = 'f' AND tenancy.columns_named(f.conrelid, f.conkey) = this.columns
              AND f.confrelid <> 'tenancy.tenants'::regclass
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I = %L)', reference.parent, reference.key, value) INTO is_there;
            IF NOT is_there THEN
                RETURN NULL;
            END IF;
        END LOOP;
    END IF;
    RETURN value;
EXCEPTION WHEN insufficient_privilege THEN
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION tenancy.fallback_tenant(tenancy.migration_tables, regtype) IS
'the tenant of rows that nobody owns, or null; internal';

-- A count that stops where it has become clear that there are many.
CREATE FUNCTION tenancy.count_some(query text, OUT counted bigint, OUT shown text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1001) s', query) INTO counted;
    shown := CASE WHEN counted > 1000 THEN 'more than 1000 rows' WHEN counted = 1 THEN '1 row' ELSE counted || ' rows' END;
EXCEPTION WHEN insufficient_privilege THEN
    counted := 0;
END
$$;

COMMENT ON FUNCTION tenancy.count_some(text) IS 'how many rows there are, up to a thousand; 0 where the caller may not look; internal';

CREATE FUNCTION tenancy.finding_of_rows(planned tenancy.migration_tables[], options jsonb)
RETURNS TABLE (relation regclass, code text, severity text, object text, detail text, fix text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this tenancy.migration_tables;
    other record;
    found record;
    refusal boolean;
    type regtype := options ->> 'column_type';
    here text;
    there text;
    joined text;
    tenanted oid[] := ARRAY(SELECT p.relation FROM unnest(planned) p WHERE p.action IN ('column', 'column_only') AND p.source <> 'expression');
    of_system oid[] := ARRAY(SELECT p.relation FROM unnest(planned) p WHERE p.source = 'system');
BEGIN
    FOREACH this IN ARRAY planned LOOP
        CONTINUE WHEN this.action NOT IN ('column', 'column_only', 'path');
        CONTINUE WHEN this.source <> 'anchor' AND EXISTS (
            SELECT FROM pg_class c WHERE c.oid = this.relation AND c.relkind = 'r' AND NOT c.relhassubclass AND pg_relation_size(c.oid) = 0);
        relation := this.relation;
        refusal := tenancy.fallback_tenant(this, type) IS NULL;
        IF this.source = 'anchor' THEN
            SELECT c.* INTO found FROM tenancy.count_some(this.relation::text) c;
            IF found.counted = 0 THEN
                SELECT c.* INTO found FROM unnest(planned) p
                CROSS JOIN LATERAL tenancy.count_some(p.relation::text) c
                WHERE p.source IN ('owner', 'path') AND c.counted > 0 LIMIT 1;
                RETURN QUERY SELECT this.relation, 'no_users', CASE WHEN found.counted > 0 THEN 'error' ELSE 'warning' END,
                    format('table %s', this.relation), 'it is empty, so there is nobody to give rows to',
                    'Choose the strategy system, or another table of users.';
            END IF;
            IF options ->> 'strategy' = 'personal' THEN
                SELECT c.* INTO found FROM tenancy.count_some(format(
                    '%s AS r WHERE tenancy.adopted_tenant(r.%I::text) IS NOT NULL', this.relation, this.columns[1])) c;
                IF found.counted > 0 THEN
                    RETURN QUERY SELECT this.relation, 'tenant_exists', 'warning', format('table %s', this.relation),
                        format('%s of it have a key that is some tenant''s external key already: that tenant becomes theirs', found.shown),
                        'See that these tenants are the same people''s, or change their external keys with tenancy.update_tenant().';
                END IF;
                SELECT c.* INTO found FROM tenancy.count_some(format(
                    '(SELECT lower(btrim(r.%1$I::text)) FROM %2$s AS r WHERE r.%1$I IS NOT NULL GROUP BY 1 HAVING count(*) > 1) d',
                    tenancy.name_column(options, this), this.relation)) c;
                IF found.counted > 0 THEN
                    RETURN QUERY SELECT this.relation, 'duplicate_users', 'warning',
                        format('column %I of table %s', tenancy.name_column(options, this), this.relation),
                        format('%s of names stand for more than one user each, and each of these gets a tenant', found.shown),
                        'Merge the users who are one person before the migration.';
                END IF;
            END IF;
        ELSIF this.source IN ('owner', 'path', 'existing') AND EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = this.relation AND a.attname = ANY (this.columns) AND NOT a.attnotnull) THEN
            SELECT c.* INTO found FROM tenancy.count_some(format('%s AS r WHERE %s', this.relation,
                (SELECT string_agg(format('r.%I IS NULL', c), ' OR ') FROM unnest(this.columns) c))) c;
            IF found.counted > 0 THEN
                RETURN QUERY SELECT this.relation, 'null_owner', CASE WHEN refusal THEN 'error' ELSE 'warning' END,
                    format('column %s of table %s', array_to_string(this.columns, ', '), this.relation),
                    format('it is null in %s, %s', found.shown,
                           CASE WHEN refusal THEN 'which have no tenant' ELSE 'which will belong to the default tenant' END),
                    format('UPDATE %s SET %I = ... WHERE %s', this.relation, this.columns[1],
                           (SELECT string_agg(format('%I IS NULL', c), ' OR ') FROM unnest(this.columns) c));
            END IF;
        END IF;
        IF this.source = 'expression' THEN
            -- A trigger will evaluate it for each row that the application writes: what fails there fails the application.
            BEGIN
                EXECUTE format('SELECT FROM %s AS r WHERE (%s) = NULL::%s LIMIT 0', this.relation, this.expression, type);
                SELECT c.* INTO found FROM tenancy.count_some(format('%s AS r WHERE (%s) IS NULL', this.relation, this.expression)) c;
                IF found.counted > 0 THEN
                    RETURN QUERY SELECT this.relation, 'null_owner', CASE WHEN refusal THEN 'error' ELSE 'warning' END,
                        format('table %s', this.relation),
                        format('the expression is null in %s, %s', found.shown,
                               CASE WHEN refusal THEN 'which have no tenant' ELSE 'which will belong to the default tenant' END),
                        format('SELECT r.* FROM %s AS r WHERE (%s) IS NULL', this.relation, this.expression);
                END IF;
                here := format('%s AS r CROSS JOIN LATERAL (SELECT (%s) AS value) AS e WHERE e.value IS NOT NULL AND NOT EXISTS '
                               '(SELECT FROM tenancy.tenants t WHERE t.%I = e.value)', this.relation, this.expression, tenancy.tenants_column(type));
                SELECT c.* INTO found FROM tenancy.count_some(here) c;
                IF found.counted > 0 THEN
                    RETURN QUERY SELECT this.relation, 'unknown_tenant', 'error', format('table %s', this.relation),
                        format('the expression gives %s to tenants that do not exist', found.shown),
                        format('Make them with tenancy.create_tenant(), or look at them: SELECT e.value, r.* FROM %s', here);
                END IF;
            EXCEPTION WHEN OTHERS THEN
                RETURN QUERY SELECT this.relation, 'expression_fails', 'error', format('table %s', this.relation),
                    format('the expression %s cannot be evaluated as %s: %s', this.expression, type, SQLERRM),
                    'Give an expression over the columns of a row that is called r, with the schemas of all tables in it.';
            END;
        END IF;
        IF this.source IN ('owner', 'path') THEN
            SELECT string_agg(format('p.%I = r.%I', k.there, k.here), ' AND ') INTO joined
            FROM unnest(this.columns, this.parent_columns) AS k (here, there);
            -- A validated foreign key has been looked at already.
            IF NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = this.relation AND f.confrelid = this.parent AND f.contype = 'f'
                             AND f.convalidated AND tenancy.columns_named(f.conrelid, f.conkey) = this.columns) THEN
                here := format('%s AND NOT EXISTS (SELECT FROM %s AS p WHERE %s)',
                    (SELECT string_agg(format('r.%I IS NOT NULL', c), ' AND ') FROM unnest(this.columns) c), this.parent, joined);
                SELECT c.* INTO found FROM tenancy.count_some(format('%s AS r WHERE %s', this.relation, here)) c;
                IF found.counted > 0 THEN
                    RETURN QUERY SELECT this.relation, 'orphan', CASE WHEN refusal THEN 'error' ELSE 'warning' END,
                        format('table %s', this.relation),
                        format('%2$s in %1$s refers to no row of %3$s; %4$s', found.shown, array_to_string(this.columns, ', '), this.parent,
                               CASE WHEN refusal THEN 'they have no tenant' ELSE 'they will belong to the default tenant' END),
                        format('DELETE FROM %s AS r WHERE %s', this.relation, here);
                END IF;
            END IF;
        END IF;
        -- Rows that refer to rows of other tenants, by any other foreign key.
        FOR other IN
            SELECT f.conname, f.confrelid::regclass AS parent, tenancy.columns_named(f.conrelid, f.conkey) AS here,
                   tenancy.columns_named(f.confrelid, f.confkey) AS there
            FROM pg_constraint f
            WHERE f.conrelid = this.relation AND f.contype = 'f' AND f.conparentid = 0 AND f.confrelid = ANY (tenanted)
              AND this.action = 'column' AND this.source <> 'expression'
              AND NOT coalesce(f.confrelid = this.parent AND tenancy.columns_named(f.conrelid, f.conkey) = this.columns, false)
              AND NOT (this.source = 'system' AND f.confrelid = ANY (of_system))
        LOOP
            here := tenancy.row_tenant(planned, options, this.relation, 'r', false);
            there := tenancy.row_tenant(planned, options, other.parent, 'p', false);
            SELECT string_agg(format('p.%I = r.%I', k.there, k.here), ' AND ') INTO joined
            FROM unnest(other.here, other.there) AS k (here, there);
            SELECT c.* INTO found FROM tenancy.count_some(format('%s AS r JOIN %s AS p ON %s WHERE (%s)::text IS DISTINCT FROM (%s)::text',
                this.relation, other.parent, joined, here, there)) c;
            IF found.counted > 0 THEN
                RETURN QUERY SELECT this.relation, 'crosses_tenants', 'error', format('constraint %I on table %s', other.conname, this.relation),
                    format('in %s it refers to a row of %s that will be another tenant''s', found.shown, other.parent),
                    format('Choose tables => {%s: {"action": "column_only"}} or another owner for one of them, or correct the rows: SELECT r.* FROM %s AS r JOIN %s AS p ON %s WHERE (%s)::text IS DISTINCT FROM (%s)::text',
                           to_json(other.parent::text), this.relation, other.parent, joined, here, there);
            END IF;
        END LOOP;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.finding_of_rows(tenancy.migration_tables[], jsonb) IS
'what the rows of the planned tables hold against the plan; internal';

-- How a tenant is named: by the column that was chosen, else by the e-mail or the like.
CREATE FUNCTION tenancy.name_column(options jsonb, anchor tenancy.migration_tables) RETURNS name
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
RETURN coalesce((anchor).overrides ->> 'name', (
    SELECT a.attname
    FROM unnest(ARRAY['email', 'email_address', 'e_mail', 'mail', 'username', 'user_name', 'login', 'name', 'display_name', 'title',
                      'fullname', 'full_name', 'slug', (anchor).columns[1]::text]) WITH ORDINALITY AS n (name, place)
    JOIN pg_attribute a ON a.attrelid = (anchor).relation AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY n.place LIMIT 1))::name;

COMMENT ON FUNCTION tenancy.name_column(jsonb, tenancy.migration_tables) IS 'the column that names the tenants of an anchor; internal';

CREATE FUNCTION tenancy.finding_of_catalogue(planned tenancy.migration_tables[], options jsonb)
RETURNS TABLE (relation regclass, code text, severity text, object text, detail text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE t AS MATERIALIZED (
        SELECT p.relation, p.action, p.source, p.columns, p.parent, p.overrides, c.relowner, c.relkind, c.relrowsecurity,
               p.action IN ('column', 'column_only') AS gets_column
        FROM unnest(planned) p JOIN pg_class c ON c.oid = p.relation
    ), members AS MATERIALIZED (
        SELECT t.relation AS root, t.relation, t.action, t.gets_column FROM t
        UNION ALL
        SELECT t.root, i.inhrelid::regclass, t.action, t.gets_column FROM members t JOIN pg_inherits i ON i.inhparent = t.relation
    ), reading AS (
        SELECT r.ev_class AS view, d.refobjid AS source
        FROM pg_rewrite r
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    ), over_planned AS (
        SELECT g.view, t.relation AS source FROM t JOIN reading g ON g.source = t.relation WHERE t.action IN ('column', 'path')
        UNION
        SELECT g.view, o.source FROM over_planned o JOIN reading g ON g.source = o.view
    )
    SELECT t.relation, 'not_owner', 'error', format('table %s', t.relation), format('%I is not its owner', current_user),
           'Migrate as its owner.'
    FROM t WHERE t.action IN ('column', 'column_only', 'path', 'share') AND NOT pg_has_role(t.relowner, 'USAGE')
    UNION ALL
    SELECT t.relation, 'rules', 'error', format('table %s', m.relation), 'it has rules for UPDATE, which the backfill would set off',
           'Drop the rules first; triggers can do the same.'
    FROM t JOIN members m ON m.root = t.relation
    WHERE t.gets_column AND EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = m.relation AND r.ev_type = '2')
    UNION ALL
    SELECT t.relation, 'foreign_partition', 'error', format('table %s', m.relation), 'it is a foreign table, which policies do not reach',
           format('Detach it: ALTER TABLE %s DETACH PARTITION %s', t.relation, m.relation)
    FROM t JOIN members m ON m.root = t.relation JOIN pg_class c ON c.oid = m.relation AND c.relkind = 'f'
    WHERE t.gets_column
    UNION ALL
    SELECT t.relation, 'column_type', 'error', format('column %I of table %s', a.attname, t.relation),
           format('it is of type %s, and the tenant column is %s', format_type(a.atttypid, a.atttypmod), options ->> 'column_type'),
           'Choose another tenant_column, or the strategy column.'
    FROM t JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = options ->> 'tenant_column' AND a.attnum > 0 AND NOT a.attisdropped
    WHERE t.gets_column AND a.atttypid <> (options ->> 'column_type')::regtype
    UNION ALL
    SELECT t.relation, 'no_default_tenant', 'error', format('table %s', t.relation),
           format('its rows are the default tenant''s, which has no external key that is %s', options ->> 'column_type'),
           $fix$SELECT tenancy.update_tenant('default', external_key => '...')$fix$
    FROM t WHERE t.gets_column AND t.source = 'system' AND tenancy.default_tenant_value((options ->> 'column_type')::regtype) IS NULL
    UNION ALL
    SELECT t.relation, 'always_trigger', 'error', format('trigger %I on table %s', g.tgname, m.relation),
           'it fires ALWAYS, also for the backfill', format('ALTER TABLE %s ENABLE TRIGGER %I', m.relation, g.tgname)
    FROM t JOIN members m ON m.root = t.relation
    JOIN pg_trigger g ON g.tgrelid = m.relation AND NOT g.tgisinternal AND g.tgenabled IN ('A', 'R')
                     AND g.tgtype & 16 <> 0
    WHERE t.gets_column AND t.source <> 'system'
    UNION ALL
    -- What a migration puts on a table goes by names, and must not be taken for the application's, nor the application's for it.
    SELECT t.relation, 'name_taken', 'error', format('%s %I on table %s', n.kind, n.name, n.relation), 'a migration makes one of this name', n.fix
    FROM t
    CROSS JOIN LATERAL (
        SELECT 'constraint' AS kind, f.conname AS name, m.relation,
               format('ALTER TABLE %s RENAME CONSTRAINT %I TO ...', m.relation, f.conname) AS fix
        FROM members m JOIN pg_constraint f ON f.conrelid = m.relation AND f.conname = 'tenancy_not_null'
        WHERE m.root = t.relation AND t.gets_column
        UNION ALL
        SELECT 'trigger', g.tgname, m.relation, format('ALTER TRIGGER %I ON %s RENAME TO ...', g.tgname, m.relation)
        FROM members m JOIN pg_trigger g ON g.tgrelid = m.relation
        WHERE m.root = t.relation AND (g.tgname IN ('zz_tenancy_adopt', 'zz_tenancy_fill', 'zz_tenancy_refill') OR g.tgname ~ '^A_tenancy_move_[0-9]+$')
        UNION ALL
        SELECT 'policy', p.polname, m.relation, format('ALTER POLICY %I ON %s RENAME TO ...', p.polname, m.relation)
        FROM members m JOIN pg_policy p ON p.polrelid = m.relation
        WHERE m.root = t.relation AND t.action IN ('column', 'path')
          AND (p.polname = ANY (tenancy.trial_policies())
               OR p.polname IN ('tenancy_read', 'tenancy_insert', 'tenancy_update', 'tenancy_delete', 'tenancy_isolation'))
    ) n
    WHERE t.action IN ('column', 'column_only', 'path')
    UNION ALL
    SELECT t.relation, 'path_impossible', 'error', format('table %s', t.relation), w.why, 'Choose column for this table: it gets a tenant column of its own.'
    FROM t
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN t.relkind = 'p' OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = t.relation) THEN 'it is partitioned or has inheritance children'
            WHEN t.columns = '{}' OR NOT EXISTS (
                SELECT FROM pg_constraint f WHERE f.conrelid = t.relation AND f.confrelid = t.parent AND f.contype = 'f'
                  AND tenancy.columns_named(f.conrelid, f.conkey) = t.columns)
                THEN 'no foreign key leads from it to a table that has a tenant'
            WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.relation AND a.attname = ANY (t.columns) AND NOT a.attnotnull)
                THEN format('column %s may be null, and a row that refers to nothing would have no tenant', array_to_string(t.columns, ', '))
            WHEN EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = t.relation AND f.confrelid = t.relation AND f.contype = 'f')
                THEN 'it refers to itself, which a policy cannot check'
        END AS why) w
    WHERE t.action = 'path' AND w.why IS NOT NULL
    UNION ALL
    SELECT t.relation, 'own_policies', 'warning', format('table %s', t.relation),
           'it has row level security of its own: the trial counts only what its policies let through, and its permissive policies stay',
           format('Look at them: SELECT * FROM pg_policies WHERE schemaname || ''.'' || tablename = %L', t.relation)
    FROM t WHERE t.action IN ('column', 'path') AND t.relrowsecurity
    UNION ALL
    SELECT t.relation, 'deferrable_reference', 'warning', format('constraint %I on table %s', f.conname, t.relation),
           'it can be deferred: a row that is written before the row it refers to goes to the default tenant',
           'Let the application write referred rows first while the migration runs.'
    FROM t JOIN pg_constraint f ON f.conrelid = t.relation AND f.contype = 'f' AND f.condeferrable AND f.confrelid = t.parent
    WHERE t.gets_column AND tenancy.columns_named(f.conrelid, f.conkey) = t.columns
    UNION ALL
    SELECT t.relation, 'no_path', CASE WHEN t.overrides ? 'action' THEN 'error' ELSE 'warning' END, format('table %s', t.relation),
           format('no reference leads from it to %s: it is left as it is, and all tenants share it',
                  coalesce(options ->> 'users', 'a table with column ' || (options ->> 'tenant_column'))),
           format('Say whose its rows are: tables => {%1$s: {"column": "...", "parent": "..."}}, or {"strategy": "system"}; or that they are everybody''s: {%1$s: "share"}.',
                  to_json(t.relation::text))
    FROM t WHERE t.action = 'leave' AND coalesce(t.overrides ->> 'action', '') NOT IN ('leave', 'share')
    UNION ALL
    SELECT v.source::regclass, CASE c.relkind WHEN 'm' THEN 'materialized_view' ELSE 'view_as_owner' END, 'warning',
           format('%s %s', CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, c.oid::regclass),
           CASE c.relkind WHEN 'm' THEN format('it holds rows of %s of whichever tenant, once that is protected', v.source::regclass)
                ELSE format('it reads %s as its owner %s, and would show all tenants'' rows', v.source::regclass, c.relowner::regrole) END,
           CASE c.relkind WHEN 'm' THEN format('Take it from the applications, or make it a protected table: REVOKE SELECT ON %s FROM ...', c.oid::regclass)
                ELSE format('ALTER VIEW %s SET (security_invoker = true)', c.oid::regclass) END
    FROM (SELECT o.view, min(o.source::oid) AS source FROM over_planned o GROUP BY o.view) v
    JOIN pg_class c ON c.oid = v.view AND c.relkind IN ('v', 'm')
    WHERE c.relkind = 'm' OR NOT coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o
                                           WHERE o.option_name = 'security_invoker'), false)
    UNION ALL
    SELECT r.relation, 'rule_as_owner', 'warning', format('rule %I on %s', r.rule, r.relation),
           format('for whoever writes to %s it would read or change rows of all tenants in %s, as the owner %I, whom policies do not hold',
                  r.relation, string_agg(r.target::text, ', ' ORDER BY r.target::text), r.owner),
           format('DROP RULE %I ON %s', r.rule, r.relation)
    FROM (SELECT array_agg(m.relation) AS tables FROM members m WHERE m.action IN ('column', 'path')) p
    CROSS JOIN LATERAL tenancy.rules_as_owner(p.tables) r
    WHERE r.owner_bypasses
    GROUP BY r.rule, r.relation, r.owner
    UNION ALL
    SELECT g.relation, 'trigger_as_owner', 'warning', format('trigger %I on %s', g.trigger, g.relation),
           format('for whoever writes to %s its function %s runs as its owner %I, whom policies do not hold', g.relation, g.function, g.owner),
           format('ALTER ROUTINE %s SECURITY INVOKER', g.function)
    FROM (SELECT array_agg(m.relation) AS tables FROM members m WHERE m.action IN ('column', 'path')) p
    CROSS JOIN LATERAL tenancy.triggers_as_owner(p.tables) g
    WHERE p.tables IS NOT NULL AND g.owner_bypasses AND g.foreign_key IS NULL
    UNION ALL
    SELECT g.relation, 'trigger_by_cascade', 'warning', format('trigger %I on %s', g.trigger, g.relation),
           format('where %I deletes or changes rows, its function %s runs as %I, the owner of the table, whom policies do not hold',
                  g.foreign_key, g.function, g.owner),
           format('Give the table to a role without SUPERUSER and BYPASSRLS: ALTER TABLE %s OWNER TO ...', g.key_of)
    FROM (SELECT array_agg(m.relation) AS tables FROM members m WHERE m.action IN ('column', 'path')) p
    CROSS JOIN LATERAL tenancy.triggers_as_owner(p.tables) g
    WHERE p.tables IS NOT NULL AND g.owner_bypasses AND g.foreign_key IS NOT NULL AND g.runs_statements
    UNION ALL
    SELECT NULL, 'function_as_owner', 'warning', format('function %s', f.oid::regprocedure),
           format('it runs as its owner %s%s', f.proowner::regrole,
                  CASE WHEN w.rolsuper OR w.rolbypassrls THEN ', whom policies do not hold' ELSE '' END),
           format('ALTER ROUTINE %s SECURITY INVOKER', f.oid::regprocedure)
    FROM pg_proc f
    JOIN pg_roles w ON w.oid = f.proowner
    WHERE f.prosecdef AND (w.rolsuper OR w.rolbypassrls)
      AND f.oid NOT IN (SELECT g.function FROM tenancy.triggers_as_owner(ARRAY(SELECT m.relation FROM members m)) g WHERE g.foreign_key IS NULL)
      AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'tenancy'::regnamespace,
                                  'tenancy_internal'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e')
    UNION ALL
    -- Policies call functions that a role needs EXECUTE on.
    SELECT NULL, 'role_not_granted', 'warning', format('role %I', w.rolname),
           format('it %s %s of these tables, such as %s, and policies would refuse it: permission denied for a function',
                  CASE WHEN bool_or(g.owns) THEN 'owns' ELSE 'uses' END, count(DISTINCT g.relation), min(g.relation::text)),
           format('SELECT tenancy.grant_app(%L)', w.rolname)
    FROM (SELECT t.relation, t.relowner AS role, true AS owns FROM t WHERE t.action IN ('column', 'path')
          UNION ALL
          SELECT t.relation, a.grantee, false
          FROM t JOIN pg_class c ON c.oid = t.relation CROSS JOIN LATERAL aclexplode(c.relacl) a
          WHERE t.action IN ('column', 'path') AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')) g
    JOIN pg_roles w ON w.oid = g.role AND NOT w.rolsuper AND NOT w.rolbypassrls
    WHERE NOT has_function_privilege(w.oid, 'tenancy.current_tenant_id()', 'EXECUTE')
    GROUP BY w.oid, w.rolname
    UNION ALL
    SELECT NULL, 'triggers_fire', 'error', format('role %I', current_user),
           'it may not set session_replication_role, so the backfill would set off the application''s triggers',
           format('Migrate as a superuser, or GRANT SET ON PARAMETER session_replication_role TO %I', current_user)
    WHERE NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
      AND NOT has_parameter_privilege('session_replication_role', 'SET')
      AND EXISTS (SELECT FROM t JOIN members m ON m.root = t.relation
                  JOIN pg_trigger g ON g.tgrelid = m.relation AND NOT g.tgisinternal AND g.tgtype & 16 <> 0
                  WHERE t.gets_column)
    UNION ALL
    SELECT t.relation, 'lock', 'info', format('table %s', t.relation),
           format('short exclusive locks, each given up after a moment and tried again; beside the running application %s: backfill about %s, checks and indexes about %s',
                  pg_size_pretty(s.bytes), s.backfill, s.scans), NULL
    FROM t
    CROSS JOIN LATERAL (
        SELECT sum(pg_relation_size(m.relation)) AS bytes,
               -- What a small machine did: 40,000 rows or 8 MB a second with the pauses, 100 MB a second reading.
               make_interval(secs => round(CASE WHEN t.source IN ('system', 'existing') THEN 0
                    ELSE greatest(sum(greatest(c.reltuples, 0)) / 40000, sum(pg_relation_size(m.relation)) / 8e6) END)::double precision)::text AS backfill,
               make_interval(secs => round((sum(pg_relation_size(m.relation)) * 4 / 1e8)::numeric)::double precision)::text AS scans
        FROM members m JOIN pg_class c ON c.oid = m.relation AND c.relkind = 'r'
        WHERE m.root = t.relation) s
    WHERE t.gets_column
$$;

COMMENT ON FUNCTION tenancy.finding_of_catalogue(tenancy.migration_tables[], jsonb) IS
'what the catalogue holds against the plan, or has to say about it; internal';

-- Unique keys and foreign keys as the tables' protection will make them, by the catalogue alone.
CREATE FUNCTION tenancy.finding_of_keys(planned tenancy.migration_tables[], options jsonb)
RETURNS TABLE (relation regclass, code text, severity text, object text, detail text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH t AS MATERIALIZED (
        SELECT p.relation, p.source, coalesce(p.overrides -> 'global_keys', '[]') AS global_keys
        FROM unnest(planned) p WHERE p.action = 'column'
    )
    SELECT t.relation, 'unique_per_tenant', 'info', format('unique key %I on table %s', c.relname, t.relation),
           format('(%s) becomes unique per tenant: what two tenants may both have, an application that looks it up without a tenant must tell apart',
                  (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
                   FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)),
           format('To keep it unique in the whole database: tables => {%s: {"global_keys": [%s]}}', to_json(t.relation::text), to_json(c.relname::text))
    FROM t
    JOIN pg_index i ON i.indrelid = t.relation AND i.indisunique
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT t.global_keys ? c.relname::text
      -- Keys that are handed out by a sequence or at random never meet.
      AND NOT EXISTS (SELECT FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                      WHERE a.attrelid = i.indrelid AND i.indnkeyatts = 1 AND a.attnum = i.indkey[0]
                        AND (a.attidentity <> '' OR d.oid IS NOT NULL OR a.atttypid = 'uuid'::regtype))
      AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = options ->> 'tenant_column'
                        AND a.attnum = ANY (i.indkey::smallint[]))
    UNION ALL
    SELECT t.relation, 'foreign_key_per_tenant', 'info', format('constraint %I on table %s', f.conname, t.relation),
           format('will be (%1$I, %2$s) to (%1$I, %3$s) of %4$s', options ->> 'tenant_column', array_to_string(tenancy.columns_named(f.conrelid, f.conkey), ', '),
                  array_to_string(tenancy.columns_named(f.confrelid, f.confkey), ', '), f.confrelid::regclass), NULL
    FROM t
    JOIN pg_constraint f ON f.conrelid = t.relation AND f.contype = 'f' AND f.conparentid = 0
    JOIN t AS p ON p.relation = f.confrelid
    UNION ALL
    SELECT t.relation, 'exclusion_across', 'warning', format('constraint %I on table %s', f.conname, t.relation),
           'it excludes rows of one tenant for those of another', 'Make it anew with the tenant column as its first element, WITH =.'
    FROM t JOIN pg_constraint f ON f.conrelid = t.relation AND f.contype = 'x' AND f.conparentid = 0
$$;

COMMENT ON FUNCTION tenancy.finding_of_keys(tenancy.migration_tables[], jsonb) IS 'what the plan makes of unique keys and foreign keys; internal';

CREATE FUNCTION tenancy.plan_migration(
    strategy text DEFAULT 'auto',
    tables jsonb DEFAULT '{}',
    users regclass DEFAULT NULL,
    source_column name DEFAULT NULL,
    tenant_column name DEFAULT NULL,
    schemas name[] DEFAULT NULL,
    examine boolean DEFAULT true
) RETURNS TABLE (kind text, severity text, code text, relation regclass, object text, detail text, fix text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    options jsonb;
    planned tenancy.migration_tables[];
BEGIN
    PERFORM tenancy.refuse_null(plan_migration.examine IS NULL, 'examine');
    options := tenancy.migration_options(plan_migration.strategy, plan_migration.tables, plan_migration.users,
                                         plan_migration.source_column, plan_migration.tenant_column, plan_migration.schemas);
    planned := ARRAY(SELECT p FROM tenancy.plan_tables(options) p ORDER BY p.ordinal);
    RETURN QUERY
    SELECT r.* FROM (
        SELECT 'strategy', 'info', options ->> 'strategy', (options ->> 'users')::regclass, format('column %I', options ->> 'tenant_column'),
               CASE options ->> 'strategy'
                   WHEN 'system' THEN 'all rows belong to the default tenant'
                   WHEN 'personal' THEN format('each row of %s is given a tenant of its own, and others follow it', options ->> 'users')
                   ELSE format('the values of column %I are the tenants', options ->> 'tenant_column') END, NULL
        UNION ALL
        SELECT 'table', 'info', p.action, p.relation, format('table %s', p.relation), p.detail, NULL
        FROM unnest(planned) p
        UNION ALL
        (SELECT 'finding', f.severity, f.code, f.relation, f.object, f.detail, f.fix
         FROM (SELECT * FROM tenancy.finding_of_catalogue(planned, options)
               UNION ALL
               SELECT * FROM tenancy.finding_of_keys(planned, options)
               UNION ALL
               SELECT x.* FROM tenancy.finding_of_rows(planned, options) x WHERE plan_migration.examine) f
         ORDER BY array_position(ARRAY['error', 'warning', 'info'], f.severity), f.code, f.object)
    ) AS r;
END
$$;

COMMENT ON FUNCTION tenancy.plan_migration(text, jsonb, regclass, name, name, name[], boolean) IS
'what would become of the tables of an application: rows of kind strategy, table (code is the action) and finding (error, warning or info, with the statement that repairs it); changes nothing; examine => false does not look at rows';

