#!/usr/bin/env bash
# Every behaviour in tests/behaviours.txt is shown by a test that has its id in its name ("TR-007" in
# some_name_TR_007), but for those marked "later"; and docs/from-go.md tells which test that is.
#
#   check-behaviours.sh            says what is missing, and fails then
#   check-behaviours.sh --update   writes the table in docs/from-go.md anew first

set -euo pipefail
cd "$(dirname "$0")/.."

list=tests/behaviours.txt
document=docs/from-go.md
begin='<!-- behaviours: tools/check-behaviours.sh --update writes what follows -->'
end='<!-- end of behaviours -->'

# "TR-007 tests/transport/test_pool_reuse.c the_test_TR_007", once for each test.
found() {
    grep -roE --include='*.c' '^(static )?void [a-z0-9][A-Za-z0-9_]*_[A-Z]{2}_[0-9]{3}[A-Za-z0-9_]*\(' tests |
        awk -F: '{
            name = $2
            sub(/\(.*/, "", name)
            sub(/.* /, "", name)
            rest = name
            while (match(rest, /[A-Z][A-Z]_[0-9][0-9][0-9]/)) {
                id = substr(rest, RSTART, RLENGTH)
                sub(/_/, "-", id)
                print id, $1, name
                rest = substr(rest, RSTART + RLENGTH)
            }
        }' | sort -u
}

tests=$(found || true)

table() {
    printf '| behaviour | | shown by |\n| --- | --- | --- |\n'
    awk 'FNR == NR { shown[$1] = shown[$1] (shown[$1] ? "<br>" : "") "`" $3 "` in `" $2 "`"; next }
         /^#/ || NF == 0 { next }
         {
             id = $1
             title = substr($0, length(id) + 2)
             later = title ~ /^later /
             by = shown[id] ? shown[id] : "none yet"
             if (later) {
                 by = title
                 sub(/^later /, "", title)
                 sub(/^\([^)]*\): /, "", title)
                 sub(/^later \(/, "with ", by)
                 sub(/\).*/, ", in a later version", by)
             }
             printf "| %s | %s | %s |\n", id, title, by
         }' <(printf '%s\n' "$tests") "$list"
}

document_with_table() {
    awk -v begin="$begin" -v end="$end" '
        FNR == NR { table = table $0 "\n"; next }
        $0 == begin { print; printf "\n%s\n", table; skip = 1 }
        $0 == end { skip = 0 }
        !skip' <(table) "$document"
}

if [ "${1:-}" = --update ]; then
    document_with_table >"$document.new"
    mv "$document.new" "$document"
fi

failed=0
missing=$(awk 'FNR == NR { shown[$1] = 1; next }
               /^#/ || NF == 0 || $2 == "later" || shown[$1] { next }
               { print }' <(printf '%s\n' "$tests") "$list")
if [ -n "$missing" ]; then
    printf 'no test is named after:\n%s\n' "$missing" >&2
    failed=1
fi
if ! document_with_table | cmp -s - "$document"; then
    printf '%s: its table is out of date; tools/check-behaviours.sh --update writes it\n' "$document" >&2
    failed=1
fi
exit "$failed"
