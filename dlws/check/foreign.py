"""The rules about what others left or manage on a node: networks, listeners, files."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from dlws.check.facts import Facts
from dlws.check.findings import Finding
from dlws.check.ports import ETCD, KUBELET
from dlws.config.rules.networks import overlap
from dlws.core import resources

if TYPE_CHECKING:
    from dlws.config import Config

LIBRARY = "scripts/lib/others.sh"
"""The functions of a node that find what others write there."""
CNI_FILES = {"bridge": "10-dlws.conflist"}
"""What a network plugin calls its file, where that is not 10-PLUGIN.conflist."""
_KUBELETS_OWN, _ETCDS_OWN = 10248, 2381
"""Where they say on this machine alone that they are well."""
_PLUGIN = re.compile(r"cni|cali|flannel|tunl|vxlan\.calico|kube-ipvs|veth|lo$")
"""Interfaces of network plugins, whose networks are those of pods."""


@cache
def functions() -> str:
    """The text of LIBRARY."""
    return (resources.root() / LIBRARY).read_text()


def networks(facts: Facts, config: Config) -> list[Finding]:
    """No network that the node really has lies within those of pods and services."""
    found = []
    for network, device, via in facts.routes:
        # On a member, routes to the pods of other nodes are the network plugin's.
        if _PLUGIN.match(device) or (facts.may_be_member and via):
            continue
        for whose, own in _own(config):
            if _overlap(network, own):
                what = (
                    f"its route to {network} ({device}) lies within the network of {whose}, {own}"
                )
                cure = f"choose another kubernetes.{whose.removesuffix('s')}_cidr in config.yaml"
                found.append(Finding("failure", facts.node, what, cure))
    return found


def _own(config: Config) -> Iterator[tuple[str, str]]:
    yield "pods", config.kubernetes.pod_cidr
    yield "services", config.kubernetes.service_cidr


def _overlap(one: str, other: str) -> bool:
    try:
        first, second = (ipaddress.ip_network(text, strict=False) for text in (one, other))
    except ValueError:
        return False  # a node says what it likes
    return overlap(first, second)


def cni(facts: Facts, config: Config) -> list[Finding]:
    """No other network configuration comes before that of our plugin: the first one counts."""
    plugin = config.kubernetes.network
    if not (first := before(plugin, facts.cni)):
        return []
    what = f"/etc/cni/net.d/{first} comes before {cni_file(plugin)}: pods would get its network"
    cure = f"remove it there if nobody needs it: sudo rm /etc/cni/net.d/{first}"
    return [Finding("failure", facts.node, what, cure)]


def cni_file(plugin: str) -> str:
    """What a network plugin calls its file."""
    return CNI_FILES.get(plugin, f"10-{plugin}.conflist")


def before(plugin: str, names: Iterable[str]) -> str:
    """The file of another network that counts before that of our plugin; nothing if none does."""
    return min((name for name in names if name < cni_file(plugin)), default="")


def listeners(facts: Facts, config: Config) -> list[Finding]:
    """Nobody else has the ports that kubeadm needs."""
    if facts.may_be_member:
        return []
    infra = config.machines[facts.node].is_infra
    wanted = {KUBELET, _KUBELETS_OWN}
    if infra:
        wanted |= {config.kubernetes.api_port, *ETCD, _ETCDS_OWN, 10257, 10259}
    taken = sorted(wanted & {port for _, port in facts.listens})
    if not taken:
        return []
    ports = ", ".join(map(str, taken))
    what = f"something listens on {ports}, and no kubeadm made this node a member of a cluster"
    cure = f"see what it is, and remove it: sudo ss -ltnp 'sport = :{taken[0]}'"
    return [Finding("failure", facts.node, what, cure)]


def hosts(facts: Facts, config: Config) -> list[Finding]:
    """Nobody else writes /etc/hosts."""
    if not facts.cloud_hosts:
        return []
    what = "cloud-init writes /etc/hosts anew at each start (manage_etc_hosts): our names get lost"
    return [Finding("warning", facts.node, what, keep_cloud_init_out(facts.cloud_hosts))]


def keep_cloud_init_out(told: str) -> str:
    """What keeps cloud-init from /etc/hosts; `told` says where it has the order from."""
    if told == "user-data":  # which counts more than all files
        return (
            "take manage_etc_hosts out of the machine's user data, or, if cloud-init has nothing "
            "more to do there: sudo touch /etc/cloud/cloud-init.disabled"
        )
    return "echo 'manage_etc_hosts: false' | sudo tee /etc/cloud/cloud.cfg.d/99-dlws.cfg"


_RESOLVERS = {
    "NetworkManager": "sudo nmcli connection modify NAME ipv4.dns ADDRESSES ipv4.dns-search DOMAIN",
    "dhclient-script": "supersede domain-name-servers ADDRESSES; in /etc/dhcp/dhclient.conf",
    "dhcpcd": "nohook resolv.conf in /etc/dhcpcd.conf",
}


def resolver(facts: Facts, config: Config) -> list[Finding]:
    """Nobody else writes the name servers that config.yaml gives."""
    if not facts.resolver or not config.dns_server or facts.resolver.startswith("resolvconf"):
        return []  # dns.sh speaks with resolvconf and systemd-resolved
    what = f"{facts.resolver} writes /etc/resolv.conf anew: what dns.sh sets there gets lost"
    cure = _RESOLVERS.get(facts.resolver, f"give dns_server to {facts.resolver}")
    return [Finding("warning", facts.node, what, f"set it there: {cure}")]
