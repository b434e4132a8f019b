-- Export and purge of a tenant: all of its rows in all protected tables, and nothing of another one. purge_tenant()
-- commits, so this file is not one transaction.
SELECT plan(40);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT test_helpers.make_owner();
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);
SELECT test_helpers.role_name('operator') AS operator, test_helpers.role_name('owner') AS owner \gset
SELECT tenancy.create_agent(test_helpers.a(), 'Helper');

-- Tables of an owner who is not a superuser: parents and children, a circle, a tree, partitions, other key types.
SET SESSION AUTHORIZATION :"owner";
CREATE TABLE parents (id integer, tenant_id uuid, PRIMARY KEY (tenant_id, id));
CREATE TABLE children (id integer, parent integer NOT NULL, tenant_id uuid, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent) REFERENCES parents);
CREATE TABLE nodes (id integer, above integer, tenant_id uuid, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, above) REFERENCES nodes);
CREATE TABLE hens (id integer, egg integer, tenant_id uuid, PRIMARY KEY (tenant_id, id));
CREATE TABLE eggs (id integer, hen integer, tenant_id uuid, PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, hen) REFERENCES hens);
ALTER TABLE hens ADD FOREIGN KEY (tenant_id, egg) REFERENCES eggs DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE events (id integer, at date NOT NULL, tenant_id uuid) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE "Events 2026" PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE keyed (id integer, account bigint NOT NULL);
CREATE TABLE named (id integer, account text NOT NULL);
SELECT count(*) FROM (VALUES ('parents'), ('children'), ('nodes'), ('hens'), ('eggs'), ('events')) AS t (relation),
    tenancy.protect(t.relation::regclass);
SELECT count(*) FROM tenancy.protect('keyed', 'account', 'bigint');
SELECT count(*) FROM tenancy.protect('named', 'account', 'text');

-- What hangs on a table is its owner's code, and tells who runs it.
CREATE TABLE ran_as (who text, path text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ran_as VALUES (current_user, current_setting('search_path'));
    RETURN OLD;
END
$$;
CREATE TRIGGER tell AFTER DELETE ON parents FOR EACH ROW EXECUTE FUNCTION tell();
SELECT tenancy.audit('children');
-- So is what planning a query evaluates: whoever else reads this table fails.
CREATE TABLE planned (id integer, tenant_id uuid);
SELECT count(*) FROM tenancy.protect('planned');
CREATE FUNCTION only_owner(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> (SELECT tableowner FROM pg_catalog.pg_tables WHERE tablename = 'planned') THEN
        RAISE 'planned by %', current_user;
    END IF;
    RETURN true;
END
$$;
CREATE INDEX ON planned (id) WHERE only_owner(1);
RESET SESSION AUTHORIZATION;

INSERT INTO parents SELECT g, t FROM generate_series(1, 25) g, (VALUES (test_helpers.a()), (test_helpers.b())) v (t);
INSERT INTO children SELECT g, 1 + g % 25, t FROM generate_series(1, 40) g, (VALUES (test_helpers.a()), (test_helpers.b())) v (t);
INSERT INTO nodes SELECT g, nullif(g - 1, 0), t FROM generate_series(1, 30) g, (VALUES (test_helpers.a()), (test_helpers.b())) v (t);
BEGIN;
INSERT INTO hens SELECT g, g, t FROM generate_series(1, 5) g, (VALUES (test_helpers.a()), (test_helpers.b())) v (t);
INSERT INTO eggs SELECT g, g, t FROM generate_series(1, 5) g, (VALUES (test_helpers.a()), (test_helpers.b())) v (t);
COMMIT;
INSERT INTO events SELECT g, '2025-12-25'::date + g, t FROM generate_series(1, 20) g, (VALUES (test_helpers.a()), (test_helpers.b())) v (t);
INSERT INTO keyed SELECT g, k FROM generate_series(1, 3) g, (VALUES (1001), (1002)) v (k);
INSERT INTO named SELECT g, k FROM generate_series(1, 3) g, (VALUES ('1001'), ('1002')) v (k);

-- Export.
BEGIN;
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT throws_ok('SELECT tenancy.export_tenant(test_helpers.a())', 'TN004', 'permission denied by role', 'an editor exports nothing');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT throws_ok('SELECT tenancy.export_tenant(test_helpers.a())', 'TN002', 'tenant is not available', 'nor does a stranger');
SELECT throws_ok('SELECT tenancy.count_rows(test_helpers.a())', 'TN002', 'tenant is not available', 'nor count');
SELECT throws_ok('SELECT tenancy.export_tenant(NULL::uuid)', '22004', 'tenant must not be null', 'null is no tenant');
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
CREATE TEMP TABLE exported AS SELECT * FROM tenancy.export_tenant(test_helpers.a());
CREATE TEMP TABLE counted AS SELECT * FROM tenancy.count_rows(test_helpers.a());
GRANT ALL ON exported, counted TO PUBLIC;
SELECT test_helpers.act_as_superuser();
COMMIT;
SELECT results_eq('SELECT relation, count(*) FROM exported GROUP BY 1 ORDER BY relation COLLATE "C"',
    $$VALUES ('public.children', 40::bigint), ('public.eggs', 5), ('public.events', 20), ('public.hens', 5), ('public.keyed', 3), ('public.named', 3),
      ('public.nodes', 30), ('public.parents', 25), ('tenancy.agents', 1), ('tenancy.memberships', 3), ('tenancy.tenants', 1)$$,
    'an admin exports all rows of all tables, partitions with their parent');
SELECT set_eq('SELECT relation, count(*) FROM exported GROUP BY 1', 'SELECT relation, row_count FROM counted WHERE row_count > 0',
    'as many as are counted');
SELECT is((SELECT count(*) FROM exported WHERE data->>'tenant_id' <> test_helpers.a()::text OR data->>'account' <> '1001'), 0::bigint, 'none of B''s');
SELECT is((SELECT array_agg((data->>'id')::integer ORDER BY row_number) FROM exported WHERE relation = 'public.children'),
          ARRAY(SELECT generate_series(1, 40)), 'by primary key');
SELECT is((SELECT data::jsonb FROM exported WHERE relation = 'public.children' AND row_number = 1),
          (SELECT to_jsonb(c) FROM children c WHERE id = 1 AND tenant_id = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'), 'with all columns');
SELECT is((SELECT count(*) FROM tenancy.export_tenant('tenant-a')), 136::bigint, 'operators by slug as well');

-- Casts of an owner's types run as the owner.
SET SESSION AUTHORIZATION :"owner";
CREATE TYPE mood AS ENUM ('glad');
CREATE FUNCTION json_of(mood) RETURNS json LANGUAGE sql RETURN to_json(current_user);
CREATE CAST (mood AS json) WITH FUNCTION json_of(mood);
ALTER TABLE keyed ADD COLUMN mood mood DEFAULT 'glad';
RESET SESSION AUTHORIZATION;
SELECT is((SELECT data->>'mood' FROM tenancy.export_tenant(test_helpers.a()) WHERE relation = 'public.keyed' LIMIT 1), :'owner',
          'a cast runs with the rights of the table''s owner');

-- Purge: only of what is deleted, only by operators.
SELECT throws_ok('SELECT tenancy.purge_begin(test_helpers.a(), 10)', '55000', 'tenant ''tenant-a'' is active, not deleted', 'only a deleted tenant is purged');
SELECT tenancy.delete_tenant('tenant-a');
SET SESSION AUTHORIZATION :"operator";
SELECT throws_ok('CALL tenancy.purge_tenant(NULL)', '22004', 'tenant must not be null', 'null is no tenant');
SELECT throws_ok('CALL tenancy.purge_tenant(test_helpers.a(), 0)', '22023', 'invalid batch_rows 0', 'a batch has rows');
SELECT throws_ok('CALL tenancy.purge_tenant(''00000000-0000-4000-8000-00000000dead'')', 'TN002', 'tenant is not available', 'an unknown tenant');
SELECT throws_ok('CALL tenancy.purge_tenant(test_helpers.a())', '2D000', NULL, 'not inside another transaction');
SELECT throws_ok('SELECT tenancy.purge_batch(test_helpers.b(), ''{parents}'', 10)', '55000', NULL, 'its parts do nothing by themselves');
SELECT throws_ok('SELECT tenancy.purge_end(test_helpers.b(), 0)', '55000', NULL, 'not the last one either');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT purge_started_at FROM tenancy.tenants WHERE id = test_helpers.a()), NULL, 'nothing has begun');
SELECT is((SELECT count(*) FROM children WHERE tenant_id = test_helpers.a()), 40::bigint, 'and nothing is gone');
BEGIN;
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT throws_ok('CALL tenancy.purge_tenant(test_helpers.a())', '42501', NULL, 'members do not purge');
SELECT test_helpers.act_as_superuser();
COMMIT;

-- A trigger that keeps rows is found, and the purge goes on when it is gone.
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON named FOR EACH ROW EXECUTE FUNCTION keep();
SET SESSION AUTHORIZATION :"operator";
\set ON_ERROR_STOP 0
CALL tenancy.purge_tenant('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 7);
\set ON_ERROR_STOP 1
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '55000', 'rows that stay stop the purge');
SELECT is(:'LAST_ERROR_MESSAGE'::text, 'rows of tenant ''tenant-a'' are left in public.named', 'and are named');
SELECT throws_ok($$SELECT tenancy.restore_tenant('tenant-a')$$, '55000', 'tenant ''tenant-a'' is being purged, not deleted', 'half a tenant is not restored');
RESET SESSION AUTHORIZATION;
DROP TRIGGER keep ON named;
SELECT is((SELECT count(*) FROM children WHERE tenant_id = test_helpers.a()), 0::bigint, 'what was deleted before stays so');

INSERT INTO parents SELECT g, test_helpers.a() FROM generate_series(1, 25) g;
SET SESSION AUTHORIZATION :"operator";
CALL tenancy.purge_tenant('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 7);
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM tenancy.tenants WHERE id = test_helpers.a()), 0::bigint, 'the tenant is gone');
SELECT is((SELECT count(*) FROM tenancy.memberships WHERE tenant_id = test_helpers.a()), 0::bigint, 'with its members');
SELECT is((SELECT count(*) FROM tenancy.agents WHERE tenant_id = test_helpers.a()), 0::bigint, 'and agents');
SELECT is((SELECT count(*) FROM tenancy.users WHERE email = 'admin@a.example'), 1::bigint, 'users stay');
SELECT is((SELECT count(*) FROM ran_as WHERE who = :'owner' AND path = 'public, pg_temp'), 50::bigint, 'triggers ran with the rights of the table''s owner');
SELECT is((SELECT count(*) FROM ran_as), 50::bigint, 'each of them');
SELECT is((SELECT (after->>'rows')::integer FROM tenancy.audit_log WHERE tenant_id = test_helpers.a() AND action = 'tenant.purge'), 28, 'the log tells');

SELECT is((SELECT count(*) FROM tenancy.audit_log WHERE tenant_id = test_helpers.a() AND action = 'delete'), 0::bigint, 'and not of each row');
SELECT is((SELECT count(*) FROM tenancy.audit_log WHERE tenant_id = test_helpers.a() AND action = 'insert'), 40::bigint, 'unlike what was done before');
SELECT lives_ok('SELECT tenancy.verify_audit(test_helpers.a())', 'what there is can still be verified');

-- B is as before.
SELECT results_eq($$SELECT 'children', count(*) FROM children WHERE tenant_id = test_helpers.b()
    UNION ALL SELECT 'parents', count(*) FROM parents UNION ALL SELECT 'nodes', count(*) FROM nodes UNION ALL SELECT 'hens', count(*) FROM hens
    UNION ALL SELECT 'eggs', count(*) FROM eggs UNION ALL SELECT 'events', count(*) FROM events
    UNION ALL SELECT 'keyed', count(*) FROM keyed UNION ALL SELECT 'named', count(*) FROM named$$,
    $$VALUES ('children', 40::bigint), ('parents', 25), ('nodes', 30), ('hens', 5), ('eggs', 5), ('events', 20), ('keyed', 3), ('named', 3)$$,
    'B has all of its rows');

-- A corpus.
SELECT tenancy.create_corpus('default', 3) IS NOT NULL;
INSERT INTO documents (tenant_id, id, title) VALUES (test_helpers.b(), 'd0000000-0000-4000-8000-000000000001', 'One');
INSERT INTO chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT test_helpers.b(), 'd0000000-0000-4000-8000-000000000001', g, 'word', '[1,2,3]' FROM generate_series(1, 50) g;
SELECT is((SELECT row_count FROM tenancy.count_rows(test_helpers.b()) WHERE relation = 'public.chunks'), 50::bigint, 'a corpus is counted');
SELECT tenancy.delete_tenant('tenant-b');
CALL tenancy.purge_tenant('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 20);
SELECT is((SELECT count(*) FROM chunks), 0::bigint, 'and purged');
SELECT is((SELECT count(*) FROM documents), 0::bigint, 'with its documents');

-- Two owners of a circle cannot be served by one statement.
SELECT tenancy.create_tenant('tenant-c') AS c \gset
INSERT INTO hens (id, tenant_id) VALUES (1, :'c');
ALTER TABLE eggs OWNER TO CURRENT_USER;
SELECT tenancy.delete_tenant('tenant-c');
SELECT tenancy.purge_begin(:'c', 10) IS NOT NULL;
SELECT throws_like(format('SELECT tenancy.purge_batch(%L, s.relations, NULL) FROM tenancy.purge_steps() s WHERE cardinality(s.relations) > 1', :'c'),
    'tables % reference each other and belong to several owners', 'that is said');

SELECT * FROM finish();
