#!/usr/bin/env bash
# dlws-needs: root
# dlws-files: lib/common.sh
# dlws-check
# Makes room in the kernel's neighbour (ARP) tables: a large cluster has more pods than the default of
# 1024 entries, and the kernel then drops packets ("neighbour table overflow").
#
# Changes: /etc/sysctl.d/60-dlws-neighbours.conf and the running kernel's settings.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"

need_root "$@"
sysctl_file 60-dlws-neighbours.conf <<'CONF'
# Collection starts at thresh1; thresh3 is the most that is kept.
net.ipv4.neigh.default.gc_thresh3 = 100000
net.ipv4.neigh.default.gc_thresh2 = 90000
net.ipv4.neigh.default.gc_thresh1 = 80000
net.ipv6.neigh.default.gc_thresh3 = 100000
net.ipv6.neigh.default.gc_thresh2 = 90000
net.ipv6.neigh.default.gc_thresh1 = 80000
CONF
finish
