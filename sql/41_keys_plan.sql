-- Which keys of protected tables must change, as rows for those who ask and as statements for protect() and unprotect().

-- Why a unique key cannot be replaced, whatever the tables around it are.
CREATE FUNCTION tenancy.key_bound_by(index_id oid, constraint_id oid, columns name[], tenant_column name) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE
        WHEN NOT pg_has_role(c.relowner, 'USAGE') THEN format('The caller is not the owner of table %s.', c.oid::regclass)
        WHEN m.amname <> 'btree' THEN format('It is of the kind %s, not btree.', m.amname)
        WHEN NOT i.indisvalid THEN 'Its index is not valid; reindex or drop it.'
        WHEN cardinality(columns) > 31 THEN 'It has as many columns as an index can have.'
        WHEN d.dependent IS NOT NULL THEN format('%s%s depends on it.', upper(left(d.dependent, 1)), substr(d.dependent, 2))
        WHEN b.pubname IS NOT NULL
            THEN format('Publication %I lists the table''s columns without %I, and updates are identified by this key.', b.pubname, tenant_column)
    END
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am m ON m.oid = x.relam
    JOIN pg_class c ON c.oid = i.indrelid
    LEFT JOIN LATERAL (
        SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent
        FROM pg_depend d
        WHERE (d.refclassid, d.refobjid) IN (('pg_class'::regclass, index_id), ('pg_constraint'::regclass, constraint_id))
          AND d.deptype = 'n'
          AND NOT (d.classid = 'pg_constraint'::regclass
                   AND EXISTS (SELECT FROM pg_constraint f WHERE f.oid = d.objid AND f.contype = 'f'))
        ORDER BY 1
        LIMIT 1) d ON true
    LEFT JOIN LATERAL (
        SELECT p.pubname
        FROM pg_publication_rel r
        JOIN pg_publication p ON p.oid = r.prpubid AND (p.pubupdate OR p.pubdelete)
        WHERE r.prrelid = i.indrelid AND r.prattrs IS NOT NULL
          AND (i.indisreplident OR i.indisprimary AND c.relreplident = 'd')
          AND NOT EXISTS (SELECT FROM pg_attribute a
                          WHERE a.attrelid = i.indrelid AND a.attname = tenant_column AND a.attnum = ANY (r.prattrs))
        LIMIT 1) b ON true
    WHERE i.indexrelid = index_id;
END;

COMMENT ON FUNCTION tenancy.key_bound_by(oid, oid, name[], name) IS
'why a unique key cannot get the tenant as its first column, or null; internal';

CREATE FUNCTION tenancy.same_columns(one name[], other name[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN one @> other AND one <@ other AND cardinality(one) = cardinality(other);

COMMENT ON FUNCTION tenancy.same_columns(name[], name[]) IS 'whether two lists hold the same columns in whatever order; internal';

-- How the keys of some tables, and of those that foreign keys connect them with, differ from what they should be once the
-- tables come under protection (entering) or leave it. A key gets the tenant unless it is exempt, or something that knows
-- no tenant needs it as it is; a foreign key gets it when both its ends have one. A key that stays as it is while foreign
-- keys with the tenant refer to its columns gets a companion beside it, the parent_key, under the name of a prepared key.
-- Planning this costs more than running it, so its plan is kept, and none of it is worth compiling.
CREATE FUNCTION tenancy.key_steps(touched regclass[], entering boolean, tenant_column name, column_type regtype, among regclass[],
                                  global_keys name[])
RETURNS TABLE (kind text, relation regclass, name name, change text, tree oid[], constraint_id oid, parent regclass,
               child_column name, parent_column name, blocked text, was jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH around AS MATERIALIZED (
        SELECT unnest(touched) AS relation
        UNION
        SELECT coalesce(pg_partition_root(f.confrelid), f.confrelid)
        FROM pg_constraint f WHERE f.conrelid = ANY (touched) AND f.contype = 'f' AND f.conparentid = 0
        UNION
        SELECT f.child
        FROM tenancy.foreign_keys_on(ARRAY(SELECT i.indexrelid FROM pg_index i
                                           WHERE i.indrelid = ANY (touched) AND i.indisunique)) f
    ), members AS MATERIALIZED (
        SELECT a.relation, coalesce(p.tenant_column, key_steps.tenant_column) AS tenant_column,
               entering OR a.relation <> ALL (touched) AS is_after,
               coalesce(p.keys, '{}') AS recorded,
               coalesce(p.global_keys, '{}')
                   || CASE WHEN a.relation = ANY (touched) THEN key_steps.global_keys ELSE '{}' END AS exempt
        FROM around a
        LEFT JOIN tenancy.protected_tables p ON p.relation = a.relation
        WHERE p.relation IS NOT NULL OR entering AND (a.relation = ANY (touched) OR a.relation = ANY (among))
    ), keys AS MATERIALIZED (
        SELECT k.*, m.tenant_column, m.is_after, k.name = ANY (m.exempt) AS is_exempt,
               coalesce(m.tenant_column = ANY (k.columns), false) AS has_tenant, c.is_changed,
               CASE WHEN c.is_changed THEN k.columns[2:] ELSE k.columns END AS own_columns,
               tenancy.prepared_index(k.index_id) AS companion
        FROM members m
        CROSS JOIN LATERAL tenancy.unique_keys(ARRAY[m.relation]) k
        CROSS JOIN LATERAL (SELECT coalesce(m.recorded ? k.name::text AND k.columns[1] = m.tenant_column, false)) AS c (is_changed)
    ), links AS MATERIALIZED (
        -- The referring table of one need not be around.
        SELECT f.*, k.relation AS key_relation, k.tree, k.tenant_column AS parent_column,
               coalesce(c.tenant_after, c.tenant_before) AS child_column,
               k.is_after AND c.tenant_after IS NOT NULL AS is_inside,
               EXISTS (SELECT FROM unnest(f.columns, f.parent_columns) AS u (child_key, parent_key)
                       WHERE u.child_key = coalesce(c.tenant_after, c.tenant_before) AND u.parent_key = k.tenant_column) AS has_tenant,
               d.is_changed, c.recorded -> f.name::text AS was,
               CASE WHEN d.is_changed THEN f.parent_columns[2:] ELSE f.parent_columns END AS own_parent_columns
        FROM keys k
        CROSS JOIN LATERAL tenancy.foreign_keys_on(k.tree) f
        CROSS JOIN LATERAL (
            SELECT r.tenant_column AS tenant_before, coalesce(r.keys, '{}') AS recorded,
                   CASE WHEN entering AND (f.child = ANY (touched) OR f.child = ANY (among))
                        THEN coalesce(r.tenant_column, key_steps.tenant_column)
                        WHEN entering OR f.child <> ALL (touched) THEN r.tenant_column END AS tenant_after
            FROM (SELECT) AS always
            LEFT JOIN tenancy.protected_tables r ON r.relation = f.child) c
        CROSS JOIN LATERAL (SELECT coalesce(c.recorded ? f.name::text AND f.columns[1] = c.tenant_before
                                            AND f.parent_columns[1] = k.tenant_column, false)) AS d (is_changed)
    ), judged AS MATERIALIZED (
        SELECT l.*,
               CASE WHEN l.has_tenant OR NOT l.is_inside THEN NULL
                    WHEN NOT pg_has_role(c.relowner, 'USAGE') OR NOT pg_has_role(o.relowner, 'USAGE')
                        THEN format('The caller is not the owner of table %s.',
                                    CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN l.parent ELSE l.child END)
                    WHEN l.child_column = ANY (l.columns) OR l.parent_column = ANY (l.parent_columns)
                        THEN format('It pairs the tenant column of %s with another column.',
                                    CASE WHEN l.child_column = ANY (l.columns) THEN l.child ELSE l.parent END)
                    WHEN cardinality(l.columns) > 31 THEN 'It has as many columns as a foreign key can have.'
                    WHEN (to_jsonb(f) ->> 'conperiod')::boolean THEN 'It refers to a period of time.'
                    WHEN t.child_type <> t.parent_type
                         AND NOT (t.child_type IN ('bigint'::regtype, 'integer'::regtype)
                                  AND t.parent_type IN ('bigint'::regtype, 'integer'::regtype))
                        THEN format('The tenant columns are of different types, %s and %s.', t.child_type, t.parent_type)
               END AS blocked
        FROM links l
        JOIN pg_constraint f ON f.oid = l.constraint_id
        JOIN pg_class c ON c.oid = l.child
        JOIN pg_class o ON o.oid = l.key_relation
        LEFT JOIN pg_attribute a ON a.attrelid = l.child AND a.attname = l.child_column AND NOT a.attisdropped
        LEFT JOIN pg_attribute b ON b.attrelid = l.parent AND b.attname = l.parent_column AND NOT b.attisdropped
        CROSS JOIN LATERAL (SELECT coalesce(a.atttypid::regtype, key_steps.column_type),
                                   coalesce(b.atttypid::regtype, key_steps.column_type)) AS t (child_type, parent_type)
    ), settled AS MATERIALIZED (
        SELECT j.*, j.is_inside AND (j.has_tenant OR j.blocked IS NULL) AS will_have_tenant,
               CASE WHEN j.is_inside AND NOT j.has_tenant AND j.blocked IS NULL THEN 'add'
                    WHEN NOT j.is_inside AND j.is_changed THEN 'remove'
                    ELSE 'none' END AS link_change
        FROM judged j
    ), bound AS MATERIALIZED (
        SELECT k.*,
               CASE WHEN NOT k.has_tenant THEN tenancy.key_bound_by(k.index_id, k.constraint_id, k.columns, k.tenant_column) END AS bound_by,
               (SELECT format('Constraint %I of table %s, which %s, refers to it.', s.name, s.child,
                              CASE WHEN s.is_inside THEN 'cannot have the tenant'
                                   WHEN EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = s.child) THEN 'has no tenant column'
                                   ELSE 'is not protected' END)
                FROM settled s
                WHERE NOT s.will_have_tenant
                  AND CASE WHEN s.is_changed
                           THEN k.is_changed AND s.key_relation = k.relation AND tenancy.same_columns(s.own_parent_columns, k.own_columns)
                           ELSE s.tree = k.tree AND NOT s.has_tenant END
                ORDER BY s.child, s.name
                LIMIT 1) AS pinned_by
        FROM keys k
    ), decided AS MATERIALIZED (
        SELECT b.*,
               CASE WHEN b.is_changed AND (NOT b.is_after OR b.is_exempt OR b.pinned_by IS NOT NULL) THEN 'remove'
                    WHEN b.is_after AND NOT b.has_tenant AND NOT b.is_exempt AND b.bound_by IS NULL AND b.pinned_by IS NULL THEN 'add'
                    ELSE 'none' END AS key_change
        FROM bound b
    ), accompanied AS MATERIALIZED (
        SELECT d.*,
               d.is_after AND d.is_plain AND (d.key_change = 'remove' OR d.key_change = 'none' AND NOT d.has_tenant)
               AND EXISTS (SELECT FROM settled s
                           WHERE s.will_have_tenant AND s.key_relation = d.relation
                             AND tenancy.same_columns(array_remove(s.parent_columns, d.tenant_column), d.own_columns))
               AND NOT EXISTS (
                   SELECT FROM decided o
                   WHERE o.relation = d.relation AND o.index_id <> d.index_id AND o.index_id IS DISTINCT FROM d.companion AND o.is_plain
                     AND tenancy.same_columns(CASE o.key_change WHEN 'add' THEN o.tenant_column || o.columns
                                                                WHEN 'remove' THEN o.own_columns ELSE o.columns END,
                                              d.tenant_column || d.own_columns)) AS needs_companion
        FROM decided d
    )
    SELECT c.* FROM (
        SELECT 'parent_key' AS kind, a.relation, tenancy.prepared_name(a.name) AS name,
               CASE WHEN NOT a.needs_companion THEN 'remove' WHEN a.key_change = 'remove' THEN 'same' ELSE 'add' END,
               a.tree, a.constraint_id, NULL::regclass AS parent, a.tenant_column, NULL::name, NULL::text AS blocked, NULL::jsonb
        FROM accompanied a
        WHERE CASE WHEN a.companion IS NULL THEN a.needs_companion
                   ELSE NOT entering AND NOT a.needs_companion AND a.key_change <> 'add' END
        UNION ALL
        SELECT 'unique', a.relation, a.name, a.key_change, a.tree, a.constraint_id, NULL, a.tenant_column, NULL,
               CASE a.key_change WHEN 'none' THEN coalesce(a.bound_by, a.pinned_by) END, NULL
        FROM accompanied a
        WHERE a.key_change <> 'none'
           OR a.relation = ANY (touched) AND a.is_after AND NOT a.has_tenant AND NOT a.is_exempt
        UNION ALL
        -- One that stays as it is lets go of a key that is replaced.
        SELECT 'foreign_key', s.child, s.name, CASE s.link_change WHEN 'none' THEN 'same' ELSE s.link_change END, s.tree,
               s.constraint_id, s.parent, s.child_column, s.parent_column, s.blocked, s.was
        FROM settled s
        JOIN accompanied a ON a.tree = s.tree
        WHERE s.link_change <> 'none' OR s.blocked IS NOT NULL OR a.key_change <> 'none'
    ) AS c (kind, relation, name, change, tree, constraint_id, parent, child_column, parent_column, blocked, was)
    ORDER BY array_position(ARRAY['parent_key', 'unique', 'foreign_key'], c.kind), c.relation, c.name;
END
$$;

COMMENT ON FUNCTION tenancy.key_steps(regclass[], boolean, name, regtype, regclass[], name[]) IS
'which keys and foreign keys of tables and of those around them get the tenant column (add), lose it (remove) or are made again (same), and which cannot; internal';

CREATE FUNCTION tenancy.foreign_key_before(constraint_id oid) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'match_full', CASE WHEN f.confmatchtype = 'f' THEN true END,
        'check', CASE WHEN f.confmatchtype = 'f' AND cardinality(f.conkey) > 1 AND tenancy.may_hold_null(f.oid)
                      THEN tenancy.unused_name(f.conrelid, '', 'nulls') END,
        'update_null', CASE WHEN f.confupdtype = 'n' THEN true END,
        'delete_list', CASE WHEN f.confdelsetcols IS NOT NULL THEN true END))
    FROM pg_constraint f
    WHERE f.oid = constraint_id;
END;

COMMENT ON FUNCTION tenancy.foreign_key_before(oid) IS
'what cannot be read back from a foreign key once it has the tenant; internal';

-- `loosen` of all changes runs before any `swap`, and those before any `tie`; `undo` of all before any `retie`.
CREATE FUNCTION tenancy.key_plan(touched regclass[], entering boolean, tenant_column name, column_type regtype, among regclass[],
                                 global_keys name[], in_full boolean)
RETURNS TABLE (kind text, relation regclass, name name, change text, parent regclass, leads boolean, old_definition text,
               new_definition text, prepare text[], loosen text[], swap text[], tie text[], undo text[], retie text[], blocked text, was jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    step record;
    checking text;
    comments text[];
    successor record;
BEGIN
    FOR step IN SELECT s.* FROM tenancy.key_steps(touched, entering, tenant_column, column_type, among, global_keys) s LOOP
        kind := step.kind;
        relation := step.relation;
        name := step.name;
        change := CASE WHEN step.blocked IS NULL THEN step.change ELSE 'none' END;
        blocked := step.blocked;
        parent := step.parent;
        leads := kind <> 'foreign_key' AND change IN ('add', 'same')
            AND EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = step.tree[cardinality(step.tree)] AND i.indpred IS NULL);
        was := NULL;
        old_definition := NULL;
        new_definition := NULL;
        prepare := '{}';
        loosen := '{}';
        swap := '{}';
        tie := '{}';
        undo := '{}';
        retie := '{}';
        CASE kind
        WHEN 'parent_key' THEN
            IF change = 'remove' THEN
                old_definition := pg_get_indexdef(tenancy.prepared_index(step.tree[cardinality(step.tree)]));
                swap := ARRAY[format('DROP INDEX %s', tenancy.prepared_index(step.tree[cardinality(step.tree)])::regclass)];
            ELSE
                new_definition := tenancy.index_text(step.tree[cardinality(step.tree)], step.name, step.child_column, change, false);
                swap := ARRAY[new_definition];
                prepare := ARRAY(SELECT s FROM tenancy.prepare_key_statements(step.tree, step.child_column, true) s WHERE in_full);
                undo := ARRAY(SELECT format('DROP INDEX %s.%I', x.relnamespace::regnamespace, step.name)
                              FROM pg_class x WHERE x.oid = step.tree[cardinality(step.tree)]);
            END IF;
        WHEN 'unique' THEN
            old_definition := CASE WHEN step.constraint_id IS NULL THEN pg_get_indexdef(step.tree[cardinality(step.tree)])
                                   ELSE pg_get_constraintdef(step.constraint_id) END;
            IF change <> 'none' THEN
                new_definition := CASE WHEN step.constraint_id IS NULL
                    THEN tenancy.index_text(step.tree[cardinality(step.tree)], step.name, step.child_column, change, false)
                    ELSE tenancy.constraint_text(step.constraint_id, step.child_column, change) END;
                swap := ARRAY(SELECT s FROM tenancy.key_statements(step.tree, step.child_column, change) s);
                IF change = 'add' THEN
                    IF in_full THEN
                        prepare := ARRAY(SELECT s FROM tenancy.prepare_key_statements(step.tree, step.child_column, true) s);
                        undo := ARRAY(SELECT s FROM tenancy.key_statements(step.tree, step.child_column, 'same') s);
                    END IF;
                    was := '{}';
                END IF;
            END IF;
        WHEN 'foreign_key' THEN
            old_definition := pg_get_constraintdef(step.constraint_id);
            IF change <> 'none' THEN
                new_definition := tenancy.foreign_key_text(step.constraint_id, step.child_column, step.parent_column, change, step.was);
                loosen := ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', relation, name)];
                tie := ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation, name, new_definition)];
                IF change = 'add' THEN
                    SELECT f.conname, f.convalidated, o.convalidated AS was_validated, c.relkind = 'r' AND p.relkind = 'r' AS online
                    INTO successor
                    FROM pg_constraint o
                    JOIN pg_class c ON c.oid = o.conrelid
                    JOIN pg_class p ON p.oid = o.confrelid
                    LEFT JOIN pg_constraint f ON f.conrelid = o.conrelid AND f.contype = 'f' AND f.conname = tenancy.prepared_name(o.conname)
                    WHERE o.oid = step.constraint_id;
                    IF successor.online AND successor.conname IS NULL THEN
                        prepare := prepare || format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation, tenancy.prepared_name(name),
                            CASE WHEN new_definition LIKE '% NOT VALID' THEN new_definition ELSE new_definition || ' NOT VALID' END);
                    END IF;
                    IF successor.online AND successor.was_validated AND successor.convalidated IS NOT TRUE THEN
                        prepare := prepare || format('ALTER TABLE %s VALIDATE CONSTRAINT %I', relation, tenancy.prepared_name(name));
                    END IF;
                    IF successor.conname IS NOT NULL AND successor.convalidated = successor.was_validated THEN
                        tie := ARRAY[format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, successor.conname, name)];
                    END IF;
                    was := tenancy.foreign_key_before(step.constraint_id);
                    checking := was ->> 'check';
                    IF checking IS NOT NULL THEN
                        tie := tie || (SELECT format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (num_nulls(%s) = ANY (ARRAY[0, %s]))', relation,
                                                     checking, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), count(*))
                                       FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)
                                       WHERE f.oid = step.constraint_id);
                        undo := ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', relation, checking)];
                    END IF;
                    undo := undo || loosen;
                    retie := ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation, name, old_definition)];
                ELSIF EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = step.relation AND f.conname = step.was ->> 'check' AND f.contype = 'c')
                      AND change = 'remove' THEN
                    loosen := loosen || format('ALTER TABLE %s DROP CONSTRAINT %I', relation, step.was ->> 'check');
                END IF;
                comments := ARRAY(SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', step.name, step.relation, d.description)
                                  FROM pg_description d WHERE d.classoid = 'pg_constraint'::regclass AND d.objoid = step.constraint_id);
                tie := tie || comments;
                retie := CASE WHEN retie = '{}' THEN '{}' ELSE retie || comments END;
            END IF;
        END CASE;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.key_plan(regclass[], boolean, name, regtype, regclass[], name[], boolean) IS
'the changes of key_steps() as statements, in_full also those that prepare and undo unique keys; internal';

CREATE FUNCTION tenancy.refuse_bad_keys(of regclass, tenant_column name, global_keys name[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown name;
BEGIN
    IF tenant_column IS NULL OR global_keys IS NULL OR array_position(global_keys, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = format('%s must not be null', CASE WHEN tenant_column IS NULL THEN 'tenant_column' ELSE 'global_keys' END),
            HINT = 'Leave the argument out for its default.';
    END IF;
    SELECT g INTO unknown
    FROM unnest(global_keys) g
    WHERE g NOT IN (SELECT k.name FROM tenancy.unique_keys(ARRAY(SELECT t.relation FROM tenancy.tree_of(of) t)) k)
    LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('relation %s has no unique key "%s"', of, unknown),
            HINT = 'global_keys holds names of primary keys, unique constraints and unique indexes.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_keys(regclass, name, name[]) IS
'raises 22004 or 42704 for a list of keys that is not one of this table; internal';

-- Foreign keys stand in the way of keys: the first row takes all away, and is the last to be undone and brings them back.
CREATE FUNCTION tenancy.key_changes(of regclass, tenant_column name DEFAULT 'tenant_id', among regclass[] DEFAULT NULL,
                                    global_keys name[] DEFAULT '{}', column_type regtype DEFAULT 'uuid')
RETURNS TABLE (kind text, relation regclass, name name, old_definition text, new_definition text, prepare text[], swap text[],
               undo text[], blocked text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
BEGIN
    PERFORM tenancy.refuse_other_owner(of);
    PERFORM tenancy.refuse_bad_keys(of, tenant_column, global_keys);
    RETURN QUERY
    WITH plan AS MATERIALIZED (
        SELECT row_number() OVER () AS place, p.*
        FROM tenancy.key_plan(ARRAY(SELECT t.relation FROM tenancy.tree_of(of) t), true, key_changes.tenant_column,
                              key_changes.column_type, coalesce(among, '{}'), key_changes.global_keys, true) p
    )
    SELECT p.kind, p.relation, p.name, p.old_definition, p.new_definition, p.prepare,
           CASE WHEN p.place = (SELECT min(f.place) FROM plan f WHERE f.blocked IS NULL)
                THEN ARRAY(SELECT s FROM plan f CROSS JOIN unnest(f.loosen) s ORDER BY f.place) ELSE '{}' END || p.swap || p.tie,
           p.undo || CASE WHEN p.place = (SELECT min(f.place) FROM plan f WHERE f.blocked IS NULL)
                          THEN ARRAY(SELECT s FROM plan f CROSS JOIN unnest(f.retie) s ORDER BY f.place) ELSE '{}' END,
           p.blocked
    FROM plan p
    ORDER BY p.place;
END
$$;

COMMENT ON FUNCTION tenancy.key_changes(regclass, name, regclass[], name[], regtype) IS
'what becomes of the unique keys and foreign keys of a table, and of those around it, when it is protected beside those of among and those that are protected already: each with the statements that prepare it online, those that swap it in one transaction in the order of the rows, those that undo it in the opposite order, and why it stays as it is if it must (blocked)';

-- Doing it ----------------------------------------------------------------------------------------------------------

CREATE TYPE tenancy.key_statement AS (
    phase integer,
    relation regclass,
    name name,
    change text,
    was jsonb,
    leads boolean,
    statement text
);

COMMENT ON TYPE tenancy.key_statement IS 'a statement of a change of keys, or with none what the registry keeps of it; internal';

-- Foreign keys that stand in the way go first and come last. The owner of a table under FORCE is held by its policies also
-- where PostgreSQL checks its rows against a new foreign key: FORCE is lifted meanwhile, in this transaction.
CREATE FUNCTION tenancy.key_phases(touched regclass[], entering boolean, tenant_column name, column_type regtype, global_keys name[])
RETURNS SETOF tenancy.key_statement
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH plan AS MATERIALIZED (
        SELECT row_number() OVER () AS place, p.*
        FROM tenancy.key_plan(touched, entering, tenant_column, column_type, '{}', global_keys, false) p
    ), held AS MATERIALIZED (
        SELECT DISTINCT t.relation
        FROM plan p
        CROSS JOIN unnest(ARRAY[p.relation, p.parent]) AS r (relation)
        CROSS JOIN tenancy.tree_of(r.relation) t
        JOIN pg_class c ON c.oid = t.relation AND c.relrowsecurity AND c.relforcerowsecurity
        LEFT JOIN tenancy.protected_tables o ON o.relation = t.relation
        WHERE p.tie <> '{}' AND (entering OR t.relation <> ALL (touched) OR (o.undo ->> 'force')::boolean)
          AND NOT EXISTS (SELECT FROM pg_roles u WHERE u.rolname = current_user AND (u.rolsuper OR u.rolbypassrls))
    )
    SELECT s.phase, s.relation, s.name, s.change, s.was, s.leads, s.statement
    FROM (
        SELECT 0 AS phase, 0 AS place, 0 AS number, h.relation, NULL::name AS name, NULL::text AS change, NULL::jsonb AS was,
               false AS leads, format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', h.relation) AS statement
        FROM held h
        UNION ALL
        SELECT n.phase, p.place, n.number, p.relation, p.name, p.change, NULL, p.leads, n.statement
        FROM plan p
        CROSS JOIN LATERAL (
            SELECT 1, u.number, u.statement FROM unnest(p.loosen) WITH ORDINALITY AS u (statement, number)
            UNION ALL SELECT 2, u.number, u.statement FROM unnest(p.swap) WITH ORDINALITY AS u (statement, number)
            UNION ALL SELECT 3, u.number, u.statement FROM unnest(p.tie) WITH ORDINALITY AS u (statement, number)
        ) AS n (phase, number, statement)
        UNION ALL
        -- The index that protect() made while no key led with the tenant.
        SELECT 2, 1000000, 0, o.relation, x.relname, 'remove', NULL, false, format('DROP INDEX %s', x.oid::regclass)
        FROM tenancy.protected_tables o
        JOIN pg_index i ON i.indrelid = o.relation AND i.indpred IS NULL AND i.indnatts = 1 AND NOT (i.indisunique OR i.indisclustered)
        JOIN pg_class x ON x.oid = i.indexrelid AND x.relname = o.undo ->> 'index'
        WHERE entering AND o.relation IN (SELECT p.relation FROM plan p WHERE p.leads)
        UNION ALL
        SELECT 4, 0, 0, h.relation, NULL, NULL, NULL, false, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', h.relation)
        FROM held h
        UNION ALL
        SELECT 5, p.place, 0, p.relation, p.name, p.change, p.was, false, NULL
        FROM plan p
        WHERE p.kind <> 'parent_key' AND p.change IN ('add', 'remove')
    ) s
    ORDER BY s.phase, s.place, s.number, s.relation;
END;

COMMENT ON FUNCTION tenancy.key_phases(regclass[], boolean, name, regtype, name[]) IS
'all that changes with the keys of tables that come under protection or leave it, in the order of doing; internal';

CREATE FUNCTION tenancy.run_key_phases(plan tenancy.key_statement[]) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step tenancy.key_statement;
    violated text;
BEGIN
    UPDATE tenancy.protected_tables p SET is_changing = true
    WHERE p.relation IN (SELECT k.relation FROM unnest(plan) k WHERE k.phase = 0);
    FOR step IN SELECT k.* FROM unnest(plan) k WHERE k.phase = 0 LOOP
        EXECUTE step.statement;
    END LOOP;
    BEGIN
        FOR step IN SELECT k.* FROM unnest(plan) k WHERE k.phase BETWEEN 1 AND 3 LOOP
            EXECUTE step.statement;
        END LOOP;
    EXCEPTION WHEN foreign_key_violation OR unique_violation OR check_violation THEN
        GET STACKED DIAGNOSTICS violated = MESSAGE_TEXT;
        RETURN violated;
    END;
    FOR step IN SELECT k.* FROM unnest(plan) k WHERE k.phase = 4 LOOP
        EXECUTE step.statement;
    END LOOP;
    UPDATE tenancy.protected_tables p SET is_changing = false
    WHERE p.relation IN (SELECT k.relation FROM unnest(plan) k WHERE k.phase = 0);
    UPDATE tenancy.protected_tables p SET keys = p.keys - n.gone || n.changed
    FROM (SELECT k.relation, coalesce(jsonb_object_agg(k.name, k.was) FILTER (WHERE k.change = 'add'), '{}') AS changed,
                 coalesce(array_agg(k.name::text) FILTER (WHERE k.change = 'remove'), '{}') AS gone
          FROM unnest(plan) k WHERE k.phase = 5 GROUP BY k.relation) n
    WHERE p.relation = n.relation;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION tenancy.run_key_phases(tenancy.key_statement[]) IS
'executes a change of keys, or returns what rows stand in its way and leaves the keys as they were; internal';

CREATE FUNCTION tenancy.count_seeing_all(rows_of text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE 'SELECT count(*) ' || rows_of INTO found;
    RETURN found;
END
$$;

COMMENT ON FUNCTION tenancy.count_seeing_all(text) IS
'counts the rows of a FROM clause as its caller, and raises where policies would hide some from it; internal';

CREATE FUNCTION tenancy.refuse_crossing_rows(of regclass, tenant_column name, violated text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step record;
    matching text;
    crossing text;
    found bigint;
    problems text[] := '{}';
    remedy text;
BEGIN
    FOR step IN
        SELECT s.relation, s.name, s.parent, s.child_column, s.parent_column, f.conkey, f.confkey
        FROM tenancy.key_steps(ARRAY(SELECT t.relation FROM tenancy.tree_of(of) t), true, refuse_crossing_rows.tenant_column,
                               NULL, '{}', '{}') s
        JOIN pg_constraint f ON f.oid = s.constraint_id AND f.convalidated
        WHERE s.kind = 'foreign_key' AND s.change = 'add' AND s.blocked IS NULL
    LOOP
        SELECT string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ' ORDER BY k.place) INTO matching
        FROM unnest(step.conkey, step.confkey) WITH ORDINALITY AS k (child_number, parent_number, place)
        JOIN pg_attribute a ON a.attrelid = step.relation AND a.attnum = k.child_number
        JOIN pg_attribute b ON b.attrelid = step.parent AND b.attnum = k.parent_number;
        crossing := format('FROM %s c JOIN %s p ON %s WHERE c.%I <> p.%I', step.relation, step.parent, matching,
                           step.child_column, step.parent_column);
        found := tenancy.count_seeing_all(crossing);
        IF found > 0 THEN
            problems := problems || format('By constraint %I %s of %s %s of %s.', step.name,
                CASE found WHEN 1 THEN '1 row' ELSE found || ' rows' END, step.relation,
                CASE found WHEN 1 THEN 'refers to another tenant''s row' ELSE 'refer to other tenants'' rows' END, step.parent);
            remedy := coalesce(remedy, 'SELECT c.* ' || crossing);
        END IF;
    END LOOP;
    PERFORM tenancy.refuse_protection(of, coalesce(array_to_string(nullif(problems, '{}'), ' '), format('Its keys cannot change: %s.', violated)),
        CASE WHEN remedy IS NULL THEN 'Correct the rows first.'
             ELSE format('Give these rows the tenant of what they refer to; %s finds them.', remedy) END);
END
$$;

COMMENT ON FUNCTION tenancy.refuse_crossing_rows(regclass, name, text) IS
'raises TN009 and says how many rows refer to rows of other tenants; internal';
