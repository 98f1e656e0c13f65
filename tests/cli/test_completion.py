"""Names that shells complete: those in the cluster's directory, without asking any node."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from dlws.cli.az.root import az
from dlws.cli.root import cli

CONFIG = """machines:
  i1: {role: [infra, nfs], private-ip: 10.0.0.1}
  gpu1: {role: worker}
  7: {role: worker}
"""
CLUSTER = "machines: {gpu2: {role: worker}}\n"
NAMES = ["infra", "nfs", "worker", "gpu2", "i1", "gpu1", "7"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    return tmp_path


def offered(place: Path, *words: str, begun: str = "") -> list[str]:
    root = az if words == ("start",) else cli
    typed = ["--dir", str(place), *words]
    found = BashComplete(root, {}, "deploy.py", "_X").get_completions(typed, begun)
    return [item.value for item in found]


@pytest.mark.parametrize("words", [
    "connect", "runscriptonroles", "check", "verify", "verify gpu1", "--nodes", "verify --nodes",
    "kubeadm join", "kubeadm reset", "kubernetes cordon", "hosts trust", "mount start",
    "role apply nfs-server", "nfs-server create", "updateworker", "updateworkerinparallel", "start",
])  # fmt: skip
def test_patterns_are_machines_and_their_roles(place: Path, words: str) -> None:
    assert offered(place, *words.split()) == NAMES
    assert offered(place, *words.split(), begun="g") == ["gpu2", "gpu1"]


@pytest.mark.parametrize("words", ["connect worker", "runs why", "runs tail", "sandbox cut"])
def test_a_node_is_a_machine(place: Path, words: str) -> None:
    assert offered(place, *words.split(), begun="g") == ["gpu2", "gpu1"]


@pytest.mark.parametrize(("words", "begun", "found"), [
    ("docker build", "prom", ["prometheus"]),
    ("docker run", "prom", ["prometheus"]),
    ("kubernetes start", "prom", ["prometheus"]),
    ("role apply", "nfs-s", ["nfs-server"]),
    ("up --from", "lab", ["labels"]),
    ("up --only", "lab", ["labels"]),
    ("config explain", "network.dom", ["network.domain"]),
])  # fmt: skip
def test_other_names(place: Path, words: str, begun: str, found: list[str]) -> None:
    assert offered(place, *words.split(), begun=begun) == found


@pytest.mark.parametrize("text", ["a: [", "- x", "machines: [x]", "machines: {a: [1], b: }", "\0"])
def test_a_config_that_is_wrong_is_no_error_while_one_types(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert set(offered(tmp_path, "verify")) <= {"a", "b", "infra", "worker"}


def test_without_a_config_no_name_is_offered(tmp_path: Path) -> None:
    assert offered(tmp_path, "verify") == []
