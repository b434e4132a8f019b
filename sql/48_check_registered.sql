-- check() about rows of the registries that do not fit what they are about.

-- What the other parts of check() say of a missing column or foreign key is not said again.
CREATE FUNCTION tenancy.check_registry() RETURNS TABLE (code text, severity text, object text, problem text, fix text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'registry_wrong', 'error', format('table %s', w.relation), w.problem,
           format('Protect it again, or take it out: SELECT tenancy.unprotect(%L).', w.relation)
    FROM tenancy.wrong_tables() w
    WHERE NOT EXISTS (SELECT FROM tenancy.all_faults() f WHERE f.relation = w.relation AND f.code = 'column_missing')
      AND NOT EXISTS (SELECT FROM tenancy.indirect_faults(w.relation) f WHERE f.code = 'path_missing')
    UNION ALL
    SELECT 'registry_wrong', 'error', format('graph of corpus %I', g.corpus), 'its tables and those of its corpus have different owners',
           format('SELECT tenancy.drop_graph(%L)', g.corpus)
    FROM tenancy.graphs g
    JOIN tenancy.corpora c ON c.name = g.corpus
    JOIN pg_class k ON k.oid = c.chunks
    WHERE EXISTS (SELECT FROM pg_class t
                  WHERE t.oid IN (g.entities, g.relations, g.mentions)
                    AND NOT pg_has_role(t.relowner, k.relowner, 'USAGE') AND NOT pg_has_role(k.relowner, t.relowner, 'USAGE'))
$$;

COMMENT ON FUNCTION tenancy.check_registry() IS 'the part of check() about rows of the registries that do not fit; internal';
