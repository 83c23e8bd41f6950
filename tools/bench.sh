#!/usr/bin/env bash
# What a request costs: ferry, its peers and clients by hand, against an nginx on loopback; bench/run.py
# does it, docs/performance.md explains it. Arguments go to bench/run.py. From the environment:
#
#   WORK=get-64,https-*   these workloads (bench/run.py BUILD --list names them)
#   ROUNDS=5              how often everything is measured
#   BASE=revision         compare with that revision of ferry instead of with the peers
#   BENCH_ALL=1           every workload and contender; takes half an hour
#   KEEP=1                the figures and charts become those that the documentation shows
#   BUILD=build/release   a build with FERRY_BUILD_BENCH

set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build/release}
options=()
[ -z "${WORK:-}" ] || options+=(--work "$WORK")
[ -z "${ROUNDS:-}" ] || options+=(--rounds "$ROUNDS")
[ -z "${BASE:-}" ] || options+=(--base "$BASE")
[ -z "${BENCH_ALL:-}" ] || options+=(--all)
[ -z "${KEEP:-}" ] || options+=(--keep)

# Go caches what it builds in a folder of its own; here it goes where everything else that is built goes.
if command -v go >/dev/null && [ -z "${BASE:-}" ]; then
    build_path=$(cd "$build" && pwd)
    (cd bench/go && GOCACHE="$build_path/bench/go-cache" GOFLAGS=-mod=mod GOTOOLCHAIN=local \
        go build -trimpath -o "$build_path/bench/go-http" .)
fi

exec python3 bench/run.py "$build" "${options[@]}" "$@"
