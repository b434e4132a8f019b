-- check() about the server: its version, its preloaded libraries and its lock table.

CREATE FUNCTION tenancy.row_security_fixes() RETURNS TABLE (cve text, major integer, fixed_in_minor integer, flaw text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT f.cve, m.major, m.minor, f.flaw
    FROM (VALUES
        ('CVE-2023-2455', 'policies are those of another role after a function was inlined', 3, NULL, NULL, NULL),
        ('CVE-2023-39418', 'MERGE does not enforce the policies for UPDATE and SELECT', 4, NULL, NULL, NULL),
        ('CVE-2024-10976', 'policies below a subquery are those of the role that planned it first', 9, 5, 1, NULL),
        ('CVE-2025-8713', 'statistics of partitions and children show values that policies hide', 14, 10, 6, NULL),
        ('CVE-2026-14666', 'plans outlive a change of the role''s memberships', 19, 15, 11, 6),
        ('CVE-2026-120154', 'INSERT ... ON CONFLICT reads rows that policies hide', 20, 16, 12, 7)
    ) AS f (cve, flaw, in_15, in_16, in_17, in_18)
    CROSS JOIN LATERAL (VALUES (15, f.in_15), (16, f.in_16), (17, f.in_17), (18, f.in_18)) AS m (major, minor)
    WHERE m.minor IS NOT NULL;
END;

COMMENT ON FUNCTION tenancy.row_security_fixes() IS
'flaws of PostgreSQL in row level security, and the minor version of each major one that first had the repair; internal';

CREATE FUNCTION tenancy.check_version(version_num integer) RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'server_outdated', 'warning', format('server %s.%s', version_num / 10000, version_num % 10000),
           format('%s: %s', f.cve, f.flaw),
           format('Update PostgreSQL to %s.%s or later.', f.major, f.fixed_in_minor)
    FROM tenancy.row_security_fixes() f
    WHERE f.major = version_num / 10000 AND f.fixed_in_minor > version_num % 10000;
END;

COMMENT ON FUNCTION tenancy.check_version(integer) IS
'the flaws in row level security that a server of this version (as server_version_num has it) still has; internal';

-- The setting is not for everybody to read; whether we are in it may be known.
CREATE FUNCTION tenancy_internal.preload_statement() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('ALTER SYSTEM SET shared_preload_libraries = %s',
                  coalesce((SELECT string_agg(quote_literal(btrim(l.name, ' "')), ', ' ORDER BY l.position) || ', '
                            FROM regexp_split_to_table(s.libraries, ',') WITH ORDINALITY AS l (name, position)
                            WHERE btrim(l.name, ' "') <> ''), '') || '''tenancy''')
    FROM current_setting('shared_preload_libraries') AS s (libraries)
    WHERE s.libraries !~ E'(^|[\\s,/"])tenancy([.]so)?($|[\\s,"])';
END;

SELECT tenancy_internal.expose('preload_statement()');

COMMENT ON FUNCTION tenancy.preload_statement() IS
'the statement that adds tenancy to shared_preload_libraries; null when it is there; internal';

CREATE FUNCTION tenancy.check_server() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.code, v.severity, v.object, v.problem, v.fix
    FROM tenancy.check_version(current_setting('server_version_num')::integer) v
    UNION ALL
    SELECT 'library_not_preloaded', 'warning', 'server',
           'tenancy is not in shared_preload_libraries: refusals do not reach the audit log, and until a session has loaded the library '
           'it accepts any text for our settings (restart the server after the repair)',
           s.statement
    FROM tenancy.preload_statement() AS s (statement)
    WHERE s.statement IS NOT NULL
    UNION ALL
    -- A plan locks every index of a table and, where the tenant is a parameter, every partition.
    SELECT 'lock_table_small', 'warning', format('table %s', t.root::regclass),
           format('a statement on it takes up to %s locks, for its partitions and indexes%s; the lock table holds about %s, and %s such statements at once fill it',
                  t.locks, CASE WHEN t.partial > 0 THEN format(' (%s of them partial)', t.partial) ELSE '' END,
                  l.capacity, l.capacity / t.locks),
           format('Raise max_locks_per_transaction to at least %s and restart, or put one index that leads with the tenant in the place of an index or partition for each.',
                  ceil(t.locks::numeric * l.at_once / l.slots))
    FROM (SELECT l.slots, l.slots * current_setting('max_locks_per_transaction')::bigint AS capacity,
                 current_setting('max_connections')::integer / 4 AS at_once
          FROM (SELECT sum(current_setting(s)::integer) + 1 AS slots
                FROM unnest('{max_connections,autovacuum_max_workers,max_worker_processes,max_wal_senders,max_prepared_transactions}'::text[]) s) l) l
    CROSS JOIN LATERAL (
        WITH RECURSIVE tree AS (
            SELECT p.relation::oid AS root, p.relation::oid AS relation
            FROM tenancy.protected_tables p
            WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = p.relation)
            UNION
            SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation
        )
        SELECT t.root, count(DISTINCT t.relation) + count(i.indexrelid) AS locks, count(i.indpred) AS partial
        FROM tree t
        LEFT JOIN pg_index i ON i.indrelid = t.relation
        GROUP BY t.root) t
    WHERE t.locks * l.at_once > l.capacity
$$;

COMMENT ON FUNCTION tenancy.check_server() IS 'the part of check() about the server; internal';
