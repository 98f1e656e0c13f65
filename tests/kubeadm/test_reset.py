from __future__ import annotations

import pytest

from dlws.core.errors import Refused
from dlws.core.version import Version
from dlws.kubeadm import join, reset
from dlws.kubeadm.survey import ClusterState, Member, parse
from tests.support.fakes import THREE, Make
from tests.support.kubeadm import RESET, Nodes


def member(name: str, ready: bool = True) -> Member:
    return Member(name, "", "", ready)


def seen(*members: Member) -> ClusterState:
    state = parse("api=1")
    known = {one.name: one for one in members}
    from dataclasses import replace

    class KubeNode:
        name = "infra01"

    return ClusterState({"infra01": replace(state, members=known)}, [], KubeNode())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ready", "leaving", "refused"),
    [
        ((True, True, True), ["infra01"], False),
        ((True, True, True), ["infra01", "infra02"], True),
        ((True, False, True), ["infra01"], True),
        ((True, False, True), ["infra02"], False),
        ((True, True, True), ["worker01"], False),
        ((True, False, False), ["worker01"], False),
    ],
)
def test_quorum(make: Make, ready: tuple[bool, ...], leaving: list[str], refused: bool) -> None:
    cluster = make(THREE).cluster
    survey = seen(*(member(f"infra0{i + 1}", ready[i]) for i in range(3)), member("worker01"))
    nodes = [node for node in cluster.nodes if node.name in leaving]
    if refused:
        with pytest.raises(Refused, match="majority"):
            reset.check_quorum(cluster, survey, nodes)
    else:
        reset.check_quorum(cluster, survey, nodes)


def test_reset_of_a_worker_drains_cleans_and_forgets_it(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca, {"infra01": "10.244.0.0/24", "worker01": "10.244.1.0/24"})
    reset.reset(world.cluster, [world.cluster.nodes[1]])
    lines = [
        line for line in world.commands("infra01") if "admin.conf" in line and "worker01" in line
    ]
    assert "drain worker01" in lines[0] and "--delete-emptydir-data" in lines[0]
    # Pods of jobs that ended have a finalizer for an hour.
    assert "--skip-wait-for-delete-timeout=30" in lines[0]
    assert "delete node worker01" in lines[1]
    assert world.ran("worker01", RESET)
    assert not world.ran("infra01", RESET)


def test_reset_of_everything_forgets_admin_conf(make: Make, ca: bytes) -> None:
    world = make()
    Nodes(world, ca, {"infra01": "10.244.0.0/24"})
    join.init(world.cluster)
    reset.reset(world.cluster, world.cluster.nodes)
    assert all(world.ran(name, RESET) for name in world.fakes)
    assert not (world.cluster.deploy / "sshkey/admin.conf").exists()


def test_drain_flag_of_old_releases(make: Make) -> None:
    config = make().cluster.config
    old = config.model_copy(
        update={"kubernetes": config.kubernetes.model_copy(update={"version": Version(18, 2)})}
    )
    assert "--delete-local-data" in reset.drain_words(old, "w", reachable=True)
    assert reset.drain_words(old, "w", reachable=False)[-2:] == ["cordon", "w"]
