#!/bin/sh
# Builds the base file system of sandbox nodes, once; runs under a lock.
# base.sh TARGET SUITE PACKAGES WORD... (options of mmdebstrap, sources)
set -eu
target=$1 suite=$2 packages=$3
shift 3
[ ! -d "$target" ] || exit 0
# Whoever held the lock before us is gone, so what lies there was cut off.
for stale in "$target".building.*; do
    if [ -d "$stale" ]; then rm -rf --one-file-system "$stale"; fi
done
building=$target.building.$$
mkdir -p "$building"
trap 'rm -rf --one-file-system "$building"' EXIT
# In a mount namespace of its own, so that its mounts end with it even when it is killed.
unshare --mount --propagation private mmdebstrap --verbose --variant=minbase --mode=root \
    --include="$packages" "$suite" "$building" "$@"
chmod 755 "$building"
mv "$building" "$target"
trap - EXIT
