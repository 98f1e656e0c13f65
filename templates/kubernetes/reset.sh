#!/bin/sh
# Take Kubernetes off this node. $1: runtime socket.
set -u
socket=$1
status=0
if command -v kubeadm >/dev/null; then
    kubeadm reset --force --cri-socket "$socket" || status=$?
fi
systemctl stop kubelet 2>/dev/null
# kubeadm asks crictl to stop pods; what it could not stop goes here.
if command -v ctr >/dev/null && systemctl is-active --quiet containerd; then
    ctr -n k8s.io tasks list -q | while read -r task; do
        ctr -n k8s.io tasks kill --signal SIGKILL "$task" >/dev/null 2>&1
        ctr -n k8s.io tasks delete --force "$task" >/dev/null 2>&1
    done
    ctr -n k8s.io containers list -q | while read -r container; do
        ctr -n k8s.io containers delete "$container" >/dev/null 2>&1
    done
fi
pod_network=/usr/local/lib/dlws/pod-network.sh
if [ -x "$pod_network" ]; then
    "$pod_network" down
    systemctl disable --quiet --now dlws-pod-network.service
fi
rm -rf /etc/cni/net.d/10-dlws.conflist /etc/cni/net.d/10-flannel.conflist \
    /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/calico-kubeconfig \
    /var/lib/cni /run/flannel /var/lib/calico \
    /etc/kubernetes/dlws /etc/dlws/pod-network "$pod_network" /etc/systemd/system/dlws-pod-network.service \
    /var/lib/dlws/kubeadm /var/lib/etcd/member /etc/kubernetes/tmp
systemctl daemon-reload
for link in cni0 flannel.1 kube-ipvs0 vxlan.calico; do
    ip link show "$link" >/dev/null 2>&1 && ip link delete "$link"
done
find /var/run/netns -maxdepth 1 -name 'cni-*' -exec basename {} \; 2>/dev/null |
    while read -r name; do ip netns delete "$name"; done
# Rules of kube-proxy, the network plugins and kubelet; everybody else's stay.
for family in iptables ip6tables; do
    command -v "$family-save" >/dev/null || continue
    "$family-save" 2>/dev/null | grep -E -v '[ :](KUBE-|CNI-|FLANNEL-|cali-)' | "$family-restore" || status=1
done
command -v ipvsadm >/dev/null && ipvsadm --clear 2>/dev/null
exit "$status"
