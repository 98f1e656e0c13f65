"""This machine's part of a sandbox: its packages, its settings, and commands run on it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dlws.core import ownership
from dlws.core.connection import Echo, Local, Result
from dlws.core.errors import DeployError
from dlws.runs.console import Console
from dlws.shell.quoting import sh

PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "flock": "util-linux",
}

SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    # Ten a node: with the usual 128 the twelfth node cannot start its systemd.
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 1048576,
    "kernel.keys.maxkeys": 20000,
    "kernel.keys.maxbytes": 2000000,
}


PROC = Path("/proc/sys")


def run(command: str, *, stdin: bytes = b"", doing: str, echo: Echo | None = None) -> Result:
    """Runs a command on this machine; what fails is told in the words of `doing`."""
    result = Local().run(command, stdin=stdin, echo=echo)
    if not result.ok:
        last = "\n".join(result.complaint.splitlines()[-8:])
        raise DeployError(f"{doing} failed (exit status {result.code}): {last}")
    return result


def require_root() -> None:
    if os.geteuid() != 0:
        raise DeployError(
            "a sandbox makes real machines, with links, mounts and control groups: this needs root",
            "run the same command with sudo",
        )


def missing_packages(path: str) -> list[str]:
    """Debian packages whose commands are not on PATH."""
    folders = [Path(folder) for folder in path.split(":")]
    return sorted(
        {
            package
            for command, package in PACKAGES.items()
            if not any((folder / command).exists() for folder in folders)
        }
    )


def install_packages(console: Console) -> None:
    """Installs what sandboxes need and this machine lacks."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where ip and nft are, for a shell started by su
    missing = missing_packages(os.environ["PATH"])
    if not missing:
        return
    console.say(f"installing with apt-get: {' '.join(missing)}")
    apt = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-oDPkg::Lock::Timeout=300", "-qy")
    install = sh(*apt, "install", "--no-install-recommends", *missing)
    with console.status(lambda: f"installing {' '.join(missing)} ..."):
        run(sh(*apt, "update"), doing="apt-get update")
        run(install, doing=f"installing {' '.join(missing)}")


def tune() -> None:
    """Raises this machine's limits to what many nodes need; never lowers one.

    What was there before is noted first, until the next boot, which forgets both.
    """
    before = _noted()
    for key, wanted in SYSCTLS.items():
        if (now := _limit(key)) < wanted:
            before.setdefault(key, now)
            _note().write_text(json.dumps(before))
            _path(key).write_text(f"{wanted}\n")


def restore() -> None:
    """Puts back the limits that were raised here, unless somebody has changed them since."""
    for key, before in _noted().items():
        if _limit(key) == SYSCTLS.get(key):
            _path(key).write_text(f"{before}\n")
    _note().unlink(missing_ok=True)


def _note() -> Path:
    return ownership.run_directory() / "sandbox-limits.json"


def _noted() -> dict[str, int]:
    try:
        noted = json.loads(_note().read_text())
        return {key: int(noted[key]) for key in SYSCTLS if key in noted}
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _limit(key: str) -> int:
    return int(_path(key).read_text())


def _path(key: str) -> Path:
    return PROC / key.replace(".", "/")
