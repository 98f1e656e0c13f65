#!/usr/bin/env bash
# dlws-needs: root
# dlws-files: lib/common.sh lib/packages.sh lib/disks.sh lib/lvm.sh
# dlws-check
# Gives a node its data disk: finds the one empty disk, makes an ext4 file system on it, mounts it on /data.
#
# usage: prepare_vm_disk.sh [--device DEVICE]... [--mount DIRECTORY]
#
# Changes: the empty disk, /etc/fstab (one line, by UUID, nofail), the mount. A disk that carries anything
# (partitions, a file system or any other signature, a mount, swap, LVM or RAID) is never touched, also
# not when it is named; one that is not all zero at its ends is used only when it is named.
# Without --device it takes the disks of data-disk in config.yaml, where that is set: all of them that are empty.
# One that is in use is left alone; if any other carries something, none is changed.
# Else, with several empty disks, it stops and asks for --device. Several disks: these become one volume group (LVM,
# dlts-data-lvm) and one file system; if one of them carries anything, none is changed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/lib/disks.sh
. "$here/lib/disks.sh"
# shellcheck source=scripts/lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=scripts/lib/lvm.sh
. "$here/lib/lvm.sh"

usage="usage: prepare_vm_disk.sh [--device DEVICE]... [--mount DIRECTORY]"
devices=() directory=/data asked=
all=("$@")
while [ $# -gt 0 ]; do
    case $1 in
        --device | --mount)
            [ -n "${2:-}" ] || die "$1 needs a value" "$usage"
            if [ "$1" = --device ]; then devices+=("$2"); else directory=$2 asked=yes; fi
            shift 2
            ;;
        *) die "unknown argument: $1" "$usage" ;;
    esac
done
need_root "${all[@]}"
[[ $directory =~ ^(/[A-Za-z0-9._-]+)+$ ]] || die "not a directory to mount on: $directory" \
    "give an absolute path of letters, digits, dots, dashes and underscores"
for device in "${devices[@]}"; do
    [ -b "$device" ] || die "$device is no block device on this node" "look at 'lsblk' on the node for its name"
done

if mountpoint -q "$directory"; then
    has_fstab_line "$directory" || keep_mount "$directory" "$(findmnt -no SOURCE "$directory")"
elif has_fstab_line "$directory"; then
    checking || mkdir -p "$directory"
    mount_it "$directory"
elif [ "${#devices[@]}" -eq 0 ] && [ -n "${DLWS_DATA_DISKS:-}" ] && { ! checking || [ -n "$asked" ]; }; then
    # Whether an empty disk should have been put to use is for those to check who name the directory.
    use_data_disks "$directory"
elif [ "${#devices[@]}" -gt 1 ]; then
    use_disks "$directory" "${devices[@]}"
else
    use_disk "$directory" "${devices[0]:-}"
fi
finish
