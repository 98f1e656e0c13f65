from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dlws.core.errors import DeployError, UsageError
from dlws.nodes.node import Node
from dlws.nodes.outcomes import Outcome, again, retry_line, summary
from dlws.runs.options import Options
from dlws.runs.plan import Plan
from tests.support.clusters import cluster_of


def test_what_is_wrong_for_all_is_a_usage_error() -> None:
    def action(node: Node) -> None:
        raise UsageError("the key is readable for others", "chmod")

    with pytest.raises(UsageError, match="4 nodes: gpu"):
        cluster_of().change_all(cluster_of().nodes, action)


def test_an_address_is_replaced_as_a_whole() -> None:
    node = cluster_of().nodes[0]
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


@pytest.mark.parametrize(("command", "line"), [
    ("runscriptonall", "carry on with the plan: ./deploy.py --dir /c resume"),
    ("execonall", "plan anew for those: ./deploy.py plan --nodes w1 --dir /c execonall ls"),
])  # fmt: skip
def test_after_an_applied_plan_the_next_line_stays_within_it(command: str, line: str) -> None:
    words = ("--dir", "/c", "--nodes", "w1,w2", command, "ls")
    plan = Plan(words, "/", "/c", "", "", "", "")
    options = Options(command=command, applied_plan=plan, directory=Path("/c"))
    assert again(options, ["w1"]) == line
