# make install puts every file in its place and nothing else, uninstall takes them away, updates lead to this version.
. test/scripts/tap.sh
. build/env
version=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" extension/tenancy.control)
script=tenancy--$version.sql
destination=$work/root
install() { make -s "$@" PG_CONFIG="$PG_CONFIG" DESTDIR="$destination" WERROR=1; }
sharedir=$destination$("$PG_CONFIG" --sharedir) libdir=$destination$("$PG_CONFIG" --pkglibdir)

ok "make install with a DESTDIR" install install
ok "the control file" cmp extension/tenancy.control "$sharedir/extension/tenancy.control"
ok "the script of the version that the control file names" test -s "$sharedir/extension/$script"
ok "the library" test -s "$libdir/tenancy.so"
all_there() {
    local part
    for part in sql/[0-9]*.sql; do
        grep -qxF "$(grep -vE '^ *(--.*)?$' "$part" | head -n 1)" "$sharedir/extension/$script" || {
            echo "$part is missing"
            return 1
        }
    done
}
ok "the script holds every part" all_there
ok "the script refuses to be read by psql" bash -c "head -n 1 '$sharedir/extension/$script' | grep -qF '\\quit'"
ok "the script replaces nothing" bash -c "! grep -nwiE 'OR REPLACE|IF NOT EXISTS' <(sed 's/--.*//' '$sharedir/extension/$script' |
    awk '/^CREATE( |\$)/ { print }')"
no_other() { [[ -z $(find "$destination" -type f ! -path "*/bitcode/tenancy*" ! -name 'tenancy*') ]]; }
ok "and nothing else" no_other
update_names() {
    local update rest
    for update in sql/updates/*.sql; do
        [[ -e $update ]] || continue
        [[ $(basename "$update") =~ ^tenancy--[0-9.]+--[0-9.]+\.sql$ ]] || { echo "$update"; return 1; }
        cmp "$update" "$sharedir/extension/$(basename "$update")" || return 1
    done
}
ok "update scripts are named for the versions they join, and installed" update_names

exports() {
    nm -D --defined-only tenancy.so | awk '$2 == "T" { print $3 }' | grep -vE '^(Pg_magic_func|_PG_init|_init|_fini|(pg_finfo_)?tenancy_[a-z0-9_]+)$' >"$work/extra"
    cat "$work/extra"
    [[ ! -s $work/extra ]]
}
ok "the library exports what SQL calls and nothing else" exports

ok "make uninstall" install uninstall
ok "leaves no file" bash -c "[[ -z \$(find '$destination' -type f -o -type l) ]]"

rebuilds() {
    local header said
    header=$(find extension/src -name '*.hpp' | head -n 1)
    touch -r "$header" "$work/time"
    touch "$header"
    said=$(make -n PG_CONFIG="$PG_CONFIG" WERROR=1)
    touch -r "$work/time" "$header"
    grep -e '-c -o' <<<"$said" >/dev/null
}
ok "a changed header rebuilds" rebuilds
ok "a build without LLVM makes no bitcode" bash -c "! make -n -B with_llvm=no PG_CONFIG='$PG_CONFIG' | grep -q -- '-emit-llvm'"

trap 'scripts/cluster drop test-install >/dev/null 2>&1' EXIT
scripts/cluster start test-install >/dev/null
query() { scripts/cluster psql test-install -XAtq -v ON_ERROR_STOP=1 "$@"; }
ok "CREATE EXTENSION ... CASCADE brings pgvector" query -c 'CREATE EXTENSION tenancy CASCADE'
ok "it is of the version of the control file" bash -c "[[ \$(scripts/cluster psql test-install -XAtqc \"SELECT extversion FROM pg_extension WHERE extname = 'tenancy'\") == $version ]]"
no_dead_ends() {
    [[ -z $(query -c "SELECT source FROM pg_extension_update_paths('tenancy') GROUP BY source
        HAVING source <> '$version' AND NOT coalesce(bool_or(path IS NOT NULL) FILTER (WHERE target = '$version'), false)") ]]
}
ok "from every older version a path leads to it" no_dead_ends
ok "every function says what it is for" bash -c "
    bare=\$(scripts/cluster psql test-install -XAtqc \"SELECT p.oid::regprocedure FROM pg_proc p
        WHERE pronamespace::regnamespace::text ~ '^tenancy' AND obj_description(p.oid, 'pg_proc') IS NULL\")
    echo \"\$bare\"; [[ -z \$bare ]]"
ok "DROP EXTENSION leaves neither of its schemas" bash -c "
    scripts/cluster psql test-install -XAtqc 'DROP EXTENSION tenancy' &&
    [[ -z \$(scripts/cluster psql test-install -XAtqc \"SELECT 1 FROM pg_namespace WHERE nspname ~ '^tenancy'\") ]]"
scripts/cluster drop test-install

finish
