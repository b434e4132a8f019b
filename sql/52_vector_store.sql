-- The vector store: the embeddings of a tenant as codes of one byte a dimension, packed a page's worth to a row. Small
-- writes make small rows, which are packed together when there are too many of them. Which chunk an entry stands for is
-- all that search takes from it: rows come from the chunks table, under the caller's policies, with scores of their own.
-- extension/src/vectors/store.cpp reads these columns by number.

CREATE SEQUENCE tenancy.vector_numbers;

CREATE TABLE tenancy.vector_blocks (
    store integer NOT NULL,
    tenant bytea NOT NULL,
    kind smallint NOT NULL,
    number bigint NOT NULL,
    entries integer NOT NULL,
    data bytea NOT NULL
) USING heap;

-- In its page and as it is: TOAST's look-ups would cost more than the comparing.
ALTER TABLE tenancy.vector_blocks ALTER COLUMN tenant SET STORAGE PLAIN, ALTER COLUMN data SET STORAGE PLAIN;

CREATE INDEX vector_blocks_key ON tenancy.vector_blocks (store, tenant, kind, number);

COMMENT ON SEQUENCE tenancy.vector_numbers IS 'in the order of which the rows of the vector store were written';
COMMENT ON TABLE tenancy.vector_blocks IS 'the vector store of all corpora: derived from their chunks, written by triggers, read by search';
COMMENT ON COLUMN tenancy.vector_blocks.tenant IS 'the bytes of the tenant column''s value: a uuid''s 16, a number''s 8 (big-endian), a text''s own';
COMMENT ON COLUMN tenancy.vector_blocks.kind IS '0: the tenant is frozen; 1: a full page of codes; 2: fewer; 3: chunks that were deleted or changed, and since when; 4: where each cluster of the tenant''s vectors is, and how many of them a search reads; 5: sketches of pages; 6: codes in the order of clusters; 7: a full page that has a sketch';

ALTER TABLE tenancy.vector_blocks ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.keep_vectors() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_keep_vectors';

COMMENT ON FUNCTION tenancy.keep_vectors() IS 'trigger: keeps the vector store of the corpus that its argument names, on the table of its chunks';


CREATE FUNCTION tenancy.pack_chunks(corpus text, store integer, statement text, OUT rows bigint, OUT last_tenant text, OUT last_id uuid)
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_pack_chunks';

COMMENT ON FUNCTION tenancy.pack_chunks(text, integer, text) IS
'adds the rows (tenant, id, embedding) that a statement gives, run as the owner of the chunks, to the vector store; internal';

CREATE FUNCTION tenancy.read_blocks(store integer, tenant bytea) RETURNS bigint
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'tenancy_read_blocks';

COMMENT ON FUNCTION tenancy.read_blocks(integer, bytea) IS 'reads and verifies all codes of a tenant; returns how many there are; internal';

CREATE FUNCTION tenancy.build_vectors(corpus text, progress jsonb, batch_rows integer) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.corpora;
    packed record;
BEGIN
    SELECT c.* INTO registered FROM tenancy.corpora c WHERE c.name = build_vectors.corpus;
    SELECT p.* INTO packed
    FROM tenancy.pack_chunks(build_vectors.corpus,
        (SELECT s.number FROM tenancy.stores s WHERE s.corpus = build_vectors.corpus AND s.kind = 'vectors'),
        format('SELECT c.%1$I, c.%2$I, c.%3$I FROM %4$s c WHERE c.%1$I IS NOT NULL AND c.%2$I IS NOT NULL%5$s ORDER BY c.%1$I, c.%2$I LIMIT %6$s',
               registered.columns ->> 'tenant_id', registered.columns ->> 'id', registered.columns ->> 'embedding', registered.chunks,
               CASE WHEN progress ->> 'id' IS NOT NULL
                    THEN format(' AND (c.%1$I, c.%2$I) > (%3$L, %4$L)', registered.columns ->> 'tenant_id', registered.columns ->> 'id',
                                progress ->> 'tenant', progress ->> 'id') END,
               batch_rows)) p;
    RETURN jsonb_build_object('rows', packed.rows, 'done', packed.rows < batch_rows,
                              'tenant', coalesce(packed.last_tenant, progress ->> 'tenant'), 'id', coalesce(packed.last_id::text, progress ->> 'id'),
                              'total', coalesce((progress ->> 'total')::bigint, 0) + packed.rows);
END
$$;

COMMENT ON FUNCTION tenancy.build_vectors(text, jsonb, integer) IS 'adds the next rows in the order of tenant and id to the vector store; returns how far it came; internal';

CREATE FUNCTION tenancy.store_key(tenant tenancy.tenants, column_type regtype) RETURNS bytea
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN column_type = 'uuid'::regtype THEN uuid_send((tenant).id)
                WHEN column_type IN ('bigint'::regtype, 'integer'::regtype) THEN int8send((tenant).external_key_bigint)
                ELSE convert_to((tenant).external_key, getdatabaseencoding()::text) END;
END;

COMMENT ON FUNCTION tenancy.store_key(tenancy.tenants, regtype) IS 'by what a tenant is found in a store of a corpus whose tenant column is of that type; internal';

CREATE FUNCTION tenancy.tenant_stores(tenant tenancy.tenants, kind text) RETURNS TABLE (corpus text, number integer, chunks regclass, columns jsonb, key bytea)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.name, s.number, c.chunks, c.columns, tenancy.store_key(tenant, a.atttypid::regtype)
    FROM tenancy.corpora c
    JOIN tenancy.stores s ON s.corpus = c.name AND s.kind = tenant_stores.kind
    JOIN pg_attribute a ON a.attrelid = c.chunks AND a.attname = c.columns ->> 'tenant_id';
END;

COMMENT ON FUNCTION tenancy.tenant_stores(tenancy.tenants, text) IS 'where a tenant is in the stores of a kind; internal';

CREATE FUNCTION tenancy.drop_tenant_vectors(tenant tenancy.tenants) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- A step of a build may have read rows that are gone by now: it ends first.
    SELECT FROM tenancy.stores s WHERE s.kind = 'vectors' FOR KEY SHARE;
    DELETE FROM tenancy.vector_blocks b
    USING tenancy.tenant_stores(drop_tenant_vectors.tenant, 'vectors') t
    WHERE b.store = t.number AND b.tenant = t.key;
END;

COMMENT ON FUNCTION tenancy.drop_tenant_vectors(tenancy.tenants) IS 'takes a tenant out of the vector store; purge_tenant() calls it; internal';

CREATE FUNCTION tenancy_internal.drop_vectors() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.kind = 'vectors' THEN
        DELETE FROM tenancy.vector_blocks b WHERE b.store = OLD.number;
    END IF;
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('drop_vectors()');

COMMENT ON FUNCTION tenancy.drop_vectors() IS 'trigger: empties the vector store that is taken away';

CREATE TRIGGER stores_drop_vectors
AFTER DELETE ON tenancy.stores
FOR EACH ROW EXECUTE FUNCTION tenancy.drop_vectors();

CREATE FUNCTION tenancy.lock_tenant_vectors(store integer, tenant bytea) RETURNS void
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_lock_tenant_vectors';

COMMENT ON FUNCTION tenancy.lock_tenant_vectors(integer, bytea) IS 'waits until nobody packs the tenant''s codes, and keeps others from it until the transaction ends; internal';

CREATE FUNCTION tenancy.freeze_vectors(store integer, tenant bytea) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    dropped bigint;
BEGIN
    PERFORM tenancy.lock_tenant_vectors(store, tenant);
    WITH gone AS (
        DELETE FROM tenancy.vector_blocks b WHERE b.store = freeze_vectors.store AND b.tenant = freeze_vectors.tenant RETURNING b.entries, b.kind)
    SELECT coalesce(sum(g.entries) FILTER (WHERE g.kind IN (1, 2, 6, 7)), 0) INTO dropped FROM gone g;
    INSERT INTO tenancy.vector_blocks (store, tenant, kind, number, entries, data)
    VALUES (store, tenant, 0, nextval('tenancy.vector_numbers'), 0, '');
    RETURN dropped;
END
$$;

COMMENT ON FUNCTION tenancy.freeze_vectors(integer, bytea) IS 'takes a tenant''s codes away and marks it as frozen; returns how many there were; internal';

CREATE FUNCTION tenancy.unfreeze_vectors(corpus text, store integer, tenant bytea, statement text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    packed bigint;
BEGIN
    PERFORM tenancy.lock_tenant_vectors(store, tenant);
    IF NOT EXISTS (SELECT FROM tenancy.vector_blocks b WHERE b.store = unfreeze_vectors.store AND b.tenant = unfreeze_vectors.tenant AND b.kind = 0) THEN
        RETURN 0;
    END IF;
    -- Triggers went on writing: what others add meanwhile is there, and what this finds a second time does no harm.
    SELECT p.rows INTO packed FROM tenancy.pack_chunks(corpus, store, statement) p;
    DELETE FROM tenancy.vector_blocks b WHERE b.store = unfreeze_vectors.store AND b.tenant = unfreeze_vectors.tenant AND b.kind = 0;
    RETURN packed;
END
$$;

COMMENT ON FUNCTION tenancy.unfreeze_vectors(text, integer, bytea, text) IS
'packs the codes of a frozen tenant from the rows (tenant, id, embedding) of a statement; returns how many rows there were; internal';
