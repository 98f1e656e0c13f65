#!/usr/bin/env bash
# dlws-files: lib/common.sh lib/packages.sh lib/mirror.sh lib/swap.sh lib/devices.sh
# dlws-needs: root bundle
# dlws-check
# Prepares an Ubuntu (18.04 to 26.04) or Debian (12, 13) node for Kubernetes.
#
# usage: prepare_ubuntu.sh [continue] [--driver[=PACKAGE]]
#
# Changes: base packages, the container runtime (DLWS_RUNTIME: containerd or docker), kernel modules and
# sysctls, swap (off for good), apt's mirror (DLWS_APT_MIRROR, only where set), the admin user's membership
# of the docker group. Containers are never stopped.
# GPU and NPU nodes: nouveau is blacklisted, the driver is checked and the container toolkit installed.
# A driver is installed only with --driver (or DLWS_DRIVER_PACKAGE), and never removed.
# Exit 194 asks for a reboot; the script then finishes with the argument "continue".
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$here/lib/packages.sh"
# shellcheck source=scripts/lib/mirror.sh
. "$here/lib/mirror.sh"
# shellcheck source=scripts/lib/swap.sh
. "$here/lib/swap.sh"
# shellcheck source=scripts/lib/devices.sh
. "$here/lib/devices.sh"

BASE_PACKAGES=(ca-certificates conntrack curl ebtables ethtool gnupg iproute2 iptables kmod
    pciutils procps socat tar util-linux)

check_system() {
    case "$(os_field ID) $(os_field ID_LIKE)" in
        debian* | ubuntu* | *' '*debian* | *' '*ubuntu*) ;;
        *) die "this node runs $(os_field PRETTY_NAME)" "install Ubuntu 18.04 to 26.04 or Debian 12 or 13" ;;
    esac
    systemd_runs || die "process 1 on this node is not systemd" "boot the node with systemd"
}

# kernel_part NAME SIGN: loads a module unless the kernel shows the sign of it (built in, or loaded).
# Without it, a real node will not do; in a container the machine around it decides.
kernel_part() {
    local name=$1 sign=$DLWS_ROOT$2
    if [ -e "$sign" ] || grep -qsw "$name" "$DLWS_ROOT/proc/filesystems"; then return 0; fi
    if checking; then
        in_container || ! modprobe -n "$name" 2>/dev/null || differs module "$name" "is not loaded"
    elif modprobe "$name" 2>/dev/null; then
        changed "loaded the kernel module $name"
    elif in_container; then
        warn "this kernel has no $name loaded, and a container cannot load it"
    else
        warn "this kernel has no $name: pod traffic may go astray; boot the distribution's own kernel"
    fi
}

kernel_modules() {
    write_file "$DLWS_ROOT/etc/modules-load.d/dlws-kubernetes.conf" 0644 <<<$'br_netfilter\noverlay'
    kernel_part br_netfilter /proc/sys/net/bridge
    kernel_part overlay /sys/module/overlay
}

kernel_settings() {
    local settings='net.ipv4.ip_forward = 1'
    [ ! -d "$DLWS_ROOT/proc/sys/net/bridge" ] ||
        settings+=$'\nnet.bridge.bridge-nf-call-iptables = 1\nnet.bridge.bridge-nf-call-ip6tables = 1'
    sysctl_file 90-dlws-kubernetes.conf <<<"$settings"
}

container_runtime() {
    local runtime=${DLWS_RUNTIME:-containerd}
    case $runtime in
        containerd) install_packages 'containerd|containerd.io' ;;
        docker) install_packages 'docker.io|docker-ce|moby-engine' ;;
        *) die "DLWS_RUNTIME is $runtime" "set container_runtime in config.yaml to containerd or docker" ;;
    esac
    if ! systemctl is-enabled --quiet "$runtime" || ! systemctl is-active --quiet "$runtime"; then
        ! differs unit "$runtime" "is $(unit_state "$runtime"), not enabled and active" || return 0
        systemctl enable --now "$runtime" ||
            die "$runtime does not start" "look at 'journalctl -u $runtime' on this node"
        changed "started $runtime"
    fi
    [ "$runtime" != docker ] || docker_group
}

docker_group() {
    local user=${DLWS_ADMIN_USER:-}
    if [ -z "$user" ] || ! id "$user" >/dev/null 2>&1; then return 0; fi
    if id -nG "$user" | tr ' ' '\n' | grep -qx docker; then return 0; fi
    ! differs group docker "does not have the user $user" || return 0
    usermod -aG docker "$user"
    changed "$user is in the group docker"
}

stage=first
for argument in "$@"; do
    case $argument in
        continue) stage='continue' ;;
        --driver) DLWS_DRIVER_PACKAGE=auto ;;
        --driver=?*) DLWS_DRIVER_PACKAGE=${argument#*=} ;;
        *) die "unknown argument: $argument" "usage: prepare_ubuntu.sh [continue] [--driver[=PACKAGE]]" ;;
    esac
done
need_root "$@"
check_system
use_mirror
install_packages "${BASE_PACKAGES[@]}"
swap_off
kernel_modules
kernel_settings
container_runtime
prepare_nvidia "$stage"
prepare_npu
finish
