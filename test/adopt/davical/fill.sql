-- `size` users of a calendar server: a calendar and an address book each, shares between them, groups.
INSERT INTO usr (user_no, username, password, fullname, email, joined)
SELECT 1000 + g, 'user' || g, '**x', 'User ' || g, format('user%s@example.com', g), timestamptz '2025-01-01' FROM generate_series(1, :size) g;
INSERT INTO principal (principal_id, type_id, user_no, displayname, default_privileges)
SELECT 100000 + user_no, 1, user_no, fullname, privilege_to_bits('DAV::read') FROM usr WHERE user_no > 1000;
INSERT INTO usr_setting SELECT user_no, 'prefs', 'a' FROM usr WHERE user_no > 1000;
INSERT INTO role_member (role_no, user_no) SELECT 4, user_no FROM usr WHERE user_no > 1000 AND user_no % 10 = 0;
INSERT INTO timezones (tzid, olson_name, active, vtimezone) VALUES ('Europe/Berlin', 'Europe/Berlin', true, 'BEGIN:VTIMEZONE'), ('UTC', 'UTC', true, 'x');
INSERT INTO tz_aliases SELECT our_tzno, tzid || ' alias' FROM timezones;
INSERT INTO collection (user_no, parent_container, dav_name, dav_etag, dav_displayname, is_calendar, is_addressbook, created, modified, collection_id, timezone)
SELECT user_no, format('/%s/', username), format('/%s/%s/', username, k), md5(username || k), k, k = 'calendar', k = 'addresses',
       timestamptz '2025-01-01', timestamptz '2025-01-01', 1000000 + 2 * user_no + (k = 'calendar')::integer, 'Europe/Berlin'
FROM usr, unnest('{calendar,addresses}'::text[]) k WHERE user_no > 1000;
INSERT INTO caldav_data (user_no, dav_name, dav_etag, created, modified, caldav_data, caldav_type, logged_user, dav_id, collection_id)
SELECT c.user_no, format('%s%s.%s', c.dav_name, n, CASE WHEN c.is_calendar THEN 'ics' ELSE 'vcf' END), md5(c.dav_name || n),
       c.created, c.created, 'BEGIN:VCALENDAR ' || repeat('x', 100), CASE WHEN c.is_calendar THEN 'VEVENT' ELSE 'VCARD' END,
       c.user_no, c.collection_id * 100 + n, c.collection_id
FROM collection c, generate_series(1, 8) n;
INSERT INTO calendar_item (user_no, dav_name, dav_etag, uid, dtstart, dtend, summary, tz_id, dav_id, collection_id)
SELECT d.user_no, d.dav_name, d.dav_etag, d.dav_etag, timestamptz '2025-06-01', timestamptz '2025-06-02', 'Meeting', 'Europe/Berlin', d.dav_id, d.collection_id
FROM caldav_data d WHERE d.caldav_type = 'VEVENT';
INSERT INTO calendar_alarm (dav_id, count, action, trigger) SELECT dav_id, 1, 'DISPLAY', '-PT15M' FROM calendar_item WHERE dav_id % 2 = 0;
INSERT INTO calendar_attendee (dav_id, status, attendee) SELECT dav_id, 'ACCEPTED', 'mailto:user' || n FROM calendar_item, generate_series(1, 3) n;
INSERT INTO addressbook_resource (dav_id, version, uid, fn) SELECT dav_id, '3.0', dav_etag, 'Person' FROM caldav_data WHERE caldav_type = 'VCARD';
INSERT INTO addressbook_address_adr (dav_id, count, locality) SELECT dav_id, 1, 'Town' FROM addressbook_resource;
INSERT INTO addressbook_address_tel (dav_id, count, tel) SELECT dav_id, g, '555-' || g FROM addressbook_resource, generate_series(1, 2) g;
INSERT INTO addressbook_address_email (dav_id, count, email) SELECT dav_id, 1, 'p@example.org' FROM addressbook_resource;
INSERT INTO sync_tokens (collection_id, modification_time) SELECT collection_id, timestamptz '2025-01-01' FROM collection ORDER BY collection_id;
INSERT INTO sync_changes (sync_time, collection_id, sync_status, dav_id, dav_name)
SELECT timestamptz '2025-01-02', collection_id, 201, dav_id, dav_name FROM caldav_data WHERE dav_id % 4 = 0;
INSERT INTO property SELECT dav_name, 'urn:color', '#ff0000', timestamp '2025-01-01', user_no FROM collection;
INSERT INTO locks (dav_name, opaquelocktoken, type, scope, depth, owner, timeout, start)
SELECT dav_name, 'lock' || collection_id, 'write', 'exclusive', 0, 'x', '1 hour', '2025-01-01' FROM collection WHERE collection_id % 7 = 0;
INSERT INTO freebusy_ticket SELECT md5('t' || user_no), user_no, timestamptz '2025-01-01' FROM usr WHERE user_no % 5 = 0;
INSERT INTO access_ticket (ticket_id, dav_owner_id, privileges, target_collection_id)
SELECT md5('a' || c.collection_id), 100000 + c.user_no, privilege_to_bits('DAV::read'), c.collection_id FROM collection c WHERE c.is_calendar AND c.user_no % 4 = 0;
INSERT INTO relationship (from_user, to_user, rt_id) SELECT user_no, user_no, 2 FROM usr WHERE user_no > 1000 AND user_no % 6 = 0;
-- One user shares with another: across what will be tenants.
INSERT INTO grants (by_principal, to_principal, privileges, is_group)
SELECT 100000 + user_no, 100000 + user_no + n, privilege_to_bits('DAV::read'), false
FROM usr, generate_series(0, 1) n WHERE user_no > 1000 AND user_no % 8 = 0 AND user_no < 1000 + :size;
