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
attacker <<'END'
CREATE TABLE lair.told (who text, outer_is_autovacuum boolean, answer text);
CREATE FUNCTION lair.try() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        SELECT count(*)::text INTO answer FROM tenancy.list_tenants();
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE || ' ' || SQLERRM;
    END;
    INSERT INTO lair.told
    SELECT current_user, a.backend_type = 'autovacuum worker', answer FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a;
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
END

came() {
    local i
    for ((i = 0; i < 300; ++i)); do
        [[ $(super -c 'SELECT count(*) FROM lair.told') != 0 ]] && return
        sleep 0.2
    done
    return 1
}
ok 'autovacuum runs the code of the owner of a table' came
ok 'as that owner, who is refused' bash -c "
    answers=\$(psql -XqAt -d '$url' -c 'SELECT DISTINCT who, outer_is_autovacuum, answer FROM lair.told')
    echo \"\$answers\"; [[ \$answers == 'attacker|t|42501 role attacker does not manage this installation' ]]"
ok 'no C code asks the role that the session has' bash -c "! grep -rnE 'GetOuterUserId|GetSessionUserId|GetAuthenticatedUserId' extension/src --include=*.cpp --include=*.hpp"

finish
