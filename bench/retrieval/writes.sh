# Part of bench/retrieval.sh: what an insert costs beside the same table without an index on its vectors, and with HNSW.
corpus=${cases%%:*}
biggest=$(sed 's/^[^:]*:\([^ ]*\).*/\1/; s/,/\n/g' <<<"$cases" | sort -n | awk -v most="$writes" '$1 <= most' | tail -n 1)
tenant=$(own_of "$corpus" "$biggest")
owner <<END
CREATE TABLE bench.bare (LIKE c${corpus}_chunks INCLUDING ALL);
SELECT tenancy.protect('bench.bare') \\g /dev/null
CREATE TABLE bench.graph (LIKE c${corpus}_chunks INCLUDING ALL);
SELECT tenancy.protect('bench.graph') \\g /dev/null
INSERT INTO bench.bare (tenant_id, id, document_id, chunk_index, content, embedding)
    SELECT tenant_id, id, document_id, chunk_index, content, embedding FROM c${corpus}_chunks WHERE tenant_id = '$tenant';
INSERT INTO bench.graph (tenant_id, id, document_id, chunk_index, content, embedding)
    SELECT tenant_id, id, document_id, chunk_index, content, embedding FROM c${corpus}_chunks WHERE tenant_id = '$tenant';
SET maintenance_work_mem = '1GB';
CREATE INDEX ON bench.graph USING hnsw (embedding vector_cosine_ops);
-- Like the corpus: its documents are there, and checked.
ALTER TABLE bench.bare ADD FOREIGN KEY (tenant_id, document_id) REFERENCES c${corpus}_documents (tenant_id, id);
ALTER TABLE bench.graph ADD FOREIGN KEY (tenant_id, document_id) REFERENCES c${corpus}_documents (tenant_id, id);
CREATE TABLE bench.source AS SELECT row_number() OVER () AS n, content, embedding FROM c${corpus}_chunks WHERE tenant_id = '$tenant' LIMIT 10000;
CREATE UNIQUE INDEX ON bench.source (n);
GRANT INSERT, SELECT ON bench.bare, bench.graph TO bench_app;
GRANT SELECT ON bench.source TO bench_app;
VACUUM ANALYZE bench.bare;
VACUUM ANALYZE bench.graph;
CREATE FUNCTION bench.insert_one(into_table regclass, times integer) RETURNS float8 LANGUAGE plpgsql AS \$f\$
DECLARE document uuid; began timestamptz; took float8[] := '{}'; last integer;
BEGIN
    SELECT id INTO document FROM c${corpus}_documents LIMIT 1;
    EXECUTE format('SELECT coalesce(max(chunk_index), 0) FROM %s WHERE document_id = %L', into_table, document) INTO last;
    FOR i IN 1..times LOOP
        began := clock_timestamp();
        EXECUTE format('INSERT INTO %s (document_id, chunk_index, content, embedding) SELECT \$1, \$2, content, embedding FROM bench.source WHERE n = \$3', into_table)
            USING document, last + i, i * 17 % (SELECT count(*) FROM bench.source) + 1;
        took := took || extract(epoch FROM clock_timestamp() - began)::float8 * 1e6;
    END LOOP;
    RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t);
END \$f\$;
CREATE FUNCTION bench.insert_many(into_table regclass, first integer) RETURNS float8 LANGUAGE plpgsql AS \$f\$
DECLARE document uuid; began timestamptz := clock_timestamp();
BEGIN
    SELECT id INTO document FROM c${corpus}_documents LIMIT 1;
    EXECUTE format('INSERT INTO %s (document_id, chunk_index, content, embedding) SELECT \$1, \$2 + n, content, embedding FROM bench.source', into_table)
        USING document, first;
    RETURN extract(epoch FROM clock_timestamp() - began) * 1e6;
END \$f\$;
END
for ((round = 1; round <= rounds; round++)); do
    for table in c${corpus}_chunks bench.bare bench.graph; do
        keep "insert one $table" "$corpus" "$biggest" "$(app -c "$(entered "$tenant")" -c "SELECT bench.insert_one('$table', 200)" | tail -n 1)|1|0"
    done
    ((round <= 2)) || continue
    for table in c${corpus}_chunks bench.bare bench.graph; do
        keep "insert 10000 $table" "$corpus" "$biggest" "$(app -c "$(entered "$tenant")" -c BEGIN -c "SELECT bench.insert_many('$table', 1000000 * $round)" -c ROLLBACK | tail -n 1)|1|0"
    done
done
