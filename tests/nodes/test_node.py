from __future__ import annotations

from random import Random

from dlws.config import from_text
from dlws.nodes.node import Login, Node
from tests.support.invocations import unrecorded
from tests.support.simulated import World


def test_contents_are_read_only_where_lines_are_wanted() -> None:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    for diff, questions in ((None, 1), (False, 1), (True, 2)):
        run = unrecorded(dry_run=True) if diff is None else unrecorded(dry_run=True, diff=diff)
        box = World({"10.0.0.1": "i1"}, Random(0), b"").boxes["10.0.0.1"]
        Node(config.machines["i1"], "10.0.0.1", box, Login(), run).put("a\n", "/x")
        assert box.questions == questions
        assert bool(run.gate.actions[0].details) == bool(diff)
