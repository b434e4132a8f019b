SELECT pg_sleep(:pause) \gset
SELECT id AS zone, name AS zone_name, floor(random() * 1000000000)::bigint AS dice FROM domains WHERE id = (SELECT 1 + floor(random() * 3 * :size)::integer) \gset
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (:zone, 'w' || :dice || '.' || :'zone_name', 'A', '192.0.2.1', 60) RETURNING 'records.id ' || id AS added, id AS record \gset
\i :journal
UPDATE records SET content = '192.0.2.2' WHERE id = :record;
\i :journal
UPDATE domains SET notified_serial = notified_serial + 1, last_check = 1 WHERE id = :zone;
\i :journal
INSERT INTO comments (domain_id, name, type, modified_at, comment) VALUES (:zone, :'zone_name', 'A', 1735689600, 'w') RETURNING 'comments.id ' || id AS added \gset
\i :journal
SELECT 'records.id ' || :record AS removed WHERE :dice % 3 = 0 \gset
\i :journal
DELETE FROM records WHERE id = :record AND :dice % 3 = 0;
\i :journal
INSERT INTO domains (name, type, account) VALUES ('w' || :dice || '.example.org', 'NATIVE', 'customer-' || 1 + :dice % :size) ON CONFLICT (name) DO NOTHING RETURNING 'domains.id ' || id AS added, id AS fresh \gset
\i :journal
WITH r AS (INSERT INTO records (domain_id, name, type, content) SELECT id, name, 'SOA', 'x' FROM domains WHERE id = :fresh RETURNING domain_id)
INSERT INTO domainmetadata (domain_id, kind) SELECT domain_id, 'NEW' FROM r RETURNING 'domainmetadata.id ' || id AS added \gset
\i :journal
