-- protect() and unprotect(): they plan all statements from the catalogue, under the lock, and then run them.

-- The statements that a backfill is wrapped in: what the triggers of the table make of an update (a time stamp, an audit
-- entry, a refusal) is not wanted for rows that only learn whose they are.
CREATE FUNCTION tenancy.trigger_statements(root regclass, enable boolean) RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT format('ALTER TABLE ONLY %s %s TRIGGER %I', t.relation,
                  CASE WHEN NOT enable THEN 'DISABLE'
                       ELSE CASE g.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END END,
                  g.tgname)
    FROM tenancy.tree_of(root) t
    JOIN pg_trigger g ON g.tgrelid = t.relation AND NOT g.tgisinternal AND g.tgenabled <> 'D'
    ORDER BY t.depth, t.relation, g.tgname;
END;

COMMENT ON FUNCTION tenancy.trigger_statements(regclass, boolean) IS
'the statements that switch the triggers of a table and its children off, or on as they are now; internal';

CREATE FUNCTION tenancy.policy_statements(relation regclass, tenant_column name, column_type regtype, own_policies boolean)
RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.statement
    FROM pg_class c
    CROSS JOIN LATERAL (
        SELECT 1 AS step, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation) AS statement
        WHERE NOT c.relrowsecurity
        UNION ALL
        SELECT 2, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation)
        WHERE NOT c.relforcerowsecurity
        UNION ALL
        SELECT 3, format('CREATE POLICY %I ON %s %s', e.policy, relation, e.definition)
        FROM tenancy.policies_for(tenant_column, column_type, own_policies) e
        WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = e.policy)
           OR e.policy IN (SELECT w.policy FROM tenancy.changed_policies(relation, tenant_column, column_type, own_policies) w)
    ) s
    WHERE c.oid = relation
    ORDER BY s.step;
END;

COMMENT ON FUNCTION tenancy.policy_statements(regclass, name, regtype, boolean) IS
'the statements that put a table under the policies that it lacks; internal';

-- The type that the tenant column has, or gets.
CREATE FUNCTION tenancy.tenant_column_type(relation regclass, tenant_column name, if_added regtype) RETURNS regtype
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    existing record;
    type regtype;
BEGIN
    SELECT a.atttypid, a.attnum, a.attgenerated, a.attidentity, l.collisdeterministic INTO existing
    FROM pg_attribute a
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = relation AND a.attname = tenant_column AND NOT a.attisdropped;
    type := coalesce(existing.atttypid::regtype, if_added);
    IF existing.attnum < 0 OR existing.attgenerated <> '' OR existing.attidentity <> '' THEN
        PERFORM tenancy.refuse_protection(relation,
            format('Column %I is %s column.', tenant_column,
                   CASE WHEN existing.attnum < 0 THEN 'a system' WHEN existing.attidentity <> '' THEN 'an identity'
                        ELSE 'a generated' END),
            'A tenant column is an ordinary column, which defaults to the current tenant.');
    ELSIF tenancy.tenants_column(type) IS NULL THEN
        PERFORM tenancy.refuse_protection(relation, format('Column %I is of type %s.', tenant_column, type),
                                          'A tenant column is of type uuid, text, bigint or integer; change the column''s type first.');
    ELSIF NOT existing.collisdeterministic THEN
        PERFORM tenancy.refuse_protection(relation,
            format('Column %I has a nondeterministic collation, by which keys of different tenants could be equal.', tenant_column),
            'Give the column a deterministic collation, such as "C".');
    END IF;
    RETURN type;
END
$$;

COMMENT ON FUNCTION tenancy.tenant_column_type(regclass, name, regtype) IS
'the type of a tenant column, that of if_added where there is none yet; raises TN009 when it cannot be one; internal';

CREATE FUNCTION tenancy.refuse_member(member regclass, root regclass, tenant_column name, column_type regtype, own_policies boolean)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.protected_tables;
    clash name;
BEGIN
    PERFORM tenancy.refuse_other_owner(member);
    PERFORM tenancy.refuse_unprotectable(member);
    SELECT p.* INTO registered FROM tenancy.protected_tables p WHERE p.relation = member;
    IF registered.tenant_column <> tenant_column THEN
        PERFORM tenancy.refuse_protection(member, format('It is protected already, by column %I.', registered.tenant_column),
                                          format('Call tenancy.unprotect(%L) first.', root));
    ELSIF registered.own_policies <> own_policies THEN
        PERFORM tenancy.refuse_protection(member,
            format('It is protected already, with own_policies => %s.', registered.own_policies::text),
            format('Call tenancy.unprotect(%L) first.', root));
    END IF;

    SELECT e.policy INTO clash FROM tenancy.changed_policies(member, tenant_column, column_type, own_policies) e LIMIT 1;
    IF clash IS NOT NULL AND registered.relation IS NULL THEN
        PERFORM tenancy.refuse_protection(member, format('It has a policy %I that is not tenancy''s.', clash),
                                          'Rename or drop that policy.');
    ELSIF clash IS NOT NULL AND NOT has_column_privilege('tenancy.protected_tables', 'undo', 'INSERT') THEN
        PERFORM tenancy.refuse_protection(member, format('Its policy %I was changed.', clash),
                                          'Call it as a superuser, or take the protection away with tenancy.unprotect() first.');
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_member(regclass, regclass, name, regtype, boolean) IS
'raises when a table of a tree cannot be protected with it; internal';

CREATE FUNCTION tenancy.member_statements(root regclass, tenant_column name, column_type regtype, own_policies boolean,
                                          foreign_key boolean, index boolean, is_column_part boolean, keyed regclass[])
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member record;
    undo jsonb;
    root_is_not_null boolean;
    root_has_default boolean;
BEGIN
    FOR member IN
        SELECT t.relation, t.relation = root AS is_root, c.relispartition, coalesce(a.attnotnull, false) AS is_not_null,
               coalesce(pg_get_expr(d.adbin, d.adrelid) = tenancy.context_call(column_type, false), false) AS has_default
        FROM tenancy.tree_of(root) t
        JOIN pg_class c ON c.oid = t.relation
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = tenant_column AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        ORDER BY t.depth, t.relation
    LOOP
        SELECT coalesce(p.undo, tenancy.state_before(member.relation, member_statements.tenant_column)) INTO undo
        FROM (SELECT) AS always LEFT JOIN tenancy.protected_tables p ON p.relation = member.relation;
        -- What is done to the root's column reaches its children.
        IF member.is_root THEN
            root_is_not_null := member.is_not_null;
            root_has_default := member.has_default;
        END IF;
        IF is_column_part THEN
            IF NOT member.has_default AND (member.is_root OR root_has_default) THEN
                RETURN NEXT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', member.relation, tenant_column,
                                   tenancy.context_call(column_type, false));
            END IF;
            IF NOT member.is_not_null AND (member.is_root OR root_is_not_null) THEN
                RETURN NEXT format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', member.relation, tenant_column);
            END IF;
            -- Partitions get this and the index from their parent, inheritance children do not.
            IF foreign_key AND NOT member.relispartition AND NOT tenancy.has_tenant_key(member.relation, tenant_column) THEN
                RETURN NEXT format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%I) REFERENCES tenancy.tenants (%I)',
                    member.relation,
                    coalesce(undo ->> 'foreign_key', tenancy.unused_name(member.relation, tenant_column, 'fkey')),
                    tenant_column, tenancy.tenants_column(column_type));
            END IF;
            CONTINUE;
        END IF;
        IF index AND NOT member.relispartition AND NOT tenancy.has_tenant_index(member.relation, tenant_column)
           AND member.relation <> ALL (keyed) THEN
            RETURN NEXT format('CREATE INDEX %I ON %s (%I)',
                coalesce(undo ->> 'index', tenancy.unused_name(member.relation, tenant_column, 'idx')),
                member.relation, tenant_column);
        END IF;
        RETURN QUERY SELECT format('DROP POLICY %I ON %s', e.policy, member.relation)
            FROM tenancy.changed_policies(member.relation, tenant_column, column_type, own_policies) e;
        RETURN QUERY SELECT s FROM tenancy.policy_statements(member.relation, tenant_column, column_type, own_policies) s;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.member_statements(regclass, name, regtype, boolean, boolean, boolean, boolean, regclass[]) IS
'the statements that protect a table and its children once the tenant column is filled: what belongs to the column, or what follows when the tables keyed have a key that leads with it; internal';

CREATE FUNCTION tenancy.protect(
    relation regclass,
    tenant_column name DEFAULT 'tenant_id',
    column_type regtype DEFAULT 'uuid',
    backfill text DEFAULT NULL,
    own_policies boolean DEFAULT false,
    foreign_key boolean DEFAULT true,
    index boolean DEFAULT true,
    global_keys name[] DEFAULT '{}',
    dry_run boolean DEFAULT false
) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    missing text;
    type regtype;
    column_exists boolean;
    column_in_child boolean;
    is_settled boolean;
    has_nulls boolean := false;
    fill text;
    filling text[] := '{}';
    statement text;
    changed tenancy.protected_tables[];
    members regclass[];
    plan tenancy.key_statement[];
    keyed regclass[];
    violated text;
BEGIN
    PERFORM tenancy.refuse_other_owner(protect.relation);
    SELECT a.name INTO missing
    FROM (VALUES ('tenant_column', protect.tenant_column IS NULL), ('column_type', protect.column_type IS NULL),
                 ('own_policies', protect.own_policies IS NULL), ('foreign_key', protect.foreign_key IS NULL),
                 ('index', protect.index IS NULL), ('dry_run', protect.dry_run IS NULL)) AS a (name, is_null)
    WHERE a.is_null;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('%s must not be null', missing),
            HINT = 'Leave the argument out for its default.';
    ELSIF protect.tenant_column = '' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'tenant_column must not be empty',
            HINT = 'Leave the argument out for tenant_id.';
    END IF;
    PERFORM tenancy.refuse_unprotectable(protect.relation);

    -- Whoever changes the same table at the same time waits here, and then finds what we did. Tables that are protected at
    -- the same time and refer to each other find each other in the registry.
    PERFORM tenancy.refuse_bad_keys(protect.relation, protect.tenant_column, protect.global_keys);
    IF NOT protect.dry_run THEN
        LOCK TABLE tenancy.protected_tables IN SHARE UPDATE EXCLUSIVE MODE;
    END IF;
    EXECUTE format('LOCK TABLE %s IN %s MODE', protect.relation,
                   CASE WHEN protect.dry_run THEN 'ACCESS SHARE' ELSE 'ACCESS EXCLUSIVE' END);
    type := tenancy.tenant_column_type(protect.relation, protect.tenant_column, protect.column_type);
    PERFORM tenancy.refuse_open_parents(protect.relation);
    PERFORM tenancy.refuse_registered(t.relation, NULL) FROM tenancy.tree_of(protect.relation) t;
    PERFORM tenancy.refuse_member(t.relation, protect.relation, protect.tenant_column, type, protect.own_policies)
    FROM tenancy.tree_of(protect.relation) t;

    SELECT bool_or(t.relation = protect.relation), bool_or(t.relation <> protect.relation),
           bool_or(t.relation = protect.relation AND a.attnotnull)
               AND (tenancy.has_tenant_key(protect.relation, protect.tenant_column)
                    OR EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = protect.relation))
    INTO column_exists, column_in_child, is_settled
    FROM tenancy.tree_of(protect.relation) t
    JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = protect.tenant_column AND NOT a.attisdropped;

    BEGIN
        IF column_exists AND NOT is_settled THEN
            has_nulls := tenancy.refuse_bad_values(protect.relation, protect.tenant_column, type, protect.backfill IS NOT NULL);
            fill := protect.backfill;
        ELSIF column_exists IS NOT TRUE THEN
            fill := coalesce(protect.backfill, quote_literal(tenancy.default_tenant_value(type)));
            has_nulls := tenancy.has_rows(protect.relation);
            IF has_nulls AND fill IS NULL THEN
                PERFORM tenancy.refuse_protection(protect.relation,
                    'It has rows, and the default tenant, whose they would be, has no external key that fits the column.',
                    'Say whose these rows are with backfill, or give the default tenant an external_key.');
            END IF;
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        PERFORM tenancy.refuse_protection(protect.relation,
            'Its rows must be looked at, and its row level security hides some of them from its owner.',
            'Call it as a superuser, or take the present policies away first.');
    END;

    IF column_exists IS NOT TRUE THEN
        -- A constant default for the rows that are there costs no rewrite, and no update that triggers could see. It is
        -- not the tenant in context: that would be evaluated now.
        filling := ARRAY[format('ALTER TABLE %s ADD COLUMN %I %s%s', protect.relation, protect.tenant_column, type,
                                CASE WHEN protect.backfill IS NULL THEN ' DEFAULT ' || fill ELSE '' END)];
        -- A child may have had the column when its parent did not, and NULLs in it.
        has_nulls := has_nulls AND (protect.backfill IS NOT NULL OR coalesce(column_in_child, false));
    END IF;
    IF has_nulls THEN
        -- A rule's functions would run with the rights of whoever protects the table.
        IF EXISTS (SELECT FROM pg_rewrite r JOIN tenancy.tree_of(protect.relation) t ON t.relation = r.ev_class
                   WHERE r.ev_type = '2') THEN
            PERFORM tenancy.refuse_protection(protect.relation, 'It has rules for UPDATE, which the backfill would set off.',
                                              'Drop the rules first, or fill the column yourself.');
        END IF;
        filling := filling || ARRAY(SELECT tenancy.trigger_statements(protect.relation, false))
            || format('UPDATE %s SET %I = (%s) WHERE %I IS NULL', protect.relation, protect.tenant_column, fill,
                      protect.tenant_column)
            || ARRAY(SELECT tenancy.trigger_statements(protect.relation, true));
    END IF;

    members := ARRAY(SELECT t.relation FROM tenancy.tree_of(protect.relation) t);
    plan := ARRAY(SELECT k FROM tenancy.key_phases(members, true, protect.tenant_column, type, protect.global_keys) k);
    keyed := ARRAY(SELECT DISTINCT k.relation FROM unnest(plan) k WHERE k.leads);

    IF protect.dry_run THEN
        RETURN QUERY SELECT unnest(filling);
        RETURN QUERY SELECT tenancy.member_statements(protect.relation, protect.tenant_column, type, protect.own_policies,
                                                      protect.foreign_key, protect.index, true, keyed);
        RETURN QUERY SELECT k.statement FROM unnest(plan) k WHERE k.statement IS NOT NULL;
        RETURN QUERY SELECT tenancy.member_statements(protect.relation, protect.tenant_column, type, protect.own_policies,
                                                      protect.foreign_key, protect.index, false, keyed);
        RETURN;
    END IF;

    -- First of all, because it remembers what was before.
    INSERT INTO tenancy.protected_tables (relation, tenant_column, column_type, own_policies, foreign_key, index)
    SELECT t.relation, protect.tenant_column, type, protect.own_policies, protect.foreign_key, protect.index
    FROM tenancy.tree_of(protect.relation) t
    WHERE NOT EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = t.relation);
    DELETE FROM tenancy.state_before_migration b WHERE b.relation = ANY (members);
    UPDATE tenancy.protected_tables p
    SET foreign_key = p.foreign_key OR protect.foreign_key, index = p.index OR protect.index,
        global_keys = ARRAY(SELECT DISTINCT g FROM unnest(p.global_keys || protect.global_keys) g ORDER BY g)
    WHERE p.relation = ANY (members)
      AND (p.foreign_key < protect.foreign_key OR p.index < protect.index OR NOT p.global_keys @> protect.global_keys);

    -- Read before anything runs: the triggers are switched on again as they were.
    FOREACH statement IN ARRAY filling LOOP
        PERFORM tenancy.run_seeing_all(statement);
        RETURN NEXT statement;
    END LOOP;
    IF has_nulls THEN
        PERFORM tenancy.refuse_bad_values(protect.relation, protect.tenant_column, type, false);
    END IF;

    FOR statement IN
        SELECT tenancy.member_statements(protect.relation, protect.tenant_column, type, protect.own_policies,
                                         protect.foreign_key, protect.index, true, keyed)
    LOOP
        EXECUTE statement;
        RETURN NEXT statement;
    END LOOP;
    IF plan <> '{}' THEN
        violated := tenancy.run_key_phases(plan);
        IF violated IS NOT NULL THEN
            PERFORM tenancy.refuse_crossing_rows(protect.relation, protect.tenant_column, violated);
        END IF;
        RETURN QUERY SELECT k.statement FROM unnest(plan) k WHERE k.statement IS NOT NULL;
    END IF;

    -- A changed policy is replaced while the guard does not hold its table.
    WITH held AS (
        DELETE FROM tenancy.protected_tables p
        USING tenancy.tree_of(protect.relation) t
        WHERE p.relation = t.relation
          AND EXISTS (SELECT FROM tenancy.changed_policies(t.relation, protect.tenant_column, type, protect.own_policies))
        RETURNING p.*)
    SELECT array_agg(ROW(h.*)::tenancy.protected_tables) INTO changed FROM held h;
    FOR statement IN
        SELECT tenancy.member_statements(protect.relation, protect.tenant_column, type, protect.own_policies,
                                         protect.foreign_key, protect.index, false, keyed)
    LOOP
        EXECUTE statement;
        RETURN NEXT statement;
    END LOOP;
    IF changed IS NOT NULL THEN
        INSERT INTO tenancy.protected_tables SELECT c.* FROM unnest(changed) c;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.protect(regclass, name, regtype, text, boolean, boolean, boolean, name[], boolean) IS
'puts a table, its partitions and its inheritance children under tenancy''s policies, adding and filling the tenant column where it is missing, makes its unique keys (but global_keys) and the foreign keys between it and other protected tables per tenant, and returns the statements that it ran (dry_run: would run); does nothing to a table that lacks nothing; TN009 with the reason when it cannot';

CREATE FUNCTION tenancy.undo_statements(root regclass, keep_column boolean) RETURNS TABLE (step integer, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH members AS (
        SELECT t.relation, t.relation = root AS is_root, t.depth, r.tenant_column, r.undo, c.relrowsecurity,
               c.relforcerowsecurity, c.relispartition, c.relnamespace, a.attnotnull,
               -- Dropping the root's column drops it in every child that did not have it for itself.
               a.attnum IS NOT NULL AND (keep_column OR (root_row.undo ->> 'column')::boolean OR t.relation <> root AND a.attislocal)
                   AS column_stays,
               (keep_column OR (root_row.undo ->> 'column')::boolean) AND NOT (root_row.undo ->> 'not_null')::boolean
                   AS root_becomes_nullable
        FROM tenancy.tree_of(root) t
        JOIN tenancy.protected_tables r ON r.relation = t.relation
        JOIN tenancy.protected_tables root_row ON root_row.relation = root
        JOIN pg_class c ON c.oid = t.relation
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = r.tenant_column AND NOT a.attisdropped
    ), steps AS (
        SELECT 1 AS step, m.depth, m.relation, format('DROP POLICY %I ON %s', p.polname, m.relation) AS statement
        FROM members m
        JOIN pg_policy p ON p.polrelid = m.relation
        WHERE p.polname IN ('tenancy_read', 'tenancy_insert', 'tenancy_update', 'tenancy_delete', 'tenancy_isolation')
          AND NOT m.undo -> 'policies' ? p.polname::text
        UNION ALL
        SELECT 2, m.depth, m.relation, format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', m.relation)
        FROM members m WHERE m.relforcerowsecurity AND NOT (m.undo ->> 'force')::boolean
        UNION ALL
        SELECT 3, m.depth, m.relation, format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', m.relation)
        FROM members m WHERE m.relrowsecurity AND NOT (m.undo ->> 'rls')::boolean
        UNION ALL
        SELECT 4, m.depth, m.relation, format('ALTER TABLE %s DROP CONSTRAINT %I', m.relation, f.conname)
        FROM members m
        JOIN pg_constraint f ON f.conrelid = m.relation AND f.contype = 'f' AND f.conname = m.undo ->> 'foreign_key'
        UNION ALL
        SELECT 5, m.depth, m.relation, format('DROP INDEX %s', i.indexrelid::regclass)
        FROM members m
        JOIN pg_index i ON i.indrelid = m.relation
        JOIN pg_class x ON x.oid = i.indexrelid AND x.relname = m.undo ->> 'index'
        UNION ALL
        SELECT 6, m.depth, m.relation, format('ALTER TABLE %s DROP COLUMN %I', m.relation, m.tenant_column)
        FROM members m WHERE m.is_root AND NOT (m.undo ->> 'column')::boolean AND NOT keep_column
        UNION ALL
        SELECT 7, m.depth, m.relation, format('ALTER TABLE ONLY %s ALTER COLUMN %I %s', m.relation, m.tenant_column,
                                              coalesce('SET DEFAULT ' || (m.undo ->> 'default'), 'DROP DEFAULT'))
        FROM members m
        LEFT JOIN pg_attribute a ON a.attrelid = m.relation AND a.attname = m.tenant_column
        LEFT JOIN pg_attrdef d ON d.adrelid = m.relation AND d.adnum = a.attnum
        WHERE m.column_stays AND pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM m.undo ->> 'default'
        UNION ALL
        -- This reaches the children too, also those that had NOT NULL for themselves.
        SELECT 8, m.depth, m.relation, format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', m.relation, m.tenant_column)
        FROM members m
        WHERE m.column_stays AND m.attnotnull AND NOT (m.undo ->> 'not_null')::boolean
          AND (m.is_root OR NOT m.root_becomes_nullable)
        UNION ALL
        SELECT 9, m.depth, m.relation, format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', m.relation, m.tenant_column)
        FROM members m
        WHERE m.column_stays AND NOT m.is_root AND m.root_becomes_nullable AND (m.undo ->> 'not_null')::boolean
        UNION ALL
        SELECT 10, m.depth, m.relation, k.value
        FROM members m
        CROSS JOIN LATERAL jsonb_each_text(m.undo -> 'indexes') k
        WHERE m.column_stays AND NOT EXISTS (
            SELECT FROM pg_class x WHERE x.relname = k.key AND x.relnamespace = m.relnamespace AND NOT x.relispartition)
        UNION ALL
        SELECT 11, m.depth, m.relation, format('ALTER TABLE %s ADD CONSTRAINT %I %s', m.relation, k.key, k.value)
        FROM members m
        CROSS JOIN LATERAL jsonb_each_text(m.undo -> 'foreign_keys') k
        WHERE m.column_stays AND NOT EXISTS (
            SELECT FROM pg_constraint f WHERE f.conname = k.key AND f.conrelid = m.relation AND f.conparentid = 0)
    )
    SELECT s.step, s.statement FROM steps s ORDER BY s.step, s.depth, s.relation, s.statement;
END;

COMMENT ON FUNCTION tenancy.undo_statements(regclass, boolean) IS
'the statements by which unprotect() undoes what protect() did, besides keys, which come between the steps 5 and 6; internal';

-- A table that stays protected may have had no other index that leads with its tenant than a key that goes back.
CREATE FUNCTION tenancy.missing_indexes(plan tenancy.key_statement[], leaving regclass[]) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('CREATE INDEX %I ON %s (%I)',
                  coalesce(p.undo ->> 'index', tenancy.unused_name(p.relation, p.tenant_column, 'idx')), p.relation, p.tenant_column)
    FROM tenancy.protected_tables p
    WHERE p.index AND p.relation <> ALL (leaving)
      AND p.relation IN (SELECT k.relation FROM unnest(plan) k WHERE k.phase = 5 AND k.change = 'remove')
      AND NOT EXISTS (SELECT FROM unnest(plan) k WHERE k.relation = p.relation AND k.leads)
      AND NOT EXISTS (
          SELECT FROM pg_index i
          JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = p.tenant_column AND a.attnum = i.indkey[0]
          WHERE i.indrelid = p.relation AND i.indisvalid AND i.indpred IS NULL
            AND x.relname NOT IN (SELECT k.name FROM unnest(plan) k WHERE k.phase = 5 AND k.change = 'remove' AND k.relation = p.relation))
    ORDER BY p.relation;
END;

COMMENT ON FUNCTION tenancy.missing_indexes(tenancy.key_statement[], regclass[]) IS
'the statements that make up for keys that go back on tables that stay protected; internal';

-- Several tables go together, so that keys between them are made anew once.
CREATE FUNCTION tenancy.unprotect_tables(roots regclass[], keep_column boolean, dry_run boolean) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    members regclass[] := ARRAY(SELECT DISTINCT t.relation FROM unnest(roots) r CROSS JOIN tenancy.tree_of(r) t);
    plan tenancy.key_statement[];
    before_keys text[];
    after_keys text[];
    statement text;
    violated text;
BEGIN
    PERFORM tenancy.refuse_other_owner(m) FROM unnest(members) m;
    plan := ARRAY(SELECT k FROM tenancy.key_phases(members, false, '', NULL, '{}') k);
    before_keys := ARRAY(SELECT u.statement FROM unnest(roots) WITH ORDINALITY AS r (root, place)
                         CROSS JOIN LATERAL tenancy.undo_statements(r.root, keep_column) WITH ORDINALITY AS u (step, statement, number)
                         WHERE u.step <= 5 ORDER BY r.place, u.number);
    after_keys := ARRAY(SELECT u.statement FROM unnest(roots) WITH ORDINALITY AS r (root, place)
                        CROSS JOIN LATERAL tenancy.undo_statements(r.root, keep_column) WITH ORDINALITY AS u (step, statement, number)
                        WHERE u.step > 5 ORDER BY r.place, u.number)
        || ARRAY(SELECT tenancy.missing_indexes(plan, members));
    IF NOT dry_run THEN
        -- First, so that the guard lets the rest pass.
        DELETE FROM tenancy.protected_tables p WHERE p.relation = ANY (members);
        FOREACH statement IN ARRAY before_keys LOOP
            EXECUTE statement;
        END LOOP;
        IF plan <> '{}' THEN
            violated := tenancy.run_key_phases(plan);
            IF violated IS NOT NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s cannot be unprotected', roots[1]),
                    DETAIL = format('Rows of different tenants have equal keys, which would be unique for all again: %s.', violated),
                    HINT = 'Give these rows different keys first.';
            END IF;
        END IF;
        FOREACH statement IN ARRAY after_keys LOOP
            EXECUTE statement;
        END LOOP;
    END IF;
    RETURN QUERY SELECT unnest(before_keys);
    RETURN QUERY SELECT k.statement FROM unnest(plan) k WHERE k.statement IS NOT NULL;
    RETURN QUERY SELECT unnest(after_keys);
END
$$;

COMMENT ON FUNCTION tenancy.unprotect_tables(regclass[], boolean, boolean) IS
'takes the protection from tables and their children, and returns the statements; internal';

CREATE FUNCTION tenancy.unprotect(relation regclass, keep_column boolean DEFAULT false, dry_run boolean DEFAULT false)
RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    registered tenancy.protected_tables;
    parent regclass;
BEGIN
    PERFORM tenancy.refuse_other_owner(unprotect.relation);
    IF unprotect.dry_run IS NULL OR unprotect.keep_column IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004',
            MESSAGE = format('%s must not be null', CASE WHEN unprotect.keep_column IS NULL THEN 'keep_column' ELSE 'dry_run' END),
            HINT = 'Leave the argument out for its default.';
    END IF;
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = unprotect.relation AND c.relkind IN ('r', 'p')) THEN
        IF NOT unprotect.dry_run THEN
            LOCK TABLE tenancy.protected_tables IN SHARE UPDATE EXCLUSIVE MODE;
        END IF;
        EXECUTE format('LOCK TABLE %s IN %s MODE', unprotect.relation,
                       CASE WHEN unprotect.dry_run THEN 'ACCESS SHARE' ELSE 'ACCESS EXCLUSIVE' END);
    END IF;
    SELECT p.* INTO registered FROM tenancy.protected_tables p WHERE p.relation = unprotect.relation;
    IF EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = unprotect.relation) THEN
        RETURN QUERY SELECT tenancy.unprotect_indirect(unprotect.relation, ARRAY[unprotect.relation], unprotect.dry_run);
        RETURN;
    ELSIF registered.relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s is not protected', unprotect.relation),
            HINT = 'tenancy.protected_tables lists the protected tables.';
    END IF;
    SELECT i.inhparent::regclass INTO parent
    FROM pg_inherits i JOIN tenancy.protected_tables p ON p.relation = i.inhparent
    WHERE i.inhrelid = unprotect.relation
    LIMIT 1;
    IF parent IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009',
            MESSAGE = format('relation %s is protected with its parent', unprotect.relation),
            DETAIL = format('It is a partition or an inheritance child of %s.', parent),
            HINT = format('Call tenancy.unprotect(%L), or take it out of its parent first.', parent);
    END IF;
    PERFORM tenancy.refuse_leading(unprotect.relation, ARRAY(SELECT t.relation FROM tenancy.tree_of(unprotect.relation) t));
    RETURN QUERY SELECT tenancy.unprotect_tables(ARRAY[unprotect.relation], unprotect.keep_column, unprotect.dry_run);
END
$$;

COMMENT ON FUNCTION tenancy.unprotect(regclass, boolean, boolean) IS
'undoes what protect() did to a table and its children, and returns the statements that it ran (dry_run: would run); a tenant column that protect() added is dropped with what it holds, or with keep_column stays as history, nullable and without default, constraint and index';
