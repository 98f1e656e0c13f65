"""The GlusterFS volumes that machines of the cluster serve, as config.yaml says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dlws.config.addresses import address_of, is_address
from dlws.config.model.config import Config
from dlws.config.model.machines import Machine
from dlws.config.mounts import active, servers
from dlws.config.shares import clients
from dlws.core.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_COPIES = (2, 3)


@dataclass(frozen=True)
class Volume:
    """A replicated volume: its name, its bricks by machine, and who may mount it."""

    name: str
    place: str
    """The directory in which each of its machines has the brick."""
    bricks: Mapping[str, str]
    """Machine: the address that the others reach it at."""
    clients: tuple[str, ...]
    own: str = ""
    """The address of the machine that is looked at, where it is one of them."""

    @property
    def directory(self) -> str:
        return f"{self.place}/{self.name}"


def volumes(config: Config, hosts: Mapping[str, str]) -> list[Volume]:
    """All volumes that machines of the cluster serve; UsageError where one cannot be."""
    found = [
        _volume(config, hosts, share.filesharename.strip("/"), servers(share))
        for share in active(config).values()
        if share.type == "glusterfs"
    ]
    return list({one.name: one for one in found if one}.values())


def volumes_of(config: Config, machine: Machine, hosts: Mapping[str, str]) -> tuple[Volume, ...]:
    """Those of which a machine has a brick; what cannot be is said by whoever asks for it."""
    try:
        return tuple(_own(volumes(config, hosts), machine.name))
    except UsageError:
        return ()


def _own(found: list[Volume], name: str) -> Iterator[Volume]:
    for one in found:
        if name in one.bricks:
            yield Volume(one.name, one.place, one.bricks, one.clients, one.bricks[name])


def _volume(config: Config, hosts: Mapping[str, str], name: str, words: list[str]) -> Volume | None:
    """A volume; None where others serve it."""
    machines = [machine for word in words for machine in _named(config, hosts, word)]
    if not machines:
        return None
    key = f"the GlusterFS volume {name} of mountpoints"
    if len(machines) != len(words):
        raise UsageError(f"{key} is served by machines of the cluster and by others",
                         "name either machines under server, or others")  # fmt: skip
    if not _NAME.fullmatch(name):
        raise UsageError(f"{key} has no good name", "write letters, digits, - and _ alone")
    if len(machines) not in _COPIES:
        raise UsageError(f"{key} is on {len(machines)} machines",
                         "name two or three under server: each has a whole copy")  # fmt: skip
    bricks = {m.name: address_of(m, dict(hosts)) or "" for m in machines}
    if missing := [name for name, address in bricks.items() if not is_address(address)]:
        raise UsageError(f"{', '.join(missing)} has no address, and {key} needs it",
                         "write private-ip for it under machines")  # fmt: skip
    return Volume(name, config.glusterfs_bricks, bricks, clients(config, hosts))


def _named(config: Config, hosts: Mapping[str, str], word: str) -> list[Machine]:
    return [
        machine
        for machine in config.machines.values()
        if word in (machine.name, machine.fqdn, address_of(machine, dict(hosts)))
    ]
