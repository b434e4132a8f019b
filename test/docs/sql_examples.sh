#!/usr/bin/env bash
# Runs every ```sql block of the documents in order, each document in a database of its own, and prints TAP.
# A block under <!-- fails with SQLSTATE --> must fail with just that; any other must not fail.
# usage: sql_examples.sh CONNINFO DOCUMENT...     (a superuser of a private server; roles that examples make stay there)
set -euo pipefail

(($# >= 2)) || {
    echo "usage: sql_examples.sh CONNINFO DOCUMENT..." >&2
    exit 2
}
conninfo=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Turns a document into one psql script that reports "ok" behind each block.
to_script() {
    awk -v document="$1" '
        function check(state) {
            printf "\\set wanted %s\n", state
            print "SELECT :'"'LAST_ERROR_SQLSTATE'"' = :'"'wanted'"' AS as_wanted \\gset"
            print "\\if :as_wanted\n\\else"
            printf "\\warn %s:%d: expected SQLSTATE %s, got :LAST_ERROR_SQLSTATE\n", document, line, state
            print "\\set ON_ERROR_STOP 1\nSELECT 1/0;\n\\endif"
        }
        /^<!-- fails with [A-Z0-9]+ -->$/ { state = $4; next }
        /^```sql$/ { inside = 1; line = NR; print (state ? "\\set ON_ERROR_STOP 0" : "\\set ON_ERROR_STOP 1"); next }
        /^```$/ && inside {
            inside = 0
            if (state) check(state)
            printf "\\echo ok %s:%d\n", document, line
            state = ""
            next
        }
        inside { print }
    ' "$1"
}

plan=0 failed=0 databases=0
for document; do
    blocks=$(grep -c '^```sql$' "$document" || true)
    ((blocks > 0)) || continue
    database=docs_$((++databases))
    psql -XqAt -d "$conninfo" -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database" 2>"$work/err" || {
        cat "$work/err" >&2
        exit 1
    }
    to_script "$document" >"$work/script.sql"
    psql -XqAt -d "$conninfo dbname=$database" -f "$work/script.sql" >"$work/out" 2>"$work/err" || true
    passed=$(grep -c '^ok ' "$work/out" || true)
    for ((block = 1; block <= blocks; block++)); do
        name=$(grep -n '^```sql$' "$document" | sed -n "${block}s/:.*//p")
        if ((block <= passed)); then
            echo "ok $((++plan)) - example at $document:$name"
        else
            echo "not ok $((++plan)) - example at $document:$name"
            ((failed++ == 0)) && sed 's/^/# /' "$work/err"
            ((block == passed + 1)) && grep -E 'ERROR|expected' "$work/err" | tail -n 3 | sed 's/^/# /'
        fi
    done
done
echo "1..$plan"
((failed == 0))
