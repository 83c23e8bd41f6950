#!/usr/bin/env bash
# What the flags' table becomes: docs/command.md has the reference that the command prints; every
# flag that curl lists in the categories that ferry has is there or left out with a reason;
# completions are programs that their shells take.
#
#   command_reference_test.sh COMMAND SOURCE_DIR

set -euo pipefail
ferry=$1
source_dir=$2
failed=0

complain() {
    printf '%s\n' "$*" >&2
    failed=1
}

reference=$("$ferry" help reference)

written=$(sed -n '/^<!-- begin: ferry help reference -->$/,/^<!-- end -->$/p' \
    "$source_dir/docs/command.md" | sed '1d;$d')
[ "$written" = "$reference" ] ||
    complain "docs/command.md: the reference is not what \`ferry help reference\` prints:
$(diff <(printf '%s\n' "$written") <(printf '%s\n' "$reference") | head -20)"

# Up to the newest curl whose flags somebody has gone through; a later one may have more.
newest_curl=8.14
curl_version=$(curl --version 2>/dev/null | sed -n '1s/^curl \([0-9]*\.[0-9]*\).*/\1/p' || true)
if [ -n "$curl_version" ] &&
    [ "$(printf '%s\n' "$curl_version" "$newest_curl" | sort -V | tail -1)" != "$newest_curl" ]; then
    echo "curl $curl_version is later than $newest_curl: its flags are not compared"
elif [ -n "$curl_version" ]; then
    known=$(grep -o -- '`--[a-z0-9.-]*' <<<"$reference" | tr -d '`' | sort -u)
    for category in auth connection curl http misc output post proxy tls upload verbose dns; do
        while read -r flag; do
            grep -qxF -- "$flag" <<<"$known" ||
                grep -qxF -- "--no-${flag#--}" <<<"$known" || # a default there
                grep -qxF -- "--${flag#--no-}" <<<"$known" ||
                complain "curl's $flag ($category) is neither here nor left out"
        done < <(curl --help "$category" | grep -oE '^ (-.,|   ) --[a-z0-9.-]+' |
            grep -oE -- '--[a-z0-9.-]+' | sort -u)
    done
fi

for shell in bash zsh fish; do
    completion=$("$ferry" completion $shell)
    [ -n "$completion" ] || complain "there is no completion for $shell"
    if command -v $shell >/dev/null; then
        $shell -n <<<"$completion" || complain "$shell does not take its completion"
    fi
done

# bash's, used: what follows "ferry --sil" and "ferry -o /".
answers() {
    bash -c 'source <("$0" completion bash); COMP_WORDS=("${@}"); COMP_CWORD=$(($# - 1)); _ferry
        printf "%s\n" "${COMPREPLY[@]}"' "$ferry" "$@"
}
[ "$(answers ferry --sil)" = "--silent" ] || complain "bash: ferry --sil is not completed"
[ "$(answers ferry -o /et)" = "/etc" ] || complain "bash: the file of -o is not completed"
[ "$(answers ferry la)" = "lab" ] || complain "bash: ferry la is not completed"

exit "$failed"
