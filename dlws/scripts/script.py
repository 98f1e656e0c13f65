"""A script: what its first lines say of it, and what of it goes to a node."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.shell import files

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.node import Node

_HEADER_LINES = 20
_DIRECTIVE = re.compile(r"^# dlws-(files|needs|render|check)(?::|[ \t]|$)[ \t]*(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """A script, the files that it names beside it, and what it needs on the node."""

    path: Path
    files: tuple[Path, ...] = ()
    needs: frozenset[str] = frozenset()
    render: bool = False
    check: bool = False
    """Whether it has a check mode: with DLWS_CHECK=1 it changes nothing and says what it would."""
    args: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".j2")

    def words(self, args: tuple[str, ...]) -> tuple[str, ...]:
        """What runs it in its directory, by its own interpreter or the usual one."""
        if self.content[:2] == b"#!":
            return (f"./{self.name}", *args)
        interpreter = "python3" if self.name.endswith(".py") else "bash"
        return (interpreter, f"./{self.name}", *args)

    @cached_property
    def content(self) -> bytes:
        """The script as it lies here, read once: all nodes of a run get the same."""
        return self.path.read_bytes()

    @cached_property
    def companions(self) -> dict[str, tuple[bytes, int]]:
        """The files beside it that it names: content and mode."""
        found = {file.as_posix(): self.path.parent / file for file in self.files}
        return {name: (p.read_bytes(), p.stat().st_mode & 0o777) for name, p in found.items()}

    @property
    def common(self) -> dict[str, tuple[bytes, int]]:
        """What is the same on every node: the files beside it, and itself if it is not rendered."""
        itself = {} if self.render else {self.name: (self.content, 0o700)}
        return itself | self.companions

    @cached_property
    def packed(self) -> bytes:
        """The beginning of its tar: what is the same on every node."""
        return b"".join(files.tar((name, *row) for name, row in self.common.items()))


def find(path: str, args: tuple[str, ...] = ()) -> Script:
    """The script at `path` here, or of that name among those that come with dlws."""
    places = (Path(path), resources.root() / path, resources.scripts() / path)
    found = next((place for place in places if place.is_file()), None)
    if not found:
        raise UsageError(
            f"there is no script {path}",
            f"give its path; those that come with dlws are in {resources.scripts()}",
        )
    return parse(found, args)


def parse(path: Path, args: tuple[str, ...] = ()) -> Script:
    """Read what a script's first lines say: dlws-files, dlws-needs, dlws-render, dlws-check."""
    head = path.read_bytes().split(b"\n", _HEADER_LINES)[:_HEADER_LINES]
    said = dict.fromkeys(("files", "needs", "render", "check"), "")
    for word, value in _DIRECTIVE.findall(b"\n".join(head).decode(errors="replace")):
        said[word] += f" {value or word}"
    named = tuple(Path(word) for word in said["files"].split())
    for file in named:
        if file.is_absolute() or ".." in file.parts or not (path.parent / file).is_file():
            raise UsageError(f"{path}: its dlws-files line names {file}, which is not beside it")
    render = bool(said["render"]) or path.suffix == ".j2"
    needs = frozenset(said["needs"].split())
    return Script(path, named, needs, render, bool(said["check"]), args)


def archive(found: Script, config: Config, node: Node) -> bytes:
    """The tar of a script and its files."""
    rows = [(name, *row) for name, row in own(found, config, node).items()]
    return found.packed + b"".join(files.tar(rows)) + bytes(2 * tarfile.BLOCKSIZE)


def contents(found: Script, config: Config, node: Node) -> dict[str, tuple[bytes, int]]:
    """A script, as a node gets it, and its files: content and mode."""
    return found.common | own(found, config, node)


def own(found: Script, config: Config, node: Node) -> dict[str, tuple[bytes, int]]:
    """What of it is not the same on every node: the script, if it is a template."""
    if not found.render:
        return {}
    from dlws.core.templates import render_file

    text = render_file(found.path, config=config, node=node)
    return {found.name: (text.encode(), 0o700)}


def environment(config: Config, node: Node) -> dict[str, str]:
    """What every script is told of its node and cluster: no secrets."""
    machine = node.machine
    return {
        "DLWS_CLUSTER": config.cluster_name,
        "DLWS_NODE": node.name,
        "DLWS_FQDN": node.fqdn,
        "DLWS_ADDRESS": node.address,
        "DLWS_ROLES": " ".join(node.roles),
        "DLWS_ARCH": machine.archtype,
        "DLWS_TYPE": machine.type,
        "DLWS_VENDOR": machine.vendor,
        "DLWS_ADMIN_USER": config.admin_username,
        "DLWS_DOMAIN": config.domain,
        "DLWS_DNS_SERVERS": " ".join(config.dns_servers),
        "DLWS_APT_MIRROR": config.apt_mirror_url,
        "DLWS_KUBERNETES_VERSION": str(config.kubernetes.version),
        "DLWS_KUBERNETES_SOURCE": config.kubernetes.source,
        "DLWS_RUNTIME": config.runtime,
        "DLWS_BUNDLE": "/var/lib/dlws/bundle",
    }
