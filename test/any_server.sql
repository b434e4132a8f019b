-- Whether the server that the tests run on has flaws of its own is not what they ask: check() does not look at its version
-- in this database.
DO $$
DECLARE
    definition text := pg_get_functiondef('tenancy.check_server()'::regprocedure);
    version text := 'current_setting(''server_version_num'')::integer';
BEGIN
    IF strpos(definition, version) = 0 THEN
        RAISE 'tenancy.check_server() does not look at %', version;
    END IF;
    EXECUTE replace(definition, version, 'NULL');
END
$$;
