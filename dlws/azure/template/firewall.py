"""The rules of the security groups: who outside the virtual network reaches which ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dlws.azure.template import names
from dlws.config import Config
from dlws.core.errors import UsageError

ANY = "*"
INTERCONNECT, WHITELIST, MASTER, TAG = "tcpinterconnect", "whitelist", "nfs_allow_master", "allow_"
_MOST_TAGS = 40


@dataclass(frozen=True)
class Rule:
    """One rule that lets traffic in. Sources are addresses and networks, or one tag alone."""

    name: str
    priority: int
    ports: tuple[str, ...]
    sources: tuple[str, ...]
    protocol: str = "Tcp"


def is_tag(source: str) -> bool:
    """Whether a source is a service tag, or everything: no address, and no network."""
    try:
        ipaddress.ip_network(source)
    except ValueError:
        return True
    return False


def rules(config: Config, group: str) -> list[Rule]:
    """The rules that the configuration asks for in one security group."""
    main, files = names.nsg(config), names.nfs_nsg(config)
    found = [*_of_main(config)] if group == main else []
    return [*found, *(_of_files(config) if group == files and files != main else [])]


def _of_main(config: Config) -> Iterator[Rule]:
    wanted = config.cloud_config_nsg_rules
    dev, tcp = wanted.dev_network, wanted.tcp_port_ranges
    yield from _split("allowdevtcp", 900, dev.tcp_port_ranges, dev.source_addresses_prefixes)
    yield from by_tag(wanted.service_tags, tcp)
    users = wanted.restricted_source_address_prefixes
    yield from _split("allowalltcp", 1000, tcp, users, further=1020)
    yield from _split("allowalludp", 1010, wanted.udp_port_ranges, users, "Udp", further=1060)


def _of_files(config: Config) -> Iterator[Rule]:
    wanted = config.cloud_config_nsg_rules
    admins = [*wanted.nfs_ssh.source_ips, *wanted.dev_network.source_addresses_prefixes]
    yield from _split("allow_ssh", 1200, [str(wanted.nfs_ssh.port)], dict.fromkeys(admins))
    yield from _split("allow_share", 1300, [ANY], wanted.nfs_share.source_ips)


def by_tag(tags: Sequence[str], ports: Sequence[str]) -> list[Rule]:
    """A rule for each service tag that users come from."""
    if len(tags) > _MOST_TAGS:
        cure = f"name at most {_MOST_TAGS} of them"
        raise UsageError(f"there is room for {_MOST_TAGS} service tags, not for {len(tags)}", cure)
    return [
        Rule(TAG + tag.replace(".", "_"), 950 + at, tuple(ports), (tag,))
        for at, tag in enumerate(tags)
    ]


def interconnect(config: Config, addresses: Iterable[str]) -> Rule:
    """The machines reach each other's public addresses."""
    ports = config.cloud_config_nsg_rules.inter_connect.tcp_port_ranges
    return Rule(INTERCONNECT, 850, tuple(ports), reduced(addresses))


def nfs_allow_master(config: Config, addresses: Iterable[str]) -> Rule:
    """The infra nodes reach machines that serve files."""
    ports = config.cloud_config_nsg_rules.nfs_allow_master.tcp_port_ranges
    return Rule(MASTER, 1400, tuple(ports), reduced(addresses))


def whitelist(config: Config, sources: Iterable[str]) -> Rule:
    """Further sources for the ports of users."""
    ports = config.cloud_config_nsg_rules.tcp_port_ranges
    return Rule(WHITELIST, 1005, tuple(ports), reduced(sources))


def reduced(sources: Iterable[str]) -> tuple[str, ...]:
    """Addresses and networks in their order, without those that others hold; /32 is left out."""
    found = [ipaddress.ip_network(one) for one in sources]
    four = (one for one in found if isinstance(one, ipaddress.IPv4Network))
    six = (one for one in found if isinstance(one, ipaddress.IPv6Network))
    merged = [*map(str, ipaddress.collapse_addresses(four))]
    merged += map(str, ipaddress.collapse_addresses(six))
    return tuple(one.removesuffix("/32").removesuffix("/128") for one in merged)


def _split(
    name: str,
    priority: int,
    ports: Iterable[str],
    sources: Iterable[str],
    protocol: str = "Tcp",
    further: int = 0,
) -> Iterator[Rule]:
    """A rule for the addresses, and one for each tag: Azure takes a tag only alone."""
    sources, ports = list(sources), tuple(ports)
    if not ports:
        return
    if addresses := [one for one in sources if not is_tag(one)]:
        yield Rule(name, priority, ports, reduced(addresses), protocol)
    for at, tag in enumerate(one for one in sources if is_tag(one)):
        own = name if tag == ANY and not addresses else f"{name}_{_words(tag)}"
        yield Rule(own, (further or priority + 10) + at, ports, (tag,), protocol)


def _words(tag: str) -> str:
    return "any" if tag == ANY else tag.replace(".", "_")


def as_resource(rule: Rule) -> dict[str, Any]:
    """A rule as a security group holds it."""
    ports: dict[str, Any] = {"destinationPortRanges": list(rule.ports)}
    if len(rule.ports) == 1:
        ports = {"destinationPortRange": rule.ports[0]}
    sources: dict[str, Any] = {"sourceAddressPrefixes": list(rule.sources)}
    if len(rule.sources) == 1:
        sources = {"sourceAddressPrefix": rule.sources[0]}
    return {
        "name": rule.name,
        "properties": {
            "access": "Allow",
            "direction": "Inbound",
            "priority": rule.priority,
            "protocol": rule.protocol,
            "sourcePortRange": ANY,
            "destinationAddressPrefix": ANY,
            **ports,
            **sources,
        },
    }
