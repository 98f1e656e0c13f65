#!/bin/sh
# Wait until this node's control plane runs with the arguments in its manifests, and its API server
# answers. $1: address of the API server; $2: 1 to end that first, so that it reads its files anew.
set -u
runs() { # NAME: whether its process has every argument of its manifest
    pid=$(pgrep -o -x "$(printf %.15s "$1")") || return 1
    sed -n 's/^    - //p' "/etc/kubernetes/manifests/$1.yaml" | grep "^[\"']*--" | sort >"$work/wanted"
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep '^--' | sort >"$work/has"
    # Those that YAML quotes are counted and not compared.
    [ "$(wc -l <"$work/wanted")" = "$(wc -l <"$work/has")" ] &&
        [ -z "$(grep '^--' "$work/wanted" | comm -23 - "$work/has")" ]
}
work=$(mktemp -d /run/dlws-await.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
if [ "$2" = 1 ] && old=$(pgrep -o -x kube-apiserver); then
    kill -TERM "$old"
    for _ in $(seq 120); do kill -0 "$old" 2>/dev/null || break; sleep 1; done
fi
for _ in $(seq 180); do
    if runs kube-apiserver && runs kube-controller-manager && runs kube-scheduler &&
        curl -sk --max-time 5 "$1/healthz" | grep -qx ok; then
        exit 0
    fi
    sleep 1
done
echo "the control plane does not run with the arguments in /etc/kubernetes/manifests: see crictl ps -a and crictl logs" >&2
exit 1
