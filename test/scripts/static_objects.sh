#!/usr/bin/env bash
# Nothing of the library runs at the end of a process: there an object's destructor would meet a PostgreSQL that is gone. An object
# with a destructor that lives as long as the process is made with new, and never destroyed. Prints TAP.
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
cd "$root" || exit 1
. test/scripts/tap.sh

load_env
find_place
library=$place/stage$("$PG_CONFIG" --pkglibdir)/tenancy.so
is_free() { ! nm -D --undefined-only "$1" | grep -E ' (__cxa_atexit|__cxa_thread_atexit|atexit|on_exit)(@|$)'; }
# By the objects, so that a failure says which one it is.
registers() {
    local object found=1
    for object in extension/src/*.o extension/src/*/*.o extension/src/*/*/*.o; do
        nm --undefined-only "$object" | grep -qE ' (__cxa_atexit|__cxa_thread_atexit|atexit|on_exit)$' || continue
        echo "$object has a static object with a destructor"
        found=0
    done
    return $found
}
ok 'the library asks for nothing to be run at the end of a process' is_free "$library"
ok 'no object file does' bash -c "$(declare -f registers); ! registers"
# The positive half: the test finds what it looks for.
printf '#include <string>\nstatic std::string kept{"a string that is too long to lie in its object"};\nconst char *text() { return kept.c_str(); }\n' |
    c++ -x c++ -fPIC -c -o "$work/probe.o" - && c++ -shared -o "$work/probe.so" "$work/probe.o"
ok 'a static string would be found' bash -c "$(declare -f is_free); ! is_free '$work/probe.so'"
finish
