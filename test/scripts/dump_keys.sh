#!/usr/bin/env bash
# Keys of protected tables and pg_dump: whatever kinds of keys a schema has, and in whatever order its tables are protected
# and freed, unprotect() leaves it equal to the byte, also after a dump was restored in between. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop dump_keys >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop dump_keys >/dev/null 2>&1
scripts/cluster start dump_keys >/dev/null || exit 1
url=$(scripts/cluster url dump_keys)
sql() { scripts/cluster psql dump_keys -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
dump() { "$PGBINDIR/pg_dump" "${url/dbname=postgres/dbname=$1}" "${@:2}" | grep -vE '^\\(un)?restrict '; }
rows() { [[ $(sql "$1" -c "$2") == "$3" ]] || { sql "$1" -c "$2" && false; }; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE one' -c 'CREATE ROLE keys_owner LOGIN' || exit 1
sql one <<'END' || exit 1
CREATE EXTENSION tenancy CASCADE;
DO $$BEGIN PERFORM tenancy.create_tenant('a'), tenancy.create_tenant('b'), tenancy.grant_owner('keys_owner'); END$$;
CREATE SCHEMA "Odd ""Schema" AUTHORIZATION keys_owner;
GRANT CREATE ON SCHEMA public TO keys_owner;
SET ROLE keys_owner;

-- Kinds of unique keys.
CREATE TABLE kinds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY WITH (fillfactor = 70),
    name text CONSTRAINT kinds_name UNIQUE,
    code text CONSTRAINT kinds_code UNIQUE NULLS NOT DISTINCT,
    place integer NOT NULL CONSTRAINT kinds_place UNIQUE DEFERRABLE,
    later integer CONSTRAINT kinds_later UNIQUE DEFERRABLE INITIALLY DEFERRED,
    doubled integer GENERATED ALWAYS AS (place * 2) STORED UNIQUE,
    "Mixed Case" text NOT NULL,
    span int4range,
    CONSTRAINT "Kinds, (odd)" UNIQUE ("Mixed Case", place) INCLUDE (name),
    EXCLUDE USING gist (span WITH &&)
);
CREATE UNIQUE INDEX kinds_lower ON kinds (lower(name) text_pattern_ops DESC NULLS LAST, (place + 1)) WHERE place > 0 AND name <> ' WHERE (';
CREATE UNIQUE INDEX kinds_include ON kinds ("Mixed Case" COLLATE "C") INCLUDE (id, span) WITH (fillfactor = 80, deduplicate_items = off);
CREATE UNIQUE INDEX kinds_identity ON kinds (place, "Mixed Case");
CREATE UNIQUE INDEX kinds_none ON kinds (later) NULLS NOT DISTINCT WHERE later > 0;
ALTER INDEX kinds_lower ALTER COLUMN 2 SET STATISTICS 500;
ALTER TABLE kinds REPLICA IDENTITY USING INDEX kinds_identity;
ALTER TABLE kinds CLUSTER ON kinds_include;
COMMENT ON CONSTRAINT kinds_pkey ON kinds IS 'it''s the key';
COMMENT ON INDEX kinds_pkey IS 'its index';
COMMENT ON INDEX kinds_lower IS 'of names';
COMMENT ON CONSTRAINT kinds_later ON kinds IS 'checked at the end';

-- Kinds of foreign keys.
CREATE TABLE parents (id integer PRIMARY KEY, a integer NOT NULL, b integer NOT NULL, code text NOT NULL,
                      CONSTRAINT parents_pair UNIQUE (b, a));
CREATE UNIQUE INDEX parents_code ON parents (code);
CREATE TABLE children (
    id integer PRIMARY KEY,
    plain integer REFERENCES parents,
    cascading integer REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE,
    nulled integer REFERENCES parents ON DELETE SET NULL,
    defaulted integer DEFAULT 1 REFERENCES parents ON DELETE SET DEFAULT ON UPDATE SET DEFAULT,
    restricted integer REFERENCES parents ON DELETE RESTRICT ON UPDATE RESTRICT,
    updated integer REFERENCES parents ON UPDATE SET NULL,
    deferred integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED,
    waiting integer REFERENCES parents DEFERRABLE,
    single integer REFERENCES parents MATCH FULL,
    a integer, b integer, c integer NOT NULL DEFAULT 1, d integer NOT NULL DEFAULT 1,
    code text REFERENCES parents (code) ON DELETE CASCADE,
    CONSTRAINT pair_full FOREIGN KEY (a, b) REFERENCES parents (a, b) MATCH FULL ON DELETE SET NULL,
    CONSTRAINT pair_full_not_null FOREIGN KEY (c, d) REFERENCES parents (a, b) MATCH FULL,
    CONSTRAINT pair_listed FOREIGN KEY (a, b) REFERENCES parents (a, b) ON DELETE SET NULL (b)
);
ALTER TABLE children ADD CONSTRAINT not_valid FOREIGN KEY (c) REFERENCES parents ON DELETE SET NULL NOT VALID;
COMMENT ON CONSTRAINT not_valid ON children IS 'some day';
INSERT INTO parents VALUES (1, 1, 1, 'one'), (2, 2, 2, 'two');
INSERT INTO children (id, plain, cascading, nulled, a, b, code) VALUES (1, 1, 1, 1, 1, 1, 'one'), (2, NULL, 2, 2, NULL, NULL, NULL);

-- A tree, a cycle, and a chain.
CREATE TABLE nodes (id integer PRIMARY KEY, up integer REFERENCES nodes ON DELETE CASCADE, root integer REFERENCES nodes DEFERRABLE);
CREATE TABLE hens (id integer PRIMARY KEY, egg integer);
CREATE TABLE eggs (id integer PRIMARY KEY, hen integer REFERENCES hens);
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE leaves (id integer PRIMARY KEY, node integer NOT NULL REFERENCES nodes, egg integer REFERENCES eggs);
INSERT INTO nodes VALUES (1, NULL, 1), (2, 1, 1);

-- Partitions and inheritance.
CREATE TABLE events (id integer NOT NULL, day integer NOT NULL, node integer REFERENCES nodes, name text,
                     PRIMARY KEY (day, id), CONSTRAINT events_name UNIQUE (name, day, id)) PARTITION BY LIST (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
CREATE TABLE events_2 (name text, id integer NOT NULL, node integer, day integer NOT NULL,
                       CONSTRAINT own_name_of_key PRIMARY KEY (day, id) WITH (fillfactor = 60));
COMMENT ON CONSTRAINT own_name_of_key ON events_2 IS 'a part''s';
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES IN (2);
CREATE TABLE events_3 PARTITION OF events FOR VALUES IN (3) PARTITION BY LIST (id);
CREATE TABLE events_31 PARTITION OF events_3 FOR VALUES IN (1);
CREATE UNIQUE INDEX events_tree ON events (day, lower(name), id) WHERE name IS NOT NULL;
CREATE UNIQUE INDEX events_1_only ON events_1 (name);
CREATE TABLE notes_on_events (id integer PRIMARY KEY, day integer, event integer, FOREIGN KEY (day, event) REFERENCES events (day, id) ON DELETE CASCADE,
                              part integer, FOREIGN KEY (day, part) REFERENCES events_1 (day, id));
INSERT INTO events VALUES (1, 1, 1, 'x'), (1, 2, 2, 'y'), (1, 3, NULL, 'z');
INSERT INTO notes_on_events VALUES (1, 1, 1, 1), (2, 2, 1, NULL);
CREATE TABLE people (id integer PRIMARY KEY, mail text UNIQUE);
CREATE TABLE customers (number integer UNIQUE, CONSTRAINT customers_mail UNIQUE (mail)) INHERITS (people);

-- What holds a key as it is.
CREATE TABLE held (id integer PRIMARY KEY, name text, amount integer UNIQUE);
CREATE VIEW grouped AS SELECT id, name, count(*) AS n FROM held GROUP BY id;
CREATE TABLE of_held (id integer PRIMARY KEY, held integer REFERENCES held);
CREATE TABLE outside (id integer PRIMARY KEY, parent integer REFERENCES parents ON DELETE CASCADE, held integer REFERENCES held (amount));
CREATE TABLE has_column (id integer PRIMARY KEY, tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000002', up integer REFERENCES has_column,
                         CONSTRAINT has_both UNIQUE (id, tenant_id));
CREATE TABLE "Odd ""Schema"."odd, (""table""" ("the id" integer PRIMARY KEY, up integer CONSTRAINT "odd "" key" REFERENCES "Odd ""Schema"."odd, (""table""",
                                               node integer REFERENCES nodes);
CREATE TABLE lines (id integer PRIMARY KEY, parent integer NOT NULL CONSTRAINT lines_parent REFERENCES parents);
CREATE TABLE exempt (id integer PRIMARY KEY, mail text CONSTRAINT exempt_mail UNIQUE);
CREATE TABLE of_exempt (id integer PRIMARY KEY, mail text REFERENCES exempt (mail) ON UPDATE CASCADE);
END
# each ACTION SEED: for every table, in the order that the seed makes; as the owner, whom the policies hold too.
each() {
    cat <<SQL
SET ROLE keys_owner;
DO \$\$
DECLARE
    t regclass;
BEGIN
    PERFORM tenancy.unprotect(relation) FROM tenancy.indirect_tables;
    FOREACH t IN ARRAY ARRAY(
        SELECT c.oid::regclass FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relowner = 'keys_owner'::regrole AND c.relname NOT IN ('outside', 'lines')
          AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
        ORDER BY md5(c.relname || '$2'))
    LOOP
        $1;
    END LOOP;
    IF EXISTS (SELECT FROM tenancy.protected_tables) THEN
        PERFORM tenancy.protect_by_path('lines');
    END IF;
END\$\$;
RESET ROLE;
SQL
}
protect="PERFORM tenancy.protect(t, global_keys => CASE t::text WHEN 'exempt' THEN '{exempt_mail}'::name[] ELSE '{}' END)"
unprotect='PERFORM tenancy.unprotect(t)'
keys_with_tenant="SELECT count(*) FILTER (WHERE pg_get_constraintdef(f.oid) ~ '^(FOREIGN|PRIMARY) KEY \(tenant_id, ') FROM pg_constraint f WHERE f.connamespace = 'public'::regnamespace AND f.conparentid = 0"
rows_of_keys="SELECT c.relname, f.conname, pg_get_constraintdef(f.oid) FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid WHERE f.conparentid = 0 AND f.connamespace = 'public'::regnamespace
              UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2, 3"

dump one -N tenancy >"$work/before.sql"
dump one -s >"$work/schema.sql"
for seed in 1 2 3 4; do
    ok "protect everything in order $seed" sql one -c "$(each "$protect" $seed)"
    sql one -c "$rows_of_keys" >"$work/keys_$seed"
    ok "foreign keys and keys have the tenant" rows one "SELECT ($keys_with_tenant) > 30" t
    ok "the order does not matter for what comes out" diff <(grep -v _per_tenant "$work/keys_1") <(grep -v _per_tenant "$work/keys_$seed")
    ok "a second time there is nothing to do" rows one "SET ROLE keys_owner; SELECT count(*) FROM tenancy.protected_tables p, tenancy.protect(p.relation) WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = relation)" 0
    ok "unprotect everything in another order" sql one -c "$(each "$unprotect" "$((seed * 7))")"
    dump one -N tenancy >"$work/after.sql"
    ok "the database is the same to the byte" diff "$work/before.sql" "$work/after.sql"
done

ok "protect once more" sql one -c "$(each "$protect" 5)"
dump one >"$work/whole.sql"
dump one -s >"$work/protected.sql"
for seed in 6 7; do
    sql postgres -c 'DROP DATABASE IF EXISTS two' -c 'CREATE DATABASE two'
    ok "a dump is restored" sql two -f "$work/whole.sql"
    dump two -s >"$work/restored.sql"
    ok "and its schema is the same" diff "$work/protected.sql" "$work/restored.sql"
    ok "there is nothing to protect" rows two "SELECT count(*) FROM tenancy.protected_tables p, tenancy.protect(p.relation) WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = relation)" 0
    ok "nor by a path" rows two "SELECT count(*), (SELECT count(*) FROM tenancy.indirect_faults('lines')) FROM tenancy.indirect_tables" "1|0"
    ok "what was restored is unprotected" sql two -c "$(each "$unprotect" $seed)"
    dump two -s >"$work/after.sql"
    ok "and its schema is as it was before the first protect(), to the byte" diff "$work/schema.sql" "$work/after.sql"
done

# Names of tables, columns and constraints may change meanwhile.
sql one -c "$(each "$unprotect" 1)"
sql one -c 'ALTER TABLE parents RENAME TO elders; ALTER TABLE elders RENAME COLUMN id TO number; ALTER TABLE kinds RENAME COLUMN name TO title'
dump one -s >"$work/renamed.sql"
sql one -c 'ALTER TABLE elders RENAME TO parents; ALTER TABLE parents RENAME COLUMN number TO id; ALTER TABLE kinds RENAME COLUMN title TO name'
sql one -c "$(each "$protect" 2)"
sql one -c 'ALTER TABLE parents RENAME TO elders; ALTER TABLE elders RENAME COLUMN id TO number; ALTER TABLE kinds RENAME COLUMN name TO title'
ok "renamed tables are unprotected" sql one -c "$(each "$unprotect" 3)"
dump one -s >"$work/after.sql"
ok "and keep their new names" diff "$work/renamed.sql" "$work/after.sql"
finish
