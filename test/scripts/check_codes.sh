#!/usr/bin/env bash
# docs/check.md lists the findings that the source has, with their severities, and no others; each has a test. Prints TAP.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. test/scripts/tap.sh

# A finding begins with its code and its severity, a literal or a CASE of literals.
awk '
    FNR == 1 { inside = 0 }
    FILENAME ~ /40_registry|paths/ && /^CREATE FUNCTION/ { inside = 0 }
    FILENAME ~ /40_registry|paths/ && /^CREATE FUNCTION tenancy\.(all|indirect)_faults/ { inside = 1 }
    FILENAME ~ /40_registry|paths/ && !inside { next }
    match($0, /SELECT .([a-z_]+).( AS code)?, (.(error|warning|info).|CASE .* END)/) {
        text = substr($0, RSTART + 7)
        split(text, quoted, "\047")
        code = quoted[2]
        sub(/^[^,]*, /, "", text)
        if (text ~ /^CASE/) sub(/ END.*/, "", text); else sub(/,.*/, "", text)
        while (match(text, /\047(error|warning|info)\047/)) {
            print code, substr(text, RSTART + 1, RLENGTH - 2)
            text = substr(text, RSTART + RLENGTH)
        }
    }' sql/48_check*.sql sql/51_stores.sql sql/84_document_quota.sql sql/86_restore.sql sql/58_registry_rules.sql sql/40_registry.sql sql/43_paths.sql | sort -u >"$work/source"
awk -F'|' '/^## What pentest/ { exit } /^\| `/ { gsub(/[` ]/, "", $2); n = split($3, s, ","); for (i = 1; i <= n; i++) { gsub(/ /, "", s[i]); print $2, s[i] } }' \
    docs/check.md | sort -u >"$work/documented"

ok "there are findings in the source" test "$(wc -l <"$work/source")" -gt 25
ok "the document lists just those" diff "$work/source" "$work/documented"
sed -n '/^## What pentest/,$p' docs/check.md | grep '^| `' | cut -d'|' -f2 | tr -d '` ' | tr ',' '\n' | sort >"$work/attacks"
grep -oE "SELECT '[a-z_]+' AS attack|SELECT 'write_by_trigger'|\('[a-z_]+', (format\(|'SELECT|'TRUNCATE'|'REFERENCES'|'TRIGGER')|\([0-9]+, '[a-z_]+'|pentest_(says|weaken|judge)\('[a-z_]+'" sql/49_pentest*.sql |
    grep -oE "'[a-z_]+'" | tr -d "'" | grep -vxE 'table|rows' | sort -u >"$work/attacked"
ok "the attacks are those that are documented" diff "$work/attacked" "$work/attacks"
untested() { ! cut -d' ' -f1 "$work/source" | uniq | while read -r code; do grep -qrw "$code" test/pgtap test/security test/scripts || echo "$code"; done | grep .; }
ok "each has a test that names it" untested
unwritten() { ! grep -oE 'test/[a-z]+/[a-z0-9_]+\.(sql|sh)' docs/security.md | sort -u | while read -r file; do [[ -f $file ]] || echo "$file"; done | grep .; }
ok "the tests that docs/security.md names are there" unwritten
finish
