-- Attack 42: write what another tenant has where a rule or a trigger of the application runs with the rights of an owner whom policies do not
-- hold: as the owner of the rule's relation; in a SECURITY DEFINER function that nobody may execute; before rows that a foreign key deletes.
-- plan_migration() tells before, check() after, pentest() tries it, and what check() says ends it.
BEGIN;
SELECT plan(52);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset
SELECT make_role('owner') AS owner \gset
CREATE TABLE seen (name text, value text, tenant_id uuid NOT NULL);
CREATE TABLE box (id integer, name text, tenant_id uuid NOT NULL);
CREATE TABLE parents (id integer, tenant_id uuid NOT NULL, UNIQUE (tenant_id, id));
CREATE TABLE children (id integer, parent integer, name text, tenant_id uuid NOT NULL,
    CONSTRAINT parent FOREIGN KEY (tenant_id, parent) REFERENCES parents (tenant_id, id) ON DELETE CASCADE);
SELECT FROM unnest('{seen,box,parents,children}'::text[]) t CROSS JOIN LATERAL tenancy.protect(t::regclass) p;
CREATE TABLE open_inbox (name text, value text);
GRANT SELECT, INSERT, UPDATE, DELETE ON seen, box, parents, children, open_inbox TO PUBLIC;

-- What B's row and A's are after a deed of A's, which is undone: what a transaction's tenant was given to can enter no other.
CREATE FUNCTION left_by(deed text, OUT of_b text, OUT of_a text) LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM test_helpers.act_as('app', test_helpers.a());
        EXECUTE deed;
        PERFORM test_helpers.act_as_superuser();
        SELECT max(s.value) FILTER (WHERE s.tenant_id = test_helpers.b()), max(s.value) FILTER (WHERE s.tenant_id = test_helpers.a())
        INTO of_b, of_a FROM seen s WHERE s.name ~ '^name';
        RAISE EXCEPTION USING ERRCODE = 'TEST0';
    EXCEPTION WHEN SQLSTATE 'TEST0' THEN NULL;
    END;
END
$$;

-- A case: how the code is made; what A does, who knows a name of B's; the code and object of the finding; the attack of pentest().
CREATE FUNCTION attack(made text, deed text, finding text, attack text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    fix text;
BEGIN
    DELETE FROM seen;
    INSERT INTO seen VALUES ('name of b', 'written by b', test_helpers.b()), ('name of a', 'written by a', test_helpers.a());
    EXECUTE made;
    RETURN NEXT isnt((SELECT l.of_b FROM left_by(deed) l), 'written by b', 'the attack goes through: ' || made);
    SELECT f.fix INTO fix FROM tenancy.check() f WHERE format('%s %s %s', f.severity, f.code, f.object) = finding;
    RETURN NEXT isnt(fix, NULL, 'check() finds ' || finding);
    IF attack IS NOT NULL THEN
        RETURN NEXT ok(EXISTS (SELECT FROM tenancy.pentest('seen') p WHERE p.attack = attack.attack AND p.result = 'LEAKED'), 'pentest() gets through by ' || attack);
    END IF;
    -- With the repair, the same does nothing to B, and what A has is A's to change.
    EXECUTE regexp_replace(fix, '^Give .*: (ALTER .*) \.\.\.$', '\1 ' || quote_ident(test_helpers.role_name('owner')));
    RETURN NEXT is((SELECT l.of_b FROM left_by(deed) l), 'written by b', 'repaired, it leaves B''s row alone');
    IF fix !~ '^DROP' THEN
        RETURN NEXT isnt((SELECT l.of_a FROM left_by(replace(deed, 'name of b', 'name of a')) l), 'written by a', 'and reaches A''s own');
    END IF;
    IF attack IS NOT NULL THEN
        RETURN NEXT ok(NOT EXISTS (SELECT FROM tenancy.pentest('seen') p WHERE p.result = 'LEAKED'), 'nothing of pentest() gets through');
    END IF;
    -- The owner that policies hold calls their functions, as an application's role does.
    RETURN NEXT is_empty('SELECT * FROM tenancy.check() WHERE code <> ''app_role_owns''', 'and nothing is found');
END
$$;

SELECT attack('CREATE RULE upsert AS ON INSERT TO seen WHERE EXISTS (SELECT FROM seen s WHERE s.name = NEW.name) '
              'DO INSTEAD UPDATE seen SET value = NEW.value WHERE seen.name = NEW.name',
              $$INSERT INTO seen VALUES ('name of b', 'written by a')$$, 'error rule_as_owner rule upsert on public.seen', 'write_by_rule');
SELECT attack('CREATE RULE also AS ON DELETE TO box DO ALSO DELETE FROM seen WHERE name = OLD.name',
              $$INSERT INTO box VALUES (1, 'name of b'); DELETE FROM box$$, 'error rule_as_owner rule also on public.box', 'write_by_rule');
SELECT attack('CREATE VIEW shown WITH (security_invoker = true) AS SELECT name, value FROM seen; GRANT SELECT, UPDATE ON shown TO PUBLIC; '
              'CREATE RULE "by" AS ON UPDATE TO shown DO INSTEAD UPDATE seen SET value = NEW.value WHERE name = ''name of b''',
              $$UPDATE shown SET value = 'written by a'$$, 'error rule_as_owner rule by on public.shown', NULL);
DROP VIEW shown;

CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    UPDATE seen SET value = 'taken' WHERE name = NEW.name;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION take() FROM PUBLIC;
SELECT attack('CREATE TRIGGER take BEFORE INSERT ON open_inbox FOR EACH ROW EXECUTE FUNCTION take()',
              $$INSERT INTO open_inbox VALUES ('name of b', 'written by a')$$, 'error trigger_as_owner trigger take on public.open_inbox', 'write_by_trigger');
DROP TRIGGER take ON open_inbox;
SELECT attack('ALTER FUNCTION take() SECURITY DEFINER; '
              'CREATE CONSTRAINT TRIGGER take AFTER INSERT ON box DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION take()',
              $$INSERT INTO box VALUES (2, 'name of b'); SET CONSTRAINTS ALL IMMEDIATE$$, 'error trigger_as_owner trigger take on public.box', 'write_by_trigger');
DROP TRIGGER take ON box;

-- The function is nobody's but the caller's, and the foreign key calls it as the owner of the children.
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE seen SET value = 'followed' WHERE name = OLD.name;
    RETURN OLD;
END
$$;
CREATE FUNCTION follow_up() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE seen SET value = 'followed' WHERE name = OLD.name;
    RETURN NEW;
END
$$;
SELECT format('GRANT SELECT, UPDATE ON seen TO %I', :'owner') \gexec
SELECT attack('CREATE TRIGGER follow BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION follow()',
              $$INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1, 'name of b'); DELETE FROM parents$$,
              'warning trigger_by_cascade trigger follow on public.children', 'write_by_cascade');
SELECT isnt_empty($$SELECT FROM tenancy.pentest('seen') p WHERE p.attack = 'write_by_cascade' AND p.result = 'held'$$, 'pentest() goes on to try it');
DROP TRIGGER follow ON children;
ALTER TABLE children OWNER TO CURRENT_USER;
ALTER TABLE children DROP CONSTRAINT parent, ADD CONSTRAINT parent FOREIGN KEY (tenant_id, parent) REFERENCES parents (tenant_id, id) ON UPDATE CASCADE;
SELECT attack('CREATE TRIGGER follow BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION follow_up()',
              $$INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1, 'name of b'); UPDATE parents SET id = 2$$,
              'warning trigger_by_cascade trigger follow on public.children', 'write_by_cascade');

-- A trigger of one partition, below the key of the partitioned table.
DROP TRIGGER follow ON children;
CREATE TABLE parts (id integer, parent integer, name text, tenant_id uuid NOT NULL,
    FOREIGN KEY (tenant_id, parent) REFERENCES parents (tenant_id, id) ON DELETE CASCADE) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
SELECT FROM tenancy.protect('parts');
GRANT SELECT, INSERT ON parts TO PUBLIC;
SELECT attack('CREATE TRIGGER follow BEFORE DELETE ON parts_1 FOR EACH ROW EXECUTE FUNCTION follow()',
              $$INSERT INTO parents VALUES (1); INSERT INTO parts VALUES (1, 1, 'name of b'); DELETE FROM parents$$,
              'warning trigger_by_cascade trigger follow on public.parts_1', 'write_by_cascade');

SELECT * FROM finish();
ROLLBACK;
