#!/bin/sh
# Fetches the packages of requirements.txt into wheels/, by this machine's own pip settings: the
# image then asks no index for anything. DLWS_ARCH is its architecture.
set -eu
python=3.11 # that of the Debian in the image base
here=$(cd "$(dirname "$0")" && pwd)

if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "pip is missing: apt-get install --no-install-recommends python3-pip" >&2
    exit 1
fi
case ${DLWS_ARCH:-$(uname -m)} in
    arm64 | aarch64) machine=aarch64 ;;
    *) machine=x86_64 ;;
esac
set --
for libc in manylinux2014 manylinux_2_17 manylinux_2_28 manylinux_2_34; do
    set -- "$@" --platform "${libc}_$machine"
done
# Every package that is needed stands in the file, with its hash.
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --python-version "$python" "$@" \
    --dest "$here/wheels" --requirement "$here/requirements.txt"
