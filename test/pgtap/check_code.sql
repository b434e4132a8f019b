-- check() about code that hangs on tables: rules, triggers, and functions that are reached without EXECUTE.
BEGIN;
SELECT plan(44);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('app');
SELECT test_helpers.make_role('held', NULL);
CREATE TABLE notes (id integer, name text, twin integer);
SELECT FROM tenancy.protect('notes');
CREATE TABLE inbox (id integer, name text);
CREATE TABLE log (name text);
INSERT INTO notes VALUES (1, 'one', NULL, test_helpers.a()), (1, 'one', NULL, test_helpers.b());
GRANT SELECT, INSERT, UPDATE, DELETE ON notes, inbox, log TO PUBLIC;

CREATE VIEW findings WITH (security_invoker = true) AS SELECT code, severity, object FROM tenancy.check();

-- A deed, what check() finds of it, and that its repair ends the finding. Nothing stays.
CREATE FUNCTION finds(deed text, VARIADIC wanted text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    statement text;
    first_codes text[];
    left_over text[];
    has_statement boolean;
BEGIN
    BEGIN
        EXECUTE deed;
        SELECT coalesce(array_agg(format('%s %s %s', f.severity, f.code, f.object) ORDER BY f.code, f.object), '{}') INTO first_codes FROM tenancy.check() f;
        SELECT bool_and(f.fix ~ '^[A-Z]+ [A-Z]') INTO has_statement FROM tenancy.check() f;
        FOR statement IN SELECT f.fix FROM tenancy.check() f WHERE f.fix ~ '^[A-Z]+ [A-Z]' LOOP
            EXECUTE statement;
        END LOOP;
        SELECT array_agg(f.code) INTO left_over FROM tenancy.check() f;
        RAISE EXCEPTION USING ERRCODE = 'TEST0';
    EXCEPTION WHEN SQLSTATE 'TEST0' THEN NULL;
    END;
    RETURN NEXT is(first_codes, wanted, deed);
    IF has_statement THEN
        RETURN NEXT is(left_over, NULL, 'which the statement repairs');
    END IF;
END
$$;
SELECT is_empty('TABLE findings', 'nothing is wrong to begin with');

-- Rules of every event, that read or write, in the condition or in the action, on the table, beside it, and on views.
SELECT finds('CREATE RULE r AS ON INSERT TO inbox DO ALSO DELETE FROM notes WHERE name = NEW.name', 'error rule_as_owner rule r on public.inbox');
SELECT finds('CREATE RULE r AS ON UPDATE TO inbox DO ALSO INSERT INTO log SELECT name FROM notes', 'error rule_as_owner rule r on public.inbox');
SELECT finds('CREATE RULE r AS ON DELETE TO inbox WHERE EXISTS (SELECT FROM notes n WHERE n.name = OLD.name) DO INSTEAD NOTHING',
             'error rule_as_owner rule r on public.inbox');
SELECT finds('CREATE RULE r AS ON UPDATE TO notes DO ALSO INSERT INTO log SELECT o.name FROM notes o WHERE o.id = OLD.twin', 'error rule_as_owner rule r on public.notes');
SELECT finds('CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM notes; CREATE RULE r AS ON DELETE TO v DO INSTEAD DELETE FROM notes WHERE id = OLD.id',
             'error rule_as_owner rule r on public.v');
-- Rules that touch nothing but the rows of the statement, or nothing protected.
SELECT finds('CREATE RULE "old" AS ON INSERT TO notes DO ALSO INSERT INTO log VALUES (NEW.name)');
SELECT finds('CREATE RULE r AS ON DELETE TO notes DO ALSO INSERT INTO log SELECT OLD.name FROM log AS l WHERE l.name = OLD.name');
SELECT finds('CREATE RULE r AS ON UPDATE TO notes WHERE NEW.id = 7 DO INSTEAD NOTHING');
SELECT finds('CREATE RULE r AS ON INSERT TO inbox DO ALSO DELETE FROM notes WHERE name = NEW.name; ALTER TABLE inbox DISABLE RULE r');
SELECT finds(format('CREATE RULE r AS ON INSERT TO inbox DO ALSO DELETE FROM notes WHERE name = NEW.name; ALTER TABLE inbox OWNER TO %I', test_helpers.role_name('held')));

-- Triggers with definer functions, whoever may execute them.
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN DELETE FROM public.notes WHERE name = NEW.name; RETURN NEW; END$$;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN NEW.name := upper(NEW.name); RETURN NEW; END$$;
REVOKE EXECUTE ON FUNCTION take(), stamp() FROM PUBLIC;
SELECT finds('CREATE TRIGGER t BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION take()', 'error trigger_as_owner trigger t on public.inbox');
SELECT finds('CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION take()',
             'error trigger_as_owner trigger t on public.notes');
SELECT finds('CREATE VIEW v AS SELECT * FROM log; GRANT INSERT ON v TO PUBLIC; CREATE TRIGGER t INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION take()',
             'error trigger_as_owner trigger t on public.v');
SELECT finds('GRANT EXECUTE ON FUNCTION take() TO PUBLIC; CREATE TRIGGER t AFTER TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION take()',
             'error trigger_as_owner trigger t on public.log');
SELECT finds('CREATE TRIGGER t BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION stamp()', 'warning trigger_as_owner trigger t on public.inbox');
SELECT finds('CREATE TRIGGER t BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION take(); ALTER TABLE inbox DISABLE TRIGGER t');
SELECT finds(format('CREATE TRIGGER t BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION take(); ALTER FUNCTION take() OWNER TO %I', test_helpers.role_name('held')));
SELECT finds('CREATE TABLE closed (name text); CREATE TRIGGER t BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION take()');

-- What calls a function without asking anybody for EXECUTE, and what asks.
CREATE TYPE weight AS (grams integer);
CREATE FUNCTION weight_lt(weight, weight) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN ($1).grams < ($2).grams;
CREATE FUNCTION weight_eq(weight, weight) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN ($1).grams = ($2).grams;
CREATE OPERATOR <<< (leftarg = weight, rightarg = weight, function = weight_lt);
CREATE OPERATOR === (leftarg = weight, rightarg = weight, function = weight_eq);
CREATE FUNCTION weigh(weight, weight) RETURNS integer LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS $$BEGIN RETURN ($1).grams - ($2).grams; END$$;
CREATE FUNCTION apart(integer, integer) RETURNS double precision LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS $$BEGIN RETURN $1 - $2; END$$;
CREATE FUNCTION count_on(integer, integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN RETURN $1 + (SELECT count(*) FROM public.notes); END$$;
CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN PERFORM 1; END$$;
REVOKE EXECUTE ON FUNCTION weigh(weight, weight), apart(integer, integer), count_on(integer, integer), ddl() FROM PUBLIC;
SELECT finds('CREATE AGGREGATE counted (integer) (sfunc = count_on, stype = integer, initcond = 0)', 'warning function_as_owner function public.count_on(integer,integer)');
SELECT finds('CREATE OPERATOR CLASS weights DEFAULT FOR TYPE weight USING btree AS OPERATOR 1 <<<, OPERATOR 3 ===, FUNCTION 1 weigh(weight, weight)',
             'warning function_as_owner function public.weigh(public.weight,public.weight)');
SELECT finds('CREATE TYPE span AS RANGE (subtype = integer, subtype_diff = apart)', 'warning function_as_owner function public.apart(integer,integer)');
SELECT finds('CREATE EVENT TRIGGER ddl ON ddl_command_end WHEN TAG IN (''CREATE COLLATION'') EXECUTE FUNCTION ddl()', 'warning function_as_owner function public.ddl()');
SELECT finds('CREATE OPERATOR %%% (leftarg = integer, rightarg = integer, function = count_on)');
SELECT finds('ALTER TABLE log ADD counted integer DEFAULT count_on(1, 1), ADD CHECK (apart(1, 1) IS NOT NULL); CREATE INDEX ON log (apart(1, 1)); CREATE STATISTICS s ON (apart(1, 1)), name FROM log');

-- Triggers that a foreign key sets off.
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM public.notes WHERE name = OLD.name; RETURN OLD; END$$;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.name := 'changed'; RETURN NEW; END$$;
CREATE TABLE authors (id integer);
SELECT FROM tenancy.protect('authors');
ALTER TABLE authors ADD UNIQUE (tenant_id, id);
CREATE FUNCTION key(action text) RETURNS text LANGUAGE sql RETURN
    format('DELETE FROM notes; ALTER TABLE notes ADD CONSTRAINT author FOREIGN KEY (tenant_id, id) REFERENCES authors (tenant_id, id) %s; GRANT DELETE ON authors TO PUBLIC; ', action);
SELECT finds(key('ON DELETE CASCADE') || 'CREATE TRIGGER t BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION follow()',
             'warning trigger_by_cascade trigger t on public.notes');
SELECT finds(key('ON UPDATE CASCADE') || 'CREATE TRIGGER t BEFORE UPDATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION follow()',
             'warning trigger_by_cascade trigger t on public.notes');
SELECT finds(key('ON DELETE CASCADE') || format('CREATE TRIGGER t BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION follow(); ALTER TABLE notes OWNER TO %I', test_helpers.role_name('held')));
SELECT finds(key('ON DELETE NO ACTION') || 'CREATE TRIGGER t BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION follow()');
SELECT finds(key('ON DELETE CASCADE') || 'CREATE TRIGGER t BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION note()');

SELECT * FROM finish();
ROLLBACK;
