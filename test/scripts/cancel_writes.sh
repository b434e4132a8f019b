#!/usr/bin/env bash
# What writes, builds or moves much is cancelled soon after statement_timeout, whichever of its parts runs then: the rows, the triggers
# that keep the stores, building them, auditing, exporting, purging. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

trap 'scripts/cluster drop cancel-writes >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop cancel-writes >/dev/null 2>&1
scripts/cluster start cancel-writes -- jit=off autovacuum=off max_wal_size=4GB tenancy.approximate_above=1MB >/dev/null || exit 1
sql() { scripts/cluster psql cancel-writes -XqAt "$@"; }
rows=${ROWS:-16000}

export PGOPTIONS='-c client_min_messages=warning'
sql -v ON_ERROR_STOP=1 <<END >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_tenant('a');
SELECT tenancy.create_corpus(dimensions => 64);
CREATE TABLE source AS
SELECT n, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS id,
       (SELECT array_agg(sin(n * 0.37 * i)::real) FROM generate_series(1, 64) i)::vector AS v,
       (SELECT string_agg('w' || ((n * 7919 + k * 104729) % 50000), ' ') FROM generate_series(1, 100) k) AS body
FROM generate_series(1, $rows) n;
ANALYZE source;
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
SELECT tenancy.protect('notes');
SELECT tenancy.audit('notes');
END
# Of one tenant, entered for the session: the documents too belong to it.
enter="SELECT tenancy.set_tenant('a', is_local => false) \\g /dev/null"
fill="INSERT INTO documents (id) VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO chunks (id, document_id, chunk_index, content, embedding) SELECT id, '00000000-0000-4000-8000-000000000001', n, body, v FROM source;"

# took PREPARATION STATEMENT LIMIT: runs it in a transaction that is rolled back; prints the SQLSTATE and the milliseconds.
# A CALL, which commits as it goes, runs by itself.
took() {
    local begin=BEGIN local=LOCAL
    [[ $2 != CALL* ]] || begin='' local=''
    sql -F ' ' <<END 2>/dev/null | tail -n 1
$enter
$begin;
$1
SELECT clock_timestamp() AS began \\gset
SET $local statement_timeout = $3;
$2 \\g /dev/null
\\set state :LAST_ERROR_SQLSTATE
\\if :ERROR
\\else
\\set state 00000
\\endif
ROLLBACK;
SET statement_timeout = 0;
SELECT :'state', round(extract(epoch FROM clock_timestamp() - :'began') * 1000);
END
}
# Cancelled at a part of the time that all of it takes, it ends before another quarter of that has gone. What else the machine does may
# spoil one comparison, not three.
is_cancelled() { cancels "$@" || cancels "$@" || cancels "$@"; }
cancels() {
    local preparation=$1 statement=$2 state full took part limit
    read -r state full < <(took "$preparation" "$statement" 0)
    echo "takes $full ms, ends with $state"
    [[ $state == 00000 ]] || return 1
    for part in 20 40 60 80; do
        limit=$((full * part / 100 + 1))
        read -r state took < <(took "$preparation" "$statement" $limit)
        echo "may take $limit ms, ended after $took ms with $state"
        [[ $state == 00000 ]] && ((took <= limit + full / 4)) && continue
        [[ $state == 57014 ]] && ((took < limit + full / 4 + 100)) || return 1
    done
}

ok "INSERT into a corpus" is_cancelled "INSERT INTO documents (id) VALUES ('00000000-0000-4000-8000-000000000001');" \
    "INSERT INTO chunks (id, document_id, chunk_index, content, embedding) SELECT id, '00000000-0000-4000-8000-000000000001', n, body, v FROM source"
sql <<END >/dev/null || exit 1
$enter
$fill
END
ok "UPDATE of its embeddings and words" is_cancelled "" "UPDATE chunks SET embedding = (SELECT s.v FROM source s WHERE s.n = 1), content = content || ' more'"
ok "DELETE from it" is_cancelled "" "DELETE FROM chunks"
ok "building its stores" is_cancelled "" "CALL tenancy.rebuild_corpus('default')"
ok "verifying its stores" is_cancelled "" "SELECT tenancy.prewarm_tenant(t.id) FROM tenancy.tenants t WHERE t.slug = 'a'"
ok "freezing and unfreezing a tenant" is_cancelled "" "SELECT tenancy.freeze_tenant(t.id, 'default'), tenancy.unfreeze_tenant(t.id, 'default') FROM tenancy.tenants t WHERE t.slug = 'a'"
ok "an audited INSERT" is_cancelled "" "INSERT INTO notes SELECT n, body FROM source"
ok "an export" is_cancelled "" "SELECT count(*) FROM tenancy.export_tenant((SELECT id FROM tenancy.tenants WHERE slug = 'a'))"
ok "the server did not crash" bash -c "! grep -E 'was terminated by signal|TRAP' '$(scripts/cluster log cancel-writes)'"
finish
