"""A script: what its first lines say of it, and what of it goes to a node."""

from __future__ import annotations

import codecs
import re
import tarfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.shell import files
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.node import Node

_HEADER_LINES = 20
_DIRECTIVE = re.compile(
    r"^# dlws-(files|needs|check|command)(?::|[ \t]|$)[ \t]*(.*)$", re.MULTILINE
)
_USUAL = {".sh": "bash", ".py": "python3"}
"""What runs a script without a first line that says so, by its suffix."""
_TEMPLATE = re.compile(r"^# dlws-render\b", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """A script, the files that it names beside it, and what it needs on the node."""

    path: Path
    files: tuple[Path, ...] = ()
    needs: frozenset[str] = frozenset()
    check: bool = False
    """Whether it has a check mode: with DLWS_CHECK=1 it changes nothing and says what it would."""
    command: str = ""
    """The command of ours that is run in its place, where its first lines name one."""
    args: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.path.name

    def words(self, args: tuple[str, ...]) -> tuple[str, ...]:
        """What runs it in its directory: its interpreter, since that works where the file system
        executes nothing (noexec), too."""
        return (*_interpreter(self.path, self.content), f"./{self.name}", *args)

    @cached_property
    def content(self) -> bytes:
        """The script as it lies here, read once: all nodes of a run get the same."""
        return self.path.read_bytes()

    @cached_property
    def contents(self) -> dict[str, tuple[bytes, int]]:
        """The script and the files that it names: content and mode. All nodes get the same."""
        beside = {file.as_posix(): self.path.parent / file for file in self.files}
        named = {name: (p.read_bytes(), p.stat().st_mode & 0o777) for name, p in beside.items()}
        return {self.name: (self.content, 0o700), **named}

    @cached_property
    def archive(self) -> bytes:
        """The tar of all that."""
        rows = [(name, *row) for name, row in self.contents.items()]
        return b"".join(files.tar(rows)) + bytes(2 * tarfile.BLOCKSIZE)


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
    """Read what a script's first lines say: dlws-files, dlws-needs, dlws-check, dlws-command."""
    content = path.read_bytes()
    lines = content.split(b"\n", _HEADER_LINES)[:_HEADER_LINES]
    head = b"\n".join(lines).decode(errors="replace")
    _refuse_template(path, head)
    _refuse_foreign(path, content)
    said = dict.fromkeys(("files", "needs", "check", "command"), "")
    for word, value in _DIRECTIVE.findall(head):
        said[word] += f" {value or word}"
    named = tuple(Path(word) for word in said["files"].split())
    for file in named:
        if file.is_absolute() or ".." in file.parts or not (path.parent / file).is_file():
            raise UsageError(f"{path}: its dlws-files line names {file}, which is not beside it")
        if file.suffix == ".sh":
            _refuse_line_ends(path.parent / file, (path.parent / file).read_bytes())
    needs, check = frozenset(said["needs"].split()), bool(said["check"])
    return Script(path, named, needs, check, said["command"].strip(), args)


def _interpreter(path: Path, content: bytes) -> tuple[str, ...]:
    """What its first line names, as the kernel reads it; else the usual one of its suffix."""
    line = content.split(b"\n", 1)[0].decode(errors="surrogateescape")
    if line.startswith("#!"):
        return tuple(line[2:].strip().split(maxsplit=1))
    return (_USUAL[path.suffix],)


def _refuse_foreign(path: Path, content: bytes) -> None:
    """What an editor of another system left would make the interpreter fail, or do half of it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        cure = sh("iconv", "-f", "UTF-16", "-t", "UTF-8", "-o", path.with_suffix(".utf8"), path)
        raise UsageError(f"{path} is in UTF-16", f"run: {cure}")
    if content.startswith(codecs.BOM_UTF8):
        cure = sh("sed", "-i", r"1s/^\xef\xbb\xbf//", path)
        raise UsageError(f"{path} begins with a byte order mark, not with #!", f"run: {cure}")
    _refuse_line_ends(path, content)
    if not _interpreter_known(path, content):
        raise UsageError(
            f"{path} does not say what runs it: its first line is no #!...",
            "write, for one, #!/usr/bin/env bash there",
        )


def _refuse_line_ends(path: Path, content: bytes) -> None:
    """Wherever they are: a shell would begin, and fail in the middle. What has bytes of value 0
    has data behind its script: there the first lines count."""
    line, text = content.split(b"\n", 1)[0], content
    if b"\0" in content:
        text = b"\n".join(content.split(b"\n", _HEADER_LINES)[:_HEADER_LINES]) + b"\n"
    if b"\r\n" in text:
        number = text[: text.index(b"\r\n")].count(b"\n") + 1
        cure = sh("sed", "-i", r"s/\r$//", path)
        raise UsageError(
            f"{path} has the line ends of Windows (CRLF), the first in line {number}",
            f"run: {cure}",
        )
    if line.startswith(b"#!") and b"\r" in line:
        cure = sh("sed", "-i", r"s/\r/\n/g", path)
        raise UsageError(f"{path} has the line ends of an old Mac (CR)", f"run: {cure}")


def _interpreter_known(path: Path, content: bytes) -> bool:
    if content.startswith(b"#!"):
        return bool(content[2:].split(b"\n", 1)[0].strip())
    return path.suffix in _USUAL and b"\0" not in content


def _refuse_template(path: Path, head: str) -> None:
    """Earlier versions rendered such scripts; one that is run as it is would do harm."""
    if path.suffix == ".j2" or _TEMPLATE.search(head):
        raise UsageError(
            f"{path}: scripts are not rendered any more, and this one is a template",
            "read values from the environment instead, such as $DLWS_CLUSTER, $DLWS_NODE and "
            "$DLWS_DOMAIN (see scripts/dns.sh), and remove its dlws-render line",
        )


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
        "DLWS_NFS_SERVER": config.nfs_server,
        "DLWS_DATA_DISKS": " ".join(config.data_disk),
        "DLWS_APT_MIRROR": config.apt_mirror_url,
        "DLWS_APT_KEYS": " ".join(config.kubernetes.apt_key),
        "DLWS_KUBERNETES_VERSION": str(config.kubernetes.version),
        "DLWS_KUBERNETES_SOURCE": config.kubernetes.source,
        "DLWS_RUNTIME": config.runtime,
        "DLWS_BUNDLE": "/var/lib/dlws/bundle",
    }
