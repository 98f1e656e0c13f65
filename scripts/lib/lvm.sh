# shellcheck shell=bash
# Joins several empty disks to one file system: a volume group and a logical volume of all of it.
#
# Needs lib/common.sh, lib/packages.sh and lib/disks.sh. Every disk is looked at before the first one is changed.

VOLUME_GROUP=dlts-data-lvm
LOGICAL_VOLUME=data
DATA_VOLUME=/dev/$VOLUME_GROUP/$LOGICAL_VOLUME

group_there() { vgs --noheadings -o vg_name "$VOLUME_GROUP" >/dev/null 2>&1; }

in_group() { [ "$(pvs --noheadings -o vg_name "$1" 2>/dev/null | xargs)" = "$VOLUME_GROUP" ]; }

# refuse_used_disks DISK...: ends the script if one of them carries anything, or cannot be looked at.
refuse_used_disks() {
    local disk why seen=' '
    for disk; do
        [ -b "$disk" ] || die "$disk is no block device on this node" "look at 'lsblk' on the node for its name"
        case $seen in *" $disk "*) die "$disk is named twice" "name each disk once" ;; esac
        seen+="$disk "
        why=$(what_it_carries "$disk" | paste -sd ';' -)
        [ -z "$why" ] || die "$disk is not empty ($why); nothing was changed on any disk" \
            "name empty disks, or clear this one yourself if you are sure: wipefs -a $disk"
    done
}

refuse_other_members() {
    local disk
    for disk; do
        in_group "$disk" || die "$disk is not in the volume group $VOLUME_GROUP, which is there already" \
            "add it by hand, if it is empty: vgextend $VOLUME_GROUP $disk && lvextend -r -l +100%FREE $DATA_VOLUME"
    done
}

# make_group DISK...: what an interrupted run has left out is made by the next one.
make_group() {
    if ! group_there; then
        refuse_used_disks "$@"
        vgcreate -q "$VOLUME_GROUP" "$@" </dev/null
        changed "made the volume group $VOLUME_GROUP of $*"
    fi
    refuse_other_members "$@"
    if ! lvs "$VOLUME_GROUP/$LOGICAL_VOLUME" >/dev/null 2>&1; then
        lvcreate -q -y -W y -l 100%FREE -n "$LOGICAL_VOLUME" "$VOLUME_GROUP" </dev/null
        changed "made the logical volume $DATA_VOLUME"
    fi
}

# use_disks DIRECTORY DISK...: several disks, as one file system mounted on DIRECTORY.
use_disks() {
    local directory=$1
    shift
    if checking; then return 0; fi
    [ -c "$DLWS_ROOT/dev/mapper/control" ] || modprobe -q dm_mod 2>/dev/null || true
    [ -c "$DLWS_ROOT/dev/mapper/control" ] ||
        die "this kernel has no device mapper, which several disks as one need" "name one disk alone"
    install_packages lvm2
    group_there || refuse_used_disks "$@"
    refuse_full "$directory"
    make_group "$@"
    use_disk "$directory" "$DATA_VOLUME"
}

# choose_data_disks: sets CHOSEN to the disks of data-disk that are empty, or that an interrupted run has begun
# to use. What is mounted, or serves something else that runs, is left alone; any other content ends the script.
choose_data_disks() {
    local disk why
    CHOSEN=()
    find_data_disks
    for disk in "${DATA_DISKS[@]}"; do
        why=$(serves "$disk" | paste -sd ';' -)
        if in_group "$disk" && [[ $why != mounted* ]]; then why=; fi
        if [ -n "$why" ]; then
            say "left alone: $disk ($why)"
            continue
        fi
        if ! is_ours "$disk" && ! in_group "$disk"; then
            why=$(what_it_carries "$disk" | paste -sd ';' -)
            [ -n "$why" ] || zero_ends "$disk" || why="its ends are not zero: it may hold raw data"
            [ -z "$why" ] || die "$disk is one of data-disk and is not empty ($why); nothing was changed on any disk" \
                "let data-disk in config.yaml name other disks, or clear this one yourself if you are sure: wipefs -a $disk"
        fi
        CHOSEN+=("$disk")
    done
}

# use_data_disks DIRECTORY: the disks of data-disk in config.yaml, as one file system.
use_data_disks() {
    local directory=$1 CHOSEN
    choose_data_disks
    if [ "${#CHOSEN[@]}" -eq 0 ]; then
        say "no empty disk of this node is one of data-disk ($DLWS_DATA_DISKS); $directory stays as it is"
        return 0
    fi
    refuse_full "$directory"
    ! differs disk "${CHOSEN[*]}" "is empty, and is to be the file system on $directory" || return 0
    if [ "${#CHOSEN[@]}" -eq 1 ] && ! in_group "${CHOSEN[0]}"; then
        use_disk "$directory" "${CHOSEN[0]}"
    else
        use_disks "$directory" "${CHOSEN[@]}"
    fi
}
