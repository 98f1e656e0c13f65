"""The rules about all nodes together: clocks, identity, ports between them, names."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from dlws.check import ports as matrix
from dlws.check.facts import Facts
from dlws.check.findings import Finding
from dlws.check.rules import words
from dlws.config.addresses import is_address
from dlws.core.errors import RENEW_MACHINE_ID
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.ssh.hostkeys import RENEW, place

if TYPE_CHECKING:
    from dlws.config import Config

CLOCK_WARNS, CLOCK_FAILS = 2.0, 60.0
"""Seconds: etcd complains from 1 on; what a minute brings is not yet, or no more, valid."""

DEVBOX = "devbox"

Rule = Callable[[Sequence[Facts], "Config"], list[Finding]]


def clock(all: Sequence[Facts], config: Config) -> list[Finding]:
    """Clocks agree: with the median of three and more nodes, else with the devbox."""
    skews = {facts.node: facts.skew for facts in all if facts.skew is not None}
    many = len(skews) > 2
    middle = median(skews.values()) if many else 0.0
    of = "most of the nodes" if many else "the devbox"
    found = []
    for node, skew in skews.items():
        found += _clock(node, skew - middle, of, "sudo timedatectl set-ntp true; see timedatectl")
    if many:
        found += _clock(DEVBOX, -middle, of, "correct the clock of this machine")
    return found


def _clock(node: str, off: float, of: str, cure: str) -> list[Finding]:
    if abs(off) < CLOCK_WARNS:
        return []
    what = f"its clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {of}"
    # What the devbox thinks of the time harms no node.
    fails = abs(off) >= CLOCK_FAILS and node != DEVBOX
    return [Finding("failure" if fails else "warning", node, what, cure)]


def _shared(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """The values that several nodes have, and these nodes."""
    owners: dict[str, list[str]] = {}
    for node, value in pairs:
        if value and node not in owners.setdefault(value, []):
            owners[value].append(node)
    return ((value, nodes) for value, nodes in owners.items() if len(nodes) > 1)


def _twice() -> dict[str, tuple[Callable[[Facts], Iterable[str]], str]]:
    """What no two nodes may share, and what to do where they do."""
    return {
        "machine-id": (
            lambda facts: [facts.machine_id],
            f"on all but one: {RENEW_MACHINE_ID}",
        ),
        "host key": (
            lambda facts: facts.host_keys,
            f"on all but one: {RENEW}; then: {PROGRAM} hosts trust --changed NODE",
        ),
        "hostname": (
            lambda facts: [facts.hostname.lower()],
            "on all but one: sudo hostnamectl set-hostname NAME",
        ),
        "product UUID": (
            lambda facts: [] if facts.container else [facts.product_uuid],
            "give each virtual machine a UUID of its own: kubeadm takes it for the machine's "
            "identity",
        ),
    }


def identity(all: Sequence[Facts], config: Config) -> list[Finding]:
    """No two nodes are one machine, or a copy of one."""
    reached = [facts for facts in all if facts.reached]
    found, same = [], set[str]()
    boots = ((f.node, f.machine_id and f.boot_id and f.machine_id + f.boot_id) for f in reached)
    for _, nodes in _shared(boots):
        same |= set(nodes)
        what = f"{fold(nodes)} are one machine"
        found += _for(nodes, what, "correct their private-ip in config.yaml: each needs its own")
    others = [facts for facts in reached if facts.node not in same]
    for kind, (values, cure) in _twice().items():
        if kind == "host key" and config.ssh.shared_host_keys:
            continue
        pairs = [(facts.node, value) for facts in others for value in values(facts)]
        grouped: dict[tuple[str, ...], list[str]] = {}
        for value, nodes in _shared(pairs):
            grouped.setdefault(tuple(nodes), []).append(value)
        for group, shared in grouped.items():
            found += _for(group, f"one {kind} on {fold(group)}: {shared[0]}", cure)
    return found


def shared_password(all: Sequence[Facts], config: Config) -> str:
    """A note where nodes are sent one sudo password: each of them could use it on the others."""
    sharing = [f.node for f in all if not config.machines[f.node].sudo_password]
    if config.ssh.sudo_password is None or len(sharing) < 2:
        return ""
    return (
        f"note: {fold(sharing)} have one sudo password, which each of them is told; "
        "sudo_password of a machine gives it another"
    )


def _for(nodes: Iterable[str], what: str, cure: str) -> list[Finding]:
    return [Finding("failure", node, what, cure) for node in nodes]


def addresses(all: Sequence[Facts], config: Config) -> list[Finding]:
    """No node has the address of another one, and none is given to two in config.yaml."""
    given = {name: str(m.private_ip) for name, m in config.machines.items() if m.private_ip}
    chosen = {facts.node for facts in all}
    ports = {name: m.port or config.ssh.port for name, m in config.machines.items()}
    found = []
    for value, nodes in _shared((name, place(value, ports[name])) for name, value in given.items()):
        if chosen & set(nodes):
            what = f"private-ip {value} stands at {fold(nodes)}"
            found += _for(nodes, what, "give each its own private-ip in config.yaml")
    for facts in all:
        own = given.get(facts.node)
        if own not in facts.addresses:
            continue  # another machine answers there: rules.address() and identity() tell
        for owner, value in given.items():
            if value != own and value in facts.addresses:
                what = f"it has the address {value} of {owner}, too"
                cure = "remove it there: ip address; see /etc/netplan, /etc/network/interfaces"
                found += _for([facts.node], what, cure)
    return found


def ports(all: Sequence[Facts], config: Config) -> list[Finding]:
    """Every node reaches the ports of the others that it needs; closed ports count as reached.

    A firewall that resets connections looks like a closed port, unless something listens there.
    """
    by_name = {facts.node: facts for facts in all}
    found = []
    for (source, target), numbers in _grouped(matrix.needed(config)).items():
        here, there = by_name.get(source), by_name.get(target)
        if here is None or not here.reached or (there and not there.reached):
            continue  # that a node is away has been told
        for (address, why), blocked in _blocked(here, there, target, numbers).items():
            listed = ", ".join(map(str, blocked))
            what = f"no way to TCP {listed} of {target} ({address}): {why}"
            cure = f"on {target} and between: let the cluster's nodes reach TCP {listed} (firewall)"
            found += _for([source], what, cure)
    return found


def _grouped(needed: Iterable[tuple[str, str, int]]) -> dict[tuple[str, str], list[int]]:
    pairs: dict[tuple[str, str], list[int]] = {}
    for source, target, port in needed:
        pairs.setdefault((source, target), []).append(port)
    return pairs


def _blocked(
    here: Facts, there: Facts | None, target: str, numbers: Iterable[int]
) -> dict[tuple[str, str], list[int]]:
    """Address and why ports of a node are out of reach, and which ports."""
    found: dict[tuple[str, str], list[int]] = {}
    for port in numbers:
        tried = here.ports.get((target, port))
        if tried is None or tried.verdict == "open":
            continue
        why = words(tried.verdict)
        if tried.verdict == "refused":
            if not (there and _listens(there, tried.address, port)):
                continue
            why = "refused, though something listens there"
        found.setdefault((tried.address, why), []).append(port)
    return found


def _listens(facts: Facts, address: str, port: int) -> bool:
    return any((at, port) in facts.listens for at in ("0.0.0.0", "::", address))


def names(all: Sequence[Facts], config: Config) -> list[Finding]:
    """Every node finds the address of every name, and the name of every address."""
    known = {facts.node: facts for facts in all}
    found = []
    for facts in all:
        if facts.reached:
            found += _forward(facts, config, known) + _backward(facts, config, known)
    return found


def _forward(facts: Facts, config: Config, known: Mapping[str, Facts]) -> list[Finding]:
    found, missing = [], []
    for node, there in known.items():
        name = config.machines[node].fqdn
        if name not in facts.names:
            continue
        has = facts.names[name]
        if not has or has == ("silent",):
            missing.append(node)
        elif _astray(has, there, own=there is facts):
            right = there.address if is_address(there.address) else "an address of that machine"
            what = f"{name} is {', '.join(has)} there, and has to be {right}"
            cure = f"correct its /etc/hosts or DNS; {PROGRAM} up --only hosts writes all names"
            found += _for([facts.node], what, cure)
    if missing:
        what = f"names without an address: {fold(missing)}"
        cure = f"{PROGRAM} up --only hosts, or add them to DNS"
        found.append(Finding("warning", facts.node, what, cure))
    return found


def _astray(has: Sequence[str], there: Facts, own: bool) -> bool:
    """Whether addresses of a name lead elsewhere; programs take any of them."""
    # Debian gives a machine's own name the address 127.0.1.1.
    plain = [address.partition("%")[0] for address in has]  # fe80::1%eth0
    others = {address for address in plain if not (own and is_loopback(address))}
    if others and is_address(there.address) and there.address not in others:
        return True
    # Where config.yaml leaves the address to DNS, it has to be one that the machine has.
    return bool(there.addresses) and not others <= {*there.addresses, there.address}


def _backward(facts: Facts, config: Config, known: Mapping[str, Facts]) -> list[Finding]:
    found, missing = [], []
    owners = {n: node for node in known for n in (node, config.machines[node].fqdn)}
    for node, there in known.items():
        address = there.address
        if address not in facts.back:
            continue
        has = facts.back[address]
        others = [name for name in has if owners.get(name.lower(), node) != node]
        if others:
            what = f"{address} of {node} is called {', '.join(others)} there"
            cure = "correct its /etc/hosts or the reverse zone of the DNS"
            found += _for([facts.node], what, cure)
        elif not has:
            missing.append(node)
    if missing:
        what = f"addresses without a name: {fold(missing)}"
        cure = f"{PROGRAM} up --only hosts, or add them to the reverse zone of the DNS"
        found.append(Finding("warning", facts.node, what, cure))
    return found


def is_loopback(text: str) -> bool:
    return is_address(text) and ipaddress.ip_address(text).is_loopback


RULES: tuple[Rule, ...] = (clock, identity, addresses, ports, names)


def together(all: Sequence[Facts], config: Config) -> list[Finding]:
    """What the rules find about all nodes together."""
    return [
        Finding(one.level, one.node, one.what, one.cure, rule.__name__)
        for rule in RULES
        for one in rule(all, config)
    ]
