-- Invitations: who may invite, what the outbox holds, who becomes a member, and what the limit of members says.
BEGIN;
SELECT plan(34);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role();
SELECT make_role('stranger', NULL);
INSERT INTO tenancy.users (id, email) VALUES ('c0000000-0000-4000-8000-000000000001', 'new@c.example');

CREATE FUNCTION outcome(statements text, question text DEFAULT '''done''') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    detail text;
BEGIN
    EXECUTE statements;
    EXECUTE 'SELECT (' || question || ')::text' INTO answer;
    RAISE EXCEPTION USING ERRCODE = 'PT000', MESSAGE = coalesce(answer, 'null');
EXCEPTION
    WHEN SQLSTATE 'PT000' THEN RETURN SQLERRM;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RETURN concat_ws(': ', SQLSTATE, SQLERRM, nullif(detail, ''));
END
$$;
CREATE FUNCTION as_user(user_id uuid, statements text, question text DEFAULT '''done''') RETURNS text LANGUAGE sql AS
$$ SELECT public.outcome(format('SELECT tenancy.enter(%L, %L); %s', CASE WHEN user_id::text LIKE 'b%' THEN test_helpers.b() ELSE test_helpers.a() END, user_id, statements), question) $$;
CREATE FUNCTION claims_of(token text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT convert_from(decode(rpad(part, (length(part) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb
    FROM translate(split_part(token, '.', 2), '-_', '+/') AS part $$;

SELECT act_as('app');
SELECT is(as_user(admin_of_a(), $$SELECT tenancy.invite(test_helpers.a(), 'new@c.example', 'admin')$$), 'done');
SELECT is(as_user(editor_of_a(), $$SELECT tenancy.invite(test_helpers.a(), 'new@c.example', 'viewer')$$), 'TN004: permission denied by role: Role "editor" does not hold permission "invitations.manage" here.');
SELECT is(as_user(admin_of_b(), $$SELECT tenancy.invite(test_helpers.a(), 'new@c.example', 'viewer')$$), 'TN002: tenant is not available');
SELECT is(outcome($$SELECT tenancy.invite(test_helpers.a(), 'new@c.example', 'viewer')$$), 'TN002: tenant is not available');
SELECT is(as_user(admin_of_a(), format('SELECT tenancy.invite(%s)', arguments)), said, arguments)
FROM (VALUES
    ($$NULL, 'x@y.example', 'viewer'$$, 'TN002: tenant is not available'),
    ($$test_helpers.a(), NULL, 'viewer'$$, '22004: email and valid_for must not be null'),
    ($$test_helpers.a(), 'x', 'viewer'$$, '22023: invalid e-mail address ''x'''),
    ($$test_helpers.a(), 'x@y.example', NULL$$, '42704: role NULL does not exist'),
    ($$test_helpers.a(), 'x@y.example', 'king'$$, '42704: role ''king'' does not exist'),
    ($$test_helpers.a(), 'x@y.example', 'viewer', NULL$$, '22004: email and valid_for must not be null'),
    ($$test_helpers.a(), 'x@y.example', 'viewer', '0'$$, '22023: valid_for must be more than 0 and at most 90 days, not 00:00:00'),
    ($$test_helpers.a(), 'x@y.example', 'viewer', '91 days'$$, '22023: valid_for must be more than 0 and at most 90 days, not 91 days'),
    ($$test_helpers.a(), 'EDITOR@a.example', 'viewer'$$, '42710: a user with this e-mail address is a member already')) AS bad (arguments, said);

-- The token says all; the outbox holds it for whoever sends the mail, and the notification does not.
SELECT act_as_superuser();
SELECT tenancy.invite(a(), 'New@c.example', 'editor') AS token \gset
SELECT is(claims_of(:'token') - '{exp,iat,jti}'::text[], jsonb_build_object('aud', 'tenancy:invitation', 'email', 'New@c.example', 'tenant', a(), 'role', 'editor', 'inviter', 'operator'));
SELECT is((claims_of(:'token') ->> 'exp')::bigint - (claims_of(:'token') ->> 'iat')::bigint BETWEEN 604800 AND 604802, true, 'seven days');
SELECT act_as('app');
SELECT is(as_user(admin_of_a(), 'SELECT 1', $$SELECT public.claims_of(tenancy.invite(test_helpers.a(), 'x@c.example', 'viewer', '1 hour')) ->> 'inviter'$$), 'user:' || admin_of_a());
SELECT throws_ok('SELECT * FROM tenancy.outbox', '42501');
SELECT throws_ok('SELECT * FROM tenancy.take_outbox()', '42501');
SELECT act_as_superuser();
SELECT is(outcome('SELECT 1', 'SELECT (kind, tenant_id, payload ->> ''email'', payload ->> ''role'', payload ->> ''token'') FROM tenancy.take_outbox()'),
          format('(invitation,%s,New@c.example,editor,%s)', a(), :'token'));
SELECT is(outcome('SELECT * FROM tenancy.take_outbox()', 'SELECT count(*) FROM tenancy.take_outbox()'), '0', 'what was taken is gone');
SELECT is(outcome('SELECT 1', 'SELECT count(*) FROM tenancy.take_outbox(1)'), '1', 'and back when the transaction was not');
SELECT throws_ok('SELECT * FROM tenancy.take_outbox(0)', '22023', 'how_many must be positive, not 0');
SELECT throws_ok('SELECT * FROM tenancy.take_outbox(NULL)', '22004', 'how_many must be positive, not NULL');

-- Accepting makes a member; as the user in context too, from another tenant.
SELECT act_as('app');
SELECT is(outcome(format('SELECT tenancy.accept_invitation(%L, ''c0000000-0000-4000-8000-000000000001''); SELECT tenancy.enter(test_helpers.a(), ''c0000000-0000-4000-8000-000000000001'')', :'token'), 'tenancy.current_role_name()'), 'editor');
SELECT throws_ok(format('SELECT tenancy.accept_invitation(%L)', :'token'), '22004', 'user_id must not be null when no user is in context');
SELECT act_as_superuser();
SELECT tenancy.invite(a(), 'admin@b.example', 'viewer') AS for_b \gset
SELECT act_as('app');
SELECT is(as_user(admin_of_b(), format('SELECT tenancy.accept_invitation(%L)', :'for_b')), 'done');
SELECT act_as_superuser();
SELECT is(outcome(format('SELECT tenancy.accept_invitation(%L, test_helpers.admin_of_b())', :'for_b'), format('SELECT (role, created_by) FROM tenancy.memberships WHERE tenant_id = %L AND user_id = %L', a(), admin_of_b())), '(viewer,)');
SELECT is(outcome(format('SELECT tenancy.accept_invitation(%L, test_helpers.admin_of_b())', :'for_b'), $$SELECT action FROM tenancy.audit_log WHERE tenant_id = test_helpers.a() ORDER BY id DESC LIMIT 1$$), 'invitation.accept');

-- Revoking is for who may invite, and takes the message back.
SELECT act_as('app');
SELECT matches(as_user(editor_of_a(), format('SELECT tenancy.revoke_invitation(%L)', :'token')), '^TN004');
SELECT matches(as_user(admin_of_b(), format('SELECT tenancy.revoke_invitation(%L)', :'token')), '^TN002');
SELECT is(as_user(admin_of_a(), format('SELECT tenancy.revoke_invitation(%L)', :'token')), 'done');
SELECT throws_ok('SELECT tenancy.revoke_invitation(''x'')', 'TN008');
SELECT throws_ok('SELECT tenancy.revoke_invitation(NULL)', 'TN008');
SELECT act_as_superuser();
SELECT is(outcome(format('SELECT tenancy.revoke_invitation(%L)', :'token'), 'SELECT string_agg(payload ->> ''email'', '','') FROM tenancy.take_outbox()'), 'admin@b.example');

SELECT * FROM finish();
ROLLBACK;
