# shellcheck shell=bash
# Finds empty disks and puts one to use.
#
# Needs lib/common.sh. Only use_disk changes anything: it formats a disk that carries nothing.

DATA_LABEL=dlws-data
DISK_MINIMUM=$((64 * 1024 * 1024))

# whole_disks: the disks of this machine. Loop, zram and RAM devices and optical drives are no data disks.
whole_disks() { lsblk -dnpo NAME,TYPE | awk '$2 == "disk" && $1 !~ /^\/dev\/(loop|zram|ram|fd|sr|nbd)/ { print $1 }'; }

# zero_ends DEVICE: whether its first and last MiB are all zero, as on a disk that was never used.
zero_ends() {
    local size mib=1048576
    size=$(blockdev --getsize64 "$1")
    cmp -s -n "$mib" "$1" /dev/zero && cmp -s -n "$mib" -i "$((size - mib)):0" "$1" /dev/zero
}

# what_it_carries DEVICE: prints, in words, why a disk must not be formatted; nothing if it is empty.
what_it_carries() {
    local device=$1 below signatures
    if [ "$(blockdev --getsize64 "$device")" -lt "$DISK_MINIMUM" ]; then echo "too small"; fi
    if [ "$(blockdev --getro "$device")" = 1 ]; then echo "read-only"; fi
    below=$(lsblk -nro NAME "$device" | tail -n +2 | xargs)
    if [ -n "$below" ]; then echo "holds $below"; fi
    if [ -n "$(ls -A "/sys/class/block/$(basename "$(readlink -f "$device")")/holders")" ]; then echo "in use"; fi
    if findmnt -rno TARGET -S "$device" >/dev/null; then
        echo "mounted on $(findmnt -rno TARGET -S "$device" | head -n 1)"
    fi
    if awk 'NR > 1 { print $1 }' /proc/swaps | grep -qxF "$device"; then echo "swap"; fi
    # Two programs that read signatures each in their own way; a failure of one is no proof of emptiness.
    signatures=$(wipefs -n --parsable "$device" | grep -v '^#' | awk -F , '{ print $NF }' | sort -u | xargs) ||
        true
    if [ -n "$signatures" ]; then echo "carries $signatures"; fi
    probed "$device" || echo "carries something that blkid knows"
}

# probed DEVICE: whether blkid finds nothing at all (its exit status 2).
probed() {
    local code=0
    blkid -p "$1" >/dev/null 2>&1 || code=$?
    [ "$code" -eq 2 ]
}

# labelled_disk: a data disk that an earlier, interrupted run has formatted.
labelled_disk() { { blkid -t "LABEL=$DATA_LABEL" -o device 2>/dev/null || true; } | head -n 1; }

is_ours() { [ "$(blkid -p -s LABEL -o value "$1" 2>/dev/null)" = "$DATA_LABEL" ]; }

# find_data_disks: sets DATA_DISKS to those that data-disk of config.yaml (DLWS_DATA_DISKS) names or matches.
# A name may be that of any block device; a pattern is an extended regular expression for whole names.
find_data_disks() {
    local words word disk
    DATA_DISKS=()
    read -ra words <<<"$DLWS_DATA_DISKS"
    for word in "${words[@]}"; do
        while read -r disk; do
            case " ${DATA_DISKS[*]} " in *" $disk "*) continue ;; esac
            # A container sees the names of disks that it does not have.
            if [ -b "$disk" ] && [[ $disk =~ ^($word)$ ]]; then DATA_DISKS+=("$disk"); fi
        done < <(if [ -b "$word" ]; then printf '%s\n' "$word"; else whole_disks; fi)
    done
}

# serves DISK: prints what the disk, or a part of it, is in use for.
serves() {
    lsblk -nro MOUNTPOINT "$1" | awk 'NF { print "mounted on " $1; exit }'
    lsblk -nro TYPE "$1" | grep -xE 'lvm|crypt|mpath|dm|raid.*' | head -n 1 || true
}

# choose_disk: sets CHOSEN to the one disk that is empty, or to nothing if there is none.
choose_disk() {
    local disk why empty=()
    CHOSEN=
    while read -r disk; do
        # A container sees the names of disks that it does not have.
        [ -b "$disk" ] || continue
        why=$(what_it_carries "$disk" | paste -sd ';' -)
        [ -n "$why" ] || zero_ends "$disk" || why="its ends are not zero: it may hold raw data"
        if [ -z "$why" ]; then empty+=("$disk"); else say "left alone: $disk ($why)"; fi
    done < <(whole_disks)
    if [ "${#empty[@]}" -gt 1 ]; then
        die "several disks are empty: ${empty[*]}" "name the one to use: prepare_vm_disk.sh --device ${empty[0]}"
    fi
    CHOSEN=${empty[0]:-}
}

has_fstab_line() {
    [ -f "$DLWS_ROOT/etc/fstab" ] || return 1
    awk -v at="$1" '$1 !~ /^#/ && $2 == at { found = 1 } END { exit !found }' "$DLWS_ROOT/etc/fstab"
}

# with_line LINE: standard input and the line after it.
with_line() { awk -v line="$1" '{ print } END { print line }'; }

# keep_mount DIRECTORY DEVICE: mounts it at each boot. nofail: a node that lost its data disk still boots.
keep_mount() {
    local uuid type
    if checking; then
        ! is_ours "$2" || differs mount "$1" "of $2 has no line in fstab"
        return 0
    fi
    uuid=$(blkid -p -s UUID -o value "$2") || true
    type=$(blkid -p -s TYPE -o value "$2") || true
    [ -n "$uuid" ] || die "$2, mounted on $1, has no UUID to name it by in fstab" \
        "write its line into /etc/fstab on this node by hand"
    [ -f "$DLWS_ROOT/etc/fstab" ] || write_file "$DLWS_ROOT/etc/fstab" 0644 </dev/null
    edit_file "$DLWS_ROOT/etc/fstab" with_line "UUID=$uuid $1 $type defaults,nofail 0 2"
    if systemd_runs; then systemctl daemon-reload; fi
}

mount_it() {
    if checking; then
        ! grep -qE "^UUID=[^ ]+ $1 [^ ]+ defaults,nofail 0 2$" "$DLWS_ROOT/etc/fstab" ||
            differs mount "$1" "stands in fstab and is not mounted"
        return 0
    fi
    # With nofail, mount calls a device that is not there a success.
    { mount -T "$DLWS_ROOT/etc/fstab" "$1" && mountpoint -q "$1"; } ||
        die "$1 stands in fstab and cannot be mounted" \
        "correct its line in /etc/fstab on this node"
    changed "mounted $1"
}

refuse_full() {
    [ ! -d "$1" ] || [ -z "$(ls -A "$1")" ] || die "$1 is not empty: a disk mounted on it would hide what is there" \
        "move its content away, or choose another directory with --mount"
}

# use_disk DIRECTORY DEVICE: DEVICE may be empty, to find one.
use_disk() {
    local directory=$1 device=$2 why
    if [ -z "$device" ]; then device=$(labelled_disk); fi
    if checking; then
        # Whether an empty disk should have been put to use is not for us to say; one that was, is.
        [ -z "$device" ] || findmnt -rno TARGET -S "$device" >/dev/null ||
            differs mount "$directory" "$device, made for it, is not mounted"
        return 0
    fi
    if [ -z "$device" ]; then
        choose_disk
        device=$CHOSEN
    fi
    if [ -z "$device" ]; then
        say "this node has no empty disk; $directory stays as it is"
        return 0
    fi
    refuse_full "$directory"
    if ! is_ours "$device"; then
        why=$(what_it_carries "$device" | paste -sd ';' -)
        [ -z "$why" ] || die "$device is not empty ($why); nothing was formatted" \
            "name an empty disk, or clear this one yourself if you are sure: wipefs -a $device"
        mkfs.ext4 -q -F -L "$DATA_LABEL" "$device" </dev/null
        changed "made an ext4 file system on $device"
    elif findmnt -rno TARGET -S "$device" >/dev/null; then
        die "$device is in use already, on $(findmnt -rno TARGET -S "$device" | head -n 1)" \
            "name an empty disk with --device"
    fi
    mkdir -p "$directory"
    keep_mount "$directory" "$device"
    mount_it "$directory"
}
