#!/usr/bin/env bash
# Attack 40: the owner of a database, who is no superuser, puts a schema with operators, functions, types and relations of the names
# that SQL uses before pg_catalog, by ALTER DATABASE. Everything that others have of the extension runs there: each function with
# nulls and with plausible arguments, a story through all subjects, the triggers and the background workers. What it would run of
# the attacker's says so in the server's log. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

cluster=attack40
trap 'scripts/cluster drop $cluster >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop $cluster >/dev/null 2>&1
scripts/cluster start $cluster >/dev/null || exit 1
url=$(scripts/cluster url $cluster)
log=$(scripts/cluster log $cluster)
export PGOPTIONS='-c client_min_messages=error'

as() { psql -XqAt -v ON_ERROR_STOP=1 -d "$url dbname=attack user=$1" "${@:2}" 2>&1; }
traps() { tail -c +$((from + 1)) "$log" | grep -oE "hostile [^\"]* called as [a-z]+" | grep -v 'called as attacker' | sort | uniq -c; }
since() { from=$(wc -c <"$log"); }
none_called() {
    local found
    found=$(traps)
    [[ -z $found ]] || { echo "$found"; return 1; }
}

psql -XqAt -v ON_ERROR_STOP=1 -d "$url" <<'END' >/dev/null || exit 1
CREATE ROLE attacker LOGIN; CREATE ROLE app LOGIN; CREATE ROLE owner LOGIN; CREATE ROLE operator LOGIN;
CREATE DATABASE attack OWNER attacker;
END
as postgres <<'END' >/dev/null || exit 1
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.grant_app('app'), tenancy.grant_owner('owner'), tenancy.grant_control_plane('operator');
CREATE SCHEMA own AUTHORIZATION owner;
GRANT USAGE ON SCHEMA own TO PUBLIC;
END
as attacker -f test/security/helpers_hostile_schema.sql -c 'ALTER DATABASE attack SET search_path = hostile, pg_catalog, public' >/dev/null || exit 1

# ---- The trap is one.
since
as app -c "SELECT 'a'::text OPERATOR(pg_catalog.=) 'b'" -c "SELECT lower('A'), 1 = 1" -c 'SELECT count(*) FROM pg_class' >/dev/null
for what in 'type text' 'function lower' 'operator =(integer,integer)' 'relation pg_class' 'aggregate count'; do
    ok "what names its $what without a schema runs the attacker's" grep -qF "hostile $what called as app" <(traps)
done
# Counted from what there is, and not from a list that grows old.
ok 'nearly all operators, functions and relations of pg_catalog have their shadow' [ "$(as attacker -c "
    SELECT pg_catalog.bool_and(k.made OPERATOR(pg_catalog.>=) k.least)
    FROM (SELECT k.least, (SELECT pg_catalog.count(*) FROM hostile.made m WHERE m.kind OPERATOR(pg_catalog.=) k.kind) AS made
          FROM (VALUES ('operator', 750), ('function', 2000), ('relation', 150), ('type', 60)) AS k (kind, least)) k")" = t ]

# ---- A story through the subjects.
since
cat >"$work/operator.sql" <<'END'
SELECT tenancy.create_organization('acme');
SELECT tenancy.create_tenant('tenant-a', organization => 'acme', external_key => '1') AS a \gset
SELECT tenancy.create_tenant('tenant-b', organization => 'acme') AS b \gset
SELECT r.user_id AS admin FROM tenancy.register_user('admin@a.example') r \gset
SELECT r.user_id AS other FROM tenancy.register_user('other@a.example', issuer => 'https://a.example', subject => 'other') r \gset
SELECT tenancy.link_identity(:'other', 'https://b.example', 'other');
SELECT tenancy.add_member(:'a', :'admin', 'admin'), tenancy.add_member(:'a', :'other', 'viewer');
SELECT tenancy.create_role(:'a', 'writer', 15, '{data.read,data.write}');
SELECT tenancy.change_role(:'a', :'other', 'writer');
SELECT tenancy.add_token_issuer('https://a.example', '{HS256}', '{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0cyE","alg":"HS256"}]}', tenant_claim => 'tenant', audience => 'test');
SELECT tenancy.create_api_key(:'a', 'key', 'editor');
SELECT tenancy.set_plan('gold'), tenancy.set_plan_limit('gold', 'documents', 100), tenancy.change_plan('acme', 'gold');
SELECT tenancy.define_metric('calls'), tenancy.set_limit('calls', 10, :'a');
SELECT tenancy.record_usage('calls', 1, :'a'), tenancy.remaining('calls', :'a');
SELECT * FROM tenancy.usage_report();
SELECT * FROM tenancy.list_users();
SELECT tenancy.suspend_tenant(:'b'), tenancy.resume_tenant(:'b');
SELECT * FROM tenancy.audit_log(:'a');
SELECT tenancy.set_default_agent(tenancy.create_agent(:'a', 'helper'));
SELECT tenancy.recount_documents();
SELECT tenancy.seal_audit();
SELECT intact FROM tenancy.verify_audit(:'a');
END
cat >"$work/owner.sql" <<'END'
CREATE TABLE own.notes (id pg_catalog.int4 PRIMARY KEY, title pg_catalog.text UNIQUE, body pg_catalog.text);
CREATE TABLE own.lines (note pg_catalog.int4 NOT NULL REFERENCES own.notes, number pg_catalog.int4, PRIMARY KEY (note, number));
SELECT tenancy.protect('own.notes');
SELECT tenancy.protect_by_path('own.lines');
SELECT tenancy.create_corpus(dimensions => 2, schema => 'own');
SELECT tenancy.create_graph();
SELECT tenancy.audit('own.notes'), tenancy.meter_documents('own.documents');
CREATE TABLE own.parts (tenant_id pg_catalog.uuid, day pg_catalog.date) PARTITION BY RANGE (day);
SELECT tenancy.protect('own.parts');
CREATE TABLE own.parts_old PARTITION OF own.parts FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA own TO app;
SELECT code, object FROM tenancy.check();
END
cat >"$work/app.sql" <<'END'
BEGIN;
SELECT FROM tenancy.set_tenant('tenant-a');
INSERT INTO own.notes (id, title, body) VALUES (1, 'one', 'x'), (2, 'two', 'y');
UPDATE own.notes SET body = 'z';
INSERT INTO own.lines (note, number) VALUES (1, 1), (1, 2);
INSERT INTO own.documents (id, title) VALUES ('00000000-0000-0000-0000-00000000000d', 'doc');
INSERT INTO own.chunks (document_id, chunk_index, content, embedding)
VALUES ('00000000-0000-0000-0000-00000000000d', 1, 'red apple', '[1,0]'), ('00000000-0000-0000-0000-00000000000d', 2, 'green pear', '[0,1]');
SELECT * FROM tenancy.upsert_entities('[{"name": "apple"}, {"name": "pear"}]');
SELECT * FROM tenancy.upsert_relations('[{"source": "apple", "target": "pear"}]');
COMMIT;
BEGIN;
SELECT FROM tenancy.set_tenant('tenant-a');
SELECT content FROM tenancy.match_chunks('[1,0]', filter => '{}', document_ids => '{00000000-0000-0000-0000-00000000000d}');
SELECT content FROM tenancy.keyword_search('apple "green pear"', filter => '{}');
SELECT content FROM tenancy.hybrid_search('[1,0]', 'apple -pear');
SELECT content FROM tenancy.get_document_chunks('00000000-0000-0000-0000-00000000000d');
SELECT * FROM tenancy.graph_search('apple');
SELECT * FROM tenancy.explain_match('[1,0]');
UPDATE own.chunks SET content = 'blue plum';
DELETE FROM own.chunks;
DELETE FROM own.lines;
DELETE FROM own.notes;
ROLLBACK;
BEGIN;
SELECT FROM tenancy.set_tenant('tenant-a');
SELECT tenancy.create_session() AS session \gset
SELECT tenancy.add_message(:'session', 'user', 'hello');
SELECT tenancy.start_run() AS run \gset
SELECT tenancy.finish_run(:'run', 'succeeded');
COMMIT;
END
cat >"$work/super.sql" <<'END'
SELECT code, object FROM tenancy.check();
SELECT attack, result FROM tenancy.pentest();
SELECT * FROM tenancy.publish_tenant('tenant-a', 'of_a', '{own.documents}', dry_run => true);
CREATE TABLE own.rows (id pg_catalog.int4 PRIMARY KEY, customer pg_catalog.text NOT NULL);
INSERT INTO own.rows VALUES (1, 'x'), (2, 'y');
CREATE TABLE own.children (id pg_catalog.int4 PRIMARY KEY, parent pg_catalog.int4 NOT NULL REFERENCES own.rows);
INSERT INTO own.children VALUES (1, 1), (2, 2);
SELECT * FROM tenancy.plan_migration();
SELECT FROM tenancy.start_migration(tables => '{"own.rows": {"strategy": "system"}}', schemas => '{own}', online => false);
CALL tenancy.run_migration('enforced');
CALL tenancy.undo_migration();
CALL tenancy.rebuild_corpus('default', 1);
SELECT * FROM tenancy.export_tenant('tenant-a');
SELECT relation, row_count FROM tenancy.count_rows((SELECT t.id FROM tenancy.get_tenant('tenant-a') t));
SELECT t.id AS a FROM tenancy.get_tenant('tenant-a') t \gset
SELECT tenancy.delete_tenant('tenant-a');
CALL tenancy.purge_tenant(:'a', 1);
SELECT * FROM tenancy.disable_tenancy(dry_run => true);
END
for who in operator owner app; do
    ok "the story of the $who goes its way" as $who -f "$work/$who.sql"
done

# ---- Every function, as each role, with nulls and with something plausible; nothing of it stays.
as postgres -c "SET search_path = pg_catalog" -c "
    SELECT format('BEGIN; SELECT FROM tenancy.set_tenant(''tenant-a''); SELECT %I.%I(%s); ROLLBACK;', n.nspname, p.proname,
                  (SELECT string_agg(CASE WHEN v.nulls OR s.value IS NULL THEN format('NULL::%I.%I', tn.nspname, t.typname)
                                          ELSE format('%L::%I.%I', s.value, tn.nspname, t.typname) END, ', ' ORDER BY a.place)
                   FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)
                   JOIN pg_type t ON t.oid = a.type
                   JOIN pg_namespace tn ON tn.oid = t.typnamespace
                   LEFT JOIN (VALUES ('text', 'tenant-a'), ('name', 'title'), ('uuid', (SELECT id::text FROM tenancy.tenants WHERE slug = 'tenant-a')),
                                     ('regclass', 'own.notes'), ('int4', '1'), ('int8', '1'), ('float8', '1'), ('bool', 'true'), ('jsonb', '{}'),
                                     ('regtype', 'pg_catalog.uuid'), ('regrole', 'app'), ('timestamptz', '2020-01-01'), ('interval', '1 day'),
                                     ('_text', '{a}'), ('_name', '{title}'), ('_regclass', '{own.notes}'), ('date', '2020-01-01'),
                                     ('vector', '[1,0]'), ('regconfig', 'pg_catalog.english'), ('oid', '1'), ('char', 'r')) AS s (type, value) ON s.type = t.typname))
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN (VALUES (true), (false)) AS v (nulls)
    WHERE n.nspname IN ('tenancy', 'tenancy_internal') AND p.prokind = 'f'
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      -- What nobody is granted and C does is called by SQL of ours only, with arguments that it trusts.
      AND (p.prolang <> (SELECT l.oid FROM pg_language l WHERE l.lanname = 'c')
           OR EXISTS (SELECT FROM unnest('{app,session,member,owner,control_plane}'::text[]) k, tenancy.grant_list(k) g WHERE g = p.oid))
    ORDER BY 1" >"$work/calls.sql"
ok 'there is a call of every function' [ "$(wc -l <"$work/calls.sql")" -gt 600 ]
for who in postgres operator owner app; do
    psql -XqAt -d "$url dbname=attack user=$who" -f "$work/calls.sql" >/dev/null 2>&1
done
ok 'the story of the superuser goes its way' as postgres -f "$work/super.sql"

# ---- The workers, with whatever else a database's owner may set.
denials() { as postgres -c "SET search_path = pg_catalog" -c "SELECT count(*) FROM tenancy.audit_log WHERE action ~ 'denied'"; }
as attacker <<'END' >/dev/null
ALTER DATABASE attack SET default_transaction_read_only = on;
ALTER DATABASE attack SET default_transaction_isolation = 'serializable';
ALTER DATABASE attack SET default_transaction_deferrable = on;
ALTER DATABASE attack SET statement_timeout = '1ms';
ALTER DATABASE attack SET row_security = off;
ALTER DATABASE attack SET standard_conforming_strings = off;
ALTER DATABASE attack SET plpgsql.extra_errors = 'all';
ALTER DATABASE attack SET role = 'attacker';
END
export PGOPTIONS='-c client_min_messages=error -c statement_timeout=0 -c default_transaction_read_only=off -c row_security=on -c standard_conforming_strings=on -c plpgsql.extra_errors=none -c role=none'
before=$(denials)
as app -c "SELECT tenancy.set_tenant('no-such-tenant', false)" >/dev/null
for _ in {1..100}; do
    after=$(denials)
    ((after > before)) && break
    sleep 0.1
done
ok 'a refusal is still recorded, whatever the owner of the database sets' [ "$after" -gt "$before" ]
ok "nothing of the attacker's was called, but by the attacker" none_called
ok 'and the attacker is no superuser' [ "$(as postgres -c "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'attacker'")" = f ]

# ---- CREATE EXTENSION, in a database whose owner made what fits better than PostgreSQL's where pgvector is.
unset PGOPTIONS
psql -XqAt -v ON_ERROR_STOP=1 -d "$url" -c 'CREATE DATABASE install OWNER attacker' >/dev/null
in_install() { psql -XqAt -v ON_ERROR_STOP=1 -d "$url dbname=install user=$1" "${@:2}" 2>&1; }
in_install postgres -c 'CREATE EXTENSION vector SCHEMA public' >/dev/null
cat >"$work/better.sql" <<'SQL'
-- Polymorphic functions of PostgreSQL for types that one would call them with, and operators between types that have to be cast else.
SET search_path = pg_catalog;
DO $do$
DECLARE
    types text[] := '{text,name,oid,regclass,regtype,regproc,regnamespace,int2,int4,int8,"char",bool,uuid,json,jsonb,text[],name[],oid[],regclass[],aclitem[],int2vector}';
    f record;
    t text;
    made integer := 0;
BEGIN
    FOR f IN
        SELECT p.proname, p.prorettype::regtype::text AS result, ARRAY(SELECT a::regtype::text FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (a, n) ORDER BY n) AS arguments
        FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
          AND p.proargtypes::oid[] && ARRAY['anyelement'::regtype, 'anyarray'::regtype, 'anycompatible'::regtype, 'anycompatiblearray'::regtype, '"any"'::regtype]::oid[]
    LOOP
        FOREACH t IN ARRAY types LOOP
            BEGIN
                EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $b$ BEGIN RAISE WARNING %L, current_user; RETURN NULL; END $b$', f.proname,
                    (SELECT string_agg(CASE WHEN a IN ('anyelement', 'anycompatible', '"any"') THEN t WHEN a IN ('anyarray', 'anycompatiblearray') THEN rtrim(t, '[]') || '[]' ELSE a END, ', ' ORDER BY n)
                     FROM unnest(f.arguments) WITH ORDINALITY u (a, n)),
                    CASE WHEN f.result IN ('anyelement', 'anycompatible') THEN t WHEN f.result IN ('anyarray', 'anycompatiblearray') THEN rtrim(t, '[]') || '[]' ELSE f.result END,
                    format('hostile function %s called as %%', f.proname));
                made := made + 1;
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
    END LOOP;
    FOR f IN
        SELECT o.name, l.type AS left_type, r.type AS right_type, row_number() OVER () AS n
        FROM (VALUES ('='), ('<>'), ('||'), ('~'), ('<'), ('>'), ('+')) AS o (name), unnest(types) l (type), unnest(types) r (type)
        WHERE NOT EXISTS (SELECT FROM pg_operator p WHERE p.oprname = o.name AND p.oprleft = l.type::regtype AND p.oprright = r.type::regtype)
    LOOP
        EXECUTE format('CREATE FUNCTION public.better_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS $b$ BEGIN RAISE WARNING %L, current_user; RETURN NULL; END $b$',
            f.n, f.left_type, f.right_type, CASE f.name WHEN '||' THEN 'text' WHEN '+' THEN 'bigint' ELSE 'bool' END,
            format('hostile operator %s(%s,%s) called as %%', f.name, f.left_type, f.right_type));
        EXECUTE format('CREATE OPERATOR public.%s (FUNCTION = public.better_%s, LEFTARG = %s, RIGHTARG = %s)', f.name, f.n, f.left_type, f.right_type);
        made := made + 1;
    END LOOP;
    IF made < 2000 THEN
        RAISE EXCEPTION 'only % were made', made;
    END IF;
END
$do$;
SQL
ok 'there is something that fits better' in_install attacker -f "$work/better.sql"
since
in_install postgres -c 'SELECT t.oid::text = t.typarray FROM pg_type t LIMIT 1' >/dev/null
ok 'and is called where its schema is on the path' grep -qF 'hostile operator =(text,oid) called as postgres' <(traps)
since
ok 'the extension is created there' in_install postgres -c 'CREATE EXTENSION tenancy' -c 'SELECT count(*) FROM tenancy.check()'
ok "nothing of the owner's was called" none_called
bound() {
    local found
    found=$(in_install postgres -c "SET search_path = pg_catalog" -c "
        SELECT p.oid::regprocedure, d.refclassid::regclass, d.refobjid FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace)
          AND (d.refclassid = 'pg_proc'::regclass AND d.refobjid IN (SELECT o.oid FROM pg_proc o WHERE o.pronamespace = 'public'::regnamespace)
               OR d.refclassid = 'pg_operator'::regclass AND d.refobjid IN (SELECT o.oid FROM pg_operator o WHERE o.oprnamespace = 'public'::regnamespace))")
    [[ -z $found ]] || { echo "$found"; return 1; }
}
ok 'and no function of ours holds any of it' bound
finish
