"""A Docker engine of our own for a while, beside whatever the machine has: for builds without one.

It makes no network and no packet rules, so that bridges and a firewall stay as they are. It runs in
a mount namespace of its own, where /etc/docker says which registries to trust. Nothing of it stays.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.core.localfiles import scratch
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.runs.console import Console

_PLACE = Path("/var/lib/dlws")
"""On a disk: /tmp may be memory, and images are large."""
_PREFIX = "own-"
_SYSTEM = "/usr/sbin:/sbin"
"""Where dockerd and what it runs may be, too."""
_PATIENCE = 60
"""Seconds in which an engine has to answer."""
_PROGRAMS = {"dockerd": "docker.io", "docker": "docker.io", "mmdebstrap": "mmdebstrap"}
"""What builds our images, and Debian's packages of it."""
INSTALL = """
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >$policy
    chmod 755 $policy
fi
apt="apt-get -qy -oDPkg::Lock::Timeout=300"
$apt update && DEBIAN_FRONTEND=noninteractive $apt install --no-install-recommends "$@"
"""
"""No service is started with the packages: Docker's changes how the machine forwards packets."""
_START = """
mkdir -p /etc/docker && mount --bind "$1/trust" /etc/docker || exit
PATH=$PATH:/usr/sbin:/sbin
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
export TMPDIR="$1" # containerd that is slow to end leaves a list of its goroutines
exec setpriv --pdeathsig TERM dockerd --data-root="$1/data" --exec-root="$1/exec" \\
    --host="unix://$1/socket" --pidfile="$1/pid" \\
    --bridge=none --iptables=false --ip6tables=false --userland-proxy=false
"""
"""It ends with us, however we end. The cluster's registry is nothing that proxies lead to."""


def obstacle() -> str:
    """What stands in the way of an engine of our own here; nothing, where nothing does."""
    if os.geteuid() != 0:
        return "only root can start one"
    if not shutil.which("setpriv") or not shutil.which("nsenter"):
        return "setpriv or nsenter is missing (Debian's package util-linux)"
    return ""


def missing() -> list[str]:
    """The packages that building needs and this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM}"
    lacking = {package for name, package in _PROGRAMS.items() if not shutil.which(name, path=path)}
    return sorted(lacking)


def install(packages: list[str], console: Console) -> None:
    """Install packages without starting anything of theirs."""
    console.say(f"installing with apt-get: {' '.join(packages)}")
    with console.working(f"installing {' '.join(packages)}"):
        done = Local().run(script(INSTALL, *packages))
    if not done.ok:
        raise DeployError(
            f"apt-get could not install {' '.join(packages)}: {done.last_words}",
            f"as root: apt-get install --no-install-recommends {sh(*packages)}",
        )
    console.changed(f"installed {' '.join(packages)} on this machine")


@contextmanager
def running(trust: Mapping[str, bytes]) -> Iterator[tuple[str, ...]]:
    """The words before a docker command line by which it speaks with the engine.

    `trust`: the CA certificate of a registry, by its HOST:PORT.
    """
    _PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with scratch(_PREFIX, _PLACE) as place:
        for registry, certificate in trust.items():
            folder = place / "trust/certs.d" / registry
            folder.mkdir(parents=True)
            (folder / "ca.crt").write_bytes(certificate)
        (place / "trust").mkdir(exist_ok=True)
        with _engine(place) as pid:
            yield _entry(place, pid, list(trust))


def _entry(place: Path, pid: int, registries: list[str]) -> tuple[str, ...]:
    """How to get in: the client looks for certificates in /etc/docker, too."""
    hosts = [registry.rpartition(":")[0].strip("[]") for registry in registries]
    direct = ",".join(filter(None, [os.environ.get("no_proxy", ""), *hosts]))
    return (
        "nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", "env",
        f"DOCKER_HOST=unix://{place}/socket", f"no_proxy={direct}", f"NO_PROXY={direct}",
    )  # fmt: skip


@contextmanager
def _engine(place: Path) -> Iterator[int]:
    """Runs an engine while the block does; its process id."""
    ended: list[Result] = []
    line = _start(place)
    thread = threading.Thread(target=lambda: ended.append(Local().run(line)), daemon=True)
    thread.start()
    try:
        yield _answering(place, ended)
    finally:
        with suppress(OSError, ValueError):
            Local().run(sh("kill", int((place / "pid").read_text())))
        thread.join()


def _start(place: Path) -> str:
    words = ("unshare", "--mount", "--propagation=private", "sh", "-c", _START, "sh", place)
    return f"exec {sh(*words)}"


def _answering(place: Path, ended: list[Result]) -> int:
    """Wait until the engine answers; its process id."""
    deadline = time.monotonic() + _PATIENCE
    while not (place / "socket").exists():
        if ended or time.monotonic() > deadline:
            said = ended[0].last_words if ended else f"it did not answer within {_PATIENCE} s"
            raise DeployError(f"a Docker engine for building images does not start: {said}")
        time.sleep(0.1)
    return int((place / "pid").read_text())
