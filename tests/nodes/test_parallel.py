"""When enough has failed: the arithmetic, and which nodes were really asked."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from dlws.config import from_text
from dlws.core.errors import DeployError, EndOfPlan, ReaderGone, Refused, SomeNodesFailed
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Login, Node
from dlws.runs.limits import MaxFailures
from tests.support.clusters import cluster_of
from tests.support.deploy import Deploy
from tests.support.fakes import Fake
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm
from tests.support.invocations import unrecorded


def cluster(tmp_path: Path, infra: int, workers: int, **options: Any) -> Cluster:
    names = [f"i{n}" for n in range(1, infra + 1)] + [f"w{n}" for n in range(1, workers + 1)]
    rows = "".join(
        f"  {name}: {{role: {'infrastructure' if name[0] == 'i' else 'worker'}, "
        f"private-ip: 10.0.0.{number}}}\n"
        for number, name in enumerate(names, 1)
    )
    config = from_text(f"cluster_name: t\nnetwork: {{domain: x.example}}\nmachines:\n{rows}")
    (tmp_path / "deploy/sshkey").mkdir(parents=True)
    (tmp_path / "deploy/sshkey/admin.conf").touch()
    run = unrecorded(directory=tmp_path, **options)
    nodes = [Node(m, str(m.private_ip), Fake(), Login(), run) for m in config.machines.values()]
    return Cluster(config, nodes, run)


def failing(names: str, asked: list[str]) -> Callable[[Node], None]:
    def action(node: Node) -> None:
        asked.append(node.name)
        if node.name in names.split():
            raise DeployError("ill")

    return action


def test_of_five_infra_nodes_two_at_a_time_and_all_workers(tmp_path: Path) -> None:
    made = cluster(tmp_path, 5, 3)
    two, workers, mutex = threading.Barrier(2), threading.Barrier(3), threading.Lock()
    running, most = set[str](), list[int]()

    def action(node: Node) -> None:
        if node.name.startswith("w"):
            workers.wait(20)  # they do not wait for the infra nodes
            return
        with mutex:
            running.add(node.name)
            most.append(len(running))
        if node.name != "i5":
            two.wait(20)
        with mutex:
            running.discard(node.name)

    made.change_all(made.nodes, action, protect_quorum=True)
    assert max(most) == 2


def test_a_failure_before_counts_in_what_comes_after(tmp_path: Path) -> None:
    made, asked = cluster(tmp_path, 3, 1), list[str]()
    with pytest.raises(SomeNodesFailed):
        made.change_all(made.nodes, failing("i2", asked), protect_quorum=True)
    again = made.try_all(made.nodes, failing("", asked := []), protect_quorum=True)
    assert sorted(asked) == ["i2", "w1"]
    assert [outcome.skipped for outcome in again] == [True, False, True, False]


def test_a_share_is_that_of_all_that_were_chosen(tmp_path: Path) -> None:
    made, asked = cluster(tmp_path, 1, 9, max_failures=MaxFailures(20, True)), list[str]()
    chosen = made.select()
    made.read_all(chosen, lambda node: None)
    for nodes in (chosen[8:], chosen):  # two of the last two are two of ten
        with pytest.raises(DeployError):
            made.change_all(nodes, failing("w8 w9", asked))
    assert len(asked) == 12


def infra(farm: Farm, number: int, made: bool = True) -> Deploy:
    """A cluster on a farm whose first hosts are infra nodes."""
    place = directory(farm, settings="  connect_timeout: 2\n")
    config = (place / "config.yaml").read_text()
    for host in farm.hosts[:number]:
        config = config.replace(f"{host.name}: {{role: worker", f"{host.name}: {{role: infra")
    (place / "config.yaml").write_text(config)
    if made:
        (place / "deploy/sshkey/admin.conf").touch()
    (farm.directory / "job.sh").write_text('touch did-"$DLWS_NODE"\n')
    return Deploy(place)


def asked(farm: Farm) -> list[str]:
    """The hosts that were sent anything but what concerns the lock."""
    received = [one for one in farm.received() if "/var/lib/dlws/lock" not in one.command]
    return sorted({one.host for one in received})


@pytest.mark.parametrize(("ill", "tried"), [
    (1, "node001 node004 node005"), (2, "node001 node002 node004 node005"),
    (3, "node001 node002 node003 node004 node005"),
])  # fmt: skip
def test_after_one_of_three_infra_nodes_failed_no_further_one_is_asked(
    start_farm: StartFarm, ill: int, tried: str
) -> None:
    farm = start_farm(5, faults={ill: "exit"})
    told = infra(farm, 3)("runscriptonall", f"{farm.directory}/job.sh", code=3).stderr
    assert asked(farm) == tried.split()
    assert ("one more failure could cost etcd its majority" in told) == (ill < 3)
    assert f"1 node: node00{ill}: exit 7" in told


def test_what_cannot_hurt_reaches_all(start_farm: StartFarm) -> None:
    farm = start_farm(4, faults={1: "exit"})
    infra(farm, 3)("execonall", "true", code=3)
    assert len(asked(farm)) == 4


def test_before_there_is_a_cluster_there_is_nothing_to_lose(start_farm: StartFarm) -> None:
    farm = start_farm(4, faults={1: "exit"})
    infra(farm, 3, made=False)("runscriptonall", f"{farm.directory}/job.sh", code=3)
    assert len(asked(farm)) == 4


def test_those_not_tried_are_told_apart_and_retried_with_the_rest(start_farm: StartFarm) -> None:
    farm = start_farm(5, faults={2: "exit"})
    deploy = infra(farm, 3)
    told = deploy("runscriptonall", f"{farm.directory}/job.sh", code=3).stderr
    assert "failed on 1 of 5 nodes\n  1 node: node002: exit 7" in told
    assert "\n  not tried: 1 node: node003: one more failure" in told
    words = shlex.split(told.split("retry just those: ")[1].splitlines()[0])
    assert words[words.index("--nodes") + 1] == "node[002-003]"
    assert "failed: node002  not tried: node003" in deploy("runs", "list").stdout
    assert "not tried job.sh: one more" in deploy("runs", "show").stdout
    assert deploy("runs", "why", "node003").stdout.startswith("not tried: job.sh: one more")
    assert '<h2>node003 <span class="skipped">' in deploy("runs", "report").stdout
    suite = ElementTree.fromstring(deploy("runs", "report", "--junit").stdout)
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("1", "1")
    assert len(list(suite.iter("skipped"))) == len(list(suite.iter("failure"))) == 1
    before = len(farm.received())
    deploy("--retry-failed", "execonall", "true", code=3)
    assert {one.host for one in farm.received()[before:]} == {"node002", "node003"}


@pytest.mark.parametrize(("ill", "limit", "reached", "code"), [
    ([2, 3, 5], "1", 3, 3),
    ([2, 3, 5], "2", 5, 3),
    ([2, 3, 5], "3", 6, 3),
    ([2], "0", 2, 3),
    ([1], "0", 1, 1),
    ([1, 2], "16%", 1, 1),  # a sixth is more
    ([1, 2], "17%", 2, 1),
    ([2], "0%", 2, 3),
    ([1, 2, 3, 4, 5], "100%", 6, 3),
])  # fmt: skip
def test_no_further_node_is_begun_once_more_have_failed(
    start_farm: StartFarm, ill: list[int], limit: str, reached: int, code: int
) -> None:
    farm = start_farm(6, "fake", faults=dict.fromkeys(ill, "exit"))
    line = ("--parallel", "1", "--max-failures", limit, "execonall", "true")
    told = infra(farm, 1)(*line, code=code).stderr
    assert asked(farm) == [f"node{n:03}" for n in range(1, reached + 1)]
    assert (f"more nodes failed than --max-failures {limit} allows" in told) == (reached < 6)


def test_a_limit_that_is_none_is_a_usage_error(start_farm: StartFarm) -> None:
    told = infra(start_farm(1, "fake"), 1)("--max-failures", "x", "execonall", "true", code=2)
    assert "--max-failures 10%" in told.stderr


def test_all_run_though_some_fail() -> None:
    ran = []

    def action(node: Node) -> str:
        ran.append(node.name)
        if node.name.startswith("gpu"):
            raise DeployError(f"{node.address} is ill", f"heal {node.address}")
        return "fine"

    with pytest.raises(SomeNodesFailed) as caught:
        cluster_of().change_all(cluster_of().nodes, action)
    assert len(ran) == 4
    assert "failed on 3 of 4 nodes" in caught.value.message
    assert "3 nodes: gpu[01-03]: it is ill\n    cure: heal ADDRESS" in caught.value.message


def test_one_at_a_time_where_asked() -> None:
    at_once, most = threading.Semaphore(1), []

    def action(node: Node) -> None:
        most.append(at_once.acquire(blocking=False))
        at_once.release()

    cluster = cluster_of(parallel=1)
    cluster.change_all(cluster.nodes, action)
    assert most == [True] * 4


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("by\nzero"), ValueError("x" * 9999), RecursionError(), KeyError("k")],
)
def test_what_nobody_foresaw_on_one_node_leaves_the_others_their_outcome(error: Exception) -> None:
    def action(node: Node) -> int:
        if node is made.nodes[1]:
            raise error
        return 5

    made = cluster_of()
    first, second, *others = made.try_all(made.nodes, action)
    assert {outcome.value for outcome in (first, *others)} == {5}
    assert second.error and second.error.code == 1
    says = second.error.message
    assert says.startswith(f"its answer cannot be understood: {type(error).__name__}: ")
    assert "(at nodes/" in says and len(says) < 500 and "\n" not in says
    assert "defect of dlws" in second.error.cure


def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    cluster = cluster_of()
    outcomes = cluster.try_all(cluster.nodes, lambda node: gone.read_bytes())
    assert {str(outcome.error) for outcome in outcomes} == {f"{gone}: No such file or directory"}


@pytest.mark.parametrize(
    "error", [Refused("no"), EndOfPlan("here"), ReaderGone(), BrokenPipeError(), click.Abort()]
)
def test_what_ends_the_run_is_no_nodes_failure(error: Exception) -> None:
    def action(node: Node) -> None:
        raise error

    with pytest.raises(type(error)):
        cluster_of().try_all(cluster_of().nodes, action)


def test_what_a_quick_node_says_is_held_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen on a busy machine: a node spoke before this program had begun to gather."""
    made = cluster(tmp_path, 1, 2)

    class AtOnce(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            done: Future[Any] = super().submit(fn, *args, **kwargs)
            wait([done])
            return done

    monkeypatch.setattr("dlws.nodes.cluster.ThreadPoolExecutor", AtOnce)
    made.change_all(made.nodes, lambda node: node.say("hello"), "greet")
    assert capsys.readouterr().err.splitlines() == ["3 nodes i1,w[1-2]: hello"]
