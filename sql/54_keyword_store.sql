-- The keyword store: the words of a tenant's chunks as packed postings, so that a search reads the lists of its own words
-- and nothing else. Small writes append to a log, which is sealed into segments when it has grown; large ones make
-- segments at once. Rows say what came and what went, and what there is is their sum: so each snapshot has its own.
-- extension/src/words/tables.hpp reads these columns by number.

CREATE SEQUENCE tenancy.keyword_numbers;

CREATE TABLE tenancy.keyword_log (
    store integer NOT NULL,
    tenant bytea NOT NULL,
    documents bytea NOT NULL
);

-- Words do not compress well, and are read far more often than written.
ALTER TABLE tenancy.keyword_log ALTER COLUMN tenant SET STORAGE PLAIN, ALTER COLUMN documents SET STORAGE EXTERNAL;

CREATE INDEX keyword_log_key ON tenancy.keyword_log (store, tenant);

CREATE TABLE tenancy.keyword_segments (
    store integer NOT NULL,
    tenant bytea NOT NULL,
    part smallint NOT NULL,
    segment bigint NOT NULL,
    key bytea NOT NULL,
    number integer NOT NULL,
    data bytea NOT NULL
);

-- All of a row lies in its page.
ALTER TABLE tenancy.keyword_segments
    ALTER COLUMN tenant SET STORAGE PLAIN, ALTER COLUMN key SET STORAGE PLAIN, ALTER COLUMN data SET STORAGE PLAIN;

CREATE UNIQUE INDEX keyword_segments_key ON tenancy.keyword_segments (store, tenant, part, segment, key, number);

COMMENT ON SEQUENCE tenancy.keyword_numbers IS 'numbers of the segments of the keyword store';
COMMENT ON TABLE tenancy.keyword_log IS 'the newest part of the keyword store of all corpora: words of chunks that came or went, not yet sealed into segments';
COMMENT ON COLUMN tenancy.keyword_log.tenant IS 'the bytes of the tenant column''s value: a uuid''s 16, a number''s 8 (big-endian), a text''s own';
COMMENT ON TABLE tenancy.keyword_segments IS 'the keyword store of all corpora: derived from their chunks, written by triggers, read by search';
COMMENT ON COLUMN tenancy.keyword_segments.part IS '-1: the tenant is frozen; 0: what the segment holds; 1: ids of its chunks; 2: their lengths in words; 3: postings; 4: places of the words';
COMMENT ON COLUMN tenancy.keyword_segments.key IS 'of postings and places the first lexeme in the row, else empty';

ALTER TABLE tenancy.keyword_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenancy.keyword_segments ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION tenancy.keep_words() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_keep_words';

COMMENT ON FUNCTION tenancy.keep_words() IS 'trigger: keeps the keyword store of the corpus that its argument names, on the table of its chunks';

CREATE FUNCTION tenancy.pack_words(corpus text, statement text, batch_rows integer, after_tenant text, after_id uuid,
    OUT rows bigint, OUT last_tenant text, OUT last_id uuid)
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_pack_words';

COMMENT ON FUNCTION tenancy.pack_words(text, text, integer, text, uuid) IS
'adds the rows (tenant, id, words) that a statement gives, run as the owner of the chunks, to the keyword store that is being built: the next batch_rows after a place in the order of tenant and id; internal';

CREATE FUNCTION tenancy.build_words(corpus text, progress jsonb, batch_rows integer) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.corpora;
    packed record;
BEGIN
    SELECT c.* INTO registered FROM tenancy.corpora c WHERE c.name = build_words.corpus;
    SELECT p.* INTO packed
    FROM tenancy.pack_words(build_words.corpus,
        format('SELECT c.%1$I, c.%2$I, c.%3$I FROM %4$s c WHERE c.%1$I IS NOT NULL AND c.%2$I IS NOT NULL%5$s ORDER BY c.%1$I, c.%2$I LIMIT %6$s',
               registered.columns ->> 'tenant_id', registered.columns ->> 'id', coalesce(registered.columns ->> 'tsv', registered.columns ->> 'content'),
               registered.chunks,
               CASE WHEN progress ->> 'id' IS NOT NULL
                    THEN format(' AND (c.%1$I, c.%2$I) > (%3$L, %4$L)', registered.columns ->> 'tenant_id', registered.columns ->> 'id',
                                progress ->> 'tenant', progress ->> 'id') END,
               batch_rows),
        batch_rows, progress ->> 'tenant', (progress ->> 'id')::uuid) p;
    RETURN jsonb_build_object('rows', packed.rows, 'done', packed.rows < batch_rows,
                              'tenant', coalesce(packed.last_tenant, progress ->> 'tenant'), 'id', coalesce(packed.last_id::text, progress ->> 'id'),
                              'total', coalesce((progress ->> 'total')::bigint, 0) + packed.rows);
END
$$;

COMMENT ON FUNCTION tenancy.build_words(text, jsonb, integer) IS 'adds the next rows in the order of tenant and id to the keyword store; returns how far it came; internal';

CREATE FUNCTION tenancy.freeze_words(store integer, tenant bytea) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_freeze_words';

COMMENT ON FUNCTION tenancy.freeze_words(integer, bytea) IS 'takes a tenant''s words away and marks it as frozen; returns how many chunks there were; internal';

CREATE FUNCTION tenancy.unfreeze_words(corpus text, store integer, tenant bytea, statement text) RETURNS bigint
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'tenancy_unfreeze_words';

COMMENT ON FUNCTION tenancy.unfreeze_words(text, integer, bytea, text) IS
'packs the words of a frozen tenant from the rows (tenant, id, words) of a statement; returns how many rows there were; internal';

CREATE FUNCTION tenancy.read_words(store integer, tenant bytea) RETURNS bigint
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'tenancy_read_words';

COMMENT ON FUNCTION tenancy.read_words(integer, bytea) IS 'reads and verifies all words of a tenant; returns how many chunks there are; internal';

CREATE FUNCTION tenancy.drop_tenant_words(tenant tenancy.tenants) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- A step of a build may have read rows that are gone by now: it ends first.
    SELECT FROM tenancy.stores s WHERE s.kind = 'words' FOR KEY SHARE;
    DELETE FROM tenancy.keyword_log l
    USING tenancy.tenant_stores(drop_tenant_words.tenant, 'words') t
    WHERE l.store = t.number AND l.tenant = t.key;
    DELETE FROM tenancy.keyword_segments s
    USING tenancy.tenant_stores(drop_tenant_words.tenant, 'words') t
    WHERE s.store = t.number AND s.tenant = t.key;
END;

COMMENT ON FUNCTION tenancy.drop_tenant_words(tenancy.tenants) IS 'takes a tenant out of the keyword store; purge_tenant() calls it; internal';

CREATE FUNCTION tenancy_internal.drop_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.kind = 'words' THEN
        DELETE FROM tenancy.keyword_log l WHERE l.store = OLD.number;
        DELETE FROM tenancy.keyword_segments s WHERE s.store = OLD.number;
    END IF;
    RETURN NULL;
END
$$;

SELECT tenancy_internal.expose('drop_words()');

COMMENT ON FUNCTION tenancy.drop_words() IS 'trigger: empties the keyword store that is taken away';

CREATE TRIGGER stores_drop_words
AFTER DELETE ON tenancy.stores
FOR EACH ROW EXECUTE FUNCTION tenancy.drop_words();
