-- Looking after the stores of single tenants, for operators.

CREATE FUNCTION tenancy.tenant_of_store(tenant uuid, corpus text) RETURNS tenancy.tenants
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants;
BEGIN
    PERFORM tenancy.authorize_operator();
    PERFORM tenancy.refuse_null(tenant IS NULL, 'tenant');
    PERFORM tenancy.refuse_null(corpus IS NULL, 'corpus');
    SELECT t.* INTO whose FROM tenancy.tenants t WHERE t.id = tenant;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN002', MESSAGE = 'tenant is not available';
    END IF;
    -- Nobody takes a store away meanwhile.
    PERFORM FROM tenancy.stores s WHERE s.corpus = tenant_of_store.corpus AND s.state = 'built' FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus "%s" has no store', left(corpus, 80)),
            HINT = 'tenancy.rebuild_corpus() builds it.';
    END IF;
    RETURN whose;
END
$$;

COMMENT ON FUNCTION tenancy.tenant_of_store(uuid, text) IS 'a tenant whose stores an operator looks after, or an error; internal';

CREATE FUNCTION tenancy.built_stores(tenant tenancy.tenants, corpus text)
RETURNS TABLE (kind text, number integer, key bytea, statement text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT k, t.number, t.key,
           format('SELECT c.%I, c.%I, c.%I FROM %s c WHERE c.%s', t.columns ->> 'tenant_id', t.columns ->> 'id',
                  CASE k WHEN 'vectors' THEN t.columns ->> 'embedding' ELSE coalesce(t.columns ->> 'tsv', t.columns ->> 'content') END, t.chunks,
                  tenancy.tenant_condition(built_stores.tenant, (t.columns ->> 'tenant_id')::name, a.atttypid::regtype))
    FROM unnest('{vectors,words}'::text[]) k
    CROSS JOIN LATERAL tenancy.tenant_stores(built_stores.tenant, k) t
    JOIN tenancy.stores s ON s.number = t.number AND s.state = 'built'
    JOIN pg_attribute a ON a.attrelid = t.chunks AND a.attname = t.columns ->> 'tenant_id'
    -- One without a key of the column's type has no rows.
    WHERE t.corpus = built_stores.corpus AND t.key IS NOT NULL
    ORDER BY k;
END;

COMMENT ON FUNCTION tenancy.built_stores(tenancy.tenants, text) IS
'where a tenant is in the stores of a corpus that are built, and what statement gives the rows that they are made of; internal';

CREATE FUNCTION tenancy_internal.freeze_tenant(tenant uuid, corpus text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants := tenancy.tenant_of_store(tenant, corpus);
    store record;
    chunks bigint := 0;
BEGIN
    FOR store IN SELECT b.* FROM tenancy.built_stores(whose, corpus) b LOOP
        chunks := greatest(chunks, CASE store.kind WHEN 'vectors' THEN tenancy.freeze_vectors(store.number, store.key)
                                                   ELSE tenancy.freeze_words(store.number, store.key) END);
    END LOOP;
    RETURN chunks;
END
$$;

SELECT tenancy_internal.expose('freeze_tenant(uuid, text)');

COMMENT ON FUNCTION tenancy.freeze_tenant(uuid, text) IS
'gives back the room that a tenant takes in the stores: its searches then read its chunks themselves, with the same answers, until unfreeze_tenant(); returns how many chunks the stores had; for operators';

CREATE FUNCTION tenancy_internal.unfreeze_tenant(tenant uuid, corpus text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants := tenancy.tenant_of_store(tenant, corpus);
    store record;
    chunks bigint := 0;
BEGIN
    FOR store IN SELECT b.* FROM tenancy.built_stores(whose, corpus) b LOOP
        chunks := greatest(chunks, CASE store.kind WHEN 'vectors' THEN tenancy.unfreeze_vectors(corpus, store.number, store.key, store.statement)
                                                   ELSE tenancy.unfreeze_words(corpus, store.number, store.key, store.statement) END);
    END LOOP;
    RETURN chunks;
END
$$;

SELECT tenancy_internal.expose('unfreeze_tenant(uuid, text)');

COMMENT ON FUNCTION tenancy.unfreeze_tenant(uuid, text) IS
'makes the stores'' part of a frozen tenant anew, while others read and write; returns how many chunks it read; for operators';

CREATE FUNCTION tenancy_internal.prewarm_tenant(tenant uuid, corpus text DEFAULT 'default') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    whose tenancy.tenants := tenancy.tenant_of_store(tenant, corpus);
    store record;
    chunks bigint := 0;
BEGIN
    FOR store IN SELECT b.* FROM tenancy.built_stores(whose, corpus) b LOOP
        chunks := greatest(chunks, CASE store.kind WHEN 'vectors' THEN tenancy.read_blocks(store.number, store.key)
                                                   ELSE tenancy.read_words(store.number, store.key) END);
    END LOOP;
    RETURN chunks;
END
$$;

SELECT tenancy_internal.expose('prewarm_tenant(uuid, text)');

COMMENT ON FUNCTION tenancy.prewarm_tenant(uuid, text) IS
'reads a tenant''s part of the stores into memory and verifies it; returns how many chunks they have; for operators';
