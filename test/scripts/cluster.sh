# Private clusters start, stop and say what is wrong in one line; nobody else reaches them.
. test/scripts/tap.sh
cluster=scripts/cluster
trap '$cluster drop test-one >/dev/null 2>&1; $cluster drop test-two >/dev/null 2>&1' EXIT

refuses "an unknown command" "unknown command 'fly'" $cluster fly one
refuses "a missing name" 'needs the NAME' $cluster start
refuses "a name that is a path" "is not a name" $cluster start ../one
refuses "an unknown cluster" "there is no cluster 'nowhere'" $cluster url nowhere
refuses "a setting without a value" 'is not a setting' $cluster start test-one -- fsync
refuses "a setting that does not exist stops the start" '' bash -c "$cluster start test-one -- no_such_setting=1 2>&1 | tail -n 1; exit 1"
ok "after a start that failed it starts" $cluster start test-one -- "tenancy.missing_tenant=empty" "application_name=it's"
ok "a second one beside it" $cluster start test-two
ok "starting again is no error" $cluster start test-one

one() { $cluster psql test-one -XAtqc "$1"; }
says() { [[ $(one "$1") == "$2" ]]; }
ok "it listens on no network address" says 'SHOW listen_addresses' ''
ok "settings arrive as given" says 'SHOW tenancy.missing_tenant' empty
ok "also those with a quote" bash -c "grep -F \"it''s\" build/clusters/test-one/tenancy.conf"
ok "it preloads tenancy" says 'SHOW shared_preload_libraries' tenancy
ok "its encoding and locale do not depend on the machine" \
    says "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate FROM pg_database WHERE datname = 'postgres'" 'UTF8 C.UTF-8'
private_socket() {
    local url folder
    url=$($cluster url test-one)
    folder=${url#host=} folder=${folder%% *}
    [[ $(stat -c %a "$folder") == 700 ]] && ((${#folder} < 90))
}
ok "its socket is in a folder closed to others" private_socket
not_root() { [[ $(stat -c %U "/proc/$(head -n 1 build/clusters/test-one/data/postmaster.pid)") != root ]]; }
ok "the server does not run as root" not_root
ok "the two are apart" bash -c "[[ \$($cluster url test-one) != \$($cluster url test-two) ]]"

one 'CREATE TABLE kept (n int)' && $cluster stop test-one
refuses "a stopped one has no url" 'is not running' $cluster url test-one
$cluster start test-one >"$work/url"
ok "its data outlives a stop" says 'SELECT count(*) FROM kept' 0
ok "stop twice" bash -c "$cluster stop test-two && $cluster stop test-two"
ok "drop deletes it" bash -c "$cluster drop test-two && [[ ! -e build/clusters/test-two ]]"
ok "drop of what is not there is no error" $cluster drop test-two

finish
