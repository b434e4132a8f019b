-- A migration step by step: what an application that knows nothing of tenants writes meanwhile has its tenant, and the
-- states, the pause, the refusals.
SELECT plan(56);

CREATE TABLE users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer REFERENCES users ON DELETE CASCADE, body text);
CREATE TABLE lines (note_id integer NOT NULL REFERENCES notes ON DELETE CASCADE, n integer, PRIMARY KEY (note_id, n));
CREATE TABLE words (word text PRIMARY KEY);
INSERT INTO users (email) SELECT 'user' || g || '@x.example' FROM generate_series(1, 20) g;
INSERT INTO notes (user_id, body) SELECT g % 20 + 1, 'note ' || g FROM generate_series(1, 200) g;
INSERT INTO lines SELECT g, 1 FROM generate_series(1, 200) g;
INSERT INTO words VALUES ('word');
-- Triggers of the application do not hear of the backfill.
CREATE TABLE heard (what text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO heard VALUES (TG_OP); RETURN NEW; END';
CREATE TRIGGER hear BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION hear();
SELECT test_helpers.make_role('old', NULL);
SELECT test_helpers.run(format('GRANT SELECT, INSERT, UPDATE, DELETE ON users, notes, lines, words, heard TO %I', test_helpers.role_name('old')));

SELECT throws_ok($$SELECT * FROM tenancy.migration_status()$$, '42704', 'there is no migration', 'none yet');
SELECT throws_ok($$SELECT tenancy.start_migration('best')$$, '22023', $$invalid strategy 'best'$$, 'unknown strategy');
SELECT throws_ok($$SELECT tenancy.start_migration(online => NULL)$$, '22004', 'online must not be null', 'online NULL');
SELECT throws_ok($$SELECT tenancy.start_migration(foreign_key => NULL)$$, '22004', 'foreign_key must not be null', 'foreign_key NULL');
SELECT throws_ok($$SELECT tenancy.start_migration(force => NULL)$$, '22004', 'force must not be null', 'force NULL');
SELECT throws_ok($$SELECT tenancy.start_migration(schemas => '{tenancy}')$$, 'TN009', 'migration cannot be planned', 'there are no tables of the application');

SELECT is(tenancy.start_migration(online => false, tables => '{"heard": "leave", "words": "leave"}'), 1, 'a migration is recorded');
SELECT results_eq('SELECT state, paused, steps_done, step, kind, relation FROM tenancy.migration_status()',
                  $$VALUES ('planned', false, 0::bigint, 1000, 'column', 'public.users')$$, 'it has done nothing');
SELECT hasnt_column('public'::name, 'notes'::name, 'tenant_id'::name, 'the tables are as they were');
SELECT throws_ok('SELECT tenancy.start_migration()', '55000', 'migration 1 is under way', 'one after the other');
SELECT throws_ok('SELECT * FROM tenancy.advance_migration(migration => 7)', '42704', 'migration 7 does not exist', 'unknown migration');
SELECT throws_ok($$SELECT * FROM tenancy.advance_migration('moon')$$, '22023', $$invalid goal 'moon'$$, 'unknown goal');
SELECT throws_ok('SELECT * FROM tenancy.advance_migration(NULL)', '22023', 'invalid goal NULL', 'no goal');
SELECT throws_ok($$CALL tenancy.run_migration('moon')$$, '22023', $$invalid goal 'moon'$$, 'unknown goal of the procedure');

SELECT tenancy.pause_migration();
SELECT is((SELECT outcome FROM tenancy.advance_migration()), 'paused', 'paused, it does nothing');
SELECT is((SELECT paused FROM tenancy.migration_status()), true, 'and says so');
SELECT tenancy.resume_migration();
SELECT throws_ok('SELECT tenancy.tune_migration(batch_ms => 0)', '22023', 'invalid batch_ms: expected 1 to 60000, not 0', 'no time for a batch');
SELECT throws_ok('SELECT tenancy.tune_migration(pause_factor => -1)', '22023', 'invalid pause_factor: expected 0 to 1000, not -1', 'a pause in the past');
SELECT throws_ok('SELECT tenancy.tune_migration(lock_ms => 0)', '22023', 'invalid lock_ms: expected 1 to 60000, not 0', 'no time for a lock');
SELECT lives_ok('SELECT tenancy.tune_migration(pause_factor => 0)', 'a migration without pauses');

-- One step: users have the column, and a trigger.
SELECT results_eq('SELECT outcome, kind, relation FROM tenancy.advance_migration()', $$VALUES ('done', 'column', 'public.users')$$, 'the first step');
SELECT results_eq('SELECT outcome, kind, relation FROM tenancy.advance_migration()', $$VALUES ('done', 'column', 'public.notes')$$, 'the second');
SELECT test_helpers.act_as('old');
INSERT INTO users (email) VALUES ('new@x.example'), ('new@y.example');
INSERT INTO notes (user_id, body) VALUES (21, 'of a new user'), (1, 'of an old one'), (NULL, 'nobody''s');
INSERT INTO lines VALUES (201, 1);
SELECT test_helpers.act_as_superuser();
SELECT set_eq($$SELECT t.name, t.external_key FROM users u JOIN tenancy.tenants t ON t.id = u.tenant_id$$,
              $$VALUES ('new@x.example', '21'), ('new@y.example', '22')$$, 'new users have tenants at once, named after them');
SELECT is((SELECT count(DISTINCT slug) FROM tenancy.tenants WHERE slug LIKE 'new%'), 2::bigint, 'with slugs of their own');
SELECT is((SELECT n.tenant_id = u.tenant_id FROM notes n JOIN users u ON u.id = n.user_id WHERE n.id = 201), true, 'what a new user writes is theirs');
SELECT is((SELECT tenant_id FROM notes WHERE id = 202), NULL, 'what an old user writes waits for the backfill');
SELECT is((SELECT tenant_id FROM notes WHERE id = 203), '00000000-0000-0000-0000-000000000002', 'what nobody owns is the default tenant''s');

CALL tenancy.run_migration('prepared');
SELECT is((SELECT state FROM tenancy.migration_status()), 'prepared', 'it is prepared');
SELECT is_empty('SELECT * FROM heard', 'the application''s triggers heard nothing');
SELECT is((SELECT count(*) FROM tenancy.tenants), 23::bigint, 'every user has a tenant');
SELECT is_empty('SELECT n.id FROM notes n JOIN users u ON u.id = n.user_id WHERE n.tenant_id IS DISTINCT FROM u.tenant_id', 'notes follow their users');
SELECT is_empty('SELECT l.* FROM lines l JOIN notes n ON n.id = l.note_id WHERE l.tenant_id IS DISTINCT FROM n.tenant_id', 'lines follow their notes');
SELECT col_not_null('notes', 'tenant_id', 'no row is without');
SELECT is((SELECT relrowsecurity FROM pg_class WHERE oid = 'notes'::regclass), false, 'no policy holds anybody yet');
SELECT hasnt_column('public'::name, 'words'::name, 'tenant_id'::name, 'what is left is as it was');
SELECT test_helpers.act_as('old');
SELECT lives_ok($$INSERT INTO notes (user_id, body) VALUES (1, 'later')$$, 'the old application writes on');
SELECT lives_ok($$UPDATE notes SET user_id = 2 WHERE id = 202$$, 'and gives a note to somebody else');
SELECT lives_ok($$DELETE FROM users WHERE id = 20$$, 'and deletes a user with all that is theirs');
SELECT test_helpers.act_as_superuser();
SELECT is((SELECT n.tenant_id = u.tenant_id FROM notes n JOIN users u ON u.id = 2 WHERE n.id = 202), true, 'a note goes where its owner is');
SELECT is_empty('SELECT * FROM lines WHERE note_id NOT IN (SELECT id FROM notes)', 'cascades reach as before');
SELECT is((SELECT outcome FROM tenancy.advance_migration('prepared')), 'reached', 'there is nothing left to do for that');

CALL tenancy.run_migration('enforced');
SELECT is((SELECT state FROM tenancy.migration_status()), 'enforced', 'it is enforced');
SELECT set_eq('SELECT relation FROM tenancy.protected_tables', $$VALUES ('users'::regclass), ('notes'), ('lines')$$, 'those that were to be');
SELECT is_empty($$SELECT * FROM tenancy.check() WHERE severity = 'error' AND code <> 'not_preloaded' AND object ~ '(users|notes|lines)'$$,
                'check() finds nothing wrong with them');
SELECT is_empty($$SELECT proname FROM pg_proc WHERE proname LIKE 'migration\_%\_table\_%'$$, 'what served the migration is gone');
SELECT is_empty($$SELECT tgname FROM pg_trigger WHERE tgname LIKE 'zz\_tenancy%'$$, 'its triggers too');
SELECT is_empty('SELECT * FROM tenancy.state_before_migration', 'what was before is the registry''s matter');
SELECT throws_ok('SELECT * FROM tenancy.advance_undo(7)', '42704', 'migration 7 does not exist', 'unknown migration');

CALL tenancy.undo_migration();
SELECT is((SELECT state FROM tenancy.migration_status()), 'undone', 'it is undone');
SELECT hasnt_column('public'::name, 'notes'::name, 'tenant_id'::name, 'the column is gone');
SELECT is((SELECT count(*) FROM tenancy.tenants), 1::bigint, 'and the tenants that it made');
SELECT is((SELECT count(*) FROM notes), 194::bigint, 'no note is');
SELECT is_empty('SELECT * FROM tenancy.protected_tables', 'nothing is protected');
SELECT throws_ok('SELECT * FROM tenancy.advance_migration()', '55000', 'migration 1 is undone', 'it cannot go on');
CALL tenancy.undo_migration();
SELECT is(tenancy.start_migration('system', online => false), 2, 'another one can begin');
SELECT is_empty('SELECT * FROM tenancy.migration_steps WHERE migration = 2 AND kind = ''backfill''', 'all rows of one tenant need no backfill');

SELECT * FROM finish();
