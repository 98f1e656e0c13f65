#!/bin/sh
# Runs at each boot of a sandbox node: what a real machine's firmware and network would give it.
set -eu
mount -o remount,rw /proc/sys
for hierarchy in /sys/fs/cgroup/*; do
    if mountpoint -q "$hierarchy"; then mount -o remount,bind,rw "$hierarchy"; fi
done
mount --make-rshared / # kubelet shares its volumes with containers
ip link set lo up
ip link set host0 up
ip address replace "$ADDRESS" dev host0
ip route replace default via "$GATEWAY"
