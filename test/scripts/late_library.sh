#!/usr/bin/env bash
# A server that does not preload the library: the first statement of a session that validates a foreign key or fills a
# materialized view is looked at all the same, as an event trigger loads the library before it runs. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

trap 'scripts/cluster drop late-library >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop late-library >/dev/null 2>&1
sql() { scripts/cluster psql late-library -XqAt -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@"; }
# A session of its own, without a tenant, in which protected tables show no rows.
as_owner() { sql -c 'SET SESSION AUTHORIZATION owner' -c "SET tenancy.missing_tenant = 'empty'" -c "$1"; }
raises() { local out; out=$(as_owner "$2" 2>&1) && return 1; [[ $out == *"$1"* ]] || { echo "$out"; false; }; }
is() { [[ $1 == "$2" ]] || { echo "'$1' is not '$2'"; false; }; }

scripts/cluster start late-library -- shared_preload_libraries= >/dev/null || exit 1
export PGOPTIONS='-c client_min_messages=warning'
sql >/dev/null <<'END'
CREATE EXTENSION tenancy CASCADE;
CREATE ROLE owner LOGIN;
SELECT tenancy.grant_owner('owner');
GRANT CREATE, USAGE ON SCHEMA public TO owner;
SELECT tenancy.create_tenant('one', organization => 'default');
SELECT tenancy.create_tenant('two', organization => 'default');
SET ROLE owner;
CREATE TABLE customers (id integer PRIMARY KEY);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer);
SELECT tenancy.protect('customers');
SELECT tenancy.protect('orders');
CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders WITH NO DATA;
RESET ROLE;
GRANT EXECUTE ON FUNCTION tenancy.current_tenant_id() TO owner;
INSERT INTO customers (tenant_id, id) SELECT id, 1 FROM tenancy.tenants WHERE slug IN ('one', 'two');
INSERT INTO orders (tenant_id, id, customer) SELECT id, 1, CASE slug WHEN 'one' THEN 1 ELSE 99 END FROM tenancy.tenants WHERE slug IN ('one', 'two');
END

key='FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id)'
ok "the library is not there at first" is "$(as_owner "SHOW tenancy.refuse_explain" 2>&1 | grep -c 42704)" 1
ok "a key over an orphan of a tenant is refused by the first statement of a session" raises 23503 "ALTER TABLE orders ADD CONSTRAINT of_customer $key"
ok "one that is not valid yet is taken" as_owner "ALTER TABLE orders ADD CONSTRAINT of_customer $key NOT VALID"
ok "and not validated" raises 23503 "ALTER TABLE orders VALIDATE CONSTRAINT of_customer"
ok "a materialized view is not refreshed under policies" raises 'cannot be filled from protected table "orders"' "REFRESH MATERIALIZED VIEW kept"
ok "nor made" raises 'cannot be filled from protected table "orders"' "CREATE MATERIALIZED VIEW another AS SELECT * FROM orders"
sql -c 'DELETE FROM orders WHERE customer = 99'
ok "without the orphan the key is validated" as_owner "ALTER TABLE orders VALIDATE CONSTRAINT of_customer"
ok "and is valid" is "$(sql -c "SELECT convalidated FROM pg_constraint WHERE conname = 'of_customer'")" t
finish
