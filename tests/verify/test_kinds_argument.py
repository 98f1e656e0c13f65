"""What components and kubelets are started with, compared with config.yaml."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from dlws.config import Config
from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.kubeadm import controlplane, documents
from dlws.verify.kinds import argument
from tests.support.fakes import CONFIG, World
from tests.support.judge import Judge, known_of, manifest

Make = Callable[..., Judge]
OWN = CONFIG.replace(
    "bridge}", "bridge, scheduler: {extra_args: {v: 4}}, kubelet: {maxPods: 200, a: 5m}}"
)


def answer(config: Config, infra: bool = True, **changes: Any) -> Result:
    """What a node answers that is started as config.yaml says, but for changes."""
    kubelet = {**documents.kubelet(config), **changes.get("kubelet", {})}
    rows = {"kubelet": kubelet}
    for pod, name in controlplane.COMPONENTS.items() if infra else ():
        given = {**controlplane.arguments(config)[name], **changes.get(pod, {})}
        rows[pod] = manifest(changes.get("volumes", config), pod, given)
    return Result(0, "".join(f"{key}={encoded(row)}\n" for key, row in rows.items()).encode())


def encoded(row: Mapping[str, Any]) -> str:
    return base64.b64encode(yaml.safe_dump(row).encode()).decode()


@pytest.fixture
def own(make: Callable[..., World]) -> Callable[[str], Judge]:
    world = make(OWN)
    return lambda name: Judge(world, known_of(world), name)


@pytest.mark.parametrize("name", ["infra01", "worker01"])
def test_as_config_yaml_says(own: Callable[[str], Judge], name: str) -> None:
    judge = own(name)
    assert judge(controlplane=answer(judge.world.cluster.config, name == "infra01")) == []


@pytest.mark.parametrize(
    ("changes", "says", "key", "fix"),
    [
        ({"kube-scheduler": {"v": None}}, "kube-scheduler --v is missing, not 4",
         ("kubernetes", "scheduler", "extra_args", "v"), "controlplane"),
        ({"kube-scheduler": {"v": "2"}}, "kube-scheduler --v is 2, not 4",
         ("kubernetes", "scheduler", "extra_args", "v"), "controlplane"),
        ({"kube-apiserver": {"audit-log-path": None}},
         "kube-apiserver --audit-log-path is missing, not /var/log/kubernetes/audit.log",
         ("kubernetes", "audit"), "controlplane"),
        ({"kube-apiserver": {"profiling": "true"}}, "kube-apiserver --profiling is true, not false",
         ("kubernetes", "version"), "controlplane"),
        ({"kubelet": {"maxPods": 110}}, "kubelet maxPods is 110, not 200",
         ("kubernetes", "kubelet", "maxPods"), "kubelets"),
    ],
)  # fmt: skip
def test_what_differs(
    own: Callable[[str], Judge], changes: dict[str, Any], says: str, key: Any, fix: str
) -> None:
    judge = own("infra01")
    (found,) = judge(controlplane=answer(judge.world.cluster.config, **changes))
    assert f"{found.what} {found.words}" == says
    assert key in found.origin and found.fix == fix and not found.cure


def test_a_cluster_that_was_made_without_encryption(own: Callable[[str], Judge]) -> None:
    judge = own("infra01")
    changes: dict[str, Any] = {"kube-apiserver": {controlplane.ENCRYPTION_FLAG: None}}
    (found,) = judge(controlplane=answer(judge.world.cluster.config, **changes))
    assert found.fix == "" and "kubeadm encrypt" in found.cure


def test_a_volume_that_is_new(own: Callable[[str], Judge], make: Callable[..., World]) -> None:
    judge = own("infra01")
    silent = make(OWN.replace("bridge,", "bridge, audit: false,")).cluster.config
    (found,) = judge(controlplane=answer(judge.world.cluster.config, volumes=silent))
    assert found.what == "kube-apiserver volume dlws-audit" and found.fix == "controlplane"
    assert found.words == "is missing, not /var/log/kubernetes at /var/log/kubernetes"


def test_what_others_added_is_no_difference(own: Callable[[str], Judge]) -> None:
    judge = own("infra01")
    changes: dict[str, Any] = {
        "kube-apiserver": {"event-ttl": "2h"},
        "kubelet": {"podPidsLimit": 5, "a": "5m0s"},
    }
    assert judge(controlplane=answer(judge.world.cluster.config, **changes)) == []


def test_what_cannot_be_read_is_that_nodes_fault(own: Callable[[str], Judge]) -> None:
    with pytest.raises(DeployError, match="cannot be read"):
        own("worker01")(controlplane=Result(0, b"kubelet=Ww=="))


def test_a_node_without_a_kubelet(own: Callable[[str], Judge]) -> None:
    found = own("worker01")(controlplane=Result(0))
    assert found and all("cannot be seen" in one.words for one in found)


@pytest.mark.parametrize(
    ("has", "wanted", "same"),
    [
        ("5m0s", "5m", True), ("0s", "0s", True), ("1h0m0s", "60m", True), ("5m", "6m", False),
        ("", "0s", False), ("a", "b", False), (5, 5, True), (None, False, False),
        ({"a": 1, "b": 2}, {"a": 1}, True), ({"b": 2}, {"a": 1}, False), ([1], [1], True),
        (True, 1, True), ("100Mi", "100Mi", True),
    ],
)  # fmt: skip
def test_holds(has: object, wanted: object, same: bool) -> None:
    assert argument.holds(has, wanted) is same
