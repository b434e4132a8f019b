#!/usr/bin/env bash
# A search that runs is cancelled soon after statement_timeout, by stores and without, and the session goes on. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

trap 'scripts/cluster drop cancel >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop cancel >/dev/null 2>&1
scripts/cluster start cancel -- jit=off >/dev/null || exit 1
sql() { scripts/cluster psql cancel -XqAt "$@"; }
chunks=${CHUNKS:-30000}

export PGOPTIONS='-c client_min_messages=warning'
sql -v ON_ERROR_STOP=1 <<END >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
CREATE ROLE app LOGIN;
SELECT tenancy.grant_app('app');
SELECT tenancy.create_tenant('a');
SELECT tenancy.create_corpus(dimensions => 128);
SELECT tenancy.set_tenant('a', is_local => false);
INSERT INTO documents (id, title, source) VALUES ('00000000-0000-4000-8000-000000000001', 'd', 's');
CREATE TABLE vectors AS SELECT g, (SELECT array_agg(sin(g * i)) FROM generate_series(1, 128) i)::vector AS v FROM generate_series(1, 100) g;
INSERT INTO chunks (document_id, chunk_index, content, embedding)
SELECT '00000000-0000-4000-8000-000000000001', n, format('word%s of many and more %s', n % 100, n), v FROM generate_series(1, $chunks) n JOIN vectors ON g = n % 100 + 1;
ANALYZE chunks;
END

# How long a search takes, and when it ended that may take a fifth of that: cancelled, in less than half of the time.
# What else the machine does between the two may spoil one comparison, not three.
is_cancelled() {
    cancels "$1" || cancels "$1" || cancels "$1"
}
cancels() {
    local search=$1 full limit out took state
    full=$(sql -U app <<END | tail -n 1
SELECT tenancy.set_tenant('a', is_local => false) \\g /dev/null
$search \\g /dev/null
SELECT clock_timestamp() AS began \\gset
$search \\g /dev/null
SELECT round(extract(epoch FROM clock_timestamp() - :'began') * 1000);
END
    )
    limit=$((full / 5 + 1))
    read -r state took < <(sql -U app -F ' ' <<END 2>/dev/null | tail -n 1
SELECT tenancy.set_tenant('a', is_local => false) \\g /dev/null
$search \\g /dev/null
SELECT clock_timestamp() AS began \\gset
SET statement_timeout = $limit;
$search \\g /dev/null
RESET statement_timeout;
SELECT :'LAST_ERROR_SQLSTATE', round(extract(epoch FROM clock_timestamp() - :'began') * 1000);
END
    )
    echo "takes $full ms, may take $limit ms, ended after $took ms with $state"
    [[ $state == 57014 ]] && ((took < full / 2 + 50))
}
vector='(SELECT v FROM vectors WHERE g = 7)'
sql -c 'GRANT SELECT ON vectors TO app'
searches() {
    ok "$1: match_chunks" is_cancelled "SELECT count(content) FROM tenancy.match_chunks($vector, $chunks)"
    ok "$1: keyword_search" is_cancelled "SELECT count(content) FROM tenancy.keyword_search('many more', $chunks)"
    ok "$1: hybrid_search" is_cancelled "SELECT count(content) FROM tenancy.hybrid_search($vector, 'many more', $chunks)"
}
searches 'by the stores'
sql -c 'DELETE FROM tenancy.stores' 2>/dev/null
searches 'without stores'
ok "the server did not crash" bash -c "! grep -E 'was terminated by signal|TRAP' '$(scripts/cluster log cancel)'"
finish
