"""What is contacted: Resource Manager and the login server of the cloud, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.arm.cluster import Site
from tests.support.arm.outlet import SEALED, Outlet, outlet

ARM, LOGIN = "arm.dlws.test", "login.dlws.test"


def sealed(site: Site, way: Outlet, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run az_tools.py as a process that reaches the proxy alone."""
    program = place / "sealed.py"
    program.write_text(SEALED)
    own = {"HTTPS_PROXY": way.url, "HTTP_PROXY": way.url, "NO_PROXY": "", "TRIED": f"{place}/tried",
           "ONLY_PORT": str(way.server_address[1]), "PYTHONPATH": str(ROOT)}  # fmt: skip
    line = [sys.executable, str(program), "--dir", str(site.directory), *words]
    return subprocess.run(line, env={**os.environ, **own}, capture_output=True, text=True,
                          timeout=300, check=False)  # fmt: skip


@pytest.fixture
def far(site: Site) -> Iterator[Site]:
    """A cluster whose cloud has names that nobody but the proxy knows."""
    base = site.arm.base
    site.change(f"resource_manager: '{base}'", f"resource_manager: 'https://{ARM}'")
    site.change(f"authority: '{base}'", f"authority: 'https://{LOGIN}'")
    site.arm.base = f"https://{ARM}"
    yield site
    site.arm.base = base


def test_a_run_whose_only_way_out_is_a_proxy_finishes(far: Site, tmp_path: Path) -> None:
    port = int(far.local.server.server_address[1])
    with outlet({ARM: port, LOGIN: port}) as way:
        for words in (["create"], ["list"]):
            done = sealed(far, way, tmp_path, *words)
            assert done.returncode == 0, done.stderr
        assert set(way.asked) == {f"{ARM}:443", f"{LOGIN}:443"}
    assert not (tmp_path / "tried").exists()
    assert "atlas-worker02" in done.stdout


def test_a_probe_of_the_metadata_address_would_be_seen(far: Site, tmp_path: Path) -> None:
    far.change("subscription: test", "subscription: test, auth: managed-identity")
    with outlet({}) as way:
        done = sealed(far, way, tmp_path, "list")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    tried = (tmp_path / "tried").read_text() if (tmp_path / "tried").exists() else ""
    assert "169.254.169.254" in tried + " ".join(way.asked)
    assert not far.arm.asked
