-- A graph and its tenants: how much of a large one a walk carries, what another tenant's graph changes (nothing), and export,
-- freezing and purging of a tenant that has one. purge_tenant() commits, so this file is not one transaction.
SELECT plan(14);

SELECT test_helpers.make_tenants();
SELECT test_helpers.make_role('operator', NULL);
SELECT tenancy.grant_control_plane(test_helpers.role_name('operator')::regrole);
SELECT test_helpers.role_name('operator') AS operator \gset
SELECT tenancy.create_corpus(dimensions => 2);
SELECT tenancy.create_graph();

-- A star in A: one hub with 1,500 neighbours, each with one of its own; and a ring.
SELECT tenancy.set_tenant(test_helpers.a(), false);
INSERT INTO documents (id) VALUES ('00000000-0000-0000-0000-00000000000d');
INSERT INTO chunks (id, document_id, chunk_index, content, embedding)
SELECT format('00000000-0000-0000-0000-0000000%s', lpad(n::text, 5, '0'))::uuid, '00000000-0000-0000-0000-00000000000d', n, 'word ' || n, '[1,1]' FROM generate_series(1, 60) n;
INSERT INTO entities (id, kind, name) SELECT format('00000000-0000-0000-0001-%s', lpad(n::text, 12, '0'))::uuid, 'spoke', 'spoke ' || n FROM generate_series(1, 1500) n;
INSERT INTO entities (id, kind, name) SELECT format('00000000-0000-0000-0002-%s', lpad(n::text, 12, '0'))::uuid, 'end', 'end ' || n FROM generate_series(1, 1500) n;
INSERT INTO entities (id, kind, name) VALUES ('00000000-0000-0000-0000-000000000001', 'hub', 'hub');
INSERT INTO relations (source_id, target_id, kind, weight)
SELECT '00000000-0000-0000-0000-000000000001', format('00000000-0000-0000-0001-%s', lpad(n::text, 12, '0'))::uuid, 'spoke', CASE WHEN n > 1400 THEN 1 ELSE 0.5 END FROM generate_series(1, 1500) n;
INSERT INTO relations (source_id, target_id, kind)
SELECT format('00000000-0000-0000-0002-%s', lpad(n::text, 12, '0'))::uuid, format('00000000-0000-0000-0001-%s', lpad(n::text, 12, '0'))::uuid, 'end' FROM generate_series(1, 1500) n;
INSERT INTO entities (id, kind, name) SELECT format('00000000-0000-0000-0003-%s', lpad(n::text, 12, '0'))::uuid, 'ring', 'ring ' || n FROM generate_series(0, 99) n;
INSERT INTO relations (source_id, target_id)
SELECT format('00000000-0000-0000-0003-%s', lpad(n::text, 12, '0'))::uuid, format('00000000-0000-0000-0003-%s', lpad(((n + 1) % 100)::text, 12, '0'))::uuid FROM generate_series(0, 99) n;
INSERT INTO mentions (entity_id, chunk_id) SELECT '00000000-0000-0000-0003-000000000000', c.id FROM chunks c;
SELECT tenancy.leave();

CREATE TABLE answers (moment text, answer text);
GRANT ALL ON answers TO PUBLIC;
CREATE PROCEDURE note(moment text) LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
BEGIN
    PERFORM set_config('tenancy.tenant_id', test_helpers.a()::text, true);
    INSERT INTO public.answers
    SELECT note.moment, jsonb_agg(to_jsonb(g))::text
    FROM (VALUES ('hub'), ('word ring'), ('spoke 7'), ('word 5')) AS q (query),
         tenancy.graph_search(q.query, depth => 3, match_count => 3000, query_embedding => '[0.3,1]') g;
    PERFORM set_config('tenancy.tenant_id', '', true);
END
$$;

BEGIN;
SELECT test_helpers.make_role();
SELECT test_helpers.act_as('app', test_helpers.a());
SELECT is((SELECT count(*) FROM tenancy.graph_search(entity => '00000000-0000-0000-0000-000000000001', depth => 1, match_count => 10000)), 1001::bigint,
    'of a level a thousand entities are carried on');
SELECT is((SELECT count(*) FROM tenancy.graph_search(entity => '00000000-0000-0000-0000-000000000001', depth => 1, match_count => 10000) WHERE name ~ 'spoke (14[0-9][1-9]|1500)'), 91::bigint,
    'the best of them');
SELECT is((SELECT array_agg(name) FROM (SELECT name FROM tenancy.graph_search(entity => '00000000-0000-0000-0000-000000000001', depth => 1, match_count => 10000)
           WHERE name ~ 'spoke' AND score < 0.5 OFFSET 898) last), '{spoke 899,spoke 900}', 'ties by id');
SELECT is((SELECT count(*) FROM tenancy.graph_search(entity => '00000000-0000-0000-0000-000000000001', depth => 8, match_count => 10000)), 2001::bigint,
    'and of the next level as many at most, of those that were');
SELECT is((SELECT count(*) FROM tenancy.graph_search('spoke', depth => 0, match_count => 10000)), 50::bigint, 'a walk begins at fifty at most');
SELECT results_eq($$SELECT distance, count(*) FROM tenancy.graph_search(entity => '00000000-0000-0000-0003-000000000000', depth => 8) GROUP BY 1 ORDER BY 1$$,
    $$SELECT d, CASE d WHEN 0 THEN 1::bigint ELSE 2 END FROM generate_series(0, 8) d$$, 'a ring is walked both ways, no further than asked');
SELECT test_helpers.act_as_superuser();
COMMIT;

-- What B stores does not matter to A.
CALL note('alone');
SELECT tenancy.set_tenant(test_helpers.b(), false);
INSERT INTO documents (id) VALUES ('00000000-0000-0000-0000-0000000000b0');
INSERT INTO chunks (document_id, chunk_index, content, embedding)
SELECT '00000000-0000-0000-0000-0000000000b0', n, 'word ring ' || n, '[1,1]' FROM generate_series(1, 300) n;
INSERT INTO entities (kind, name, embedding) SELECT 'spoke', 'spoke ' || n, '[0.3,1]' FROM generate_series(1, 300) n;
INSERT INTO relations (source_id, target_id) SELECT e.id, f.id FROM entities e, entities f WHERE e.name = 'spoke 1' AND f.name <> 'spoke 1' AND e.tenant_id = f.tenant_id AND e.tenant_id = test_helpers.b();
INSERT INTO mentions (entity_id, chunk_id) SELECT e.id, c.id FROM entities e, chunks c WHERE e.name = 'spoke 1' AND e.tenant_id = test_helpers.b() AND c.tenant_id = e.tenant_id;
SELECT tenancy.leave();
CALL note('beside B');
SELECT is((SELECT count(DISTINCT answer) FROM answers), 1::bigint, 'what A finds is the same to the last bit beside B');
SELECT cmp_ok((SELECT length(min(answer)) FROM answers), '>', 10000, 'which is something');

SELECT tenancy.freeze_tenant(test_helpers.a());
CALL note('frozen');
SELECT is((SELECT count(DISTINCT answer) FROM answers), 1::bigint, 'also when A is frozen');
SELECT tenancy.unfreeze_tenant(test_helpers.a());

SET SESSION AUTHORIZATION :"operator";
SELECT results_eq($$SELECT relation, count(*) FROM tenancy.export_tenant(test_helpers.b()) WHERE relation ~ '^public[.](ent|rel|men)' GROUP BY 1 ORDER BY relation COLLATE "C"$$,
    $$VALUES ('public.entities', 300::bigint), ('public.mentions', 300), ('public.relations', 299)$$, 'B is exported with its graph');
SELECT is((SELECT count(*) FROM tenancy.export_tenant(test_helpers.b()) WHERE data ->> 'tenant_id' <> test_helpers.b()::text), 0::bigint, 'and nothing of A');
SELECT tenancy.delete_tenant('tenant-b');
CALL tenancy.purge_tenant('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 100);
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM entities WHERE tenant_id = test_helpers.b()) + (SELECT count(*) FROM relations WHERE tenant_id = test_helpers.b())
          + (SELECT count(*) FROM mentions WHERE tenant_id = test_helpers.b()), 0::bigint, 'B is purged with its graph');
SELECT is((SELECT count(*) FROM entities), 3101::bigint, 'A has its own');
CALL note('afterwards');
SELECT is((SELECT count(DISTINCT answer) FROM answers), 1::bigint, 'and finds what it found');

SELECT * FROM finish();
