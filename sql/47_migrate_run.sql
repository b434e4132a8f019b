-- Running a migration: one call does one step, or one batch of a backfill, in the caller's transaction, and says what
-- the caller should do next. tenancyctl and run_migration() are loops around it.

-- What a statement of ours is about, by its beginning only: whatever stands in it later may be part of a name. The names come
-- as the statement quotes them.
CREATE FUNCTION tenancy.statement_names(statement text, OUT kind text, OUT name text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ident constant text := '("(?:[^"]|"")+"|[^ ".(]+)';
    relation constant text := '(?:(?:"(?:[^"]|"")+"|[^ ".(]+)[.])?(?:"(?:[^"]|"")+"|[^ ".(]+)';
BEGIN
    SELECT v.kind, v.found[1] INTO kind, name
    FROM (VALUES
        ('index', regexp_match(statement, '^CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?' || ident || ' ON ')),
        ('foreign_key', regexp_match(statement, '^ALTER TABLE (?:ONLY )?' || relation || ' ADD CONSTRAINT ' || ident || ' ')),
        ('validate', regexp_match(statement, '^ALTER TABLE (?:ONLY )?' || relation || ' VALIDATE CONSTRAINT ' || ident || '$'))
    ) AS v (kind, found)
    WHERE v.found IS NOT NULL;
END
$$;

COMMENT ON FUNCTION tenancy.statement_names(text) IS
'the index or constraint that a statement makes or validates: index, foreign_key or validate, and its name; internal';

-- Whether a statement that runs outside of a transaction has had its effect, and what of a killed one must go first.
CREATE FUNCTION tenancy.outside_state(statement text, relation regclass, OUT is_done boolean, OUT cleanup text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text := (tenancy.statement_names(statement)).name;
    found record;
BEGIN
    SELECT i.indisvalid, i.indexrelid::regclass AS index INTO found
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    -- A partitioned table's step may be about the index of a partition.
    WHERE i.indrelid IN (SELECT t.relation FROM tenancy.tree_of(outside_state.relation) t) AND quote_ident(x.relname) = name;
    is_done := coalesce(found.indisvalid, false);
    cleanup := CASE WHEN NOT found.indisvalid THEN format('DROP INDEX CONCURRENTLY %s', found.index) END;
END
$$;

COMMENT ON FUNCTION tenancy.outside_state(text, regclass) IS
'whether an index is there and valid, and the statement that takes away an invalid one; internal';

-- The same for statements of ours that a transaction can hold: added already, or gone already, they are not run again.
CREATE FUNCTION tenancy.statement_is_done(statement text, relation regclass) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of record := tenancy.statement_names(statement);
BEGIN
    RETURN CASE of.kind
        WHEN 'index' THEN EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                                  WHERE i.indrelid = relation AND quote_ident(x.relname) = of.name AND i.indisvalid)
        WHEN 'foreign_key' THEN EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = relation AND quote_ident(f.conname) = of.name)
        WHEN 'validate' THEN EXISTS (SELECT FROM pg_constraint f
                                     WHERE f.conrelid = relation AND quote_ident(f.conname) = of.name AND f.convalidated)
        ELSE false END;
END
$$;

COMMENT ON FUNCTION tenancy.statement_is_done(text, regclass) IS 'whether the effect of a step''s statement is there; internal';

-- The backfill is not the application's doing: its triggers and rules do not hear of it.
CREATE FUNCTION tenancy.run_unnoticed(statement text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    touched bigint;
    before text := current_setting('session_replication_role');
BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    EXECUTE statement;
    GET DIAGNOSTICS touched = ROW_COUNT;
    PERFORM set_config('session_replication_role', before, true);
    RETURN touched;
END
$$;

COMMENT ON FUNCTION tenancy.run_unnoticed(text) IS 'executes a statement without the triggers of tables, and says how many rows it touched; internal';

-- Tenants for the rows of a range of blocks, before these rows are given to them.
CREATE FUNCTION tenancy.adopt_range(migration tenancy.migrations, this tenancy.migration_tables, member regclass, first bigint, after bigint)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET row_security = off
AS $$
DECLARE
    keys text[];
    names text[];
    as_ids boolean := migration.column_type = 'uuid'::regtype AND migration.strategy = 'column';
BEGIN
    EXECUTE format('SELECT array_agg(k), array_agg(n) FROM (SELECT DISTINCT r.%1$I::text AS k, %2$s AS n FROM ONLY %3$s AS r '
                   'WHERE r.ctid >= %4$L::tid AND r.ctid < %5$L::tid AND r.%1$I IS NOT NULL) s',
                   this.columns[1],
                   CASE this.source WHEN 'anchor' THEN format('r.%I::text', tenancy.name_column(migration.options, this)) ELSE 'NULL::text' END,
                   member, format('(%s,0)', first), format('(%s,0)', after))
    INTO keys, names;
    PERFORM tenancy.adopt_tenants(migration.id, keys, names, as_ids);
END
$$;

COMMENT ON FUNCTION tenancy.adopt_range(tenancy.migrations, tenancy.migration_tables, regclass, bigint, bigint) IS
'makes the tenants of the users or organizations in a range of blocks; internal';

-- A batch is as many blocks as the last ones let expect to take batch_ms. The pause after it gives the application the
-- machine for as long again, times the factor.
CREATE FUNCTION tenancy.backfill_batch(migration tenancy.migrations, INOUT this tenancy.migration_steps, OUT wait double precision)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    planned tenancy.migration_tables;
    most constant bigint := 8192;
    batch_seconds double precision := coalesce((migration.options ->> 'batch_ms')::double precision, 40) / 1000;
    pause_factor double precision := coalesce((migration.options ->> 'pause_factor')::double precision, 1);
    began timestamptz := clock_timestamp();
    first bigint := this.position;
    after bigint;
    took double precision;
BEGIN
    SELECT t.* INTO planned FROM tenancy.migration_tables t
    WHERE t.migration = this.migration AND t.relation IN (
        WITH RECURSIVE up AS (
            SELECT this.relation::oid AS relation UNION SELECT i.inhparent FROM up u JOIN pg_inherits i ON i.inhrelid = u.relation)
        SELECT u.relation FROM up u);
    IF this.target IS NULL THEN
        -- Rows that come from now on have their tenant, so the end is where it is now.
        this.target := pg_relation_size(this.relation) / current_setting('block_size')::bigint;
        this.batch := 32;
    END IF;
    after := least(this.target, first + this.batch);
    IF first < after THEN
        IF planned.source IN ('anchor', 'existing') THEN
            PERFORM tenancy.adopt_range(migration, planned, this.relation, first, after);
        END IF;
        this.rows_done := this.rows_done + tenancy.run_unnoticed(format('%s AND r.ctid >= %L::tid AND r.ctid < %L::tid',
            this.statement, format('(%s,0)', first), format('(%s,0)', after)));
    END IF;
    took := extract(epoch FROM clock_timestamp() - began);
    this.position := after;
    this.seconds := this.seconds + took;
    -- Half of the way to what the last batch let expect: one that was slow by chance changes little.
    this.batch := greatest(1, least(most, this.batch * 4, (this.batch + this.batch * batch_seconds / greatest(took, 0.0005)) / 2))::integer;
    this.state := CASE WHEN this.position >= this.target THEN 'done' ELSE 'running' END;
    wait := took * pause_factor;
END
$$;

COMMENT ON FUNCTION tenancy.backfill_batch(tenancy.migrations, tenancy.migration_steps) IS 'fills the tenant column in the next blocks of a table; internal';

-- What the keys must become is known when the columns are there; their statements are steps of their own. A key that
-- stays as it is, because something else needs it so, is no obstacle: check() tells of it.
CREATE FUNCTION tenancy.add_key_steps(migration tenancy.migrations, this tenancy.migration_steps) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    planned tenancy.migration_tables;
    online boolean := (migration.options ->> 'online')::boolean;
    statements text[];
    relations regclass[];
BEGIN
    SELECT t.* INTO planned FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.relation = this.relation;
    SELECT array_agg(p.statement ORDER BY k.place, p.place), array_agg(k.relation ORDER BY k.place, p.place) INTO statements, relations
    FROM tenancy.key_changes(this.relation, migration.tenant_column,
             ARRAY(SELECT t.relation FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.action = 'column'),
             ARRAY(SELECT g::name FROM jsonb_array_elements_text(coalesce(planned.overrides -> 'global_keys', '[]')) g))
         WITH ORDINALITY AS k (kind, relation, name, old_definition, new_definition, prepare, swap, undo, blocked, place)
    CROSS JOIN LATERAL unnest(k.prepare) WITH ORDINALITY AS p (statement, place)
    WHERE k.blocked IS NULL AND p.statement NOT LIKE 'DROP INDEX %';
    -- A key that will lead with the tenant column serves for the index, too.
    IF planned.before ->> 'index' IS NOT NULL AND NOT tenancy.has_tenant_index(this.relation, migration.tenant_column) AND NOT EXISTS (
        SELECT FROM unnest(statements, relations) AS s (statement, relation)
        WHERE s.relation = this.relation AND s.statement LIKE 'CREATE UNIQUE INDEX %' AND s.statement NOT LIKE '%) WHERE %'
    ) THEN
        statements := statements || tenancy.tenant_index_statement(this.relation, migration.tenant_column, planned.before ->> 'index', online);
        relations := relations || this.relation;
    END IF;
    INSERT INTO tenancy.migration_steps (migration, step, phase, kind, relation, statement)
    SELECT this.migration, this.step + s.place, this.phase,
           coalesce((tenancy.statement_names(s.statement)).kind, 'foreign_key'),
           s.relation, CASE WHEN online THEN s.statement ELSE regexp_replace(s.statement, '^(CREATE (?:UNIQUE )?INDEX )CONCURRENTLY ', E'\\1') END
    FROM unnest(statements, relations) WITH ORDINALITY AS s (statement, relation, place);
END
$$;

COMMENT ON FUNCTION tenancy.add_key_steps(tenancy.migrations, tenancy.migration_steps) IS
'adds the steps that make the per-tenant keys of a table beside the old ones; internal';

-- Protection at last: what the migration had put there for the time between goes in the same transaction.
CREATE FUNCTION tenancy.protect_migrated(migration tenancy.migrations, this tenancy.migration_steps) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    planned tenancy.migration_tables;
    statement text;
BEGIN
    SELECT t.* INTO planned FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.relation = this.relation;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', this.relation);
    FOR statement IN SELECT tenancy.drop_helpers(planned) LOOP
        EXECUTE statement;
    END LOOP;
    PERFORM tenancy.open_trial();
    EXECUTE this.statement;
END
$$;

COMMENT ON FUNCTION tenancy.protect_migrated(tenancy.migrations, tenancy.migration_steps) IS 'protects a table that a migration has prepared; internal';

CREATE FUNCTION tenancy.run_step(migration tenancy.migrations, INOUT this tenancy.migration_steps, OUT wait double precision)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    began timestamptz := clock_timestamp();
    planned tenancy.migration_tables;
    batch record;
    statement text;
BEGIN
    wait := 0;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = this.relation) THEN
        -- The application dropped it. What read other tables for it goes at the end.
        IF this.kind = 'protect' THEN
            SELECT t.* INTO planned FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.relation = this.relation;
            FOR statement IN SELECT tenancy.drop_helpers(planned) LOOP
                EXECUTE statement;
            END LOOP;
        END IF;
        this.state := 'done';
        RETURN;
    END IF;
    IF this.kind = 'backfill' THEN
        batch := tenancy.backfill_batch(migration, this);
        this := batch.this;
        wait := batch.wait;
        RETURN;
    END IF;
    CASE this.kind
    WHEN 'sweep' THEN
        SELECT t.* INTO planned FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.relation = this.relation;
        IF planned.source IN ('anchor', 'existing') THEN
            PERFORM tenancy.adopt_missing(migration, planned);
        END IF;
        this.rows_done := tenancy.run_unnoticed(this.statement);
    WHEN 'keys' THEN
        PERFORM tenancy.add_key_steps(migration, this);
    WHEN 'trial' THEN
        SELECT t.* INTO planned FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.relation = this.relation;
        FOR statement IN SELECT tenancy.trial_statements(planned, migration.tenant_column) LOOP
            EXECUTE statement;
        END LOOP;
        PERFORM tenancy.clear_trial(t.relation) FROM tenancy.tree_of(this.relation) t;
        PERFORM tenancy.open_trial();
    WHEN 'rollout' THEN
        SELECT t.* INTO planned FROM tenancy.migration_tables t WHERE t.migration = this.migration AND t.relation = this.relation;
        FOR statement IN SELECT tenancy.rollout_statements(planned, migration) LOOP
            EXECUTE statement;
        END LOOP;
    WHEN 'protect' THEN
        PERFORM tenancy.protect_migrated(migration, this);
    WHEN 'share' THEN
        UPDATE tenancy.migration_tables t
        SET before = (SELECT jsonb_build_object('acl', to_jsonb(c.relacl::text[])) FROM pg_class c WHERE c.oid = this.relation)
        WHERE t.migration = this.migration AND t.relation = this.relation AND t.before IS NULL;
        EXECUTE this.statement;
    ELSE
        IF NOT tenancy.statement_is_done(this.statement, this.relation) THEN
            EXECUTE this.statement;
        END IF;
    END CASE;
    this.seconds := this.seconds + extract(epoch FROM clock_timestamp() - began);
    this.state := 'done';
END
$$;

COMMENT ON FUNCTION tenancy.run_step(tenancy.migrations, tenancy.migration_steps) IS 'does a step, or one batch of it; internal';

CREATE FUNCTION tenancy.phase_place(phase text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN coalesce(array_position(ARRAY['prepare', 'trial', 'rollout', 'enforce'], phase),
                array_position(ARRAY['prepared', 'trial', 'rollout', 'enforced'], phase));

COMMENT ON FUNCTION tenancy.phase_place(text) IS 'how far a phase is, or a goal; internal';

-- Outcomes: done (a step was done), more (a batch of it was), outside (the caller must run the statement outside of a
-- transaction and come again), locked (others use the table; come again after `wait` seconds), failed, paused, reached.
CREATE FUNCTION tenancy.advance_migration(goal text DEFAULT 'trial', migration integer DEFAULT NULL)
RETURNS TABLE (outcome text, step integer, kind text, relation text, statement text, message text, wait double precision,
               blocks_done bigint, blocks bigint, rows_done bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    current tenancy.migrations;
    this tenancy.migration_steps;
    outside record;
    lock_wait text;
    talk text;
    result record;
    failure text;
BEGIN
    IF advance_migration.goal IS NULL OR advance_migration.goal NOT IN ('prepared', 'trial', 'rollout', 'enforced') THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid goal %s', coalesce(quote_literal(left(goal, 80)), 'NULL')),
            HINT = 'Use prepared, trial, rollout or enforced.';
    END IF;
    PERFORM tenancy.lock_migrations();
    current := tenancy.current_migration(advance_migration.migration);
    IF current.state IN ('undoing', 'undone') THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('migration %s is %s', current.id,
                CASE current.state WHEN 'undone' THEN 'undone' ELSE 'being undone' END),
            HINT = CASE current.state WHEN 'undone' THEN 'Start another with tenancy.start_migration().'
                                      ELSE 'Finish that with tenancy.undo_migration().' END;
    END IF;
    IF current.paused THEN
        outcome := 'paused';
        message := format('migration %s is paused', current.id);
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT s.* INTO this FROM tenancy.migration_steps s
    WHERE s.migration = current.id AND s.state <> 'done'
      AND tenancy.phase_place(s.phase) <= tenancy.phase_place(advance_migration.goal)
      -- Enforcement holds everybody: there is no need to hold some before.
      AND (s.phase <> 'rollout' OR advance_migration.goal = 'rollout')
    ORDER BY s.step LIMIT 1;
    IF this.step IS NULL THEN
        IF NOT EXISTS (SELECT FROM tenancy.migration_steps s WHERE s.migration = current.id AND s.phase = 'enforce' AND s.state = 'done') THEN
            UPDATE tenancy.migrations m SET state = advance_migration.goal,
                   finished_at = CASE advance_migration.goal WHEN 'enforced' THEN now() END
            WHERE m.id = current.id
              AND tenancy.phase_place(advance_migration.goal) > coalesce(tenancy.phase_place(current.state), 0);
        ELSIF advance_migration.goal = 'enforced' THEN
            UPDATE tenancy.migrations m SET state = 'enforced', finished_at = coalesce(m.finished_at, now()) WHERE m.id = current.id;
        END IF;
        outcome := 'reached';
        message := format('migration %s is %s', current.id,
                          (SELECT m.state FROM tenancy.migrations m WHERE m.id = current.id));
        RETURN NEXT;
        RETURN;
    END IF;

    step := this.step;
    kind := this.kind;
    relation := this.relation::text;
    statement := this.statement;
    wait := 0;
    IF current.state = 'planned' THEN
        UPDATE tenancy.migrations m SET state = 'running' WHERE m.id = current.id;
    END IF;
    IF this.statement ~ '^CREATE (UNIQUE )?INDEX CONCURRENTLY ' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = this.relation) THEN
        SELECT o.* INTO outside FROM tenancy.outside_state(this.statement, this.relation) o;
        IF outside.is_done THEN
            outcome := 'done';
            UPDATE tenancy.migration_steps s SET state = 'done', finished_at = clock_timestamp(), error = NULL,
                   seconds = CASE WHEN s.started_at IS NULL THEN 0 ELSE extract(epoch FROM clock_timestamp() - s.started_at) END
            WHERE s.migration = current.id AND s.step = this.step;
        ELSE
            outcome := 'outside';
            statement := coalesce(outside.cleanup, this.statement);
            UPDATE tenancy.migration_steps s SET state = 'running', started_at = coalesce(s.started_at, clock_timestamp())
            WHERE s.migration = current.id AND s.step = this.step;
        END IF;
        RETURN NEXT;
        RETURN;
    END IF;

    lock_wait := current_setting('lock_timeout');
    talk := current_setting('client_min_messages');
    BEGIN
        PERFORM set_config('client_min_messages', 'warning', true);
        -- Whoever waits for an exclusive lock makes all who come after wait too: not for long, then.
        PERFORM set_config('lock_timeout', CASE WHEN this.kind = 'validate' THEN '0'
                                                WHEN this.kind IN ('backfill', 'sweep') THEN '500ms'
                                                ELSE coalesce(current.options ->> 'lock_timeout', '200ms') END, true);
        IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
            -- In a deadlock with the application it is the migration that gives way.
            PERFORM set_config('deadlock_timeout', '20ms', true);
        END IF;
        result := tenancy.run_step(current, this);
        this := result.this;
        wait := result.wait;
        outcome := CASE this.state WHEN 'done' THEN 'done' ELSE 'more' END;
        this.error := NULL;
    EXCEPTION
        WHEN lock_not_available OR deadlock_detected THEN
            outcome := 'locked';
            this.attempts := this.attempts + 1;
            this.state := 'running';
            this.batch := greatest(1, this.batch / 2);
            this.error := SQLERRM;
            message := 'others use the table';
            wait := least(5, 0.1 * 1.5 ^ least(this.attempts, 12));
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS failure = PG_EXCEPTION_DETAIL;
            outcome := 'failed';
            this.state := 'failed';
            this.error := SQLERRM || CASE WHEN failure <> '' THEN E'\n' || failure ELSE '' END;
            message := this.error;
    END;
    PERFORM set_config('lock_timeout', lock_wait, true), set_config('client_min_messages', talk, true);
    UPDATE tenancy.migration_steps s
    SET state = this.state, position = this.position, target = this.target, batch = this.batch, rows_done = this.rows_done,
        attempts = this.attempts, seconds = this.seconds, error = this.error,
        started_at = coalesce(s.started_at, clock_timestamp()),
        finished_at = CASE WHEN this.state = 'done' THEN clock_timestamp() END
    WHERE s.migration = current.id AND s.step = this.step;
    blocks_done := this.position;
    blocks := this.target;
    rows_done := this.rows_done;
    RETURN NEXT;
END
$$;

COMMENT ON FUNCTION tenancy.advance_migration(text, integer) IS
'takes one step of a migration towards prepared, trial, rollout or enforced, and says what to do next: outcome done, more, outside (run the statement outside of a transaction, then call again), locked (call again after wait seconds), failed, paused or reached; for clients, which commit after each call; for superusers';

CREATE PROCEDURE tenancy.run_migration(goal text DEFAULT 'trial', migration integer DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
    result record;
    path_before pg_catalog.text := pg_catalog.current_setting('search_path');
BEGIN
    -- A procedure that commits can have no SET clause, and each commit ends this one.
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    LOOP
        SELECT a.* INTO result FROM tenancy.advance_migration(goal, migration) a;
        COMMIT;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        IF result.outcome = 'outside' THEN
            RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'a step of the migration runs outside of transactions',
                DETAIL = format('Statement: %s', result.statement),
                HINT = 'Run it by itself and call the procedure again, use tenancyctl migrate run, or start with online => false.';
        ELSIF result.outcome = 'failed' THEN
            RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('step %s of the migration failed', result.step),
                DETAIL = format('%s: %s', result.statement, result.message),
                HINT = 'What was done stays; repair the cause and call the procedure again, or tenancy.undo_migration().';
        END IF;
        EXIT WHEN result.outcome IN ('reached', 'paused');
        IF result.wait > 0 THEN
            PERFORM pg_sleep(result.wait);
        END IF;
    END LOOP;
    PERFORM pg_catalog.set_config('search_path', path_before, true);
END
$$;

COMMENT ON PROCEDURE tenancy.run_migration(text, integer) IS
'runs a migration to prepared, trial, rollout or enforced, committing after each step; goes on where it was; stops at an index that must be made outside of transactions, unless it was started with online => false; for superusers';

CREATE FUNCTION tenancy.pause_migration(migration integer DEFAULT NULL) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE tenancy.migrations m SET paused = true
    WHERE m.id = (SELECT (tenancy.current_migration(pause_migration.migration)).id);
END;

COMMENT ON FUNCTION tenancy.pause_migration(integer) IS
'lets whoever runs a migration stop after the step or batch that it is at; for superusers';

CREATE FUNCTION tenancy.resume_migration(migration integer DEFAULT NULL) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE tenancy.migrations m SET paused = false
    WHERE m.id = (SELECT (tenancy.current_migration(resume_migration.migration)).id);
END;

COMMENT ON FUNCTION tenancy.resume_migration(integer) IS 'takes a pause back; run the migration again to go on; for superusers';

CREATE FUNCTION tenancy.migration_status(migration integer DEFAULT NULL)
RETURNS TABLE (migration_id integer, state text, paused boolean, steps bigint, steps_done bigint, step integer, kind text, relation text,
               statement text, step_state text, blocks_done bigint, blocks bigint, rows_done bigint, rows_per_second double precision,
               error text)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT m.id, m.state, m.paused, c.steps, c.steps_done, s.step, s.kind, s.relation::text, s.statement, s.state, s.position, s.target,
           c.rows_done, c.rows_done / nullif(c.seconds, 0), s.error
    FROM (SELECT (tenancy.current_migration(migration_status.migration)).*) m
    CROSS JOIN LATERAL (
        SELECT count(*) AS steps, count(*) FILTER (WHERE o.state = 'done') AS steps_done,
               coalesce(sum(o.rows_done), 0)::bigint AS rows_done, sum(o.seconds) FILTER (WHERE o.kind = 'backfill') AS seconds
        FROM tenancy.migration_steps o
        WHERE o.migration = m.id AND (o.phase <> 'rollout' OR o.state = 'done' OR m.state = 'rollout')) c
    LEFT JOIN LATERAL (
        SELECT o.* FROM tenancy.migration_steps o
        WHERE o.migration = m.id AND o.state <> 'done' AND (o.phase <> 'rollout' OR m.state = 'rollout')
          AND m.state NOT IN ('undoing', 'undone')
        ORDER BY o.step LIMIT 1) s ON true;
END;

COMMENT ON FUNCTION tenancy.migration_status(integer) IS
'how far a migration has come, and the step that is next or under way; for superusers';

CREATE FUNCTION tenancy.tune_migration(batch_ms integer DEFAULT NULL, pause_factor double precision DEFAULT NULL,
                                       lock_ms integer DEFAULT NULL, migration integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    current tenancy.migrations := tenancy.current_migration(tune_migration.migration);
BEGIN
    IF batch_ms NOT BETWEEN 1 AND 60000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid batch_ms: expected 1 to 60000, not %s', batch_ms);
    ELSIF NOT pause_factor BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid pause_factor: expected 0 to 1000, not %s', pause_factor);
    ELSIF lock_ms NOT BETWEEN 1 AND 60000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('invalid lock_ms: expected 1 to 60000, not %s', lock_ms);
    END IF;
    UPDATE tenancy.migrations m
    SET options = m.options || jsonb_strip_nulls(jsonb_build_object('batch_ms', tune_migration.batch_ms,
            'pause_factor', tune_migration.pause_factor, 'lock_timeout', tune_migration.lock_ms || 'ms'))
    WHERE m.id = current.id;
END
$$;

COMMENT ON FUNCTION tenancy.tune_migration(integer, double precision, integer, integer) IS
'how hard a migration works, also while it runs: milliseconds for a batch of a backfill (40), the pause after it as a multiple of the time it took (1), milliseconds to wait for an exclusive lock before it gives way (200); null leaves one as it is; for superusers';
