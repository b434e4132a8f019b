-- Documents count by what the tables hold, whatever puts it there or takes it away.
BEGIN;
SELECT plan(22);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
INSERT INTO tenancy.organizations (id, slug, name, plan) VALUES ('0f000000-0000-4000-8000-000000000001', 'acme', 'Acme', 'free');
UPDATE tenancy.tenants SET organization_id = '0f000000-0000-4000-8000-000000000001' WHERE id = test_helpers.a();
SELECT tenancy.create_corpus(dimensions => 2);
CREATE FUNCTION pg_temp.used(tenant uuid) RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(s.used), 0)::bigint FROM tenancy.usage_slots s WHERE s.subject = tenant AND s.metric = 'documents' $$;

SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT lives_ok($$INSERT INTO documents (title) SELECT n::text FROM generate_series(1, 100) n$$, '100 documents fit');
SELECT throws_ok($$INSERT INTO documents (title) VALUES ('101')$$, 'TN005', 'quota exceeded', 'one more does not');
SELECT is((SELECT count(*) FROM documents), 100::bigint, 'and is not there');
DELETE FROM documents WHERE title IN ('1', '2');
SELECT is(tenancy.remaining('documents'), 2::bigint, 'what was deleted makes room');
SELECT throws_ok($$INSERT INTO documents (title) VALUES ('x'), ('y'), ('z')$$, 'TN005', 'quota exceeded', 'a statement fits as a whole or not at all');
SAVEPOINT before;
INSERT INTO documents (title) VALUES ('x'), ('y');
ROLLBACK TO before;
SELECT is(tenancy.remaining('documents'), 2::bigint, 'what was rolled back was not used');
SELECT lives_ok($$INSERT INTO documents (tenant_id, id, title) SELECT tenant_id, id, title FROM documents ON CONFLICT DO NOTHING$$,
                'rows that conflict are not inserted');
SELECT is(tenancy.remaining('documents'), 2::bigint, 'nor counted');
UPDATE documents SET title = title || '!';
SELECT is(tenancy.remaining('documents'), 2::bigint, 'nor are updates');
WITH gone AS (DELETE FROM documents WHERE title = '3!' RETURNING *) INSERT INTO documents (title) SELECT 'moved' FROM gone;
SELECT is(tenancy.remaining('documents'), 2::bigint, 'one in, one out');

SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT lives_ok($$INSERT INTO documents (title) SELECT n::text FROM generate_series(1, 300) n$$, 'B has no limit');
SELECT is((SELECT used FROM tenancy.limits() WHERE metric = 'documents'), 300::bigint, 'and is counted all the same');

SELECT test_helpers.act_as_superuser();
DELETE FROM documents WHERE title IN ('4!', '7');
SELECT is(ARRAY[pg_temp.used(test_helpers.a()), pg_temp.used(test_helpers.b())], ARRAY[97, 299]::bigint[],
          'one statement over two tenants counts for each');

-- Other tables.
CREATE TABLE notes (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), title text, PRIMARY KEY (tenant_id, id));
CREATE TABLE pieces (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), document_id uuid, content text, embedding vector(2),
                     PRIMARY KEY (tenant_id, id));
INSERT INTO notes (tenant_id) SELECT test_helpers.a() FROM generate_series(1, 5);
SELECT lives_ok($$SELECT tenancy.protect('notes'), tenancy.protect('pieces')$$, 'tables with rows are protected');
SELECT is(tenancy.attach_corpus('notes', 'notes', 'pieces'), 'notes', 'and attached, over the limit');
SELECT is(pg_temp.used(test_helpers.a()), 102::bigint, 'what they hold counts');
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT throws_ok('INSERT INTO notes DEFAULT VALUES', 'TN005', 'quota exceeded', 'together with the rest');
SELECT test_helpers.act_as_superuser();
TRUNCATE notes;
SELECT is(pg_temp.used(test_helpers.a()), 97::bigint, 'TRUNCATE gives back');
INSERT INTO notes (tenant_id) VALUES (test_helpers.b());
SELECT tenancy.drop_corpus('notes');
SELECT is(pg_temp.used(test_helpers.b()), 299::bigint, 'a dropped corpus gives back');
INSERT INTO notes (tenant_id) VALUES (test_helpers.b());
SELECT is(pg_temp.used(test_helpers.b()), 299::bigint, 'and is not counted on');
UPDATE tenancy.usage_slots SET used = 1 WHERE metric = 'documents';
SELECT is(tenancy.recount_documents(), 396::bigint, 'all can be counted anew');
SELECT is(ARRAY[pg_temp.used(test_helpers.a()), pg_temp.used(test_helpers.b())], ARRAY[97, 299]::bigint[], 'which sets it right');

SELECT * FROM finish();
ROLLBACK;
