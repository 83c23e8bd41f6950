#!/usr/bin/env bash
# Installs the build in FERRY_BUILD below a temporary folder and uses it as others would: by pkg-config
# (shared and static), by CMake (shared and static), from C++; after the tree has been moved, too. Then
# looks at what the shared library shows to the world.
#
# tests/install/CMakeLists.txt sets FERRY_BUILD, FERRY_VERSION, FERRY_SOVERSION, FERRY_WITH_CLI, CC, CXX,
# CMAKE, LIBDIR, FERRY_WITH_INSPECT.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset DESTDIR

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# check WHAT COMMAND…: the command must succeed; its output is shown when it does not.
check() {
    local what=$1
    shift
    "$@" >"$work/out" 2>&1 || {
        cat "$work/out" >&2
        fail "$what"
    }
    echo "ok: $what"
}

prints_version() {
    local output
    output=$("$@") && [ "$output" = "$FERRY_VERSION" ]
}

# Installed in one place and moved to another: nothing that is installed may know where it was.
check "cmake --install" "$CMAKE" --install "$FERRY_BUILD" --prefix "$work/first"
mkdir "$work/moved here"
mv "$work/first" "$work/moved here/prefix"
# A path without a blank for pkg-config, whose output is split at blanks.
ln -s "moved here/prefix" "$work/prefix"
prefix=$work/prefix
lib=$prefix/$LIBDIR
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib

for file in include/ferry.h "$LIBDIR/libferry.a" "$LIBDIR/libferry.so" "$LIBDIR/libferry.so.$FERRY_SOVERSION" \
    "$LIBDIR/libferry.so.$FERRY_VERSION" "$LIBDIR/pkgconfig/ferry.pc" "$LIBDIR/cmake/ferry/ferry-config.cmake"; do
    [ -e "$prefix/$file" ] || fail "$file is not installed"
done
echo "ok: every file is there"

# pkg-config.
[ "$(pkg-config --modversion ferry)" = "$FERRY_VERSION" ] || fail "pkg-config --modversion ferry"
flags=(-std=c11 -Wall -Wextra -Werror -pedantic)
read -r -a shared <<<"$(pkg-config --cflags --libs ferry)"
check "build by pkg-config, shared" "$CC" "${flags[@]}" "$here/program.c" -o "$work/shared" "${shared[@]}"
check "run, shared" prints_version "$work/shared"
readelf -d "$work/shared" | grep -q "NEEDED.*\[libferry\.so\.$FERRY_SOVERSION\]" ||
    fail "the program does not ask for libferry.so.$FERRY_SOVERSION"

# Of the two libraries the linker prefers the shared one, and a name alone cannot tell it otherwise.
read -r -a static <<<"$(pkg-config --static --cflags --libs ferry | sed 's/-lferry\>/-l:libferry.a/')"
check "build by pkg-config, static" "$CC" "${flags[@]}" "$here/program.c" -o "$work/static" "${static[@]}"
check "run, static" prints_version env -u LD_LIBRARY_PATH "$work/static"
if readelf -d "$work/static" | grep -q 'NEEDED.*libferry'; then
    fail "the static program needs the shared library"
fi
check "build a shared object, static" "$CC" "${flags[@]}" -shared -fPIC "$here/program.c" -o "$work/plugin.so" \
    "${static[@]}"
readelf -d "$work/plugin.so" | grep -q 'FLAGS_1.*NODELETE' || fail "dlclose() would take the static library away"

# C++.
for standard in 11 14 17 20; do
    check "build as C++$standard" "$CXX" "-std=c++$standard" -Wall -Wextra -Werror -pedantic "$here/header.cc" \
        -o "$work/cxx" "${shared[@]}"
    check "run, C++$standard" "$work/cxx"
done

# CMake.
check "find_package" "$CMAKE" -S "$here/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/moved here/prefix" \
    -DCMAKE_C_COMPILER="$CC" -DFERRY_VERSION="$FERRY_VERSION"
check "build by CMake" "$CMAKE" --build "$work/consumer"
check "run, CMake, shared" prints_version env -u LD_LIBRARY_PATH "$work/consumer/with-shared"
check "run, CMake, static" prints_version env -u LD_LIBRARY_PATH "$work/consumer/with-static"
readelf -d "$work/consumer/libplugin.so" | grep -q 'FLAGS_1.*NODELETE' ||
    fail "CMake: dlclose() would take the static library away"

# The shared library itself.
readelf -d "$lib/libferry.so" | grep -q "SONAME.*\[libferry\.so\.$FERRY_SOVERSION\]" || fail "soname"
strangers=$(nm -D --defined-only "$lib/libferry.so" | awk '{ print $NF }' | grep -v '^ferry_' || true)
[ -z "$strangers" ] || fail "exported, and not ferry_…:" "$strangers"
exported=$(nm -D --defined-only "$lib/libferry.so" | grep -c ' T ferry_' || true)
[ "$exported" -gt 0 ] || fail "nothing is exported"
missing=$(comm -13 <(nm -D --defined-only "$lib/libferry.so" | awk '{ print $NF }' | sort -u) \
    <(tr '\n' ' ' <"$prefix/include/ferry.h" | grep -oE 'FERRY_API[^;]*;' | grep -oE '\bferry_[a-z0-9_]+\)? *\(' |
        grep -oE 'ferry_[a-z0-9_]+' | sort -u))
[ -z "$missing" ] || fail "declared in ferry.h, and not exported:" "$missing"
if readelf -lW "$lib/libferry.so" | grep 'GNU_STACK' | grep -q 'RWE'; then
    fail "the library asks for an executable stack"
fi
echo "ok: $exported functions exported, all of them ferry_…"

# The debugger's script: GDB loads it with the library, which must be where it was installed.
[ -f "$prefix/share/ferry/ferry-gdb.py" ] || fail "share/ferry/ferry-gdb.py is not installed"
if command -v gdb >/dev/null; then
    check "cmake --install, to stay" "$CMAKE" --install "$FERRY_BUILD" --prefix "$work/stays"
    scripts=$work/stays/share/gdb/auto-load
    env -u DEBUGINFOD_URLS LD_LIBRARY_PATH="$work/stays/$LIBDIR" gdb -nx -nh -batch \
        -iex "add-auto-load-scripts-directory $scripts" -iex "add-auto-load-safe-path $scripts" \
        -ex "set breakpoint pending on" -ex "break ferry_version" -ex run -ex "info ferry tasks" \
        "$work/shared" </dev/null >"$work/out" 2>&1 || true
    grep -q "^ *Task *State *For *What" "$work/out" || {
        cat "$work/out" >&2
        fail "GDB does not load its script with the library"
    }
    echo "ok: GDB loads its script with the library"
fi

# What GCC's analysis says of programs against the installed header; status 77: this compiler has none.
[ -f "$prefix/include/ferry_test.h" ] || fail "include/ferry_test.h is not installed"
status=0
bash "$here/../watch/analyzer/analyzer_test.sh" gcc "$prefix/include" >"$work/out" 2>&1 || status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
    cat "$work/out" >&2
    fail "gcc -fanalyzer against the installed header"
fi
echo "ok: gcc -fanalyzer (status $status)"
# libferry-inspect.
if [ "$FERRY_WITH_INSPECT" = 1 ]; then
    for file in include/ferry_inspect.h "$LIBDIR/libferry-inspect.so.$FERRY_SOVERSION" "$LIBDIR/pkgconfig/ferry-inspect.pc"; do
        [ -e "$prefix/$file" ] || fail "$file is not installed"
    done
    read -r -a inspect <<<"$(pkg-config --cflags --libs ferry-inspect)"
    check "build by pkg-config, inspect" "$CC" "${flags[@]}" "$here/inspect.c" -o "$work/inspect" "${inspect[@]}"
    check "run, inspect" "$work/inspect"
    check "build by CMake, inspect" "$CMAKE" --build "$work/consumer" --target with-inspect
    check "run, CMake, inspect" env -u LD_LIBRARY_PATH "$work/consumer/with-inspect"
    strangers=$(nm -D --defined-only "$lib/libferry-inspect.so" | awk '{ print $NF }' | grep -v '^ferry_inspect_' || true)
    [ -z "$strangers" ] || fail "libferry-inspect exports, and not as ferry_inspect_…:" "$strangers"
fi

# The command.
if [ "$FERRY_WITH_CLI" = 1 ]; then
    [ -x "$prefix/bin/ferry" ] || fail "bin/ferry is not installed"
    check "ferry --version" "$prefix/bin/ferry" --version
    grep -qF "$FERRY_VERSION" "$work/out" || fail "ferry --version does not say $FERRY_VERSION"
fi
