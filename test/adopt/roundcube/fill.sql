-- `size` users of a webmail with their address books, caches and settings; nothing random.
INSERT INTO users (username, mail_host, created, "language", preferences)
SELECT format('user%s@example.com', g), 'imap.example.com', timestamptz '2025-01-01' + g * interval '1 minute', 'en_US', 'a:0:{}'
FROM generate_series(1, :size) g;
INSERT INTO identities (user_id, changed, standard, name, email)
SELECT user_id, created, (n = 1)::integer, 'Me ' || n, format('user%s+%s@example.com', user_id, n) FROM users, generate_series(1, 2) n ORDER BY user_id, n;
INSERT INTO responses (user_id, changed, name, data) SELECT user_id, created, 'Thanks', 'Thank you' FROM users ORDER BY user_id;
INSERT INTO collected_addresses (user_id, changed, email, "type")
SELECT user_id, created, format('peer%s@example.org', n), 1 + n % 2 FROM users, generate_series(1, 5) n ORDER BY user_id, n;
INSERT INTO contacts (user_id, changed, name, email, firstname, vcard, words)
SELECT user_id, created, 'Contact ' || n, format('contact%s@example.org', n), 'C' || n, repeat('v', 200), 'contact ' || n
FROM users, generate_series(1, 20) n ORDER BY user_id, n;
INSERT INTO contactgroups (user_id, changed, name) SELECT user_id, created, 'Group ' || n FROM users, generate_series(1, 2) n ORDER BY user_id, n;
INSERT INTO contactgroupmembers
SELECT g.contactgroup_id, c.contact_id, c.changed FROM contactgroups g JOIN contacts c USING (user_id) WHERE (c.contact_id + g.contactgroup_id) % 4 = 0;
INSERT INTO "cache" SELECT user_id, 'key ' || n, NULL, repeat('d', 100) FROM users, generate_series(1, 3) n;
INSERT INTO cache_shared SELECT 'shared ' || n, NULL, 'data' FROM generate_series(1, 10) n;
INSERT INTO cache_index SELECT user_id, m, NULL, 1, 'uids' FROM users, unnest('{INBOX,Sent}'::text[]) m;
INSERT INTO cache_thread SELECT user_id, 'INBOX', NULL, 'threads' FROM users;
INSERT INTO cache_messages SELECT user_id, 'INBOX', n, NULL, repeat('m', 150), n % 4 FROM users, generate_series(1, 12) n;
INSERT INTO dictionary SELECT user_id, 'en', 'words' FROM users WHERE user_id % 3 = 0;
-- The dictionary that all users share has no user.
INSERT INTO dictionary VALUES (NULL, 'en', 'shared words');
INSERT INTO searches (user_id, name, data) SELECT user_id, 'unread', 'x' FROM users ORDER BY user_id;
INSERT INTO filestore (user_id, context, filename, mtime, data) SELECT user_id, 'enigma', 'key.asc', 1, 'k' FROM users ORDER BY user_id;
INSERT INTO session SELECT md5('s' || n), timestamptz '2025-05-01', '127.0.0.1', 'v' FROM generate_series(1, 20) n;
