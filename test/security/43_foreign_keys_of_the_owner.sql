-- Attack 43: have a foreign key marked valid over rows that it does not hold for. PostgreSQL validates as the table's owner, whom
-- FORCE holds: the owner, with grant_owner() only, sees all rows there, or is refused, whether a tenant is set or not.
BEGIN;
SELECT plan(59);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT make_owner('other') AS other \gset
SELECT make_role() AS app \gset

SELECT act_as('owner');
CREATE TABLE customers (id integer PRIMARY KEY, mail text);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer, referrer integer, total integer);
SELECT FROM tenancy.protect('customers');
SELECT FROM tenancy.protect('orders');
GRANT SELECT, INSERT, UPDATE, DELETE ON customers, orders TO :"app";

SELECT act_as('app', a());
INSERT INTO customers VALUES (1, 'one@a.example');
INSERT INTO orders VALUES (1, 1, NULL, 5);
SELECT act_as('app', b());
INSERT INTO orders VALUES (2, 99, NULL, 7);

-- Every way to have a key validated; each leaves it valid, or raises.
CREATE TEMPORARY TABLE ways (says text, before text, statement text);
INSERT INTO ways VALUES
    ('ADD CONSTRAINT', NULL, 'ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id)'),
    ('among other commands', NULL, 'ALTER TABLE orders ADD COLUMN note text, ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id), ADD CHECK (total > 0)'),
    ('MATCH FULL', NULL, 'ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id) MATCH FULL'),
    ('VALIDATE', 'ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id) NOT VALID',
     'ALTER TABLE orders VALIDATE CONSTRAINT of_customer'),
    ('a column with a default', NULL, 'ALTER TABLE orders ADD COLUMN fresh integer DEFAULT 1, ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, fresh) REFERENCES customers (tenant_id, id)'),
    ('a column of another type', 'ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id) NOT VALID',
     'ALTER TABLE orders ALTER COLUMN customer TYPE bigint USING customer + 0, VALIDATE CONSTRAINT of_customer');
GRANT SELECT ON ways TO PUBLIC;

CREATE FUNCTION pg_temp.tries(expected text, note text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    way record;
    tenant uuid;
    state text;
    detail text;
    valid boolean;
BEGIN
    FOR way IN SELECT * FROM ways LOOP
        FOREACH tenant IN ARRAY ARRAY[NULL, test_helpers.a(), test_helpers.b()] LOOP
            state := NULL;
            BEGIN
                IF way.before IS NOT NULL THEN
                    PERFORM test_helpers.act_as_superuser();
                    EXECUTE way.before;
                END IF;
                PERFORM test_helpers.act_as('owner', tenant);
                EXECUTE way.statement;
                SELECT c.convalidated INTO valid FROM pg_constraint c WHERE c.conname = 'of_customer';
                RAISE EXCEPTION USING ERRCODE = 'TNOK0';
            EXCEPTION
                WHEN SQLSTATE 'TNOK0' THEN state := CASE WHEN valid THEN 'valid' ELSE 'not valid' END;
                WHEN OTHERS THEN GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
            END;
            RETURN NEXT is(state, expected, format('%s, %s, %s', note, way.says,
                                                   CASE tenant WHEN test_helpers.a() THEN 'as A' WHEN test_helpers.b() THEN 'as B' ELSE 'without a tenant' END));
        END LOOP;
    END LOOP;
    PERFORM test_helpers.act_as_superuser();
END
$$;
SELECT act_as_superuser();
SELECT pg_temp.tries('23503', 'over an orphan of B');

INSERT INTO customers (tenant_id, id, mail) VALUES (b(), 2, 'two@b.example');
UPDATE orders SET customer = 2 WHERE id = 2;
DELETE FROM ways WHERE says = 'a column with a default';
SELECT pg_temp.tries('valid', 'over no orphan');

-- What the message of a violated key tells, and what else sees more meanwhile.
UPDATE orders SET customer = 4711 WHERE id = 2;
SELECT act_as('owner');
CREATE FUNCTION how_the_key_fails() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    ALTER TABLE orders ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id);
    RETURN 'it does not';
EXCEPTION
    WHEN foreign_key_violation THEN GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail;
END
$$;
SELECT is(how_the_key_fails(), 'Key is not present in table "customers".', 'the message does not show B''s row');
SELECT throws_ok('SELECT count(*) FROM orders', '42501', NULL, 'a check that failed leaves the owner held');
SELECT act_as_superuser();
SELECT tenancy.grant_app(:'owner');
SELECT act_as('owner', a());
CREATE FUNCTION orders_seen() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM public.orders o LEFT JOIN public.customers c ON c.id = o.customer';
CREATE FUNCTION orders_seen_always(integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT public.orders_seen()';
CREATE TABLE watching (id integer, seen bigint);
INSERT INTO watching VALUES (1);
SELECT how_the_key_fails();
SELECT is(orders_seen(), 1::bigint, 'nor is it seen afterwards');
ALTER TABLE watching ALTER COLUMN seen TYPE bigint USING orders_seen(), ADD CONSTRAINT small CHECK (orders_seen_always(id) = 1);
SELECT is(seen, 1::bigint, 'what an expression of DDL reads is what the tenant has') FROM watching;
SELECT lives_ok('CREATE INDEX ON watching (orders_seen_always(id)) WHERE orders_seen_always(id) = 1', 'and so it is in an index');
SELECT act_as_superuser();
SELECT tenancy.revoke_app(:'owner');
UPDATE orders SET customer = 2 WHERE id = 2;

-- Two owners: PostgreSQL checks row by row.
SELECT act_as('owner');
GRANT SELECT, REFERENCES ON customers TO :"other";
SELECT act_as('other');
CREATE TABLE visits (id integer PRIMARY KEY, customer integer);
SELECT FROM tenancy.protect('visits');
SELECT act_as_superuser();
INSERT INTO visits (tenant_id, id, customer) VALUES (b(), 1, 99);
SELECT act_as('other', a());
SELECT throws_ok('ALTER TABLE visits ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id)',
                 '23503', NULL, 'a key to the table of another owner is not valid over an orphan');
SELECT act_as_superuser();
UPDATE visits SET customer = 2;
SELECT act_as('other', a());
SELECT lives_ok('ALTER TABLE visits ADD CONSTRAINT of_customer FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id)',
                'and is over none');

-- Partitions: attached with rows, and detached under rows that refer to them.
SELECT act_as('owner');
CREATE TABLE events (id integer, tenant_id uuid, customer integer, PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
SELECT FROM tenancy.protect('events');
ALTER TABLE events ADD CONSTRAINT of_customer_too FOREIGN KEY (tenant_id, customer) REFERENCES customers (tenant_id, id);
CREATE TABLE events_1 (id integer NOT NULL, tenant_id uuid NOT NULL, customer integer);
SELECT FROM tenancy.protect('events_1');
SELECT act_as_superuser();
INSERT INTO events_1 (tenant_id, id, customer) VALUES (b(), 1, 99);
SELECT act_as('owner', a());
SELECT throws_ok('ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM (0) TO (10)', '23503', NULL, 'a partition with an orphan of B is not attached');
SELECT act_as_superuser();
UPDATE events_1 SET customer = 2;
SELECT act_as('owner');
SELECT lives_ok('ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM (0) TO (10)', 'one without is');
CREATE TABLE guests (id integer PRIMARY KEY, event integer);
SELECT FROM tenancy.protect('guests');
ALTER TABLE guests ADD CONSTRAINT of_event FOREIGN KEY (tenant_id, event) REFERENCES events (tenant_id, id);
SELECT act_as_superuser();
INSERT INTO guests (tenant_id, id, event) VALUES (b(), 1, 1);
SELECT act_as('owner', a());
SELECT throws_ok('ALTER TABLE events DETACH PARTITION events_1', '23503', NULL, 'a partition that a row of B refers to is not detached');
SELECT act_as('owner');
SELECT throws_ok('ALTER TABLE events DETACH PARTITION events_1', '23503', NULL, 'nor without a tenant');
SELECT act_as_superuser();
SELECT run(format('ALTER TABLE guests OWNER TO %I', :'other'), format('GRANT SELECT ON guests TO %I', :'owner'));
SELECT act_as('owner', a());
SELECT throws_ok('ALTER TABLE events DETACH PARTITION events_1', '42501', 'must be owner of relation guests', 'nor by who does not see who refers to it');
SELECT act_as_superuser();
SELECT run(format('ALTER TABLE guests OWNER TO %I', :'owner'), 'DELETE FROM guests');
SELECT act_as('owner');
SELECT lives_ok('ALTER TABLE events DETACH PARTITION events_1', 'one that nothing refers to is');

-- What PostgreSQL reads in DDL without a query: all rows, in any context.
SELECT act_as('owner', a());
SELECT throws_ok('ALTER TABLE orders ADD CHECK (id < 2)', '23514', NULL, 'a check is asked of the rows of all tenants');
SELECT throws_ok('ALTER TABLE orders ALTER COLUMN referrer SET NOT NULL', '23502', NULL, 'and so is NOT NULL');
SELECT throws_ok('ALTER TABLE orders ALTER COLUMN total TYPE integer USING 1 / (total - 7)', '22012', NULL, 'and a new type');
SELECT throws_ok('CREATE UNIQUE INDEX ON orders ((true))', '23505', NULL, 'and a unique index');
SELECT throws_ok('ALTER TABLE orders ADD EXCLUDE ((true) WITH =)', '23P01', NULL, 'and an exclusion constraint');
SELECT throws_ok('CREATE INDEX ON orders ((1 / (total - 7)))', '22012', NULL, 'and an index on an expression');
SELECT throws_ok('ALTER TABLE orders ADD COLUMN share integer GENERATED ALWAYS AS (1 / (total - 7)) STORED', '22012', NULL, 'and a generated column');

-- A materialized view would keep the rows of one tenant for everybody.
SELECT act_as_superuser();
SELECT run(format('GRANT EXECUTE ON FUNCTION tenancy.current_tenant_id() TO %I', :'owner'));
SELECT act_as('owner', a());
SELECT throws_ok('CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders', '42501',
                 'a materialized view cannot be filled from protected table "orders" under its policies', 'it is not filled in a context');
CREATE VIEW orders_of_all AS SELECT * FROM orders;
CREATE MATERIALIZED VIEW kept AS SELECT total FROM orders_of_all WITH NO DATA;
SELECT throws_ok('REFRESH MATERIALIZED VIEW kept', '42501', NULL, 'nor refreshed, through a view either');
SELECT act_as('owner');
SELECT throws_ok('REFRESH MATERIALIZED VIEW kept', 'TN001', NULL, 'nor without one');
SET LOCAL tenancy.missing_tenant = 'empty';
SELECT throws_ok('REFRESH MATERIALIZED VIEW kept', '42501', NULL, 'nor with no rows, where a missing tenant means none');
SET LOCAL tenancy.missing_tenant = 'error';
SELECT act_as_superuser();
SELECT tenancy.set_tenant(a());
SELECT throws_ok('REFRESH MATERIALIZED VIEW kept', '42501', NULL, 'nor by a superuser, for whom it is filled as its owner');
ALTER MATERIALIZED VIEW kept OWNER TO CURRENT_USER;
ALTER VIEW orders_of_all OWNER TO CURRENT_USER;
REFRESH MATERIALIZED VIEW kept;
SELECT is((SELECT count(*) FROM kept), 2::bigint, 'an owner whom policies do not hold fills it with all rows');

SELECT * FROM finish();
ROLLBACK;
