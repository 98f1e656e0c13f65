"""What a machine serves to the others over NFS, as the configuration says or implies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

from dlws.config.addresses import address_of
from dlws.config.model.config import Config
from dlws.config.model.machines import Machine
from dlws.core.errors import UsageError

KEYS = ("nfs_disk_mnt", "nfs_client_CIDR", "nfs_root_access", "nfs_server", "mountpoints",
        "mountconfig")  # fmt: skip
"""The keys of config.yaml that say so."""
_NETWORKS = ("node_range", "samba_range")


@dataclass(frozen=True)
class Share:
    """The directories that a machine exports, what disk they lie on, and who may mount them."""

    path: str
    directories: tuple[str, ...]
    clients: tuple[str, ...]
    """All that may mount it; root there is nobody here."""
    trusted: tuple[str, ...] = ()
    """Those whose root is root here, too."""
    old: bool = False
    """Whether NFSv3 is served, which needs rpcbind."""

    @property
    def exports(self) -> dict[int, str]:
        """The directories by numbers (1 to 65535) that stay theirs whatever else is served.

        File handles of clients carry the number, and no export takes that of another one while the
        server runs.
        """
        found: dict[int, str] = {}
        for directory in sorted(self.directories):
            number = int.from_bytes(sha256(directory.encode()).digest()[:2], "big") % 65535 + 1
            while number in found:
                number = number % 65535 + 1
            found[number] = directory
        return found


def share_of(config: Config, machine: Machine, hosts: Mapping[str, str]) -> Share | None:
    """What a machine serves: its part of nfs_disk_mnt, and shares whose server it is."""
    own = _own(config, machine)
    path = str(own.get("path") or "")
    named = own.get("fileshares") or ([path] if path else [])
    found = [*([named] if isinstance(named, str) else named), *_mounted(config, machine, hosts)]
    if not found:
        return None
    directories = tuple(dict.fromkeys(map(str, found)))
    trusted = _trusted(config, hosts)
    others = tuple(one for one in clients(config, hosts) if one not in trusted)
    return Share(path or directories[0], directories, others, trusted, asks_for_v3(config))


def _trusted(config: Config, hosts: Mapping[str, str]) -> tuple[str, ...]:
    if config.nfs_root_access == "none":
        return ()
    return _addresses(config.with_role("infrastructure"), hosts)


def asks_for_v3(config: Config) -> bool:
    """Whether the options of some share of type nfs name version 3."""
    kinds = config.mountconfig.get("nfs") or {}
    said = [kinds.get("options") if isinstance(kinds, Mapping) else kinds]
    said += [mount.options for mount in config.mountpoints.values() if mount.type == "nfs"]
    return any(re.search(r"\b(?:nfs)?vers=3\b|\bnfs3\b", str(text)) for text in said)


def disk_mount(config: Config, machine: Machine) -> str:
    """Where a machine has the file system of its data disks; nothing where config.yaml has none."""
    return str(_own(config, machine).get("path") or "")


def _own(config: Config, machine: Machine) -> Mapping[str, Any]:
    for name in (machine.name, machine.fqdn):
        if isinstance(own := config.nfs_disk_mnt.get(name), Mapping):
            return own
    return {}


def _mounted(config: Config, machine: Machine, hosts: Mapping[str, str]) -> list[str]:
    names = {machine.name, machine.fqdn, address_of(machine, dict(hosts)), machine.public_ip}
    return [
        mount.filesharename
        for mount in config.mountpoints.values()
        if mount.type == "nfs" and mount.filesharename and names & set(_words(mount.server))
    ]


def clients(config: Config, hosts: Mapping[str, str]) -> tuple[str, ...]:
    """Who may mount shares: the networks of nfs_client_CIDR, else the machines alone."""
    given = [config.nfs_client_cidr.get(key) or [] for key in _NETWORKS]
    said = [one for value in given for one in ([value] if isinstance(value, str) else value)]
    if said:
        return tuple(dict.fromkeys(map(_network, said)))
    return _addresses(config.machines.values(), hosts)


def _addresses(machines: Iterable[Machine], hosts: Mapping[str, str]) -> tuple[str, ...]:
    found = [name for m in machines for name in (address_of(m, dict(hosts)) or m.fqdn, m.ib_ip)]
    return tuple(dict.fromkeys(filter(None, found)))


def _network(text: Any) -> str:
    try:
        return str(ip_network(str(text).strip(), strict=False))
    except ValueError as error:
        cure = "write networks under nfs_client_CIDR in config.yaml, such as 192.168.0.0/16"
        raise UsageError(f"nfs_client_CIDR: {text!r} is not a network", cure) from error


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
