# Shared by the scripts of this folder; source it, do not run it.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=$root/build

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' dim='' red='' green='' plain=''
fi

say() { printf '%s\n' "$*"; }

# One line, then out: whoever reads it should know what to do next.
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Is version $1 at least $2? Debian revisions and "+ds" suffixes do not matter here.
at_least() {
    [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

load_env() {
    [[ -f $build/env ]] || die "build/env is missing: run 'make setup' first"
    # shellcheck disable=SC1091
    . "$build/env"
}

# PostgreSQL refuses to run as root, so root hands the server to an unprivileged user.
if [[ $EUID -eq 0 ]]; then
    if id postgres >/dev/null 2>&1; then server_user=postgres; else server_user=nobody; fi
else
    server_user=$(id -un)
fi

as_server() {
    if [[ $EUID -eq 0 ]]; then
        (cd / && HOME=/ setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups -- "$@")
    else
        (cd / && "$@")
    fi
}

# The folder of everything the server's user must reach: build/ itself, or, where that user may not enter the
# clone (root's home is closed to others), a private folder of ours in /var/tmp that build/place names.
find_place() {
    mkdir -p "$build" || die "cannot write to $build"
    if as_server test -x "$build" 2>/dev/null; then
        place=$build
        return
    fi
    if [[ -f $build/place ]]; then
        place=$(<"$build/place")
        [[ -d $place && ! -L $place && -O $place ]] && return
    fi
    place=$(mktemp -d /var/tmp/tenancy.XXXXXX) || die "cannot make a folder in /var/tmp"
    chmod 755 "$place"
    printf '%s\n' "$place" >"$build/place"
}
