"""The node scripts and the runtime's configuration on real nodes, twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.config import load
from dlws.core.connection import Local
from dlws.nodes.node import Node
from dlws.prepare import runtime
from dlws.runs.console import Console
from dlws.runs.options import Options
from dlws.sandbox import lifecycle
from dlws.scripts import run
from dlws.scripts.script import find
from dlws.session import Session
from dlws.shell.quoting import sh
from tests.support import ROOT

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=["bookworm", "trixie"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """A node whose packages come from apt; its sandbox is gone afterwards."""
    lifecycle.up(tmp_path, lifecycle.Request(infra=1, workers=0, os=request.param), Console())
    try:
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text().replace("source: bundle", "source: packages"))
        for command in ("build", "sshkey install"):
            line = sh(ROOT / "deploy.py", "--dir", tmp_path, *command.split())
            done = Local().run(line)
            assert done.ok, done.complaint
        yield Session(Options(directory=tmp_path)).cluster.nodes[0]
    finally:
        lifecycle.down(tmp_path, Console())


def test_a_second_run_changes_nothing(node: Node, tmp_path: Path) -> None:
    config = load(tmp_path)
    config = config.model_copy(update={"container_runtime": "containerd"})
    names = ("prepare_ubuntu", "disable_kernel_auto_updates", "docker_network_gc_setup", "dns")
    for name in names:
        found = find(str(ROOT / f"scripts/{name}.sh"))
        run.run(node, config, found, sudo=True)
        again = run.run(node, config, found, sudo=True)
        assert again.text.splitlines()[-1] == "nothing to do"
    assert runtime.configure(node, config)
    assert not runtime.configure(node, config)
    assert node.read("systemctl is-active containerd").text == "active"
