-- A schema "hostile" that shadows what SQL may name without a schema: every operator, function, aggregate, type and relation of
-- pg_catalog and of pgvector, and the relations of the extension. It is collected from the catalogue, so that it cannot grow
-- stale. Whatever of it is called says so in a warning, with the role that it was called as.
-- Run it as the role that is to be the attacker, who may create schemas in the database.
\set QUIET on
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;

CREATE FUNCTION hostile.called(what pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'hostile % called as %', what, current_user;
    RETURN true;
END
$$;

CREATE TABLE hostile.made (kind pg_catalog.text, name pg_catalog.text);

-- What cannot be written in PL/pgSQL (pseudo-types, mostly) is left out, and counted.
CREATE FUNCTION hostile.attempt(kind pg_catalog.text, name pg_catalog.text, VARIADIC statements pg_catalog.text[]) RETURNS pg_catalog.void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    INSERT INTO hostile.made VALUES (kind, name);
EXCEPTION WHEN OTHERS THEN
    INSERT INTO hostile.made VALUES (kind || ' left out', name);
END
$$;

CREATE FUNCTION hostile.body(what pg_catalog.text, returns pg_catalog.text) RETURNS pg_catalog.text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('LANGUAGE plpgsql AS %L', format('BEGIN PERFORM hostile.called(%L); RETURN%s; END', what,
                  CASE WHEN returns ~ '^(SETOF|TABLE)' OR returns = 'void' THEN '' ELSE ' NULL' END))
$$;

DO $do$
DECLARE
    schemas pg_catalog.regnamespace[] := ARRAY['pg_catalog'::pg_catalog.regnamespace,
        (SELECT e.extnamespace FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'vector')];
    item pg_catalog.record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    FOR item IN
        SELECT o.oid, o.oprname AS name, format_type(nullif(o.oprleft, 0), NULL) AS l, format_type(o.oprright, NULL) AS r,
               format_type(o.oprresult, NULL) AS result, o.oprleft <> 0 AS is_binary
        FROM pg_operator o WHERE o.oprnamespace = ANY (schemas) AND o.oprright <> 0 AND o.oprcode <> 0
    LOOP
        PERFORM hostile.attempt('operator', item.name,
            format('CREATE FUNCTION hostile.operator_%s(%s) RETURNS %s %s', item.oid, concat_ws(', ', CASE WHEN item.is_binary THEN item.l END, item.r),
                   item.result, hostile.body(format('operator %s(%s,%s)', item.name, item.l, item.r), item.result)),
            format('CREATE OPERATOR hostile.%s (%s RIGHTARG = %s, FUNCTION = hostile.operator_%s)', item.name,
                   CASE WHEN item.is_binary THEN format('LEFTARG = %s,', item.l) END, item.r, item.oid));
    END LOOP;
    -- Those of SQL's own syntax cannot be shadowed by a name; the others all are.
    FOR item IN
        SELECT DISTINCT ON (p.proname, pg_get_function_identity_arguments(p.oid))
               p.proname AS name, pg_get_function_result(p.oid) AS result,
               -- PL/pgSQL takes no "any"; a text matches as well what is passed there.
               replace(replace(pg_get_function_identity_arguments(p.oid), 'VARIADIC "any"', 'VARIADIC text[]'), '"any"', 'text') AS arguments
        FROM pg_proc p WHERE p.pronamespace = ANY (schemas) AND p.prokind = 'f'
          AND 'internal'::regtype <> ALL (p.proargtypes::oid[]) AND 'cstring'::regtype <> ALL (p.proargtypes::oid[] || p.prorettype)
    LOOP
        PERFORM hostile.attempt('function', item.name,
            format('CREATE FUNCTION hostile.%I(%s) RETURNS %s %s', item.name, item.arguments, item.result,
                   hostile.body('function ' || item.name, item.result)));
    END LOOP;
    FOR item IN
        SELECT p.oid, p.proname AS name, pg_get_function_result(p.oid) AS result,
               replace(pg_get_function_identity_arguments(p.oid), '"any"', 'text') AS arguments
        FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid AND a.aggkind = 'n'
        WHERE p.pronamespace = ANY (schemas)
    LOOP
        PERFORM hostile.attempt('aggregate', item.name,
            format('CREATE FUNCTION hostile.aggregate_%s(%s) RETURNS %s %s', item.oid, concat_ws(', ', item.result, nullif(item.arguments, '')),
                   item.result, hostile.body('aggregate ' || item.name, item.result)),
            format('CREATE AGGREGATE hostile.%I(%s) (SFUNC = hostile.aggregate_%s, STYPE = %s)', item.name,
                   coalesce(nullif(item.arguments, ''), '*'), item.oid, item.result));
    END LOOP;
    FOR item IN
        SELECT c.relname AS name, string_agg(format('NULL::%s AS %I', CASE t.typtype WHEN 'p' THEN 'text' ELSE format_type(a.atttypid, NULL) END,
                                                    a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE c.relkind IN ('r', 'v', 'p') AND (n.oid = ANY (schemas) OR n.nspname IN ('tenancy', 'tenancy_internal'))
        GROUP BY c.relname, c.oid
    LOOP
        PERFORM hostile.attempt('relation', item.name,
            format('CREATE VIEW hostile.%I AS SELECT %s WHERE hostile.called(%L)', item.name, item.columns, 'relation ' || item.name));
    END LOOP;
    -- Last, since what comes after it would use them.
    FOR item IN
        SELECT t.typname AS name, n.nspname AS schema
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.oid = ANY (schemas) AND t.typtype IN ('b', 'd', 'r', 'm') AND t.typname !~ '^(_|pg_)'
          AND NOT EXISTS (SELECT FROM hostile.made m WHERE m.kind = 'relation' AND m.name = t.typname)
    LOOP
        PERFORM hostile.attempt('type', item.name,
            format('CREATE DOMAIN hostile.%I AS %I.%I CHECK (hostile.called(%L))', item.name, item.schema, item.name, 'type ' || item.name));
    END LOOP;
END
$do$;
GRANT SELECT ON ALL TABLES IN SCHEMA hostile TO PUBLIC;
\set QUIET off
