from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.errors import DeployError, UsageError
from dlws.nodes.node import Node
from dlws.nodes.outcomes import Outcome, again, summary
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


@pytest.mark.parametrize(("command", "line"), [
    ("runscriptonall", "carry on with the plan: ./deploy.py --dir /c resume"),
    ("execonall", "plan anew for those: ./deploy.py --dir /c --nodes w1 plan execonall ls"),
])  # fmt: skip
def test_after_an_applied_plan_the_next_line_stays_within_it(command: str, line: str) -> None:
    given, words = (("--dir", "/c"), ("--nodes", "w1,w2")), (command, "ls")
    plan = Plan(("--dir", "/c", "--nodes", "w1,w2", *words), "/", "/c", "", "", "", "")
    options = Options(
        given=given, words=words, command=command, applied_plan=plan, directory=Path("/c")
    )
    assert again(options, ["w1"]) == line
