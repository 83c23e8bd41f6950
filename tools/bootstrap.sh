#!/usr/bin/env bash
# Sees to it that what ferry is built, tested and checked with is there.
#
#   tools/bootstrap.sh [LEVEL…]      run (the default), test, check, bench, bench-all, format, aarch64, fuzz
#
# On Debian and Ubuntu what is missing is installed (as root, or with sudo). Elsewhere the missing
# packages are named as that system calls them, and the script fails. When nothing is missing it asks no
# package manager, says nothing and takes a fraction of a second: the Makefile calls it every time.

# /etc/os-release is the system's, and probe_… are called by name:
# shellcheck disable=SC1091,SC2317

set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

# LEVELS  PROBE  debian  fedora  arch  alpine  brew
# A probe is cmd:PROGRAM, pc:PKG-CONFIG-MODULE, or the name of a function probe_…; a dash means that the
# system has no such package, a vertical bar that the first one known to apt is taken.
needs='
all             cmd:cc          build-essential         gcc                 gcc             build-base          -
all             cmd:c++         build-essential         gcc-c++             gcc             build-base          -
all             cmd:make        build-essential         make                make            make                make
all             cmd:cmake       cmake                   cmake               cmake           cmake               cmake
all             cmd:ninja       ninja-build             ninja-build         ninja           samurai             ninja
all             cmd:pkg-config  pkg-config              pkgconf             pkgconf         pkgconf             pkgconf
all             pc:libcares     libc-ares-dev           c-ares-devel        c-ares          c-ares-dev          c-ares
all             pc:liburiparser liburiparser-dev        uriparser-devel     uriparser       uriparser-dev       uriparser
all             pc:openssl      libssl-dev              openssl-devel           openssl         openssl-dev         openssl
all             pc:zlib         zlib1g-dev              zlib-devel              zlib            zlib-dev            zlib
all             pc:libbrotlidec libbrotli-dev           brotli-devel            brotli          brotli-dev          brotli
all             pc:libzstd      libzstd-dev             libzstd-devel           zstd            zstd-dev            zstd
all             pc:libpsl       libpsl-dev              libpsl-devel        libpsl          libpsl-dev          libpsl
all             pc:libidn2      libidn2-dev             libidn2-devel       libidn2         libidn2-dev         libidn2
all             pc:libmicrohttpd libmicrohttpd-dev      libmicrohttpd-devel libmicrohttpd   libmicrohttpd-dev   libmicrohttpd
all             pc:cmocka       libcmocka-dev           libcmocka-devel     cmocka          cmocka-dev          cmocka
test,check      pc:glib-2.0     libglib2.0-dev          glib2-devel         glib2           glib-dev            glib
test,check      pc:jansson      libjansson-dev          jansson-devel       jansson         jansson-dev         jansson
test,check      cmd:chromium    chromium|chromium-browser chromium          chromium        chromium            -
test,check      cmd:python3     python3                 python3             python              python3             python3
test,check      cmd:curl        curl                    curl                    curl            curl                curl
test,check      nginx           nginx-light             nginx               nginx           nginx               nginx
test,check      cmd:tinyproxy   tinyproxy-bin|tinyproxy tinyproxy           tinyproxy       tinyproxy           tinyproxy
test,check      cmd:microsocks  microsocks              microsocks          microsocks      microsocks          microsocks
test,check      cmd:promtool    prometheus              golang-github-prometheus prometheus prometheus          prometheus
test,check      gdb             gdb                     gdb                 gdb             gdb                 -
test,check      criterion       libcriterion-dev        -                   -               -                   -
test,check,bench pc:libcurl     libcurl4-openssl-dev    libcurl-devel       curl            curl-dev            curl
test,check      cmd:ss          iproute2                iproute             iproute2        iproute2            iproute2mac
test,check      cmd:openssl     openssl                 openssl             openssl         openssl             openssl
test,check      unistring       libunistring-dev        libunistring-devel  libunistring    libunistring-dev    libunistring
test,check      cmd:readelf     binutils                binutils            binutils        binutils            binutils
format,check    cmd:clang-format clang-format           clang-tools-extra   clang           clang-extra-tools   clang-format
check           cmd:clang-tidy  clang-tidy              clang-tools-extra   clang           clang-extra-tools   llvm
check           cmd:run-clang-tidy clang-tidy           clang-tools-extra   clang           clang-extra-tools   llvm
check           cmd:cppcheck    cppcheck                cppcheck            cppcheck        cppcheck            cppcheck
check           cmd:valgrind    valgrind                valgrind            valgrind        valgrind            -
check           cmd:shellcheck  shellcheck              ShellCheck          shellcheck      shellcheck          shellcheck
fuzz,check      cmd:clang       clang                   clang               clang           clang               llvm
fuzz,check      fuzzer          libclang-rt-dev|libclang-rt-@-dev|libclang-common-@-dev compiler-rt compiler-rt compiler-rt llvm
aarch64,check   cmd:aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc - -
aarch64,check   cmd:qemu-aarch64 qemu-user              qemu-user           qemu-user       qemu-aarch64        -
bench           cmd:python3     python3                 python3             python              python3             python3
bench           nginx           nginx-light             nginx               nginx           nginx               nginx
bench           cmd:openssl     openssl                 openssl             openssl         openssl             openssl
bench           cmd:curl        curl                    curl                curl            curl                curl
bench           cmd:wrk         wrk                     wrk                 wrk             wrk                 wrk
bench           cmd:valgrind    valgrind                valgrind            valgrind        valgrind            -
bench           matplotlib      python3-matplotlib      python3-matplotlib  python-matplotlib py3-matplotlib    python-matplotlib
bench-all       cmd:go          golang-go               golang              go              go                  go
bench-all       cmd:h2load      nghttp2-client          nghttp2             nghttp2         nghttp2             nghttp2
'

say() {
    printf 'bootstrap: %s\n' "$*" >&2
}

# nginx lives where an ordinary user's PATH does not look.
probe_nginx() {
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]
}

# A test of one header with one test framework, which is left out without it: not worth more than a Debian
# package.
probe_criterion() {
    pkg-config --exists criterion 2>/dev/null || ! command -v apt-get >/dev/null
}

# The system's package is for the system's own python3, which may not be the first one on the PATH.
probe_matplotlib() {
    python3 -c 'import matplotlib' 2>/dev/null || /usr/bin/python3 -c 'import matplotlib' 2>/dev/null
}

# macOS has another debugger, and the test of the script for this one is left out.
probe_gdb() {
    command -v gdb >/dev/null || [ "$(uname -s)" = Darwin ]
}

# What libidn2 asks for when something is linked statically; its own package does not bring it everywhere.
probe_unistring() {
    pkg-config --exists libidn2 2>/dev/null &&
        cc -x c /dev/null -shared -o /dev/null -lunistring 2>/dev/null
}

# clang alone is not enough: libFuzzer is a package of its own on some systems.
probe_fuzzer() {
    local library
    command -v clang >/dev/null || return 1
    for library in "libclang_rt.fuzzer-$(uname -m).a" libclang_rt.fuzzer.a; do
        [ -e "$(clang -print-file-name="$library")" ] && return 0
        [ -e "$(clang -print-runtime-dir)/$library" ] && return 0
    done
    return 1
}

present() {
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    *) "probe_$1" ;;
    esac
}

# Whether a line of the table concerns any of the levels asked for.
wanted() {
    local level
    [ "$1" = all ] && return 0
    for level in "${levels[@]}"; do
        [[ ",$1," == *",$level,"* ]] && return 0
    done
    return 1
}

system() {
    local id='' like=''
    if [ "$(uname -s)" = Darwin ]; then
        echo brew
        return
    fi
    if [ -r /etc/os-release ]; then
        id=$(. /etc/os-release && echo "${ID:-}")
        like=$(. /etc/os-release && echo "${ID_LIKE:-}")
    fi
    case " $id $like " in
    *" debian "* | *" ubuntu "*) echo debian ;;
    *" fedora "* | *" rhel "*) echo fedora ;;
    *" arch "*) echo arch ;;
    *" alpine "*) echo alpine ;;
    *) echo unknown ;;
    esac
}

# The packages behind every probe that fails, in the words of system $1; each once.
missing_packages() {
    local line package
    while read -r -a line; do
        [ "${#line[@]}" -eq 7 ] || continue
        wanted "${line[0]}" || continue
        present "${line[1]}" && continue
        case $1 in
        fedora) package=${line[3]} ;;
        arch) package=${line[4]} ;;
        alpine) package=${line[5]} ;;
        brew) package=${line[6]} ;;
        *) package=${line[2]} ;;
        esac
        [ "$package" = - ] && package="(${line[1]#*:}: no package here)"
        echo "$package"
    done <<<"$needs" | awk '!seen[$0]++'
}

# Of the alternatives a|b|c the first that apt knows; @ stands for clang's major version.
known_to_apt() {
    local name version=''
    version=$(clang -dumpversion 2>/dev/null | cut -d. -f1) || true
    for name in ${1//|/ }; do
        name=${name//@/$version}
        if apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "${1%%|*}"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        say "not root, and there is no sudo: run as root: $*"
        exit 1
    fi
}

install_debian() {
    local package packages=()
    as_root apt-get update -qq
    for package in "$@"; do
        packages+=("$(known_to_apt "$package")")
    done
    say "installing ${packages[*]}"
    # The tests start an nginx of their own; the packages' services have no part in it, and are not started.
    as_root env RUNLEVEL=1 SYSTEMD_OFFLINE=1 apt-get install -y -qq -o DPkg::Lock::Timeout=600 \
        --no-install-recommends "${packages[@]}" </dev/null
    # The Makefile configures anew after this: what was left out for want of a package can be built now.
    mkdir -p "$here/build"
    touch "$here/build/packages-installed"
}

levels=("$@")
[ "${#levels[@]}" -gt 0 ] || levels=(run)
for level in "${levels[@]}"; do
    case $level in
    run | test | check | bench | bench-all | format | aarch64 | fuzz) ;;
    *)
        say "unknown level: $level (run, test, check, bench, bench-all, format, aarch64, fuzz)"
        exit 2
        ;;
    esac
done

on=$(system)
mapfile -t missing < <(missing_packages "$on")
[ "${#missing[@]}" -gt 0 ] || exit 0

case $on in
debian)
    # Twice, if need be: a probe that itself needs something (pkg-config, clang) may see more then.
    for _ in 1 2; do
        install_debian "${missing[@]}"
        mapfile -t missing < <(missing_packages "$on")
        [ "${#missing[@]}" -gt 0 ] || exit 0
    done
    say "still missing: ${missing[*]}"
    exit 1
    ;;
unknown)
    say "this system's package manager is not known here. Missing, as Debian calls them:"
    say "    ${missing[*]}"
    exit 1
    ;;
*)
    say "missing packages ($on): ${missing[*]}"
    exit 1
    ;;
esac
