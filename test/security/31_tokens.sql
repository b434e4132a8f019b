-- Attack 31: tokens with algorithm none, a wrong key, a public key as secret, expired, not yet valid, for another audience, cut short, a megabyte long.
BEGIN;
SELECT plan(45);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role('app', 'credential');
INSERT INTO tenancy.user_identities (issuer, subject, user_id) VALUES ('idp', 'ada', admin_of_a()), ('other', 'ada', admin_of_b()), ('idp', 'gone', editor_of_a());
UPDATE tenancy.users SET status = 'deactivated' WHERE id = editor_of_a();
SELECT tenancy.create_tenant('suspended') AS suspended \gset
INSERT INTO tenancy.memberships (tenant_id, user_id, role) VALUES (:'suspended', admin_of_a(), 'admin');
UPDATE tenancy.tenants SET status = 'suspended' WHERE id = :'suspended';
SELECT tenancy.add_token_issuer('idp', '{HS256}', 'a secret that is shared with the provider', audience => 'crm');
SELECT tenancy.add_token_issuer('other', '{HS256}', 'another secret, of another provider', audience => 'crm');
\set public_key '{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'
SELECT tenancy.add_token_issuer('public', '{ES256}', :'public_key', audience => 'crm');
INSERT INTO tenancy.user_identities (issuer, subject, user_id) VALUES ('public', 'ada', admin_of_a());

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
CREATE FUNCTION unsigned(claims jsonb, header jsonb DEFAULT '{"alg": "HS256"}') RETURNS text LANGUAGE sql AS $$
    SELECT public.base64url(convert_to(header::text, 'UTF8')) || '.' || public.base64url(convert_to(
        (jsonb_build_object('iss', 'idp', 'sub', 'ada', 'aud', 'crm', 'tenant', 'tenant-a', 'exp', floor(extract(epoch FROM now())) + 600) || claims)::text, 'UTF8'))
$$;
CREATE FUNCTION token(claims jsonb, header jsonb DEFAULT '{"alg": "HS256"}', secret text DEFAULT 'a secret that is shared with the provider') RETURNS text LANGUAGE sql AS
$$ SELECT text || '.' || public.base64url(public.hmac(secret::bytea, text::bytea)) FROM public.unsigned(claims, header) AS text $$;
CREATE FUNCTION said(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    PERFORM tenancy.enter_with_token(token);
    RAISE EXCEPTION USING ERRCODE = 'PT000', MESSAGE = 'entered ' || tenancy.current_tenant_id();
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN CASE WHEN SQLSTATE = 'PT000' THEN message ELSE concat_ws(' | ', SQLSTATE, message, detail, hint) END;
END
$$;

SELECT act_as('app');
SELECT is(said(token('{}')), 'entered ' || a());
SELECT is(said(token('{"aud": ["shop", "crm"], "nbf": 1}')), 'entered ' || a());
SELECT is(said(token('{"iss": "other", "tenant": "tenant-b"}', secret => 'another secret, of another provider')), 'entered ' || b());

SELECT is(said(token), 'TN007 | credential is not valid |  | Check that it is complete, that it has not expired and was not revoked, and that its tenant is active.', what)
FROM (VALUES
    ('none, without a signature', unsigned('{}', '{"alg": "none"}') || '.'),
    ('none, with one', token('{}', '{"alg": "none"}')),
    ('None', token('{}', '{"alg": "None"}')),
    ('an algorithm that the issuer does not use', token('{}', '{"alg": "RS256"}')),
    ('an unknown algorithm', token('{}', '{"alg": "HS512"}')),
    ('no algorithm', token('{}', '{}')),
    ('critical extensions', token('{}', '{"alg": "HS256", "crit": ["b64"], "b64": false}')),
    ('a key of the attacker''s own in the header', token('{}', '{"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}', repeat('k', 32))),
    ('a wrong key', token('{}', secret => 'another secret, of another provider')),
    ('an empty key', token('{}', secret => '')),
    ('the public key as a secret', token('{"iss": "public"}', secret => :'public_key')),
    ('another issuer''s signature', token('{"iss": "other", "tenant": "tenant-b"}')),
    ('another issuer''s subject', token('{"iss": "other"}', secret => 'another secret, of another provider')),
    ('an unknown issuer', token('{"iss": "nobody"}')),
    ('no issuer', token('{"iss": null}')),
    ('expired', token('{"exp": 1700000000}')),
    ('without an end', token('{"exp": null}')),
    ('an end that is no number', token('{"exp": "4102444800"}')),
    ('not yet valid', token('{"nbf": 4102444800}')),
    ('another audience', token('{"aud": "shop"}')),
    ('no audience', token('{"aud": []}')),
    ('another tenant', token('{"tenant": "tenant-b"}')),
    ('an unknown tenant', token('{"tenant": "unknown"}')),
    ('a suspended tenant', token('{"tenant": "suspended"}')),
    ('no tenant', token('{"tenant": null}')),
    ('two tenants', token('{"tenant": ["tenant-a", "tenant-b"]}')),
    ('an unknown subject', token('{"sub": "eve"}')),
    ('a deactivated user', token('{"sub": "gone"}')),
    ('a subject with a zero byte', token('{"sub": 0}')),
    ('changed claims', unsigned('{"sub": "eve"}') || '.' || split_part(token('{}'), '.', 3)),
    ('cut short by one', left(token('{}'), -1)),
    ('cut to two parts', unsigned('{}')),
    ('two parts and a dot', unsigned('{}') || '.'),
    ('five parts', token('{}') || '.x.y'),
    ('padding', token('{}') || '='),
    ('a space', ' ' || token('{}')),
    ('more than 16 kB, well signed', token(jsonb_build_object('x', repeat('x', 16384)))),
    ('a megabyte', repeat('x', 1000000)),
    ('a megabyte of dots', repeat('.', 1000000)),
    ('nothing', ''),
    ('an API key', (SELECT 'tenancy_live_aaaaaaaaaaaa_' || repeat('a', 50)))) AS wrong (what, token);

-- Nothing of a megabyte is parsed: it is refused before it is unpacked.
SELECT clock_timestamp() AS began \gset
SELECT count(said(long)) FROM (SELECT repeat('x', 100000000) AS long) AS t;
SELECT ok(clock_timestamp() - :'began' < interval '5 seconds');

SELECT * FROM finish();
ROLLBACK;
