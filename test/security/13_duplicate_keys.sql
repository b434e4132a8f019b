-- Attack 13: learn another tenant's values from duplicate keys. A unique key is per tenant: what B has does not matter
-- to A, neither as an error nor as the number of rows that ON CONFLICT DO NOTHING inserts.
BEGIN;
SELECT plan(24);
SET LOCAL search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_role() AS app \gset

CREATE TABLE accounts (id integer PRIMARY KEY, mail text CONSTRAINT accounts_mail UNIQUE, code text, nick text,
                       alias text CONSTRAINT accounts_alias UNIQUE NULLS NOT DISTINCT);
CREATE UNIQUE INDEX accounts_code ON accounts (lower(code)) WHERE code <> '';
CREATE UNIQUE INDEX accounts_nick ON accounts (nick) INCLUDE (mail);
CREATE TABLE logs (day integer, name text, UNIQUE (day, name)) PARTITION BY LIST (day);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES IN (1);
CREATE UNIQUE INDEX logs_1_name ON logs_1 (name);
SELECT FROM tenancy.protect('accounts');
SELECT FROM tenancy.protect('logs');
GRANT SELECT, INSERT, UPDATE ON accounts, logs, logs_1 TO :"app";
INSERT INTO accounts (tenant_id, id, mail, code, nick, alias) VALUES (b(), 1, 'b@b.example', 'Secret', 'bee', NULL);
INSERT INTO logs (tenant_id, day, name) VALUES (b(), 1, 'of b');

SELECT act_as('app', a());
SELECT lives_ok('INSERT INTO accounts (id) VALUES (1)', 'B''s primary key is free in A');
SELECT lives_ok($$INSERT INTO accounts (id, mail, alias) VALUES (2, 'b@b.example', 'x')$$, 'so is its value of a unique constraint');
SELECT lives_ok($$INSERT INTO accounts (id, code, alias) VALUES (3, 'SECRET', 'y')$$, 'of a partial index on an expression');
SELECT lives_ok($$INSERT INTO accounts (id, nick, alias) VALUES (4, 'bee', 'z')$$, 'and of an index with more columns');
SELECT is(run($$INSERT INTO accounts (id, mail, alias) VALUES (5, 'b@b.example', 'v') ON CONFLICT DO NOTHING$$), 0::bigint, 'A''s own value is taken');
SELECT is(run($$UPDATE accounts SET mail = 'c@b.example' WHERE id = 2$$), 1::bigint, 'until A gives it up');
SELECT is(run($$INSERT INTO accounts (id, mail, alias) VALUES (5, 'b@b.example', 'v') ON CONFLICT DO NOTHING$$), 1::bigint, 'ON CONFLICT DO NOTHING inserts what B has');
SELECT is(run($$INSERT INTO accounts (id, mail, alias) VALUES (6, 'b@b.example', 'u')
               ON CONFLICT ON CONSTRAINT accounts_mail DO UPDATE SET nick = 'mine'$$), 1::bigint, 'ON CONFLICT ON CONSTRAINT finds the constraint');
SELECT results_eq('SELECT id, nick FROM accounts WHERE mail = ''b@b.example''', $$VALUES (5, 'mine')$$, 'and A''s row alone');
SELECT is(run($$UPDATE accounts SET id = 7 WHERE id = 5$$), 1::bigint, 'a key may be changed');
SELECT throws_ok('INSERT INTO accounts (id, alias) VALUES (7, ''w'')', '23505',
                 'duplicate key value violates unique constraint "accounts_pkey"', 'A''s own key is refused, by its old name');
SELECT throws_ok($$INSERT INTO accounts (id, code, alias) VALUES (8, 'secret', 't')$$, '23505', NULL, 'A''s own code too');
SELECT throws_ok('INSERT INTO accounts (id, alias) VALUES (9, NULL)', '23505', NULL, 'and a null where nulls are not distinct');
SELECT lives_ok('INSERT INTO logs (day, name) VALUES (1, ''of b'')', 'a partitioned table is no oracle');
SELECT throws_ok('INSERT INTO logs (day, name) VALUES (1, ''of b'')', '23505', NULL, 'and keeps A''s rows unique');
SELECT is((SELECT count(*) FROM accounts), 5::bigint, 'A sees its rows');

SELECT act_as('app', b());
SELECT results_eq('SELECT id, mail, code, nick FROM accounts', $$VALUES (1, 'b@b.example', 'Secret', 'bee')$$, 'B has its row as it was');
SELECT throws_ok('INSERT INTO accounts (id, alias) VALUES (1, ''b'')', '23505', NULL, 'and its key');
SELECT act_as_superuser();

-- A key that is exempt by name holds for all tenants.
CREATE TABLE hosts (id integer PRIMARY KEY, name text CONSTRAINT hosts_name UNIQUE);
SELECT FROM tenancy.protect('hosts', global_keys => '{hosts_name}');
GRANT SELECT, INSERT ON hosts TO :"app";
INSERT INTO hosts (tenant_id, id, name) VALUES (b(), 1, 'taken.example');
SELECT act_as('app', a());
SELECT lives_ok($$INSERT INTO hosts VALUES (1, 'free.example')$$, 'the other keys are per tenant');
SELECT throws_ok($$INSERT INTO hosts VALUES (2, 'taken.example')$$, '23505', NULL, 'what is exempt is asked of everybody');
SELECT act_as_superuser();
SELECT is_empty($$SELECT tenancy.protect('hosts')$$, 'and stays so');

-- A key made later is found and made per tenant.
CREATE UNIQUE INDEX accounts_late ON accounts (id, nick);
SELECT results_eq($$SELECT name, new_definition FROM tenancy.key_changes('accounts')$$,
    $$VALUES ('accounts_late'::name, 'CREATE UNIQUE INDEX accounts_late ON public.accounts USING btree (tenant_id, id, nick)')$$, 'a later key is seen');
SELECT isnt_empty($$SELECT tenancy.protect('accounts')$$, 'protect() makes it per tenant');
SELECT is_empty($$SELECT * FROM tenancy.key_changes('accounts')$$, 'and then all are');

SELECT * FROM finish();
ROLLBACK;
