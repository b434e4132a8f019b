SELECT pg_sleep(:pause) \gset
SELECT 1001 + floor(random() * :size)::integer AS owner, floor(random() * 1000000000)::bigint AS dice \gset
UPDATE usr SET last_used = now() WHERE user_no = :owner;
\i :journal
INSERT INTO session (user_no, session_key) VALUES (:owner, md5(:dice::text)) RETURNING 'session.session_id ' || session_id AS added \gset
\i :journal
INSERT INTO caldav_data (user_no, dav_name, dav_etag, created, modified, caldav_data, caldav_type, logged_user, collection_id)
SELECT :owner, format('%sw%s.ics', dav_name, :dice), md5(:dice::text), now(), now(), 'BEGIN', 'VEVENT', :owner, collection_id FROM collection
WHERE user_no = :owner AND is_calendar RETURNING 'caldav_data.dav_id ' || dav_id AS added, dav_id AS item, dav_name AS path \gset
\i :journal
INSERT INTO calendar_item (user_no, dav_name, dav_etag, summary, dav_id, collection_id)
SELECT user_no, dav_name, dav_etag, 'Written', dav_id, collection_id FROM caldav_data WHERE dav_id = :item RETURNING 'calendar_item.dav_id ' || dav_id AS added \gset
\i :journal
INSERT INTO calendar_attendee (dav_id, attendee) VALUES (:item, 'mailto:w') \; INSERT INTO calendar_alarm (dav_id, count, action) VALUES (:item, 1, 'AUDIO');
\i :journal
UPDATE caldav_data SET caldav_data = 'BEGIN again', dav_etag = md5(random()::text), modified = now() WHERE user_no = :owner AND dav_name = :'path';
\i :journal
SELECT write_sync_change(collection_id, 201, dav_name) FROM caldav_data WHERE dav_id = :item \gset
\i :journal
SELECT set_dav_property(:'path', :owner, 'urn:note', 'w') \gset
\i :journal
SELECT 'caldav_data.dav_id ' || :item AS removed WHERE :dice % 4 = 0 \gset
\i :journal
SELECT 'calendar_item.dav_id ' || :item AS removed WHERE :dice % 4 = 0 \gset
\i :journal
DELETE FROM caldav_data WHERE dav_id = :item AND :dice % 4 = 0;
\i :journal
