-- The stores that make search fast are derived from the corpora's tables, as indexes are: kept by triggers, never dumped,
-- rebuilt by rebuild_corpus(). Where one is missing, search reads the tables themselves and finds the same.
-- extension/src/store/state.cpp reads this registry by column number: columns are only appended.

CREATE TABLE tenancy.stores (
    corpus text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    number integer NOT NULL GENERATED ALWAYS AS IDENTITY,
    state text COLLATE "C" NOT NULL,
    progress jsonb,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stores_pkey PRIMARY KEY (corpus, kind),
    CONSTRAINT stores_corpus_fkey FOREIGN KEY (corpus) REFERENCES tenancy.corpora (name) ON DELETE CASCADE,
    CONSTRAINT stores_kind_check CHECK (kind IN ('vectors', 'words')),
    CONSTRAINT stores_state_check CHECK (state IN ('building', 'built', 'stale'))
);

COMMENT ON TABLE tenancy.stores IS
'the stores of corpora: building (triggers keep it, what was there before is being added), built (search reads it) or stale (something passed its triggers by; rebuild_corpus builds it anew); none for a restored database';
COMMENT ON COLUMN tenancy.stores.number IS 'by which the rows of this store are found in the tables of its kind; a store that is built anew gets a new one';
COMMENT ON COLUMN tenancy.stores.progress IS 'how far a build has come';

CREATE TRIGGER stores_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tenancy.stores
FOR EACH STATEMENT EXECUTE FUNCTION tenancy.corpora_changed();
