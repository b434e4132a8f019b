-- Findings of check() that are accepted: by whom, what that covers, and how it ends. And check() where a part of it fails.
BEGIN;
SELECT plan(36);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_owner('owner');
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);
CREATE TABLE notes (id integer);
SELECT FROM tenancy.protect('notes', foreign_key => true);
SELECT test_helpers.run(format('ALTER TABLE notes OWNER TO %I', test_helpers.role_name('owner')));
ALTER TABLE notes DROP CONSTRAINT notes_tenant_id_fkey;
SELECT test_helpers.run(format('GRANT TRUNCATE ON notes TO %I', test_helpers.role_name('app')));
CREATE VIEW findings WITH (security_invoker = true) AS SELECT code, object, accepted COLLATE "default" AS accepted FROM tenancy.check();
GRANT SELECT ON findings TO PUBLIC;

SELECT results_eq('TABLE findings', $$VALUES ('app_role_privilege', 'table public.notes', NULL), ('foreign_key_missing', 'table public.notes', NULL)$$, 'two findings');
SELECT is((SELECT array_agg(a.name ORDER BY a.place) FROM pg_proc p, unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a (name, mode, place)
           WHERE p.oid = 'tenancy.check()'::regprocedure AND a.mode = 't'), '{code,severity,object,problem,fix,accepted}', 'the new column comes last');

-- Who may.
SELECT throws_ok(format($$SET LOCAL SESSION AUTHORIZATION %I; SELECT tenancy.%s$$, test_helpers.role_name(r), call), '42501', 'permission denied for function ' || split_part(call, '(', 1), r || ' may not ' || call)
FROM unnest('{app,owner}'::text[]) r, unnest(ARRAY[$$accept_finding('foreign_key_missing', 'table public.notes', 'x')$$, $$unaccept_finding('foreign_key_missing', 'table public.notes')$$,
                                                   'list_accepted_findings()']) call;
SELECT test_helpers.act_as('owner');
SELECT throws_ok('SELECT FROM tenancy.accepted_findings', '42501', 'permission denied for table accepted_findings', 'nor read the table');
SELECT test_helpers.act_as('operator');
SELECT is(tenancy.accept_finding('foreign_key_missing', 'table public.notes', 'one hot row'), 1, 'an operator accepts one');
SELECT results_eq('SELECT code, object, severity, reason, accepted_by, is_found FROM tenancy.list_accepted_findings()',
    format($$VALUES ('foreign_key_missing', 'table public.notes', 'warning', 'one hot row', 'role:%s', true)$$, test_helpers.role_name('operator')), 'it is on the list');
SELECT test_helpers.act_as('owner');
SELECT results_eq($$SELECT code, accepted FROM findings$$, $$VALUES ('app_role_privilege', NULL), ('foreign_key_missing', 'one hot row')$$, 'check() shows it last, with the reason, also to the owner');
SELECT test_helpers.act_as_superuser();
SELECT results_eq($$SELECT actor, action COLLATE "default", object, after ->> 'reason' FROM tenancy.audit_log WHERE action ~ '^finding'$$,
    format($$VALUES ('role:%s', 'finding.accept', 'finding:foreign_key_missing table public.notes', 'one hot row')$$, test_helpers.role_name('operator')), 'it is in the audit log');
SELECT is(tenancy.accept_finding('foreign_key_missing', 'table public.notes', 'better reason'), 1, 'accepted again');
SELECT results_eq($$SELECT reason FROM tenancy.list_accepted_findings()$$, $$VALUES ('better reason')$$, 'it has the new reason');

-- What it takes.
SELECT throws_ok(format('SELECT tenancy.accept_finding(%s)', arguments), state, message, 'refused: ' || arguments)
FROM (VALUES ($$NULL, 'table public.notes', 'x'$$, '22004', 'code must not be null'), ($$'foreign_key_missing', NULL, 'x'$$, '22004', 'object must not be null'),
             ($$'foreign_key_missing', 'table public.notes', NULL$$, '22004', 'reason must not be null'),
             ($$'foreign_key_missing', 'table public.notes', E' \n'$$, '22023', 'reason must have 1 to 2000 characters, not 1'),
             ($$'foreign_key_missing', 'table public.%', 'x'$$, '42704', 'there is no finding foreign_key_missing of table public.%'),
             ($$'index_missing', 'table public.notes', 'x'$$, '42704', 'there is no finding index_missing of table public.notes'),
             ($$'check_failed', 'table public.notes', 'x'$$, '22023', 'finding check_failed cannot be accepted'),
             ($$'acceptance_stale', 'table public.notes', 'x'$$, '22023', 'finding acceptance_stale cannot be accepted')) AS v (arguments, state, message);

-- What it covers: the finding as it was. Another problem of the same code and object is shown.
SELECT is(tenancy.accept_finding('app_role_privilege', 'table public.notes', 'emptied at night'), 1, 'the other one is accepted');
SELECT is_empty('SELECT FROM findings WHERE accepted IS NULL', 'nothing is left');
SELECT test_helpers.run(format('GRANT REFERENCES ON notes TO %I', test_helpers.role_name('app')));
SELECT results_eq('SELECT code, object FROM findings WHERE accepted IS NULL', $$VALUES ('app_role_privilege', 'table public.notes')$$, 'a later fault of the same kind is not');
SELECT test_helpers.run(format('REVOKE ALL ON notes FROM %I', test_helpers.role_name('app')));
SELECT results_eq('SELECT code, object FROM findings WHERE accepted IS NULL', $$VALUES ('acceptance_stale', 'table public.notes')$$, 'an acceptance of what is gone is shown');
SELECT matches((SELECT problem FROM tenancy.check() WHERE code = 'acceptance_stale'), '^app_role_privilege was accepted as "error: role .* holds TRUNCATE on it', 'with what it was');
SELECT test_helpers.act_as('owner');
SELECT is_empty('SELECT FROM findings WHERE accepted IS NULL', 'not to an owner, who cannot see all that is found');
SELECT test_helpers.act_as_superuser();
SELECT lives_ok((SELECT fix FROM tenancy.check() WHERE code = 'acceptance_stale'), 'which its statement ends');
SELECT is_empty('SELECT FROM findings WHERE accepted IS NULL', 'and then it is over');
SELECT throws_ok($$SELECT tenancy.unaccept_finding('app_role_privilege', 'table public.notes')$$, '42704', 'finding app_role_privilege of table public.notes is not accepted', 'and cannot be taken back twice');
SELECT is((SELECT count(*) FROM pg_extension e, unnest(e.extconfig) c WHERE e.extname = 'tenancy' AND c = 'tenancy.accepted_findings'::regclass), 1::bigint, 'acceptances are dumped');

-- A part that fails is a finding, and takes no other down.
CREATE TABLE shared (id integer);
SELECT FROM tenancy.share('shared');
CREATE OR REPLACE FUNCTION tenancy.indirect_faults(relation regclass) RETURNS TABLE (code text, severity text, problem text)
LANGUAGE plpgsql AS $$BEGIN RAISE 'stumbled at %', relation; END$$;
SET LOCAL session_replication_role = replica;
ALTER TABLE notes ALTER tenant_id DROP DEFAULT;
SET LOCAL session_replication_role = origin;
SELECT set_eq($$SELECT code, object FROM findings WHERE accepted IS NULL$$, $$VALUES ('check_failed', 'table public.shared'), ('default_lost', 'table public.notes')$$, 'a row that cannot be read');
CREATE OR REPLACE FUNCTION tenancy.check_keys() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE plpgsql AS $$BEGIN RAISE 'out of %', 'order'; END$$;
SELECT set_eq($$SELECT code, object FROM findings WHERE accepted IS NULL$$, $$VALUES ('check_failed', 'table public.shared'), ('check_failed', 'function tenancy.check_keys()'),
              ('default_lost', 'table public.notes')$$, 'a part that fails');
SELECT matches((SELECT problem FROM tenancy.check() WHERE object ~ 'check_keys'), 'P0001: out of order$', 'and says at what');

SELECT * FROM finish();
ROLLBACK;
