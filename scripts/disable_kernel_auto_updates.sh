#!/usr/bin/env bash
# dlws-needs: root
# dlws-files: lib/common.sh
# dlws-check
# Keeps the node from updating its kernel, drivers or container runtime by itself: a GPU driver that no
# longer fits the kernel takes the node out of service.
#
# Changes: /etc/apt/apt.conf.d/99-dlws-no-auto-updates; disables the timers and the service that upgrade
# unattended. 'apt upgrade' by hand works as before.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"

need_root "$@"
write_file "$DLWS_ROOT/etc/apt/apt.conf.d/99-dlws-no-auto-updates" 0644 <<'CONF'
APT::Periodic::Update-Package-Lists "0";
APT::Periodic::Download-Upgradeable-Packages "0";
APT::Periodic::Unattended-Upgrade "0";
Unattended-Upgrade::Package-Blacklist { "linux-"; "nvidia-"; "libnvidia-"; "containerd"; "docker"; "runc"; "kube"; };
CONF
disable_units apt-daily-upgrade.timer apt-daily.timer unattended-upgrades.service
finish
