-- API keys: made, listed, used, rotated and revoked by who may; never wider than who made them.
BEGIN;
SELECT plan(81);
SET LOCAL search_path = public, test_helpers;
SET LOCAL tenancy.wrong_try_delay = 0;

SELECT make_tenants();
SELECT make_role();
SELECT make_role('credential', 'credential');
SELECT make_role('stranger', NULL);
INSERT INTO tenancy.roles (tenant_id, name, rank, permissions) VALUES (a(), 'keeper', 60, 'keys.manage data.read');
INSERT INTO tenancy.users (id, email) VALUES ('a0000000-0000-4000-8000-000000000009', 'keeper@a.example');
INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (a(), 'a0000000-0000-4000-8000-000000000009', 'keeper');
CREATE TABLE notes (tenant_id uuid, body text);
SELECT tenancy.protect('notes');
SELECT run(format('GRANT SELECT, INSERT ON notes TO %I, %I', role_name('app'), role_name('credential')));

-- What came of some statements and a question after them; then as if they had not been.
CREATE FUNCTION outcome(statements text, question text DEFAULT 'tenancy.current_tenant_id()') RETURNS text LANGUAGE plpgsql AS $$
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
CREATE FUNCTION as_user(user_id uuid, statements text, question text DEFAULT 'true') RETURNS text LANGUAGE sql AS
$$ SELECT public.outcome(format('SELECT tenancy.enter(%L, %L); %s', CASE WHEN user_id::text LIKE 'b%' THEN test_helpers.b() ELSE test_helpers.a() END, user_id, statements), question) $$;
CREATE FUNCTION with_key(key text, question text DEFAULT 'tenancy.current_tenant_id()') RETURNS text LANGUAGE sql AS
$$ SELECT public.outcome(format('SELECT tenancy.enter_with_key(%L)', key), question) $$;

-- An operator makes keys; the text is shown once and stored nowhere.
SELECT * FROM tenancy.create_api_key(a(), 'of the shop', 'editor') \gset editor_
SELECT * FROM tenancy.create_api_key(a(), 'reader', 'editor', '{data.read,keys.manage,data.read}', 'test') \gset reader_
SELECT * FROM tenancy.create_api_key(b(), 'of B', 'admin') \gset b_
SELECT matches(:'editor_api_key'::text, '^tenancy_live_[1-9A-HJ-NP-Za-km-z]{12}_[1-9A-HJ-NP-Za-km-z]{50}$');
SELECT matches(:'reader_api_key'::text, '^tenancy_test_');
SELECT is(short_id, split_part(:'editor_api_key', '_', 3), 'a key is looked up by its short id') FROM tenancy.api_keys WHERE id = :'editor_id';
SELECT is((SELECT count(*) FROM tenancy.api_keys k WHERE k::text LIKE '%' || right(:'editor_api_key', 50) || '%'), 0::bigint, 'the secret is not stored');
SELECT is(octet_length(secret_mac), 32) FROM tenancy.api_keys WHERE id = :'editor_id';
SELECT is(scopes, 'data.read keys.manage', 'scopes are stored once each') FROM tenancy.api_keys WHERE id = :'reader_id';
SET LOCAL tenancy.key_prefix = 'acme';
SELECT matches((SELECT api_key FROM tenancy.create_api_key(b(), 'prefixed')), '^acme_live_');
RESET tenancy.key_prefix;
SELECT throws_ok(format('SET LOCAL tenancy.key_prefix = %L', p), '22023', NULL, 'prefix ' || p) FROM unnest('{"",A,a_b,1a,abcdefghijklmnopq}'::text[]) p;

-- Every role of an application enters with a key; it brings tenant, role and scopes.
SELECT act_as('credential');
SELECT is(with_key(:'editor_api_key'), a()::text);
SELECT is(with_key(:'b_api_key'), b()::text);
SELECT is(with_key(:'editor_api_key', 'tenancy.current_role_name()'), 'editor');
SELECT is(with_key(:'editor_api_key', 'tenancy.current_api_key_id()'), :'editor_id');
SELECT is(with_key(:'editor_api_key', 'tenancy.current_user_id()'), 'null');
SELECT is(with_key(:'editor_api_key', 'tenancy.has_permission(''data.write'')'), 'true');
SELECT is(with_key(:'reader_api_key', 'tenancy.has_permission(''data.read'')'), 'true');
SELECT is(with_key(:'reader_api_key', 'tenancy.has_permission(''data.write'')'), 'false', 'scopes narrow the role');
SELECT is(with_key(:'reader_api_key', 'tenancy.has_permission(''keys.manage'')'), 'false', 'and give nothing that it has not');
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L); INSERT INTO public.notes (body) VALUES (''x'')', :'editor_api_key'), '(SELECT count(*) FROM public.notes)'), '1');
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L); INSERT INTO public.notes (body) VALUES (''x'')', :'reader_api_key')),
          'TN004: permission denied by role: Role "editor" may not write in this tenant.');
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L); SELECT tenancy.enter_with_key(%L)', :'editor_api_key', :'b_api_key')),
          'TN003: context is sealed: This transaction belongs to another tenant or user already.', 'one key in a transaction');
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L); SELECT tenancy.enter_with_key(%L)', :'editor_api_key', :'editor_api_key')), a()::text, 'the same one again');
SELECT throws_ok('SELECT tenancy.enter_with_key(NULL)', '22004', 'api_key must not be null');
SELECT throws_ok('SELECT tenancy.enter_with_key(''x'', NULL)', '22004', 'is_local must not be null');
SELECT throws_ok('SELECT tenancy.set_tenant(test_helpers.a())', '42501', NULL, 'a role of trust credential names no tenant itself');

-- Who may manage keys does, and gives no more than they have.
SELECT act_as('app');
SELECT is(as_user(admin_of_a(), $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'admin')$$), 'true');
SELECT is(as_user(admin_of_a(), $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'admin')$$, $$SELECT created_by FROM tenancy.list_api_keys(test_helpers.a()) WHERE name = 'k'$$), admin_of_a()::text);
SELECT is(as_user(editor_of_a(), $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'viewer')$$), 'TN004: permission denied by role: Role "editor" does not hold permission "keys.manage" here.');
SELECT is(as_user(admin_of_b(), $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'viewer')$$), 'TN002: tenant is not available', 'a stranger learns nothing');
SELECT is(as_user('a0000000-0000-4000-8000-000000000009', $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'admin')$$),
          '42501: role "admin" is above your own: Nobody grants a role of a higher rank than their own.');
SELECT is(as_user('a0000000-0000-4000-8000-000000000009', $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'editor')$$),
          '42501: role "editor" may do what you may not: You do not hold permission "agents.manage" here.');
SELECT is(as_user('a0000000-0000-4000-8000-000000000009', $$SELECT * FROM tenancy.create_api_key(test_helpers.a(), 'k', 'editor', '{data.read}')$$), 'true', 'scopes make a role small enough');
SELECT is(outcome('SELECT * FROM tenancy.create_api_key(test_helpers.a(), ''k'')'), 'TN002: tenant is not available', 'nor does somebody without a context');
SELECT is(outcome('SELECT tenancy.set_tenant(test_helpers.a()); SELECT * FROM tenancy.create_api_key(test_helpers.a(), ''k'')'),
          'TN004: permission denied by role: No user or key is in context; permission "keys.manage" is needed.');
SELECT is(as_user(admin_of_a(), 'SELECT 1', $$SELECT string_agg(name, ', ' ORDER BY name) FROM tenancy.list_api_keys(test_helpers.a())$$), 'of the shop, reader', 'the list holds the tenant''s own');
SELECT is(as_user(admin_of_b(), 'SELECT 1', $$SELECT count(*) FROM tenancy.list_api_keys(test_helpers.a())$$), 'TN002: tenant is not available');
SELECT is(as_user(admin_of_b(), format('SELECT tenancy.revoke_api_key(%L)', :'editor_id')), format('42704: API key ''%s'' does not exist', :'editor_id'), 'another tenant''s key does not exist');
SELECT is(as_user(admin_of_b(), format('SELECT tenancy.rotate_api_key(%L)', :'editor_id')), format('42704: API key ''%s'' does not exist', :'editor_id'));
SELECT is(as_user(editor_of_a(), format('SELECT tenancy.revoke_api_key(%L)', :'editor_id')), 'TN004: permission denied by role: Role "editor" does not hold permission "keys.manage" here.');

-- Bad input, argument by argument.
SELECT is(as_user(admin_of_a(), format('SELECT * FROM tenancy.create_api_key(%s)', arguments)), said, arguments)
FROM (VALUES
    ($$NULL, 'k'$$, 'TN002: tenant is not available'),
    ($$test_helpers.a(), NULL$$, '22004: name of an API key must have 1 to 200 characters'),
    ($$test_helpers.a(), ''$$, '22023: name of an API key must have 1 to 200 characters'),
    ($$test_helpers.a(), 'k', NULL$$, '42704: role NULL does not exist'),
    ($$test_helpers.a(), 'k', 'king'$$, '42704: role ''king'' does not exist'),
    ($$test_helpers.a(), 'k', 'editor', NULL$$, '22004: scopes must not be null'),
    ($$test_helpers.a(), 'k', 'editor', '{data.read,NULL}'$$, '22004: scopes must not be null'),
    ($$test_helpers.a(), 'k', 'editor', '{data.fly}'$$, '22023: permission ''data.fly'' does not exist'),
    ($$test_helpers.a(), 'k', environment => 'dev'$$, '22023: environment must be live or test'),
    ($$test_helpers.a(), 'k', environment => NULL$$, '22004: environment must be live or test'),
    ($$test_helpers.a(), 'k', expires_at => now()$$, '22023: expires_at must be in the future'),
    ($$test_helpers.a(), 'k', expires_at => '-infinity'$$, '22023: expires_at must be in the future'),
    ($$test_helpers.a(), 'k', requests_per_minute => 0$$, '22023: requests_per_minute must be positive, not 0')) AS bad (arguments, said);

-- Rotation: both work during the overlap, then one.
SELECT act_as_superuser();
SELECT * FROM tenancy.rotate_api_key(:'editor_id') \gset new_
SELECT ok(revoked_at = now() + interval '1 hour') FROM tenancy.api_keys WHERE id = :'editor_id';
SELECT is((SELECT (k.role, k.name, k.scopes)::text FROM tenancy.api_keys k WHERE k.id = :'new_new_id'), '(editor,"of the shop","")');
SELECT is(with_key(:'editor_api_key') || with_key(:'new_api_key'), a()::text || a()::text);
SELECT lives_ok(format('SELECT tenancy.rotate_api_key(%L, ''0'')', :'reader_id'));
SELECT matches(with_key(:'reader_api_key'), '^TN007');
SELECT throws_ok(format('SELECT tenancy.rotate_api_key(%L)', :'reader_id'), '55000', NULL, 'a dead key is not rotated');
SELECT throws_ok(format('SELECT tenancy.rotate_api_key(%L, %s)', :'new_new_id', bad), state, NULL, bad)
FROM (VALUES ('NULL', '22004'), ('''-1 second''', '22023'), ('''2 years''', '22023')) AS b (bad, state);

-- A new pepper is for new keys; the others go on with theirs.
SELECT is(tenancy.rotate_pepper(), 2);
SELECT * FROM tenancy.rotate_api_key(:'new_new_id') \gset peppered_
SELECT is((SELECT pepper_id FROM tenancy.api_keys WHERE id = :'peppered_new_id'), 2);
SELECT is(with_key(:'new_api_key') || with_key(:'peppered_api_key'), a()::text || a()::text);

-- When it was last used: at most once a minute, and never where one cannot write.
SELECT is((SELECT last_used_at FROM tenancy.api_key_uses WHERE api_key_id = :'peppered_new_id'), NULL::timestamptz);
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L)', :'peppered_api_key'), format('SELECT last_used_at >= now() FROM tenancy.api_key_uses WHERE api_key_id = %L', :'peppered_new_id')), 'true');
UPDATE tenancy.api_key_uses SET last_used_at = clock_timestamp() - interval '59 seconds' WHERE api_key_id = :'peppered_new_id';
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L)', :'peppered_api_key'), format('SELECT last_used_at < now() FROM tenancy.api_key_uses WHERE api_key_id = %L', :'peppered_new_id')), 'true');
UPDATE tenancy.api_key_uses SET last_used_at = clock_timestamp() - interval '61 seconds' WHERE api_key_id = :'peppered_new_id';
SELECT is(outcome(format('SELECT tenancy.enter_with_key(%L)', :'peppered_api_key'), format('SELECT last_used_at < now() FROM tenancy.api_key_uses WHERE api_key_id = %L', :'peppered_new_id')), 'false');
SELECT is(outcome(format('SET TRANSACTION READ ONLY; SELECT tenancy.enter_with_key(%L)', :'peppered_api_key'), format('SELECT last_used_at < now() FROM tenancy.api_key_uses WHERE api_key_id = %L', :'peppered_new_id')), 'true');

-- A rate limit counts what was rolled back too, and says how long to wait. Two minutes of the clock may meet here.
SELECT * FROM tenancy.create_api_key(a(), 'limited', requests_per_minute => 3) \gset limited_
SELECT act_as('credential');
SELECT count(*) FILTER (WHERE said = a()::text) AS entered, count(*) FILTER (WHERE said LIKE 'TN006: rate limit exceeded: The limit is 3 in a minute; %') AS limited
FROM (SELECT with_key(:'limited_api_key') AS said FROM generate_series(1, 20)) t \gset
SELECT ok(:entered BETWEEN 3 AND 6, 'three in a minute enter');
SELECT is(:entered + :limited, 20, 'the others wait');
SELECT is(with_key(:'editor_api_key'), a()::text, 'other keys do not');

-- Secrets are nobody's, and rotating them is an operator's.
SELECT act_as('app');
SELECT throws_ok(format('SELECT * FROM tenancy.%I', t), '42501', NULL, t) FROM unnest('{secrets,api_keys,api_key_uses}'::text[]) t;
SELECT throws_ok('SELECT tenancy.rotate_pepper()', '42501');
SELECT throws_ok('SELECT tenancy.make_api_key(''live'')', '42501');
SELECT act_as_superuser();
SELECT run(format('GRANT pg_read_all_data TO %I', role_name('stranger')));
SELECT act_as('stranger');
SET LOCAL row_security = on;
SELECT is((SELECT count(*) FROM tenancy.secrets), 0::bigint, 'not even who may read all data');

SELECT * FROM finish();
ROLLBACK;
