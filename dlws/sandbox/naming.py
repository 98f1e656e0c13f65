"""Names of a sandbox's parts and the choice of its network: pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM

LARGEST = 240
"""Nodes that fit one sandbox: its network is a /24, and the lowest addresses stay free."""

_FIRST_HOST = 11


def sandbox_id(directory: Path) -> str:
    """Six hex digits that stand for a cluster's directory in the names of links and processes."""
    return hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:6]


def label(id: str, index: int) -> str:
    """What the kernel knows a node by. Short: its link vb-LABEL may have 15 characters."""
    return f"{id}-{index}"


def bridge(id: str) -> str:
    return f"dl-{id}"


def link(node_label: str) -> str:
    """The machine's end of the node's link."""
    return f"vb-{node_label}"


def address(subnet: IPv4Network, index: int) -> IPv4Address:
    return subnet[_FIRST_HOST + index]


def pool() -> Iterator[IPv4Network]:
    """Networks that a sandbox may have, the usual one first."""
    for parent in ("10.77.0.0/16", "172.27.0.0/16", "192.168.0.0/16"):
        yield from IPv4Network(parent).subnets(new_prefix=24)


def free_subnet(taken: Iterable[IPv4Network], wanted: IPv4Network | None = None) -> IPv4Network:
    """The first network of the pool that meets none of `taken`, or `wanted` itself."""
    used = list(taken)
    for candidate in [wanted] if wanted else pool():
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise DeployError(
        f"no network is free for a sandbox ({wanted or 'all of 10.77, 172.27, 192.168'} is in use)",
        f"take another sandbox down (`{PROGRAM} sandbox status --all` lists them), or remove "
        "config.yaml to let this one get a new network",
    )
