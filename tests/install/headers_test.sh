#!/usr/bin/env bash
# ferry.h, ferry_inspect.h and ferry_test.h must not warn, whatever a program asks its compiler for: each
# compiler that is there, each standard, as C and as C++. headers_test.sh INCLUDE-FOLDER…
# Exit status 77: no compiler is there.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
includes=()
for folder in "$@"; do
    includes+=("-I$folder")
done

# Of what is not told about: how structs are laid out, what has been there since C++98, and what a test
# does that is about the program, not about the header.
wide=(-Werror -Wall -Wextra -pedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align
    -Wformat=2 -Wundef -Wredundant-decls -Wdouble-promotion -Wfloat-equal -Wswitch-enum -Wwrite-strings
    -Wnull-dereference -Wmissing-declarations)
gcc_c=(-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wnested-externs -Wc++-compat
    -Wbad-function-cast -Wjump-misses-init -Wlogical-op -Wduplicated-branches)
gcc_cxx=(-Wold-style-cast -Wuseless-cast -Wzero-as-null-pointer-constant -Wextra-semi -Wsign-promo
    -Wstrict-null-sentinel -Wlogical-op -Wduplicated-branches)
clang_c=(-Weverything -Wno-padded -Wno-disabled-macro-expansion -Wno-declaration-after-statement
    -Wno-pre-c2x-compat -Wno-unsafe-buffer-usage -Wno-unknown-warning-option)
clang_cxx=(-Weverything -Wno-padded -Wno-disabled-macro-expansion -Wno-c++98-compat
    -Wno-c++98-compat-pedantic -Wno-unsafe-buffer-usage -Wno-unknown-warning-option)

failed=0
compiled=0

# try LANGUAGE COMPILER STANDARD FLAG…
try() {
    local language=$1 compiler=$2 standard=$3
    shift 3
    echo 'int main(void) { return 0; }' >"$work/none.c"
    "$compiler" -x "$language" "-std=$standard" -fsyntax-only "$work/none.c" 2>/dev/null || return 0
    compiled=$((compiled + 1))
    if ! "$compiler" -x "$language" "-std=$standard" -fsyntax-only "$@" "${includes[@]}" "$here/headers.c" \
        2>"$work/out"; then
        echo "$compiler -std=$standard $*" >&2
        cat "$work/out" >&2
        failed=1
    fi
}

for standard in c11 c17 gnu11 c2x; do
    try c gcc "$standard" "${wide[@]}" "${gcc_c[@]}"
    try c clang "$standard" "${wide[@]}" "${clang_c[@]}"
done
for standard in c++11 c++14 c++17 c++20 gnu++20; do
    try c++ g++ "$standard" "${wide[@]}" "${gcc_cxx[@]}"
    try c++ clang++ "$standard" "${wide[@]}" "${clang_cxx[@]}"
done
# cmocka's own macros are not as clean.
if [ -e /usr/include/cmocka.h ]; then
    try c gcc c11 -Werror -Wall -Wextra -Wshadow -DWITH_CMOCKA
    try c clang c11 -Werror -Wall -Wextra -Wshadow -DWITH_CMOCKA
fi

[ "$compiled" -gt 0 ] || exit 77
echo "$compiled ways of compiling the headers"
exit "$failed"
