"""Parts of the installation: what is done on whom, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dlws.install import nodes
from dlws.kubeadm import join
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Node
from dlws.prepare.scripts import SCRIPTS
from dlws.roles import apply
from dlws.scripts import run
from tests.support.clusters import cluster_of, names_of

Done = list[tuple[str, str]]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Done:
    """What was done and on which nodes, in its order."""
    found: Done = []

    def on(name: str) -> Any:
        def note(cluster: Cluster, chosen: Sequence[Node], *_: object) -> None:
            found.append((name, names_of(list(chosen))))

        return note

    monkeypatch.setattr(run, "everywhere", lambda c, chosen, script: on(script.name)(c, chosen))
    monkeypatch.setattr(apply, "apply_all", on("roles"))
    monkeypatch.setattr(join, "join", on("join"))
    monkeypatch.setattr(join, "init", lambda cluster: on("init")(cluster, ()))
    return found


def test_the_control_plane_is_tools_and_init_and_nothing_that_empties_an_etcd(done: Done) -> None:
    nodes.control_plane(cluster_of())
    assert done == [("install_kubeadm.sh", "infra1"), ("init", "")]


def test_workers_are_prepared_and_joined_in_the_order_of_an_installation(done: Done) -> None:
    cluster = cluster_of()
    nodes.workers(cluster, nodes.workers_of(cluster, ()))
    order = [*SCRIPTS, "install_kubeadm.sh", "roles", "join"]
    assert done == [(name, "gpu01 gpu02 gpu03") for name in order]


def test_workers_may_be_named(done: Done) -> None:
    assert names_of(nodes.workers_of(cluster_of(), ["gpu0[2-3]", "infra1"])) == "gpu02 gpu03"
    assert names_of(nodes.workers_of(cluster_of("gpu01"), ())) == "gpu01"
