#!/usr/bin/env bash
# Runs every fuzzer for a while: tools/fuzz.sh [SECONDS each] [NAME…]
#
# What is new goes to a scratch folder below build/fuzz, never into the repository: fuzz/corpus/ holds
# chosen seeds and the inputs that once broke something. A crash, a leak, a hang or too much memory
# fails, and says where the input lies that did it.

set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
shift || true
build=build/fuzz/fuzz

fuzzers=()
if [ "$#" -gt 0 ]; then
    for name in "$@"; do
        fuzzers+=("$build/fuzz-$name")
    done
else
    for program in "$build"/fuzz-*; do
        if [ -f "$program" ] && [ -x "$program" ]; then
            fuzzers+=("$program")
        fi
    done
fi
if [ "${#fuzzers[@]}" -eq 0 ]; then
    echo "fuzz: no fuzzers in $build (cmake --preset fuzz && cmake --build --preset fuzz)" >&2
    exit 1
fi

failed=0
for program in "${fuzzers[@]}"; do
    name=${program##*/fuzz-}
    found=$build/found/$name
    mkdir -p "$found" "$build/crashes"
    seeds=()
    [ -d "fuzz/corpus/$name" ] && seeds=("fuzz/corpus/$name")
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536
        -print_final_stats=1 -artifact_prefix="$build/crashes/$name-")
    [ -f "fuzz/$name.dict" ] && options+=(-dict="fuzz/$name.dict")
    log=$build/$name.log
    echo "fuzz: $name for $seconds s"
    if ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
        "$program" "${options[@]}" "$found" "${seeds[@]}" >"$log" 2>&1; then
        grep -E 'number_of_executed_units' "$log" || true
    else
        tail -n 60 "$log"
        echo "fuzz: $name failed; the input is in $build/crashes, the log is $log" >&2
        failed=1
    fi
done
exit "$failed"
