-- CREATE EXTENSION puts pgvector's schema on the path, in which others may make functions and operators that fit better than
-- PostgreSQL's.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Plain, so that a schema of that name that somebody else made is never taken over.
CREATE SCHEMA tenancy;

COMMENT ON SCHEMA tenancy IS 'multi-tenancy: the tenants, the context, protected tables and retrieval';

REVOKE ALL ON SCHEMA tenancy FROM PUBLIC;

CREATE SCHEMA tenancy_internal;

COMMENT ON SCHEMA tenancy_internal IS 'what acts with the rights of the extension''s owner, behind the functions of schema tenancy; nobody may use it';

REVOKE ALL ON SCHEMA tenancy_internal FROM PUBLIC;

CREATE FUNCTION tenancy.uuid_v7() RETURNS uuid
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tenancy_uuid_v7';

COMMENT ON FUNCTION tenancy.uuid_v7() IS
'a version 7 UUID (RFC 9562): time-ordered, strictly increasing within a session';
