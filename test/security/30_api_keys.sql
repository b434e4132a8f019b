-- Attack 30: keys with the right prefix and a wrong secret, revoked, expired, of another tenant, and ten thousand wrong tries.
BEGIN;
SELECT plan(31);
SET LOCAL search_path = public, test_helpers;
SET LOCAL tenancy.wrong_try_delay = 0;

SELECT make_tenants();
SELECT make_role('app', 'credential');
SELECT tenancy.create_organization('frozen');
SELECT tenancy.create_tenant('in-frozen', NULL, 'frozen') AS in_frozen \gset
SELECT tenancy.create_tenant('suspended') AS suspended \gset
SELECT tenancy.create_tenant('deleted') AS deleted \gset
SELECT * FROM tenancy.create_api_key(a(), 'good') \gset good_
SELECT * FROM tenancy.create_api_key(a(), 'expired') \gset expired_
SELECT * FROM tenancy.create_api_key(a(), 'revoked') \gset revoked_
SELECT * FROM tenancy.create_api_key(a(), 'rotated') \gset rotated_
SELECT * FROM tenancy.create_api_key(a(), 'gone') \gset gone_
SELECT * FROM tenancy.create_api_key(b(), 'of B') \gset b_
SELECT * FROM tenancy.create_api_key(:'suspended', 'k') \gset suspended_
SELECT * FROM tenancy.create_api_key(:'deleted', 'k') \gset deleted_
SELECT * FROM tenancy.create_api_key(:'in_frozen', 'k') \gset frozen_
UPDATE tenancy.api_keys SET expires_at = now() WHERE id = :'expired_id';
SELECT tenancy.revoke_api_key(:'revoked_id');
SELECT tenancy.rotate_api_key(:'rotated_id', '0');
DELETE FROM tenancy.api_keys WHERE id = :'gone_id';
UPDATE tenancy.organizations SET status = 'suspended' WHERE slug = 'frozen';
UPDATE tenancy.tenants SET status = slug WHERE slug IN ('suspended', 'deleted');

-- An attacker can compute the checksum: it is no secret.
CREATE FUNCTION with_checksum(text text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    crc bigint := 4294967295;
    digits text := '';
BEGIN
    FOR i IN 0..length(text) - 1 LOOP
        crc := crc # get_byte(text::bytea, i);
        FOR bit IN 1..8 LOOP
            crc := CASE WHEN crc & 1 = 1 THEN (crc >> 1) # 3988292384 ELSE crc >> 1 END;
        END LOOP;
    END LOOP;
    crc := crc # 4294967295;
    FOR i IN 1..6 LOOP
        digits := substr('123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz', (crc % 58)::integer + 1, 1) || digits;
        crc := crc / 58;
    END LOOP;
    RETURN text || digits;
END
$$;
CREATE FUNCTION guess(key text, number integer) RETURNS text LANGUAGE sql AS
$$ SELECT public.with_checksum(left(key, length(key) - 50) || translate(lpad(number::text, 44, '1'), '0', 'z')) $$;
SELECT is(with_checksum(left(:'good_api_key', -6)), :'good_api_key', 'the checksum is CRC-32 in base58');

-- Everything that an error says, and what was read for it.
CREATE FUNCTION said(key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    PERFORM tenancy.enter_with_key(key);
    RAISE EXCEPTION USING ERRCODE = 'PT000', MESSAGE = 'entered ' || tenancy.current_tenant_id();
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN CASE WHEN SQLSTATE = 'PT000' THEN message ELSE concat_ws(' | ', SQLSTATE, message, detail, hint) END;
END
$$;
CREATE FUNCTION work_of(key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before jsonb;
BEGIN
    SELECT jsonb_object_agg(relname, seq_scan + coalesce(idx_scan, 0)) INTO before
    FROM pg_stat_xact_user_tables WHERE schemaname = 'tenancy';
    PERFORM public.said(key);
    RETURN (SELECT string_agg(relname || ' ' || seq_scan + coalesce(idx_scan, 0) - (before ->> relname)::bigint, ', ' ORDER BY relname)
            FROM pg_stat_xact_user_tables
            WHERE schemaname = 'tenancy' AND seq_scan + coalesce(idx_scan, 0) > (before ->> relname)::bigint);
END
$$;

SELECT act_as('app');
SELECT is(said(:'good_api_key'), 'entered ' || a());
SELECT is(said(:'b_api_key'), 'entered ' || b(), 'another tenant''s key is that tenant''s');

-- One text for all that is wrong.
SELECT is(said(key), 'TN007 | credential is not valid |  | Check that it is complete, that it has not expired and was not revoked, and that its tenant is active.', what)
FROM (VALUES
    ('wrong secret', guess(:'good_api_key', 1)),
    ('wrong environment', with_checksum(replace(left(:'good_api_key', -6), '_live_', '_test_'))),
    ('wrong prefix', with_checksum('x' || left(:'good_api_key', -6))),
    ('another key''s secret', with_checksum(left(:'good_api_key', -50) || left(right(:'b_api_key', 50), 44))),
    ('another key''s short id', with_checksum(left(:'b_api_key', -50) || left(right(:'good_api_key', 50), 44))),
    ('revoked', :'revoked_api_key'),
    ('rotated without overlap', :'rotated_api_key'),
    ('expired', :'expired_api_key'),
    ('deleted', :'gone_api_key'),
    ('of a suspended tenant', :'suspended_api_key'),
    ('of a deleted tenant', :'deleted_api_key'),
    ('of a suspended organization', :'frozen_api_key'),
    ('a wrong checksum', left(:'good_api_key', -1) || CASE WHEN right(:'good_api_key', 1) = 'x' THEN 'y' ELSE 'x' END),
    ('cut short', left(:'good_api_key', 40)),
    ('longer', :'good_api_key' || '1'),
    ('nothing', ''),
    ('a megabyte', repeat('x', 1000000)),
    ('SQL', '''; DROP TABLE tenancy.api_keys; --')) AS wrong (what, key);

-- Whether there is such a key is not to be seen from what is read either.
SELECT is(work_of(guess(:'gone_api_key', 1)), work_of(guess(:'b_api_key', 2)), 'unknown and known short id are the same work');
SELECT isnt(work_of(guess(:'b_api_key', 3)), NULL, 'which is some');

-- Ten thousand guesses at one key: ten answers in a minute, and then the news that it was too often.
SELECT act_as_superuser();
CREATE TABLE guesses AS SELECT guess(:'good_api_key', g) AS key FROM generate_series(1, 100) g;
SELECT run(format('GRANT SELECT ON guesses TO %I', role_name('app')));
SELECT act_as('app');
SELECT count(*) FILTER (WHERE answer LIKE 'TN007 %') AS answered, count(*) FILTER (WHERE answer LIKE 'TN006 | rate limit exceeded | Too many %') AS limited
FROM (SELECT said(key) AS answer FROM guesses, generate_series(1, 100)) tried \gset
SELECT ok(:answered <= 20, 'ten a minute are answered, of ' || :answered + :limited);
SELECT is(:answered + :limited, 10000, 'and all others limited');
SELECT is(said(:'good_api_key'), 'entered ' || a(), 'the owner of the key is let in at any time');
SELECT is(said(:'b_api_key'), 'entered ' || b(), 'as are others');

-- They also wait, and only they.
SELECT act_as_superuser();
SET LOCAL tenancy.wrong_try_delay = '300ms';
SELECT act_as('app');
SELECT count(said(key)) FROM (SELECT key FROM guesses LIMIT 8) few;
SELECT clock_timestamp() AS began \gset
SELECT count(said(key)) FROM (SELECT key FROM guesses LIMIT 2) few;
SELECT ok(clock_timestamp() - :'began' >= interval '500 milliseconds', 'two more wrong tries wait');
SELECT act_as_superuser();
SET LOCAL tenancy.wrong_try_delay = '10s';
SELECT act_as('app');
SELECT clock_timestamp() AS began \gset
SELECT is(said(:'good_api_key'), 'entered ' || a());
SELECT ok(clock_timestamp() - :'began' < interval '8 seconds', 'the right key does not');
SELECT throws_ok('SET tenancy.wrong_try_delay = 0', '42501', NULL, 'the attacker cannot turn it off');

SELECT * FROM finish();
ROLLBACK;
