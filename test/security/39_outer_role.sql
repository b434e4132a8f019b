-- Attack 39: have one's own code run in the session of somebody with more rights, and use those. PostgreSQL runs the code of a table's
-- owner as that owner while a superuser or an operator analyses, reindexes, exports or purges, but the session stays theirs.
SELECT plan(45);
SET search_path = public, test_helpers;
SET tenancy.wrong_try_delay = 0;

SELECT make_tenants();
SELECT make_owner('owner') AS owner \gset
SELECT make_role('other', 'credential') AS other \gset
SELECT make_role('operator', NULL) AS operator \gset
SELECT tenancy.grant_control_plane(:'operator'::regrole);

-- The attacker may call every function that is ever granted, but the one that makes an operator: whatever it calls has to ask.
SELECT make_role('attacker', 'credential') AS attacker \gset
SELECT tenancy.grant_owner(:'attacker'::regrole);
SELECT format('GRANT EXECUTE ON ROUTINE %s TO %I', f, :'attacker')
FROM unnest('{control_plane,member,session}'::text[]) k, tenancy.grant_list(k) f
WHERE f <> 'tenancy.create_organization(text, text)'::regprocedure \gexec
CREATE SCHEMA lair;
SELECT format('ALTER SCHEMA lair OWNER TO %I', :'attacker') \gexec
SELECT format('GRANT %I TO %I', :'attacker', :'operator') \gexec

-- What is there to be had.
SET SESSION AUTHORIZATION :"owner";
CREATE TABLE notes (id integer PRIMARY KEY, body text);
SELECT lives_ok($$SELECT tenancy.protect('notes')$$, 'an owner protects a table');
SELECT lives_ok($$SELECT tenancy.audit('notes')$$, 'has it audited');
SELECT lives_ok($$SELECT tenancy.create_corpus('theirs', dimensions => 3)$$, 'and has a corpus');
RESET SESSION AUTHORIZATION;
INSERT INTO notes (tenant_id, id, body) VALUES (b(), 1, 'the secret of B');

-- One call of every function in the lists, with arguments that exist: all that it says, undone at once.
SET SESSION AUTHORIZATION :"attacker";
CREATE TABLE lair.told (situation text, who text, call text, answer text);
GRANT ALL ON lair.told TO PUBLIC;
GRANT USAGE ON SCHEMA lair TO PUBLIC;
RESET SESSION AUTHORIZATION;
CREATE TABLE lair.calls AS
SELECT f AS function,
       format(CASE p.prokind WHEN 'p' THEN 'CALL %s(%s)' ELSE 'SELECT count(*) || coalesce(string_agg(r::text, '' '' ORDER BY r::text), '''') FROM %s(%s) r' END,
              format('tenancy.%I', p.proname),
              (SELECT string_agg(format('%s::%s', CASE t.type
                      WHEN 'uuid'::regtype THEN quote_literal(b())
                      WHEN 'text'::regtype THEN quote_literal('tenant-b')
                      WHEN 'regclass'::regtype THEN quote_literal('public.notes')
                      WHEN 'regclass[]'::regtype THEN quote_literal('{public.notes}')
                      WHEN 'regtype'::regtype THEN quote_literal('uuid')
                      WHEN 'regrole'::regtype THEN quote_literal('pg_monitor')
                      WHEN 'name'::regtype THEN quote_literal('tenant_id')
                      WHEN 'boolean'::regtype THEN 'false'
                      WHEN 'integer'::regtype THEN '10'
                      WHEN 'bigint'::regtype THEN '10'
                      WHEN 'interval'::regtype THEN quote_literal('1 day')
                      WHEN 'date'::regtype THEN quote_literal('2020-01-01')
                      WHEN 'timestamptz'::regtype THEN quote_literal('2020-01-01')
                      WHEN 'jsonb'::regtype THEN quote_literal('{}')
                      WHEN 'text[]'::regtype THEN quote_literal('{}')
                      WHEN 'name[]'::regtype THEN quote_literal('{}')
                      ELSE 'NULL' END, t.type), ', ' ORDER BY t.place)
               FROM unnest(p.proargtypes::regtype[]) WITH ORDINALITY AS t (type, place))) AS call
FROM unnest('{app,member,session,owner,control_plane}'::text[]) k, tenancy.grant_list(k) f
JOIN pg_proc p ON p.oid = f;
-- A text that names something else than a tenant.
UPDATE lair.calls SET call = replace(call, '''tenant-b''::text', '''theirs''::text') WHERE function::text ~ 'corpus|graph|store|rebuild|search|chunks|freeze|prewarm';
GRANT SELECT ON lair.calls TO PUBLIC;
SELECT cmp_ok((SELECT count(*) FROM lair.calls), '>', 150::bigint, 'every function of the lists is called');

SET SESSION AUTHORIZATION :"attacker";
CREATE FUNCTION lair.tell(situation text) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
DECLARE
    attempt record;
    answer text;
BEGIN
    FOR attempt IN SELECT c.call FROM lair.calls c ORDER BY c.call COLLATE "C" LOOP
        BEGIN
            EXECUTE attempt.call INTO answer;
            RAISE 'undo' USING ERRCODE = 'XUNDO';
        EXCEPTION
            WHEN SQLSTATE 'XUNDO' THEN answer := 'gave ' || answer;
            WHEN OTHERS THEN answer := SQLSTATE || ' ' || SQLERRM;
        END;
        INSERT INTO lair.told VALUES (tell.situation, current_user, attempt.call, answer);
    END LOOP;
END
$$;
-- As an index expression has to, it calls itself immutable. It tells once for each situation.
CREATE FUNCTION lair.spy(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now_in text := current_setting('application_name');
BEGIN
    IF now_in LIKE 'in %' AND NOT EXISTS (SELECT FROM lair.told t WHERE t.situation = now_in) THEN
        PERFORM lair.tell(now_in);
    END IF;
    RETURN 1;
END
$$;
CREATE FUNCTION lair.spy_on_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lair.tell(format('%s %s', current_setting('application_name'), TG_NAME));
    RETURN OLD;
END
$$;
-- Everything that its own code hangs on.
CREATE TABLE lair.bait (id integer PRIMARY KEY);
CREATE INDEX spied ON lair.bait (lair.spy(id));
INSERT INTO lair.bait SELECT generate_series(1, 3);
CREATE MATERIALIZED VIEW lair.seen AS SELECT id, lair.spy(id) FROM lair.bait;
CREATE STATISTICS lair.counted ON (lair.spy(id)), (lair.spy(id) + 1) FROM lair.bait;
CREATE TABLE lair.mine (id integer PRIMARY KEY);
SELECT lives_ok($$SELECT tenancy.protect('lair.mine')$$, 'and has a protected table of its own');
CREATE INDEX ON lair.mine (id) WHERE lair.spy(1) = 1;
SELECT lives_ok($$SELECT lair.tell('directly')$$, 'it asks directly');
RESET SESSION AUTHORIZATION;

SELECT is((SELECT count(*) FROM lair.told WHERE who <> :'attacker' OR answer LIKE '%secret%' OR answer ~ 'gave .*admin@b'), 0::bigint,
          'directly it has nothing of B, and is nobody else');
SELECT ok((SELECT answer LIKE '42501 %does not manage this installation' FROM lair.told WHERE call ~ 'tenancy.list_plans' IS FALSE AND call ~ 'tenancy.list_users'),
          'it is no operator');
SELECT ok((SELECT bool_and(answer = '42501 must be owner of relation public.notes') FROM lair.told WHERE call ~ 'tenancy.(un)?audit\('), 'nor the owner');

-- No two UUIDs are the same, and who tries wrong keys long enough has to wait.
CREATE FUNCTION answers(about text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT t.who || ': ' || t.call || ': ' || CASE WHEN t.answer LIKE 'gave %' AND t.call ~ 'uuid_v7' THEN 'gave' ELSE replace(t.answer, 'TN006 rate limit exceeded', 'TN007 credential is not valid') END
    FROM lair.told t WHERE t.situation = about
$$;
CREATE FUNCTION same_in(about text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT set_eq(format('SELECT answers(%L)', about), $q$SELECT answers('directly')$q$, description || ': the same answers, to the same role');
END
$$;

SET application_name = 'in ANALYZE';
ANALYZE lair.bait;
SELECT same_in('in ANALYZE', 'a superuser analyses');
SET application_name = 'in REINDEX';
REINDEX TABLE lair.bait;
SELECT same_in('in REINDEX', 'a superuser reindexes');
SET application_name = 'in CREATE INDEX';
CREATE INDEX spied_too ON lair.bait ((lair.spy(id) + 1));
SELECT same_in('in CREATE INDEX', 'a superuser creates an index');
SET application_name = 'in CLUSTER';
CLUSTER lair.bait USING bait_pkey;
SELECT same_in('in CLUSTER', 'a superuser clusters');
SET application_name = 'in VACUUM FULL';
VACUUM FULL lair.bait;
SELECT same_in('in VACUUM FULL', 'a superuser rewrites the table');
SET application_name = 'in REFRESH';
REFRESH MATERIALIZED VIEW lair.seen;
SELECT same_in('in REFRESH', 'a superuser refreshes');

SET SESSION AUTHORIZATION :"operator";
SET application_name = 'in ANALYZE by an operator';
ANALYZE lair.bait;
RESET SESSION AUTHORIZATION;
SELECT same_in('in ANALYZE by an operator', 'an operator analyses');
SET application_name = 'in count_rows';
SET SESSION AUTHORIZATION :"operator";
SELECT cmp_ok((SELECT count(*) FROM tenancy.count_rows(a())), '>', 0::bigint, 'an operator counts the rows of A');
RESET SESSION AUTHORIZATION;
SELECT same_in('in count_rows', 'meanwhile');
SET application_name = 'in export';
SET SESSION AUTHORIZATION :"operator";
SELECT cmp_ok((SELECT count(*) FROM tenancy.export_tenant(a())), '>', 0::bigint, 'an operator exports A');
RESET SESSION AUTHORIZATION;
SELECT same_in('in export', 'meanwhile');
RESET application_name;

-- A foreign key acts as the owner of the table that refers, its AFTER triggers run at the end of the statement, and what is put off at the commit.
SELECT tenancy.create_tenant('victim') AS victim \gset
SET SESSION AUTHORIZATION :"attacker";
CREATE TABLE lair.refers (tenant_id uuid REFERENCES tenancy.tenants ON DELETE CASCADE, key text REFERENCES tenancy.tenants (external_key) ON UPDATE CASCADE);
CREATE TRIGGER before_row BEFORE UPDATE OR DELETE ON lair.refers FOR EACH ROW EXECUTE FUNCTION lair.spy_on_rows();
CREATE TRIGGER after_row AFTER UPDATE OR DELETE ON lair.refers FOR EACH ROW EXECUTE FUNCTION lair.spy_on_rows();
CREATE TRIGGER after_statement AFTER UPDATE OR DELETE ON lair.refers FOR EACH STATEMENT EXECUTE FUNCTION lair.spy_on_rows();
CREATE CONSTRAINT TRIGGER put_off AFTER UPDATE OR DELETE ON lair.refers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lair.spy_on_rows();
-- There is one more table to be found.
DELETE FROM lair.told WHERE situation = 'directly';
SELECT lair.tell('directly');
RESET SESSION AUTHORIZATION;
SELECT format('INSERT INTO lair.refers VALUES (%L, NULL)', :'victim') \gexec
SET SESSION AUTHORIZATION :"operator";
SELECT lives_ok($$SELECT tenancy.update_tenant('victim', external_key => 'first')$$, 'an operator gives a tenant a key');
RESET SESSION AUTHORIZATION;
ALTER TABLE lair.refers DISABLE TRIGGER USER;
UPDATE lair.refers SET key = 'first';
ALTER TABLE lair.refers ENABLE TRIGGER USER;
SET SESSION AUTHORIZATION :"operator";
SET application_name = 'at a change of key';
SELECT lives_ok($$SELECT tenancy.update_tenant('victim', external_key => 'second')$$, 'and another');
SELECT tenancy.delete_tenant('victim');
SET application_name = 'at a purge';
CALL tenancy.purge_tenant(:'victim');
RESET application_name;
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM lair.refers), 0::bigint, 'it purges the tenant, and the row that refers to it goes too');
SELECT same_in(format('at %s %s', what, t), format('at %s, by trigger %s', what, t))
FROM unnest('{a change of key,a purge}'::text[]) WITH ORDINALITY AS w (what, place), unnest('{before_row,after_row,after_statement,put_off}'::text[]) t
ORDER BY place, t;

-- Two owners whose triggers would run at the same moment: neither has the rights of the other, nor of anybody.
SELECT tenancy.create_tenant('another') AS another \gset
SET SESSION AUTHORIZATION :"owner";
CREATE TABLE refers_too (tenant_id uuid REFERENCES tenancy.tenants ON DELETE CASCADE);
RESET SESSION AUTHORIZATION;
SELECT format('INSERT INTO lair.refers VALUES (%L, NULL)', :'another') \gexec
SET SESSION AUTHORIZATION :"operator";
SET application_name = 'with two';
SELECT tenancy.delete_tenant('another');
CALL tenancy.purge_tenant(:'another');
RESET application_name;
RESET SESSION AUTHORIZATION;
SELECT set_eq($$SELECT situation, who FROM lair.told WHERE situation LIKE 'with two %'$$,
              format($$VALUES ('with two before_row', %L), ('with two after_row', 'pg_checkpoint'), ('with two after_statement', 'pg_checkpoint'),
                              ('with two put_off', 'pg_checkpoint')$$, :'attacker'), 'triggers of several owners run as a role without rights');
SELECT is_empty($$SELECT DISTINCT call, answer FROM lair.told WHERE who = 'pg_checkpoint' AND answer LIKE 'gave %'$$, 'which may call nothing');

SELECT is_empty($$SELECT call, answer FROM lair.told WHERE answer LIKE '%secret%' OR answer ~ 'gave .*admin@b'$$, 'nothing of B was had in any situation');

-- The positive half: who has a right keeps it, also through a function of its own.
SET SESSION AUTHORIZATION :"operator";
SELECT cmp_ok((SELECT count(*) FROM tenancy.list_tenants()), '>', 2::bigint, 'an operator lists the tenants');
RESET SESSION AUTHORIZATION;
SELECT format('GRANT CREATE ON SCHEMA public TO %I', :'operator') \gexec
SET SESSION AUTHORIZATION :"operator";
CREATE FUNCTION sign_up(slug text) RETURNS uuid LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN tenancy.create_tenant(slug);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION :"other";
SELECT throws_ok($$SELECT tenancy.create_tenant('mine')$$, 'TN001', 'no tenant is set', 'an application''s role makes no tenant');
SELECT lives_ok($$SELECT sign_up('signed-up')$$, 'but by a function that an operator gives it');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT l.actor FROM tenancy.audit_log l JOIN tenancy.tenants t ON t.id = l.tenant_id WHERE t.slug = 'signed-up' AND l.action = 'tenant.create'),
          'role:' || :'operator', 'who acted is the operator');
BEGIN;
SELECT FROM tenancy.enter(a(), admin_of_a());
SET SESSION AUTHORIZATION :"other";
SELECT is((SELECT count(*) FROM tenancy.list_members(a())), 3::bigint, 'a member lists the members');
SELECT throws_ok('SELECT tenancy.list_members(b())', 'TN002', 'tenant is not available', 'of its own tenant');
COMMIT;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION :"owner";
SELECT lives_ok($$SELECT tenancy.unaudit('notes')$$, 'the owner ends the auditing');
RESET SESSION AUTHORIZATION;

-- What would let the next function ask the wrong role.
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'tenancy'::regnamespace AND p.prosecdef$$,
                'no function that users call has the rights of the extension''s owner by itself');
SELECT is_empty($$SELECT p.oid::regprocedure, r.rolname FROM pg_proc p, pg_roles r WHERE p.pronamespace = 'tenancy_internal'::regnamespace
                  AND NOT r.rolsuper AND has_function_privilege(r.oid, p.oid, 'EXECUTE')$$, 'and nobody may call what has');
SELECT is_empty($$SELECT a.grantee::regrole FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'tenancy_internal' AND a.grantee <> n.nspowner$$,
                'nor use its schema');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                  WHERE p.pronamespace IN ('tenancy'::regnamespace, 'tenancy_internal'::regnamespace) AND p.prokind = 'f'
                    AND (pg_get_functiondef(p.oid) ~* '\msession_user\M|outer_?(user|role)'
                         OR p.prosecdef AND pg_get_functiondef(p.oid) ~* '\m(current_user|current_role)\M')$$,
                'none asks the session, or the owner that it runs as');

SELECT * FROM finish();
