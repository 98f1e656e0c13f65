"""What status makes of nodes' answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from dlws.cli import cli
from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.core.resources import templates
from dlws.kubernetes import api, status
from dlws.kubernetes.status import Background, Row
from dlws.shell.quoting import script
from tests.support.fakes import CONFIG, World, config_of

ROW = Row("worker01", ("worker",), "10.1.0.11")
TOLD = """os=Debian GNU/Linux 12 (bookworm)
architecture=aarch64
runtime=containerd active
kubelet=active
gpu=nvidia0
gpu=nvidia1
pci_gpu=10DE:20B0
background=npu_info_gen.py|4711||/var/lib/dlws/background/npu_info_gen.py/log
"""


def live(name: str, ready: bool = True, cordoned: bool = False) -> api.KubeNode:
    return api.KubeNode(name, {}, (), cordoned, ready, "network plugin is not ready", "v1.20.2")


def test_a_healthy_node() -> None:
    row = status.parse(ROW, TOLD, "gpu")
    assert (row.reachable, row.architecture, row.devices) == (True, "arm64", "2 gpu")
    assert row.problems == ()
    assert row.background[0].name == "npu_info_gen.py"


def test_devices_without_a_driver_are_told_apart() -> None:
    row = status.parse(ROW, "pci_npu=19E5:D801\npci_npu=19E5:D801\n", "npu")
    assert row.devices == "2 npu (no driver)"
    assert row.problems == ("no npu device",)


def test_a_failed_kubelet_is_a_problem() -> None:
    assert status.parse(ROW, "kubelet=failed\n").problems == ("kubelet failed",)


@pytest.mark.parametrize(("ended", "bad"), [("", False), ("0", False), ("1", True), ("lost", True)])
def test_background_scripts_that_failed_are_a_problem(ended: str, bad: bool) -> None:
    row = status.parse(ROW, f"background=a|1|{ended}|/log\n")
    assert bool(row.problems) is bad
    assert status.jobs([row])[0].startswith("worker01: a " + ("ended" if ended else "running"))


def test_kubernetes_readiness() -> None:
    ready = status.with_kubernetes(ROW, {"worker01": live("worker01", cordoned=True)}, "")
    assert (ready.kubernetes, ready.problems) == ("Ready, cordoned v1.20.2", ())
    ill = status.with_kubernetes(ROW, {"worker01": live("worker01", ready=False)}, "")
    assert ill.problems == ("NotReady: network plugin is not ready",)
    assert status.with_kubernetes(ROW, {}, "").problems == ("not joined",)
    assert status.with_kubernetes(ROW, None, "no answer\nat all").problems == ("no answer",)


def test_a_file_server_has_no_part_in_kubernetes() -> None:
    row = Row("nfs1", ("nfs",), "10.1.0.20")
    assert status.with_kubernetes(row, {}, "") == row


def test_plain_table_is_aligned() -> None:
    head, line = status.plain([ROW]).splitlines()
    assert head.index("ADDRESS") == line.index("10.1.0.11")


def test_json_is_whole() -> None:
    row = Row("a", ("worker",), "x", problems=("ill",), background=(Background("b", "1", "", "l"),))
    told = json.loads(status.as_json([ROW, row]))
    assert told["healthy"] is False
    assert told["nodes"][1]["background"] == [{"name": "b", "pid": "1", "ended": "", "log": "l"}]


def test_one_read_per_node_and_dead_ones_are_rows(make: Callable[..., World]) -> None:
    world = make()

    def dead(command: str, stdin: bytes) -> Result:
        raise DeployError("10.1.0.12 does not answer")

    for name in ("infra01", "worker01"):
        world.fakes[name].rules.append(lambda c, s: Result(0, TOLD.encode()))
    world.fakes["worker02"].rules.append(dead)
    rows = {row.node: row for row in status.collect(world.cluster, world.cluster.nodes)}
    assert rows["worker02"].reachable is False
    assert rows["worker02"].problems[0] == "10.1.0.12 does not answer"
    assert rows["infra01"].reachable is True
    assert all(len(fake.asked) == 1 for fake in world.fakes.values())


def test_the_script_runs_here() -> None:
    text = (templates() / "kubernetes/status.sh").read_text()
    result = Local().run(script(text))
    assert result.ok and not result.err
    assert "os=" in result.text and "architecture=" in result.text


def test_display_shows_nodes_by_role(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    config_of(tmp_path, CONFIG)
    result = CliRunner().invoke(cli, ["--dir", str(tmp_path), "display", "--output", "json"])
    told = json.loads(result.stdout)
    assert [node["name"] for node in told["worker"]] == ["worker01", "worker02"]
    assert told["infrastructure"][0]["address"] == "10.1.0.1"
