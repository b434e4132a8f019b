-- Attack 34: many sessions reach for the last units of a quota or of a rate limit at once. Never more than the limit, and
-- never less while there are some left.
SELECT plan(13);

CREATE EXTENSION dblink;
SELECT test_helpers.make_tenants();
INSERT INTO tenancy.organizations (id, slug, name, plan) VALUES ('0f000000-0000-4000-8000-000000000001', 'acme', 'Acme', 'free');
UPDATE tenancy.tenants SET organization_id = '0f000000-0000-4000-8000-000000000001' WHERE id IN (test_helpers.a(), test_helpers.b());
SELECT tenancy.create_corpus(dimensions => 2);
CREATE TABLE tally (what text, succeeded bigint, refused bigint);

-- Runs a statement so often in each of so many sessions, every time in a transaction of its own, and counts. $A and $B
-- are the tenants.
CREATE PROCEDURE attempt(what text, statement text, times integer)
LANGUAGE plpgsql AS $$
DECLARE
    succeeded bigint := 0;
    refused bigint := 0;
BEGIN
    FOR i IN 1..times LOOP
        BEGIN
            EXECUTE statement;
            succeeded := succeeded + 1;
        EXCEPTION
            WHEN SQLSTATE 'TN005' OR SQLSTATE 'TN006' THEN refused := refused + 1;
        END;
        -- Some of the time another session comes in between.
        IF random() < 0.3 THEN PERFORM pg_sleep(random() * 0.002); END IF;
        COMMIT;
    END LOOP;
    INSERT INTO tally VALUES (what, succeeded, refused);
END $$;

CREATE FUNCTION assault(what text, statement text, sessions integer, times integer) RETURNS TABLE (succeeded bigint, attempts bigint)
LANGUAGE plpgsql AS $$
DECLARE
    conninfo text := format('host=%s port=%s dbname=%s user=%s', current_setting('unix_socket_directories'), current_setting('port'),
                            current_database(), session_user);
BEGIN
    FOR n IN 1..sessions LOOP
        PERFORM dblink_connect('s' || n, conninfo);
    END LOOP;
    FOR n IN 1..sessions LOOP
        PERFORM dblink_send_query('s' || n, format('CALL attempt(%L, %L, %s)', what,
            replace(replace(statement, '$A', quote_literal(test_helpers.a())), '$B', quote_literal(test_helpers.b())), times));
    END LOOP;
    FOR n IN 1..sessions LOOP
        PERFORM * FROM dblink_get_result('s' || n) AS r (status text);
        PERFORM dblink_disconnect('s' || n);
    END LOOP;
    RETURN QUERY SELECT sum(t.succeeded)::bigint, sum(t.succeeded + t.refused)::bigint FROM tally t WHERE t.what = assault.what;
END $$;

SELECT results_eq($$SELECT * FROM assault('documents', 'INSERT INTO documents (tenant_id, title) VALUES ($A, ''x'')', 20, 10)$$,
                  'VALUES (100::bigint, 200::bigint)', '20 sessions, 200 inserts, 100 documents allowed: 100 succeed');
SELECT is((SELECT count(*) FROM documents), 100::bigint, 'and are there');
SELECT results_eq($$SELECT * FROM assault('requests', 'SELECT tenancy.record_usage(''requests'', 1, $A)', 20, 100)$$,
                  'VALUES (1000::bigint, 2000::bigint)', 'of 2,000 requests by 20 sessions at once just 1,000');
SELECT is((SELECT used FROM tenancy.limits(test_helpers.a()) WHERE metric = 'requests'), 1000::bigint, 'as the report says');
SELECT tenancy.set_limit('tokens', 5000, tenant => test_helpers.b());
SELECT results_eq($$SELECT * FROM assault('tokens', 'SELECT tenancy.record_usage(''tokens'', 7, $B)', 20, 50)$$,
                  'VALUES (714::bigint, 1000::bigint)', 'portions that do not come out even: 714 times 7 of 5,000');

-- Rolled back, and released: nothing of it is used up.
SELECT tenancy.define_metric('seats', 'level'), tenancy.set_limit('seats', 3, tenant => test_helpers.b());
SELECT results_eq($$SELECT * FROM assault('seats', 'SELECT tenancy.record_usage(''seats'', 1, $B), pg_sleep(0.001), tenancy.release_usage(''seats'', 1, $B)', 10, 20)$$,
                  'VALUES (200::bigint, 200::bigint)', 'ten sessions share three seats, which each gives back: all wait their turn');
SELECT is((SELECT used FROM tenancy.limits(test_helpers.b()) WHERE metric = 'seats'), 0::bigint, 'and all are free again');

-- Tenants and members.
UPDATE tenancy.organizations SET plan = 'starter' WHERE slug = 'acme';
SELECT results_eq($$SELECT * FROM assault('tenants', 'SELECT tenancy.create_tenant(''t'' || replace(gen_random_uuid()::text, ''-'', ''''), organization => ''acme'')', 12, 2)$$,
                  'VALUES (1::bigint, 24::bigint)', 'of a plan with 3 tenants the third is made once');
SELECT tenancy.set_limit('members', 6, tenant => test_helpers.a());
SELECT results_eq($$SELECT * FROM assault('members',
    'WITH u AS (INSERT INTO tenancy.users (email) VALUES (gen_random_uuid() || ''@x.example'') RETURNING id) SELECT tenancy.add_member($A, u.id, ''viewer'') FROM u', 12, 2)$$,
                  'VALUES (3::bigint, 24::bigint)', 'and three members are added to three, of six');

-- A rate: within one minute, and rolling back does not help.
CREATE FUNCTION early_in_a_minute() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF extract(second FROM clock_timestamp()) > 40 THEN
        PERFORM pg_sleep(60.1 - extract(second FROM clock_timestamp()));
    END IF;
END $$;
CREATE FUNCTION assault_in_one_minute() RETURNS TABLE (succeeded bigint, attempts bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM early_in_a_minute();
    RETURN QUERY SELECT * FROM assault('rate', 'SELECT tenancy.take_rate($A, 25)', 20, 10);
END $$;
SELECT results_eq('SELECT * FROM assault_in_one_minute()', 'VALUES (25::bigint, 200::bigint)', '25 a minute: of 200 attempts by 20 sessions 25 succeed');
SELECT early_in_a_minute();
BEGIN;
SELECT tenancy.take_rate(test_helpers.b(), 2);
ROLLBACK;
BEGIN;
SELECT tenancy.take_rate(test_helpers.b(), 2);
ROLLBACK;
SELECT CASE WHEN tenancy.denials_go_to() = 'audit log'
    THEN throws_ok($$SELECT tenancy.take_rate(test_helpers.b(), 2)$$, 'TN006', 'rate limit exceeded', 'what was rolled back is counted') END;
SELECT throws_ok($$SELECT tenancy.take_rate(NULL, 2)$$, '22004', 'key must not be null', 'no key');
SELECT throws_ok($$SELECT tenancy.take_rate(test_helpers.b(), 0)$$, '22023', 'per_minute must be 1 or more, not 0', 'no rate');

SELECT * FROM finish();
