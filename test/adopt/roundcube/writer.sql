SELECT pg_sleep(:pause) \gset
SELECT 1 + floor(random() * :size)::integer AS owner, floor(random() * 1000000000)::bigint AS dice \gset
UPDATE users SET last_login = now(), failed_login_counter = coalesce(failed_login_counter, 0) + 1 WHERE user_id = :owner;
\i :journal
INSERT INTO contacts (user_id, name, email, vcard) VALUES (:owner, 'New', 'new@example.org', 'v') RETURNING 'contacts.contact_id ' || contact_id AS added, contact_id AS contact \gset
\i :journal
INSERT INTO contactgroups (user_id, name) VALUES (:owner, 'New') RETURNING 'contactgroups.contactgroup_id ' || contactgroup_id AS added, contactgroup_id AS grp \gset
\i :journal
INSERT INTO contactgroupmembers (contactgroup_id, contact_id) SELECT :grp, contact_id FROM contacts WHERE user_id = :owner ORDER BY contact_id DESC LIMIT 3;
\i :journal
UPDATE contacts SET name = 'Newer', changed = now() WHERE contact_id = :contact AND user_id = :owner;
\i :journal
INSERT INTO collected_addresses (user_id, email, "type") VALUES (:owner, :dice || '@example.net', 1) RETURNING 'collected_addresses.address_id ' || address_id AS added \gset
\i :journal
INSERT INTO "cache" (user_id, cache_key, data) VALUES (:owner, 'w' || :dice % 5, 'x') ON CONFLICT (user_id, cache_key) DO UPDATE SET data = excluded.data || 'x';
\i :journal
INSERT INTO cache_messages (user_id, mailbox, uid, data) VALUES (:owner, 'W', :dice % 100000, 'x') ON CONFLICT DO NOTHING;
\i :journal
DELETE FROM cache_messages WHERE user_id = :owner AND mailbox = 'W' AND uid % 3 = 0;
\i :journal
INSERT INTO session (sess_id, ip, vars) VALUES (md5(:dice::text || random()), '127.0.0.1', 'v') RETURNING 'session.sess_id ' || sess_id AS added \gset
\i :journal
DELETE FROM contactgroups WHERE contactgroup_id = :grp AND :dice % 2 = 0 RETURNING 'contactgroups.contactgroup_id ' || contactgroup_id AS removed \gset
\i :journal
INSERT INTO dictionary (user_id, "language", data) VALUES (NULL, 'w' || :dice, 'x') RETURNING 'dictionary.language ' || "language" AS added \gset
\i :journal
