"""Addresses: where the configuration gives them, and that each is that of one machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlws.config.addresses import Address, address_of, hosts_file, is_address, parsed, same
from dlws.config.model.config import Config
from dlws.config.model.machines import Machine
from dlws.config.problems import Path, dotted
from dlws.config.reading.sources import Sources
from dlws.config.rules.walk import at, texts

# Keys of other machines: servers that nodes reach, and those that this machine alone does.
_SERVERS = (
    *("dns_server/*", "mountpoints/*/server", "nfs_disk_mnt/*/ip"),
    *("mysql_node", "mysql_host", "apt_mirror_url", "dockerregistry", "dockers/hub"),
    "kubernetes/image_repository",
)
_OURS = ("ssh/jump_host/host", "kubernetes/network_manifest")
_WHOLE = (
    *("mysql_host", "dockerregistry", "dockers/hub", "kubernetes/endpoint"),
    *("kubernetes/image_repository", "repair-manager/alert/smtp_url"),
)
_INNER = ("private-ip", "ib_ip")
_OUTER = ("public-ip", "jump_host/host")


@dataclass(frozen=True)
class Given:
    """An address that the configuration gives to a machine."""

    path: Path
    key: str
    owner: str
    """The machine; empty where the key says whose it is."""
    ip: Address
    inner: bool = False
    """Whether nodes have to reach it."""


def given(config: Config, sources: Sources) -> list[Given]:
    """Every address that a machine is given, by whatever key."""
    hosts = hosts_file(sources.directory)
    found = [
        one
        for name, machine in config.machines.items()
        for one in _of_machine(name, machine, hosts.get(machine.fqdn) or hosts.get(name, ""))
    ]
    endpoint = ("kubernetes", "endpoint")
    found += _addresses(endpoint, dotted(endpoint), "", config.kubernetes.endpoint, True)
    for keys, inner in ((_SERVERS, True), (_OURS, False)):
        for path, text in at(config, keys):
            found += _addresses(path, dotted(path), "", text, inner)
    return found


def _of_machine(name: str, machine: Machine, listed: str) -> Iterator[Given]:
    path: Path = ("machines", name)
    if not machine.private_ip:
        yield from _addresses(path, "address in deploy/etc/hosts", name, listed, True)
    own = (*at(machine, (*_INNER, *_OUTER)), *texts(machine.model_extra))
    for inside, text in own:
        key = dotted(inside)
        yield from _addresses((*path, *inside), key, name, text, key in _INNER)


def _addresses(path: Path, key: str, owner: str, text: str, inner: bool = False) -> Iterator[Given]:
    for word in re.split(r"[,\s]+", text):
        if ip := parsed(_host(word)):
            yield Given(path, key, owner, ip, inner)


def _host(place: str) -> str:
    """The host in `host`, `user@host:port`, `[host]:port`, `host/prefix` or a URL."""
    host = place.rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if is_address(host) else host.partition(":")[0]


def each_has_its_own(config: Config, sources: Sources) -> None:
    """One place is one machine's; behind a forwarding router the port tells them apart."""
    hosts = hosts_file(sources.directory)
    private: dict[tuple[str, int], str] = {}
    for name, machine in config.machines.items():
        if address := address_of(machine, hosts):
            where = same(address), machine.port or config.ssh.port
            other = private.setdefault(where, name)
            if other != name:
                _twice(sources.error, name, "private-ip", address, other)
    seen = dict(private)
    for name, machine in config.machines.items():
        if machine.public_ip:
            where = same(machine.public_ip), machine.port or config.ssh.port
            other = seen.setdefault(where, name)
            if other != name:  # only --public goes there
                _twice(sources.warn, name, "public-ip", machine.public_ip, other)


def in_one_word(config: Config, sources: Sources) -> None:
    """An address with a blank in it would fail late, as a host or a name of an image."""
    for path, text in at(config, _WHOLE):
        if text.split() != [text] and text:
            sources.error(path, f"{text!r} has a blank, which no address has", "Write it without.")


def _twice(report: Callable[..., None], name: str, key: str, address: str, other: str) -> None:
    report(
        ("machines", name, key),
        f"{address} is the address of {other} already",
        "Give every machine its own address (or port).",
    )
