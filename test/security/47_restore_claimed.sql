-- Attack 47: pass for a restore. Rows that a superuser restores are not checked, counted or audited again, and check_function_bodies
-- is how a restore is known; anybody may change that setting, and the owner of a database does so for the sessions of others.
SELECT test_helpers.make_role('databaseowner', NULL) AS database_owner \gset
ALTER DATABASE :"DBNAME" OWNER TO :"database_owner";
SET ROLE :"database_owner";
ALTER DATABASE :"DBNAME" SET check_function_bodies = off;
-- From here on each session of the database has it off, also this one of a superuser.
\c

BEGIN;
SELECT plan(33);
SELECT is((SELECT setting || ' by ' || source FROM pg_settings WHERE name = 'check_function_bodies'), 'off by database', 'the owner of a database sets it for a superuser');

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role() AS app \gset
SELECT test_helpers.make_owner() AS owner \gset
SELECT test_helpers.make_role('operator', NULL) AS operator \gset
SELECT tenancy.grant_control_plane(:'operator');
INSERT INTO tenancy.organizations (id, slug, name, plan) VALUES ('0f000000-0000-4000-8000-000000000001', 'acme', 'Acme', 'free');
UPDATE tenancy.tenants SET organization_id = '0f000000-0000-4000-8000-000000000001' WHERE id = test_helpers.a();
SELECT test_helpers.act_as('owner');
SELECT FROM tenancy.create_corpus(dimensions => 2);
CREATE TABLE public.notes (id integer PRIMARY KEY, body text);
SELECT FROM tenancy.protect('public.notes');
SELECT FROM tenancy.audit('public.notes');
CREATE TABLE public.branches (id integer PRIMARY KEY, tenant uuid);
INSERT INTO public.branches VALUES (1, gen_random_uuid());
GRANT SELECT, INSERT, UPDATE, DELETE ON public.notes, public.documents, public.chunks TO :"app", :"operator";
SELECT test_helpers.act_as_superuser();

CREATE FUNCTION public.counted() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT coalesce(sum(s.used), 0)::bigint FROM tenancy.usage_slots s WHERE s.subject = test_helpers.a() AND s.metric = 'documents' $$;
CREATE FUNCTION public.audited() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    SELECT count(*) FROM tenancy.audit_log l WHERE l.action = 'insert' AND l.object ~ 'notes' $$;
-- What a superuser's own statements meet while nobody restores.
CREATE FUNCTION public.is_ordinary(why text, number integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    audited_before bigint := public.audited();
    counted_before bigint := public.counted();
BEGIN
    RETURN NEXT ok(NOT tenancy.is_restoring() AND NOT tenancy.caller_is_restoring(), why || ': is no restore');
    RETURN NEXT throws_ok(format('INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (%L, %L, ''admin'')', gen_random_uuid(), test_helpers.admin_of_a()),
                          '23503', NULL, why || ': a member needs a tenant');
    EXECUTE format('INSERT INTO public.notes (tenant_id, id) VALUES (%L, %s)', test_helpers.a(), number);
    RETURN NEXT is(public.audited(), audited_before + 1, why || ': what is inserted is audited');
    EXECUTE format('INSERT INTO public.documents (tenant_id, title) VALUES (%L, ''one'')', test_helpers.a());
    RETURN NEXT is(public.counted(), counted_before + 1, why || ': documents are counted');
    RETURN NEXT throws_ok(format('INSERT INTO public.documents (tenant_id, title) SELECT %L, n::text FROM generate_series(1, 101) n', test_helpers.a()),
                          'TN005', 'quota exceeded', why || ': as far as the quota goes');
    RETURN NEXT throws_ok('ALTER TABLE public.notes NO FORCE ROW LEVEL SECURITY', 'TN009', NULL, why || ': a protection is not weakened');
    RETURN NEXT throws_ok('ALTER TABLE public.branches ADD CONSTRAINT of_tenant FOREIGN KEY (tenant) REFERENCES tenancy.tenants', '23503', NULL,
                          why || ': a foreign key is verified');
END $$;

SELECT public.is_ordinary('set for the database', 1);

-- Others, who say so in their own session.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SET check_function_bodies = off;
SELECT lives_ok('INSERT INTO public.notes (id) VALUES (2)', 'the application writes');
SELECT is(public.audited(), 2::bigint, 'and is audited');
SELECT throws_ok($$INSERT INTO public.documents (title) SELECT n::text FROM generate_series(1, 101) n$$, 'TN005', 'quota exceeded', 'it has its quota');
SELECT throws_ok(format('INSERT INTO public.notes (tenant_id, id) VALUES (%L, 3)', test_helpers.b()), '42501', NULL, 'and its tenant');
SELECT throws_ok('SELECT tenancy.is_restoring()', '42501', NULL, 'it does not even ask');
SELECT test_helpers.act_as('operator');
SET check_function_bodies = off;
SELECT throws_ok(format('SELECT tenancy.add_member(%L, %L, ''admin'')', gen_random_uuid(), test_helpers.admin_of_a()), 'TN002', NULL, 'an operator adds nobody to a tenant that is not there');
SELECT throws_ok(format('SELECT tenancy.create_api_key(%L, ''key'', ''viewer'')', gen_random_uuid()), 'TN002', NULL, 'nor makes a key of it');
SELECT test_helpers.act_as('owner');
SET check_function_bodies = off;
SELECT throws_ok('DROP POLICY tenancy_isolation ON public.notes', 'TN009', NULL, 'an owner does not drop a policy');
SELECT throws_ok('ALTER TABLE public.branches ADD CONSTRAINT of_tenant FOREIGN KEY (tenant) REFERENCES tenancy.tenants', '23503', NULL, 'nor makes a foreign key over orphans');
SELECT lives_ok($$INSERT INTO public.branches VALUES (2, NULL)$$, 'it writes its own tables');

-- What an owner's function leaves in the session of a superuser who calls it.
CREATE FUNCTION public.leaves_it() RETURNS text LANGUAGE sql SECURITY DEFINER RETURN set_config('check_function_bodies', 'off', false);
SELECT test_helpers.act_as_superuser();
RESET check_function_bodies;
SELECT is(public.leaves_it(), 'off', 'a superuser calls a function of an owner');
SELECT is((SELECT setting || ' by ' || source FROM pg_settings WHERE name = 'check_function_bodies'), 'off by session', 'and has it in the session');
SELECT public.is_ordinary('left behind', 10);

-- Who restores.
SET check_function_bodies = off;
SELECT ok(tenancy.is_restoring() AND tenancy.caller_is_restoring(), 'a superuser who says so restores');
SELECT lives_ok($$INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES ('cccccccc-cccc-4ccc-8ccc-cccccccccccc', test_helpers.admin_of_a(), 'admin')$$,
                'a member may come before its tenant');
INSERT INTO public.notes (tenant_id, id) VALUES (test_helpers.a(), 20);
SELECT is(public.audited(), 3::bigint, 'rows bring their events');
INSERT INTO public.documents (tenant_id, title) SELECT test_helpers.a(), n::text FROM generate_series(1, 101) n;
SELECT is(public.counted(), (SELECT count(*) FROM public.documents), 'and documents are counted, whatever the quota');
SELECT ok(EXISTS (SELECT FROM tenancy.verify_restore() v WHERE v.object ~ 'memberships'), 'what never came is found afterwards');
SET ROLE :"app";
SELECT throws_ok('SELECT tenancy.is_restoring()', '42501', NULL, 'as the application the superuser restores nothing');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
