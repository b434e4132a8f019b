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

# All processes of a cluster at once, as a machine that stops.
kill_server() {
    local cluster=$1 postmaster
    postmaster=$(head -n 1 "build/clusters/$cluster/data/postmaster.pid")
    local all="$postmaster $(pgrep -P "$postmaster")"
    # shellcheck disable=SC2086
    kill -9 $all 2>/dev/null
    while pgrep -P "$postmaster" >/dev/null || kill -0 "$postmaster" 2>/dev/null; do sleep 0.05; done
}

finish() {
    echo "1..$tests"
    rm -rf "$work"
    ((bad == 0))
}
