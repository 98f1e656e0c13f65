#!/usr/bin/env bash
# dlws-files: lib/common.sh lib/packages.sh
# dlws-needs: root bundle
# dlws-check
# Installs NFS: the client everywhere, the server on infrastructure and nfs nodes. Asks no questions.
#
# usage: install_nfs.sh [server|client]    (default: by the node's roles)
# Changes: packages nfs-common and nfs-kernel-server, and starts the server. No directory is exported.
# Where config.yaml says nfs_server: ganesha, the server is not the kernel's, and `nfs-server create` brings it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/lib/packages.sh
. "$here/lib/packages.sh"

by_roles() {
    case "${DLWS_NFS_SERVER:-kernel} ${DLWS_ROLES:-} " in
        ganesha*) echo client ;;
        *" infrastructure "* | *" nfs "*) echo server ;;
        *) echo client ;;
    esac
}

start_server() {
    local load=(modprobe)
    ! checking || load+=(-n)
    if ! grep -qw nfsd "$DLWS_ROOT/proc/filesystems" && ! "${load[@]}" nfsd 2>/dev/null; then
        warn "this kernel cannot serve NFS (no nfsd): the packages are installed, the server is not started"
        return 0
    fi
    if systemctl is-enabled --quiet nfs-server && systemctl is-active --quiet nfs-server; then return 0; fi
    ! differs unit nfs-server "is $(unit_state nfs-server)" || return 0
    systemctl enable --now nfs-server ||
        die "the NFS server does not start" "look at 'journalctl -u nfs-server' on this node"
    changed "started the NFS server"
}

part=${1:-$(by_roles)}
case $part in
    server | client) ;;
    *) die "unknown argument: $part" "usage: install_nfs.sh [server|client]" ;;
esac
need_root "$@"
install_packages nfs-common
if [ "$part" = server ]; then
    install_packages nfs-kernel-server
    start_server
fi
finish
