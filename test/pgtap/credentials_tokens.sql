-- Tokens of identity providers: every algorithm, every way to name a tenant and a user, and who may configure it.
BEGIN;
SELECT plan(88);
SET LOCAL search_path = public, test_helpers;

-- Made with openssl: iss https://idp.example, sub ada, aud crm, tenant tenant-a, exp in 2100, kid 1.
\set rs256_token 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYWRhIiwiYXVkIjoiY3JtIiwidGVuYW50IjoidGVuYW50LWEiLCJleHAiOjQxMDI0NDQ4MDB9.sR59HhWHkjZe9hYGVKFOBHG8oSimKenmdoV4I-DT5YoB7F7xMUHkwjWzYHM8CGdBjxKsKgLaltQkqZMQud1xvaEw2iCTCge76EJNQml1LBFjlIanb7t7sRgYQXZUQpWvg-fmzX5wagKROuVUxv49bfh9eu1pDOjb4RrMXfwCFbHUJzCM-GZ8r1VJyF7_TcGXVedepajeW85Y1UkAaFV1XKpOIrf06GJLQktwlBj8AOnn8Ti75UiTLL2RMNLV9sCyzbhWpi7b717KfLgMlU267qz2lU51cuWmjFkh6kZjxsuI4C9-Ws5nTw67BmJf0Z6z7bVTR5LQgaMi7KPCMl70Cw'
\set rs256_key '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxmnK8sZMvZYKX2TM5oEW\nudXVgW1u/9Zi/sc1YZJydgKn3Q+YR2O0pOrPtm3vqwMEpugtglcktBqYsDND5gVk\ndRk/0LEtrAxAhPg7ZPWm3hHCS+yIYiYnedpw59LIOSJBaz7yGFuGqpb686qWKO1T\nx1e5WtFz37C1kS9ohOe79PUAbBPsZ8kUNpM+YytPbm0CSWcUK9j2wVFJ3qXr0UIj\nts+yyh/JfPQI3xRZj6/BE/x0ElTB6MUJh8CXBtcdhfsbrX4Hh6t3sZU4ooDFfASy\nlNCTxSP5dXIBbxPKjLEfk+BwZt/6VXgqD+FANzKo5rSfdFmnTx/uljTZelwCMV9U\nkQIDAQAB\n-----END PUBLIC KEY-----'
\set es256_token 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYWRhIiwiYXVkIjoiY3JtIiwidGVuYW50IjoidGVuYW50LWEiLCJleHAiOjQxMDI0NDQ4MDB9.sNk8c7w1FIWT7_woEncTJtRNSl6p0MQoDdmViJeTK2mYExJvqo_wiEhgY_fxw1-78m9bfvT3g675NuWCU7qrlw'
\set es256_key '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7WoX+Ee03C+vBUxaY8qRWVnVoW9W\nQ0zWUhtq7bvDJ1Oc/qwTonzlYlOlxgrMi+i9kEE97OHpGe10PKAYYZpFkA==\n-----END PUBLIC KEY-----'
\set eddsa_token 'eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYWRhIiwiYXVkIjoiY3JtIiwidGVuYW50IjoidGVuYW50LWEiLCJleHAiOjQxMDI0NDQ4MDB9.SUEffzJCGmvFAljEJXWWdrnVLsR3-v7GPUY6OXuaqLi_5m7hILO12SOPJMXNufkN9ZcKi21oAd5f9OiG1wY4Cg'
\set eddsa_key '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAZF4vtwdyMOt39mB25Ida+lDOEs/g0MdxA0UWUJcL3yQ=\n-----END PUBLIC KEY-----'

SELECT make_tenants();
SELECT make_role();
SELECT make_role('credential', 'credential');
UPDATE tenancy.users SET current_tenant_id = a() WHERE id = editor_of_a();
INSERT INTO tenancy.user_identities (issuer, subject, user_id) VALUES
    ('https://idp.example', 'ada', admin_of_a()), ('https://idp.example', 'eve', admin_of_b()), ('https://other.example', 'ada', admin_of_b()),
    ('https://idp.example', 'ed', editor_of_a()), ('https://own.example', 'bea', admin_of_b()), ('https://own.example', 'ada', admin_of_a());

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
CREATE FUNCTION with_token(token text, question text DEFAULT 'tenancy.current_tenant_id()') RETURNS text LANGUAGE sql AS
$$ SELECT public.outcome(format('SELECT tenancy.enter_with_token(%L)', token), question) $$;

-- HS256 in SQL: what an identity provider does.
CREATE FUNCTION hmac(key bytea, message bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    IF length(key) > 64 THEN
        key := sha256(key);
    END IF;
    FOR i IN 0..length(key) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
        outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
$$;
CREATE FUNCTION base64url(bytes bytea) RETURNS text LANGUAGE sql AS
$$ SELECT rtrim(translate(encode(bytes, 'base64'), E'+/\n', '-_'), '=') $$;
CREATE FUNCTION token(claims jsonb, secret text DEFAULT 'a secret that is shared with the provider', header jsonb DEFAULT '{"alg": "HS256"}') RETURNS text LANGUAGE sql AS $$
    SELECT text || '.' || public.base64url(public.hmac(secret::bytea, text::bytea))
    FROM (SELECT public.base64url(convert_to(header::text, 'UTF8')) || '.' || public.base64url(convert_to(
        (jsonb_build_object('iss', 'https://idp.example', 'sub', 'ada', 'tenant', 'tenant-a', 'exp', floor(extract(epoch FROM now())) + 60) || claims)::text, 'UTF8'))) AS t (text)
$$;

SELECT lives_ok($$SELECT tenancy.add_token_issuer('https://idp.example', '{HS256}', 'a secret that is shared with the provider')$$);
SELECT lives_ok($$SELECT tenancy.add_token_issuer('https://other.example', '{HS256}', 'another secret, of another provider', audience => 'crm', clock_skew => '0')$$);

SELECT act_as('credential');
-- Tenant and user by name and by id; the role is the membership's.
SELECT is(with_token(token('{}')), a()::text);
SELECT is(with_token(token('{}'), 'tenancy.current_user_id()'), admin_of_a()::text);
SELECT is(with_token(token('{}'), 'tenancy.current_role_name()'), 'admin');
SELECT is(with_token(token('{"sub": "ed"}'), 'tenancy.current_role_name()'), 'editor');
SELECT is(with_token(token(jsonb_build_object('tenant', a()))), a()::text, 'by id');
SELECT is(with_token(token('{"sub": "eve", "tenant": "tenant-b"}')), b()::text);
SELECT matches(with_token(token('{"tenant": "tenant-b"}')), '^TN007', 'membership must stand');
SELECT matches(with_token(token('{"sub": "nobody"}')), '^TN007', 'the subject must be known');
SELECT matches(with_token(token('{"iss": "https://other.example", "aud": "crm"}')), '^TN007', 'an issuer signs with its own key');
SELECT is(with_token(token('{"iss": "https://other.example", "aud": "crm", "tenant": "tenant-b"}', 'another secret, of another provider')), b()::text, 'and names its own subjects');
SELECT is(outcome(format('SELECT tenancy.enter_with_token(%L); SELECT tenancy.enter_with_token(%L)', token('{}'), token('{"sub": "eve", "tenant": "tenant-b"}'))),
          'TN003: context is sealed: This transaction belongs to another tenant or user already.');
SELECT throws_ok('SELECT tenancy.enter_with_token(NULL)', '22004', 'token must not be null');
SELECT throws_ok('SELECT tenancy.enter_with_token(''x'', NULL)', '22004', 'is_local must not be null');

-- Time and audience.
SELECT is(with_token(token(jsonb_build_object('exp', extract(epoch FROM clock_timestamp())::bigint + offset_seconds))) ~ '^TN007', refused, 'exp ' || offset_seconds)
FROM (VALUES (5, false), (-20, false), (-40, true)) AS t (offset_seconds, refused);
SELECT is(with_token(token(jsonb_build_object('nbf', extract(epoch FROM clock_timestamp())::bigint + offset_seconds))) ~ '^TN007', refused, 'nbf ' || offset_seconds)
FROM (VALUES (-5, false), (20, false), (40, true)) AS t (offset_seconds, refused);
SELECT matches(with_token(token('{"aud": "crm"}')), '^TN007', 'no audience is configured');
SELECT matches(with_token(token('{"iss": "https://other.example", "tenant": "tenant-b"}', 'another secret, of another provider')), '^TN007', 'an audience is');
SELECT is(with_token(token('{"iss": "https://other.example", "tenant": "tenant-b", "aud": ["shop", "crm"]}', 'another secret, of another provider')), b()::text);

-- Claims are where the operator says; a null claim leaves it to the user, or to the tenant of the issuer.
SELECT act_as_superuser();
SELECT tenancy.drop_token_issuer('https://idp.example');
SELECT is((SELECT count(*) FROM tenancy.secrets WHERE kind = 'issuer'), 1::bigint, 'keys go with their issuer');
SELECT matches(with_token(token('{}')), '^TN007', 'a dropped issuer is unknown');
SELECT tenancy.add_token_issuer('https://idp.example', '{HS256}', 'a secret that is shared with the provider', tenant_claim => '/app/tenants/0', subject_claim => 'https://idp.example/uid');
SELECT tenancy.add_token_issuer('https://own.example', '{HS256}', 'a secret that is shared with the provider', tenant => b());
SELECT tenancy.add_token_issuer('https://robots.example', '{HS256}', 'a secret that is shared with the provider', subject_claim => NULL);
SELECT tenancy.add_token_issuer('https://remembers.example', '{HS256}', 'a secret that is shared with the provider', tenant_claim => NULL);
INSERT INTO tenancy.user_identities (issuer, subject, user_id) VALUES ('https://remembers.example', 'ed', editor_of_a()), ('https://remembers.example', 'ada', admin_of_a());
SELECT act_as('credential');
SELECT is(with_token(token('{"app": {"tenants": ["tenant-a"]}, "https://idp.example/uid": "ada"}')), a()::text);
SELECT matches(with_token(token('{"app": {"tenants": []}, "https://idp.example/uid": "ada"}')), '^TN007');
SELECT is(with_token(token('{"iss": "https://own.example", "sub": "bea"}')), b()::text, 'the claim of a tenant''s own issuer says nothing');
SELECT matches(with_token(token('{"iss": "https://own.example", "sub": "ada"}')), '^TN007', 'nor does it reach another tenant');
SELECT is(with_token(token('{"iss": "https://robots.example"}'), 'tenancy.current_tenant_id() || coalesce(tenancy.current_user_id()::text, '' nobody'')'), a() || ' nobody');
SELECT matches(with_token(token('{"iss": "https://robots.example", "tenant": "unknown"}')), '^TN007');
SELECT is(with_token(token('{"iss": "https://remembers.example", "sub": "ed"}')), a()::text, 'the tenant that the user switched to last');
SELECT matches(with_token(token('{"iss": "https://remembers.example", "sub": "ada"}')), '^TN007', 'who switched to none has none');

-- Public keys, as PEM and as JSON Web Key set.
SELECT act_as_superuser();
SELECT tenancy.drop_token_issuer('https://idp.example');
SELECT tenancy.add_token_issuer('https://idp.example', '{RS256,ES256,EdDSA}', audience => 'crm');
SELECT matches(with_token(:'es256_token'::text), '^TN007', 'without keys no token is good');
SELECT is(tenancy.set_token_issuer_keys('https://idp.example', :'rs256_key'), 1);
SELECT act_as('credential');
SELECT is(with_token(:'rs256_token'::text), a()::text, 'RS256');
SELECT matches(with_token(:'es256_token'::text), '^TN007', 'another algorithm''s key');
SELECT act_as_superuser();
SELECT is(tenancy.set_token_issuer_keys('https://idp.example', concat_ws(E'\n', :'rs256_key', :'es256_key', :'eddsa_key')), 3);
SELECT act_as('credential');
SELECT is(with_token(:'rs256_token'::text), a()::text, 'RS256');
SELECT is(with_token(:'es256_token'::text), a()::text, 'ES256');
SELECT is(with_token(:'eddsa_token'::text), a()::text, 'EdDSA');
SELECT matches(with_token(overlay(:'eddsa_token' placing '-' from 200 for 1)), '^TN007');
SELECT matches(with_token(token('{"aud": "crm"}', :'es256_key')), '^TN007', 'a public key is no shared secret');
SELECT act_as_superuser();
SELECT is(tenancy.set_token_issuer_keys('https://idp.example', '{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": "ZF4vtwdyMOt39mB25Ida-lDOEs_g0MdxA0UWUJcL3yQ"}]}'), 1);
SELECT is(with_token(:'eddsa_token'::text), a()::text, 'EdDSA from a set');
SELECT matches(with_token(:'es256_token'::text), '^TN007', 'rotated out');

-- PostgREST has verified the claims; the rest is asked all the same.
CREATE FUNCTION with_claims(claims jsonb, question text DEFAULT 'tenancy.current_tenant_id()') RETURNS text LANGUAGE sql AS
$$ SELECT public.outcome(format('SELECT set_config(''request.jwt.claims'', %L, true); SELECT tenancy.pre_request()',
   jsonb_build_object('iss', 'https://other.example', 'sub', 'ada', 'tenant', 'tenant-b', 'aud', 'crm', 'exp', floor(extract(epoch FROM clock_timestamp())) + 60) || claims), question) $$;
SELECT act_as('app');
SELECT is(with_claims('{}'), b()::text);
SELECT is(with_claims('{}', 'tenancy.current_user_id()'), admin_of_b()::text);
SELECT matches(with_claims(bad), '^TN007', bad::text) FROM unnest(ARRAY[
    '{"iss": "https://unknown.example"}', '{"iss": null}', '{"sub": "nobody"}', '{"sub": null}', '{"tenant": "tenant-a"}', '{"aud": "shop"}', '{"exp": 1}',
    '{"nbf": 99999999999}']::jsonb[]) bad;
SELECT is(outcome('SELECT tenancy.pre_request()', 'tenancy.has_context()'), 'false', 'no token, no tenant');
SELECT is(outcome($$SELECT set_config('request.jwt.claims', '', true); SELECT tenancy.pre_request()$$, 'tenancy.has_context()'), 'false');
SELECT matches(outcome($$SELECT set_config('request.jwt.claims', 'nonsense', true); SELECT tenancy.pre_request()$$), '^TN007');
SELECT act_as('credential');
SELECT matches(with_claims('{}'), '^42501', 'claims that anybody can set are no credential');

-- Operators configure; arguments are looked at.
SELECT throws_ok($$SELECT tenancy.add_token_issuer('x', '{HS256}', repeat('k', 32))$$, '42501');
SELECT throws_ok($$SELECT tenancy.set_token_issuer_keys('x', repeat('k', 32))$$, '42501');
SELECT throws_ok($$SELECT tenancy.drop_token_issuer('x')$$, '42501');
SELECT throws_ok($$SELECT tenancy.list_token_issuers()$$, '42501');
SELECT act_as_superuser();
SELECT is(outcome(format('SELECT tenancy.add_token_issuer(%s)', arguments)), said, arguments)
FROM (VALUES
    ($$NULL, '{HS256}'$$, '22004: issuer, algorithms and clock_skew must not be null'),
    ($$'', '{HS256}'$$, '22023: issuer and audience must have 1 to 1024 bytes'),
    ($$'x', NULL$$, '22004: issuer, algorithms and clock_skew must not be null'),
    ($$'x', '{}'$$, '22023: invalid algorithms '),
    ($$'x', '{none}'$$, '22023: invalid algorithms none'),
    ($$'x', '{HS256,RS256}'$$, '22023: invalid algorithms HS256, RS256'),
    ($$'x', '{RS256,NULL}'$$, '22023: invalid algorithms RS256, NULL'),
    ($$'x', '{HS256}', 'short'$$, '22023: keys cannot be used: A secret for HS256 has 5 bytes; at least 32 are needed.'),
    ($$'x', '{HS256}', '-----BEGIN PUBLIC KEY-----'$$, '22023: keys cannot be used: A PEM file is not a shared secret.'),
    ($$'x', '{RS256}', 'nonsense'$$, '22023: keys cannot be used: There is no key in them for the issuer''s algorithms.'),
    ($$'x', '{RS256}', '{"keys": []}'$$, '22023: keys cannot be used: There is no key in them for the issuer''s algorithms.'),
    ($$'x', '{HS256}', audience => ''$$, '22023: issuer and audience must have 1 to 1024 bytes'),
    ($$'x', '{HS256}', tenant_claim => ''$$, '22023: tenant_claim and subject_claim must be the name of a claim or a JSON pointer'),
    ($$'x', '{HS256}', subject_claim => '/~'$$, '22023: tenant_claim and subject_claim must be the name of a claim or a JSON pointer'),
    ($$'x', '{HS256}', tenant_claim => NULL, subject_claim => NULL$$, '22023: tokens of the issuer would name no tenant and no user'),
    ($$'x', '{HS256}', tenant => '00000000-0000-0000-0000-00000000dead'$$, 'TN002: tenant is not available'),
    ($$'x', '{HS256}', clock_skew => '-1 second'$$, '22023: clock_skew must be between 0 and 10 minutes, not -00:00:01'),
    ($$'x', '{HS256}', clock_skew => NULL$$, '22004: issuer, algorithms and clock_skew must not be null'),
    ($$'https://idp.example', '{HS256}'$$, '42710: token issuer ''https://idp.example'' already exists')) AS bad (arguments, said);
SELECT throws_ok($$SELECT tenancy.set_token_issuer_keys('x', 'k')$$, '42704', 'token issuer ''x'' does not exist');
SELECT throws_ok($$SELECT tenancy.set_token_issuer_keys('https://idp.example', NULL)$$, '22004', 'keys must not be null');
SELECT throws_ok($$SELECT tenancy.drop_token_issuer(NULL)$$, '42704', 'token issuer NULL does not exist');
SELECT is((SELECT string_agg(issuer || ' ' || has_keys, ', ') FROM tenancy.list_token_issuers()),
          'https://idp.example true, https://other.example true, https://own.example true, https://remembers.example true, https://robots.example true');

SELECT * FROM finish();
ROLLBACK;
