"""Which address a machine is reached at."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlws.config.model.machines import Machine


def hosts_file(directory: Path) -> dict[str, str]:
    """Name → address from deploy/etc/hosts, where there is one."""
    path = directory / "deploy/etc/hosts"
    return parse_hosts(path.read_text(errors="replace")) if path.exists() else {}


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
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def same(text: str) -> str:
    """One spelling for all those of an address, an IPv4 address in IPv6 included."""
    if not is_address(text):
        return text
    address = ipaddress.ip_address(text)
    return str(getattr(address, "ipv4_mapped", None) or address)
