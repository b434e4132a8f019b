-- Partitions: all levels are protected, those that come later by themselves, and reading one directly is no way around.
BEGIN;
SELECT plan(28);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_role('maker', NULL);

CREATE TABLE events (id integer, happened date) PARTITION BY RANGE (happened);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY RANGE (happened);
CREATE TABLE events_2025_1 PARTITION OF events_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events VALUES (1, '2024-05-05'), (2, '2025-05-05');
SELECT isnt_empty($$SELECT tenancy.protect('events')$$, 'protect the whole');
SELECT is((SELECT count(*) FROM tenancy.protected_tables), 5::bigint, 'all levels are registered');
SELECT is((SELECT count(*) FROM pg_class WHERE relname LIKE 'events%' AND relkind IN ('r', 'p') AND relrowsecurity AND relforcerowsecurity), 5::bigint, 'all are under policies');
SELECT is_empty('SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f', 'nothing is missing');

-- Whoever makes partitions need not know tenancy.
SELECT test_helpers.run(format('GRANT CREATE ON SCHEMA public TO %I', test_helpers.role_name('maker')));
SELECT test_helpers.run(format('ALTER TABLE %s OWNER TO %I', t, test_helpers.role_name('maker')))
FROM unnest('{events,events_2024,events_2025,events_2025_1,events_rest}'::text[]) t;
SELECT test_helpers.act_as('maker');
SELECT lives_ok($$CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')$$, 'a new partition');
SELECT lives_ok($$CREATE TABLE events_2027 (id integer, happened date, tenant_id uuid NOT NULL);
                  ALTER TABLE events ATTACH PARTITION events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')$$, 'an attached table');
SELECT lives_ok($$CREATE TABLE events_2028 (id integer, happened date, tenant_id uuid NOT NULL) PARTITION BY RANGE (happened);
                  CREATE TABLE events_2028_1 PARTITION OF events_2028 FOR VALUES FROM ('2028-01-01') TO ('2028-07-01');
                  ALTER TABLE events ATTACH PARTITION events_2028 FOR VALUES FROM ('2028-01-01') TO ('2029-01-01')$$, 'an attached tree');
SELECT lives_ok($$CREATE TABLE events_2025_2 PARTITION OF events_2025 FOR VALUES FROM ('2025-07-01') TO ('2026-01-01')$$, 'a new partition of a partition');
SELECT test_helpers.act_as_superuser();
SELECT test_helpers.run(format('CREATE SCHEMA archive AUTHORIZATION %I CREATE TABLE events_2023 PARTITION OF public.events FOR VALUES FROM (''2023-01-01'') TO (''2024-01-01'')',
                               test_helpers.role_name('maker')));
SELECT isnt_empty($$SELECT * FROM tenancy.protected_tables WHERE relation = 'archive.events_2023'::regclass$$, 'one made inside CREATE SCHEMA');
SELECT is_empty($$SELECT * FROM tenancy.protection_faults('archive.events_2023')$$, 'is protected as well');
DROP SCHEMA archive CASCADE;
SELECT is((SELECT count(*) FROM tenancy.protected_tables), 10::bigint, 'all of them are protected');
SELECT is_empty('SELECT f.* FROM tenancy.protected_tables, tenancy.protection_faults(relation) f', 'and nothing is missing');
SELECT is((SELECT proname FROM pg_proc WHERE oid = 'tenancy_internal.after_ddl'::regproc AND prosecdef), 'after_ddl', 'with the rights of the extension');

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO PUBLIC;
SELECT test_helpers.act_as('app', test_helpers.b());
SELECT test_helpers.run($$INSERT INTO events VALUES (20, '2024-01-02'), (21, '2026-01-02'), (22, '2027-01-02'), (23, '2028-01-02'), (24, '2025-12-02')$$);
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT test_helpers.run($$INSERT INTO events VALUES (10, '2024-01-02'), (11, '2026-01-02')$$);
SELECT results_eq('SELECT id FROM events ORDER BY 1', 'VALUES (10), (11)', 'A sees its rows of the whole');
SELECT results_eq('SELECT id FROM events_2024', 'VALUES (10)', 'its row of a partition');
SELECT results_eq('SELECT id FROM events_2026', 'VALUES (11)', 'of a new one');
SELECT is_empty('SELECT id FROM events_2027', 'none of an attached one');
SELECT is_empty('SELECT id FROM events_2028_1', 'none of an attached tree');
SELECT is_empty('SELECT id FROM events_2025_2', 'none of the second level');
SELECT lives_ok($$INSERT INTO events_2027 VALUES (12, '2027-03-03', DEFAULT)$$, 'A inserts into an attached partition directly');
SELECT results_eq('SELECT tenant_id FROM events_2027', 'VALUES (test_helpers.a())', 'with its own tenant');
SELECT throws_ok(format($$INSERT INTO events_2027 VALUES (13, '2027-03-03', %L)$$, test_helpers.b()), '42501',
                 'new row violates row-level security policy for table "events_2027"', 'and with no other');

-- What would open a way around is refused.
SELECT test_helpers.act_as_superuser();
CREATE TABLE outer_table (id integer, happened date, tenant_id uuid) PARTITION BY RANGE (happened);
ALTER TABLE events DETACH PARTITION events_2024;
SELECT isnt_empty($$SELECT * FROM tenancy.protected_tables WHERE relation = 'events_2024'::regclass$$, 'a detached partition is still protected');
SELECT throws_ok($$ALTER TABLE outer_table ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')$$, 'TN009',
                 'protected table public.events_2024 cannot be a child of public.outer_table', 'and does not become part of an open table');
SELECT is_empty($$SELECT tenancy.protect('events_2026')$$, 'protecting a partition of a protected table has nothing to do');
CREATE TABLE open_part PARTITION OF outer_table FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
SELECT throws_ok($$SELECT tenancy.protect('open_part')$$, 'TN009', 'relation public.open_part cannot be protected', 'a partition of an open table is not protected alone');
DROP TABLE events_2028;
SELECT is((SELECT count(*) FROM tenancy.protected_tables), 8::bigint, 'dropped partitions leave the registry');
DROP TABLE events CASCADE;
SELECT results_eq('SELECT relation::text FROM tenancy.protected_tables', $$VALUES ('events_2024')$$, 'the rest with the whole');

SELECT * FROM finish();
ROLLBACK;
