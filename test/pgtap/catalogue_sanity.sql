-- What PostgreSQL's opr_sanity, type_sanity and misc_sanity ask of its own catalogue, asked of the extension's objects.
--
-- Those three themselves, run in a database with the extension on PostgreSQL 15, differ from what is expected in this: SECURITY
-- DEFINER functions are listed (ours have a fixed search_path, see catalogue_functions.sql), and pairs of functions of one name and
-- arguments in two schemas (an entry in tenancy, what it leads to in tenancy_internal); pgvector adds operators and their functions;
-- the column keyword_log.documents has another storage than its type; the functions that input and output enums, and
-- binary_coercible(), come from tests that were not run before.
BEGIN;
SELECT plan(13);

CREATE TEMPORARY VIEW members AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'tenancy'
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';
CREATE TEMPORARY VIEW procs AS SELECT p.* FROM pg_proc p JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE TEMPORARY VIEW classes AS SELECT c.* FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;
CREATE TEMPORARY VIEW types AS SELECT t.* FROM pg_type t JOIN members m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid;

-- pg_proc
SELECT is_empty($$
    SELECT oid::regprocedure FROM procs
    WHERE prolang = 0 OR prorettype = 0 OR pronargs < 0 OR pronargdefaults NOT BETWEEN 0 AND pronargs OR 0::oid = ANY (proargtypes) OR procost <= 0
       OR CASE WHEN proretset THEN prorows <= 0 ELSE prorows <> 0 END OR prokind NOT IN ('f', 'p') OR provolatile NOT IN ('i', 's', 'v') OR proparallel NOT IN ('s', 'r', 'u')$$,
    'functions have legal values');
SELECT is_empty($$SELECT oid::regprocedure FROM procs WHERE prosrc IS NULL OR (prosrc IN ('', '-') AND prosqlbody IS NULL)$$, 'each has a body');
SELECT is_empty($$SELECT oid::regprocedure FROM procs WHERE proretset AND prokind <> 'f'$$, 'only functions return sets');
SELECT is_empty($$SELECT oid::regprocedure FROM procs WHERE (pronargdefaults <> 0) <> (proargdefaults IS NOT NULL)$$, 'defaults are there where they are counted');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM procs p JOIN pg_language l ON l.oid = p.prolang
    WHERE CASE WHEN l.lanname = 'c' THEN coalesce(p.probin, '') IN ('', '-') ELSE p.probin IS NOT NULL END$$,
    'C functions name their library, and no others do');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM procs p JOIN pg_language l ON l.oid = p.prolang
    WHERE l.lanname = 'c' AND (p.probin <> '$libdir/tenancy' OR p.prosrc !~ '^tenancy_')$$, 'all of them are in our library, under names of ours');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM procs p, unnest(p.proargtypes::oid[] || p.prorettype) t
    WHERE t IN (SELECT y.oid FROM pg_type y WHERE y.typname IN ('internal', 'cstring', 'any', 'anyarray', 'anycompatible', 'unknown'))
      AND p.prosrc NOT LIKE '%handler'$$, 'no function takes or gives a type that SQL cannot check');
SELECT is_empty($$
    SELECT oid::regprocedure FROM procs WHERE proisstrict AND prosupport <> 0$$, 'none has a support function');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM procs p WHERE p.prokind = 'f' AND p.proretset
      AND p.prorettype = 'record'::regtype AND p.proallargtypes IS NULL$$, 'each that gives rows says of which columns');

-- pg_type and pg_class
SELECT is_empty($$SELECT oid::regtype FROM types WHERE typtype NOT IN ('c', 'b', 'e', 'd') OR (typtype = 'c' AND typrelid = 0) OR (typtype <> 'c' AND typelem = 0 AND typrelid <> 0)$$,
                'types have legal values');
SELECT is_empty($$SELECT oid::regclass FROM classes WHERE relkind NOT IN ('r', 'v', 'S', 'c', 'p', 'i') OR relpersistence <> 'p' OR (relkind IN ('r', 'i', 'S') AND relam = 0 AND relkind <> 'S')$$,
                'relations have legal values, and none is unlogged');
SELECT is_empty($$
    SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN classes c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND (a.attlen <> t.typlen OR a.attalign <> t.typalign OR a.attbyval <> t.typbyval OR a.attinhcount <> 0)$$,
    'columns agree with their types');
SELECT is_empty($$
    SELECT i.indexrelid::regclass FROM pg_index i JOIN classes c ON c.oid = i.indrelid
    WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) OR i.indnatts <> (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = i.indexrelid)$$,
    'indexes are valid and whole');

SELECT * FROM finish();
ROLLBACK;
