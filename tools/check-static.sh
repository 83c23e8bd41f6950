#!/usr/bin/env bash
# Static analysis of the library and the command: tools/check-static.sh BUILD-FOLDER
#
# The folder must have been configured with clang (the preset "clang"), so that clang-tidy reads the flags
# that it understands. Each tool's finding fails the check; a finding that is wrong is answered in the
# code, beside the line, with the reason.

set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/clang}
jobs=$(getconf _NPROCESSORS_ONLN)

echo "static: shellcheck"
shellcheck --severity=warning tools/*.sh .ci/run

echo "static: clang-tidy"
if ! run-clang-tidy -quiet -p "$build" -j "$jobs" "^$PWD/(src|inspect|cli)/.*\.c\$" >"$build/clang-tidy.log" 2>&1; then
    grep -vE '^(clang-tidy|[0-9]+ warnings? generated|Suppressed)' "$build/clang-tidy.log" >&2
    exit 1
fi

# autoVariables: a parked task's waiter lies on its stack, and others know it for just as long.
echo "static: cppcheck"
find src inspect cli -name '*.c' | sort | cppcheck --quiet --file-list=- -I include -I src -I inspect -I cli \
    -D_GNU_SOURCE= -D__GNUC__=12 -j "$jobs" --std=c11 --enable=warning,performance,portability --inline-suppr \
    --suppress=missingIncludeSystem --suppress=autoVariables --error-exitcode=1
