"""A Docker engine and a registry for tests: private ones, in a temporary directory."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from dlws.core.localfiles import scratch
from tests.support.guards import with_us
from tests.support.program import daemon
from tests.support.sshd import free_port

USER, PASSWORD = "pusher", 'it\'s "#1"; $x [a]? 100% \\ü'
_KINDS = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def program(name: str) -> str:
    return daemon(name, "docker.io and docker-registry")


@dataclass
class Docker:
    """An engine, by its socket, and a registry on 127.0.0.1 that lets USER in."""

    host: str
    registry: str
    log: Path
    """What the registry was asked for."""

    def writes(self) -> int:
        """How many requests the registry has got that would change what it has."""
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(f'"{verb} /v2/' in line for line in lines for verb in ("PUT", "POST", "PATCH"))

    def get(self, path: str) -> bytes:
        """What the registry answers; nothing where it has none."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Accept": ", ".join(_KINDS)}
        request = urllib.request.Request(f"http://{self.registry}/v2/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 404, error
            return b""

    def manifest(self, name: str, tag: str) -> dict[str, Any]:
        return dict(json.loads(self.get(f"{name}/manifests/{tag}") or b"{}"))

    def files(self, name: str, tag: str) -> dict[str, bytes]:
        """The files of an image that the registry has, by name."""
        found: dict[str, bytes] = {}
        for layer in self.manifest(name, tag)["layers"]:
            data = gzip.decompress(self.get(f"{name}/blobs/{layer['digest']}"))
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive.getmembers():
                    if content := archive.extractfile(member):
                        found[member.name] = content.read()
        return found

    def label(self, name: str, tag: str) -> str:
        """The label with the hash of what an image in the registry was built from."""
        config = self.manifest(name, tag)["config"]["digest"]
        labels = json.loads(self.get(f"{name}/blobs/{config}"))["config"]["Labels"]
        return str(labels["dlws.context"])


@contextmanager
def running(line: list[str], place: Path, ready: Callable[[], bool]) -> Iterator[None]:
    with place.open("wb") as log:
        own = {**os.environ, "TMPDIR": str(place.parent)}  # where containerd leaves what it did
        process = subprocess.Popen(
            with_us(line), env=own, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while not ready():
            said = place.read_text(errors="replace")[-2000:]
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def disk(place: Path, size: str) -> Iterator[None]:
    """A disk of its own for a directory, in memory."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 401
    except OSError:
        return False
    return True


@contextmanager
def engine(*options: str, size: str = "") -> Iterator[str]:
    """A new engine without networks of its own, by its address; no trace of it is left.

    `size` is that of the disk on which it keeps its images."""
    with scratch("dlws-test-engine-", Path("/tmp")) as place:  # short, for its socket's path
        room = disk(place / "data", size) if size else nullcontext()
        line = [program("dockerd"), f"--data-root={place}/data", f"--exec-root={place}/exec",
                f"--host=unix://{place}/sock", f"--pidfile={place}/pid", "--bridge=none",
                "--iptables=false", "--ip6tables=false", *options]  # fmt: skip
        try:
            with room, running(line, place / "engine.log", (place / "sock").exists):
                yield f"unix://{place}/sock"
        finally:
            _unmount(place)


@contextmanager
def registry(place: Path) -> Iterator[str]:
    """A registry that lets USER in and keeps what it has in `place`/data; its HOST:PORT."""
    server, port = program("docker-registry"), free_port()
    secret = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (place / "users").write_text(f"{USER}:{secret}\n")
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(place / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "test", "path": str(place / "users")}},
    }
    (place / "registry.yml").write_text(json.dumps(settings))
    line = [server, "serve", str(place / "registry.yml")]
    with running(line, place / "log", lambda: _answers(port)):
        yield f"127.0.0.1:{port}"


@contextmanager
def serving() -> Iterator[Docker]:
    """A new engine, and a new registry that lets USER in."""
    program("dockerd")
    with (
        scratch("dlws-test-registry-") as place,
        registry(place) as name,
        engine() as host,
    ):
        yield Docker(host, name, place / "log")


def _unmount(place: Path) -> None:
    """An engine leaves its network namespace mounted, and its data directory on itself."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for mount in sorted((line.split()[1] for line in lines), reverse=True):
        if mount.startswith(f"{place}/"):
            subprocess.run(["umount", "-l", mount], check=True)


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    with serving() as found:
        yield found
