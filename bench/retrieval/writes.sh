# Part of bench/retrieval.sh: what an insert costs with both stores and with the vector store alone, beside the same table (keys,
# policies, tsvector) without an index on its vectors, and with HNSW. One chunk is a transaction of its own.
corpus=${cases%%:*}
biggest=$(sed 's/^[^:]*:\([^ ]*\).*/\1/; s/,/\n/g' <<<"$cases" | sort -n | awk -v most=$((writes < 30000 ? writes : 30000)) '$1 <= most' | tail -n 1)
tenant=$(own_of "$corpus" "$biggest")
dims=${corpus/words/100}
targets=(wboth_chunks wvectors_chunks bench.bare bench.graph)
columns='tenant_id, id, document_id, chunk_index, content, embedding'
{
    cat <<END
CREATE TABLE bench.some_documents AS SELECT tenant_id, id, title FROM c${corpus}_documents
    WHERE tenant_id IN (SELECT tenant_id FROM c${corpus}_documents GROUP BY tenant_id HAVING count(*) <= $writes / 20 + 1);
CREATE TABLE bench.some AS SELECT $columns FROM c${corpus}_chunks WHERE tenant_id IN (SELECT tenant_id FROM bench.some_documents);
CREATE TABLE bench.source (n integer, content text, embedding vector);
ALTER TABLE bench.source ALTER embedding SET STORAGE PLAIN;
INSERT INTO bench.source SELECT n, content, embedding FROM (SELECT row_number() OVER () AS n, content, embedding FROM bench.some LIMIT 10000) one;
CREATE UNIQUE INDEX ON bench.source (n);
SELECT tenancy.create_corpus(w, dimensions => $dims) FROM unnest('{wboth,wvectors}'::text[]) w \\g /dev/null
INSERT INTO wboth_documents (tenant_id, id, title) SELECT tenant_id, id, title FROM bench.some_documents;
INSERT INTO wvectors_documents (tenant_id, id, title) SELECT tenant_id, id, title FROM bench.some_documents;
CREATE TABLE bench.bare (LIKE wboth_chunks INCLUDING ALL);
CREATE TABLE bench.graph (LIKE wboth_chunks INCLUDING ALL);
SELECT tenancy.protect(t) FROM unnest('{bench.bare,bench.graph}'::regclass[]) t \\g /dev/null
ALTER TABLE bench.bare ADD FOREIGN KEY (tenant_id, document_id) REFERENCES wboth_documents (tenant_id, id);
ALTER TABLE bench.graph ADD FOREIGN KEY (tenant_id, document_id) REFERENCES wboth_documents (tenant_id, id);
SET maintenance_work_mem = '2GB';
END
    for target in "${targets[@]}"; do
        echo "INSERT INTO $target ($columns) SELECT * FROM bench.some;"
        [[ $target != bench.graph ]] || echo 'CREATE INDEX ON bench.graph USING hnsw (embedding vector_cosine_ops);'
        echo "VACUUM (FREEZE, ANALYZE) $target;"
    done
    cat <<END
-- Of a table without rows the keyword store would take possession again.
SELECT tenancy.drop_triggers('wvectors_chunks', 'tenancy\\_words%') \\g /dev/null
GRANT INSERT, SELECT ON bench.bare, bench.graph TO bench_app;
GRANT SELECT ON bench.source TO bench_app;
VACUUM ANALYZE bench.source;
-- The median of each table's. Those that are compared most closely take turns; the graph leaves the caches to nobody else, so it
-- comes after all of them.
CREATE PROCEDURE bench.insert_one(first integer, times integer, INOUT medians float8[]) LANGUAGE plpgsql AS \$f\$
DECLARE document uuid; content text; embedding vector; began timestamptz; took float8[] := '{}'; whose integer[] := '{}';
BEGIN
    SELECT min(id::text)::uuid INTO document FROM wboth_documents;
    FOR i IN 1..times LOOP
        SELECT s.content, s.embedding INTO content, embedding FROM bench.source s WHERE s.n = i * 17 % 10000 + 1;
$(for target in "${!targets[@]}"; do
        [[ ${targets[target]} != bench.graph ]] || echo 'END LOOP; FOR i IN 1..times LOOP
              SELECT s.content, s.embedding INTO content, embedding FROM bench.source s WHERE s.n = i * 17 % 10000 + 1;'
        echo "began := clock_timestamp();
              INSERT INTO ${targets[target]} (document_id, chunk_index, content, embedding) VALUES (document, first + i, content, embedding);
              COMMIT;
              took := took || extract(epoch FROM clock_timestamp() - began)::float8 * 1e6;
              whose := whose || $target;"
    done)
    END LOOP;
    medians := ARRAY(SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took, whose) u (t, w) GROUP BY w ORDER BY w);
END \$f\$;
CREATE PROCEDURE bench.insert_many(target regclass, first integer, INOUT took float8) LANGUAGE plpgsql AS \$f\$
DECLARE document uuid; began timestamptz;
BEGIN
    SELECT min(id::text)::uuid INTO document FROM wboth_documents;
    began := clock_timestamp();
    EXECUTE format('INSERT INTO %s (document_id, chunk_index, content, embedding) SELECT \$1, \$2 + n, content, embedding FROM bench.source', target)
        USING document, first;
    COMMIT;
    took := extract(epoch FROM clock_timestamp() - began) * 1e6;
END \$f\$;
END
} | owner
note "inserts: tables of $(owner -c 'SELECT count(*) FROM bench.bare') chunks are ready"
for ((round = 1; round <= rounds; round++)); do
    answer=$(app -c "$(entered "$tenant")" -c "CALL bench.insert_one(1000000 * $round, 300, NULL)" | tail -n 1 | tr -d '{}')
    for i in "${!targets[@]}"; do
        keep "insert one ${targets[i]}" "$corpus" "$biggest" "$(cut -d, -f$((i + 1)) <<<"$answer")|1|0"
    done
    for target in "${targets[@]}"; do
        # The graph takes half a minute each time.
        [[ $target != bench.graph ]] || ((round <= 2)) || continue
        keep "insert 10000 $target" "$corpus" "$biggest" "$(app -c "$(entered "$tenant")" -c "CALL bench.insert_many('$target', 1000000 * $round + 500000, NULL)" | tail -n 1)|1|0"
    done
done
