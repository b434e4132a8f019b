# No hint, and no repair that check() gives, tells anybody to lower a wall: followed to the letter, each must be safe.
. test/scripts/tap.sh

# Every hint of the sources on a line of its own, its file before it; the strings that C joins are joined.
hints() {
    perl -0777 -ne '
        while (/\bHINT = (.*?)(?=;\n|,\n\s+[A-Z]+ = )/gs) { my $h = $1; $h =~ s/\s+/ /g; print "$ARGV: $h\n" }
        while (/\berrhint\(((?:[^()]|\([^()]*\))*)\)/gs) { my $h = $1; $h =~ s/"\s+"//g; $h =~ s/\s+/ /g; print "$ARGV: $h\n" }' \
        $(find sql extension/src sdk -name '*.sql' -o -name '*.cpp' -o -name '*.hpp' | sort)
}
hints >"$work/hints"
ok "the hints of the sources are found" bash -c "((\$(wc -l <'$work/hints') > 150)) && grep -q 'Begin a transaction' '$work/hints'"

# A context that outlives its transaction, row level security and guards switched off, rights for everybody or beyond the caller's own.
walls='[^t] is_local => false|pass is_local|BYPASSRLS|NO FORCE|DISABLE (ROW|TRIGGER)|row_security|missing_tenant|session_replication_role'
walls+='|TO PUBLIC|as a superuser|[^O]SUPERUSER|grant_(app|owner|control_plane)\(|unprotect\(\) (it|to)|to take the protection away|force => true|trust .pooled'
lowered() { grep -E "$walls" "$work/hints" | grep -vE 'Call it as a superuser' || true; }
none_lowered() { [[ -z $(lowered | tee /dev/stderr) ]]; }
ok "no hint lowers a wall" none_lowered

ok "the one that asks for a superuser is of what only superusers may" \
    bash -c "[[ \$(grep -l 'Call it as a superuser' -r sql) == sql/*pentest* ]]"

finish
