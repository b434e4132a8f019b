-- What a running application does to rows while they are migrated: it gives them to somebody else, it passes through
-- duplicates, it refers to itself; and expressions, which its inserts are made to evaluate.
SELECT plan(17);

CREATE TABLE users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL);
CREATE TABLE books (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users);
CREATE TABLE pages (book_id integer REFERENCES books, n integer, PRIMARY KEY (book_id, n) DEFERRABLE);
CREATE TABLE lines (book_id integer, n integer, line integer, after integer, PRIMARY KEY (book_id, n, line),
                    FOREIGN KEY (book_id, n, after) REFERENCES lines);
CREATE TABLE marks (id integer PRIMARY KEY, book_id integer NOT NULL REFERENCES books, before integer REFERENCES marks)
    PARTITION BY RANGE (id);
CREATE TABLE marks_1 PARTITION OF marks FOR VALUES FROM (0) TO (1000);
INSERT INTO users (email) SELECT g || '@x.example' FROM generate_series(1, 3) g;
INSERT INTO books SELECT g, g FROM generate_series(1, 3) g;
INSERT INTO pages SELECT b, n FROM generate_series(1, 3) b, generate_series(1, 3) n;
INSERT INTO marks SELECT g, g, NULL FROM generate_series(1, 3) g;
SELECT test_helpers.make_role('old', NULL);
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, books, pages, lines, marks TO %I', test_helpers.role_name('old')));

CREATE FUNCTION strangers() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT count(*) FROM books b JOIN users u ON u.id = b.user_id WHERE b.tenant_id <> u.tenant_id)
         + (SELECT count(*) FROM pages p JOIN books b ON b.id = p.book_id WHERE p.tenant_id <> b.tenant_id)
         + (SELECT count(*) FROM marks m JOIN books b ON b.id = m.book_id WHERE m.tenant_id <> b.tenant_id);
END
$$;
CREATE FUNCTION run_until(wanted text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        EXIT WHEN wanted = (SELECT s.kind FROM tenancy.migration_status() s);
        PERFORM tenancy.advance_migration('prepared');
    END LOOP;
END
$$;

SELECT lives_ok($$SELECT tenancy.start_migration('personal', users => 'users', tables => '{"lines": {"column": "book_id", "parent": "books"}}', online => false)$$,
                'a migration');
SELECT run_until('keys');
SELECT test_helpers.act_as('old');
SELECT lives_ok('UPDATE books SET user_id = 2 WHERE id = 1', 'a book changes hands before there are keys');
SELECT test_helpers.act_as_superuser();
SELECT is(strangers(), 0::bigint, 'and its pages with it');
CALL tenancy.run_migration('prepared');
SELECT test_helpers.act_as('old');
SELECT lives_ok('UPDATE books SET user_id = 3 WHERE id IN (1, 2)', 'two change hands beside the keys to come');
SELECT lives_ok('UPDATE pages SET n = 4 - n', 'a deferrable key is passed through by duplicates');
SELECT lives_ok('INSERT INTO pages VALUES (3, 9); UPDATE books SET user_id = 1 WHERE id = 3', 'one more');
SELECT test_helpers.act_as_superuser();
SELECT is(strangers(), 0::bigint, 'all follow');
SELECT is((SELECT count(DISTINCT t.external_key) FROM pages p JOIN tenancy.tenants t ON t.id = p.tenant_id), 2::bigint, 'to two owners');
CALL tenancy.run_migration('enforced');
SELECT is(strangers(), 0::bigint, 'enforced, too');
SELECT is_empty($$SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE '%tenancy%'$$, 'and no trigger is left');
CALL tenancy.undo_migration();

SELECT lives_ok($$SELECT tenancy.start_migration('personal', users => 'users', tables => '{"lines": {"column": "book_id", "parent": "books"}}', online => false)$$,
                'once more');
CALL tenancy.run_migration('prepared');
CALL tenancy.undo_migration();
SELECT is_empty($$SELECT relname FROM pg_class WHERE relname LIKE '%per_tenant%'$$, 'no key is left, also where a table refers to itself');
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'tenancy'::regnamespace AND proname ~ '^migration_[0-9]'$$, 'nor a function');

CREATE FUNCTION found(expression text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT code FROM tenancy.plan_migration('system', jsonb_build_object('books', jsonb_build_object('expression', expression)))
    WHERE relation = 'books'::regclass AND kind = 'finding' AND severity <> 'info'
$$;
SELECT set_eq($$SELECT found('nonsense(')$$, '{expression_fails}'::text[], 'what does not parse');
SELECT set_eq($$SELECT found('user_id')$$, '{expression_fails}'::text[], 'of another type');
SELECT set_eq($$SELECT found('md5(user_id::text)::uuid')$$, '{unknown_tenant}'::text[], 'tenants that do not exist');
SELECT set_eq($$SELECT found('CASE WHEN user_id < 0 THEN r.user_id::text::uuid END')$$, '{null_owner}'::text[], 'no tenant');
SELECT * FROM finish();
