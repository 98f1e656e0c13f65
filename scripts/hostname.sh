#!/usr/bin/env bash
# dlws-needs: root
# dlws-files: lib/common.sh
# dlws-check
# Gives the node the name that config.yaml has for it (DLWS_NODE), at once and after each reboot.
#
# Changes: /etc/hostname and the running name. A member of a Kubernetes cluster keeps its name: its kubelet
# and its certificates are under it. So that the node finds its new name: deploy.py up --only hosts.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"

need_root "$@"
now=$(<"$DLWS_ROOT/proc/sys/kernel/hostname")
case ${now,,} in
    "${DLWS_NODE,,}" | "${DLWS_FQDN,,}") ;;
    *)
        [ ! -e "$DLWS_ROOT/etc/kubernetes/kubelet.conf" ] ||
            die "it is a member of Kubernetes as $now, and not as $DLWS_NODE" \
                "on the devbox: the command 'kubeadm reset $DLWS_NODE', then this script, then 'kubeadm join $DLWS_NODE'"
        write_file "$DLWS_ROOT/etc/hostname" 0644 <<<"$DLWS_NODE"
        if ! differs name "$DLWS_NODE" "calls itself $now"; then
            hostname "$DLWS_NODE"
            changed "it calls itself $DLWS_NODE, no more $now"
        fi
        ;;
esac
finish
