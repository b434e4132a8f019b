-- A table that joins a corpus is looked at with the rights of its owner, whose code the predicate of an index is.
BEGIN;
SELECT plan(3);
SELECT test_helpers.make_tenants();
SELECT test_helpers.make_owner();
SELECT tenancy.create_corpus(dimensions => 3) IS NOT NULL;
CREATE TABLE later (LIKE chunks INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING DEFAULTS);
CREATE FUNCTION only_owner(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> (SELECT tableowner FROM pg_catalog.pg_tables WHERE tablename = 'later') THEN
        RAISE 'planned by %', current_user;
    END IF;
    RETURN true;
END
$$;
SELECT format('ALTER TABLE later OWNER TO %I', test_helpers.role_name('owner')) \gexec
CREATE FUNCTION only_own(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> (SELECT tableowner FROM pg_catalog.pg_tables WHERE tablename = 'own_chunks') THEN
        RAISE 'planned by %', current_user;
    END IF;
    RETURN true;
END
$$;
SELECT test_helpers.act_as('owner');
CREATE INDEX ON later (id) WHERE only_owner(1);
SELECT test_helpers.act_as_superuser();
SELECT lives_ok('ALTER TABLE later INHERIT chunks', 'whoever else plans a query over it fails');
-- What rebuild_corpus() begins with runs with the rights of the extension's owner, too.
SELECT test_helpers.act_as('owner');
SELECT lives_ok($$SELECT tenancy.create_corpus('own', dimensions => 3)$$, 'an owner makes a corpus');
CREATE INDEX ON own_chunks (id) WHERE only_own(1);
SELECT lives_ok($$SELECT tenancy.rebuild_begin('own', 'vectors')$$, 'whoever else plans a query over its chunks fails');
SELECT test_helpers.act_as_superuser();
SELECT * FROM finish();
ROLLBACK;
