-- The count of documents follows rows however they come, go or change their tenant.
BEGIN;
SELECT plan(49);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role();
CREATE FUNCTION pg_temp.used() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT array_agg((SELECT coalesce(sum(s.used), 0)::bigint FROM tenancy.usage_slots s WHERE s.subject = t.id AND s.metric = 'documents') ORDER BY t.slug)
    FROM tenancy.tenants t WHERE t.id IN (test_helpers.a(), test_helpers.b()) $$;
CREATE FUNCTION pg_temp.drift() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s: %s counted, %s there', d.tenant_slug, d.counted, d.actual), '; ') FROM tenancy.document_drift() d $$;
SELECT tenancy.create_corpus(dimensions => 2);
SELECT tenancy.set_limit('documents', 5, tenant => test_helpers.a()), tenancy.set_limit('documents', 5, tenant => test_helpers.b());

-- UPDATE.
INSERT INTO documents (tenant_id, title) SELECT test_helpers.b(), 'b' || n FROM generate_series(1, 5) n;
UPDATE documents SET tenant_id = test_helpers.a();
SELECT is(pg_temp.used(), '{5,0}', 'rows that change their tenant change the counts');
SELECT test_helpers.act_as('app', test_helpers.b(), test_helpers.admin_of_b());
SELECT lives_ok($$INSERT INTO documents (title) VALUES ('new')$$, 'the tenant that they left has room');
SELECT test_helpers.act_as('app', test_helpers.a(), test_helpers.editor_of_a());
SELECT throws_ok($$INSERT INTO documents (title) VALUES ('new')$$, 'TN005', 'quota exceeded', 'the tenant that they came to has none');
SELECT test_helpers.act_as_superuser();
SELECT throws_ok($$UPDATE documents SET tenant_id = test_helpers.a()$$, 'TN005', 'quota exceeded', 'nor do more come to it');
SAVEPOINT before;
UPDATE documents SET tenant_id = CASE tenant_id WHEN test_helpers.a() THEN test_helpers.b() ELSE test_helpers.a() END;
SELECT is(pg_temp.used(), '{1,5}', 'an exchange fits');
ROLLBACK TO before;
SELECT is(pg_temp.used(), '{5,1}', 'and is undone with its savepoint');
UPDATE documents SET title = title;
SELECT is(pg_temp.used(), '{5,1}', 'what keeps its tenant counts as before');

-- MERGE, ON CONFLICT, and statements within statements.
MERGE INTO documents d USING (SELECT id, title FROM documents) s ON d.id = s.id
WHEN MATCHED AND s.title = 'b1' THEN DELETE
WHEN MATCHED AND s.title = 'b2' THEN UPDATE SET tenant_id = test_helpers.b();
SELECT is(pg_temp.used(), '{3,2}', 'MERGE deletes and moves');
MERGE INTO documents d USING (SELECT 'merged' AS title) s ON d.title = s.title WHEN NOT MATCHED THEN INSERT (tenant_id, title) VALUES (test_helpers.a(), s.title);
SELECT is(pg_temp.used(), '{4,2}', 'and inserts');
INSERT INTO documents (tenant_id, id, title) SELECT tenant_id, id, title FROM documents WHERE title = 'merged'
UNION ALL SELECT test_helpers.b(), tenancy.uuid_v7(), 'conflict'
ON CONFLICT (tenant_id, id) DO UPDATE SET tenant_id = test_helpers.b();
SELECT is(pg_temp.used(), '{3,4}', 'ON CONFLICT DO UPDATE moves and inserts');
WITH moved AS (UPDATE documents SET tenant_id = test_helpers.a() WHERE title = 'conflict' RETURNING *),
     gone AS (DELETE FROM documents WHERE title = 'merged' RETURNING *)
INSERT INTO documents (tenant_id, title) SELECT test_helpers.a(), 'from ' || title FROM gone;
SELECT is(pg_temp.used(), '{5,2}', 'three statements in one');
SELECT is(pg_temp.drift(), NULL, 'the counts are what is there');
TRUNCATE documents CASCADE;
SELECT is(pg_temp.used(), '{0,0}', 'TRUNCATE leaves none');
SELECT tenancy.drop_limit('documents', tenant => test_helpers.a()), tenancy.drop_limit('documents', tenant => test_helpers.b());

-- Cascades.
CREATE TABLE public.folders (tenant_id uuid NOT NULL, id integer NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE public.notes (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), folder integer, title text, PRIMARY KEY (tenant_id, id),
                           FOREIGN KEY (tenant_id, folder) REFERENCES public.folders ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE public.pieces (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), document_id uuid, content text, embedding vector(2),
                            PRIMARY KEY (tenant_id, id));
SELECT tenancy.protect('public.folders'), tenancy.protect('public.notes'), tenancy.protect('public.pieces');
SELECT tenancy.attach_corpus('notes', 'public.notes', 'public.pieces');
INSERT INTO public.folders SELECT test_helpers.a(), n FROM generate_series(1, 3) n;
INSERT INTO public.notes (tenant_id, folder) SELECT test_helpers.a(), n % 3 + 1 FROM generate_series(1, 9) n;
UPDATE public.folders SET tenant_id = test_helpers.b() WHERE id < 3;
SELECT is(pg_temp.used(), '{3,6}', 'ON UPDATE CASCADE moves');
DELETE FROM public.folders WHERE id < 2;
SELECT is(pg_temp.used(), '{3,3}', 'ON DELETE CASCADE deletes');
SELECT tenancy.drop_corpus('notes', true);
SELECT is(pg_temp.used(), '{0,0}', 'a corpus that is dropped with its tables leaves none');

-- Partitions.
CREATE TABLE public.days (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), day integer NOT NULL DEFAULT 1, title text,
                          PRIMARY KEY (tenant_id, id, day)) PARTITION BY LIST (day);
CREATE TABLE public.day_1 PARTITION OF public.days FOR VALUES IN (1);
CREATE TABLE public.day_2 PARTITION OF public.days FOR VALUES IN (2);
CREATE TABLE public.chapters (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), document_id uuid, content text, embedding vector(2),
                              PRIMARY KEY (tenant_id, id));
SELECT tenancy.protect('public.days'), tenancy.protect('public.chapters');
SELECT tenancy.attach_corpus('days', 'public.days', 'public.chapters');
INSERT INTO public.days (tenant_id) SELECT test_helpers.a() FROM generate_series(1, 3);
UPDATE public.days SET day = 2 WHERE id IN (SELECT id FROM public.days LIMIT 1);
SELECT is(pg_temp.used(), '{3,0}', 'another partition is no other tenant');
UPDATE public.days SET day = 3 - day, tenant_id = test_helpers.b();
SELECT is(pg_temp.used(), '{0,3}', 'another tenant in another partition is');
UPDATE public.day_1 SET tenant_id = test_helpers.a();
SELECT is(pg_temp.used(), '{1,2}', 'and so it is in a partition itself');
CREATE TABLE public.day_3 (LIKE public.days INCLUDING ALL);
INSERT INTO public.day_3 (tenant_id, day) SELECT test_helpers.b(), 3 FROM generate_series(1, 4);
ALTER TABLE public.days ATTACH PARTITION public.day_3 FOR VALUES IN (3);
SELECT is(pg_temp.used(), '{1,6}', 'a partition brings its rows');
INSERT INTO public.day_3 (tenant_id, day) VALUES (test_helpers.b(), 3);
INSERT INTO public.days (tenant_id, day) VALUES (test_helpers.b(), 3);
SELECT is(pg_temp.used(), '{1,8}', 'and counts, through its table and directly');
ALTER TABLE public.days DETACH PARTITION public.day_3;
SELECT is(pg_temp.used(), '{1,2}', 'and takes them along');
INSERT INTO public.day_3 (tenant_id, day) VALUES (test_helpers.b(), 3);
SELECT is(pg_temp.used(), '{1,2}', 'and counts no more');
ALTER TABLE public.days ATTACH PARTITION public.day_3 FOR VALUES IN (3);
DROP TABLE public.day_3;
SELECT is(pg_temp.used(), '{1,2}', 'a partition that is dropped takes them, too');
CREATE TABLE public.day_4 PARTITION OF public.days FOR VALUES IN (4);
INSERT INTO public.days (tenant_id, day) VALUES (test_helpers.b(), 4);
SELECT is(pg_temp.used(), '{1,3}', 'a new one counts');
CREATE SCHEMA made CREATE TABLE made.day_5 PARTITION OF public.days FOR VALUES IN (5);
INSERT INTO made.day_5 (tenant_id, day) VALUES (test_helpers.b(), 5);
SELECT is(pg_temp.used(), '{1,4}', 'also one that came with its schema');
DROP SCHEMA made CASCADE;
SELECT is(pg_temp.used(), '{1,3}', 'and went with it');
TRUNCATE public.day_4;
SELECT is(pg_temp.used(), '{1,2}', 'one that is emptied gives back');

-- Triggers that are switched off, and dropped.
ALTER TABLE public.day_2 DISABLE TRIGGER ALL;
INSERT INTO public.day_2 (tenant_id, day) VALUES (test_helpers.a(), 2);
SELECT is((SELECT string_agg(object || ': ' || fix, '; ') FROM tenancy.check() WHERE code = 'documents_not_counted'),
          'table public.day_2: ALTER TABLE public.day_2 ENABLE TRIGGER USER', 'check() names a table that does not count');
ALTER TABLE public.day_2 ENABLE TRIGGER ALL;
SELECT is(pg_temp.used(), '{2,2}', 'what came while triggers were off is counted when they are on again');
SELECT is(pg_temp.drift(), NULL, 'and nothing twice');
DROP TRIGGER tenancy_count_update ON public.days;
SELECT is(pg_temp.used(), '{0,0}', 'a table that is not counted as a whole is not counted');
SELECT is(pg_temp.drift(), 'tenant-a: 0 counted, 2 there; tenant-b: 0 counted, 2 there', 'which shows');
SELECT is((SELECT count(*) FROM tenancy.check() WHERE code = 'documents_not_counted' AND fix = $$SELECT tenancy.meter_documents('public.days')$$), 4::bigint,
          'also in check(), for each table of it');
SELECT tenancy.meter_documents('public.days');
SELECT is(pg_temp.used(), '{2,2}', 'until its owner has it counted again');
SET session_replication_role = replica;
INSERT INTO public.day_1 (tenant_id, day) VALUES (test_helpers.a(), 1);
UPDATE public.days SET tenant_id = test_helpers.b() WHERE day = 2;
DELETE FROM public.day_1 WHERE tenant_id = test_helpers.a() AND ctid IN (SELECT ctid FROM public.day_1 WHERE tenant_id = test_helpers.a() LIMIT 1);
TRUNCATE public.day_4;
SAVEPOINT before;
INSERT INTO public.day_4 (tenant_id, day) VALUES (test_helpers.a(), 4);
ROLLBACK TO before;
RESET session_replication_role;
SELECT is(pg_temp.used(), '{1,3}', 'what changes under session_replication_role = replica is counted');
SELECT is(pg_temp.drift(), NULL, 'as it is there');
SELECT is((SELECT count(*) FROM tenancy.check() WHERE code = 'documents_not_counted'), 0::bigint, 'and check() has nothing to say');
DROP TABLE public.days CASCADE;
SELECT is(pg_temp.used(), '{0,0}', 'a table that is dropped past drop_corpus() leaves none');
DELETE FROM tenancy.corpora WHERE name = 'days';

-- External keys.
CREATE TABLE public.keyed (account text NOT NULL, id uuid NOT NULL DEFAULT tenancy.uuid_v7(), title text, PRIMARY KEY (account, id));
SELECT tenancy.protect('public.keyed', 'account', foreign_key => false);
SELECT tenancy.attach_corpus('keyed', 'public.keyed', 'public.chapters');
INSERT INTO public.keyed (account) VALUES ('1001'), ('1001'), ('1001'), ('1002');
SELECT is(pg_temp.used(), '{3,1}', 'rows with an external key are its tenant''s');
SELECT tenancy.update_tenant('tenant-a', external_key => '2001');
SELECT is(pg_temp.used(), '{0,1}', 'whose key changes has none of them any more');
SELECT tenancy.update_tenant('tenant-b', external_key => '1001');
SELECT is(pg_temp.used(), '{0,3}', 'who takes the key has them');
SELECT is(pg_temp.drift(), NULL, 'as it is there');
SELECT throws_ok($$UPDATE public.keyed SET account = 'nobody'$$, 'TN002', 'tenant is not available', 'no row goes to a key that nobody has');
SELECT tenancy.update_tenant('tenant-b', external_key => '3001');
DELETE FROM public.keyed WHERE account = '1002';
ALTER TABLE public.keyed DISABLE TRIGGER ALL;
UPDATE public.keyed SET account = '3001';
ALTER TABLE public.keyed ENABLE TRIGGER ALL;
ALTER TABLE public.keyed ADD FOREIGN KEY (account) REFERENCES tenancy.tenants (external_key) ON UPDATE CASCADE;
SELECT is(pg_temp.used(), '{0,3}', 'a foreign key is added');
SELECT tenancy.update_tenant('tenant-b', external_key => '4001');
SELECT is((SELECT array_agg(DISTINCT account) FROM public.keyed), '{4001}', 'that takes the rows along to the new key');
SELECT is(pg_temp.used(), '{0,3}', 'where they count once');

-- By hand.
UPDATE tenancy.usage_slots SET used = used + 7 WHERE metric = 'documents' AND subject = test_helpers.b() AND slot = (SELECT min(s.slot) FROM tenancy.usage_slots s WHERE s.metric = 'documents' AND s.subject = test_helpers.b());
SELECT is(pg_temp.drift(), 'tenant-b: 10 counted, 3 there', 'a wrong count shows');
SELECT tenancy.recount_documents();
SELECT is(pg_temp.drift(), NULL, 'and is set right');

SELECT * FROM finish();
ROLLBACK;
