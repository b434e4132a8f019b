-- What the owners of tables may write into the registries. A row must fit its table when an owner writes it; what the owner does to the
-- table afterwards can make it wrong again, so whoever walks through the registries bears wrong rows, and check() names them.
--
-- Rows of a dump come in any order, before or after the tables that they are about: who has the rights of the registry's owner,
-- without which none can be restored, is believed, and check() looks at what came.

-- Goes from table to table at most once, whatever the registry says.
CREATE FUNCTION tenancy.path_problem(relation regclass, path name) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    step regclass := path_problem.relation;
    by_key name := path_problem.path;
    passed regclass[] := '{}';
BEGIN
    LOOP
        passed := passed || step;
        SELECT f.confrelid INTO step FROM pg_constraint f
        WHERE f.conrelid = passed[cardinality(passed)] AND f.conname = by_key AND f.contype = 'f';
        IF NOT FOUND THEN
            RETURN format('table %s has no foreign key %I, by which it is protected', passed[cardinality(passed)], by_key);
        ELSIF step = ANY (passed) THEN
            RETURN format('its path goes in a circle: %s', array_to_string(passed || step, ', '));
        ELSIF EXISTS (SELECT FROM tenancy.protected_tables p WHERE p.relation = step) THEN
            RETURN NULL;
        END IF;
        SELECT i.path INTO by_key FROM tenancy.indirect_tables i WHERE i.relation = step AND i.kind = 'path';
        IF NOT FOUND THEN
            RETURN format('its path leads to table %s, which is not protected', step);
        END IF;
    END LOOP;
END
$$;

COMMENT ON FUNCTION tenancy.path_problem(regclass, name) IS
'why a table cannot be protected by a path of foreign keys, or null when they lead to a protected table; internal';

CREATE FUNCTION tenancy.column_problem(relation regclass, tenant_column name, column_type regtype) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN tenancy.tenants_column(column_type) IS NULL
                THEN format('a tenant column is of type uuid, text, bigint or integer, not %s', column_type)
                WHEN a.attname IS NULL THEN format('it has no column %I', tenant_column)
                WHEN a.atttypid <> column_type
                THEN format('its column %I is of type %s, not %s', tenant_column, a.atttypid::regtype, column_type) END
    FROM (SELECT) AS always
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = tenant_column AND a.attnum > 0 AND NOT a.attisdropped;
END;

COMMENT ON FUNCTION tenancy.column_problem(regclass, name, regtype) IS
'why a column cannot hold the tenants of a table as it is registered, or null; internal';

CREATE FUNCTION tenancy.corpus_problem(corpus tenancy.corpora) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT 'its documents and its chunks are in one table' WHERE (corpus).documents = (corpus).chunks),
        (SELECT format('there is no text search configuration %s; its name is to be given with its schema', (corpus).text_config)
         WHERE NOT EXISTS (SELECT FROM pg_ts_config t WHERE format('%s.%I', t.cfgnamespace::regnamespace, t.cfgname) = (corpus).text_config)),
        (SELECT format('a corpus has no part %s', e.key)
         FROM jsonb_each((corpus).columns) e
         WHERE e.key NOT IN ('tenant_id', 'id', 'document_id', 'chunk_index', 'content', 'embedding', 'metadata', 'tsv',
                             'documents_tenant_id', 'documents_id', 'title', 'source')
         ORDER BY e.key LIMIT 1),
        (SELECT CASE WHEN p.column_name IS NULL THEN format('no column is named for its part %s', p.part)
                     WHEN a.attname IS NULL THEN format('table %s has no column %I for its part %s', p.relation, p.column_name, p.part)
                     ELSE format('column %I of table %s is of type %s, which cannot be its part %s', p.column_name, p.relation,
                                 format_type(a.atttypid, NULL), p.part) END
         FROM (SELECT v.part, v.types, v.required, CASE WHEN v.of_documents THEN (corpus).documents ELSE (corpus).chunks END AS relation,
                      (corpus).columns ->> v.part AS column_name, v.place
               FROM (VALUES (1, 'tenant_id', '{uuid,text,varchar,int8,int4}'::name[], true, false), (2, 'id', '{uuid}', true, false),
                            (3, 'document_id', '{uuid}', true, false), (4, 'chunk_index', '{int4,int2}', false, false),
                            (5, 'content', '{text,varchar}', true, false), (6, 'embedding', '{vector,halfvec}', true, false),
                            (7, 'metadata', '{jsonb}', false, false), (8, 'tsv', '{tsvector}', false, false),
                            (9, 'documents_tenant_id', '{uuid,text,varchar,int8,int4}', true, true), (10, 'documents_id', '{uuid}', true, true),
                            (11, 'title', '{text,varchar}', false, true), (12, 'source', '{text,varchar}', false, true))
                    AS v (place, part, types, required, of_documents)) p
         LEFT JOIN pg_attribute a ON a.attrelid = p.relation AND a.attname = p.column_name AND a.attnum > 0 AND NOT a.attisdropped
         -- A type of the application's may be called like one of the system's, or of pgvector's.
         LEFT JOIN pg_type t ON t.oid = a.atttypid
             AND (t.typnamespace = 'pg_catalog'::regnamespace
                  OR EXISTS (SELECT FROM pg_depend d
                             WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'))
         WHERE CASE WHEN p.column_name IS NULL THEN p.required ELSE t.typname IS NULL OR t.typname <> ALL (p.types) END
         ORDER BY p.place LIMIT 1),
        (SELECT format('column %I of table %s has %s dimensions, not %s', a.attname, (corpus).chunks, a.atttypmod, (corpus).dimensions)
         FROM pg_attribute a
         WHERE a.attrelid = (corpus).chunks AND a.attname = (corpus).columns ->> 'embedding' AND a.atttypmod <> (corpus).dimensions));
END;

COMMENT ON FUNCTION tenancy.corpus_problem(tenancy.corpora) IS
'why the tables of a corpus cannot be searched as it is registered, or null; internal';

CREATE FUNCTION tenancy.refuse_wrong_registration() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    registered jsonb := to_jsonb(NEW);
    subject regclass;
    problem text;
BEGIN
    IF (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = TG_RELID) THEN
        RETURN NEW;
    END IF;
    subject := coalesce(registered ->> 'relation', registered ->> 'chunks')::regclass;
    -- Of a table of somebody else's the policies refuse it.
    IF tenancy.may_alter(subject) IS NOT TRUE
       OR registered ? 'documents' AND tenancy.may_alter((registered ->> 'documents')::regclass) IS NOT TRUE THEN
        RETURN NEW;
    END IF;
    CASE TG_TABLE_NAME
    WHEN 'indirect_tables' THEN
        problem := CASE WHEN registered ->> 'kind' = 'path' THEN tenancy.path_problem(subject, (registered ->> 'path')::name) END;
    WHEN 'protected_tables' THEN
        -- protect() registers a table before it gives it the column.
        IF EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = subject AND a.attname = registered ->> 'tenant_column' AND NOT a.attisdropped) THEN
            problem := tenancy.column_problem(subject, (registered ->> 'tenant_column')::name, (registered ->> 'column_type')::regtype);
        END IF;
        IF EXISTS (SELECT FROM tenancy.indirect_tables i WHERE i.relation = subject) THEN
            problem := 'it is shared, or protected by a path';
        END IF;
    WHEN 'corpora' THEN
        problem := tenancy.corpus_problem(NEW);
    END CASE;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TN009', MESSAGE = format('relation %s cannot be registered so', subject),
            DETAIL = format('As tenancy.%I would have it: %s.', TG_TABLE_NAME, problem),
            HINT = 'Call tenancy.protect(), tenancy.protect_by_path(), tenancy.create_corpus() or tenancy.attach_corpus(), which write what fits.';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_wrong_registration() IS
'trigger: refuses rows of owners that do not fit their tables (TN009); rows that are restored are believed, and check() looks at them';

CREATE TRIGGER refuse_wrong_registration BEFORE INSERT OR UPDATE ON tenancy.protected_tables
FOR EACH ROW EXECUTE FUNCTION tenancy.refuse_wrong_registration();

CREATE TRIGGER refuse_wrong_registration BEFORE INSERT OR UPDATE ON tenancy.indirect_tables
FOR EACH ROW EXECUTE FUNCTION tenancy.refuse_wrong_registration();

CREATE TRIGGER refuse_wrong_registration BEFORE INSERT OR UPDATE ON tenancy.corpora
FOR EACH ROW EXECUTE FUNCTION tenancy.refuse_wrong_registration();

-- The tables of tenants of which nobody can tell whose their rows are.
CREATE FUNCTION tenancy.wrong_tables() RETURNS TABLE (relation regclass, problem text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT i.relation, p.problem
    FROM tenancy.indirect_tables i
    JOIN pg_class c ON c.oid = i.relation
    CROSS JOIN LATERAL tenancy.path_problem(i.relation, i.path) AS p (problem)
    WHERE i.kind = 'path' AND p.problem IS NOT NULL
    UNION ALL
    SELECT r.relation, p.problem
    FROM tenancy.protected_tables r
    JOIN pg_class c ON c.oid = r.relation
    CROSS JOIN LATERAL tenancy.column_problem(r.relation, r.tenant_column, r.column_type) AS p (problem)
    WHERE p.problem IS NOT NULL
    UNION ALL
    SELECT r.relation, 'it is registered twice, with a tenant column and without one'
    FROM tenancy.protected_tables r
    JOIN tenancy.indirect_tables i ON i.relation = r.relation
    JOIN pg_class c ON c.oid = r.relation;
END;

COMMENT ON FUNCTION tenancy.wrong_tables() IS 'the registered tables of which it cannot be told whose their rows are, and why; internal';

-- Asked before anything is done for a tenant as a whole: a table that was passed over would be rows lost, or left behind.
CREATE FUNCTION tenancy.refuse_wrong_tables() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrong record;
BEGIN
    SELECT w.relation, w.problem, c.relowner::regrole AS owner INTO wrong
    FROM tenancy.wrong_tables() w JOIN pg_class c ON c.oid = w.relation
    ORDER BY w.relation::text LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('whose the rows of %s are cannot be told', wrong.relation),
            DETAIL = format('Its owner is %s, and it is registered wrongly: %s.', wrong.owner, wrong.problem),
            HINT = 'tenancy.check() lists the tables that are registered wrongly; their owners, or a superuser, protect or unprotect them.';
    END IF;
END
$$;

COMMENT ON FUNCTION tenancy.refuse_wrong_tables() IS
'raises 55000 for a registered table of which it cannot be told whose its rows are, with its owner; internal';
