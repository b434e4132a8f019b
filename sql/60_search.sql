-- Search: what the caller may see of a corpus, ranked. All of it is C, and all of it reads as the caller, under the
-- caller's own policies. No function has a tenant argument.

-- Until the path is set again, the type vector is found in pgvector's schema. Types of PostgreSQL come first, and functions and
-- operators are not named here.
SELECT set_config('search_path', format('pg_catalog, %I, pg_temp', n.nspname), true)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector';

CREATE FUNCTION tenancy.match_chunks(
    query_embedding vector, match_count integer DEFAULT 10, match_threshold double precision DEFAULT NULL,
    filter jsonb DEFAULT NULL, document_ids uuid[] DEFAULT NULL, corpus text DEFAULT 'default'
) RETURNS TABLE (
    chunk_id uuid, document_id uuid, chunk_index integer, content text, similarity double precision, metadata jsonb,
    document_title text, document_source text
)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 10 AS 'MODULE_PATHNAME', 'tenancy_match_chunks';

COMMENT ON FUNCTION tenancy.match_chunks(vector, integer, double precision, jsonb, uuid[], text) IS
'the current tenant''s chunks nearest to an embedding, exactly, nearest first, ties by chunk id; similarity is 1 - distance (cosine), the product (inner_product) or 1 / (1 + distance) (l2), and at least match_threshold; filter keeps chunks whose metadata contains it; TN010 when the embedding or the corpus does not fit';

CREATE FUNCTION tenancy.explain_match(
    query_embedding vector, match_count integer DEFAULT 10, match_threshold double precision DEFAULT NULL,
    filter jsonb DEFAULT NULL, document_ids uuid[] DEFAULT NULL, corpus text DEFAULT 'default'
) RETURNS TABLE (
    tier text, why_rows text, blocks bigint, codes bigint, candidates bigint, fetched bigint, scored bigint, widened bigint,
    rows bigint, exact boolean, expected_recall double precision, kernel text
)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 1 AS 'MODULE_PATHNAME', 'tenancy_explain_match';

COMMENT ON FUNCTION tenancy.explain_match(vector, integer, double precision, jsonb, uuid[], text) IS
'how match_chunks() finds its answer to the same arguments: by codes of the vector store (tier codes), where a tenant is large by the nearest of its clusters (tier clusters) or by sketches first (tier sketches), or by reading all the tenant''s chunks (tier rows, and why); blocks read, codes in the store, candidates, chunks fetched and scored, how often it widened, whether the answer is proven exact, and else which share of it is right by expectation';

CREATE FUNCTION tenancy.keyword_search(
    query_text text, match_count integer DEFAULT 10, filter jsonb DEFAULT NULL, document_ids uuid[] DEFAULT NULL,
    corpus text DEFAULT 'default'
) RETURNS TABLE (
    chunk_id uuid, document_id uuid, chunk_index integer, content text, similarity double precision, metadata jsonb,
    document_title text, document_source text
)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 10 AS 'MODULE_PATHNAME', 'tenancy_keyword_search';

COMMENT ON FUNCTION tenancy.keyword_search(text, integer, jsonb, uuid[], text) IS
'the current tenant''s chunks that hold any word of a query, best BM25 score first, ties by chunk id; "quoted words" must stand together, -words must not stand; no rows for a text without a word to look for';

CREATE FUNCTION tenancy.hybrid_search(
    query_embedding vector, query_text text, match_count integer DEFAULT 10, text_weight double precision DEFAULT 0.3,
    fusion text DEFAULT 'auto', rrf_k integer DEFAULT 60, filter jsonb DEFAULT NULL, document_ids uuid[] DEFAULT NULL,
    corpus text DEFAULT 'default'
) RETURNS TABLE (
    chunk_id uuid, document_id uuid, chunk_index integer, content text, combined_score double precision,
    vector_similarity double precision, text_similarity double precision, metadata jsonb, document_title text,
    document_source text
)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 10 AS 'MODULE_PATHNAME', 'tenancy_hybrid_search';

COMMENT ON FUNCTION tenancy.hybrid_search(vector, text, integer, double precision, text, integer, jsonb, uuid[], text) IS
'the current tenant''s chunks by embedding and words together, best combined score first, ties by chunk id, with the scores of match_chunks and keyword_search beside it; fusion is auto, convex (min-max, weighed by text_weight) or rrf (reciprocal ranks, rrf_k)';

CREATE FUNCTION tenancy.get_document_chunks(document_id uuid, corpus text DEFAULT 'default')
RETURNS TABLE (chunk_id uuid, chunk_index integer, content text, metadata jsonb)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000 ROWS 100 AS 'MODULE_PATHNAME', 'tenancy_get_document_chunks';

COMMENT ON FUNCTION tenancy.get_document_chunks(uuid, text) IS
'the chunks of one document of the current tenant in their order; none for a document that is not there or not the tenant''s';

SET LOCAL search_path = pg_catalog, pg_temp;
