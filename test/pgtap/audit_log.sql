-- The audit log: who reads it, what is in it, and how it shows that it was changed.
BEGIN;
SELECT plan(54);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_owner();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);
SELECT test_helpers.act_as('owner');
CREATE TABLE public.notes (tenant_id uuid NOT NULL, id integer NOT NULL, title text, secret text, PRIMARY KEY (tenant_id, id));
CREATE TABLE public.loose (id integer);
SELECT throws_ok($$SELECT tenancy.audit('public.notes')$$, 'TN009', 'relation public.notes is not protected', 'only protected tables are audited');
SELECT tenancy.protect('public.notes');
SELECT lives_ok($$SELECT tenancy.audit('public.notes', '{secret}')$$, 'the owner has a table audited');
SELECT throws_ok($$SELECT tenancy.audit('public.notes', '{nothing}')$$, '42703', 'column "nothing" of relation public.notes does not exist', 'unknown column');
SELECT throws_ok($$SELECT tenancy.audit('public.notes', NULL)$$, '22004', 'omit must not be null', 'no list');
SELECT throws_ok($$SELECT tenancy.audit('public.notes', '{NULL}')$$, '22004', 'omit must not be null', 'null in the list');
SELECT throws_ok($$SELECT tenancy.audit(NULL)$$, '22004', 'relation must not be null', 'no table');
SELECT throws_ok($$SELECT tenancy.audit(4294967290::oid::regclass)$$, '42P01', 'relation with OID 4294967290 does not exist', 'unknown table');
SELECT throws_ok($$SELECT tenancy.audit('pg_class')$$, '42501', 'must be owner of relation pg_class', 'a system table');
SELECT throws_ok($$SELECT tenancy.unaudit('public.loose')$$, 'TN009', 'relation public.loose is not protected', 'nor is one that is not protected unaudited');
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON public.notes TO PUBLIC;

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT throws_ok($$SELECT tenancy.audit('public.notes')$$, '42501', NULL, 'the application audits nothing');
INSERT INTO public.notes (id, title, secret) VALUES (1, 'one', 'x'), (2, 'two', 'y');
UPDATE public.notes SET id = id + 10, title = upper(title);
DELETE FROM public.notes WHERE id = 11;
INSERT INTO public.notes (id, title) VALUES (12, 'again') ON CONFLICT (tenant_id, id) DO UPDATE SET title = excluded.title;
UPDATE public.notes SET title = 'none' WHERE false;
SELECT throws_ok('SELECT * FROM tenancy.audit_log()', 'TN004', 'permission denied by role', 'an editor does not read the log');
SELECT throws_ok('SELECT * FROM tenancy.verify_audit()', 'TN004', 'permission denied by role', 'nor verifies it');
SELECT throws_ok('SELECT * FROM tenancy.export_audit()', 'TN004', 'permission denied by role', 'nor exports it');

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
SELECT results_eq($$SELECT actor, action, object, before ->> 'title', after ->> 'title' FROM tenancy.audit_log(by_object => NULL) ORDER BY id$$,
    format($$SELECT 'user:%s', * FROM (VALUES
        ('insert', 'public.notes 1', NULL, 'one'), ('insert', 'public.notes 2', NULL, 'two'),
        ('update', 'public.notes 11', 'one', 'ONE'), ('update', 'public.notes 12', 'two', 'TWO'),
        ('delete', 'public.notes 11', 'ONE', NULL), ('update', 'public.notes 12', 'TWO', 'again')) AS e$$, test_helpers.editor_of_a()),
    'an admin reads who did what, each old row with its new one');
SELECT is((SELECT count(*) FROM tenancy.audit_log() WHERE before ? 'secret' OR after ? 'secret'), 0::bigint, 'what is left out is left out');
SELECT is((SELECT count(*) FROM tenancy.audit_log(by_action => 'update')), 3::bigint, 'by action');
SELECT is((SELECT count(*) FROM tenancy.audit_log(by_object => 'public.notes 12', max_rows => 1)), 1::bigint, 'by object, so many');
SELECT is((SELECT count(*) FROM tenancy.audit_log(by_actor => 'user:nobody')), 0::bigint, 'by actor');
SELECT is((SELECT count(*) FROM tenancy.audit_log(since => now() + interval '1 day')), 0::bigint, 'since');
SELECT is((SELECT count(*) FROM tenancy.audit_log(until => now() - interval '1 day')), 0::bigint, 'until');
SELECT is((SELECT count(*) FROM tenancy.audit_log(before_id => (SELECT id FROM tenancy.audit_log(max_rows => 1)))), 5::bigint, 'page by page');
SELECT is((SELECT count(*) FROM tenancy.export_audit()), 6::bigint, 'all of it is exported');
SELECT is((SELECT array_agg(e ->> 'action') FROM tenancy.export_audit() e), '{insert,insert,update,update,delete,update}', 'in order');
SELECT results_eq('SELECT intact, events, unsealed FROM tenancy.verify_audit()', 'VALUES (true, 6::bigint, 6::bigint)', 'and is intact, not sealed yet');
SELECT throws_ok('SELECT tenancy.audit_log(max_rows => 0)', '22023', 'max_rows must be between 1 and 10000, not 0', 'no rows');
SELECT throws_ok('SELECT tenancy.audit_log(max_rows => NULL)', '22023', 'max_rows must be between 1 and 10000, not NULL', 'no number of rows');
SELECT throws_ok('SELECT tenancy.audit_log(test_helpers.b())', 'TN002', 'tenant is not available', 'B''s is not shown');
SELECT throws_ok('SELECT tenancy.verify_audit(test_helpers.b())', 'TN002', 'tenant is not available', 'nor verified');
SELECT throws_ok('SELECT tenancy.export_audit(test_helpers.b())', 'TN002', 'tenant is not available', 'nor exported');
SELECT throws_ok($$SELECT tenancy.audit_log('00000000-0000-0000-0000-000000000000')$$, '42501', NULL, 'nor the installation''s');
SELECT throws_ok('SELECT * FROM tenancy.seal_audit()', '42501', NULL, 'sealing is not a member''s');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT is((SELECT count(*) FROM tenancy.audit_log()), 0::bigint, 'B''s log has nothing of A');
SELECT test_helpers.act_as('app');
SELECT throws_ok('SELECT * FROM tenancy.audit_log()', '42501', NULL, 'a stranger reads nothing');
SELECT throws_ok('SELECT * FROM tenancy.audit_log(test_helpers.a())', 'TN002', 'tenant is not available', 'and learns nothing of A');

SELECT test_helpers.act_as('operator');
SELECT lives_ok($$SELECT tenancy.set_limit('requests', 10, tenant => test_helpers.a()), tenancy.set_limit('requests', 20, tenant => test_helpers.a())$$, 'an operator works');
SELECT results_eq($$SELECT actor, action, before, after FROM tenancy.audit_log(test_helpers.a(), by_action => 'limit.set') ORDER BY id$$,
    format($$VALUES ('role:%1$s', 'limit.set', NULL::jsonb, '{"max_amount": 10}'::jsonb), ('role:%1$s', 'limit.set', '{"max_amount": 10}', '{"max_amount": 20}')$$,
           test_helpers.role_name('operator')), 'what operators do is in the tenant''s log');
SELECT is((SELECT max(object) FROM tenancy.audit_log(by_action => 'audit.start')), 'public.notes', 'and what owners do in the installation''s');

-- TRUNCATE and new partitions.
SELECT test_helpers.act_as_superuser();
TRUNCATE public.notes;
SELECT is((SELECT count(*) FROM tenancy.audit_log WHERE action = 'truncate' AND object = 'public.notes'), 1::bigint, 'TRUNCATE is seen');
CREATE TABLE public.days (tenant_id uuid NOT NULL, day date NOT NULL, PRIMARY KEY (tenant_id, day)) PARTITION BY RANGE (day);
SELECT tenancy.protect('public.days');
SELECT tenancy.audit('public.days');
CREATE TABLE public.days_of_2026 PARTITION OF public.days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE public.days_of_2027 PARTITION OF public.days FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
INSERT INTO public.days VALUES (test_helpers.b(), '2026-05-05');
INSERT INTO public.days_of_2026 VALUES (test_helpers.b(), '2026-06-06');
UPDATE public.days SET day = '2027-05-05' WHERE day = '2026-05-05';
SELECT results_eq($$SELECT action, object FROM tenancy.audit_log(test_helpers.b()) ORDER BY id$$,
    $$VALUES ('insert', 'public.days 2026-05-05'), ('insert', 'public.days_of_2026 2026-06-06'), ('update', 'public.days 2027-05-05')$$,
    'a new partition is audited, through its parent and directly, and a row that moves is an update');
SELECT lives_ok($$SELECT tenancy.unaudit('public.days')$$, 'no more');
INSERT INTO public.days_of_2026 VALUES (test_helpers.b(), '2026-07-07');
SELECT is((SELECT count(*) FROM tenancy.audit_log(test_helpers.b())), 3::bigint, 'is no more');
SELECT is((SELECT count(*) FROM tenancy.audit_log WHERE action = 'audit.stop'), 1::bigint, 'and that is recorded');

-- Other types of tenant columns, keys of several columns.
CREATE TABLE public.keyed (account integer NOT NULL, a text, b text, PRIMARY KEY (account, a, b));
SELECT tenancy.protect('public.keyed', 'account', backfill => '1001');
SELECT tenancy.audit('public.keyed');
INSERT INTO public.keyed VALUES (1002, 'x', 'y');
SELECT is((SELECT object FROM tenancy.audit_log(test_helpers.b(), max_rows => 1)), 'public.keyed x,y', 'an integer key finds its tenant');

-- Tampering, by a superuser.
CREATE TEMPORARY TABLE kept AS SELECT * FROM tenancy.audit_log WHERE tenant_id = test_helpers.a();
INSERT INTO tenancy.audit_seals (tenant_id, number, events, previous, hash)
SELECT test_helpers.a(), 1, array_agg(id ORDER BY id), decode(repeat('00', 32), 'hex'),
       sha256(decode(repeat('00', 32), 'hex') || string_agg(digest, ''::bytea ORDER BY id)) FROM kept;
INSERT INTO tenancy.audit_heads SELECT tenant_id, number, hash FROM tenancy.audit_seals WHERE tenant_id = test_helpers.a();
SELECT results_eq('SELECT intact, unsealed, last_number FROM tenancy.verify_audit(test_helpers.a())', 'VALUES (true, 0::bigint, 1::bigint)', 'a sealed log verifies');
CREATE FUNCTION pg_temp.problem() RETURNS text LANGUAGE sql AS 'SELECT problem FROM tenancy.verify_audit(test_helpers.a())';
SAVEPOINT untouched;
UPDATE tenancy.audit_log SET actor = 'user:other' WHERE tenant_id = test_helpers.a() AND object = 'public.notes 1';
SELECT is(pg_temp.problem(), (SELECT format('event %s was changed', id) FROM kept WHERE object = 'public.notes 1'), 'a changed event');
ROLLBACK TO untouched;
UPDATE tenancy.audit_log SET actor = 'user:other', digest = tenancy.audit_digest(tenant_id, id, at, 'user:other', action, object, before, after)
WHERE tenant_id = test_helpers.a() AND object = 'public.notes 1';
SELECT is(pg_temp.problem(), 'link 1 does not seal its events as they are', 'with a fitting digest');
ROLLBACK TO untouched;
DELETE FROM tenancy.audit_log WHERE tenant_id = test_helpers.a() AND object = 'public.notes 1';
SELECT is(pg_temp.problem(), 'link 1 seals 8 events, of which 1 are missing', 'a deleted event');
ROLLBACK TO untouched;
DELETE FROM tenancy.audit_seals;
SELECT is(pg_temp.problem(), 'the chain ends with link 0 instead of 1', 'a link cut off');
ROLLBACK TO untouched;
DELETE FROM tenancy.audit_seals;
DELETE FROM tenancy.audit_heads;
SELECT is(pg_temp.problem(), NULL, 'the whole chain and its head taken away leave no trace here');
SELECT is((SELECT problem FROM tenancy.verify_audit(test_helpers.a(), 1, '\x00')), 'the chain ends with link 0, before the known link 1', 'but do where a link is known');
ROLLBACK TO untouched;
SELECT is((SELECT problem FROM tenancy.verify_audit(test_helpers.a(), 1, '\x00')), 'link 1 is not the one that is known', 'as does a chain made anew');
SELECT lives_ok('SELECT * FROM tenancy.seal_audit()', 'sealing leaves what is not final');
SELECT is((SELECT waiting > 0 FROM tenancy.seal_audit()), true, 'and says so');
SELECT matches(tenancy.denials_go_to(), '^(audit|server) log$', 'where refusals go is told');

SELECT * FROM finish();
ROLLBACK;
