from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.nodes.node import Login, Node
from tests.support.invocations import unrecorded
from tests.support.private import Inside


@pytest.fixture
def node(tmp_path: Path) -> Node:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    return Node(
        config.machines["i1"], "10.0.0.1", Inside(tmp_path / "state"), Login(), unrecorded()
    )
