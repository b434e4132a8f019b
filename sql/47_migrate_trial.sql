-- Trial: policies that let everything pass and count what the real ones would not have. Rollout: the floor of the real
-- ones, for some roles, while the trial's let the others pass.

CREATE FUNCTION tenancy.trial_passes(relation regclass, tenant anyelement, writing boolean) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE LEAKPROOF COST 100 AS 'MODULE_PATHNAME', 'tenancy_trial_passes';

COMMENT ON FUNCTION tenancy.trial_passes(regclass, anyelement, boolean) IS
'true, and counts whether the row is the current tenant''s; for the policies of a trial; internal';

CREATE FUNCTION tenancy.trial_tallies()
RETURNS TABLE (relation regclass, passed bigint, without_tenant bigint, other_tenant bigint, written_without_tenant bigint,
               written_to_other bigint, not_permitted bigint, last_hidden timestamptz)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'tenancy_trial_counts';

COMMENT ON FUNCTION tenancy.trial_tallies() IS 'what was counted in this database, also of relations that are gone; internal';

CREATE FUNCTION tenancy.clear_trial(relation regclass) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'tenancy_clear_trial';

COMMENT ON FUNCTION tenancy.clear_trial(regclass) IS 'lets the counts of a relation begin again at zero; internal';

CREATE FUNCTION tenancy.trial_counts()
RETURNS TABLE (relation regclass, passed bigint, without_tenant bigint, other_tenant bigint, written_without_tenant bigint,
               written_to_other bigint, not_permitted bigint, last_hidden timestamptz)
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.* FROM tenancy.trial_tallies() t
    WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relation)
    ORDER BY t.without_tenant + t.other_tenant + t.written_without_tenant + t.written_to_other + t.not_permitted DESC, t.relation::text;
END;

COMMENT ON FUNCTION tenancy.trial_counts() IS
'what the policies of tables on trial let pass: rows of the current tenant (passed), and rows that enforcement would hide or refuse: read or written with no tenant set, or of another tenant, or written by a role that may not write; last_hidden is when that last happened; since the trial began or the server started; for superusers';

CREATE FUNCTION tenancy.trial_policies() RETURNS name[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{tenancy_trial_read,tenancy_trial_insert,tenancy_trial_update,tenancy_trial_delete,tenancy_trial_hold_all,tenancy_trial_hold_insert,tenancy_trial_hold_update,tenancy_trial_hold_delete}'::name[];

COMMENT ON FUNCTION tenancy.trial_policies() IS 'the names of the policies of a trial and of a rollout; internal';

-- Where the table has row level security already, its own permissive policies decide, and ours must not open it.
CREATE FUNCTION tenancy.trial_statements(this tenancy.migration_tables, tenant_column name) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.statement
    FROM tenancy.tree_of((this).relation) t
    JOIN pg_class c ON c.oid = t.relation
    CROSS JOIN LATERAL (SELECT coalesce(((this).before -> 'members' -> t.relation::text ->> 'rls')::boolean, false) AS had_rls) b
    CROSS JOIN LATERAL (
        SELECT 1 AS place, format('CREATE POLICY %I ON %s AS %s FOR %s%s%s', v.name, t.relation,
                                  CASE WHEN b.had_rls THEN 'RESTRICTIVE' ELSE 'PERMISSIVE' END, v.command,
                                  CASE WHEN v.reads THEN format(' USING (tenancy.trial_passes(%L::regclass, %I, %s))', t.relation,
                                                                tenant_column, v.writing::text) ELSE '' END,
                                  CASE WHEN v.writes THEN format(' WITH CHECK (tenancy.trial_passes(%L::regclass, %I, true))', t.relation,
                                                                 tenant_column) ELSE '' END) AS statement
        FROM (VALUES ('tenancy_trial_read', 'SELECT', true, false, false), ('tenancy_trial_insert', 'INSERT', false, true, true),
                     ('tenancy_trial_update', 'UPDATE', true, true, true), ('tenancy_trial_delete', 'DELETE', true, false, true)
             ) AS v (name, command, reads, writes, writing)
        WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.relation AND p.polname = v.name)
        UNION ALL
        SELECT 2, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.relation) WHERE NOT c.relrowsecurity
        UNION ALL
        SELECT 3, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.relation) WHERE NOT c.relforcerowsecurity AND NOT b.had_rls
    ) s
    ORDER BY t.depth, t.relation, s.place, s.statement;
END;

COMMENT ON FUNCTION tenancy.trial_statements(tenancy.migration_tables, name) IS 'the statements that put a table on trial; internal';

CREATE FUNCTION tenancy.rollout_statements(this tenancy.migration_tables, migration tenancy.migrations) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.statement
    FROM tenancy.tree_of((this).relation) t
    CROSS JOIN LATERAL (
        SELECT format('(%I = %s)', (migration).tenant_column, tenancy.context_call((migration).column_type, false)) AS reading,
               format('(%I = %s)', (migration).tenant_column, tenancy.context_call((migration).column_type, true)) AS writing,
               (SELECT string_agg(quote_ident(r), ', ') FROM jsonb_array_elements_text((migration).options -> 'roles') r) AS roles) e
    CROSS JOIN LATERAL (
        SELECT 1 AS place, format('DROP POLICY %I ON %s', p.polname, t.relation) AS statement
        FROM pg_policy p WHERE p.polrelid = t.relation AND p.polname = ANY (tenancy.trial_policies()) AND starts_with(p.polname, 'tenancy_trial_hold_')
        UNION ALL
        SELECT 2, format('CREATE POLICY %I ON %s AS RESTRICTIVE FOR %s TO %s%s%s', 'tenancy_trial_hold_' || lower(v.command), t.relation,
                         v.command, e.roles, ' USING ' || v.using_text, ' WITH CHECK ' || v.check_text)
        FROM (VALUES ('ALL', e.reading, e.reading)) AS v (command, using_text, check_text)
        WHERE e.roles IS NOT NULL
        UNION ALL
        SELECT 2, format('CREATE POLICY %I ON %s AS RESTRICTIVE FOR %s TO %s%s%s', 'tenancy_trial_hold_' || lower(v.command), t.relation,
                         v.command, e.roles, coalesce(' USING ' || v.using_text, ''), coalesce(' WITH CHECK ' || v.check_text, ''))
        FROM (VALUES ('INSERT', NULL, e.writing), ('UPDATE', e.writing, e.writing), ('DELETE', e.writing, NULL)
             ) AS v (command, using_text, check_text)
        WHERE e.roles IS NOT NULL
    ) s
    ORDER BY t.depth, t.relation, s.place, s.statement;
END;

COMMENT ON FUNCTION tenancy.rollout_statements(tenancy.migration_tables, tenancy.migrations) IS
'the statements that hold some roles to the tenant on a table that is on trial; internal';

-- The policies of a trial are for roles that know nothing of tenancy. While there are any, everybody may execute the
-- function that they call; it tells nothing.
CREATE FUNCTION tenancy.open_trial() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted boolean := EXISTS (SELECT FROM pg_policy p WHERE p.polname = ANY (tenancy.trial_policies()));
BEGIN
    IF wanted <> has_function_privilege('public', 'tenancy.trial_passes(regclass, anyelement, boolean)', 'EXECUTE') THEN
        EXECUTE CASE WHEN wanted THEN 'GRANT EXECUTE ON FUNCTION tenancy.trial_passes TO PUBLIC'
                     ELSE 'REVOKE EXECUTE ON FUNCTION tenancy.trial_passes FROM PUBLIC' END;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.open_trial() IS 'lets everybody execute what the policies of a trial call, for as long as there are such; internal';

-- Whom the policies hold already, in a migration that is not enforced yet.
CREATE FUNCTION tenancy.hold_roles(roles regrole[], migration integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    current tenancy.migrations;
    bypassing regrole;
BEGIN
    PERFORM tenancy.refuse_null(hold_roles.roles IS NULL, 'roles');
    PERFORM tenancy.lock_migrations();
    current := tenancy.current_migration(hold_roles.migration);
    IF current.state IN ('enforced', 'undoing', 'undone') THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('migration %s is %s', current.id, current.state),
            HINT = 'Roles are held one before the other while a migration is not enforced.';
    END IF;
    SELECT r.oid INTO bypassing FROM pg_roles r WHERE r.oid = ANY (hold_roles.roles::oid[]) AND (r.rolsuper OR r.rolbypassrls) LIMIT 1;
    IF bypassing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('role %s bypasses row level security', bypassing),
            HINT = 'Give the application a role of its own without these attributes.';
    END IF;
    UPDATE tenancy.migrations m
    SET options = CASE WHEN hold_roles.roles = '{}' THEN m.options - 'roles'
                       ELSE m.options || jsonb_build_object('roles', (SELECT jsonb_agg(g.rolname) FROM pg_roles g
                                                                      WHERE g.oid = ANY (hold_roles.roles::oid[]))) END
    WHERE m.id = current.id;
    UPDATE tenancy.migration_steps s SET state = 'pending' WHERE s.migration = current.id AND s.phase = 'rollout';
END
$$;

COMMENT ON FUNCTION tenancy.hold_roles(regrole[], integer) IS
'names the roles that the policies of a migration hold before all others, an empty array for none; run_migration(''rollout'') then does it; they need a context from then on; for superusers';
