#!/usr/bin/env bash
# dlws-needs: root
# dlws-files: lib/common.sh lib/others.sh lib/resolver.sh
# dlws-check
# Gives the node the cluster's name servers and search domain, and keeps a name service that works.
#
# The values are those of config.yaml: DLWS_DNS_SERVERS (dns_server) and DLWS_DOMAIN (network.domain).
# Changes: a drop-in for systemd-resolved where the node uses it, the resolvconf settings where that is in
# charge, else /etc/resolv.conf (the old one is kept as resolv.conf.dlws-before). A name server that does
# not answer is not used; if names no longer resolve afterwards, the old settings come back.
# Without dns_server only the search domain is set; without either nothing happens.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
. "$here/lib/common.sh"
# shellcheck source=scripts/lib/others.sh
. "$here/lib/others.sh"
# shellcheck source=scripts/lib/resolver.sh
. "$here/lib/resolver.sh"

read -r -d '' -a servers <<<"${DLWS_DNS_SERVERS:-}" || true

need_root "$@"
set_resolver "${DLWS_DOMAIN:-}" "${servers[@]}"
finish
