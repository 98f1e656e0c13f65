"""What a node says of itself: the lines of templates/check/facts.sh as values."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from dlws.core.architecture import architecture
from dlws.core.text import split_lines
from dlws.ssh.hostkeys import fingerprint

T = TypeVar("T")

_LONGEST = 2048
"""Characters of a value that count: the longest are the public halves of RSA keys."""


@dataclass(frozen=True)
class Disk:
    """Free and all space of a file system: KiB, or inodes."""

    mount: str
    free: int
    total: int


@dataclass(frozen=True)
class Port:
    """What came of connecting to a port of another node."""

    address: str
    verdict: str


@dataclass(frozen=True)
class Device:
    """The devices of one maker, and whether their driver is new enough (None: there is none).

    A sandbox's node has `stand_ins` instead of them, and no driver.
    """

    found: tuple[str, ...] = ()
    driver: str = ""
    minimum: str = ""
    enough: bool | None = None
    stand_ins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """One node. What it did not say is None or empty, and no rule speaks about it."""

    node: str
    address: str = ""
    error: str = ""
    cure: str = ""
    sudo_error: str = ""
    complete: bool = False
    user: str = ""
    skew: float | None = None
    os_id: str = ""
    os_like: str = ""
    os_version: str = ""
    os_name: str = ""
    architecture: str = ""
    kernel: str = ""
    container: str = ""
    systemd: bool = False
    cores: int | None = None
    memory: int | None = None
    swap: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    inodes: tuple[Disk, ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    hostname: str = ""
    machine_id: str = ""
    boot_id: str = ""
    product_uuid: str = ""
    host_keys: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    listens: frozenset[tuple[str, int]] = frozenset()
    ports: Mapping[tuple[str, int], Port] = field(default_factory=dict)
    hosts: Mapping[tuple[str, int], str] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    back: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    nvidia: Device = Device()
    huawei: Device = Device()
    nouveau: bool = False
    secure_boot: bool = False
    ascend_runtime: bool = False
    proxy: bool = False
    routes: tuple[tuple[str, str, str], ...] = ()
    """Network, interface, and the gateway if there is one."""
    cni: tuple[str, ...] = ()
    member: bool = False
    """Whether kubeadm has made it a member of a cluster."""
    cloud_hosts: str = ""
    """Where cloud-init is told to write /etc/hosts: `files` below /etc/cloud, or `user-data`."""
    resolver: str = ""
    """The program that writes /etc/resolv.conf."""
    readonly: tuple[str, ...] = ()
    noexec: tuple[str, ...] = ()
    quota: tuple[str, ...] = ()
    """What quota says of a user who is over one."""
    apt: str = ""
    """The program that has apt's lock, and its pid: NAME|PID."""

    @property
    def reached(self) -> bool:
        return not self.error

    @property
    def may_be_member(self) -> bool:
        """Who is not root there may not see whether kubeadm has made it one."""
        return self.member or bool(self.sudo_error)


class Lines:
    """Lines KEY=VALUE; whatever is not one, or has a value that makes no sense, is left out."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, list[str]] = {}
        for line in split_lines(text):
            if match := re.fullmatch(r"([a-z_]+)=(.*)", line):
                self._values.setdefault(match[1], []).append(match[2].strip()[:_LONGEST])

    def all(self, key: str) -> tuple[str, ...]:
        return tuple(value for value in self._values.get(key, ()) if value)

    def one(self, key: str) -> str:
        return (self.all(key) or ("",))[0]

    def number(self, key: str) -> int | None:
        return number(self.one(key))

    def each(self, key: str, parse: Callable[..., T | None], fields: int) -> tuple[T, ...]:
        """What `parse` makes of the values of a key that have so many fields between bars."""
        rows = [value.split("|") for value in self._values.get(key, ())]
        made = [parse(*row) for row in rows if len(row) == fields]
        return tuple(one for one in made if one is not None)


def number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def parse(facts: Facts, text: str, window: tuple[float, float] | None = None) -> Facts:
    """The facts filled from what the node printed; `window`: when it was asked, and answered."""
    lines = Lines(text)
    known = facts
    for fill in (_identity, _reached, _devices, _system, _others):
        known = fill(known, lines)
    return replace(
        known,
        complete=lines.one("end") == "1",
        user=lines.one("user"),
        skew=_skew(lines.one("clock"), window),
    )


def _system(facts: Facts, lines: Lines) -> Facts:
    return replace(
        facts,
        os_id=lines.one("os_id").lower(),
        os_like=lines.one("os_like").lower(),
        os_version=lines.one("os_version"),
        os_name=lines.one("os_name"),
        architecture=architecture(lines.one("architecture")),
        kernel=lines.one("kernel"),
        container=lines.one("container"),
        systemd=lines.one("systemd") == "1",
        cores=lines.number("cores"),
        memory=lines.number("memory"),
        swap=lines.all("swap"),
        disks=lines.each("disk", _disk, 3),
        inodes=lines.each("inodes", _disk, 3),
        modules=dict(lines.each("module", lambda name, state: (name, state), 2)),
    )


def _others(facts: Facts, lines: Lines) -> Facts:
    return replace(
        facts,
        proxy=lines.one("proxy") == "1",
        routes=lines.each("route", lambda *row: row, 3),
        cni=lines.all("cni"),
        member=lines.one("member") == "1",
        cloud_hosts=lines.one("cloud_hosts"),
        resolver=lines.one("resolver"),
        readonly=lines.all("readonly"),
        noexec=lines.all("noexec"),
        quota=lines.all("quota"),
        apt=lines.one("apt"),
    )


def _identity(facts: Facts, lines: Lines) -> Facts:
    return replace(
        facts,
        hostname=lines.one("hostname"),
        machine_id=lines.one("machine_id"),
        boot_id=lines.one("boot_id"),
        product_uuid=lines.one("product_uuid").lower(),
        host_keys=tuple(filter(None, map(host_key, lines.all("host_key")))),
        addresses=lines.all("address"),
        listens=frozenset(filter(None, map(listener, lines.all("listens")))),
    )


def _reached(facts: Facts, lines: Lines) -> Facts:
    def host(name: str, digits: str, verdict: str) -> tuple[tuple[str, int], str] | None:
        known = number(digits)
        return ((name, known), verdict) if known is not None else None

    def port(
        node: str, address: str, digits: str, verdict: str
    ) -> tuple[tuple[str, int], Port] | None:
        known = number(digits)
        return ((node, known), Port(address, verdict)) if known is not None else None

    def words(key: str, found: str) -> tuple[str, tuple[str, ...]]:
        return key, tuple(found.split())

    return replace(
        facts,
        ports=dict(lines.each("port", port, 4)),
        hosts=dict(lines.each("host", host, 3)),
        names=dict(lines.each("name", words, 2)),
        back=dict(lines.each("back", words, 2)),
        mirrors=dict(lines.each("mirror", lambda url, status: (url, status), 2)),
    )


def _devices(facts: Facts, lines: Lines) -> Facts:
    def device(maker: str) -> Device:
        return Device(
            found=tuple(lines.one(maker).split()),
            stand_ins=tuple(lines.one(f"{maker}_stand_ins").split()),
            driver=lines.one(f"{maker}_driver"),
            minimum=lines.one(f"{maker}_minimum"),
            enough={"yes": True, "no": False}.get(lines.one(f"{maker}_enough")),
        )

    return replace(
        facts,
        nvidia=device("nvidia"),
        huawei=device("huawei"),
        nouveau=lines.one("nouveau") == "1",
        secure_boot=lines.one("secure_boot") == "1",
        ascend_runtime=lines.one("ascend_runtime") == "1",
    )


def _disk(mount: str, free: str, total: str) -> Disk | None:
    kib, all_kib = number(free), number(total)
    # Some file systems have no fixed number of inodes and say 0 of 0.
    return Disk(mount, kib, all_kib) if kib is not None and all_kib else None


def _skew(clock: str, window: tuple[float, float] | None) -> float | None:
    """Seconds by which the node's clock is ahead of this machine's, at least: a slow network is
    no wrong clock."""
    if window is None or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", clock):
        return None
    asked, answered = window
    return round(min(float(clock) - asked, max(0.0, float(clock) - answered)), 3)


def host_key(line: str) -> str:
    """The fingerprint of a public key's `TYPE BASE64`; empty where it is none."""
    try:
        return fingerprint(base64.b64decode(line.split()[1], validate=True))
    except (IndexError, binascii.Error, ValueError):
        return ""


def listener(text: str) -> tuple[str, int] | None:
    """Address and port from /proc/net/tcp: `0100007F:0016` is 127.0.0.1, 22 (words swapped)."""
    match = re.fullmatch(r"([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})", text)
    if not match:
        return None
    words = re.findall(".{8}", match[1])
    address = ipaddress.ip_address(b"".join(bytes.fromhex(word)[::-1] for word in words))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address), int(match[2], 16)
