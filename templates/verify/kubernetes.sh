#!/bin/sh
# What a node has of a running Kubernetes, as lines KEY=VALUE; changes nothing. $1, $2, ...: units.
has() { if [ -e "$2" ]; then echo "$1=1"; fi; }
has joined /etc/kubernetes/kubelet.conf
! systemd-detect-virt --container --quiet || echo container=1
for unit in "$@"; do
    echo "unit=$unit $(systemctl is-enabled "$unit" 2>/dev/null) $(systemctl is-active "$unit" 2>/dev/null)"
done
[ ! -e /etc/dlws/stand-in-devices ] || echo stand_ins=1
find /dev -maxdepth 1 -name 'nvidia[0-9]*' -printf 'gpu=%f\n'
find /dev -maxdepth 1 -name 'davinci[0-9]*' -printf 'npu=%f\n'
# Certificates, with the moment they end in seconds since 1970: files, and those inside kubeconfigs.
ends() { # NAME FILE
    end=$(openssl x509 -noout -enddate -in "$2" 2>/dev/null) && end=$(date -d "${end#notAfter=}" +%s) || end=
    echo "certificate=$end $1"
}
for file in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /var/lib/kubelet/pki/kubelet-client-current.pem \
    /var/lib/kubelet/pki/kubelet-server-current.pem; do
    [ ! -e "$file" ] || ends "$file" "$file"
done
for file in /etc/kubernetes/*.conf; do
    data=$(sed -n 's/^ *client-certificate-data: *//p' "$file" 2>/dev/null | head -n 1)
    [ -z "$data" ] || printf '%s' "$data" | base64 -d | ends "$file" /dev/stdin
done
exit 0
