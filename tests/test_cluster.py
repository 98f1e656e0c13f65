"""Choosing nodes, doing the same on many, and what is said of those that failed."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.core.connection import KEEP, Echo, Result, Stdin
from dlws.core.errors import DeployError, SomeNodesFailed, UsageError
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Login, Node
from dlws.nodes.outcomes import Outcome, again, retry_line, summary
from dlws.runs.options import Options
from dlws.runs.plan import Plan
from tests.support.invocations import unrecorded

TEXT = """
cluster_name: test
network: {domain: test.example}
machines:
  infra1: {role: infrastructure, private-ip: 10.0.0.1}
  gpu01: {role: worker, private-ip: 10.0.0.11}
  gpu02: {role: [worker, nfs], private-ip: 10.0.0.12}
  gpu03: {role: worker, private-ip: 10.0.0.13}
"""


class Silent:
    """A connection that answers every command with nothing."""

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        return Result(0)

    def close(self) -> None:
        pass


def make(*nodes: str, parallel: int = 32) -> Cluster:
    config, run = from_text(TEXT), unrecorded(nodes=nodes, parallel=parallel)
    found = [
        Node(machine, str(machine.private_ip), Silent(), Login(), run)
        for machine in config.machines.values()
    ]
    return Cluster(config, found, run)


def names(nodes: list[Node]) -> str:
    return " ".join(node.name for node in nodes)


@pytest.mark.parametrize(("patterns", "limit", "chosen"), [
    ([], [], "infra1 gpu01 gpu02 gpu03"),
    (["gpu[02-03]"], [], "gpu02 gpu03"),
    (["worker"], ["nfs"], "gpu02"),
    (["gpu03", "gpu01"], [], "gpu01 gpu03"),
    (["infra,gpu0[1,3]"], ["re:3$"], "gpu03"),
    (["*.test.example"], [], "infra1 gpu01 gpu02 gpu03"),
    (["infra1"], ["worker"], ""),
    (["worker!gpu02"], [], "gpu01 gpu03"),
    (["@all!@infra"], ["@worker&re:[13]$"], "gpu01 gpu03"),
])  # fmt: skip
def test_select(patterns: list[str], limit: list[str], chosen: str) -> None:
    assert names(make(*limit).select(patterns)) == chosen


@pytest.mark.parametrize("pattern", ["gpu9", "gpu[07-09]", "samba", "$(x)", "re:^nobody$", "GPU01"])
def test_a_pattern_without_nodes_is_a_usage_error(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        make().select([pattern])
    assert "gpu[01-03],infra1" in caught.value.cure


def test_a_regular_expression_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="regular expression"):
        make().select(["re:("])
    assert names(make().select(["re:^gpu0{1,2}[13]$"])) == "gpu01 gpu03"


def test_a_range_without_end_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="too many names"):
        make().select(["gpu[1-99999999999]"])


def test_pick_by_index_and_name() -> None:
    cluster = make()
    assert cluster.pick("worker", "0").name == "gpu01"
    assert cluster.pick("master", "infra1.test.example").name == "infra1"
    assert cluster.pick("gpu02", "0").name == "gpu02"
    for which in ("3", "infra1", "", "-1"):
        with pytest.raises(UsageError, match="there is no worker"):
            cluster.pick("worker", which)


def test_known_words() -> None:
    cluster = make()
    assert all(map(cluster.knows, ["infra", "master", "samba", "gpu01", "gpu01.test.example"]))
    assert not any(map(cluster.knows, ["gpu", "gpu*", "./worker", ""]))


def test_all_run_though_some_fail() -> None:
    ran = []

    def action(node: Node) -> str:
        ran.append(node.name)
        if node.name.startswith("gpu"):
            raise DeployError(f"{node.address} is ill", f"heal {node.address}")
        return "fine"

    with pytest.raises(SomeNodesFailed) as caught:
        make().change_all(make().nodes, action)
    assert len(ran) == 4
    assert "failed on 3 of 4 nodes" in caught.value.message
    assert "3 nodes: gpu[01-03]: it is ill\n    cure: heal ADDRESS" in caught.value.message


def test_one_at_a_time_where_asked() -> None:
    at_once, most = threading.Semaphore(1), []

    def action(node: Node) -> None:
        most.append(at_once.acquire(blocking=False))
        at_once.release()

    cluster = make(parallel=1)
    cluster.change_all(cluster.nodes, action)
    assert most == [True] * 4


def test_what_is_wrong_for_all_is_a_usage_error() -> None:
    def action(node: Node) -> None:
        raise UsageError("the key is readable for others", "chmod")

    with pytest.raises(UsageError, match="4 nodes: gpu"):
        make().change_all(make().nodes, action)


def test_a_defect_is_no_nodes_failure() -> None:
    def action(node: Node) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make().try_all(make().nodes, action)


def test_an_address_is_replaced_as_a_whole() -> None:
    node = make().nodes[0]
    error = DeployError("10.0.0.1:22 and 10.0.0.12 and 110.0.0.1 and 10.0.0.1.")
    assert summary([Outcome(node, error=error)]) == [
        "1 node: infra1: it:22 and 10.0.0.12 and 110.0.0.1 and it."
    ]


@pytest.mark.parametrize(("line", "again"), [
    ("d execonall true", "d --nodes 'w[1-2]' execonall true"),
    ("d --nodes x --nodes=y execonall true", "d --nodes 'w[1-2]' execonall true"),
    ("d --dir 'a b' -y --parallel 3 --archtype arm64 execonall --nodes x",
     "d --nodes 'w[1-2]' --dir 'a b' -y --parallel 3 --archtype arm64 execonall --nodes x"),
    ("d --dir=x --sudo execonall 'a b' '$(x)'",
     "d --nodes 'w[1-2]' --dir=x --sudo execonall 'a b' '$(x)'"),
])  # fmt: skip
def test_the_retry_line_keeps_everything_but_the_nodes(line: str, again: str) -> None:
    assert retry_line(shlex.split(line), ["w1", "w2"]) == again


def test_the_deploy_directory_is_beside_config_yaml() -> None:
    assert make().deploy == Path.cwd() / "deploy"


@pytest.mark.parametrize(("command", "line"), [
    ("runscriptonall", "carry on with the plan: ./deploy.py --dir /c resume"),
    ("execonall", "plan anew for those: ./deploy.py plan --nodes w1 --dir /c execonall ls"),
])  # fmt: skip
def test_after_an_applied_plan_the_next_line_stays_within_it(command: str, line: str) -> None:
    words = ("--dir", "/c", "--nodes", "w1,w2", command, "ls")
    plan = Plan(words, "/", "/c", "", "", "", "")
    options = Options(command=command, applied_plan=plan, directory=Path("/c"))
    assert again(options, ["w1"]) == line
