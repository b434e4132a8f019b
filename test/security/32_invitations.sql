-- Attack 32: invitations that are expired, for another address, accepted twice, to a tenant that is gone, above the inviter, or made up.
BEGIN;
SELECT plan(41);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT make_role('credential', 'credential');
INSERT INTO tenancy.users (id, email, status) VALUES
    ('c0000000-0000-4000-8000-000000000001', 'new@c.example', 'active'), ('c0000000-0000-4000-8000-000000000002', 'eve@c.example', 'active'),
    ('c0000000-0000-4000-8000-000000000003', 'gone@c.example', 'deactivated'), ('c0000000-0000-4000-8000-000000000004', NULL, 'active');
INSERT INTO tenancy.roles (tenant_id, name, rank, permissions) VALUES (a(), 'host', 50, 'data.read invitations.manage'), (a(), 'guest', 5, 'data.read');
INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (a(), 'c0000000-0000-4000-8000-000000000002', 'host');

-- What came of some statements, whole; then as if they had not been.
CREATE FUNCTION outcome(statements text, question text DEFAULT '''done''') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text; message text; detail text; hint text;
BEGIN
    EXECUTE statements;
    EXECUTE 'SELECT (' || question || ')::text' INTO answer;
    RAISE EXCEPTION USING ERRCODE = 'PT000', MESSAGE = coalesce(answer, 'null');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN CASE WHEN SQLSTATE = 'PT000' THEN message ELSE concat_ws(' | ', SQLSTATE, message, detail, hint) END;
END
$$;
CREATE FUNCTION accepted(token text, who integer DEFAULT 1, before text DEFAULT '') RETURNS text LANGUAGE sql AS
$$ SELECT public.outcome(before || format('; SELECT tenancy.accept_invitation(%L, ''c0000000-0000-4000-8000-%s'')', token, lpad(who::text, 12, '0'))) $$;
\set refused 'TN008 | invitation is not valid |  | Accept it once, before it expires, as the user with the e-mail address that it was sent to; or ask for a new one.'

SELECT tenancy.invite(a(), 'New@C.example', 'editor') AS good \gset
SELECT tenancy.invite(a(), 'gone@c.example', 'editor') AS for_gone \gset
SELECT tenancy.invite(a(), 'new@c.example', 'guest') AS for_guest \gset
-- As the host signed it while they could: what accept_invitation() sees of an inviter is in the token.
CREATE FUNCTION signed(changes jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT tenancy.sign_invitation(jsonb_build_object('aud', 'tenancy:invitation', 'jti', tenancy.uuid_v7(), 'exp', floor(extract(epoch FROM clock_timestamp())) + 600,
        'email', 'new@c.example', 'tenant', test_helpers.a(), 'role', 'editor', 'inviter', 'user:c0000000-0000-4000-8000-000000000002') || changes) $$;
SELECT signed('{"role": "guest"}') AS of_host \gset

SELECT is(accepted(:'good'), 'done', 'the address is compared without case');
SELECT is(accepted(:'of_host'), 'done');

-- One text for all that is wrong.
SELECT is(accepted(token, who, before), :'refused', what)
FROM (VALUES
    ('another user', :'good', 2, ''),
    ('a user without address', :'good', 4, ''),
    ('a deactivated user', :'for_gone', 3, ''),
    ('an unknown user', :'good', 9, ''),
    ('accepted twice', :'good', 1, format('SELECT tenancy.accept_invitation(%L, ''c0000000-0000-4000-8000-000000000001'')', :'good')),
    ('back by an old one after being removed', :'good', 1, format('SELECT tenancy.accept_invitation(%L, ''c0000000-0000-4000-8000-000000000001''); DELETE FROM tenancy.memberships WHERE user_id = ''c0000000-0000-4000-8000-000000000001''', :'good')),
    ('a member already', :'good', 1, 'INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (test_helpers.a(), ''c0000000-0000-4000-8000-000000000001'', ''viewer'')'),
    ('revoked', :'good', 1, format('SELECT tenancy.revoke_invitation(%L)', :'good')),
    ('tenant suspended', :'good', 1, 'UPDATE tenancy.tenants SET status = ''suspended'' WHERE id = test_helpers.a()'),
    ('tenant deleted', :'good', 1, 'UPDATE tenancy.tenants SET status = ''deleted'' WHERE id = test_helpers.a()'),
    ('organization suspended', :'good', 1, 'UPDATE tenancy.organizations SET status = ''suspended'''),
    ('role dropped', :'for_guest', 1, 'DELETE FROM tenancy.roles WHERE name = ''guest'''),
    ('inviter removed', :'of_host', 1, 'DELETE FROM tenancy.memberships WHERE user_id = ''c0000000-0000-4000-8000-000000000002'''),
    ('inviter deactivated', :'of_host', 1, 'UPDATE tenancy.users SET status = ''deactivated'' WHERE id = ''c0000000-0000-4000-8000-000000000002'''),
    ('inviter may invite no more', :'of_host', 1, 'UPDATE tenancy.memberships SET role = ''editor'' WHERE user_id = ''c0000000-0000-4000-8000-000000000002'''),
    ('inviter now below the role', :'of_host', 1, 'UPDATE tenancy.roles SET rank = 60 WHERE name = ''guest'''),
    ('above the inviter', signed('{"role": "admin"}'), 1, ''),
    ('of an inviter that is nobody', signed('{"inviter": "user:c0000000-0000-4000-8000-00000000dead"}'), 1, ''),
    ('of a role of the database', signed('{"inviter": "role:app"}'), 1, ''),
    ('expired', signed('{"exp": 1700000000}'), 1, ''),
    ('not yet valid', signed('{"nbf": 4102444800}'), 1, ''),
    ('for another audience', signed('{"aud": "crm"}'), 1, ''),
    ('to an unknown tenant', signed('{"tenant": "00000000-0000-0000-0000-00000000dead"}'), 1, ''),
    ('signed by a secret that was given up', :'good', 1, 'SELECT tenancy.rotate_invitation_secret(false)'),
    ('changed', overlay(:'good' placing CASE substr(:'good', length(:'good') - 20, 1) WHEN 'A' THEN 'B' ELSE 'A' END from length(:'good') - 20 for 1), 1, ''),
    ('cut short', left(:'good', -1), 1, ''),
    ('unsigned', 'eyJhbGciOiJub25lIn0.' || split_part(:'good', '.', 2) || '.', 1, ''),
    ('nothing', '', 1, ''),
    ('a megabyte', repeat('x', 1000000), 1, '')) AS wrong (what, token, who, before);
SELECT is(accepted(:'good', 1, 'SELECT tenancy.rotate_invitation_secret()'), 'done', 'a secret that was rotated and kept is good');
SELECT is(accepted(NULL), :'refused');

-- Nobody invites above themselves, and nobody accepts for another.
SELECT act_as('app');
SELECT matches(outcome($$SELECT tenancy.enter(test_helpers.a(), 'c0000000-0000-4000-8000-000000000002'); SELECT tenancy.invite(test_helpers.a(), 'x@c.example', 'admin')$$), '^42501');
SELECT matches(outcome($$SELECT tenancy.enter(test_helpers.a(), 'c0000000-0000-4000-8000-000000000002'); SELECT tenancy.invite(test_helpers.a(), 'x@c.example', 'editor')$$), '^42501', 'nor with what they may not do');
SELECT is(outcome($$SELECT tenancy.enter(test_helpers.a(), 'c0000000-0000-4000-8000-000000000002'); SELECT tenancy.invite(test_helpers.a(), 'x@c.example', 'guest')$$), 'done');
SELECT is(accepted(:'good'), 'done', 'an application that may enter as anybody accepts for its user');
SELECT matches(accepted(:'good', 1, 'SELECT tenancy.enter(test_helpers.a(), test_helpers.viewer_of_a())'), '^42501', 'but not in the name of another one');
SELECT throws_ok('SELECT tenancy.open_invitation(''x'')', '42501');
SELECT throws_ok('SELECT tenancy.sign_invitation(''{}'')', '42501');
SELECT act_as('credential');
SELECT matches(accepted(:'good'), '^42501', 'nor for a user that only a credential could prove');

SELECT * FROM finish();
ROLLBACK;
