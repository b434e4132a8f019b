#!/usr/bin/env bash
# What check() finds of a server needs a restart to repair: the library that is not preloaded, among others that are. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

trap 'scripts/cluster drop check-server >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop check-server >/dev/null 2>&1
start() { scripts/cluster start check-server -- "$@" >/dev/null; }
sql() { scripts/cluster psql check-server -XqAt -v ON_ERROR_STOP=1 "$@"; }
rows() { [[ $(sql -c "$1") == "$2" ]] || { sql -c "$1" && false; }; }

start 'shared_preload_libraries=auto_explain' || exit 1
export PGOPTIONS='-c client_min_messages=warning'
sql -c 'CREATE EXTENSION tenancy CASCADE' -c 'CREATE ROLE owner LOGIN' -c "SELECT tenancy.grant_owner('owner')" >/dev/null
ok "a library that is not preloaded is found" rows "SELECT code, severity, object FROM tenancy.check() WHERE code <> 'server_outdated'" 'library_not_preloaded|warning|server'
ok "also by an owner, who may not read the setting" rows "SET ROLE owner; SELECT code FROM tenancy.check() WHERE code <> 'server_outdated'" library_not_preloaded
fix=$(sql -c "SELECT fix FROM tenancy.check() WHERE code <> 'server_outdated'")
ok "the repair keeps the libraries that are there" test "$fix" == "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'tenancy'"
ok "the repair runs" sql -c "$fix"
scripts/cluster stop check-server >/dev/null
# The cluster's own file comes before what ALTER SYSTEM stored.
start || exit 1
ok "and after a restart the finding is gone" rows "SELECT count(*) FROM tenancy.check() WHERE code <> 'server_outdated'" 0
ok "the others are still loaded" rows 'SHOW shared_preload_libraries' 'auto_explain, tenancy'
finish
