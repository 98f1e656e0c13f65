#!/bin/sh
# What a node has of Kubernetes, as lines KEY=VALUE; changes nothing. $1: 1 to ask its API server too.
# Values are base64, and a member is a query as in a URL: what others may set (a worker sets its own
# addresses) stays one value, whatever characters it has.
stamps=/var/lib/dlws/kubeadm
admin=/etc/kubernetes/admin.conf
# A kubeadm of ours that is still at work would make all of this untrue in a moment.
[ ! -e /run/dlws-kubeadm.lock ] || flock -s -w 900 /run/dlws-kubeadm.lock true
has() { if [ -e "$2" ]; then echo "$1=1"; fi; }
tell() { echo "$1=$(printf '%s' "$2" | base64 -w0)"; }
tell version "$(kubeadm version -o short 2>/dev/null)"
tell machine_id "$(cat /etc/machine-id 2>/dev/null)"
echo "hosts=$(base64 -w0 /etc/hosts 2>/dev/null)"
has kubelet /etc/kubernetes/kubelet.conf
has control_plane /etc/kubernetes/manifests/kube-apiserver.yaml
has etcd_data /var/lib/etcd/member
has init_started "$stamps/init-started"
has join_started "$stamps/join-started"
[ "${1:-}" = 1 ] && [ -e "$admin" ] || exit 0
nodes='{{range .items}}member=name={{.metadata.name | urlquery}}'
nodes=$nodes'{{with .spec.podCIDR}}&pods={{. | urlquery}}{{end}}'
nodes=$nodes'{{range .status.addresses}}{{if eq .type "InternalIP"}}&address={{.address | urlquery}}{{end}}{{end}}'
nodes=$nodes'{{range .status.conditions}}{{if eq .type "Ready"}}&ready={{.status | urlquery}}{{end}}{{end}}'
nodes=$nodes'{{with .status.nodeInfo.machineID}}&id={{. | urlquery}}{{end}}{{"\n"}}{{end}}'
# Its cache would be something written: this is a question.
if found=$(kubectl --cache-dir=/dev/null --kubeconfig "$admin" --request-timeout=5s get nodes -o go-template="$nodes" 2>&1); then
    printf '%s\n' "$found"
    echo "ca=$(base64 -w0 /etc/kubernetes/pki/ca.crt)"
    echo "api=1"
else
    tell api_says "$(printf '%s' "$found" | tail -n 1)"
fi
