#!/usr/bin/env bash
# Fills build/sysroot-aarch64 with the AArch64 libraries that ferry and its tests link, so that the preset
# "aarch64" can build and qemu-user can run everything, not just what needs no library.
#
# The packages come from the distribution's own archive, are checked as apt checks them, and are only
# unpacked: nothing is installed, and no foreign architecture is added to this system.

set -euo pipefail

cd "$(dirname "$0")/.."
sysroot=$PWD/build/sysroot-aarch64
packages=(libc6-dev libc-ares-dev liburiparser-dev libssl-dev libidn2-dev libmicrohttpd-dev
    libcmocka-dev libglib2.0-dev libpsl-dev libbrotli-dev libzstd-dev zlib1g-dev)

# The stamp holds what was asked for, so that a longer list is noticed.
stamp=$sysroot/.packages
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "${packages[*]}" ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "aarch64-sysroot: this needs apt, on Debian or Ubuntu" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial"
: >"$work/status"

# The archive that this system uses, read for another architecture. Ubuntu keeps that one elsewhere.
# (The words in $(…) are apt's to fill in.)
# shellcheck disable=SC1091,SC2016
case $(. /etc/os-release && echo "$ID") in
ubuntu) origin=Ubuntu keyring=ubuntu site=http://ports.ubuntu.com/ubuntu-ports ;;
*) origin=Debian keyring=debian site='$(SITE)' ;;
esac
keyring=/usr/share/keyrings/$keyring-archive-keyring.gpg
apt-get indextargets 'Created-By: Packages' "Origin: $origin" \
    --format "deb [arch=arm64 signed-by=$keyring] $site \$(RELEASE) \$(COMPONENT)" >"$work/sources.list"

# An apt with a world of its own: it knows no installed package, so it fetches every dependency.
private_apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" \
        -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o APT::Install-Recommends=false -o Debug::NoLocking=true "$@"
}

echo "aarch64-sysroot: fetching ${packages[*]}"
private_apt update
private_apt install --yes --download-only "${packages[@]}"

rm -rf "$sysroot"
mkdir -p "$sysroot"
for package in "$work"/archives/*.deb; do
    dpkg-deb --extract "$package" "$sysroot"
done

# A link to /lib/… would lead out of the folder.
find "$sysroot" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
    target=$sysroot$(readlink "$link")
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$target")" "$link"
done

echo "${packages[*]}" >"$stamp"
echo "aarch64-sysroot: $sysroot"
