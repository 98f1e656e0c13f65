"""Networks of pods, services and containers: each is one, and none meets machines or another."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlws.config.model.config import Config
from dlws.config.model.types import network_cure
from dlws.config.problems import Path, dotted
from dlws.config.reading.sources import Sources
from dlws.config.rules.addresses import Given, given
from dlws.config.rules.walk import at

Range = ipaddress.IPv4Network | ipaddress.IPv6Network

PODS: Path = ("kubernetes", "pod_cidr")
SERVICES: Path = ("kubernetes", "service_cidr")
UNUSED: Path = ("network", "container-network-iprange")
_DOCKER = (
    *("docker_daemon/bip", "docker_daemon/fixed-cidr", "docker_daemon/fixed-cidr-v6"),
    "docker_daemon/default-address-pools/*/base",
)
# What to choose instead: private networks that few sites use.
_OTHERS = ("10.244.0.0/16", "172.20.0.0/16", "10.96.0.0/12", "10.42.0.0/16", "192.168.0.0/16")


@dataclass(frozen=True)
class Named:
    """A network that the configuration names, by whatever key."""

    path: Path
    whose: str
    text: str
    used: bool = True

    @property
    def range(self) -> Range | None:
        """The network; as the programs that are given it, this does not mind bits of a host."""
        try:
            return ipaddress.ip_network(self.text.strip(), strict=False)
        except ValueError:
            return None


def named(config: Config) -> Iterator[Named]:
    """The networks of pods, services and containers."""
    yield Named(PODS, "pods", config.kubernetes.pod_cidr)
    yield Named(SERVICES, "services", config.kubernetes.service_cidr)
    if config.runtime == "docker":
        for path, text in at(config, _DOCKER):
            yield Named(path, "Docker's containers", text)
    if config.network.container_network_iprange:
        yield Named(UNUSED, "containers", config.network.container_network_iprange, used=False)


def are_networks(config: Config, sources: Sources) -> None:
    """The networks of pods and services are some by their type; the others are looked at here."""
    for one in named(config):
        if one.range is None or "/" not in one.text:
            sources.error(one.path, f'"{one.text}" is not a network', network_cure(one.text))
        elif one.path == UNUSED and str(one.range) != one.text.strip():
            sources.warn(one.path, f'"{one.text}" is not a network', network_cure(one.text))


def container_range(config: Config, sources: Sources) -> None:
    """A key of the ancestor that is found in many configurations."""
    if sources.is_written(UNUSED):
        sources.warn(
            UNUSED,
            "this does nothing: the addresses of pods are kubernetes.pod_cidr, "
            f"{config.kubernetes.pod_cidr}",
            "Remove it; set kubernetes.pod_cidr if pods are to have other addresses.",
            key=True,
        )


def pods_and_services(config: Config, sources: Sources) -> None:
    pods = ipaddress.ip_network(config.kubernetes.pod_cidr)
    services = ipaddress.ip_network(config.kubernetes.service_cidr)
    if overlap(pods, services):
        path = SERVICES if sources.is_written(SERVICES) else PODS
        sources.error(
            path,
            f"the networks of pods ({pods}) and services ({services}) overlap",
            f"Choose two that do not{_such_as(config, sources)}.",
        )


def docker_networks(config: Config, sources: Sources) -> None:
    """Docker's bridge has routes of its own, which would take what is meant for pods."""
    pods, services, *others = named(config)
    for one in others:
        for other in (pods, services):
            if one.used and one.range and other.range and overlap(one.range, other.range):
                sources.warn(
                    one.path,
                    f"{one.range} overlaps the network of {other.whose}, {other.range}",
                    f"Choose another {dotted(one.path)}.",
                )


def proxy_network(config: Config, sources: Sources) -> None:
    """kube-proxy tells pods from others by its own setting."""
    path, pods = (*PODS[:1], "kube_proxy", "clusterCIDR"), config.kubernetes.pod_cidr
    own = config.kubernetes.kube_proxy.get("clusterCIDR")
    if not isinstance(own, str) or not own:
        return
    ranges = [Named(path, "pods", text).range for text in own.split(",")]
    if None in ranges or "/" not in own:
        sources.error(path, f'"{own}" is not a network', network_cure(own))
    elif pods not in map(str, ranges):
        words = f"is {own}, but the network of pods is {pods}"
        sources.warn(path, words, "Remove it: kubeadm sets it to kubernetes.pod_cidr.")


def clear_of_machines(config: Config, sources: Sources) -> None:
    """No network holds an address that a machine has."""
    addresses = given(config, sources)
    for one in named(config):
        network = one.range
        inside = [address for address in addresses if network and address.ip in network]
        if network and inside:
            inside.sort(key=lambda address: not address.inner)
            _clash(one, network, inside, _cure(one, config, sources), sources)


def _clash(
    one: Named, network: Range, inside: Sequence[Given], cure: str, sources: Sources
) -> None:
    """Report it once for a network: where it is written, else at the first address in it."""
    report = sources.error if one.used and inside[0].inner else sources.warn
    first, rest = inside[0].ip, f" and {len(inside) - 1} more" if len(inside) > 1 else ""
    if sources.is_written(one.path):
        words = f"{network}, the network of {one.whose}, holds {first}{rest}: {_whose(inside)}"
        report(one.path, words, cure)
        return
    lies = f"{first} lies in the network of {one.whose}, {network}"
    more = f"; with it {_whose(inside[1:])}" if rest else ""
    path = inside[0].path
    while not sources.is_written(path):  # a jump host may be written as one word
        path = path[:-1]
    report(path, lies + more, cure, key=path == ("machines", inside[0].owner))


def _whose(addresses: Iterable[Given]) -> str:
    """Keys and machines: `private-ip of gpu[1-3], dns_server.onpremise`."""
    from dlws.core.nodeset import fold

    owners: dict[str, list[str]] = {}
    for address in addresses:
        owners.setdefault(address.key, []).extend([address.owner] if address.owner else [])
    return ", ".join(f"{key} of {fold(names)}" if names else key for key, names in owners.items())


def _cure(one: Named, config: Config, sources: Sources) -> str:
    if not one.used:
        return "Remove it: it does nothing."
    written = dotted(sources.as_written(one.path))
    such_as = _such_as(config, sources) if one.path in (PODS, SERVICES) else ""
    return f"Choose another {written}{such_as}."


def _such_as(config: Config, sources: Sources) -> str:
    """A network that meets none of those named, and no machine or its neighbours."""
    taken = [one.range for one in named(config) if one.range and one.used]
    for address in given(config, sources):
        near = 16 if address.ip.version == 4 else 64
        taken.append(ipaddress.ip_network((address.ip, near), strict=False))
    free = [n for n in map(ipaddress.ip_network, _OTHERS) if not any(overlap(n, t) for t in taken)]
    return f", such as {free[0]}" if free else ""


def overlap(one: Range, other: Range) -> bool:
    return one.version == other.version and one.overlaps(other)


def sizes(config: Config, sources: Sources) -> None:
    pods = ipaddress.ip_network(config.kubernetes.pod_cidr)
    services = ipaddress.ip_network(config.kubernetes.service_cidr)
    if services.max_prefixlen - services.prefixlen > 20:
        sources.error(
            SERVICES,
            f"{services} is larger than the API server takes",
            f"Use a /{services.max_prefixlen - 20} or smaller.",
        )
    per_node = config.kubernetes.node_prefix if pods.version == 4 else 64
    room = 2 ** max(0, per_node - pods.prefixlen) if pods.prefixlen <= per_node else 0
    nodes = sum(machine.in_cluster for machine in config.machines.values())
    if room < nodes:
        sources.warn(
            PODS,
            f"{pods} has room for the pods of {room} nodes (a /{per_node} each), not of {nodes}",
            "Set kubernetes.pod_cidr to a larger network, such as 10.128.0.0/9.",
        )
