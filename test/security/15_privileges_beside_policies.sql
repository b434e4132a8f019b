-- Attack 15: TRUNCATE, REFERENCES and TRIGGER, which policies do not restrict. grant_app() gives none of them; check() finds each, and
-- pentest() sees it.
BEGIN;
SELECT plan(32);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset
CREATE SCHEMA own;
SELECT run(format('GRANT USAGE, CREATE ON SCHEMA own TO %I', :'app'));
CREATE TABLE notes (id int PRIMARY KEY, body text);
SELECT FROM tenancy.protect('notes', global_keys => '{notes_pkey}');
SELECT FROM tenancy.create_corpus(dimensions => 3);
INSERT INTO notes (id, body, tenant_id) VALUES (1, 'of a', a()), (2, 'of b', b());
SELECT run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO %I', :'app'));

-- What grant_app() gives.
SELECT ok(NOT has_table_privilege(:'app', relation, privilege), format('grant_app() gives no %s on %s', privilege, relation))
FROM unnest('{notes,documents,chunks}'::regclass[]) relation, unnest('{TRUNCATE,REFERENCES,TRIGGER}'::text[]) privilege
WHERE relation = ANY ((SELECT array_agg(p.relation) FROM tenancy.protected_tables p)::regclass[]);
SELECT is_empty($$SELECT p.relation FROM tenancy.protected_tables p, aclexplode((SELECT c.relacl FROM pg_class c WHERE c.oid = p.relation)) a
                  WHERE a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') AND a.grantee IN (SELECT r::oid FROM tenancy.app_roles() r)$$,
                'no application role holds one on any protected table');
SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'A reads its row');
SELECT throws_ok('TRUNCATE notes', '42501', 'permission denied for table notes', 'and cannot empty the table');
SELECT throws_ok('CREATE TABLE own.probe (id int REFERENCES notes)', '42501', 'permission denied for table notes', 'nor probe its keys by a foreign key');
SELECT lives_ok('CREATE FUNCTION own.peek() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RAISE NOTICE ''''%'''', NEW; RETURN NEW; END''', 'a function it may make');
SELECT throws_ok('CREATE TRIGGER peek BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION own.peek()', '42501', 'permission denied for table notes', 'but no trigger of it');
SELECT act_as_superuser();

-- With the privilege the attack goes through, which is why it is an error of check(), and its repair ends it.
CREATE FUNCTION attack(privilege text, statement text, error text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    EXECUTE format('GRANT %s ON notes TO %I', privilege, test_helpers.role_name('app'));
    SELECT * INTO found FROM tenancy.check();
    RETURN NEXT is(found.code || ' ' || found.severity, 'app_role_privilege error', privilege || ' is found');
    RETURN NEXT is((SELECT count(*) FROM tenancy.pentest('notes') WHERE result = 'LEAKED' AND evidence LIKE '% holds ' || privilege), 1::bigint, 'and attacked');
    BEGIN
        PERFORM test_helpers.act_as('app', test_helpers.a());
        EXECUTE statement;
        RAISE EXCEPTION 'went through' USING ERRCODE = 'TEST0';
    EXCEPTION WHEN OTHERS THEN
        RETURN NEXT is(SQLSTATE, error, 'the attack goes through: ' || statement);
    END;
    PERFORM test_helpers.act_as_superuser();
    EXECUTE found.fix;
    RETURN NEXT is_empty('SELECT * FROM tenancy.check()', 'until it is repaired: ' || found.fix);
    RETURN NEXT is_empty('SELECT * FROM tenancy.pentest(''notes'') WHERE result = ''LEAKED''', 'then it is held');
END
$$;
SELECT attack('TRUNCATE', 'TRUNCATE notes', 'TEST0');
SELECT attack('REFERENCES', 'CREATE TABLE own.probe (id int REFERENCES notes); INSERT INTO own.probe VALUES (2)', 'TEST0');
SELECT attack('TRIGGER', 'CREATE TRIGGER peek BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION own.peek()', 'TEST0');
SELECT throws_ok(format('SET LOCAL SESSION AUTHORIZATION %I; CREATE TABLE own.probe (id int REFERENCES notes)', :'app'), '42501', NULL, 'refused again');
SELECT act_as('app', a());
SELECT results_eq('SELECT id FROM notes', 'VALUES (1)', 'and A''s row is there');

SELECT * FROM finish();
ROLLBACK;
