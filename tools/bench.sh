#!/usr/bin/env bash
# What a request costs: ferry, libcurl and clients by hand, against an nginx on loopback. Takes about a
# minute and a half. Arguments (--rounds N, --connections 1,64 …) go to bench/run.py; BUILD is the folder
# of a build with FERRY_BUILD_BENCH.

set -euo pipefail
cd "$(dirname "$0")/.."

exec python3 bench/run.py "${BUILD:-build/release}" "$@"
