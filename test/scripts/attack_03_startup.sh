#!/usr/bin/env bash
# Attack 3: bring a tenant along into the session: by ALTER ROLE ... SET, PGOPTIONS and the start-up packet, a function's SET
# clause, or a setting planted before the library is loaded. With the library preloaded, and without. Prints TAP.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

cluster=attack03 tests=0 server=
a=aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa b=bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb
trap 'scripts/cluster drop $cluster >/dev/null 2>&1' EXIT

# Whether $2 matches the pattern $1.
like() {
    ((++tests))
    if [[ $2 == $1 ]]; then
        echo "ok $tests - $server: $3"
    else
        echo "not ok $tests - $server: $3"
        printf '# expected: %s\n# got: %s\n' "$1" "${2//$'\n'/$'\n# '}"
    fi
}

super() { psql -XqAt -d "$url dbname=attack" "$@" 2>&1; }
app() { psql -XqAt -d "$url dbname=attack user=app" "$@" 2>&1; }

# A's own rows, read in a session of any kind; B's must not be among them.
rows_in_a="BEGIN; SELECT FROM tenancy.set_tenant('$a'); SELECT string_agg(body, ',') FROM notes; COMMIT"

attack() {
    super -c "ALTER ROLE app RESET ALL" >/dev/null
    like 'of a' "$(app -c "$rows_in_a")" 'A reads its rows'
    like '*no tenant is set*' "$(app -c 'SELECT * FROM notes')" 'a new session has no tenant'

    like '*permission denied to set parameter "tenancy.tenant_id"*' \
        "$(app -c "SELECT tenancy.has_context()" -c "ALTER ROLE app SET tenancy.tenant_id = '$b'")" 'ALTER ROLE SET is refused'
    like '*must be owner of database*' "$(app -c "ALTER DATABASE attack SET tenancy.tenant_id = '$b'")" 'ALTER DATABASE SET is for its owner'
    app -c "ALTER ROLE app SET tenancy.tenant_id = '$b'" >/dev/null
    like '*no tenant is set*' "$(app -c 'SELECT * FROM notes')" 'nor does it work in a session that has not loaded the library'

    like '*permission denied to set parameter "tenancy.tenant_id"*' \
        "$(app -c "SELECT tenancy.has_context()" -c "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SET tenancy.tenant_id = '$b' AS 'SELECT count(*) FROM notes'")" \
        'a function that sets it is refused'
    app -c "CREATE FUNCTION planted() RETURNS bigint LANGUAGE sql SET tenancy.tenant_id = '$b' AS 'SELECT count(*) FROM notes'" >/dev/null
    like '*@(no tenant is set|permission denied|does not exist)*' "$(app -c "SELECT planted()")" 'nor does one that was made before the library was loaded'
    app -c "DROP FUNCTION IF EXISTS planted()" >/dev/null

    like '*@(permission denied|no tenant is set)*' "$(PGOPTIONS="-c tenancy.tenant_id=$b" app -c 'SELECT * FROM notes')" 'PGOPTIONS brings no tenant'
    like '*@(permission denied|no tenant is set)*' "$(PGOPTIONS="--tenancy.tenant_id=$b" app -c 'SELECT * FROM notes')" 'in neither spelling'
    like '*@(permission denied|no tenant is set)*' "$(PGOPTIONS="-c tenancy.user_id=$b -c tenancy.role=admin" app -c 'SELECT * FROM notes')" 'nor a user or role'

    # In one session: a placeholder first, then what loads the library.
    like '*@(permission denied|no tenant is set)*' "$(app -c "SET tenancy.tenant_id = '$b'" -c 'SELECT * FROM notes')" 'what was set before the library was loaded counts for nothing'
    like '*of a' "$(app -c "SET tenancy.tenant_id = '$b'" -c "$rows_in_a")" 'and does not stand in the way of A'
    like '*@(permission denied|no tenant is set)*' "$(app -c "SET tenancy.sealed_identity = '$b'; SET tenancy.role = 'admin'" -c 'SELECT * FROM notes')" 'nor does a planted seal or role'
    like 'of a' "$(app -c "$rows_in_a")" 'A still reads its rows, and only these'

    like '*holdable cursor was declared*cursor "held" does not exist*' \
        "$(app -c "SET tenancy.missing_tenant = 'empty'" -c BEGIN -c 'DECLARE held CURSOR WITH HOLD FOR SELECT body FROM notes' \
            -c "SELECT FROM tenancy.set_tenant('$a')" -c COMMIT -c 'FETCH ALL FROM held')" \
        'a holdable cursor declared before the library was loaded carries no rows out'

    # What a superuser sets for a role is a decision, and works.
    super -c "ALTER ROLE app SET tenancy.tenant_id = '$b'" >/dev/null
    like '*of b' "$(app -c 'SELECT FROM (SELECT tenancy.has_context()) h' -c "SELECT string_agg(body, ',') FROM notes")" 'a superuser may give a role its tenant'
    super -c "ALTER ROLE app RESET ALL" >/dev/null
}

for server in 'library preloaded' 'library not preloaded'; do
    scripts/cluster drop $cluster >/dev/null 2>&1
    if [[ $server == *not* ]]; then
        scripts/cluster start $cluster -- shared_preload_libraries= >/dev/null || exit 1
    else
        scripts/cluster start $cluster >/dev/null || exit 1
    fi
    url=$(scripts/cluster url $cluster)
    psql -XqAt -d "$url" -c 'CREATE DATABASE attack' -c 'CREATE ROLE app LOGIN'
    super <<END >/dev/null
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.grant_app('app');
INSERT INTO tenancy.tenants (id, organization_id, slug, name)
VALUES ('$a', '00000000-0000-0000-0000-000000000001', 'tenant-a', 'A'), ('$b', '00000000-0000-0000-0000-000000000001', 'tenant-b', 'B');
CREATE TABLE notes (tenant_id uuid, body text);
SELECT tenancy.protect('notes');
INSERT INTO notes VALUES ('$a', 'of a'), ('$b', 'of b');
GRANT SELECT ON notes TO app;
GRANT CREATE ON SCHEMA public TO app;
END
    attack
done
echo "1..$tests"
