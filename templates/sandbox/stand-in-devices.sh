#!/bin/sh
# Makes the stand-in devices that /etc/dlws/stand-in-devices names, in the words of
# templates/bundle/programs/stand-in-device-plugin. Each behaves as /dev/null does.
set -eu
rm -f /dev/nvidia[0-9]* /dev/davinci[0-9]*
[ -e /etc/dlws/stand-in-devices ] || exit 0
while read -r resource _ device number; do
    case $resource in '#'* | '') continue ;; esac
    i=0
    while [ "$i" -lt "$number" ]; do
        mknod -m 666 "$device$i" c 1 3
        i=$((i + 1))
    done
done </etc/dlws/stand-in-devices
