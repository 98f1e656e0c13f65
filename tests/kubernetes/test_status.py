"""What status makes of nodes' answers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlws.cli import cli
from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.core.resources import templates
from dlws.core.text import split_lines
from dlws.kubernetes import api, kubeconfig, status, systempods
from dlws.kubernetes.status import Background, Row
from dlws.shell.quoting import script, sh
from tests.support.fakes import CONFIG, World, config_of
from tests.support.kube import FakeApi

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


def test_stand_ins_are_told_as_such() -> None:
    row = status.parse(ROW, f"stand_ins=1\n{TOLD}", "gpu")
    assert (row.devices, row.problems) == ("2 gpu (stand-ins)", ())


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


def test_what_runs_on_a_node_counts_where_it_says_ready(
    make: Callable[..., World], fake: Callable[..., FakeApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready, exit 0 and silence were told of a node on which no pod could start."""
    world = make()
    for one in world.fakes.values():
        one.rules.append(lambda c, s: Result(0, TOLD.encode()))
    kubeconfig.path(world.cluster).parent.mkdir(parents=True, exist_ok=True)
    kubeconfig.path(world.cluster).touch()
    fake(*(live(node.name) for node in world.cluster.nodes))
    failing = {"worker01": ["pod kube-proxy-x: CrashLoopBackOff"]}
    monkeypatch.setattr(systempods, "of", lambda connected, now: failing)
    rows = {row.node: row for row in status.collect(world.cluster, world.cluster.nodes)}
    assert rows["worker01"].kubernetes.startswith("Ready")
    assert rows["worker01"].problems == ("pod kube-proxy-x: CrashLoopBackOff",)
    assert rows["infra01"].problems == ()


def test_the_script_runs_here() -> None:
    text = (templates() / "kubernetes/status.sh").read_text()
    result = Local().run(script(text))
    assert result.ok and not result.err
    assert "os=" in result.text and "architecture=" in result.text


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A machine's files: the login user is `games`, others are `news` and `mail`."""
    if os.getuid():
        pytest.skip("files of other users take root")
    return tmp_path


def left(place: Path, name: str, pid: str = "1", ended: str = "", user: str = "root") -> Path:
    """A script in the background of a user's."""
    work = place / name
    work.mkdir(parents=True)
    (work / "pid").write_text(f"{pid}\n")
    if ended:
        (work / "exit").write_text(f"{ended}\n")
    for path in (place, work, *work.iterdir()):
        shutil.chown(path, user)
    return work


def background(root: Path) -> list[str]:
    text = (templates() / "kubernetes/status.sh").read_text()
    result = Local().run(f"DLWS_ROOT={sh(root)} {script(text, 'games')}")
    assert result.ok and not result.err
    lines = split_lines(result.text.replace(str(root), ""))
    assert not any(line.startswith("forged=") for line in lines)
    return sorted(line.removeprefix("background=") for line in lines if line[:5] == "backg")


def test_scripts_of_root_and_of_the_login_user_are_seen(kept: Path) -> None:
    left(kept / "var/lib/dlws/background", "a.sh")
    left(kept / "root/.dlws/background", "b", "999999999", "0")
    left(kept / "home/games/.dlws/background", "c_1-2", "999999999", user="games")
    assert background(kept) == [
        "a.sh|1||/var/lib/dlws/background/a.sh/log",
        "b|999999999|0|/root/.dlws/background/b/log",
        "c_1-2|999999999|lost|/home/games/.dlws/background/c_1-2/log",
    ]


def test_what_another_user_writes_is_left_out(kept: Path) -> None:
    """Neither names nor contents nor links have a part in what root says of the machine."""
    others, own = kept / "home/news/.dlws/background", kept / "home/games/.dlws/background"
    left(others, "theirs", user="news")
    left(others, "of_root")
    shutil.chown(others, "news")
    left(own, "mine", user="games")
    for home, link, target in (
        ("mail", ".dlws", kept / "home/games/.dlws"),
        ("list", ".dlws/background", own),
    ):
        path = kept / "home" / home / link
        path.parent.mkdir(parents=True)
        path.symlink_to(target)
    assert background(kept) == ["mine|1||/home/games/.dlws/background/mine/log"]


def test_of_the_login_users_own_nothing_odd_counts(kept: Path) -> None:
    own = kept / "home/games/.dlws/background"
    for name in ("a|b", "c\nforged=1", "d e", "ü"):
        left(own, name, user="games")
    for name, pid in (("several", "1\nforged=1"), ("words", "forged"), ("none", "")):
        left(own, name, pid, user="games")
    (kept / "secret").write_text("7\n")
    linked = left(own, "linked", user="games") / "pid"
    linked.unlink()
    linked.symlink_to(kept / "secret")
    shutil.chown(left(own, "foreign", user="games") / "pid", "news")
    left(own, "ended", "1", "0|x", user="games")
    assert background(kept) == ["ended|1||/home/games/.dlws/background/ended/log"]


@pytest.mark.parametrize(
    "value",
    ["a|b|1||/l", "a|1|0", "a|x|0|/l", "a|1|0|/a|b", "a b|1|0|/l", "a|1|0|l", "|||", "a|1|no|/l"],
)
def test_a_background_script_that_makes_no_sense_is_left_out(value: str) -> None:
    row = status.parse(ROW, f"background={value}\n{TOLD}")
    assert [job.name for job in row.background] == ["npu_info_gen.py"] and row.problems == ()


def test_no_value_blows_up_the_table() -> None:
    row = status.parse(ROW, f"os={'x' * 1_000_000}\n" + "background=a|1||/x\n" * 1000)
    assert len(status.plain([row])) < 2000 and len(row.background) == 100


def test_an_error_without_words_is_no_line() -> None:
    assert status.with_kubernetes(ROW, None, "").problems == ()


def test_display_shows_nodes_by_role(tmp_path: Path) -> None:
    config_of(tmp_path, CONFIG)
    result = CliRunner().invoke(cli, ["--dir", str(tmp_path), "display", "--output", "json"])
    told = json.loads(result.stdout)
    assert [node["name"] for node in told["worker"]] == ["worker01", "worker02"]
    assert told["infrastructure"][0]["address"] == "10.1.0.1"
