#!/usr/bin/env bash
# The house's rules that can be checked by reading the sources (CONTRIBUTING.md, "The house"):
#   calls go down: a folder of src/ includes its own headers and those of the floors below, no others;
#   the inspector includes nothing from src/;
#   the library's errno is base/errno.h's, whose address is never kept across a wait;
#   a file has one subject and stays below 600 lines;
#   the libraries never print, exit, abort or touch signals.
# Prints what breaks a rule, and then fails.

set -euo pipefail
cd "$(dirname "$0")/.."

max_lines=600
failed=0

complain() {
    printf '%s\n' "$*" >&2
    failed=1
}

# What each floor may include besides itself.
floors_below() {
    case $1 in
    base) echo "" ;;
    task) echo "base" ;;
    watch) echo "base task" ;;
    net) echo "base task watch http" ;;
    http) echo "base task watch" ;;
    transport) echo "base task watch net http" ;;
    client) echo "base task watch net http transport" ;;
    *) return 1 ;;
    esac
}

for folder in src/*/; do
    floor=$(basename "$folder")
    if ! allowed=$(floors_below "$floor"); then
        complain "src/$floor: a floor that tools/check-house.sh does not know"
        continue
    fi
    while IFS=: read -r file line include; do
        target=$(sed -E 's/^[^"]*"([^"/]*)\/.*$/\1/' <<<"$include")
        [[ " $floor $allowed " == *" $target "* ]] ||
            complain "$file:$line: $floor includes $target, which does not lie below it"
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"/]+/' -r "$folder" \
        --include='*.[chS]' || true)
done

while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le "$max_lines" ] ||
        complain "$file: $lines lines; past $max_lines, look for the second subject in it"
done < <(find src inspect cli tests fuzz bench examples -name '*.[chS]')

# The inspector lies beside the house and knows of it what every program knows: ferry.h.
while IFS=: read -r file line include; do
    complain "$file:$line: the inspector uses ferry.h, and nothing from src/: $include"
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*/' -r inspect --include='*.[ch]' || true)

while IFS=: read -r file line _; do
    complain "$file:$line: in src/ errno comes from \"base/errno.h\", which says why"
done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<errno\.h>' -r src | grep -v '^src/base/errno\.' || true)

# fprintf to a FILE that the caller gave is fine (dumps, ledgers); these are not. abort() may stand where
# nothing can arrive, with the reason on its line.
forbidden='(^|[^_[:alnum:]])(printf|puts|putchar|perror|exit|signal|sigaction|abort)[[:space:]]*\('
while IFS= read -r hit; do
    complain "$hit: the library does not do this"
done < <(grep -nE "$forbidden" -r src inspect --include='*.c' | grep -vE 'abort\(\); /\*|:[[:space:]]*(/?\*|//)' || true)

exit "$failed"
