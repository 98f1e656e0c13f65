#!/bin/sh
# Keeps one sandbox node running: enters a control group of its own, boots the node, boots it again
# when it reboots, and ends when it powers off or crashes.
# supervise.sh LABEL HOSTNAME DIRECTORY BASE BRIDGE [BIND...]
set -eu
label=$1 hostname=$2 directory=$3 base=$4 bridge=$5
shift 5
groups=/sys/fs/cgroup
echo $$ >"$directory/supervisor.pid"

# systemd owns the tree of a cgroup v2 host: a delegated scope is its way to lend us a part.
if [ -f $groups/cgroup.controllers ] && [ -d /run/systemd/system ] && [ -z "${DLWS_SCOPE:-}" ]; then
    DLWS_SCOPE=1 exec systemd-run --quiet --scope --property=Delegate=yes --unit="dlws-$label" \
        sh "$0" "$label" "$hostname" "$directory" "$base" "$bridge" "$@"
fi

enter_v1() { # CONTROLLERS PATH
    hierarchy=$groups/${1#name=}
    [ -n "$1" ] || hierarchy=$groups/unified
    [ -d "$hierarchy" ] || return 0
    group=${hierarchy}${2%/}/dlws-$label
    mkdir -p "$group"
    if [ "$1" = cpuset ]; then # a new group has no processors, and then nothing may enter it
        for file in cpuset.cpus cpuset.mems; do cat "$group/../$file" >"$group/$file"; done
    fi
    echo $$ >"$group/cgroup.procs"
}

enter_v2() { # PATH
    group=$groups/dlws-$label
    if [ -n "${DLWS_SCOPE:-}" ]; then
        group=$groups${1%/}
    else
        while read -r one; do
            echo "+$one" >$groups/cgroup.subtree_control || echo "controller $one is not available"
        done <<CONTROLLERS
$(tr " " "\n" <$groups/cgroup.controllers)
CONTROLLERS
    fi
    # Inner groups may hold no processes; nspawn knows the name "supervisor" for this.
    mkdir -p "$group/supervisor"
    echo $$ >"$group/supervisor/cgroup.procs"
}

memberships=$(cat /proc/self/cgroup) # read before moving: it changes on the way
while IFS=: read -r _ controllers path; do
    if [ -f $groups/cgroup.controllers ]; then enter_v2 "$path"; else enter_v1 "$controllers" "$path"; fi
done <<END
$memberships
END

mountpoint -q "$directory/root" || mount -t overlay "dlws-$label" "$directory/root" \
    -o "lowerdir=$base,upperdir=$directory/upper,workdir=$directory/work"
for bind; do
    mkdir -p "$directory/data$bind"
    set -- "$@" "--bind=$directory/data$bind:$bind"
    shift
done
shares=${directory%/*}/shares # what all nodes of a sandbox have in common
mkdir -p "$shares"
set -- "$@" "--bind=$shares:/var/lib/dlws/stand-in-shares"
for device in /dev/kmsg /dev/fuse /dev/net/tun; do
    if [ -e $device ]; then set -- "$@" "--bind=$device"; fi
done
code=133 # what nspawn ends with when the node reboots
while [ $code = 133 ]; do
    code=0
    SYSTEMD_NSPAWN_API_VFS_WRITABLE=network systemd-nspawn --quiet --boot \
        --directory="$directory/root" --machine="$label" --hostname="$hostname" \
        --register=no --keep-unit --network-bridge="$bridge" \
        --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE \
        --system-call-filter='@keyring bpf @privileged' \
        --console=read-only "$@" </dev/null || code=$?
done
echo "node ended: $code"
