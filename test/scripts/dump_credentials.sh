#!/usr/bin/env bash
# Credentials and pg_dump: after a superuser's dump and restore keys, tokens and invitations go on; a dump by anybody else
# holds no secret. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop credentials >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop credentials >/dev/null 2>&1
scripts/cluster start credentials >/dev/null || exit 1
url=$(scripts/cluster url credentials)
sql() { scripts/cluster psql credentials -XqAt -v ON_ERROR_STOP=1 -d "$@"; }
dump() { "$PGBINDIR/pg_dump" "${url/dbname=postgres/dbname=$1}" "${@:2}"; }
enters() { [[ $(sql "$1" -c 'BEGIN' -c "SELECT tenancy.enter_with_key('$2')" -c 'COMMIT') == "$tenant" ]]; }
refused() { ! sql "$@" 2>"$work/error" && grep -q "$state" "$work/error"; }

export PGOPTIONS='-c client_min_messages=warning'
sql postgres -c 'CREATE DATABASE one' -c 'CREATE DATABASE two' -c 'CREATE ROLE app LOGIN' -c 'CREATE ROLE reader LOGIN IN ROLE pg_read_all_data' || exit 1
sql one >"$work/made" <<'END' || exit 1
CREATE EXTENSION tenancy CASCADE;
DO $$BEGIN PERFORM tenancy.grant_app('app'); END$$;
SELECT tenancy.create_tenant('a');
SELECT api_key FROM tenancy.create_api_key((SELECT id FROM tenancy.tenants WHERE slug = 'a'), 'old');
DO $$BEGIN PERFORM tenancy.rotate_pepper(), tenancy.rotate_invitation_secret(),
                   tenancy.add_token_issuer('idp', '{HS256}', 'a secret that nobody else may see', subject_claim => NULL); END$$;
SELECT api_key FROM tenancy.create_api_key((SELECT id FROM tenancy.tenants WHERE slug = 'a'), 'new');
INSERT INTO tenancy.users (id, email) VALUES ('c0000000-0000-4000-8000-000000000001', 'new@c.example');
SELECT tenancy.invite((SELECT id FROM tenancy.tenants WHERE slug = 'a'), 'new@c.example', 'editor');
CREATE TABLE public.notes (body text);
GRANT SELECT ON public.notes TO app;
END
{ read -r tenant; read -r old_key; read -r new_key; read -r invitation; } <"$work/made"
secrets="SELECT string_agg(concat_ws(' ', kind, name, id, encode(secret, 'hex')), ',' ORDER BY kind, name, id) FROM tenancy.secrets"

ok "a superuser's dump" dump one -f "$work/whole.sql"
ok "holds the secrets" grep -q "$(printf 'a secret that nobody else may see' | od -An -tx1 | tr -d ' \n')" "$work/whole.sql"
ok "it restores into an empty database without an error" sql two -f "$work/whole.sql"
ok "where the secrets are those of the dump" test "$(sql one -c "$secrets")" == "$(sql two -c "$secrets")"
ok "which are four and an issuer's" test "$(sql two -c 'SELECT count(*) FROM tenancy.secrets')" == 5
ok "a key of the old pepper enters" enters two "$old_key"
ok "a key of the new one too" enters two "$new_key"
ok "an invitation is accepted" test \
    "$(sql two -c "SELECT tenancy.accept_invitation('$invitation', 'c0000000-0000-4000-8000-000000000001')")" == "$tenant"
ok "when a key was used came along" test "$(sql two -c 'SELECT count(*) FROM tenancy.api_key_uses')" == 2
sql two -c "DROP EXTENSION tenancy CASCADE" -c "CREATE EXTENSION tenancy" >/dev/null
state=TN007
ok "in an installation of its own the key is nobody's" refused two -v VERBOSITY=verbose -c BEGIN -c "SELECT tenancy.enter_with_key('$old_key')"

# Rows of the tables of secrets in a dump.
leaked() { sed -nE '/^COPY tenancy\.(secrets|api_keys) /,/^\\\.$/p' "$1" | grep -vE '^(COPY |\\\.)'; }
holds_nothing() { ! leaked "$1" && ! grep -q 'a secret that nobody' "$1"; }
as() { "$PGBINDIR/pg_dump" "${url/user=postgres dbname=postgres/user=$1 dbname=one}" "${@:2}"; }
for role in app reader; do
    for option in --no-owner --enable-row-security; do
        as $role $option >"$work/$role.sql" 2>"$work/error"
        ok "a dump by $role with $option holds no secret and no key" holds_nothing "$work/$role.sql"
    done
done
ok "as a superuser's does" leaked "$work/whole.sql"
ok "the application dumps its own tables" as app -t public.notes
finish
