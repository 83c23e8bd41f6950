#!/usr/bin/env bash
# What README.md shows is what there is: its C program is examples/get.c, the files it links to exist, and
# so do those that the other documents link to.

set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0

# The README's first block of C.
program=$(awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md)
if [ "$program" != "$(cat examples/get.c)" ]; then
    echo "README.md: its program is not examples/get.c:" >&2
    diff <(printf '%s\n' "$program") examples/get.c >&2 || true
    failed=1
fi

for document in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do
    folder=$(dirname "$document")
    while IFS= read -r target; do
        [ -e "$folder/$target" ] || {
            echo "$document: there is no $target" >&2
            failed=1
        }
    done < <(grep -oE '\]\([^)#]+' "$document" | sed 's/^](//' | grep -vE '^[a-z]+:' || true)
done

# Files that are named in back quotes, with a folder in front. (The quotes are the pattern's own.)
# shellcheck disable=SC2016
named='`(src|include|tests|examples|tools|cli|docs|cmake|fuzz)/[A-Za-z0-9_./-]+`'
while IFS=: read -r document path; do
    [ -e "$path" ] || {
        echo "$document: there is no $path" >&2
        failed=1
    }
done < <(grep -oE "$named" README.md CONTRIBUTING.md docs/*.md | tr -d "\140")

exit "$failed"
