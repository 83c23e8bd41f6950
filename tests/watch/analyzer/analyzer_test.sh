#!/usr/bin/env bash
# What GCC's -fanalyzer makes of the header's marks: it finds a response that is not closed and one that is
# closed twice, and has nothing to say about a program that does right.
#
# analyzer_test.sh GCC INCLUDE-FOLDER

set -euo pipefail

gcc=$1
include=$2
here=$(cd "$(dirname "$0")" && pwd)

# Exit status 77: skipped.
about=$("$gcc" -v 2>&1) || exit 77
version=$("$gcc" -dumpversion)
[[ $about == *$'\n'"gcc version"* && ${version%%.*} -ge 11 ]] || exit 77

# With optimisation, as in a real build: without, GCC 12 looks less far.
warnings_of() {
    "$gcc" -std=c11 -O2 -Wall -Wextra -fanalyzer -I "$include" -c "$here/$1" -o /dev/null 2>&1
}

# expect FILE PATTERN: the compiler says something like that about it.
expect() {
    local said
    said=$(warnings_of "$1")
    grep -q "$2" <<<"$said" && return
    printf '%s: the compiler does not say "%s"; it says:\n%s\n' "$1" "$2" "$said" >&2
    exit 1
}

expect leak.c 'leak of .res. .*-Wanalyzer-malloc-leak'
expect leak_do.c 'leak of .res. .*-Wanalyzer-malloc-leak'
expect closed_twice.c 'double-.ferry_response_close. of .res.'

for program in clean.c auto.c; do
    said=$(warnings_of "$program")
    if [ -n "$said" ]; then
        printf '%s: warnings about a clean program:\n%s\n' "$program" "$said" >&2
        exit 1
    fi
done
