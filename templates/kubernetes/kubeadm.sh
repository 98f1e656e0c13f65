#!/bin/sh
# Run one kubeadm command whose configuration comes on standard input. The configuration holds
# secrets, so it lies in memory, for root alone, and goes away at the end.
# $1: name of the stamp that says "begun and not ended"; $2: runtime socket, to reset first; then kubeadm's words.
set -eu
umask 077
stamps=/var/lib/dlws/kubeadm
stamp=$stamps/$1-started
reset=$2
shift 2
dir=$(mktemp -d /run/dlws-kubeadm.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' HUP INT TERM
cat >"$dir/config.yaml"
# Whatever kubeadm prints, no token and no certificate key leaves this node.
withheld() { sed -u -E 's/[a-z0-9]{6}\.[a-z0-9]{16}/(token withheld)/g; s/\b[0-9a-f]{64}\b/(key withheld)/g'; }
run() {
    { status=0; "$@" || status=$?; echo "$status" >"$dir/status"; } 2>&1 | withheld
    return "$(cat "$dir/status")"
}
mkdir -p "$stamps"
# What an API server reads and logs is nobody else's business; kubelet would make the directory for all to read.
if [ -d /etc/kubernetes/dlws ]; then
    mkdir -p /var/log/kubernetes
    chmod 700 /etc/kubernetes/dlws /var/log/kubernetes
fi
# One kubeadm at a time: a run that was cut off may still be at work here when it is resumed.
exec 9>/run/dlws-kubeadm.lock
flock 9
if [ -n "$reset" ]; then
    # Looked at here and now: what destroys a control plane is never somebody else's word.
    for held in /etc/kubernetes/manifests/kube-apiserver.yaml /var/lib/etcd/member; do
        if [ -e "$held" ]; then
            echo "this node holds a control plane ($held): it is not reset to join again" >&2
            exit 1
        fi
    done
    if [ ! -e "$stamp" ]; then
        echo "no join was begun here ($stamp is missing): the node is not reset" >&2
        exit 1
    fi
    run kubeadm reset --force --cri-socket "$reset"
fi
# A disk of its own for etcd has this directory, and kubeadm wants an empty one.
if [ "$(ls -A /var/lib/etcd 2>/dev/null)" = lost+found ] && [ -z "$(ls -A /var/lib/etcd/lost+found)" ]; then
    set -- "$@" --ignore-preflight-errors=DirAvailable--var-lib-etcd
fi
# Begun is what has passed its checks: a repeat of what has not must find again what was wrong.
# A phase by itself (init phase NAME) is for a control plane that is there.
if [ "$1" = init ] && [ "${2-}" != phase ] && [ ! -e "$stamp" ]; then
    case " $* " in *--skip-phases=*preflight*) ;; *)
        checks=
        for word; do case $word in --ignore-preflight-errors=*) checks=$word ;; esac done
        run kubeadm init phase preflight ${checks:+"$checks"} --config "$dir/config.yaml"
        set -- "$@" --skip-phases=preflight
        ;;
    esac
fi
: >"$stamp"
run kubeadm "$@" --config "$dir/config.yaml"
rm -f "$stamp"
