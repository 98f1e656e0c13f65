#!/bin/sh
# What a node is and has, as lines KEY=VALUE; changes nothing.
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
find /dev -maxdepth 1 -name 'nvidia[0-9]*' -printf 'gpu=%f\n' 2>/dev/null
find /dev -maxdepth 1 -name 'davinci[0-9]*' -printf 'npu=%f\n' 2>/dev/null
cat /sys/bus/pci/devices/*/uevent 2>/dev/null |
    awk -F= '/^PCI_CLASS=/ {class=$2} /^PCI_ID=/ {
        if ($2 ~ /^10DE:/ && (class ~ /^30[02]/)) print "pci_gpu=" $2
        if ($2 ~ /^19E5:D[18]0/) print "pci_npu=" $2 }'
# Scripts left running by --background: name, pid, whether it runs, its exit status, its log.
for work in /var/lib/dlws/background/*/ /root/.dlws/background/*/ /home/*/.dlws/background/*/; do
    [ -s "${work}pid" ] || continue
    pid=$(cat "${work}pid")
    ended=
    if [ -s "${work}exit" ]; then
        ended=$(cat "${work}exit")
    elif ! kill -0 "$pid" 2>/dev/null; then
        ended=lost
    fi
    printf 'background=%s|%s|%s|%slog\n' "$(basename "$work")" "$pid" "$ended" "$work"
done
exit 0
