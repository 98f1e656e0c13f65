"""The cluster's own registry, as the configuration says or implies, and its mirrors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlws.config.addresses import address_of, is_address
from dlws.config.model.config import Config
from dlws.config.model.images import Registry
from dlws.config.model.machines import Machine
from dlws.config.model.registry import PATH as _PATH
from dlws.config.model.roles import INFRASTRUCTURE

ROLE = "registry"
CA = "registry/ca.crt"
"""The certificate that nodes trust it by, below deploy/: it is there once it was started."""
HUB = "docker.io"
_HUB_SERVER = "registry-1.docker.io"
_HUB_NAMES = (HUB, "index.docker.io", _HUB_SERVER, "hub.docker.com", "")
_PREFIXES = ("https://", "http://")


@dataclass(frozen=True)
class Mirror:
    """A pull-through mirror: the registry behind it, and the port of its own."""

    name: str
    port: int

    @property
    def unit(self) -> str:
        """What its server is called: a word that names files and units."""
        return "mirror-" + "".join(c if c.isalnum() or c in ".-:" else "_" for c in self.name)

    @property
    def url(self) -> str:
        """The registry behind it."""
        return f"https://{_HUB_SERVER if self.name == HUB else self.name}"


@dataclass(frozen=True)
class Instance:
    """A server on the registry's machine: the registry itself, or a mirror."""

    name: str
    port: int
    path: str
    upstream: str = ""
    gives_only: bool = False
    """Whether it gives images to everybody and takes none."""


@dataclass(frozen=True)
class OurRegistry:
    """Where the registry is. `hosts` are the names and addresses that lead to it, `host` first."""

    node: str
    hosts: tuple[str, ...]
    port: int
    path: str
    mirrors: tuple[Mirror, ...] = ()
    login: Registry | None = None
    """Who alone may use it. None: everybody who reaches it may pull, and who knows the password in
    deploy/registry may push."""
    pull_port: int = 0
    """Where it gives images without a login; 0: nowhere."""

    @property
    def host(self) -> str:
        return self.hosts[0]

    @property
    def place(self) -> str:
        """What the names of its images begin with."""
        return at(self.host, self.port)

    @property
    def places(self) -> tuple[str, ...]:
        """The same by all its names."""
        return tuple(at(host, self.port) for host in self.hosts)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The servers on its machine, itself first."""
        own = Instance("main", self.port, f"{self.path}/main")
        gives = Instance("pull", self.pull_port, own.path, gives_only=True)
        behind = (Instance(m.unit, m.port, f"{self.path}/{m.unit}", m.url) for m in self.mirrors)
        return (own, *((gives,) if self.pull_port else ()), *behind)

    @property
    def units(self) -> tuple[str, ...]:
        """The systemd units of these."""
        return tuple(f"dlws-registry@{one.name}.service" for one in self.instances)

    @property
    def pull_places(self) -> tuple[str, ...]:
        """Those of its names for which nodes ask the port without a login."""
        return self.places if self.pull_port else ()

    @property
    def pull_place(self) -> str:
        return at(self.host, self.pull_port)

    def mirror_place(self, mirror: Mirror) -> str:
        return at(self.host, mirror.port)


def at(host: str, port: int) -> str:
    """HOST:PORT; an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def registry_of(config: Config, hosts: Mapping[str, str]) -> OurRegistry | None:
    """The cluster's own registry; None where it has none."""
    machine = _machine(config)
    if not machine:
        return None
    said = config.registry
    address = address_of(machine, dict(hosts))
    names = tuple(dict.fromkeys(filter(None, (said.host, address, machine.fqdn, machine.name))))
    mirrors = tuple(
        Mirror(name, said.port + number)
        for number, name in enumerate(dict.fromkeys(map(server_name, said.mirror)), 1)
    )
    path = str(PurePosixPath(said.path or _PATH))
    login = _login(config, tuple(at(name, said.port) for name in names))
    pull_port = 0 if login else said.pull_port or said.port - 1
    return OurRegistry(machine.name, names, said.port, path, mirrors, login, pull_port)


def _machine(config: Config) -> Machine | None:
    said = config.registry
    if said.enabled is False:
        return None
    if said.node:
        return next((m for m in config.machines.values() if said.node in (m.name, m.fqdn)), None)
    if named := config.with_role(ROLE):
        return named[0]
    if said.enabled or config.kubernetes.source == "bundle":
        return next(iter(config.with_role(INFRASTRUCTURE)), None)
    return None


def _login(config: Config, places: tuple[str, ...]) -> Registry | None:
    for name, found in config.registry_credential.items():
        if server_name(name) in places and found.username and found.password:
            return found
    return None


def has_ca(deploy: Path) -> bool:
    """Whether the registry was ever started: before that, no node can be asked to trust it."""
    return (deploy / CA).exists()


def server_name(text: str) -> str:
    """A registry as images name it: Docker Hub has many names, others are written as addresses."""
    word = text.strip()
    for prefix in _PREFIXES:
        word = word.removeprefix(prefix)
    word = word.partition("/")[0]
    return HUB if word in _HUB_NAMES else word


def is_server_name(text: str) -> bool:
    """Whether this can be the HOST or HOST:PORT of a registry."""
    host, colon, port = text.rpartition(":")
    if not host or is_address(text):
        host, colon, port = text, "", "443"
    letters = host.replace("-", "").replace(".", "")
    named = letters.isalnum() and letters.isascii() and ("." in host or bool(colon))
    good = named or is_address(host.strip("[]"))
    return good and port.isdecimal() and 0 < int(port) < 65536
