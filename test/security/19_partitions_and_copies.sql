-- Attack 19: go round the protected table: read its partition, make a new one, copy it, attach a table to it.
BEGIN;
SELECT plan(32);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
CREATE TABLE events (id int, tenant_id uuid, happened date) PARTITION BY RANGE (happened);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (id);
CREATE TABLE events_2025_1 PARTITION OF events_2025 FOR VALUES IN (1, 2);
SELECT FROM tenancy.protect('events');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE TABLE events_2025_3 PARTITION OF events_2025 FOR VALUES IN (3, 4);
CREATE TABLE loose (id int, tenant_id uuid NOT NULL, happened date);
INSERT INTO loose VALUES (5, b(), '2030-01-01');
INSERT INTO events VALUES (1, a(), '2024-05-05'), (2, b(), '2024-06-06'), (1, a(), '2025-05-05'), (2, b(), '2025-06-06'),
                          (3, a(), '2025-07-07'), (4, b(), '2025-08-08'), (5, a(), '2040-01-01'), (6, b(), '2040-02-02');
SELECT make_role();
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO PUBLIC;

SELECT act_as('app', a());
SELECT results_eq('SELECT id, happened FROM events ORDER BY happened',
                  $$VALUES (1, '2024-05-05'::date), (1, '2025-05-05'), (3, '2025-07-07'), (5, '2040-01-01')$$, 'A sees its rows');
SELECT is(run(format('SELECT FROM %I', name)), rows, format('directly from %s: only rows of A', name))
FROM (VALUES ('events_2024', 1::bigint), ('events_2025', 2), ('events_2025_1', 1), ('events_2025_3', 1), ('events_rest', 1))
    AS partitions (name, rows);
SELECT throws_ok(format('INSERT INTO %I VALUES (%s, test_helpers.b(), %L)', name, id, happened), '42501',
                 format('new row violates row-level security policy for table "%s"', name), format('insert for B into %s', name))
FROM (VALUES ('events_2024', 1, '2024-05-05'), ('events_2025', 2, '2025-05-05'), ('events_2025_1', 2, '2025-05-05'),
             ('events_2025_3', 4, '2025-05-05'), ('events_rest', 6, '2040-05-05'), ('events', 6, '2040-05-05'))
    AS partitions (name, id, happened);
SELECT is(run(format('UPDATE %I SET id = id WHERE tenant_id <> test_helpers.a()', name)), 0::bigint, format('update of B in %s', name))
FROM (VALUES ('events_2024'), ('events_2025_1'), ('events_rest')) AS partitions (name);
SELECT act_as('app');
SELECT throws_ok(format('SELECT FROM %I', name), 'TN001', 'no tenant is set', format('nobody reads %s', name))
FROM (VALUES ('events_2024'), ('events_2025'), ('events_2025_1'), ('events_2025_3'), ('events_rest')) AS partitions (name);

-- A table that is attached, with its rows.
SELECT act_as_superuser();
ALTER TABLE events DETACH PARTITION events_rest;
SELECT act_as('app', a());
SELECT is(run('SELECT FROM events_rest'), 1::bigint, 'a partition that was detached stays protected');
SELECT act_as_superuser();
ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
SELECT act_as('app', a());
SELECT is(run('SELECT FROM loose'), 0::bigint, 'a table that was attached is protected');
SELECT is(run('SELECT FROM events WHERE happened >= ''2030-01-01'''), 0::bigint, 'through the table too');
SELECT act_as('app', b());
SELECT is(run('SELECT FROM loose'), 1::bigint, 'and B finds its row there');

-- Copies are tables of their own: they are said at once, and found by check().
SELECT act_as_superuser();
SELECT is_empty('SELECT * FROM tenancy.check() WHERE severity = ''error''', 'no fault in all of this');
CREATE TABLE copied_like (LIKE events INCLUDING ALL);
CREATE TABLE copied_as AS SELECT * FROM events;
SELECT set_eq('SELECT object, fix FROM tenancy.check() WHERE code = ''table_unprotected''',
              $$VALUES ('table public.copied_like', 'SELECT tenancy.protect(''public.copied_like'')'),
                       ('table public.copied_as', 'SELECT tenancy.protect(''public.copied_as'')')$$, 'check() finds the copies');
SELECT lives_ok(fix, fix) FROM tenancy.check() WHERE code = 'table_unprotected';
GRANT SELECT ON copied_as TO PUBLIC;
SELECT act_as('app', a());
SELECT is(run('SELECT FROM copied_as'), 3::bigint, 'repaired as it says, the copy shows A its rows');

SELECT act_as_superuser();
CREATE TABLE base (id int, tenant_id uuid);
CREATE TABLE derived (more text) INHERITS (base);
SELECT FROM tenancy.protect('base');
CREATE TABLE derived_later (other text) INHERITS (base);
INSERT INTO derived VALUES (1, a(), 'x'), (2, b(), 'x');
INSERT INTO derived_later VALUES (3, a(), 'x'), (4, b(), 'x');
GRANT SELECT ON base, derived, derived_later TO PUBLIC;
SELECT act_as('app', a());
SELECT is(run('SELECT FROM base'), 2::bigint, 'inheritance: A sees its rows');
SELECT is(run('SELECT FROM derived'), 1::bigint, 'in a child');
SELECT is(run('SELECT FROM derived_later'), 1::bigint, 'and in one that came later');

SELECT * FROM finish();
ROLLBACK;
