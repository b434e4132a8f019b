-- Corpora: pairs of tables (documents, chunks) that the search functions read. The tables are ordinary ones of the
-- application, dumped and restored like any other; this registry says which column plays which part.
-- extension/src/search/corpus.cpp reads it by column number: columns are only appended.

CREATE TABLE tenancy.corpora (
    name text COLLATE "C" NOT NULL,
    documents regclass NOT NULL,
    chunks regclass NOT NULL,
    dimensions integer NOT NULL,
    metric text COLLATE "C" NOT NULL,
    text_config text COLLATE "C" NOT NULL,
    columns jsonb NOT NULL,
    embedding_model text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT corpora_pkey PRIMARY KEY (name),
    CONSTRAINT corpora_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,49}$'),
    CONSTRAINT corpora_dimensions_check CHECK (dimensions BETWEEN 1 AND 16000),
    CONSTRAINT corpora_metric_check CHECK (metric IN ('cosine', 'inner_product', 'l2')),
    CONSTRAINT corpora_columns_check CHECK (jsonb_typeof(columns) = 'object'),
    CONSTRAINT corpora_embedding_model_check CHECK (length(embedding_model) BETWEEN 1 AND 200)
);

COMMENT ON TABLE tenancy.corpora IS
'the pairs of tables that the search functions read; written by create_corpus, attach_corpus and drop_corpus, by the owners of the tables';
COMMENT ON COLUMN tenancy.corpora.dimensions IS 'of every embedding, 1 to 16000';
COMMENT ON COLUMN tenancy.corpora.metric IS 'cosine, inner_product or l2';
COMMENT ON COLUMN tenancy.corpora.text_config IS
'text search configuration that reads the chunks'' text and the queries, by its qualified name: pg_upgrade refuses columns of type regconfig';
COMMENT ON COLUMN tenancy.corpora.columns IS
'names of the columns that play the parts tenant_id, id, document_id, chunk_index, content, embedding, metadata and tsv in chunks and documents_tenant_id, documents_id, title and source in documents; null for one that the tables do not have';
COMMENT ON COLUMN tenancy.corpora.embedding_model IS
'name of the model that makes its embeddings, as clients call it; null when nobody said: set_embedding_model()';

SELECT pg_catalog.pg_extension_config_dump('tenancy.corpora', '');

CREATE FUNCTION tenancy.may_alter(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = relation;
END;

COMMENT ON FUNCTION tenancy.may_alter(regclass) IS
'whether the caller has the rights of a table''s owner; null when there is no such table; internal';

ALTER TABLE tenancy.corpora ENABLE ROW LEVEL SECURITY;

CREATE POLICY corpora_read ON tenancy.corpora FOR SELECT USING (true);

CREATE POLICY corpora_insert ON tenancy.corpora FOR INSERT
WITH CHECK (tenancy.may_alter(documents) AND tenancy.may_alter(chunks));

-- Whose tables are gone is nobody's any more, and may be tidied up by any owner.
CREATE POLICY corpora_delete ON tenancy.corpora FOR DELETE
USING (coalesce(tenancy.may_alter(documents), true) AND coalesce(tenancy.may_alter(chunks), true));

CREATE POLICY corpora_update ON tenancy.corpora FOR UPDATE
USING (tenancy.may_alter(documents) AND tenancy.may_alter(chunks));

CREATE FUNCTION tenancy.corpora_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'tenancy_corpora_changed';

COMMENT ON FUNCTION tenancy.corpora_changed() IS
'trigger: tells all sessions to read the registry of corpora again, when this transaction commits';

CREATE TRIGGER corpora_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.corpora
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.corpora_changed();

CREATE FUNCTION tenancy.grant_corpus(corpus text, role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass;
    schema regnamespace;
BEGIN
    -- Without these the tables and pgvector's operators are out of reach; a schema of somebody else's is theirs to open.
    FOR schema IN
        SELECT n.oid
        FROM pg_namespace n
        WHERE (n.oid IN (SELECT t.relnamespace
                         FROM tenancy.corpora c
                         LEFT JOIN tenancy.graphs g ON g.corpus = c.name
                         JOIN pg_class t ON t.oid IN (c.documents, c.chunks, g.entities, g.relations, g.mentions)
                         WHERE c.name = grant_corpus.corpus)
               OR n.oid = (SELECT e.extnamespace FROM pg_extension e WHERE e.extname = 'vector'))
          AND NOT has_schema_privilege(role, n.oid, 'USAGE') AND pg_has_role(n.nspowner, 'USAGE')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO %s', schema, role);
    END LOOP;
    FOR relation IN
        SELECT t.oid
        FROM tenancy.corpora c
        LEFT JOIN tenancy.graphs g ON g.corpus = c.name
        JOIN pg_class t ON t.oid IN (c.documents, c.chunks, g.entities, g.relations, g.mentions)
        WHERE c.name = grant_corpus.corpus
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s', relation, role);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.grant_corpus(text, regrole) IS
'lets an application''s role read and write the tables of a corpus, as far as they still exist, and use the schemas that the caller owns of them; internal';

CREATE FUNCTION tenancy.revoke_corpus(corpus text, role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT t.oid
        FROM tenancy.corpora c
        LEFT JOIN tenancy.graphs g ON g.corpus = c.name
        JOIN pg_class t ON t.oid IN (c.documents, c.chunks, g.entities, g.relations, g.mentions)
        WHERE c.name = revoke_corpus.corpus
    LOOP
        EXECUTE format('REVOKE SELECT, INSERT, UPDATE, DELETE ON %s FROM %s', relation, role);
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.revoke_corpus(text, regrole) IS 'takes back what grant_corpus gave on the tables; the schemas may serve others; internal';

CREATE FUNCTION tenancy.refuse_bad_corpus(name text, metric text, text_config regconfig) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text := CASE WHEN name IS NULL THEN 'name' WHEN metric IS NULL THEN 'metric' WHEN text_config IS NULL THEN 'text_config' END;
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('%s must not be null', missing);
    END IF;
    IF name !~ '^[a-z][a-z0-9_]{0,49}$' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid corpus name %L', left(name, 80)),
            HINT = 'Use 1 to 50 characters of a-z, 0-9 and underscores, beginning with a letter.';
    END IF;
    IF metric NOT IN ('cosine', 'inner_product', 'l2') THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid metric %L', left(metric, 80)),
            HINT = 'Use cosine, inner_product or l2.';
    END IF;
    IF EXISTS (SELECT FROM tenancy.corpora c WHERE c.name = refuse_bad_corpus.name) THEN
        RAISE EXCEPTION USING ERRCODE = '42710',
            MESSAGE = format('corpus "%s" already exists', name),
            HINT = 'Choose another name, or remove it with tenancy.drop_corpus() first.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_corpus(text, text, regconfig) IS 'raises a hint for what cannot name or describe a new corpus; internal';

CREATE FUNCTION tenancy.tenant_column(relation regclass) RETURNS name
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- The floor reads one column, and pg_depend says which: true also where the table was protected before a rename.
    SELECT a.attname
    FROM pg_policy p
    JOIN pg_class t ON t.oid = p.polrelid AND t.relrowsecurity AND t.relforcerowsecurity
    JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.polrelid AND d.refobjsubid > 0
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE p.polrelid = relation AND p.polname = 'tenancy_isolation' AND NOT p.polpermissive
    LIMIT 1;
END;

COMMENT ON FUNCTION tenancy.tenant_column(regclass) IS 'the tenant column of a protected table, or null for a table that is not protected; internal';

CREATE FUNCTION tenancy.column_for_corpus(
    relation regclass, part text, columns jsonb, allowed text[], required boolean, fallback name DEFAULT NULL
) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted name := columns ->> part;
    has_type text;
BEGIN
    IF columns ? part AND jsonb_typeof(columns -> part) NOT IN ('string', 'null') THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('column for "%s" must be a name, not %s', part, columns -> part),
            HINT = 'columns maps the parts of a corpus to the names of the tables'' columns.';
    END IF;
    IF NOT columns ? part THEN
        wanted := coalesce(fallback, part);
    END IF;
    IF wanted IS NULL AND NOT required THEN
        RETURN NULL;
    END IF;

    -- A type of the application's may be called like one of the system's, or of pgvector's.
    SELECT CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace OR EXISTS (
                    SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'vector'
                    WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
                THEN t.typname ELSE format_type(t.oid, NULL) END INTO has_type
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = relation AND a.attname = wanted AND a.attnum > 0 AND NOT a.attisdropped;
    IF has_type IS NULL AND NOT required AND NOT columns ? part THEN
        RETURN NULL;
    END IF;
    IF has_type IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('table %s has no column "%s" to serve as %s', relation, wanted, part),
            HINT = format('Name the column that does in columns, as in {"%s": "its_name"}.', part);
    END IF;
    IF has_type <> ALL (allowed) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('column "%s" of table %s must be of type %s, not %s', wanted, relation, array_to_string(allowed, ' or '), has_type),
            DETAIL = format('It was to serve as %s.', part);
    END IF;
    RETURN wanted;
END
$$;

COMMENT ON FUNCTION tenancy.column_for_corpus(regclass, text, jsonb, text[], boolean, name) IS
'the column of a table that plays a part in a corpus, checked; null when the table has none and need not; internal';

CREATE FUNCTION tenancy.refuse_bad_model(model text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(model) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('name of an embedding model must have 1 to 200 characters, not %s', length(model)),
            HINT = 'Use the name by which the application asks for the model.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_bad_model(text) IS 'raises 22023 for what cannot be the name of an embedding model; internal';

CREATE FUNCTION tenancy.attach_corpus(
    name text, documents regclass, chunks regclass, columns jsonb DEFAULT '{}', dimensions integer DEFAULT NULL,
    metric text DEFAULT 'cosine', text_config regconfig DEFAULT 'english', embedding_model text DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    parts constant text[] := '{tenant_id,id,document_id,chunk_index,content,embedding,metadata,tsv,documents_tenant_id,documents_id,title,source}';
    relation regclass;
    resolved jsonb;
    stored integer;
    unknown text;
    app regrole;
BEGIN
    PERFORM tenancy.refuse_bad_corpus(attach_corpus.name, attach_corpus.metric, attach_corpus.text_config);
    IF documents IS NULL OR chunks IS NULL OR columns IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = format('%s must not be null',
            CASE WHEN documents IS NULL THEN 'documents' WHEN chunks IS NULL THEN 'chunks' ELSE 'columns' END);
    END IF;
    IF jsonb_typeof(columns) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('columns must be a JSON object, not %s', jsonb_typeof(columns)),
            HINT = 'It maps the parts of a corpus to the names of the tables'' columns, as in {"content": "body"}.';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(columns) k WHERE k <> ALL (parts) ORDER BY k LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('a corpus has no part "%s"', left(unknown, 80)),
            HINT = format('The parts are %s.', array_to_string(parts, ', '));
    END IF;

    FOREACH relation IN ARRAY ARRAY[documents, chunks] LOOP
        IF tenancy.may_alter(relation) IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = '42P01', MESSAGE = format('relation %s does not exist', relation);
        END IF;
        IF NOT tenancy.may_alter(relation) THEN
            RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of table %s', relation);
        END IF;
        IF tenancy.tenant_column(relation) IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'TN010',
                MESSAGE = format('table %s is not protected', relation),
                HINT = format('Call tenancy.protect(%L) first.', relation);
        END IF;
    END LOOP;

    resolved := jsonb_build_object(
        'tenant_id', tenancy.column_for_corpus(chunks, 'tenant_id', columns, '{uuid,text,varchar,int8,int4}', true, tenancy.tenant_column(chunks)),
        'id', tenancy.column_for_corpus(chunks, 'id', columns, '{uuid}', true),
        'document_id', tenancy.column_for_corpus(chunks, 'document_id', columns, '{uuid}', true),
        'chunk_index', tenancy.column_for_corpus(chunks, 'chunk_index', columns, '{int4,int2}', false),
        'content', tenancy.column_for_corpus(chunks, 'content', columns, '{text,varchar}', true),
        'embedding', tenancy.column_for_corpus(chunks, 'embedding', columns, '{vector,halfvec}', true),
        'metadata', tenancy.column_for_corpus(chunks, 'metadata', columns, '{jsonb}', false),
        'tsv', tenancy.column_for_corpus(chunks, 'tsv', columns, '{tsvector}', false, 'content_tsv'),
        'documents_tenant_id', tenancy.column_for_corpus(documents, 'documents_tenant_id', columns, '{uuid,text,varchar,int8,int4}', true, tenancy.tenant_column(documents)),
        'documents_id', tenancy.column_for_corpus(documents, 'documents_id', columns, '{uuid}', true, 'id'),
        'title', tenancy.column_for_corpus(documents, 'title', columns, '{text,varchar}', false),
        'source', tenancy.column_for_corpus(documents, 'source', columns, '{text,varchar}', false));

    IF resolved ->> 'tenant_id' <> tenancy.tenant_column(chunks) OR resolved ->> 'documents_tenant_id' <> tenancy.tenant_column(documents) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('tenant columns must be those that the tables are protected by, "%s" of %s and "%s" of %s',
                tenancy.tenant_column(chunks), chunks, tenancy.tenant_column(documents), documents),
            HINT = 'Leave tenant_id and documents_tenant_id out of columns.';
    END IF;

    SELECT a.atttypmod INTO stored
    FROM pg_attribute a
    WHERE a.attrelid = chunks AND a.attname = (resolved ->> 'embedding')::name;
    IF stored < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('column "%s" of table %s has no dimensions', resolved ->> 'embedding', chunks),
            HINT = 'Give its type a number of dimensions, as in vector(384).';
    END IF;
    IF coalesce(attach_corpus.dimensions, stored) <> stored THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('column "%s" of table %s has %s dimensions, not %s', resolved ->> 'embedding', chunks, stored, attach_corpus.dimensions);
    END IF;

    -- Ties are broken by this id, and rows are fetched by it.
    IF NOT EXISTS (
        SELECT
        FROM pg_index i
        WHERE i.indrelid = chunks AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND (SELECT array_agg(a.attname::text) <@ ARRAY[resolved ->> 'tenant_id', resolved ->> 'id'] AND bool_or(a.attname = resolved ->> 'id')
               FROM pg_attribute a
               WHERE a.attrelid = chunks AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('column "%s" of table %s is not unique', resolved ->> 'id', chunks),
            HINT = format('Make a unique constraint on (%I, %I).', resolved ->> 'tenant_id', resolved ->> 'id');
    END IF;

    PERFORM tenancy.refuse_bad_model(attach_corpus.embedding_model);
    INSERT INTO tenancy.corpora (name, documents, chunks, dimensions, metric, text_config, columns, embedding_model)
    VALUES (attach_corpus.name, attach_corpus.documents, attach_corpus.chunks, stored, attach_corpus.metric,
            (SELECT format('%s.%I', c.cfgnamespace::regnamespace, c.cfgname) FROM pg_ts_config c WHERE c.oid = attach_corpus.text_config),
            resolved, attach_corpus.embedding_model);
    PERFORM tenancy.meter_documents(documents);
    PERFORM tenancy.keep_stores(attach_corpus.name);
    FOR app IN SELECT a FROM tenancy.app_roles() a LOOP
        PERFORM tenancy.grant_corpus(attach_corpus.name, app);
    END LOOP;
    RETURN attach_corpus.name;
END
$$;

COMMENT ON FUNCTION tenancy.attach_corpus(text, regclass, regclass, jsonb, integer, text, regconfig, text) IS
'registers two protected tables of the caller as a corpus and lets the application''s roles read and write them; columns maps the parts of a corpus to the tables'' column names where they differ; embedding_model is remembered as by set_embedding_model(); TN010 says what does not fit';

CREATE FUNCTION tenancy.create_corpus(
    name text DEFAULT 'default', dimensions integer DEFAULT NULL, metric text DEFAULT 'cosine',
    text_config regconfig DEFAULT 'english', schema name DEFAULT 'public', embedding_type text DEFAULT 'vector',
    embedding_model text DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    prefix text := CASE WHEN create_corpus.name = 'default' THEN '' ELSE create_corpus.name || '_' END;
    documents text;
    chunks text;
    vectors text;
BEGIN
    PERFORM tenancy.refuse_bad_corpus(create_corpus.name, create_corpus.metric, create_corpus.text_config);
    IF dimensions IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = 'dimensions of the corpus are not given',
            HINT = 'Say how long your embedding model''s vectors are, as in tenancy.create_corpus(dimensions => 384).';
    END IF;
    IF embedding_type IS NULL OR embedding_type NOT IN ('vector', 'halfvec') THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('invalid embedding_type %s', coalesce(quote_literal(left(embedding_type, 80)), 'NULL')),
            HINT = 'Use vector (4 bytes a dimension) or halfvec (2 bytes).';
    END IF;
    IF dimensions NOT BETWEEN 1 AND 16000 THEN
        RAISE EXCEPTION USING ERRCODE = '22023',
            MESSAGE = format('dimensions must be between 1 and 16000, not %s', dimensions);
    END IF;
    IF schema IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'schema must not be null';
    END IF;
    documents := format('%I.%I', schema, prefix || 'documents');
    chunks := format('%I.%I', schema, prefix || 'chunks');
    SELECT quote_ident(n.nspname) INTO vectors
    FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector';

    EXECUTE format($ddl$
        CREATE TABLE %s (
            tenant_id uuid NOT NULL,
            id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
            title text,
            source text,
            metadata jsonb NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, id)
        )$ddl$, documents);
    EXECUTE format($ddl$
        CREATE TABLE %s (
            tenant_id uuid NOT NULL,
            id uuid NOT NULL DEFAULT tenancy.uuid_v7(),
            document_id uuid NOT NULL,
            chunk_index integer NOT NULL DEFAULT 0,
            content text NOT NULL,
            embedding %s.%I(%s),
            metadata jsonb NOT NULL DEFAULT '{}',
            content_tsv tsvector GENERATED ALWAYS AS (to_tsvector(%L::regconfig, content)) STORED,
            created_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (tenant_id, id),
            UNIQUE (tenant_id, document_id, chunk_index),
            FOREIGN KEY (tenant_id, document_id) REFERENCES %s (tenant_id, id) ON DELETE CASCADE
        )$ddl$, chunks, vectors, embedding_type, dimensions, text_config, documents);
    PERFORM tenancy.protect(documents::regclass);
    PERFORM tenancy.protect(chunks::regclass);

    RETURN tenancy.attach_corpus(create_corpus.name, documents::regclass, chunks::regclass,
                                 metric => create_corpus.metric, text_config => create_corpus.text_config,
                                 embedding_model => create_corpus.embedding_model);
END
$$;

COMMENT ON FUNCTION tenancy.create_corpus(text, integer, text, regconfig, name, text, text) IS
'makes the protected tables documents and chunks (with the corpus''s name before them, unless that is default), owned by the caller, registers them and lets the application''s roles read and write them; embedding_model is remembered as by set_embedding_model(); returns the name';

CREATE FUNCTION tenancy.set_embedding_model(model text, corpus text DEFAULT 'default') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM tenancy.refuse_bad_model(set_embedding_model.model);
    IF NOT EXISTS (SELECT FROM tenancy.corpora c WHERE c.name = set_embedding_model.corpus) THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus %s is not configured', coalesce('"' || left(set_embedding_model.corpus, 80) || '"', 'NULL')),
            HINT = 'SELECT name FROM tenancy.corpora shows those that are.';
    END IF;
    UPDATE tenancy.corpora c SET embedding_model = set_embedding_model.model WHERE c.name = set_embedding_model.corpus;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of the tables of corpus "%s"', set_embedding_model.corpus);
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.set_embedding_model(text, text) IS
'says which model makes the embeddings of a corpus of the caller; the SDK and tenancyctl then refuse another (TN010), which a search could not tell apart; null takes that back';

CREATE FUNCTION tenancy.drop_corpus(name text, drop_tables boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered tenancy.corpora;
    relation regclass;
BEGIN
    IF drop_tables IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'drop_tables must not be null';
    END IF;
    SELECT c.* INTO registered FROM tenancy.corpora c WHERE c.name = drop_corpus.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TN010',
            MESSAGE = format('corpus %s is not configured', coalesce('"' || left(drop_corpus.name, 80) || '"', 'NULL')),
            HINT = 'SELECT name FROM tenancy.corpora shows those that are.';
    END IF;
    IF tenancy.may_alter(registered.chunks) IS NOT FALSE THEN
        PERFORM tenancy.forget_stores(drop_corpus.name);
        IF EXISTS (SELECT FROM tenancy.graphs g WHERE g.corpus = drop_corpus.name) THEN
            PERFORM tenancy.drop_graph(drop_corpus.name, drop_tables);
        END IF;
    END IF;
    DELETE FROM tenancy.corpora c WHERE c.name = drop_corpus.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of the tables of corpus "%s"', drop_corpus.name);
    END IF;
    IF EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = registered.documents)
       AND NOT EXISTS (SELECT FROM tenancy.corpora c WHERE c.documents = registered.documents) THEN
        PERFORM tenancy.unmeter_documents(registered.documents);
    END IF;
    IF drop_tables THEN
        FOR relation IN SELECT t.oid FROM pg_class t WHERE t.oid IN (registered.chunks, registered.documents) ORDER BY t.oid = registered.documents LOOP
            EXECUTE format('DROP TABLE %s', relation);
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.drop_corpus(text, boolean) IS
'takes a corpus out of the registry, and with drop_tables its tables out of the database; without, they stay, protected and granted as they were';
