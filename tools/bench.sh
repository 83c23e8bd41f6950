#!/usr/bin/env bash
# Runs the benchmarks of the release build one after another; each prints what it measured.

set -euo pipefail
cd "$(dirname "$0")/.."

found=0
for program in build/release/bench/*; do
    if [ -f "$program" ] && [ -x "$program" ]; then
        found=1
        printf '\n%s\n' "${program##*/}"
        "$program"
    fi
done
if [ "$found" -eq 0 ]; then
    echo "bench: there is no benchmark in build/release/bench" >&2
    exit 1
fi
