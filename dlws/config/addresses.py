"""Which address a machine is reached at."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.localfiles import MIB, read

if TYPE_CHECKING:
    from dlws.config.model.machines import Machine

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def hosts_file(directory: Path) -> dict[str, str]:
    """Name → address from deploy/etc/hosts, where there is one."""
    path = directory / "deploy/etc/hosts"
    return parse_hosts(read(path, 16 * MIB).decode(errors="replace")) if path.exists() else {}


def address_of(machine: Machine, hosts: dict[str, str]) -> str | None:
    """The machine's own address, else the hosts file's, else None: its name is left to DNS."""
    if machine.private_ip:
        return machine.private_ip
    return hosts.get(machine.fqdn) or hosts.get(machine.name)


def parse_hosts(text: str) -> dict[str, str]:
    """Host name → address, from a hosts file's text; the first line that names a host counts."""
    hosts: dict[str, str] = {}
    for line in text.splitlines():
        address, *names = line.split("#", 1)[0].split() or [""]
        if is_address(address):
            for name in names:
                hosts.setdefault(name, address)
    return hosts


def is_address(text: str) -> bool:
    return parsed(text) is not None


def same(text: str) -> str:
    """One spelling for all those of an address, an IPv4 address in IPv6 included."""
    address = parsed(text)
    return text if address is None else str(address)


@lru_cache(maxsize=8192)
def parsed(text: str) -> Address | None:
    """The address, that of IPv4 where it is written in IPv6; None where the text is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
