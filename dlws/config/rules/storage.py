"""Shares: who serves them, and whether unit files can say where they are mounted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import normpath

from dlws.config import mounts
from dlws.config.addresses import is_address
from dlws.config.model.config import Config
from dlws.config.model.storage import Mountpoint
from dlws.config.problems import Path, closest
from dlws.config.reading.sources import Sources
from dlws.config.rules.walk import at
from dlws.core.errors import UsageError
from dlws.shell.units import escaped

_OURS = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "sys", "usr",
         "var", "home", "tmp", "")  # fmt: skip
_GLOB = re.compile(r"(?<![.\])}])[*?]")
_ONE_LINE = ("server", "filesharename", "mountsharename", "curphysicalmountpoint", "device",
             "accountname", "options", "vc")  # fmt: skip
Found = Iterator[tuple[str, str, str]]
"""Key, what is wrong with it, the cure."""


def mountpoints(config: Config, sources: Sources) -> None:
    names = {name for m in config.machines.values() for name in (m.name, m.fqdn)}
    for name, mount in config.mountpoints.items():
        for server in mounts.servers(mount):
            if mount.type == "nfs" and server not in names and not is_address(server):
                near = closest(server, names)
                sources.warn(
                    ("mountpoints", name, "server"),
                    f"{server} is not one of the machines",
                    f"Did you mean {near}?" if near else "Check that every node can resolve it.",
                )


def mountable(config: Config, sources: Sources) -> None:
    for name, share in mounts.active(config).items():
        for key, words, cure in _awkward(config, name, share):
            sources.error(("mountpoints", name, *([key] if key else [])), words, cure)


def served(config: Config, sources: Sources) -> None:
    """What NFS servers export is given to everybody (0777)."""
    for path, text in _exported(config):
        if text and normpath(text).strip("/") in _OURS:
            words = f"{text} is the system's own, and what is served becomes everybody's"
            sources.error(path, words, "Write a directory like /data/share.")


def _exported(config: Config) -> Iterator[tuple[Path, str]]:
    """Each directory that machines of the cluster are to serve, and where config.yaml says so."""
    names = {name for m in config.machines.values() for name in (m.name, m.fqdn, m.private_ip)}
    yield from at(config, ("nfs_disk_mnt/*/fileshares", "nfs_disk_mnt/*/fileshares/*"))
    for path, text in at(config, ("nfs_disk_mnt/*/path",)):
        if not config.nfs_disk_mnt[str(path[1])].get("fileshares"):
            yield path, text
    for name, share in mounts.active(config).items():
        if share.type == "nfs" and names & set(mounts.servers(share)):
            yield ("mountpoints", name, "filesharename"), share.filesharename


def data_disks(config: Config, sources: Sources) -> None:
    for place, text in enumerate(config.data_disk):
        path = ("data-disk", place)
        cure = "Write a device, or an expression for its whole name, such as /dev/sd[b-z]."
        if not re.fullmatch(r"/dev/[!-~]+", text):
            sources.error(path, f'"{text}" is no name of a device', cure)
        elif _GLOB.search(text):
            words = f'"{text}" is no pattern for file names: * and ? stand behind what they repeat'
            sources.error(path, words, "Write .* for anything, such as /dev/sd.*")
        elif not _compiles(text):
            sources.error(path, f'"{text}" is no regular expression', cure)


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _awkward(config: Config, name: str, share: Mountpoint) -> Found:
    """What no unit file could say."""
    for key, text in (("", name), *((key, getattr(share, key)) for key in _ONE_LINE)):
        if not text.isprintable() or text != text.strip() or text.endswith("\\"):
            words = "spaces at an end, a \\ at the end and control characters cannot be mounted"
            yield key, words, "Write it without them."
    if share.type == "sshfs" and share.filesharename and not share.filesharename.startswith("/"):
        yield "filesharename", "sshfs needs an absolute path", "Write it from the root: /..."
    if "/" in share.vc or share.vc in (".", ".."):
        words = f"{share.vc!r} is no directory for the links of a virtual cluster"
        yield "vc", words, "Write a name without /."
    for folder in mounts.folders(config, name):
        if folder.startswith("/") or ".." in folder.split("/") or not folder.isprintable():
            yield "mountpoints", f"{folder!r} is not a folder in the share", "Write its name."
    yield from _place(config, name, share)


def _place(config: Config, name: str, share: Mountpoint) -> Found:
    at = mounts.where(config, name, share)
    key = "curphysicalmountpoint" if share.curphysicalmountpoint else ""
    try:
        escaped(at)
    except UsageError as error:
        yield key, error.message, "Write another one."
        return
    if at.strip("/") in _OURS or at.split("/")[1] in ("dev", "etc", "proc", "run", "sys", "usr"):
        yield key, f"a share on {at} would hide the system's own files", "Write one like /mntdlws."
    for other, one in mounts.active(config).items():
        if other == name:
            break
        if mounts.where(config, other, one) == at:
            yield key, f"{other} is mounted on {at}, too", "Give one of them another place."
        elif set(dict(mounts.links(config, other))) & set(dict(mounts.links(config, name))):
            cure = f"Name folders of its own under mountpoints, in {name} or in {other}."
            yield "", f"{other} and {name} would have the same links", cure
    if name in mounts.default_shares(config)[1:]:
        cure = "Name its folders under mountpoints."
        yield "mountpoints", "there is another default share already", cure
