#!/bin/sh
# What a node has of a running Kubernetes, as lines KEY=VALUE; changes nothing. $1, $2, ...: units.
top=${DLWS_ROOT-}
has() { if [ -e "$2" ]; then echo "$1=1"; fi; }
has joined "$top/etc/kubernetes/kubelet.conf"
! systemd-detect-virt --container --quiet || echo container=1
for unit in "$@"; do
    echo "unit=$unit $(systemctl is-enabled "$unit" 2>/dev/null) $(systemctl is-active "$unit" 2>/dev/null)"
done
[ ! -e /etc/dlws/stand-in-devices ] || echo stand_ins=1
find /dev -maxdepth 1 -name 'nvidia[0-9]*' -printf 'gpu=%f\n'
find /dev -maxdepth 1 -name 'davinci[0-9]*' -printf 'npu=%f\n'
# Certificates as they are, a line "certificate=BASE64 FILE" each: the first one of a file, or the client's in
# a kubeconfig. Keys, which some of these files have too, stay here.
set --
for file in "$top"/etc/kubernetes/pki/*.crt "$top"/etc/kubernetes/pki/etcd/*.crt \
    "$top/var/lib/kubelet/pki/kubelet-client-current.pem" "$top/var/lib/kubelet/pki/kubelet-server-current.pem" \
    "$top"/etc/kubernetes/*.conf; do
    [ ! -f "$file" ] || set -- "$@" "$file"
done
[ $# -gt 0 ] || exit 0
awk -v top="$top" '
    FNR == 1 { inside = ended = 0 }
    { sub(/\r$/, "") }
    /^-----END / && inside { inside = 0; ended = 1 }
    inside { found[FILENAME] = found[FILENAME] $1 }
    /^-----BEGIN (X509 )?CERTIFICATE-----/ && !ended { inside = 1 }
    FILENAME ~ /\.conf$/ && $1 == "client-certificate-data:" && !found[FILENAME] { found[FILENAME] = $2 }
    END {
        for (i = 1; i < ARGC; i++)
            if (found[ARGV[i]] || ARGV[i] !~ /\.conf$/)
                print "certificate=" found[ARGV[i]] " " substr(ARGV[i], length(top) + 1)
    }' "$@"
exit 0
