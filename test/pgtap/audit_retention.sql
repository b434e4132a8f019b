-- Events expire after they were archived: who may do it, what goes, and what still shows that something was changed.
BEGIN;
SELECT plan(52);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('operator', NULL);
SELECT test_helpers.make_role('keeper', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);

-- Three links of A from 30, 20 and 2 days ago, one of B; sealed when they were written.
CREATE FUNCTION pg_temp.link(tenant uuid, days integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenancy.write_event(link.tenant, now() - days * interval '1 day', 'user:x', 'test', days || '/' || n, NULL, jsonb_build_object('n', n, 'text', E'"\\\n'))
    FROM generate_series(1, 3) n;
    PERFORM tenancy.add_seal(link.tenant, array_agg(l.id ORDER BY l.id), string_agg(l.digest, ''::bytea ORDER BY l.id))
    FROM tenancy.audit_log l WHERE l.tenant_id = link.tenant AND l.object LIKE days || '/%';
    UPDATE tenancy.audit_seals s SET sealed_at = now() - days * interval '1 day'
    WHERE s.tenant_id = link.tenant AND s.number = (SELECT max(number) FROM tenancy.audit_seals m WHERE m.tenant_id = link.tenant);
END $$;
SELECT pg_temp.link(test_helpers.a(), 30), pg_temp.link(test_helpers.a(), 20), pg_temp.link(test_helpers.a(), 2), pg_temp.link(test_helpers.b(), 30);
CREATE FUNCTION pg_temp.problem(tenant uuid DEFAULT test_helpers.a()) RETURNS text LANGUAGE sql AS 'SELECT problem FROM tenancy.verify_audit(tenant)';
SELECT is(pg_temp.problem(), NULL, 'the log is intact');

-- Nobody but operators.
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.admin_of_a());
SELECT throws_ok($$SELECT tenancy.set_audit_retention('1 day', test_helpers.a())$$, '42501', NULL, 'an admin of the tenant sets no retention');
SELECT throws_ok('SELECT tenancy.archive_audit(test_helpers.a())', '42501', NULL, 'archives nothing');
SELECT throws_ok($$SELECT tenancy.expire_audit(1, 'x', test_helpers.a())$$, '42501', NULL, 'and lets nothing expire');
SELECT throws_ok('SELECT tenancy.delete_expired(test_helpers.a(), 1)', '42501', NULL, 'nor deletes past the functions');
SELECT throws_ok('SELECT * FROM tenancy.audit_anchors', '42501', NULL, 'nor sees the anchors');

-- Arguments.
SELECT test_helpers.act_as('operator');
SELECT throws_ok('SELECT * FROM tenancy.archive_audit(test_helpers.a())', '55000', 'events of this audit log are kept for ever', 'by default nothing expires');
SELECT throws_ok($$SELECT tenancy.expire_audit(1, 'x', test_helpers.a())$$, '55000', 'events of this audit log are kept for ever', 'whoever asks');
SELECT throws_ok($$SELECT tenancy.set_audit_retention('1 hour')$$, '22023', 'events are kept for 1 day or more, not 01:00:00', 'an hour is too short');
SELECT throws_ok($$SELECT tenancy.set_audit_retention('1 year', '99999999-9999-4999-8999-999999999999')$$, 'TN002', 'tenant is not available', 'no such tenant');
SELECT lives_ok($$SELECT tenancy.set_audit_retention('1 year'), tenancy.set_audit_retention('10 days', test_helpers.a())$$, 'an operator says how long events are kept');
SELECT is((SELECT count(*) FROM tenancy.archive_audit(test_helpers.b())), 0::bigint, 'B''s are kept for a year, as all others');
SELECT is((SELECT after ->> 'keep' FROM tenancy.audit_log(test_helpers.a(), by_action => 'audit.retention')), '10 days', 'and that is recorded');
SELECT is((SELECT array_agg((l ->> 'number')::integer) FROM tenancy.archive_audit(test_helpers.a()) l), '{1,2}', 'two links of A''s may go');
SELECT throws_ok($$SELECT tenancy.expire_audit(NULL, 'x', test_helpers.a())$$, '22004', 'archived_number must not be null', 'no number');
SELECT throws_ok($$SELECT tenancy.expire_audit(1, NULL, test_helpers.a())$$, '22004', 'archived_hash must not be null', 'no hash');
SELECT throws_ok($$SELECT tenancy.expire_audit(1, 'x', test_helpers.a())$$, '22023', 'the hash of link 1 is not x', 'not what was archived');
SELECT test_helpers.act_as_superuser();
SELECT throws_ok($$SELECT tenancy.expire_audit(3, (SELECT encode(hash, 'hex') FROM tenancy.audit_seals WHERE tenant_id = test_helpers.a() AND number = 3), test_helpers.a())$$,
                 '22023', 'link 3 of this audit log may not expire', 'not even a superuser lets go too early');
SELECT throws_ok($$SELECT tenancy.expire_audit(4, 'x', test_helpers.a())$$, '22023', 'link 4 of this audit log may not expire', 'nor what is not there');

-- What is broken stays.
CREATE TEMPORARY TABLE archived AS SELECT l AS line FROM tenancy.archive_audit(test_helpers.a()) l;
GRANT SELECT ON archived TO PUBLIC;
CREATE FUNCTION pg_temp.archived(upto integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT tenancy.expire_audit(upto, line ->> 'hash', test_helpers.a()) FROM archived WHERE line ->> 'number' = upto::text $$;
SAVEPOINT untouched;
UPDATE tenancy.audit_log SET actor = 'user:y' WHERE object = '2/1';
SELECT throws_ok('SELECT pg_temp.archived(2)', '55000', 'the audit log is not intact', 'a changed log does not shrink');
ROLLBACK TO untouched;

-- In two parts.
SELECT test_helpers.act_as('operator');
SELECT is(pg_temp.archived(1), 3::bigint, 'the first link expires');
SELECT is((SELECT array_agg((l ->> 'number')::integer) FROM tenancy.archive_audit(test_helpers.a()) l), '{2}', 'the second may still go');
SELECT is(pg_temp.problem(), NULL, 'the log is intact in between');
SELECT throws_ok('DELETE FROM tenancy.audit_log', '42501', NULL, 'the operator deletes nothing by hand');
SELECT is(pg_temp.archived(2), 3::bigint, 'the second expires');
SELECT is((SELECT array_agg(object) FROM tenancy.audit_log(test_helpers.a(), by_action => 'test')), '{2/3,2/2,2/1}', 'what is young is there');
SELECT is((SELECT array_agg((after ->> 'number')::integer ORDER BY id) FROM tenancy.audit_log(test_helpers.a(), by_action => 'audit.expire')), '{1,2}', 'and who let the rest go');
SELECT results_eq('SELECT intact, last_number FROM tenancy.verify_audit(test_helpers.a())', 'VALUES (true, 3::bigint)', 'the rest verifies');
SELECT is(pg_temp.problem(test_helpers.b()), NULL, 'B''s log is its own');

-- The archive.
CREATE FUNCTION pg_temp.archive(change text DEFAULT 'line', condition text DEFAULT 'true') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format('SELECT coalesce(v.problem, v.events::text) FROM tenancy.verify_audit_archive(ARRAY(SELECT %s FROM archived WHERE %s ORDER BY (line ->> ''number'')::integer)) v', change, condition)
    INTO said;
    RETURN said;
END $$;
SELECT is(pg_temp.archive(), '6', 'the archive verifies against the anchor');
SELECT is(pg_temp.archive(condition => $$line ->> 'number' = '1'$$), '3', 'as does its first part');
SELECT is(pg_temp.archive(condition => $$line ->> 'number' = '2'$$), '3', 'and its second');
SELECT is(pg_temp.archive(condition => 'false'), 'the archive is empty', 'nothing is no archive');
SELECT is(pg_temp.archive($$jsonb_set(line, '{events,0,actor}', '"user:y"')$$), 'link 1 does not seal its events as they are', 'a changed event');
SELECT is(pg_temp.archive($$line #- '{events,1}'$$), 'link 1 does not seal its events as they are', 'an event taken out');
SELECT is(pg_temp.archive($$CASE line ->> 'number' WHEN '2' THEN jsonb_set(line, '{number}', '3') ELSE line END$$), 'link 2 is missing', 'a link taken out');
SELECT is(pg_temp.archive($$CASE line ->> 'number' WHEN '2' THEN jsonb_set(line, '{previous}', to_jsonb(repeat('00', 32))) ELSE line END$$),
          'link 2 does not follow from the one before', 'a link of another chain');
SELECT is(pg_temp.archive($$jsonb_set(line, '{tenant_id}', to_jsonb(test_helpers.b()))$$), 'link 1 does not seal its events as they are', 'an archive under another name');
SELECT is(pg_temp.archive($$jsonb_set(line, '{hash}', to_jsonb(repeat('00', 32)))$$), 'link 1 does not seal its events as they are', 'a hash made up');
SELECT throws_ok('SELECT tenancy.verify_audit_archive(NULL)', '22004', 'archive must not be null', 'no archive');

-- Whoever owns the tables, short of a superuser.
SELECT test_helpers.act_as_superuser();
SELECT format('ALTER TABLE tenancy.audit_log OWNER TO %1$I; ALTER TABLE tenancy.audit_seals OWNER TO %1$I; ALTER TABLE tenancy.audit_anchors OWNER TO %1$I; GRANT USAGE ON SCHEMA tenancy TO %1$I',
              test_helpers.role_name('keeper')) AS give \gset
:give;
SELECT test_helpers.act_as('keeper');
SELECT throws_ok($$INSERT INTO tenancy.audit_anchors (tenant_id, number, hash, sealed_at) VALUES (test_helpers.b(), 1, '\x00', now())$$,
                 '42501', 'table tenancy.audit_anchors is append-only', 'the owner makes up no anchor');
SELECT throws_ok('UPDATE tenancy.audit_anchors SET number = 3', '42501', 'table tenancy.audit_anchors is append-only', 'nor moves one');
SELECT throws_ok('DELETE FROM tenancy.audit_anchors', '42501', 'table tenancy.audit_anchors is append-only', 'nor takes one away');
SELECT throws_ok('ALTER TABLE tenancy.audit_anchors DISABLE TRIGGER ALL', '42501', 'table tenancy.audit_anchors is append-only', 'nor switches its trigger off');
SELECT throws_ok('DELETE FROM tenancy.audit_log', '42501', 'table tenancy.audit_log is append-only', 'and events go no other way');
SELECT throws_ok('SELECT tenancy.delete_expired(test_helpers.a(), 3)', '42501', NULL, 'nor by the function');

-- A superuser can do all that, and it shows.
SELECT test_helpers.act_as_superuser();
SAVEPOINT untouched;
INSERT INTO tenancy.audit_anchors (tenant_id, number, hash, sealed_at) SELECT tenant_id, number, hash, sealed_at FROM tenancy.audit_seals WHERE tenant_id = test_helpers.a() AND number = 3;
SELECT is(pg_temp.problem(), 'link 3 is there, which expired with those up to 3', 'an anchor too far on');
ROLLBACK TO untouched;
UPDATE tenancy.audit_anchors SET hash = '\x00' WHERE number = 2;
SELECT is(pg_temp.problem(), 'link 3 does not follow from the one before', 'an anchor that was changed');
ROLLBACK TO untouched;
DELETE FROM tenancy.audit_anchors WHERE tenant_id = test_helpers.a();
SELECT is(pg_temp.problem(), 'link 1 is missing', 'an anchor taken away');
ROLLBACK TO untouched;
DELETE FROM tenancy.audit_log WHERE tenant_id = test_helpers.a() AND object = '2/2';
SELECT is(pg_temp.problem(), 'link 3 seals 3 events, of which 1 are missing', 'an event taken away that may not expire');
ROLLBACK TO untouched;

-- What is known from before.
SELECT is((SELECT problem FROM tenancy.verify_audit(test_helpers.a(), 2, decode((SELECT line ->> 'hash' FROM archived WHERE line ->> 'number' = '2'), 'hex'))), NULL,
          'a known link that is an anchor now is known again');
SELECT is((SELECT problem FROM tenancy.verify_audit(test_helpers.a(), 2, '\x00')), 'link 2 is not the one that is known', 'or not');

SELECT * FROM finish();
ROLLBACK;
