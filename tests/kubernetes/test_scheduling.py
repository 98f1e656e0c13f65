"""Cordon, uncordon, and the taints of control-plane nodes: one patch for each node that differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dlws.core.errors import DeployError
from dlws.kubernetes import scheduling
from tests.support.fakes import CONFIG, Make
from tests.support.kube import FakeApi, live

MASTER = {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}
CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
OTHER = {"key": "theirs", "effect": "NoExecute"}
NAMES = ("infra01", "worker01", "worker02")
Fake = Callable[..., FakeApi]


def taints(seen: FakeApi) -> dict[str, Any]:
    """The taints that each patched node is given; those that it had are tested before."""
    for name, patch in seen.patches.items():
        had = [{"op": "test", "path": "/spec/taints", "value": list(seen.live[name].taints)}]
        assert patch[:-1] == (had if seen.live[name].taints else [])
        assert patch[-1]["path"] == "/spec/taints"
    return {name: patch[-1]["value"] for name, patch in seen.patches.items()}


def cordoned(there: bool) -> list[dict[str, Any]]:
    return [{"op": "add", "path": "/spec/unschedulable", "value": there}]


def test_cordon_and_uncordon(make: Make, fake: Fake) -> None:
    cluster, seen = make().cluster, fake(*map(live, NAMES))
    scheduling.cordon(cluster, cluster.nodes[1:2])
    assert seen.patches == {"worker01": cordoned(True)}
    seen.patches.clear()
    scheduling.uncordon(cluster, cluster.nodes)
    assert seen.patches == {}


def test_who_is_not_in_the_cluster_is_named_and_nobody_is_changed(make: Make, fake: Fake) -> None:
    cluster, seen = make().cluster, fake(live("infra01"))
    with pytest.raises(DeployError, match=r"^worker\[01-02\]: not in the cluster") as caught:
        scheduling.cordon(cluster, cluster.nodes)
    assert "kubeadm join" in caught.value.cure
    assert seen.patches == {}


def test_a_dry_run_patches_nobody(make: Make, fake: Fake) -> None:
    cluster, seen = make(dry_run=True).cluster, fake(*map(live, NAMES))
    scheduling.cordon(cluster, cluster.nodes)
    assert seen.patches == {}
    assert [action.node for action in cluster.run.gate.actions] == list(NAMES)


@pytest.mark.parametrize(("version", "wanted"), [
    ("1.20.2", [MASTER]), ("1.24.3", [MASTER, CONTROL_PLANE]), ("1.30.4", [CONTROL_PLANE]),
])  # fmt: skip
def test_the_taints_of_each_release_are_on_control_plane_nodes_and_no_others(
    make: Make, fake: Fake, version: str, wanted: list[dict[str, str]]
) -> None:
    cluster = make(CONFIG.replace("1.20.2", version)).cluster
    seen = fake(live("infra01", (OTHER,)), live("worker01", (MASTER, OTHER)), live("worker02"))
    scheduling.taint_control_plane(cluster, cluster.nodes)
    assert taints(seen) == {"infra01": [OTHER, *wanted], "worker01": [OTHER]}
    seen.live |= {"infra01": live("infra01", (OTHER, *wanted)), "worker01": live("worker01")}
    seen.patches.clear()
    scheduling.taint_control_plane(cluster, cluster.nodes)
    assert seen.patches == {}


def test_control_plane_nodes_that_take_work_are_labelled_like_workers(
    make: Make, fake: Fake
) -> None:
    cluster, seen = make().cluster, fake(live("infra01", (MASTER, CONTROL_PLANE, OTHER)))
    scheduling.untaint_control_plane(cluster, cluster.nodes[:1])
    changes = {change["path"]: change.get("value") for change in seen.patches["infra01"]}
    assert changes["/spec/taints"] == [OTHER]
    assert changes["/metadata/labels/worker"] == "active"
