"""The base file system of nodes: built once by mmdebstrap, shared read-only by all nodes."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

from dlws.core import ownership, resources
from dlws.core.connection import Local
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import private_directory
from dlws.core.text import since
from dlws.runs.console import Console
from dlws.sandbox.machine import run
from dlws.shell.quoting import sh

RELEASES = ("bookworm", "trixie")
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo", "procps"),
    *("iproute2", "iputils-ping", "iptables", "kmod", "ca-certificates", "curl", "less"),
)

_LINE = re.compile(rb"[^\r\n]+")


def base(release: str) -> Path:
    """Where the base file system of a release is; its name changes with what is in it."""
    content = hashlib.sha256(" ".join([release, *PACKAGES]).encode()).hexdigest()[:10]
    return ownership.cache() / f"rootfs-{release}-{content}"


def sources(targets: str, own: str, release: str) -> list[str]:
    """Lines of a sources.list for `release`, from this machine's own sources for `own`.

    `targets` has a line "URI RELEASE COMPONENT" for each index that apt knows.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for line in targets.splitlines():
        uri, suite, component = [*line.split(), "", "", ""][:3]
        if suite == own or suite.startswith(f"{own}-"):
            components = found.setdefault((uri, suite.replace(own, release, 1)), [])
            if component not in components:
                components.append(component)
    return [f"deb {uri} {suite} {' '.join(parts)}" for (uri, suite), parts in found.items()]


def machine_sources(release: str) -> list[str]:
    """Where this machine gets Debian's packages, turned to `release`."""
    template = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    listing = sh("apt-get", "indextargets", "--format", template, "Created-By: Packages")
    targets = run(listing, doing="reading this machine's apt sources").text
    os_release = Path("/etc/os-release").read_text()
    own = re.search(r'^VERSION_CODENAME="?(\w+)', os_release, re.MULTILINE)
    debian = re.search(r'^ID="?debian', os_release, re.MULTILINE)
    for known in [*([own.group(1)] if debian and own else []), *RELEASES]:
        if lines := sources(targets, known, release):
            return lines
    raise DeployError(
        "this machine's apt knows no Debian archive to make nodes from",
        "add one to /etc/apt/sources.list.d, run apt-get update, then the same line again",
    )


def apt_settings(dump: str) -> list[str]:
    """The lines of `apt-config dump` about proxies and certificates."""
    kept = re.compile(r"Acquire::(https?|ftp)::.*(Proxy|CaInfo|CaPath|Verify)", re.IGNORECASE)
    return [line for line in dump.splitlines() if kept.match(line)]


def machine_apt_settings() -> list[str]:
    dump = run(sh("apt-config", "dump"), doing="reading this machine's apt settings").text
    settings = apt_settings(dump)
    for name in ("http", "https"):
        proxy = os.environ.get(f"{name}_proxy")
        if proxy and not any(f"::{name}::proxy" in line.lower() for line in settings):
            settings.append(f'Acquire::{name}::Proxy "{proxy}";')
    return settings


def known(release: str) -> str:
    """The release itself, if nodes can have it."""
    if release not in RELEASES:
        raise UsageError(f"nodes cannot have {release!r}", f"choose one of: {', '.join(RELEASES)}")
    return release


def build(release: str, console: Console) -> Path:
    """The base file system of a release, built now if it is not there yet."""
    target = ownership.trusted(base(release))
    if target.is_dir():
        return target
    private_directory(target.parent)
    lock = target.with_suffix(".lock")
    # The lock is flock's: it holds until mmdebstrap itself has ended, even if we are killed.
    if not Local().run(sh("flock", "--nonblock", lock, "true")).ok:
        console.say("waiting for another command that is building the same base file system")
    console.say(f"building the file system of {release} nodes in {target} (once, half a minute)")
    _build(release, target, lock, console)
    if not target.is_dir():
        raise DeployError(f"mmdebstrap ended well, but {target} is not there")
    return target


def _build(release: str, target: Path, lock: Path, console: Console) -> None:
    script = resources.templates() / "sandbox/base.sh"
    options = [f"--aptopt={line}" for line in machine_apt_settings()]
    words = [*options, *machine_sources(release)]
    started, last = time.monotonic(), "mmdebstrap"

    def progress(_: str, data: bytes) -> None:
        nonlocal last
        for line in _LINE.findall(data):
            last = line.decode(errors="replace").strip() or last
            if last.startswith("I: "):
                console.say(f"mmdebstrap: {last[3:]} ({since(started)})")

    build_it = sh("sh", script, target, release, ",".join(PACKAGES), *words)
    with console.status(lambda: f"{since(started)}: {last}", every=10):
        run(sh("flock", lock, "sh", "-c", build_it), doing="mmdebstrap", echo=progress)
