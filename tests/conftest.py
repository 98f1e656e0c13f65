"""Fixtures that more than one package uses, and the marks that come with them."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from dlws.core.connection import Local
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Login, Node
from dlws.shell.quoting import chain, script
from tests import support
from tests.support import ROOT
from tests.support.deploy import Deploy, deploying
from tests.support.dockers import docker
from tests.support.fakes import CONFIG, Fake, World, config_of
from tests.support.farm.fixtures import farm, start_farm
from tests.support.guards import home_without_ssh
from tests.support.invocations import unrecorded
from tests.support.loops import make_disk
from tests.support.mariadb import mariadb
from tests.support.sandboxes import make_sandbox
from tests.support.sshd import Server, serving


def _guarded_home() -> None:
    """Nothing of a developer's ~/.ssh/config may count in a test."""
    place = Path(tempfile.mkdtemp(prefix="dlws-home-"))
    home = home_without_ssh(Path.home(), place)
    if home != place:
        place.rmdir()
    else:
        os.environ["HOME"] = str(home)
        atexit.register(shutil.rmtree, place, ignore_errors=True)


_guarded_home()
# What collecting makes stays to the end: passes of the garbage collector over it are a fifth of it.
gc.disable()
__all__ = ["docker", "farm", "make_disk", "make_sandbox", "mariadb", "start_farm"]


hypothesis.settings.register_profile("dlws", deadline=None)  # no test is timed
hypothesis.settings.load_profile("dlws")

STORIES = ROOT / "tests/stories"
WAIT = {ROOT / "tests/platform/test_outages_minute.py", ROOT / "tests/support/test_forkserver.py"}
"""They wait for most of their time, up to minutes: all others can be done meanwhile."""
MARKS = {"sshd": "sshd", "noisy": "sshd", "start_farm": "farm", "mariadb": "mariadb",
         "docker": "docker"}  # fmt: skip
"""The mark of each test that uses a fixture; what starts the like by itself is marked there."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in set(getattr(item, "fixturenames", ())) & set(MARKS):
            item.add_marker(MARKS[fixture])
        if STORIES in item.path.parents:
            item.add_marker("story")
    if hasattr(config, "workerinput"):  # many files at once: those that take longest come first
        items.sort(key=lambda item: (item.path not in WAIT, STORIES not in item.path.parents))
    else:  # clusters first: they cost something for as long as they are there
        items.sort(key=lambda item: item.get_closest_marker("cluster") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test may start depends on its marks (support.starts), in every run."""
    support.marks = {"test", *(mark.name for mark in item.iter_markers())}


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over thousands of tests no more: they stay to the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The certificate of an authority, as in /etc/kubernetes/pki/ca.crt."""
    place = tmp_path_factory.mktemp("ca")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=t -keyout key -out crt 2>/dev/null"
    assert Local().run(script(chain('cd "$1"', make), place)).ok
    return (place / "crt").read_bytes()


@pytest.fixture
def deploy(sshd: Server, tmp_path: Path) -> Deploy:
    """A cluster of one infra node and three workers, all of them the test's OpenSSH server."""
    return deploying(sshd, tmp_path)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., World]:
    """A world from a configuration and options."""

    def build(text: str = CONFIG, **options: Any) -> World:
        config = config_of(tmp_path, text)
        fakes = {name: Fake(name) for name in config.machines}
        run = unrecorded(directory=tmp_path, **options)
        nodes = [
            Node(machine, str(machine.private_ip), fakes[name], Login(), run)
            for name, machine in config.machines.items()
        ]
        return World(Cluster(config, nodes, run), fakes)

    return build


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with very little room."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """A script that appends a line for its node, then waits for a gate to open."""
    path = tmp_path / "count.sh"
    path.write_text(
        f'echo x >>{tmp_path}/did-"$DLWS_NODE"\n'
        f"while [ ! -e {tmp_path}/gate ]; do sleep 0.05; done\n"
        f'echo "$DLWS_NODE is done"\n'
    )
    return path
