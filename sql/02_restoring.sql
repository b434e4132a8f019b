-- Whether a dump is being restored: what the catalogue does for those who use it (checking, counting, recalling) it must not
-- do again for rows that come as they were. docs/backups.md says what a restore can rely on, 86_restore.sql verifies one.

CREATE FUNCTION tenancy.is_restoring() RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'tenancy_is_restoring';

COMMENT ON FUNCTION tenancy.is_restoring() IS
'whether this is a statement of a dump that a superuser restores: pg_dump and pg_restore turn check_function_bodies off in their session, and only a superuser''s own SET counts; never true inside of a SECURITY DEFINER function; internal';

CREATE FUNCTION tenancy.caller_is_restoring() RETURNS boolean
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'tenancy_caller_is_restoring';

COMMENT ON FUNCTION tenancy.caller_is_restoring() IS
'is_restoring() for trigger functions that are SECURITY DEFINER themselves: asks who called them; internal';
