"""Plans of several steps: what an earlier change hides of a later step, and on which nodes."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from pathlib import Path

import pytest

from dlws.cli.plan import nested
from dlws.core.connection import Result
from dlws.install import steps
from dlws.install.pending import PendingSteps
from dlws.nodes import inventory
from dlws.runs.options import Options
from dlws.runs.plan import Plan, Unknown, load
from dlws.session import Session
from tests.support.simulated import SimulatedNode, World, place_key

ALL = {"infra0", "w0", "w1", "w2"}

ROLES = ("infra", "worker", "worker", "worker")


class Cluster:
    """One infra node and three workers, of which some differ from what their scripts make."""

    def __init__(self, directory: Path, differing: set[str]) -> None:
        self.directory, names = directory, ("infra0", "w0", "w1", "w2")
        boxes = {f"127.9.0.{n}": name for n, name in enumerate(names, 1)}
        self.world = World(boxes, random.Random(0), b"")
        self.world.differing = differing
        rows = "".join(
            f"  {name}: {{role: {role}, private-ip: {address}}}\n"
            for (address, name), role in zip(boxes.items(), ROLES, strict=True)
        )
        (directory / "config.yaml").write_text(
            "cluster_name: c\nadmin_username: root\n"
            "kubernetes: {version: 1.20.2, network: bridge, source: packages}\n"
            f"machines:\n{rows}"
        )
        place_key(directory)

    def __call__(self, *words: str, code: int = 0) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            ended, _ = nested(["--dir", str(self.directory), *words])
        assert ended == code, said.getvalue()
        return said.getvalue()

    def plan(self, *steps: str) -> Plan:
        only = [f"--only={step}" for step in steps]
        self("plan", "-o", str(self.directory / "plan"), "up", "onpremise", *only)
        return load(self.directory / "plan")

    def apply(self, code: int = 0) -> str:
        return self("apply", str(self.directory / "plan"), code=code)

    def ran(self, script: str) -> set[str]:
        """The nodes that ran a script so far."""
        return {change.node for change in self.world.changes if script.encode() in change.stdin}


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys, "argv", ["deploy.py"])
    return monkeypatch


def made(patched: pytest.MonkeyPatch, directory: Path, *differing: str) -> Cluster:
    cluster = Cluster(directory, set(differing))
    patched.setattr(inventory, "Ssh", cluster.world.connect)
    return cluster


def test_a_node_with_changes_ahead_hides_later_steps_of_its_own_alone(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = made(patched, tmp_path, "w1")
    planned = cluster.plan("prepare", "tools")
    assert planned.unknown == [Unknown("tools", "prepare is done", ("w1",))]
    assert not cluster.world.changes
    told = cluster.apply()
    assert "the plan is done, and ends here: tools on w1: unknown until prepare is done" in told
    assert cluster.ran("prepare_ubuntu.sh") == ALL
    assert cluster.ran("install_kubeadm.sh") == ALL - {"w1"}
    assert cluster.plan("prepare", "tools").unknown == []
    cluster.apply()
    assert cluster.ran("install_kubeadm.sh") == ALL


def test_what_an_infra_node_has_ahead_hides_all_that_rests_on_it(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = made(patched, tmp_path, "infra0").plan("prepare", "tools", "init", "join")
    assert planned.unknown == [
        Unknown("tools", "prepare is done", ("infra0",)),
        Unknown("init", "tools is done"),
        Unknown("join", "init is done"),
    ]


def test_changes_ahead_on_all_nodes_hide_a_step(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = made(patched, tmp_path, *ALL)
    assert cluster.plan("prepare", "tools").unknown == [Unknown("tools", "prepare is done")]
    assert "the plan is done, and ends here: tools: unknown until prepare" in cluster.apply()
    assert cluster.ran("prepare_ubuntu.sh") == ALL
    assert cluster.ran("install_kubeadm.sh") == set()


def test_a_command_without_steps_leaves_nobody_out(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = made(patched, tmp_path)
    cluster("plan", "-o", str(tmp_path / "plan"), "execonall", "effect")
    assert {action.node for action in load(tmp_path / "plan").actions} == ALL


def test_changes_that_a_step_does_not_build_on_hide_nothing_of_it(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = made(patched, tmp_path).plan("hosts", "prepare", "tools")
    assert {action.place for action in planned.actions if not action.idle} == {"/etc/hosts"}
    assert planned.unknown == []


def test_what_only_reads_is_left_out_of_a_plan_while_any_node_has_changes_ahead(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = made(patched, tmp_path)
    cluster.plan("hosts")
    cluster.apply()
    del cluster.world.boxes["127.9.0.3"].files["/etc/hosts"]
    before = len(cluster.world.changes)
    planned = cluster.plan("hosts", "check")
    assert {action.node for action in planned.actions} == {"w1"}
    assert planned.unknown == [] and len(cluster.world.changes) == before


def test_what_reads_is_left_out_of_a_plan_that_left_out_what_it_sees(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`status` would wait for a worker that this plan could not make one."""
    cluster = made(patched, tmp_path, "w1")
    cluster.plan("prepare", "tools", "status")
    last = len(steps.platform_steps("onpremise"))
    assert f"== step {last}/{last} status" in cluster.apply()
    assert cluster.ran("install_kubeadm.sh") == ALL - {"w1"}


def test_an_applied_plan_goes_on_behind_what_it_did_not_know(tmp_path: Path) -> None:
    unknown = Unknown("hosts", "sshkey is done")
    contract = Plan((), "", "", "", "", "", "", unknown=[unknown])
    session = Session(Options(directory=tmp_path, applied_plan=contract))
    followed = PendingSteps(session)
    known = {step.name: followed.knows(step) for step in steps.platform_steps("onpremise")}
    assert [name for name, there in known.items() if not there] == ["hosts", "check", "status"]
    assert followed.end == unknown


def test_a_worker_with_changes_ahead_hides_nothing_of_the_control_plane(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = made(patched, tmp_path, "w1").plan("prepare", "tools", "init", "join")
    assert [unknown.text() for unknown in planned.unknown] == [
        "tools on w1: unknown until prepare is done",
        "init on w1: unknown until tools is done",
        "kubeconfig, other infra nodes and pod network: unknown until kubeadm init is done",
        "join: unknown until init is done",
    ]


def test_of_a_plan_that_is_resumed_the_nodes_it_left_out_stay_left_out(
    patched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = made(patched, tmp_path, "w1")
    cluster.plan("prepare", "tools")
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(cluster.world, "effect", fails_on_w2)
        assert "w2 is quarantined" in cluster.apply(code=3)
    cluster("resume")
    assert cluster.ran("install_kubeadm.sh") == ALL - {"w1"}


def fails_on_w2(box: SimulatedNode, line: str, given: bytes) -> Result:
    return Result(1) if box.name == "w2" and b"install_kubeadm" in given else Result(0)
