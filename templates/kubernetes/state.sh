#!/bin/sh
# What a node has of Kubernetes, as lines KEY=VALUE; changes nothing. $1: 1 to ask its API server too.
stamps=/var/lib/dlws/kubeadm
admin=/etc/kubernetes/admin.conf
# A kubeadm of ours that is still at work would make all of this untrue in a moment.
[ ! -e /run/dlws-kubeadm.lock ] || flock -s -w 900 /run/dlws-kubeadm.lock true
has() { if [ -e "$2" ]; then echo "$1=1"; fi; }
echo "version=$(kubeadm version -o short 2>/dev/null)"
echo "machine_id=$(cat /etc/machine-id 2>/dev/null)"
echo "hosts=$(base64 -w0 /etc/hosts 2>/dev/null)"
has kubelet /etc/kubernetes/kubelet.conf
has control_plane /etc/kubernetes/manifests/kube-apiserver.yaml
has etcd_data /var/lib/etcd/member
has init_started "$stamps/init-started"
has join_started "$stamps/join-started"
[ "${1:-}" = 1 ] && [ -e "$admin" ] || exit 0
nodes='{range .items[*]}member={.metadata.name}|{.spec.podCIDR}|'
nodes=$nodes'{.status.addresses[?(@.type=="InternalIP")].address}|'
nodes=$nodes'{.status.conditions[?(@.type=="Ready")].status}|{.status.nodeInfo.machineID}{"\n"}{end}'
# Its cache would be something written: this is a question.
if found=$(kubectl --cache-dir=/dev/null --kubeconfig "$admin" --request-timeout=5s get nodes -o jsonpath="$nodes" 2>&1); then
    printf '%s\n' "$found"
    echo "ca=$(base64 -w0 /etc/kubernetes/pki/ca.crt)"
    echo "api=1"
else
    printf 'api_says=%s\n' "$(printf '%s' "$found" | tail -n 1)"
fi
