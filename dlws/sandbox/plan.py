"""Which nodes a sandbox shall have: from counts, from a config.yaml, from what there is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from dlws.core.errors import Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.sandbox import naming
from dlws.sandbox.state import SandboxNode
from dlws.shell.quoting import sh

DOMAIN = "sandbox.internal"
INFRA, WORKERS = 1, 2
"""What a new sandbox has when nothing else is said."""

_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63})*")


def counted(infra: int, workers: int) -> list[tuple[str, str]]:
    """Names and roles of so many nodes."""
    return [(f"infra{i}", "infrastructure") for i in range(1, infra + 1)] + [
        (f"worker{i}", "worker") for i in range(1, workers + 1)
    ]


def read(path: Path) -> dict[str, Any]:
    """A config.yaml as plain values: for a rehearsal only names, roles and networks count."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "name an existing file") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not YAML: {error}", f"`{PROGRAM} checkconfig` shows the place"
        ) from None
    if not isinstance(values, dict):
        raise UsageError(f"{path} holds no configuration", "see config.yaml.example")
    return values


def named(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and roles of the machines in a configuration, scale_up included."""
    found: dict[str, str] = {}
    for group in ("machines", "scale_up"):
        entries = config.get(group) or {}
        if not isinstance(entries, Mapping):
            raise UsageError(f"{group} is not a mapping of names", "see config.yaml.example")
        for name, machine in entries.items():
            role = machine.get("role") if isinstance(machine, Mapping) else None
            found[_checked(str(name))] = str(role or "worker")
    if not found:
        raise UsageError("the configuration has no machines", "add some under `machines`")
    return list(found.items())


def _checked(name: str) -> str:
    if len(name) > 64 or not _HOSTNAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a machine",
            "host names have letters, digits and hyphens, and at most 64 characters",
        )
    return name


def domain(config: Mapping[str, Any]) -> str:
    network = config.get("network")
    return str(network.get("domain") or "") if isinstance(network, Mapping) else ""


def addresses(config: Mapping[str, Any]) -> dict[str, str]:
    """The private address of each machine that has one in a configuration."""
    found = {}
    for group in ("machines", "scale_up"):
        for name, machine in (config.get(group) or {}).items():
            value = machine.get("private-ip") if isinstance(machine, Mapping) else None
            if value is not None:
                found[str(name)] = str(value)
    return found


def extended(
    old: Iterable[SandboxNode], wanted: Iterable[tuple[str, str]]
) -> tuple[SandboxNode, ...]:
    """The nodes there are, then those wanted that are not there yet."""
    nodes = list(old)
    names = {node.name for node in nodes}
    index = max((node.index for node in nodes), default=-1) + 1
    for name, role in wanted:
        if name not in names:
            nodes.append(SandboxNode(name, role, index))
            index += 1
    if index > naming.LARGEST:
        raise UsageError(
            f"{len(nodes)} nodes are more than one sandbox holds ({naming.LARGEST})",
            "make two sandboxes in two directories",
        )
    return tuple(nodes)


def revived(config: Mapping[str, Any], path: Path) -> tuple[IPv4Network, tuple[SandboxNode, ...]]:
    """Network and nodes of a sandbox that was taken down, from the config.yaml that is left."""
    known = addresses(config)
    roles = named(config)
    try:
        first = IPv4Address(known[roles[0][0]])
        subnet = IPv4Network((int(first) & ~255, 24))
        nodes = tuple(
            SandboxNode(name, role, int(IPv4Address(known[name])) - int(naming.address(subnet, 0)))
            for name, role in roles
        )
        mine = subnet in naming.pool() and all(0 <= n.index <= naming.LARGEST for n in nodes)
    except (KeyError, ValueError):
        mine = False
    if not mine:
        raise Refused(
            f"{path} is not the configuration of a sandbox: its machines have other addresses",
            "rehearse it in a directory of its own: "
            f"mkdir rehearsal && {PROGRAM.name} --dir rehearsal sandbox up --config {sh(path)}",
        )
    return subnet, nodes
