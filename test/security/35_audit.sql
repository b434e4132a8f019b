-- Attack 35: change, delete or forge what the audit log says; be refused without a trace by rolling back.
SELECT plan(35);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role(session_context => true);
SELECT test_helpers.make_role('keeper', NULL);
SELECT tenancy.audit_event(test_helpers.a(), 'test', 'one');
SELECT tenancy.audit_event(test_helpers.a(), 'test', 'two');

-- The application, and an administrator of the tenant.
BEGIN;
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
SELECT throws_ok($$INSERT INTO tenancy.audit_log (tenant_id, actor, action, object, digest, transaction_id) VALUES (test_helpers.a(), 'x', 'x', 'x', '\x00', 1)$$,
                 '42501', NULL, 'an event is not forged');
SELECT throws_ok('UPDATE tenancy.audit_log SET actor = $$x$$', '42501', NULL, 'nor changed');
SELECT throws_ok('DELETE FROM tenancy.audit_log', '42501', NULL, 'nor deleted');
SELECT throws_ok('TRUNCATE tenancy.audit_log', '42501', NULL, 'nor all of them');
SELECT throws_ok('DELETE FROM tenancy.audit_seals', '42501', NULL, 'nor a link of the chain');
SELECT throws_ok($$SELECT tenancy.audit_event(test_helpers.a(), 'forged', 'x')$$, '42501', NULL, 'nor is an event written past the functions');
SELECT throws_ok($$SELECT tenancy.write_event(test_helpers.a(), now(), 'user:x', 'forged', 'x', NULL, NULL)$$, '42501', NULL, 'nor with another actor');
SELECT throws_ok($$SELECT tenancy.write_row_events('pg_class', 'insert', '{}', NULL, '{}')$$, '42501', NULL, 'nor as of a table');
SELECT throws_ok($$SELECT tenancy.record_denial(now(), now(), test_helpers.a(), 'TN002', 'x', 'x', 1)$$, '42501', NULL, 'nor a refusal made up');
SELECT throws_ok($$SELECT tenancy.note_denial('TN002', test_helpers.a(), 'x')$$, '42501', NULL, 'in either way');
SELECT is((SELECT count(*) FROM tenancy.audit_log() WHERE action = 'test'), 2::bigint, 'the log is there to be read');
ROLLBACK;
SELECT test_helpers.act_as_superuser();

-- Whoever owns the tables, short of a superuser.
SELECT format('ALTER TABLE tenancy.audit_log OWNER TO %1$I; ALTER TABLE tenancy.audit_seals OWNER TO %1$I; GRANT USAGE ON SCHEMA tenancy TO %1$I',
              test_helpers.role_name('keeper')) AS give \gset
:give;
BEGIN;
SELECT test_helpers.act_as('keeper');
SELECT throws_ok('UPDATE tenancy.audit_log SET actor = $$x$$', '42501', 'table tenancy.audit_log is append-only', 'the owner changes nothing');
SELECT throws_ok('DELETE FROM tenancy.audit_log', '42501', 'table tenancy.audit_log is append-only', 'nor deletes');
SELECT throws_ok('TRUNCATE tenancy.audit_log', '42501', 'table tenancy.audit_log is append-only', 'nor empties');
SELECT throws_ok('DELETE FROM tenancy.audit_seals', '42501', 'table tenancy.audit_seals is append-only', 'nor cuts the chain');
SELECT throws_ok('ALTER TABLE tenancy.audit_log DISABLE TRIGGER append_only', '42501', 'table tenancy.audit_log is append-only', 'nor switches the trigger off');
SELECT throws_ok('ALTER TABLE tenancy.audit_log DISABLE TRIGGER ALL', '42501', 'table tenancy.audit_log is append-only', 'nor all of them');
SELECT throws_ok('DROP TRIGGER append_only ON tenancy.audit_log', '42501', 'table tenancy.audit_log is append-only', 'nor drops it');
SELECT throws_ok('CREATE RULE lose AS ON INSERT TO tenancy.audit_log DO INSTEAD NOTHING', '42501', 'table tenancy.audit_log is append-only', 'nor lets events vanish');
SELECT throws_ok('ALTER TABLE tenancy.audit_log DROP COLUMN actor', '42501', NULL, 'nor drops a column');
SELECT throws_ok('ALTER TABLE tenancy.audit_log ALTER COLUMN actor TYPE text USING $$x$$', '42501', 'table tenancy.audit_log is append-only', 'nor rewrites one');
SELECT throws_ok('DROP TABLE tenancy.audit_log', '2BP01', NULL, 'nor drops the table');
SELECT throws_ok('SET session_replication_role = replica', '42501', NULL, 'nor keeps triggers from firing');
SELECT is((SELECT count(*) FROM tenancy.audit_log WHERE action = 'test'), 2::bigint, 'both events are there');
ROLLBACK;
SELECT test_helpers.act_as_superuser();
ALTER TABLE tenancy.audit_log OWNER TO CURRENT_USER;
ALTER TABLE tenancy.audit_seals OWNER TO CURRENT_USER;

-- What rolls back did not happen.
BEGIN;
SELECT tenancy.audit_event(test_helpers.a(), 'test', 'three');
ROLLBACK;
SELECT is((SELECT count(*) FROM tenancy.audit_log WHERE action = 'test'), 2::bigint, 'what was rolled back is not in it');

-- But a refusal did.
CREATE PROCEDURE wait_for_denials(n integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..100 LOOP
        EXIT WHEN (SELECT coalesce(sum((after ->> 'times')::int), 0) FROM tenancy.audit_log WHERE action = 'denied') >= n;
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;
SELECT test_helpers.act_as('app');
SELECT throws_ok($$SELECT tenancy.enter(test_helpers.a(), test_helpers.admin_of_b(), false)$$, 'TN002', 'tenant is not available', 'no member');
SELECT throws_ok($$SELECT tenancy.enter('no-such-tenant', test_helpers.admin_of_b(), false)$$, 'TN002', 'tenant is not available', 'no tenant');
SELECT throws_ok($$SELECT tenancy.enter_with_key('tenancy_live_nothing', false)$$, 'TN007', 'credential is not valid', 'no key');
SELECT throws_ok($$SELECT * FROM tenancy.limits(test_helpers.a())$$, 'TN002', 'tenant is not available', 'no context');
BEGIN;
SELECT tenancy.enter(test_helpers.a(), test_helpers.viewer_of_a());
SELECT throws_ok($$SELECT tenancy.record_usage('x')$$, 'TN004', 'permission denied by role', 'no permission');
ROLLBACK;
BEGIN;
DO $$ BEGIN PERFORM tenancy.enter(test_helpers.a(), test_helpers.admin_of_b()); EXCEPTION WHEN OTHERS THEN NULL; END $$;
ROLLBACK;
SELECT test_helpers.act_as_superuser();
CALL wait_for_denials(6);
SELECT CASE WHEN tenancy.denials_go_to() <> 'audit log' THEN skip('refusals go to the server''s log', 1) ELSE
    results_eq($$SELECT tenant_id, actor, object, after ->> 'code', sum((after ->> 'times')::int)::int FROM tenancy.audit_log WHERE action = 'denied'
                 GROUP BY 1, 2, 3, 4 ORDER BY 1, 3$$,
        format($$VALUES ('00000000-0000-0000-0000-000000000000'::uuid, 'role:%1$s', 'API key ', 'TN007', 1),
                        ('00000000-0000-0000-0000-000000000000', 'role:%1$s', 'enter tenant:no-such-tenant as user:%2$s', 'TN002', 1),
                        ('%3$s', 'role:%1$s', 'enter tenant:%3$s as user:%2$s', 'TN002', 2),
                        ('%3$s', 'role:%1$s', 'usage.read', 'TN002', 1),
                        ('%3$s', 'user:%4$s', 'usage.record', 'TN004', 1)$$,
               test_helpers.role_name('app'), test_helpers.admin_of_b(), test_helpers.a(), test_helpers.viewer_of_a()),
        'all refusals are recorded, those of rolled back and of caught errors too, where the tenant is known in its log') END;

-- A superuser can, and it shows.
SELECT ok((SELECT sealed + waiting >= 0 FROM tenancy.seal_audit()), 'the log is sealed');
SELECT ok((SELECT intact AND unsealed = 0 FROM tenancy.verify_audit(test_helpers.a())), 'and intact');
DELETE FROM tenancy.audit_log WHERE action = 'test' AND object = 'one';
SELECT ok((SELECT NOT intact AND problem ~ '^link \d+ seals \d+ events, of which 1 are missing$' FROM tenancy.verify_audit(test_helpers.a())),
          'until a superuser deletes an event');
SELECT ok((SELECT intact FROM tenancy.verify_audit(test_helpers.b())), 'B''s chain is its own');

SELECT * FROM finish();
