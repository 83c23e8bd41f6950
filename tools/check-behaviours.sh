#!/usr/bin/env bash
# Every behaviour in tests/behaviours.txt is shown by a test that has its id in its name ("TR-007" in
# some_name_TR_007), but for those marked "differs" or "none", which have a reason; and docs/from-go.md tells
# which test, or which reason, that is.
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

# Splits "TR-054 differs (reason): title" into id, mark, reason and title.
split='
    function split_line() {
        id = $1
        mark = reason = ""
        title = substr($0, length(id) + 2)
        if (match(title, /^(differs|none) \(.*\): /)) {
            mark = $2
            reason = substr(title, length(mark) + 3, RLENGTH - length(mark) - 5)
            title = substr(title, RLENGTH + 1)
        }
    }'

table() {
    printf '| behaviour | | shown by |\n| --- | --- | --- |\n'
    awk "$split"'
         FNR == NR { shown[$1] = shown[$1] (shown[$1] ? "<br>" : "") "`" $3 "` in `" $2 "`"; next }
         /^#/ || NF == 0 { next }
         {
             split_line()
             by = shown[id] ? shown[id] : "no test"
             if (mark == "none") by = "does not apply: " reason
             if (mark == "differs") by = "differs: " reason (shown[id] ? "<br>" shown[id] : "")
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
missing=$(awk "$split"'
               FNR == NR { shown[$1] = 1; next }
               /^#/ || NF == 0 { next }
               { split_line() }
               mark == "" && !shown[id] { print }' <(printf '%s\n' "$tests") "$list")
if [ -n "$missing" ]; then
    printf 'no test is named after:\n%s\n' "$missing" >&2
    failed=1
fi
needless=$(awk "$split"'
                FNR == NR { shown[$1] = 1; next }
                { split_line() }
                mark == "none" && shown[id] { print }' <(printf '%s\n' "$tests") "$list")
if [ -n "$needless" ]; then
    printf 'marked as "none", and yet there is a test:\n%s\n' "$needless" >&2
    failed=1
fi
twice=$(awk '/^#/ || NF == 0 { next } seen[$1]++ { print $1 }' "$list")
if [ -n "$twice" ]; then
    printf 'listed twice: %s\n' "$twice" >&2
    failed=1
fi
unknown=$(awk 'FNR == NR { listed[$1] = 1; next } NF > 0 && !listed[$1] { print }' \
    "$list" <(printf '%s\n' "$tests"))
if [ -n "$unknown" ]; then
    printf 'tests with an id that is not listed:\n%s\n' "$unknown" >&2
    failed=1
fi
if ! document_with_table | cmp -s - "$document"; then
    printf '%s: its table is out of date; tools/check-behaviours.sh --update writes it\n' "$document" >&2
    failed=1
fi
exit "$failed"
