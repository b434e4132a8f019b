-- Attack 46: fill the audit log with refusals, or drown those of others in them.
SELECT plan(9);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
SELECT test_helpers.make_role('quiet');
CREATE FUNCTION public.refuse(stem text, count integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    raised bigint := 0;
BEGIN
    FOR i IN 1..count LOOP
        BEGIN
            -- As another user each time, as far as the role may say so.
            PERFORM tenancy.enter(stem || i, gen_random_uuid());
        EXCEPTION WHEN SQLSTATE 'TN002' THEN
            raised := raised + 1;
        END;
    END LOOP;
    RETURN raised;
END $$;
CREATE FUNCTION public.refused(role text) RETURNS TABLE (rows bigint, times bigint, merged boolean) LANGUAGE sql AS $$
    SELECT count(*), coalesce(sum((l.after ->> 'times')::bigint), 0)::bigint, coalesce(bool_or(l.after ? 'merged'), false)
    FROM tenancy.audit_log l WHERE l.action = 'denied' AND l.actor = 'role:' || test_helpers.role_name(role) $$;
CREATE PROCEDURE public.wait_for_refusals(role text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..300 LOOP
        EXIT WHEN tenancy.denials_go_to() <> 'audit log' OR (SELECT r.times >= n FROM public.refused(role) r);
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END $$;

SELECT test_helpers.act_as('app');
SELECT is(public.refuse('flood-', 5000), 5000::bigint, 'a session is refused 5,000 times');
SELECT throws_ok($$SELECT tenancy.record_denial(now(), now(), NULL, 'TN002', 'role:quiet', 'x', 1000000)$$, '42501', NULL, 'it says nothing in another''s name');
SELECT throws_ok($$DELETE FROM tenancy.audit_log$$, '42501', NULL, 'nor takes anything away');
SELECT test_helpers.act_as('quiet');
SELECT is(public.refuse('quiet-', 20), 20::bigint, 'another one 20 times');
SELECT test_helpers.act_as('app');
SELECT is(public.refuse('flood-again-', 5000), 5000::bigint, 'then the first again');
SELECT test_helpers.act_as_superuser();
CALL public.wait_for_refusals('quiet', 20);
CALL public.wait_for_refusals('app', 10000);
SELECT CASE WHEN tenancy.denials_go_to() <> 'audit log' THEN skip('refusals go to the server''s log', 4) ELSE
    collect_tap(
        results_eq($$SELECT rows, times, merged FROM public.refused('quiet')$$, 'VALUES (20::bigint, 20::bigint, false)', 'those of the quiet one are recorded one by one'),
        is((SELECT times FROM public.refused('app')), 10000::bigint, 'those of the flood are counted, all of them'),
        ok((SELECT rows <= 200 FROM public.refused('app')), 'in few rows'),
        ok((SELECT merged FROM public.refused('app')), 'which say that they merge')) END;

SELECT * FROM finish();
