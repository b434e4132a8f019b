-- Attack 39: have the extension run one's own code with the rights of its owner, or of an operator. What hangs on a table
-- is code of whoever owns it: triggers, also those that wait for the end of the transaction, and whatever planning a query
-- evaluates. It tells who runs it.
SELECT plan(4);
SET search_path = public, test_helpers;

SELECT make_tenants();
SELECT make_owner() AS owner \gset
SELECT make_role('operator', NULL) AS operator \gset
SELECT tenancy.grant_control_plane(:'operator'::regrole);
SELECT format('GRANT CREATE ON SCHEMA public TO %I', :'operator') \gexec
CREATE TABLE ran_as (what text, who text);
GRANT INSERT ON ran_as TO PUBLIC;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ran_as VALUES (TG_TABLE_NAME, current_user);
    RETURN NULL;
END
$$;

-- An operator's trigger that waits, when a purge has all that wait fire.
SET SESSION AUTHORIZATION :"operator";
CREATE TABLE trap (id integer);
CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
SELECT tenancy.create_tenant('victim') AS victim \gset
SELECT lives_ok($$SELECT tenancy.delete_tenant('victim')$$, 'an operator deletes a tenant');
BEGIN;
INSERT INTO trap VALUES (1);
SELECT lives_ok(format('SELECT tenancy.purge_begin(%L, 10)', :'victim'), 'and purges it');
SELECT lives_ok(format('SELECT tenancy.purge_batch(%L, ARRAY[''tenancy.agents''::regclass], 10)', :'victim'), 'with a trigger of its own in wait');
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT results_eq('SELECT * FROM ran_as', format('VALUES (%L, %L)', 'trap', :'operator'), 'which runs with its own rights');

SELECT * FROM finish();
