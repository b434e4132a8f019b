# Part of bench/retrieval.sh: planning and locks among very many tenants, and a neighbour that grows.
owner <<END
SELECT tenancy.create_corpus('many', dimensions => 16) \\g /dev/null
INSERT INTO tenancy.tenants (organization_id, slug, name)
    SELECT (SELECT organization_id FROM tenancy.tenants LIMIT 1), 'many-' || n, 'many ' || n FROM generate_series(1, $tenants) n;
CREATE FUNCTION bench.some_vector(seed integer) RETURNS vector LANGUAGE sql IMMUTABLE AS
    'SELECT array_agg(sin(seed * 12.9898 + i * 78.233))::real[]::vector FROM generate_series(1, 16) i';
INSERT INTO many_documents (tenant_id, title) SELECT id, 'one' FROM tenancy.tenants WHERE slug LIKE 'many-%';
INSERT INTO many_chunks (tenant_id, document_id, chunk_index, content, embedding)
    SELECT d.tenant_id, d.id, i, 'text', bench.some_vector((hashtext(d.id::text) & 65535) * 3 + i) FROM many_documents d, generate_series(0, 2) i;
VACUUM (FREEZE, ANALYZE) many_documents;
VACUUM (FREEZE, ANALYZE) many_chunks;
END
for ((round = 1; round <= rounds; round++)); do
    slug=many-$((round * 7919 % tenants + 1))
    app -c "SELECT tenancy.set_tenant('$slug', is_local => false)" \
        -c "SELECT chunk_id FROM tenancy.match_chunks(bench.some_vector(1), corpus => 'many')" \
        -c "EXPLAIN (ANALYZE, SUMMARY) SELECT * FROM tenancy.match_chunks(bench.some_vector(1), corpus => 'many')" |
        sed -n 's/^Planning Time: \(.*\) ms$/\1/p' | while read -r ms; do keep planning many "$tenants" "$ms|1|0"; done
    keep locks many "$tenants" "$(app -c "SELECT tenancy.set_tenant('$slug', is_local => false)" -c BEGIN \
        -c "SELECT count(*) FROM tenancy.match_chunks(bench.some_vector(1), corpus => 'many')" \
        -c "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation <> 'pg_locks'::regclass" -c COMMIT | tail -n 1)|1|0"
done

# A has 300 chunks; B stores a hundred times as many, all of them next to what A asks.
owner <<END
SELECT tenancy.create_tenant('bench-a') \\g /dev/null
SELECT tenancy.create_tenant('bench-b') \\g /dev/null
INSERT INTO many_documents (tenant_id, title) SELECT id, 'one' FROM tenancy.tenants WHERE slug IN ('bench-a', 'bench-b');
INSERT INTO many_chunks (tenant_id, document_id, chunk_index, content, embedding)
    SELECT d.tenant_id, d.id, i, 'text', bench.some_vector(i) FROM many_documents d, generate_series(1, 300) i
    WHERE d.tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'bench-a');
INSERT INTO bench.query SELECT 'many', 300, n, bench.some_vector(n * 7 + 1000000), '{}' FROM generate_series(0, $queries - 1) n;
END
measured 'ours many 300' many 300 "$(ours many)"
owner -c "UPDATE bench.query SET truth = '{00000000-0000-0000-0000-000000000000}' WHERE corpus = 'many'"
look_at_a() {
    for ((round = 1; round <= rounds; round++)); do
        keep "$1" many 300 "$(run 'ours many 300' app -c "SELECT tenancy.set_tenant('bench-a', is_local => false)" | cut -d'|' -f1)|1|0"
    done
    app -c "SELECT tenancy.set_tenant('bench-a', is_local => false)" -c "SELECT md5(string_agg(m.chunk_id || ' ' || float8send(m.similarity)::text, ',' ORDER BY b.number, m.similarity DESC, m.chunk_id))
        FROM bench.query b, tenancy.match_chunks(b.embedding, 10, corpus => 'many') m WHERE b.corpus = 'many'" | tail -n 1
}
was=$(look_at_a 'A before')
owner -c "INSERT INTO many_chunks (tenant_id, document_id, chunk_index, content, embedding)
    SELECT d.tenant_id, d.id, i, 'text', (SELECT embedding FROM bench.query b WHERE b.corpus = 'many' AND b.number = i % $queries) FROM many_documents d, generate_series(1, 30000) i
    WHERE d.tenant_id = (SELECT id FROM tenancy.tenants WHERE slug = 'bench-b')"
is=$(look_at_a 'A after')
[[ $was == "$is" ]] && keep same many 300 '1|1|0' || keep same many 300 '0|1|0'
