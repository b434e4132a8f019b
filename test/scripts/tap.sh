# A few words of TAP for the tests of the scripts; source it.
set -uo pipefail
tests=0 bad=0
work=$(mktemp -d)

ok() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok $((++tests)) - $name"
    else
        echo "not ok $((++tests)) - $name"
        sed 's/^/#   /' "$work/said"
        ((++bad))
    fi
}

# Must fail with exactly one line, which matches the pattern.
refuses() {
    local name=$1 pattern=$2
    shift 2
    if "$@" >"$work/said" 2>&1; then
        echo "not ok $((++tests)) - $name"
        echo "#   it succeeded"
        ((++bad))
    elif (($(wc -l <"$work/said") == 1)) && grep -qE "$pattern" "$work/said"; then
        echo "ok $((++tests)) - $name"
    else
        echo "not ok $((++tests)) - $name"
        sed 's/^/#   /' "$work/said"
        ((++bad))
    fi
}

finish() {
    echo "1..$tests"
    rm -rf "$work"
    ((bad == 0))
}
