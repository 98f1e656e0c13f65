#!/bin/sh
# Modes and owners of what Kubernetes keeps on this node, as lines KEY=VALUE; changes nothing.
# $1: bytes that count. modes: NUL-separated "MODE OWNER:GROUP PATH" in base64.
list() { find "$@" -printf '%m %u:%g %p\0' 2>/dev/null; }
{
    list /etc/kubernetes -xdev \( -type f -o -type d \)
    list /etc/cni/net.d /var/lib/etcd -maxdepth 0
    list /etc/cni/net.d -type f
    list /var/lib/kubelet/config.yaml /var/lib/kubelet/pki -maxdepth 1 -type f
    list /etc/systemd/system/kubelet.service.d /etc/systemd/system/kubelet.service /lib/systemd/system/kubelet.service -maxdepth 1 -type f
    list /var/log/kubernetes -maxdepth 1 \( -name 'audit*' -o -type d \)
} | head -c "$1" | base64 -w0 | sed 's/^/modes=/'
echo
echo "provider=$(sed -n '/providers:/,$s/^ *- *\([a-z]*\):.*/\1/p' /etc/kubernetes/dlws/encryption.yaml 2>/dev/null | head -n 1)"
exit 0
