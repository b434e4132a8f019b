# setup is quick when nothing is to do, leaves a file that sh and make read, and refuses in one line.
. test/scripts/tap.sh
. build/env

# Processor time, which what else the machine does hardly changes.
quick() {
    local TIMEFORMAT='%U %S' spent
    spent=$({ time PG_CONFIG=$PG_CONFIG scripts/setup >/dev/null; } 2>&1) || return
    echo "processor seconds, user and system: $spent"
    awk '{ exit $1 + $2 < 3 ? 0 : 1 }' <<<"$spent"
}
ok "setup with nothing to do takes less than three seconds of the processor" quick

cp build/env "$work/before"
same() { cmp "$work/before" build/env; }
ok "a second setup finds the same" same

readable_by_make() {
    printf 'include build/env\nall:\n\t@echo "$(PG_CONFIG) $(PG_MAJOR)"\n' >"$work/Makefile"
    [[ $(env -u PG_CONFIG make -s -f "$work/Makefile") == "$PG_CONFIG $PG_MAJOR" ]]
}
ok "make can include what setup wrote" readable_by_make

ok "the server is one of 15 to 18" test "$PG_MAJOR" -ge 15 -a "$PG_MAJOR" -le 18
ok "its pgvector is recent enough" bash -c '
    control=$(ls build/stage$("$1" --sharedir)/extension/vector.control) &&
    version=$(sed -n "s/^default_version *= *.\(.*\)./\1/p" "$control") &&
    [[ $(printf "%s\n0.8\n" "$version" | sort -V | head -n 1) == 0.8 ]]' - "$PG_CONFIG"

refuses "an unknown argument" "unknown argument '--frobnicate'" scripts/setup --frobnicate
refuses "a PG_CONFIG that is not there" 'PG_CONFIG=/nonexistent/pg_config: no such program' \
    env PG_CONFIG=/nonexistent/pg_config scripts/setup
refuses "a PG_CONFIG that is something else" 'is not a pg_config' env PG_CONFIG=/bin/true scripts/setup
printf '#!/bin/sh\necho PostgreSQL 14.2\n' >"$work/pg_config"
chmod +x "$work/pg_config"
refuses "a server that is too old" 'PG_CONFIG=.*: |PostgreSQL 14 is not supported' env PG_CONFIG="$work/pg_config" scripts/setup
ok "a refused setup leaves the last one alone" same

ok "the server's default cluster setting is not left changed" \
    test ! -e /etc/postgresql-common/createcluster.d/tenancy-setup.conf
ok "no work folder stays in the cache" bash -c '! compgen -G "${TENANCY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tenancy}/work.*"'

finish
