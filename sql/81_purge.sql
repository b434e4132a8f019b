-- Deleting everything that a tenant has, in steps that do not hold up others.

-- Children before parents. Tables that reference each other in a circle come together, in one statement, after which
-- PostgreSQL checks their foreign keys.
CREATE FUNCTION tenancy.purge_plan() RETURNS TABLE (relations regclass[], in_batches boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Foreign tables have no rows that we could tell from others by their place.
    remaining regclass[] := ARRAY(SELECT t.relation FROM tenancy.tables_of_tenants() t JOIN pg_class c ON c.oid = t.relation
                                  WHERE c.relkind = 'r' ORDER BY t.is_own, t.relation::text);
    ready regclass[];
    next_one regclass;
BEGIN
    WHILE cardinality(remaining) > 0 LOOP
        -- A cascade needs no order; children go first all the same where they can, so that they are counted.
        FOR strictness IN 1..2 LOOP
            ready := ARRAY(
                SELECT r FROM unnest(remaining) WITH ORDINALITY AS u (r, position)
                WHERE NOT EXISTS (
                    SELECT FROM pg_constraint f
                    WHERE f.contype = 'f' AND f.confrelid = r AND f.conrelid <> r AND f.conrelid = ANY (remaining)
                      AND (strictness = 1 OR f.confdeltype IN ('a', 'r')
                           -- Without the row at the end of its path nobody could tell whose a row was.
                           OR EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = f.conrelid AND i.kind = 'path')))
                ORDER BY position);
            EXIT WHEN cardinality(ready) > 0;
        END LOOP;
        IF cardinality(ready) = 0 THEN
            relations := remaining;
            in_batches := false;
            RETURN NEXT;
            RETURN;
        END IF;
        FOREACH next_one IN ARRAY ready LOOP
            relations := ARRAY[next_one];
            -- A row may reference another one of its table; and without an index each batch would read all of the table.
            in_batches := NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = next_one
                                      AND f.confrelid = next_one AND f.confdeltype IN ('a', 'r'))
                AND (SELECT CASE WHEN t.path IS NULL THEN tenancy.has_tenant_index(t.relation, t.tenant_column)
                                 ELSE tenancy.has_path_index(t.relation, t.path) END
                     FROM tenancy.tables_of_tenants() t WHERE t.relation = next_one);
            RETURN NEXT;
        END LOOP;
        remaining := ARRAY(SELECT r FROM unnest(remaining) WITH ORDINALITY AS u (r, position)
                           WHERE r <> ALL (ready) ORDER BY position);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.purge_plan() IS
'the tables in the order in which purge_tenant() empties them of a tenant, and whether in batches; internal';

-- The procedure below runs as its caller, because what commits cannot be SECURITY DEFINER. So each of these three asks again.

CREATE FUNCTION tenancy_internal.purge_begin(tenant uuid, batch_rows integer) RETURNS tenancy.tenants
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    IF batch_rows IS NULL OR batch_rows < 1 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid batch_rows %s', coalesce(batch_rows::text, 'NULL')),
            HINT = 'Use how many rows one transaction may delete, 1 or more.';
    END IF;
    whose := tenancy.lock_tenant(tenant, true);
    IF whose.status <> 'deleted' THEN
        PERFORM tenancy.raise_wrong_status(whose, 'deleted');
    END IF;
    -- Raises where a path leads nowhere: before anything is gone that it could be mended with.
    PERFORM tenancy.refuse_wrong_tables();
    PERFORM tenancy.rows_condition(whose, t.relation, t.tenant_column, t.column_type, t.path) FROM tenancy.tables_of_tenants() t;
    IF whose.purge_started_at IS NULL THEN
        UPDATE tenancy.tenants t SET purge_started_at = now() WHERE t.id = whose.id;
        PERFORM tenancy.audit_event(whose.id, 'tenant.purge_begin', 'tenant:' || whose.id,
            jsonb_build_object('slug', whose.slug, 'name', whose.name, 'organization_id', whose.organization_id), NULL);
    END IF;
    RETURN whose;
END
$$;

SELECT tenancy_internal.expose('purge_begin(uuid, integer)');

COMMENT ON FUNCTION tenancy.purge_begin(uuid, integer) IS 'marks a deleted tenant as one that is being purged; part of purge_tenant(); for operators';

-- As the owner of the table, whose code an index's predicate is.
CREATE FUNCTION tenancy.refuse_rows_left(tenant tenancy.tenants, relation regclass, condition text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF tenancy.run_as_owner(relation, format('SELECT count(*) FROM (SELECT FROM %s t WHERE %s LIMIT 1) left_over', relation, condition)) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('rows of tenant %L are left in %s', (tenant).slug, relation),
            HINT = 'A trigger may have kept them, or another session have added some; remove the cause and call tenancy.purge_tenant() again.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_rows_left(tenancy.tenants, regclass, text) IS
'raises when a table that a purge has emptied holds rows of the tenant still; internal';

CREATE FUNCTION tenancy_internal.purge_batch(tenant uuid, relations regclass[], at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
    parts text;
    deleted bigint;
    by_path record;
BEGIN
    PERFORM tenancy.authorize_operator();
    -- Two who purge the same tenant take turns.
    whose := tenancy.lock_tenant(purge_batch.tenant, true);
    IF whose.purge_started_at IS NULL THEN
        PERFORM tenancy.raise_wrong_status(whose, 'being purged');
    END IF;
    IF (SELECT count(DISTINCT c.relowner) FROM pg_class c WHERE c.oid = ANY (relations)) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = '55000',
            MESSAGE = format('tables %s reference each other and belong to several owners', array_to_string(relations, ', ')),
            DETAIL = 'Their rows can only be deleted together, by one owner.',
            HINT = 'Let one of the foreign keys cascade, or give the tables to one owner.';
    END IF;
    -- Only tables that hold rows of tenants, and of those only the tenant's rows, whatever the arguments say.
    SELECT string_agg(format(
               CASE WHEN at_most IS NULL THEN 'd%1$s AS (DELETE FROM ONLY %2$s t WHERE %3$s RETURNING 1)'
               ELSE 'd%1$s AS (DELETE FROM ONLY %2$s t WHERE t.ctid = ANY (ARRAY(SELECT t.ctid FROM ONLY %2$s t WHERE %3$s LIMIT %4$s)) AND %3$s RETURNING 1)'
               END, t.number, t.relation, t.condition, at_most), ', ')
           || ' SELECT ' || string_agg(format('(SELECT count(*) FROM d%s)', t.number), ' + ')
    INTO parts
    FROM (SELECT row_number() OVER () AS number, s.relation,
                 tenancy.rows_condition(whose, s.relation, s.tenant_column, s.column_type, s.path) AS condition
          FROM tenancy.tables_of_tenants() s
          JOIN pg_class c ON c.oid = s.relation AND c.relkind = 'r'
          WHERE s.relation = ANY (purge_batch.relations)) t
    WHERE t.condition IS NOT NULL;
    IF parts IS NULL THEN
        RETURN 0;
    END IF;
    -- Deferred triggers would fire at the commit, with the rights of whoever commits.
    PERFORM tenancy.end_waiting();
    deleted := tenancy.run_as_owner(relations[1], 'WITH ' || parts);
    -- Looked at now, while the rows that these belong to are there; purge_end() could not tell any more.
    IF deleted = 0 OR at_most IS NULL THEN
        FOR by_path IN
            SELECT s.relation, tenancy.rows_condition(whose, s.relation, s.tenant_column, s.column_type, s.path) AS condition
            FROM tenancy.tables_of_tenants() s
            WHERE s.relation = ANY (purge_batch.relations) AND s.path IS NOT NULL
        LOOP
            PERFORM tenancy.refuse_rows_left(whose, by_path.relation, by_path.condition);
        END LOOP;
    END IF;
    RETURN deleted;
END
$$;

SELECT tenancy_internal.expose('purge_batch(uuid, regclass[], integer)');

COMMENT ON FUNCTION tenancy.purge_batch(uuid, regclass[], integer) IS
'deletes rows of a tenant that is being purged from tables, at most so many or all; part of purge_tenant(); for operators';

CREATE FUNCTION tenancy_internal.purge_end(tenant uuid, deleted bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
    source record;
    condition text;
BEGIN
    PERFORM tenancy.authorize_operator();
    whose := tenancy.lock_tenant(purge_end.tenant, true);
    IF whose.purge_started_at IS NULL THEN
        PERFORM tenancy.raise_wrong_status(whose, 'being purged');
    END IF;
    FOR source IN SELECT t.* FROM tenancy.tables_of_tenants() t WHERE t.path IS NULL LOOP
        condition := tenancy.rows_condition(whose, source.relation, source.tenant_column, source.column_type, source.path);
        CONTINUE WHEN condition IS NULL;
        PERFORM tenancy.refuse_rows_left(whose, source.relation, condition);
    END LOOP;
    PERFORM tenancy.drop_tenant_vectors(whose);
    PERFORM tenancy.drop_tenant_words(whose);
    PERFORM tenancy.change_tenant_row('DELETE FROM tenancy.tenants WHERE id OPERATOR(pg_catalog.=) $1', whose.id);
    PERFORM tenancy.audit_event(whose.id, 'tenant.purge', 'tenant:' || whose.id,
        jsonb_build_object('slug', whose.slug, 'organization_id', whose.organization_id), jsonb_build_object('rows', deleted));
END
$$;

SELECT tenancy_internal.expose('purge_end(uuid, bigint)');

COMMENT ON FUNCTION tenancy.purge_end(uuid, bigint) IS
'removes a tenant that has no rows left; part of purge_tenant(); for operators';

CREATE FUNCTION tenancy_internal.purge_steps() RETURNS TABLE (relations regclass[], in_batches boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.authorize_operator();
    RETURN QUERY SELECT p.relations, p.in_batches FROM tenancy.purge_plan() p;
END
$$;

SELECT tenancy_internal.expose('purge_steps()');

COMMENT ON FUNCTION tenancy.purge_steps() IS 'the tables that purge_tenant() empties, in its order; part of it; for operators';

CREATE PROCEDURE tenancy.purge_tenant(tenant uuid, batch_rows integer DEFAULT 10000)
LANGUAGE plpgsql
AS $$
DECLARE
    path_before pg_catalog.text := pg_catalog.current_setting('search_path');
    step record;
    whose tenancy.tenants;
    deleted pg_catalog.int8;
    of_step pg_catalog.int8;
    total pg_catalog.int8 := 0;
BEGIN
    -- A procedure that commits can have no SET clause, and each commit ends this one.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    whose := tenancy.purge_begin(tenant, batch_rows);
    -- Here and now, so that inside a transaction block it fails before anything was done.
    COMMIT;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOR step IN SELECT s.relations, s.in_batches FROM tenancy.purge_steps() s LOOP
        of_step := 0;
        LOOP
            deleted := tenancy.purge_batch(tenant, step.relations, CASE WHEN step.in_batches THEN batch_rows END);
            of_step := of_step + deleted;
            COMMIT;
            PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            IF deleted > 0 THEN
                RAISE NOTICE 'tenant %: % rows deleted from %', whose.slug, of_step, array_to_string(step.relations, ', ');
            END IF;
            EXIT WHEN deleted = 0 OR NOT step.in_batches;
        END LOOP;
        total := total + of_step;
    END LOOP;
    PERFORM tenancy.purge_end(tenant, total);
    RAISE NOTICE 'tenant %: purged, % rows in all', whose.slug, total;
    PERFORM pg_catalog.set_config('search_path', path_before, true);
END
$$;

COMMENT ON PROCEDURE tenancy.purge_tenant(uuid, integer) IS
'deletes all rows of a deleted tenant for good, in transactions of at most so many rows each, and then the tenant; what stops half-way goes on with the next call; its audit log stays; for operators';
