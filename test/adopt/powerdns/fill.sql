-- `size` customers (the column account) of a name server, three zones each; a few zones that belong to nobody.
INSERT INTO domains (name, type, account, notified_serial)
SELECT format('zone%s-%s.example.com', g, n), 'NATIVE', 'customer-' || g, 2025010100 FROM generate_series(1, :size) g, generate_series(1, 3) n ORDER BY g, n;
INSERT INTO domains (name, type) SELECT format('internal%s.example.net', n), 'MASTER' FROM generate_series(1, 3) n;
INSERT INTO records (domain_id, name, type, content, ttl, prio, ordername)
SELECT d.id, CASE WHEN n < 4 THEN d.name ELSE format('host%s.%s', n, d.name) END, (ARRAY['A', 'SOA', 'NS', 'MX', 'AAAA'])[1 + n % 5],
       '192.0.2.' || n, 3600, 0, 'host' || n
FROM domains d, generate_series(1, 18) n ORDER BY d.id, n;
INSERT INTO comments (domain_id, name, type, modified_at, account, comment)
SELECT id, name, 'A', 1735689600, account, 'checked' FROM domains ORDER BY id;
INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, k, 'x' FROM domains, unnest('{ALLOW-AXFR-FROM,SOA-EDIT}'::text[]) k ORDER BY id, k;
INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, true, 'key' FROM domains WHERE id % 2 = 0 ORDER BY id;
INSERT INTO supermasters SELECT ('10.' || g / 65536 || '.' || g / 256 % 256 || '.' || g % 256)::inet, 'ns.example.com', 'customer-' || g FROM generate_series(1, :size) g;
INSERT INTO tsigkeys (name, algorithm, secret) SELECT 'key' || n, 'hmac-sha256', 's' FROM generate_series(1, 5) n;
