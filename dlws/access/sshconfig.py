"""deploy/ssh_config: the nodes for ssh, scp, rsync and editors, with the host keys that we know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.errors import UsageError
from dlws.core.localfiles import write
from dlws.nodes.inventory import known_hosts
from dlws.shell.quoting import sh
from dlws.ssh.client import Ssh
from dlws.ssh.ownway import algorithm_rows

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.ssh.handshake import Target

_HEAD = "# Written by dlws from config.yaml; changes here are lost. For one: ssh -F {path} {name}\n"


def path(cluster: Cluster) -> Path:
    return cluster.deploy / "ssh_config"


def text(cluster: Cluster) -> str:
    """All nodes by their names, over their jump hosts, each with its own user, port and key."""
    known = known_hosts(cluster.directory).absolute()
    blocks: list[str] = []
    jumps: dict[str, Ssh] = {}
    for node in cluster.nodes:
        if not isinstance(node.connection, Ssh):
            continue
        connection = node.connection
        jumps |= {_alias(jump): jump for jump in connection.jumps}
        names = dict.fromkeys((node.name, node.fqdn))
        blocks.append(_block(" ".join(names), connection, known))
    blocks += [_block(name, jump, known) for name, jump in jumps.items()]
    first = cluster.nodes[0].name if cluster.nodes else "NODE"
    return _HEAD.format(path=sh(path(cluster)), name=first) + "".join(blocks)


def _alias(jump: Ssh) -> str:
    hops = (*jump.jumps, jump)
    return "-".join(
        ["dlws-jump", *(f"{h.target.user}-{h.target.address}-{h.target.port}" for h in hops)]
    )


def _block(names: str, connection: Ssh, known: Path) -> str:
    rows = _rows(connection.target, known, _alias(connection.via) if connection.via else "")
    return f"\nHost {names}\n" + "".join(f"    {key} {value}\n" for key, value in rows)


def _rows(target: Target, known: Path, jump: str) -> Iterator[tuple[str, str]]:
    yield "HostName", target.address
    yield "Port", str(target.port)
    yield "User", _quoted(target.user)
    for key in filter(None, (target.key, *target.identities)):
        yield "IdentityFile", _quoted(str(key.absolute()))
    if target.key:
        yield "IdentitiesOnly", "yes"
    if target.agent:
        yield "IdentityAgent", _quoted(target.agent)
    yield from algorithm_rows(target.algorithms)
    if target.known_as:
        yield "HostKeyAlias", target.known_as
    yield "UserKnownHostsFile", _quoted(str(known))
    yield "GlobalKnownHostsFile", "none"
    yield "StrictHostKeyChecking", "yes"
    if jump:
        yield "ProxyJump", jump


def _quoted(value: str) -> str:
    """A value for ssh_config, in which % begins a token and nothing escapes a quote."""
    if '"' in value or "\n" in value:
        raise UsageError(f'{value!r} cannot stand in an ssh_config: it has a "', "rename it")
    return f'"{value.replace("%", "%%")}"'


def update(cluster: Cluster) -> None:
    """Bring deploy/ssh_config up to date. As known_hosts, it follows from what is there already,
    so that it counts as no change of its own."""
    place, wanted = path(cluster), text(cluster).encode()
    if not cluster.run.dry_run and not (place.exists() and place.read_bytes() == wanted):
        write(place, wanted)
