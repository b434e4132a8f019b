#!/usr/bin/env bash
# Attack 39: wait for autovacuum. Its workers are superusers, and what they run of a table is code of the table's owner. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

cluster=attack39
trap 'scripts/cluster drop $cluster >/dev/null 2>&1' EXIT
scripts/cluster start $cluster -- autovacuum=on autovacuum_naptime=1s >/dev/null
url=$(scripts/cluster url $cluster)
super() { psql -XqAt -v ON_ERROR_STOP=1 -d "$url" "$@"; }
attacker() { psql -XqAt -v ON_ERROR_STOP=1 -d "$url user=attacker" "$@"; }

super <<'END'
CREATE EXTENSION tenancy CASCADE;
CREATE ROLE attacker LOGIN;
SELECT FROM tenancy.grant_app('attacker', 'credential');
SELECT FROM tenancy.create_tenant('victim');
CREATE SCHEMA lair AUTHORIZATION attacker;
END
attacker <<'SQL'
CREATE TABLE lair.told (who text, answer text);
CREATE FUNCTION lair.try() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        SELECT count(*)::text INTO answer FROM tenancy.list_tenants();
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE || ' ' || SQLERRM;
    END;
    INSERT INTO lair.told VALUES (current_user, answer);
END
$$;
CREATE FUNCTION lair.spy(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_setting('application_name') <> 'building' THEN
        PERFORM lair.try();
    END IF;
    RETURN 1;
END
$$;
SET application_name = 'building';
CREATE TABLE lair.bait (x integer) WITH (autovacuum_analyze_threshold = 1, autovacuum_analyze_scale_factor = 0);
CREATE INDEX ON lair.bait (lair.spy(x));
INSERT INTO lair.bait VALUES (1), (2);
SQL

came() {
    local i
    for ((i = 0; i < 300; ++i)); do
        [[ $(super -c 'SELECT count(*) FROM lair.told') != 0 ]] && return
        sleep 0.2
    done
    return 1
}
ok 'autovacuum runs the code of the owner of a table' came
refused() {
    super -c 'SELECT DISTINCT who, answer FROM lair.told'
    [[ $(super -c 'SELECT DISTINCT who, answer FROM lair.told') == 'attacker|42501 role attacker does not manage this installation' ]]
}
ok 'as that owner, who is refused' refused

# Two may ask it: whose share of the board of refusals a session takes, and whether a superuser restores, who has to be the caller too.
asks_the_session() {
    grep -rlE 'GetOuterUserId|GetSessionUserId|GetAuthenticatedUserId' extension/src --include=*.cpp --include=*.hpp | sort | tr '\n' ' '
}
few_ask() {
    asks_the_session
    [[ $(asks_the_session) == 'extension/src/audit/denials.cpp extension/src/restore/restoring.cpp ' ]]
}
ok 'no other C code asks the role that the session has' few_ask

finish
