#!/usr/bin/env bash
# A property test: sessions write the chunks of two tenants at random at the same time (inserts, updates, deletes, moves to
# the other tenant, savepoints, rollbacks, prepared transactions), in corpora of each metric and type, and others search.
# Whatever the moment, the stores find what the rows say under the same snapshot, and no writer fails because of it. Some
# writers make what large tenants are searched by at once; who asks for an approximate answer gets no fewer rows.
# Prints TAP. STORE_SECONDS=60 for longer, STORE_SEED=7 for another history.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

cluster=store-sessions
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop $cluster >/dev/null 2>&1
scripts/cluster start $cluster -- max_prepared_transactions=10 >/dev/null || exit 1
sql() { scripts/cluster psql $cluster -XqAt -v ON_ERROR_STOP=1 "$@"; }
export PGOPTIONS='-c client_min_messages=warning'

sql <<'SQL' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.create_corpus('c' || k, 160, metric, embedding_type => type)
FROM (VALUES (0, 'cosine', 'vector'), (1, 'inner_product', 'halfvec'), (2, 'l2', 'vector'), (3, 'cosine', 'halfvec'), (4, 'inner_product', 'vector'), (5, 'l2', 'halfvec'))
     AS v (k, metric, type);
SELECT tenancy.create_tenant('a'), tenancy.create_tenant('b');
SELECT format($$INSERT INTO c%s_documents (tenant_id, id) SELECT t.id, ('00000000-0000-4000-8000-00000000000' || i)::uuid FROM tenancy.tenants t, generate_series(1, 4) i WHERE slug IN ('a', 'b')$$, k)
FROM generate_series(0, 5) k \gexec

CREATE FUNCTION random_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
    SELECT array_agg((random() - 0.5)::real)::vector FROM generate_series(1, 160)
$$;
-- Words of which some are frequent and many are rare.
CREATE FUNCTION random_text() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(string_agg('word' || floor(exp(random() * 5)), ' '), '') FROM generate_series(1, (random() * 12)::integer)
$$;
CREATE FUNCTION pick(VARIADIC of text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT of[1 + floor(random() * cardinality(of))::integer]
$$;
CREATE SEQUENCE places;

CREATE FUNCTION change(chunks text, document uuid, whose uuid, other uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    what float8 := random();
BEGIN
    IF what < 0.3 THEN
        EXECUTE format('INSERT INTO %I (tenant_id, document_id, chunk_index, content, embedding, metadata)
            SELECT $1, $2, nextval(''places''), random_text(), CASE WHEN random() > 0.02 THEN random_vector() END, jsonb_build_object(''even'', i %% 2 = 0)
            FROM generate_series(1, $3) i', chunks) USING whose, document, CASE WHEN random() < 0.08 THEN 1600 ELSE random() * random() * 300 END::integer;
    ELSIF what < 0.6 THEN
        FOR i IN 1..(random() * 25)::integer LOOP
            EXECUTE format('INSERT INTO %I (tenant_id, document_id, chunk_index, content, embedding)
                VALUES ($1, $2, nextval(''places''), random_text(), random_vector())', chunks) USING whose, document;
        END LOOP;
    ELSIF what < 0.75 THEN
        EXECUTE format('UPDATE %I SET embedding = random_vector() WHERE document_id = $1 AND random() < 0.1', chunks) USING document;
    ELSIF what < 0.85 THEN
        EXECUTE format('UPDATE %I SET content = random_text() WHERE document_id = $1 AND random() < 0.1', chunks) USING document;
    ELSIF what < 0.9 THEN
        EXECUTE format('UPDATE %I SET tenant_id = $2 WHERE document_id = $1 AND tenant_id = $3 AND random() < 0.2', chunks) USING document, other, whose;
    ELSE
        EXECUTE format('DELETE FROM %I WHERE document_id = $1 AND random() < 0.4', chunks) USING document;
    END IF;
END
$$;

CREATE PROCEDURE work(number integer, seconds integer) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + make_interval(secs => seconds);
    document uuid := ('00000000-0000-4000-8000-00000000000' || number)::uuid;
    tenants uuid[] := ARRAY(SELECT t.id FROM tenancy.tenants t WHERE slug IN ('a', 'b') ORDER BY random());
    chunks text;
BEGIN
    WHILE clock_timestamp() < until LOOP
        COMMIT;
        tenants := ARRAY[tenants[2], tenants[1]];
        chunks := format('c%s_chunks', floor(random() * 6));
        FOR i IN 1..(1 + random() * 4)::integer LOOP
            BEGIN
                PERFORM change(chunks, document, tenants[1], tenants[2]);
                IF random() < 0.3 THEN
                    PERFORM change(chunks, document, tenants[1], tenants[2]);
                END IF;
                IF random() < 0.2 THEN
                    RAISE division_by_zero;
                END IF;
            EXCEPTION WHEN division_by_zero THEN NULL;
            END;
        END LOOP;
        IF random() < 0.2 THEN
            ROLLBACK;
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION answer(lane text, corpus text, k integer, query vector, words text, threshold float8, filter jsonb, documents uuid[], use_stores boolean)
RETURNS text LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
BEGIN
    PERFORM set_config('tenancy.use_stores', use_stores::text, true);
    RETURN CASE lane
        WHEN 'match' THEN (SELECT string_agg(concat_ws(' ', m.chunk_id, m.similarity), ', ') FROM tenancy.match_chunks(query, k, threshold, filter, documents, corpus) m)
        WHEN 'keyword' THEN (SELECT string_agg(concat_ws(' ', m.chunk_id, m.similarity), ', ') FROM tenancy.keyword_search(words, k, filter, documents, corpus) m)
        ELSE (SELECT string_agg(concat_ws(' ', m.chunk_id, m.combined_score, m.vector_similarity, m.text_similarity), ', ')
              FROM tenancy.hybrid_search(query, words, k, fusion => lane, filter => filter, document_ids => documents, corpus => corpus) m) END;
END
$$;

-- What pgvector alone says, beside what tenancy says without its stores.
CREATE FUNCTION brute_force(corpus text, k integer, query vector) RETURNS text LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
DECLARE
    distance text;
    result text;
BEGIN
    SELECT CASE c.metric WHEN 'cosine' THEN '1 - (c.embedding <=> $1%1$s)' WHEN 'inner_product' THEN '-(c.embedding <#> $1%1$s)' ELSE '1 / (1 + (c.embedding <-> $1%1$s))' END
    INTO distance FROM tenancy.corpora c WHERE c.name = brute_force.corpus;
    distance := format(distance, CASE WHEN corpus IN ('c1', 'c3', 'c5') THEN '::halfvec' ELSE '' END);
    EXECUTE format('SELECT string_agg(concat_ws('' '', r.id, r.score), '', '')
                    FROM (SELECT c.id, %s AS score FROM %I c WHERE c.tenant_id = tenancy.current_tenant_id() AND c.embedding IS NOT NULL ORDER BY 2 DESC, 1 LIMIT $2) r',
                   distance, corpus || '_chunks') INTO result USING query, k;
    RETURN result;
END
$$;

CREATE FUNCTION rows_of(answer text) RETURNS integer LANGUAGE sql RETURN coalesce(cardinality(string_to_array(answer, ',')), 0);
CREATE PROCEDURE compare(seconds integer, INOUT compared integer, INOUT by_store integer) LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + make_interval(secs => seconds);
    is_exact boolean := current_setting('tenancy.approximate_above') = '-1';
    asked record;
    found text;
    should text;
BEGIN
    compared := 0;
    by_store := 0;
    WHILE compared = 0 OR clock_timestamp() < until LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        PERFORM set_config('tenancy.tenant_id', (SELECT t.id::text FROM tenancy.tenants t WHERE t.slug IN ('a', 'b') ORDER BY random() LIMIT 1), true);
        FOR i IN 1..3 LOOP
            SELECT pick('match', 'match', 'keyword', 'keyword', 'auto', 'convex', 'rrf') AS lane, 'c' || floor(random() * 6) AS corpus, pick('1', '10', '30', '200')::integer AS k,
                   random_vector() AS query, random_text() || pick('', ' "word1 word2"', ' -word3') AS words,
                   CASE WHEN is_exact AND random() < 0.3 THEN random() END AS threshold, CASE WHEN random() < 0.2 THEN '{"even": true}'::jsonb END AS filter,
                   CASE WHEN random() < 0.2 THEN ARRAY(SELECT ('00000000-0000-4000-8000-00000000000' || d)::uuid FROM generate_series(1, 5, 2) d) END AS documents
            INTO asked;
            found := answer(asked.lane, asked.corpus, asked.k, asked.query, asked.words, asked.threshold, asked.filter, asked.documents, true);
            by_store := by_store + (SELECT count(*) FROM tenancy.explain_match(asked.query, corpus => asked.corpus) e WHERE e.tier = 'codes' OR NOT is_exact AND e.tier <> 'rows');
            should := answer(asked.lane, asked.corpus, asked.k, asked.query, asked.words, asked.threshold, asked.filter, asked.documents, false);
            IF found IS DISTINCT FROM should AND (is_exact OR asked.lane = 'keyword' OR rows_of(found) <> rows_of(should)) THEN
                RAISE EXCEPTION 'of % found % and not %', to_json(asked), left(found, 1000), left(should, 1000);
            END IF;
            found := answer('match', asked.corpus, asked.k, asked.query, NULL, NULL, NULL, NULL, true);
            should := brute_force(asked.corpus, asked.k, asked.query);
            IF found IS DISTINCT FROM should AND (is_exact OR rows_of(found) <> rows_of(should)) THEN
                RAISE EXCEPTION 'of % nearest in % found % and not % as by hand', asked.k, asked.corpus, left(found, 1000), left(should, 1000);
            END IF;
            compared := compared + 1;
            PERFORM pg_sleep(0.02);
        END LOOP;
    END LOOP;
END
$$;
SQL

seconds=${STORE_SECONDS:-5}
seed=${STORE_SEED:-1}
seeded() { sql <<<"SELECT setseed(sin($seed * 10 + $1)) \\g /dev/null
$2;"; }
statuses=() pids=()
for number in 1 2 3 4; do
    level='read committed'
    ((number < 3)) || level='repeatable read'
    (PGOPTIONS="$PGOPTIONS -c tenancy.approximate_above=$( ((number % 2)) && echo 8kB || echo 40MB) -c default_transaction_isolation=${level/ /\\ }" seeded $number "CALL work($number, $seconds)" >"$work/writer$number" 2>&1) &
    pids+=($!)
done
for number in 1 2; do
    (PGOPTIONS="$PGOPTIONS -c tenancy.approximate_above=$( ((number == 2)) && echo 8kB || echo -1)" seeded $((4 + number)) "CALL compare($seconds, 0, 0)" >"$work/reader$number" 2>&1) &
    pids+=($!)
done
# One more prepares transactions, and ends them while others go on.
prepares() {
    local until=$((SECONDS + seconds)) i=0 chunks
    while ((SECONDS < until)); do
        chunks=c$((RANDOM % 6))_chunks
        sql <<SQL || return
BEGIN;
INSERT INTO $chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT id, '00000000-0000-4000-8000-000000000004', nextval('places'), random_text(), random_vector() FROM tenancy.tenants, generate_series(1, 40) WHERE slug = 'a';
PREPARE TRANSACTION 'one$i';
SQL
        sql -c "$( ((RANDOM % 2)) && echo COMMIT || echo ROLLBACK) PREPARED 'one$i'" || return
        ((++i))
    done
}
prepares >"$work/preparer" 2>&1 &
pids+=($!)
for pid in "${pids[@]}"; do
    wait "$pid"
    statuses+=($?)
done
for number in 1 2 3 4; do
    ended() { cat "$work/writer$number"; ((statuses[number - 1] == 0)); }
    ok "writer $number ends without an error" ended
done
for number in 1 2; do
    agreed() { cut -c1-500 "$work/reader$number"; ((statuses[number + 3] == 0)) && [[ $(cut -d'|' -f1 "$work/reader$number") -ge 1 && $(cut -d'|' -f1 "$work/reader$number") == $(cut -d'|' -f2 "$work/reader$number") ]]; }
    ok "reader $number finds what the rows say, by the store" agreed
done
prepared() { cat "$work/preparer"; ((statuses[6] == 0)); }
ok "transactions are prepared, and ended, too" prepared
ok "and afterwards the same is found" sql -c 'SET tenancy.approximate_above = -1' -c 'CALL compare(2, 0, 0)'

# The same while somebody takes tenants' parts of the stores away and makes them anew, and builds whole stores in steps.
looks_after() {
    local until=$((SECONDS + seconds)) corpus tenant
    while ((SECONDS < until)); do
        corpus=c$((RANDOM % 6)) tenant="(SELECT id FROM tenancy.tenants WHERE slug = '$( ((RANDOM % 2)) && echo a || echo b)')"
        case $((RANDOM % 4)) in
        0) sql -c "CALL tenancy.rebuild_corpus('$corpus', $((200 + RANDOM % 800)))" ;;
        1) sql -c "SELECT tenancy.prewarm_tenant($tenant, '$corpus')" ;;
        *) sql -c "SELECT tenancy.freeze_tenant($tenant, '$corpus')" -c "SELECT pg_sleep(0.1)" -c "SELECT tenancy.unfreeze_tenant($tenant, '$corpus')" ;;
        esac || return
    done
}
pids=() statuses=()
for number in 1 2 3; do
    (PGOPTIONS="$PGOPTIONS -c default_transaction_isolation=$( ((number < 3)) && echo 'read\ committed' || echo 'repeatable\ read')" seeded $((10 + number)) "CALL work($number, $seconds)" >"$work/writer$number" 2>&1) &
    pids+=($!)
done
(PGOPTIONS="$PGOPTIONS -c tenancy.approximate_above=-1" seeded 14 "CALL compare($seconds, 0, 0)" >"$work/reader" 2>&1) &
pids+=($!)
looks_after >"$work/operator" 2>&1 &
pids+=($!)
for pid in "${pids[@]}"; do
    wait "$pid"
    statuses+=($?)
done
for number in 1 2 3; do
    ok "writer $number ends without an error beside an operator" ended
done
agreed() { cut -c1-500 "$work/reader"; ((statuses[3] == 0)); }
ok "a reader finds what the rows say" agreed
operated() { cat "$work/operator"; ((statuses[4] == 0)); }
ok "tenants are frozen and unfrozen, stores are built" operated
ok "and afterwards the same is found" sql -c 'SET tenancy.approximate_above = -1' -c 'CALL compare(2, 0, 0)'
whole() {
    sql <<<"SELECT format('SELECT tenancy.prewarm_tenant(%L, %L)', t.id, 'c' || k) FROM tenancy.tenants t, generate_series(0, 5) k WHERE t.slug IN ('a', 'b') \gexec"
}
ok "all that the stores have is sound" whole

# Whoever wrote last may have left the packing to somebody who was at it; the next statement need not.
sql <<<"SELECT format('INSERT INTO c%s_chunks (tenant_id, document_id, chunk_index, content, embedding) SELECT tenant_id, id, nextval(''places''), random_text(), random_vector() FROM c%1\$s_documents WHERE id = %L', k, '00000000-0000-4000-8000-000000000001') FROM generate_series(0, 5) k \\gexec" || exit 1
tidy() { ! sql -c 'SELECT store, tenant, count(*) FROM tenancy.vector_blocks WHERE kind = 2 GROUP BY 1, 2 HAVING count(*) > 32' | grep .; }
ok "loose codes are packed" tidy
finish
