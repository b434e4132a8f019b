#!/usr/bin/env bash
# Runs every fuzz target of test/fuzz for a few seconds (FUZZ_SECONDS, 5 by default), beginning with the corpus of
# test/fuzz/corpus, and speaks TAP. FUZZ_KEEP=1 adds to that corpus what reached new code.
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
cd "$root"

seconds=${FUZZ_SECONDS:-5}
work=$build/fuzz
mkdir -p "$work"

compiler=
for candidate in clang++ clang++-{21,20,19,18,17,16,15,14}; do
    if have "$candidate" && printf 'extern "C" int LLVMFuzzerTestOneInput(const char *, unsigned long) { return 0; }\n' |
        "$candidate" -x c++ -fsanitize=fuzzer,address,undefined -o "$work/probe" - 2>/dev/null; then
        compiler=$candidate
        break
    fi
done
if [[ -z $compiler ]]; then
    echo '1..0 # SKIP there is no clang with libFuzzer (Debian: clang and libclang-rt-dev)'
    exit 0
fi

flags=(-std=c++17 -g -O1 -fno-omit-frame-pointer -Iextension/src -Itest/fuzz)
sanitizers=address,undefined
# Only what changed since, or what includes something that did.
[[ -f $work/built ]] || touch -d @0 "$work/built"
if [[ -n $(find extension/src/*/pure extension/src/pure test/fuzz -name '*.hpp' -newer "$work/built") ]]; then
    rm -f "$work"/*.o
fi
objects=()
for source in extension/src/*/pure/*.cpp; do
    object=${source#extension/src/}
    object=$work/$(tr / _ <<<"${object%.cpp}").o
    [[ $object -nt $source ]] || "$compiler" "${flags[@]}" -fsanitize=fuzzer-no-link,$sanitizers -c "$source" -o "$object"
    objects+=("$object")
done

targets=(test/fuzz/fuzz_*.cpp)
echo "1..${#targets[@]}"
number=0
failed=0
for source in "${targets[@]}"; do
    ((++number))
    name=$(basename "$source" .cpp)
    corpus=test/fuzz/corpus/${name#fuzz_}
    "$compiler" "${flags[@]}" -fsanitize=fuzzer,$sanitizers "$source" "${objects[@]}" -lcrypto -o "$work/$name"
    found=$work/$name.found
    mkdir -p "$found"
    [[ -z ${FUZZ_KEEP:-} ]] || found=$corpus
    if "$work/$name" -max_total_time="$seconds" -max_len=20000 -rss_limit_mb=1024 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$work/$name-" "$found" "$corpus" >"$work/$name.log" 2>&1; then
        echo "ok $number - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log") inputs in $seconds s"
    else
        failed=1
        echo "not ok $number - $name"
        grep -vE '^(INFO|#)' "$work/$name.log" | tail -n 40 | sed 's/^/# /'
    fi
done
touch "$work/built"
exit $failed
