#!/usr/bin/env bash
# Formats every C file with clang-format; with --check only says which ones are not formatted, and fails.

set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -d '' files < <(find include src cli tests fuzz bench examples -name '*.[ch]' -print0 2>/dev/null | sort -z)
[ "${#files[@]}" -gt 0 ] || exit 0

if [ "${1:-}" = --check ]; then
    clang-format --dry-run -Werror "${files[@]}"
    echo "${#files[@]} files are formatted"
else
    clang-format -i "${files[@]}"
fi
