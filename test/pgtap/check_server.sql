-- check() about the server: its version and its lock table. What needs a restart is in test/scripts/check_server.sh.
BEGIN;
SELECT plan(13);
SELECT test_helpers.make_tenants();

SELECT is_empty('SELECT * FROM tenancy.check_server()', 'the server of the tests has no finding');
SELECT results_eq('SELECT count(*) FROM tenancy.check_version(150002)', 'VALUES (6::bigint)', 'version 15.2 has all the flaws');
SELECT results_eq('SELECT code, severity, object, fix FROM tenancy.check_version(150019)',
                  $$VALUES ('server_outdated', 'warning', 'server 15.19', 'Update PostgreSQL to 15.20 or later.')$$, 'version 15.19 has the last');
SELECT results_eq('SELECT problem FROM tenancy.check_version(150019)',
                  $$VALUES ('CVE-2026-120154: INSERT ... ON CONFLICT reads rows that policies hide')$$, 'which is named');
SELECT is_empty('SELECT * FROM tenancy.check_version(150020)', 'version 15.20 has none');
SELECT results_eq('SELECT v, (SELECT count(*) FROM tenancy.check_version(v)) FROM unnest(ARRAY[160000, 160016, 170000, 170012, 180000, 180006, 180007, 190000]) v',
                  'VALUES (160000, 4::bigint), (160016, 0), (170000, 4), (170012, 0), (180000, 2), (180006, 1), (180007, 0), (190000, 0)',
                  'each major version has repairs of its own, an unknown one none');
SELECT is_empty('SELECT * FROM tenancy.check_version(NULL)', 'nor has an unknown version');
SELECT is(tenancy.preload_statement(), NULL, 'the library is preloaded');

-- An index for each tenant, as is sometimes made for approximate search.
CREATE TABLE notes (id integer, tenant_id uuid, body text);
SELECT FROM tenancy.protect('notes');
CREATE FUNCTION partial_indexes(first integer, last integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN first..last LOOP
        EXECUTE format('CREATE INDEX notes_%s ON notes (tenant_id, id) WHERE id = %s', n, n);
    END LOOP;
END
$$;
SELECT partial_indexes(1, 10);
SELECT is_empty('SELECT * FROM tenancy.check()', 'ten partial indexes do no harm');
SELECT partial_indexes(11, 600);
SELECT results_eq('SELECT code, severity, object FROM tenancy.check()', $$VALUES ('lock_table_small', 'warning', 'table public.notes')$$, 'hundreds are found');
SELECT matches((SELECT problem FROM tenancy.check()), '^a statement on it takes up to 602 locks, for its partitions and indexes \(600 of them partial\); the lock table holds about \d+, and \d+ such statements at once fill it$',
               'with their number and what the lock table holds');
SELECT matches((SELECT fix FROM tenancy.check()), '^Raise max_locks_per_transaction to at least \d+ and restart, or put one index', 'and what to do');
DO $$BEGIN FOR n IN 11..600 LOOP EXECUTE format('DROP INDEX notes_%s', n); END LOOP; END$$;
SELECT is_empty('SELECT * FROM tenancy.check()', 'which is done');

SELECT * FROM finish();
ROLLBACK;
