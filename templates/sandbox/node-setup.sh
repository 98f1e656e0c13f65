#!/bin/sh
# Runs at each boot of a sandbox node: what a real machine's firmware and network would give it.
set -eu
# /proc/sys/net is the node's own and writable already. Of the rest, which is the machine's, kubelet
# insists on writing these.
for key in kernel/panic kernel/panic_on_oops kernel/keys/root_maxbytes kernel/keys/root_maxkeys \
    vm/overcommit_memory vm/panic_on_oom; do
    mount --bind "/proc/sys/$key" "/proc/sys/$key"
    mount -o remount,bind,rw "/proc/sys/$key"
done
while read -r _ _ _ _ at _; do
    case $at in
        /sys/fs/cgroup/*/*) ;;
        /sys/fs/cgroup/*) mount -o remount,bind,rw "$at" ;;
    esac
done </proc/self/mountinfo
mount --make-rshared / # kubelet shares its volumes with containers
/usr/local/sbin/dlws-stand-in-devices
ip link set lo up
ip link set host0 up
ip address replace "$ADDRESS" dev host0
ip route replace default via "$GATEWAY"
