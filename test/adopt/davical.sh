#!/usr/bin/env bash
# The calendar server DAViCal: users with collections, deferrable and composite keys, triggers, functions, rules on a view, and keys
# of other types than what they refer to. Prints TAP.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
size=40
[[ -z $full ]] || size=3000
fetch libawl-php
fetch davical
start_server
awl=build/adopt/libawl-php/usr/share/awl/dba dba=build/adopt/davical/usr/share/davical/dba
as_owner -f $awl/awl-tables.sql -f $awl/schema-management.sql -f $dba/davical.sql -f $dba/supported_locales.sql -f $dba/views/dav_principal.sql \
    -f $dba/caldav_functions.sql -f $dba/rrule_functions.sql -f $dba/base-data.sql -v size=$size -f "$folder/fill.sql" >/dev/null || exit 1
grant_to_applications public
changing=usr.last_used,usr.updated,collection.modified,collection.dav_etag,calendar_item.dav_etag

# What users share with each other would reach across tenants: it is taken back. Time zones and kinds of principals are everybody's.
plan=$(
    cat <<'END'
strategy => 'personal', users => 'usr', tables => '{
    "timezones": "share", "tz_aliases": "share", "tz_localnames": "share", "relationship_type": "share", "principal_type": "share",
    "roles": "share", "supported_locales": "share", "awl_db_revision": "share", "calendar_attendee_email_status": "share", "locks": "leave",
    "access_ticket": {"column": "dav_owner_id", "parent": "principal"}, "grants": {"column": "by_principal", "parent": "principal"}}'
END
)
repairs="DELETE FROM grants g USING principal a, principal b
          WHERE a.principal_id = g.by_principal AND b.principal_id = g.to_principal AND a.user_no <> b.user_no"
belongs="SELECT d.dav_id FROM caldav_data d JOIN tenancy.tenants t ON t.id = d.tenant_id WHERE t.external_key <> d.user_no::text
          UNION ALL SELECT a.dav_id FROM calendar_attendee a JOIN caldav_data d USING (dav_id) WHERE a.tenant_id <> d.tenant_id"
new_application() {
    ok "the new application writes for a user" acts 1001 ok \
        "INSERT INTO caldav_data (user_no, dav_name, collection_id) SELECT user_no, '/user1/calendar/mine.ics', collection_id FROM collection WHERE is_calendar"
    ok "and not into what is another's" acts 1001 23503 \
        "INSERT INTO caldav_data (user_no, dav_name, collection_id) SELECT 1001, '/user1/x.ics', 1000000 + 2 * 1002"
}
. test/adopt/scenario.sh
scenario
