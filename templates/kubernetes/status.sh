#!/bin/sh
# What a node is and has, as lines KEY=VALUE; changes nothing. $1: the login user.
user=${1:-root} top=${DLWS_ROOT-}
(
    # shellcheck disable=SC1091
    . /etc/os-release 2>/dev/null
    echo "os=${PRETTY_NAME:-unknown}"
)
echo "architecture=$(uname -m)"
echo "kernel=$(uname -r)"
echo "up_since=$(stat -c %Y /proc/1 2>/dev/null)"
command -v systemctl >/dev/null && echo "systemd=$(systemctl is-system-running 2>/dev/null)"
command -v kubelet >/dev/null && echo "kubelet=$(systemctl is-active kubelet 2>/dev/null)"
for runtime in containerd docker; do
    command -v "$runtime" >/dev/null && echo "runtime=$runtime $(systemctl is-active "$runtime" 2>/dev/null)"
done
# Devices: NVIDIA by number, Huawei Ascend by its files; without a driver by their PCI class.
[ ! -e "$top/etc/dlws/stand-in-devices" ] || echo stand_ins=1
find /dev -maxdepth 1 -name 'nvidia[0-9]*' -printf 'gpu=%f\n' 2>/dev/null
find /dev -maxdepth 1 -name 'davinci[0-9]*' -printf 'npu=%f\n' 2>/dev/null
cat /sys/bus/pci/devices/*/uevent 2>/dev/null |
    awk -F= '/^PCI_CLASS=/ {class=$2} /^PCI_ID=/ {
        if ($2 ~ /^10DE:/ && (class ~ /^30[02]/)) print "pci_gpu=" $2
        if ($2 ~ /^19E5:D[18]0/) print "pci_npu=" $2 }'
# Scripts left running by --background: name, pid, its exit status where it has ended, its log.
# Users write what they like below their homes, and this is root who looks there: only what root or
# the login user owns counts, and no links.
owned() { # PATH DEPTH TYPE: the paths of that type at and below PATH, by owners and names that count
    LC_ALL=C find "$1" -maxdepth "$2" ! \( -user root -o -user "$user" \) -prune -o \
        -type "$3" ! -name '*[!A-Za-z0-9._-]*' -print 2>/dev/null
}
number() { # FILE: the number in it, in $value
    value=
    [ -z "$(owned "$1" 0 f)" ] || value=$(head -c 12 "$1")
    case $value in *[!0-9]*) value= ;; esac
}
for base in "$top"/var/lib/dlws/background "$top"/root/.dlws/background "$top"/home/*/.dlws/background; do
    if [ ! -d "$base" ] || [ -L "$base" ] || [ -L "${base%/*}" ]; then continue; fi
    owned "$base" 1 d | while IFS= read -r work; do
        [ "$work" != "$base" ] || continue
        number "$work/pid"
        pid=$value
        [ -n "$pid" ] || continue
        number "$work/exit"
        ended=$value
        [ -n "$ended" ] || kill -0 "$pid" 2>/dev/null || ended=lost
        printf 'background=%s|%s|%s|%s/log\n' "${work##*/}" "$pid" "$ended" "$work"
    done
done
exit 0
