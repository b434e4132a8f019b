# The README from top to bottom on one database: its SQL, its C++ example, its shell commands, and no hole at its end.
. test/scripts/tap.sh
. build/env

trap 'scripts/cluster drop test-readme >/dev/null 2>&1' EXIT
scripts/cluster drop test-readme >/dev/null 2>&1
scripts/cluster start test-readme >/dev/null || exit 1
url=$(scripts/cluster url test-readme)
quickstart=$(find build/cmake -type f -name quickstart -perm -u+x | head -n 1)
tenancyctl=$(find build/cmake -type f -name tenancyctl -perm -u+x | head -n 1)
PGHOST=${url#host=}
export PGHOST=${PGHOST%% *} PGPORT=5432 PGUSER=postgres PGDATABASE=docs_1
PATH=$PWD/$(dirname "$tenancyctl"):$(readlink -f build/stage)$(dirname "$PG_CONFIG"):$PATH

sql_blocks() { KEEP=1 bash test/scripts/sql_examples "$url" README.md; }
ok "every SQL block runs" sql_blocks

finds_returns() { [[ $(PGUSER=app "$quickstart") == "Returns: You may return goods within thirty days." ]]; }
ok "the C++ example runs on what they have made" finds_returns

shell_blocks() {
    awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"$work/commands"
    [[ -s $work/commands ]] && bash -eu "$work/commands" >"$work/printed" || { cat "$work/printed" && false; }
}
ok "the shell commands run" shell_blocks
ok "and find what they stored" grep -q 'control_plane.md' "$work/printed"

no_rows() { [[ -z $(psql -XAtq -c "$1" | tee /dev/stderr) ]]; }
ok "pentest() finds no hole" no_rows "SELECT attack, relation, evidence FROM tenancy.pentest() WHERE result = 'LEAKED'"
ok "check() finds nothing but what is worth knowing" \
    no_rows "SELECT code, object, problem FROM tenancy.check() WHERE severity <> 'info' AND code <> 'server_outdated'"

finish
