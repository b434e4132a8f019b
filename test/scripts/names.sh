#!/usr/bin/env bash
# What the application called its things changes nothing: everything that writes SQL over them gives on a schema whose tables,
# columns, constraints and types are named after the aliases, variables and words of that SQL what it gives on the same schema
# with plain names. The names are collected from the sources and from the installed functions, so that they do not grow stale. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

trap 'scripts/cluster drop names >/dev/null 2>&1; rm -rf "$work"' EXIT
scripts/cluster drop names >/dev/null 2>&1
scripts/cluster start names >/dev/null || exit 1
export PGOPTIONS='-c client_min_messages=warning'

# Words of the string literals that hold SQL, in C++ and in the SDK.
find extension/src sdk -name '*.cpp' -o -name '*.hpp' | sort | xargs grep -hoE '"([^"\\]|\\.)*"' | grep -oE '[A-Za-z_][A-Za-z0-9_]*' | sort -u >"$work/words"
ok "the sources have words" test "$(wc -l <"$work/words")" -gt 500

run() {
    scripts/cluster psql names -XqAt -d postgres -c "CREATE DATABASE $1" &&
        scripts/cluster psql names -XqAt -v ON_ERROR_STOP=1 -v naming="$1" -v words="$work/words" -d "$1" -f test/scripts/names/"$2".sql >"$work/$1.out"
}
# The sections of an output, one name a line.
sections() { grep '^== ' "$1"; }
section() { awk -v name="$2" '/^== / { on = $0 == name } on' "$1"; }

ok "everything runs with plain names" run plain names
ok "everything runs with the names of our SQL" run odd names
ok "there is something to compare" test "$(sections "$work/plain.out" | wc -l)" -gt 12
while read -r name; do
    section "$work/plain.out" "$name" >"$work/plain.part"
    section "$work/odd.out" "$name" >"$work/odd.part"
    ok "${name#== }" diff "$work/plain.part" "$work/odd.part"
done < <(sections "$work/plain.out")
finish
