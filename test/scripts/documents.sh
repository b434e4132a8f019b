#!/usr/bin/env bash
# The documents keep their word: SQL examples run, the reference is what the catalogue says, C++ examples are those that
# are compiled and run by the SDK's tests. Prints TAP.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

trap 'scripts/cluster drop docs >/dev/null 2>&1' EXIT
scripts/cluster drop docs >/dev/null 2>&1
scripts/cluster start docs >/dev/null || exit 1
url=$(scripts/cluster url docs)
tests=0

report() {
    local result=$1 name=$2
    ((++tests))
    if ((result == 0)); then echo "ok $tests - $name"; else echo "not ok $tests - $name"; fi
}

examples=$(bash test/scripts/sql_examples "$url" README.md docs/*.md)
grep -v '^1\.\.' <<<"$examples"
tests=$(grep -cE '^(not )?ok ' <<<"$examples")

scripts/cluster psql docs -Xq -c 'CREATE DATABASE docs_reference' >/dev/null
scripts/cluster psql docs -Xq -d docs_reference -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION tenancy CASCADE'
scripts/cluster psql docs -XqAt -d docs_reference -f scripts/reference.sql | diff docs/reference.md - | sed 's/^/# /'
report "$((PIPESTATUS[1]))" "docs/reference.md is what scripts/reference.sql prints"

# A block between "<!-- file: PATH -->" and the next fence must be the file, so that readers see what was compiled.
while IFS=: read -r document line path; do
    sed -n "$((line + 2)),\$p" "$document" | sed '/^```$/,$d' | diff - "$path" | sed 's/^/# /'
    report "$((PIPESTATUS[2]))" "the example at $document:$line is $path"
done < <(grep -nE '^<!-- file: .* -->$' README.md docs/*.md | sed -E 's/<!-- file: (.*) -->/\1/')

echo "1..$tests"
