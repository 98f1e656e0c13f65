"""Each fix runs the function that owns the thing, on the nodes that need it and on no others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.kubernetes import api, scheduling
from dlws.kubernetes.api import KubeNode, taints_patch
from dlws.verify import fix
from dlws.verify.run import locked_out
from tests.support.fakes import World
from tests.support.judge import MASTER, known_of, session

Patches = dict[str, Any]


@pytest.fixture
def patches(world: World, monkeypatch: pytest.MonkeyPatch) -> Patches:
    """What the API server is asked to change; its nodes have neither labels nor taints."""
    known = known_of(world)
    assert known.live
    nodes = {
        name: KubeNode(**{**vars(node), "labels": {}, "taints": ()})
        for name, node in known.live.items()
    }
    found: Patches = {}
    fake = SimpleNamespace(nodes=lambda: nodes, patch=found.update)

    @contextlib.contextmanager
    def connect(_: object) -> Iterator[Any]:
        yield fake

    monkeypatch.setattr(api, "connect", connect)
    monkeypatch.setattr(scheduling, "connect", connect)
    return found


def test_labels_of_one_node(world: World, patches: Patches) -> None:
    fix.apply(session(world), "labels", ["worker01"])
    assert list(patches) == ["worker01"]
    assert {"op": "add", "path": "/metadata/labels/archType", "value": "amd64"} in patches[
        "worker01"
    ]


def test_taints_of_masters(world: World, patches: Patches) -> None:
    fix.apply(session(world), "taints", ["infra01", "worker01"])
    assert patches == {"infra01": [{"op": "add", "path": "/spec/taints", "value": [MASTER]}]}


@pytest.mark.parametrize(
    ("has", "operations"),
    [
        ((), ["add"]),
        ((MASTER,), []),
        (({**MASTER, "effect": "NoExecute"},), ["test", "add"]),
        (({"key": "theirs", "effect": "NoSchedule"},), ["test", "add"]),
    ],
)
def test_taints_of_others_stay(
    world: World, has: tuple[dict[str, str], ...], operations: list[str]
) -> None:
    known = known_of(world)
    assert known.live
    node = KubeNode(**{**vars(known.live["infra01"]), "taints": has})
    patch = taints_patch(node, [MASTER["key"]])
    assert [step["op"] for step in patch] == operations
    theirs = [taint for taint in has if taint["key"] == "theirs"]
    assert not patch or patch[-1]["value"] == [*theirs, MASTER]


def test_a_unit(world: World) -> None:
    fix.apply(session(world), "unit:kubelet.service", ["worker02"])
    assert world.ran("worker02", "systemctl enable --now --quiet kubelet.service")
    assert world.commands("worker01") == []
    assert world.cluster.run.console.changes == ["worker02: kubelet.service is enabled and started"]


def test_a_dry_run_does_not_claim_a_change(make: Callable[..., World]) -> None:
    world = make(dry_run=True)
    fix.apply(session(world), "unit:kubelet.service", ["worker02"])
    assert world.commands("worker02") == [] and world.cluster.run.console.changes == []


def test_a_script(world: World) -> None:
    fix.apply(session(world), "script:disable_mlocate.sh", ["worker01"])
    assert [c.count("./disable_mlocate.sh") for c in world.commands("worker01")] == [1]
    assert world.commands("infra01") == []


def test_the_runtime(world: World) -> None:
    world.fakes["infra01"].rules.append(lambda command, _: Result(127))
    with pytest.raises(DeployError, match="containerd is not installed"):
        fix.apply(session(world), "runtime", ["infra01"])
    assert world.commands("worker01") == []


def test_who_locked_us_out_is_for_sshkey_to_let_in(world: World) -> None:
    from dlws.nodes.node import SudoRefused

    node = world.cluster.nodes[1]
    found = locked_out(node, SudoRefused("dlwsadmin", Result(1, b"", b"a password is required")))
    assert (found.kind, found.what, found.fix) == ("access", "sudo rule", "sshkey")
    assert found.origin[0] == ("admin_username",)
