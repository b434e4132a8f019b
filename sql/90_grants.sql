-- Who may call what. Nothing is granted to PUBLIC; every privilege is given by name.

CREATE FUNCTION tenancy.grant_list(kind text) RETURNS SETOF regprocedure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT ('tenancy.' || signature)::regprocedure
    FROM (
        -- pgvector lives in whatever schema its creator chose.
        SELECT n.oid::regnamespace::text AS vectors
        FROM pg_extension e
        JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'vector'
    ) AS pgvector
    CROSS JOIN LATERAL (VALUES
        ('app', 'has_context()'),
        ('app', 'leave()'),
        ('app', 'current_tenant_id()'),
        ('app', 'current_tenant_key()'),
        ('app', 'current_tenant_key_bigint()'),
        ('app', 'current_tenant_key_integer()'),
        ('app', 'writable_tenant_id()'),
        ('app', 'writable_tenant_key()'),
        ('app', 'writable_tenant_key_bigint()'),
        ('app', 'writable_tenant_key_integer()'),
        ('app', 'current_user_id()'),
        ('app', 'current_api_key_id()'),
        ('app', 'has_permission(text)'),
        ('app', 'require_permission(text)'),
        ('app', 'current_role_name()'),
        ('app', 'uuid_v7()'),
        ('app', 'match_chunks(' || vectors || '.vector, integer, double precision, jsonb, uuid[], text)'),
        ('app', 'explain_match(' || vectors || '.vector, integer, double precision, jsonb, uuid[], text)'),
        ('app', 'hybrid_search(' || vectors || '.vector, text, integer, double precision, text, integer, jsonb, uuid[], text)'),
        ('app', 'keyword_search(text, integer, jsonb, uuid[], text)'),
        ('app', 'get_document_chunks(uuid, text)'),
        ('app', 'graph_search(text, uuid, integer, integer, text, text[], ' || vectors || '.vector)'),
        ('app', 'graph_layout(text)'),
        ('app', 'upsert_entities(jsonb, text)'),
        ('app', 'upsert_relations(jsonb, text)'),
        ('app', 'refuse_bad_items(jsonb, text, text[])'),
        ('owner', 'context_call(regtype, boolean)'),
        ('owner', 'tenants_column(regtype)'),
        ('owner', 'policies_for(name, regtype, boolean)'),
        ('owner', 'tree_of(regclass)'),
        ('owner', 'has_tenant_index(regclass, name)'),
        ('owner', 'has_tenant_key(regclass, name)'),
        ('owner', 'changed_policies(regclass, name, regtype, boolean)'),
        ('owner', 'all_faults()'),
        ('owner', 'protection_faults(regclass)'),
        ('owner', 'unused_name(regclass, name, text)'),
        ('owner', 'state_before(regclass, name)'),
        ('owner', 'refuse_protection(regclass, text, text)'),
        ('owner', 'refuse_other_owner(regclass)'),
        ('owner', 'refuse_unprotectable(regclass)'),
        ('owner', 'refuse_open_parents(regclass)'),
        ('owner', 'default_tenant_value(regtype)'),
        ('owner', 'values_without_tenant(regtype, text[])'),
        ('owner', 'run_seeing_all(text)'),
        ('owner', 'has_rows(regclass)'),
        ('owner', 'refuse_bad_values(regclass, name, regtype, boolean)'),
        ('owner', 'trigger_statements(regclass, boolean)'),
        ('owner', 'policy_statements(regclass, name, regtype, boolean)'),
        ('owner', 'tenant_column_type(regclass, name, regtype)'),
        ('owner', 'refuse_member(regclass, regclass, name, regtype, boolean)'),
        ('owner', 'member_statements(regclass, name, regtype, boolean, boolean, boolean, boolean, regclass[])'),
        ('owner', 'remember(regclass, name)'),
        ('owner', 'unique_keys(regclass[])'),
        ('owner', 'prepared_name(name)'),
        ('owner', 'prepared_index(oid)'),
        ('owner', 'index_text(oid, name, name, text, boolean)'),
        ('owner', 'constraint_text(oid, name, text)'),
        ('owner', 'index_belongings(oid, text)'),
        ('owner', 'key_statements(oid[], name, text)'),
        ('owner', 'prepare_key_statements(oid[], name, boolean)'),
        ('owner', 'foreign_keys_on(oid[])'),
        ('owner', 'may_hold_null(oid)'),
        ('owner', 'foreign_key_text(oid, name, name, text, jsonb)'),
        ('owner', 'key_bound_by(oid, oid, name[], name)'),
        ('owner', 'same_columns(name[], name[])'),
        ('owner', 'key_steps(regclass[], boolean, name, regtype, regclass[], name[])'),
        ('owner', 'foreign_key_before(oid)'),
        ('owner', 'key_plan(regclass[], boolean, name, regtype, regclass[], name[], boolean)'),
        ('owner', 'refuse_bad_keys(regclass, name, name[])'),
        ('owner', 'key_changes(regclass, name, regclass[], name[], regtype)'),
        ('owner', 'key_phases(regclass[], boolean, name, regtype, name[])'),
        ('owner', 'run_key_phases(tenancy.key_statement[])'),
        ('owner', 'count_seeing_all(text)'),
        ('owner', 'refuse_crossing_rows(regclass, name, text)'),
        ('owner', 'missing_indexes(tenancy.key_statement[], regclass[])'),
        ('owner', 'protect(regclass, name, regtype, text, boolean, boolean, boolean, name[], boolean)'),
        ('owner', 'undo_statements(regclass, boolean)'),
        ('owner', 'path_condition(regclass, name, text, integer, boolean, tenancy.tenants)'),
        ('owner', 'has_path_index(regclass, name)'),
        ('owner', 'path_policies(regclass, name)'),
        ('owner', 'policy_expressions(regclass)'),
        ('owner', 'same_policy(jsonb, jsonb)'),
        ('owner', 'indirect_faults(regclass)'),
        ('owner', 'migration_preparing(regclass)'),
        ('owner', 'refuse_registered(regclass, text)'),
        ('owner', 'refuse_null(boolean, text)'),
        ('owner', 'find_path(regclass, name)'),
        ('owner', 'protect_by_path(regclass, name, boolean, boolean)'),
        ('owner', 'share(regclass, boolean)'),
        ('owner', 'unprotect_indirect(regclass, regclass[], boolean)'),
        ('owner', 'refuse_leading(regclass, regclass[])'),
        ('owner', 'unprotect_tables(regclass[], boolean, boolean)'),
        ('owner', 'unprotect(regclass, boolean, boolean)'),
        ('owner', 'protect_statement(regclass, regclass)'),
        ('owner', 'isolated_tables()'),
        ('owner', 'tables_in_change()'),
        ('owner', 'run_check(name)'),
        ('owner', 'all_findings()'),
        ('owner', 'acceptances()'),
        ('owner', 'check_failed_on(regclass, text, text)'),
        ('owner', 'protection_repair(regclass, text)'),
        ('owner', 'check_protections()'),
        ('owner', 'check_paths()'),
        ('owner', 'check_sharing()'),
        ('owner', 'serves_several()'),
        ('owner', 'stored_setting(oid, text)'),
        ('owner', 'check_corpora()'),
        ('owner', 'attach_statement(text)'),
        ('owner', 'corpus_parts()'),
        ('owner', 'migration_faults()'),
        ('owner', 'check_migrations()'),
        ('control_plane', 'accept_finding(text, text, text)'),
        ('control_plane', 'unaccept_finding(text, text)'),
        ('control_plane', 'list_accepted_findings()'),
        ('owner', 'check_tables()'),
        ('owner', 'path_problem(regclass, name)'),
        ('owner', 'column_problem(regclass, name, regtype)'),
        ('owner', 'corpus_problem(tenancy.corpora)'),
        ('owner', 'wrong_tables()'),
        ('owner', 'check_registry()'),
        ('owner', 'with_tenant_first(text, text)'),
        ('owner', 'check_keys()'),
        ('owner', 'reads_as_caller(regclass)'),
        ('owner', 'check_readers()'),
        ('owner', 'may_be_written(regclass)'),
        ('owner', 'rules_as_owner(regclass[])'),
        ('owner', 'triggers_as_owner(regclass[])'),
        ('owner', 'check_code()'),
        ('owner', 'check_roles()'),
        ('owner', 'check_settings()'),
        ('owner', 'check_estimates()'),
        ('owner', 'names_tenants(regrole)'),
        ('owner', 'row_security_fixes()'),
        ('owner', 'check_version(integer)'),
        ('owner', 'preload_statement()'),
        ('owner', 'check_server()'),
        ('owner', 'check_restore()'),
        ('owner', 'check()'),
        ('owner', 'key_of_tenant(text, regtype)'),
        ('owner', 'publish_tenant(text, text, regclass[], boolean)'),
        ('owner', 'create_corpus(text, integer, text, regconfig, name, text, text)'),
        ('owner', 'attach_corpus(text, regclass, regclass, jsonb, integer, text, regconfig, text)'),
        ('owner', 'set_embedding_model(text, text)'),
        ('owner', 'refuse_bad_model(text)'),
        ('owner', 'drop_corpus(text, boolean)'),
        ('owner', 'create_graph(text)'),
        ('owner', 'graph_tenant_column(text)'),
        ('owner', 'drop_graph(text, boolean)'),
        ('owner', 'keep_stores(text)'),
        ('owner', 'forget_stores(text)'),
        ('owner', 'rebuild_corpus(text, integer)'),
        ('owner', 'rebuildable_stores(text)'),
        ('owner', 'rebuild_begin(text, text)'),
        ('owner', 'rebuild_step(text, text, integer)'),
        ('owner', 'store_faults()'),
        ('owner', 'check_counts()'),
        ('owner', 'grant_corpus(text, regrole)'),
        ('owner', 'refuse_bad_corpus(text, text, regconfig)'),
        ('owner', 'tenant_column(regclass)'),
        ('owner', 'column_for_corpus(regclass, text, jsonb, text[], boolean, name)'),
        ('owner', 'may_alter(regclass)'),
        ('owner', 'is_restoring()'),
        ('owner', 'app_roles()'),
        ('app', 'is_enabled()'),
        ('app', 'graph_namespace()'),
        ('member', 'create_agent(uuid, text, text, text, text, double precision, text[], jsonb, boolean, jsonb)'),
        ('member', 'list_agents(uuid)'),
        ('member', 'get_agent(uuid)'),
        ('member', 'update_agent(uuid, jsonb)'),
        ('member', 'set_default_agent(uuid)'),
        ('member', 'delete_agent(uuid)'),
        ('member', 'resolve_agent(uuid, uuid)'),
        ('member', 'create_session(uuid, text, jsonb)'),
        ('member', 'list_sessions(integer)'),
        ('member', 'delete_session(uuid)'),
        ('member', 'add_message(uuid, text, text, jsonb, integer)'),
        ('member', 'list_messages(uuid, uuid, integer)'),
        ('member', 'start_run(uuid, uuid, jsonb)'),
        ('member', 'finish_run(uuid, text, jsonb, text, integer, integer)'),
        ('member', 'list_runs(uuid, integer)'),
        ('app', 'enter_with_key(text, boolean)'),
        ('app', 'enter_with_token(text, boolean)'),
        ('session_context', 'may_keep_context()'),
        ('session', 'set_tenant(uuid, boolean)'),
        ('session', 'set_tenant(text, boolean)'),
        ('session', 'enter(uuid, uuid, boolean)'),
        ('session', 'enter(text, uuid, boolean)'),
        ('member', 'update_organization(text, text, text, jsonb, jsonb, text)'),
        ('member', 'get_organization(text)'),
        ('member', 'list_organizations()'),
        ('member', 'create_tenant(text, text, text, text, jsonb)'),
        ('member', 'get_tenant(text)'),
        ('member', 'list_tenants(text)'),
        ('member', 'update_tenant(text, text, text, jsonb, text)'),
        ('member', 'suspend_tenant(uuid)'),
        ('member', 'suspend_tenant(text)'),
        ('member', 'resume_tenant(uuid)'),
        ('member', 'resume_tenant(text)'),
        ('member', 'delete_tenant(uuid)'),
        ('member', 'delete_tenant(text)'),
        ('member', 'restore_tenant(uuid)'),
        ('member', 'restore_tenant(text)'),
        ('member', 'switch_tenant(uuid)'),
        ('member', 'switch_tenant(text)'),
        ('member', 'my_tenants()'),
        ('member', 'get_user(uuid)'),
        ('member', 'update_user(uuid, text, jsonb, text)'),
        ('member', 'list_members(uuid)'),
        ('member', 'add_member(uuid, uuid, text)'),
        ('member', 'change_role(uuid, uuid, text)'),
        ('member', 'remove_member(uuid, uuid)'),
        ('member', 'leave_tenant(uuid)'),
        ('member', 'create_role(uuid, text, integer, text[])'),
        ('member', 'update_role(uuid, text, integer, text[])'),
        ('member', 'drop_role(uuid, text)'),
        ('member', 'list_roles(uuid)'),
        ('session', 'pre_request()'),
        ('member', 'create_api_key(uuid, text, text, text[], text, timestamptz, integer)'),
        ('member', 'list_api_keys(uuid)'),
        ('member', 'revoke_api_key(uuid)'),
        ('member', 'rotate_api_key(uuid, interval)'),
        ('member', 'invite(uuid, text, text, interval)'),
        ('member', 'accept_invitation(text, uuid)'),
        ('member', 'revoke_invitation(text)'),
        ('control_plane', 'take_outbox(integer)'),
        ('control_plane', 'rotate_pepper()'),
        ('control_plane', 'rotate_invitation_secret(boolean)'),
        ('control_plane', 'add_token_issuer(text, text[], text, text, text, text, uuid, interval)'),
        ('control_plane', 'set_token_issuer_keys(text, text)'),
        ('control_plane', 'drop_token_issuer(text)'),
        ('control_plane', 'list_token_issuers()'),
        ('member', 'count_rows(uuid)'),
        ('member', 'export_tenant(uuid)'),
        ('member', 'export_tenant(text)'),
        ('control_plane', 'purge_begin(uuid, integer)'),
        ('control_plane', 'purge_steps()'),
        ('control_plane', 'purge_batch(uuid, regclass[], integer)'),
        ('control_plane', 'purge_end(uuid, bigint)'),
        ('control_plane', 'purge_tenant(uuid, integer)'),
        ('control_plane', 'freeze_tenant(uuid, text)'),
        ('control_plane', 'unfreeze_tenant(uuid, text)'),
        ('control_plane', 'prewarm_tenant(uuid, text)'),
        ('member', 'audit_log(uuid, timestamptz, timestamptz, text, text, text, integer, uuid)'),
        ('member', 'export_audit(uuid, timestamptz, timestamptz)'),
        ('member', 'verify_audit(uuid, bigint, bytea)'),
        ('member', 'verify_audit_archive(jsonb[])'),
        ('member', 'list_plans()'),
        ('member', 'limits(uuid)'),
        ('member', 'remaining(text, uuid)'),
        ('member', 'record_usage(text, bigint, uuid)'),
        ('member', 'release_usage(text, bigint, uuid)'),
        ('member', 'usage_report(date, date, uuid, uuid)'),
        ('owner', 'audit(regclass, name[])'),
        ('owner', 'unaudit(regclass)'),
        ('owner', 'meter_documents(regclass)'),
        ('owner', 'unmeter_documents(regclass)'),
        ('control_plane', 'seal_audit()'),
        ('control_plane', 'set_audit_retention(interval, uuid)'),
        ('control_plane', 'archive_audit(uuid)'),
        ('control_plane', 'expire_audit(bigint, text, uuid)'),
        ('control_plane', 'denials_go_to()'),
        ('control_plane', 'set_plan(text, text)'),
        ('control_plane', 'set_plan_limit(text, text, bigint)'),
        ('control_plane', 'drop_plan(text)'),
        ('control_plane', 'change_plan(text, text)'),
        ('control_plane', 'define_metric(text, text, text, text)'),
        ('control_plane', 'set_limit(text, bigint, uuid, uuid)'),
        ('control_plane', 'drop_limit(text, uuid, uuid)'),
        ('control_plane', 'recount_documents()'),
        ('control_plane', 'document_drift()'),
        ('control_plane', 'create_organization(text, text)'),
        ('control_plane', 'register_user(text, text, text, text, jsonb, text)'),
        ('control_plane', 'find_user(text, text, text)'),
        ('control_plane', 'list_users(uuid, integer)'),
        ('control_plane', 'deactivate_user(uuid)'),
        ('control_plane', 'reactivate_user(uuid)'),
        ('control_plane', 'link_identity(uuid, text, text)'),
        ('control_plane', 'unlink_identity(text, text)'),
        ('control_plane', 'list_tenants_of_user(uuid)')
    ) AS list (kind, signature)
    WHERE list.kind = grant_list.kind;
END;

COMMENT ON FUNCTION tenancy.grant_list(text) IS
'the functions that grant_app (app, member, session, session_context), grant_control_plane (control_plane, member) and grant_owner (owner) give; no function is on two lists; internal';

CREATE FUNCTION tenancy.grant_functions(role regrole, kinds text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text;
    kind text;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'role must not be null';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA tenancy TO %s', role);
    FOREACH kind IN ARRAY kinds LOOP
        FOR wanted IN SELECT f::text FROM tenancy.grant_list(kind) f LOOP
            EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', wanted, role);
        END LOOP;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.grant_functions(regrole, text[]) IS 'grants EXECUTE on the functions of the named lists; internal';

CREATE FUNCTION tenancy.revoke_functions(role regrole, kinds text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    listed text;
    kind text;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'role must not be null';
    END IF;
    FOREACH kind IN ARRAY kinds LOOP
        FOR listed IN SELECT f::text FROM tenancy.grant_list(kind) f LOOP
            EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM %s', listed, role);
        END LOOP;
    END LOOP;
    -- The schema stays usable for a role that holds functions of another list.
    IF NOT EXISTS (
        SELECT FROM pg_proc p, aclexplode(p.proacl) a
        WHERE p.pronamespace = 'tenancy'::regnamespace AND a.grantee = role
    ) THEN
        EXECUTE format('REVOKE USAGE ON SCHEMA tenancy FROM %s', role);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.revoke_functions(regrole, text[]) IS 'revokes EXECUTE on the functions of the named lists; internal';

CREATE FUNCTION tenancy.app_roles() RETURNS SETOF regrole
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.grantee::regrole
    FROM pg_proc p, aclexplode(p.proacl) a
    WHERE p.oid = 'tenancy.current_tenant_id()'::regprocedure
      AND a.grantee <> p.proowner AND a.grantee <> 0 AND a.privilege_type = 'EXECUTE';
END;

COMMENT ON FUNCTION tenancy.app_roles() IS 'the roles that grant_app was called for: those that hold EXECUTE on tenancy.current_tenant_id()';

CREATE FUNCTION tenancy.grant_app(role regrole, trust text DEFAULT 'session', session_context boolean DEFAULT true) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    corpus record;
    shared regclass;
BEGIN
    IF trust IS NULL OR trust NOT IN ('credential', 'session', 'pooled') THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid trust %s', coalesce(quote_literal(trust), 'NULL')),
            HINT = 'Use credential, session or pooled.';
    END IF;
    IF session_context IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'session_context must not be null',
            HINT = 'Use false for a role behind a pooler, true for one with connections of its own.';
    END IF;
    IF trust = 'pooled' AND NOT session_context THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = 'a pooled role cannot be without session_context',
            DETAIL = 'SET tenancy.tenant_id, which its pooler replays, is for the session.',
            HINT = 'Use trust session, whose contexts end with the transaction.';
    END IF;
    IF EXISTS (SELECT FROM pg_roles r WHERE r.oid = role AND (r.rolsuper OR r.rolbypassrls)) THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('role %s bypasses row level security', role),
            DETAIL = 'Policies do not hold a superuser or a role with BYPASSRLS.',
            HINT = 'Give the application a role of its own without these attributes.';
    END IF;

    -- A lower trust than before must take away what the higher one gave.
    PERFORM tenancy.revoke_app(role);
    PERFORM tenancy.grant_functions(role, CASE trust WHEN 'credential' THEN '{app,member}' ELSE '{app,member,session}' END::text[]
                                          || CASE WHEN session_context THEN '{session_context}' ELSE '{}' END::text[]);
    EXECUTE format('GRANT SELECT ON tenancy.corpora, tenancy.graphs TO %s', role);
    IF trust = 'pooled' THEN
        EXECUTE format('GRANT SET ON PARAMETER tenancy.tenant_id TO %s', role);
    END IF;
    FOR corpus IN SELECT c.name FROM tenancy.corpora c LOOP
        PERFORM tenancy.grant_corpus(corpus.name, role);
    END LOOP;
    FOR shared IN
        SELECT i.relation FROM tenancy.indirect_tables i JOIN pg_class c ON c.oid = i.relation
        WHERE i.kind = 'shared' AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', shared, role);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.grant_app(regrole, text, boolean) IS
'lets an application''s role use tenancy: credential (enters only with a key or token), session (also names the tenant itself) or pooled (also SET tenancy.tenant_id); session_context => false forbids contexts that outlive the transaction, for roles behind poolers; includes the tables of every corpus';

CREATE FUNCTION tenancy.revoke_app(role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    corpus record;
BEGIN
    PERFORM tenancy.revoke_functions(role, '{app,session,session_context}');
    -- Operators hold these too, and keep them.
    IF NOT has_function_privilege(role, 'tenancy.create_organization(text, text)', 'EXECUTE') THEN
        PERFORM tenancy.revoke_functions(role, '{member}');
    END IF;
    -- So do owners.
    IF NOT has_function_privilege(role, 'tenancy.drop_corpus(text, boolean)', 'EXECUTE') THEN
        EXECUTE format('REVOKE SELECT ON tenancy.corpora, tenancy.graphs FROM %s', role);
    END IF;
    EXECUTE format('REVOKE SET ON PARAMETER tenancy.tenant_id FROM %s', role);
    FOR corpus IN SELECT c.name FROM tenancy.corpora c LOOP
        PERFORM tenancy.revoke_corpus(corpus.name, role);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.revoke_app(regrole) IS 'takes back what grant_app gave';

CREATE FUNCTION tenancy.grant_control_plane(role regrole) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
RETURN tenancy.grant_functions(role, '{control_plane,member}');

COMMENT ON FUNCTION tenancy.grant_control_plane(regrole) IS 'lets an operator''s role manage organizations and tenants';

CREATE FUNCTION tenancy.revoke_control_plane(role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.revoke_functions(role, '{control_plane}');
    -- Application roles hold these too, and keep them.
    IF role NOT IN (SELECT tenancy.app_roles()) THEN
        PERFORM tenancy.revoke_functions(role, '{member}');
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.revoke_control_plane(regrole) IS 'takes back what grant_control_plane gave';

CREATE FUNCTION tenancy.grant_owner(role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.grant_functions(role, '{owner}');
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON tenancy.corpora, tenancy.graphs TO %s', role);
    EXECUTE format('GRANT UPDATE (embedding_model) ON tenancy.corpora TO %s', role);
    -- A policy holds it to its own tables. Not the column undo: unprotect() executes what stands in it.
    EXECUTE format('GRANT SELECT, DELETE, INSERT (relation, tenant_column, column_type, own_policies, foreign_key, index), '
                   'UPDATE (foreign_key, index, global_keys, keys, is_changing) ON tenancy.protected_tables TO %s', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON tenancy.indirect_tables TO %s', role);
    EXECUTE format('GRANT SELECT, DELETE, INSERT (relation, tenant_column) ON tenancy.state_before_migration TO %s', role);
    -- What a foreign key from a protected table needs; it lets the role test which keys exist, and nothing else.
    EXECUTE format('GRANT REFERENCES (id, external_key, external_key_bigint) ON tenancy.tenants TO %s', role);
END
$$;

COMMENT ON FUNCTION tenancy.grant_owner(regrole) IS 'lets a role protect the tables that it owns and create corpora';

CREATE FUNCTION tenancy.revoke_owner(role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Goes for the columns too.
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON tenancy.corpora, tenancy.graphs FROM %s', role);
    -- Application roles read it too, and go on.
    IF role NOT IN (SELECT tenancy.app_roles()) THEN
        EXECUTE format('REVOKE SELECT ON tenancy.corpora, tenancy.graphs FROM %s', role);
    END IF;
    EXECUTE format('REVOKE SELECT, INSERT, UPDATE, DELETE ON tenancy.protected_tables FROM %s', role);
    EXECUTE format('REVOKE SELECT, INSERT, UPDATE, DELETE ON tenancy.indirect_tables FROM %s', role);
    EXECUTE format('REVOKE SELECT, INSERT, DELETE ON tenancy.state_before_migration FROM %s', role);
    EXECUTE format('REVOKE REFERENCES (id, external_key, external_key_bigint) ON tenancy.tenants FROM %s', role);
    PERFORM tenancy.revoke_functions(role, '{owner}');
END
$$;

COMMENT ON FUNCTION tenancy.revoke_owner(regrole) IS 'takes back what grant_owner gave';

REVOKE ALL ON ALL ROUTINES IN SCHEMA tenancy, tenancy_internal FROM PUBLIC;
