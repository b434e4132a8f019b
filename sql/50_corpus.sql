-- Corpora: pairs of tables (documents, chunks) that the search functions read.

CREATE TABLE tenancy.corpora (
    name text COLLATE "C" NOT NULL,
    documents regclass NOT NULL,
    chunks regclass NOT NULL,
    CONSTRAINT corpora_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE tenancy.corpora IS 'the pairs of tables that the search functions read';

SELECT pg_catalog.pg_extension_config_dump('tenancy.corpora', '');

CREATE FUNCTION tenancy.grant_corpus(corpus text, role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.corpora;
BEGIN
    SELECT c.* INTO found FROM tenancy.corpora c WHERE c.name = grant_corpus.corpus;
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s, %s TO %s', found.documents, found.chunks, role);
END
$$;

COMMENT ON FUNCTION tenancy.grant_corpus(text, regrole) IS 'lets an application''s role read and write the tables of a corpus; internal';

CREATE FUNCTION tenancy.revoke_corpus(corpus text, role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found tenancy.corpora;
BEGIN
    SELECT c.* INTO found FROM tenancy.corpora c WHERE c.name = revoke_corpus.corpus;
    EXECUTE format('REVOKE SELECT, INSERT, UPDATE, DELETE ON %s, %s FROM %s', found.documents, found.chunks, role);
END
$$;

COMMENT ON FUNCTION tenancy.revoke_corpus(text, regrole) IS 'takes back what grant_corpus gave; internal';
