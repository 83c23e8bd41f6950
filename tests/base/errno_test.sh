#!/usr/bin/env bash
# errno_test.sh NM LIBRARY: of the whole library only base/errno.c asks the C library where errno is. Whatever
# else did could keep the address across a wait, and read another thread's after it.

set -euo pipefail

nm=$1
library=$2
name=__errno_location # glibc's and musl's

asking=$("$nm" -A "$library" | sed -nE "s/^.*:([^:]+):.* U $name(@.*)?\$/\1/p")
if [ "$asking" != errno.c.o ]; then
    printf '%s is asked for by:\n%s\nIn src/ errno comes from "base/errno.h".\n' "$name" "$asking" >&2
    exit 1
fi
