"""Labels from the configuration, and the way from live ones to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import DeployError, SomeNodesFailed, UsageError
from dlws.kubernetes import labels
from dlws.kubernetes.api import cordon_patch, label_patch, taint_patch
from tests.support.fakes import CONFIG, THREE, Make, config_of
from tests.support.kube import FakeApi, live


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("etcd_node", "infra01 infra02 infra03"),
        ("etcd_node_1", "infra01"),
        ("etcd_node_3", "infra03"),
        ("etcd_node_4", ""),
        ("etcd_node_0", ""),
        ("worker_node", "worker01 worker02"),
        ("all", "infra01 infra02 infra03 worker01 worker02"),
        ("nfs_node", ""),
        ("node:worker02", "worker02"),
        ("etcd_node_1, worker_node", "infra01 worker01 worker02"),
        ("fast", "worker01"),
        ("vendor", "worker01 worker02"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_carriers(tmp_path: Path, kind: str, names: str) -> None:
    text = THREE.replace("vendor: nvidia", "vendor: nvidia, fast: yes")
    config = config_of(tmp_path, text + "kubelabels: {quick: fast}\n")
    assert labels.nodes_for(config, kind) == names.split()


def test_service_labels_of_each_kind_of_node(make: Make) -> None:
    cluster = make(THREE).cluster
    first, second, worker = (cluster.nodes[i] for i in (0, 1, 3))
    wanted = labels.desired_labels(cluster.config, first)
    assert wanted["restfulapi"] == wanted["infrastructure"] == wanted["all"] == "active"
    assert "worker" not in wanted
    wanted = labels.desired_labels(cluster.config, second)
    assert wanted["namenode2"] == "active" and "restfulapi" not in wanted
    wanted = labels.desired_labels(cluster.config, worker)
    assert wanted["worker"] == "active" and "infrastructure" not in wanted


def test_own_kubelabels_and_machine_labels(make: Make) -> None:
    text = CONFIG.replace("vendor: huawei", "vendor: huawei, labels: {zone: a}")
    cluster = make(text + "kubelabels: {mine: worker_node, restfulapi: node:worker01}\n").cluster
    assert labels.desired_labels(cluster.config, cluster.nodes[1])["restfulapi"] == "active"
    wanted = labels.desired_labels(cluster.config, cluster.nodes[2])
    assert (wanted["mine"], wanted["zone"]) == ("active", "a")


@pytest.mark.parametrize(
    ("verb", "value"), [("active", "active"), ("inactive", "inactive"), ("remove", None)]
)
def test_verbs_for_chosen_services(make: Make, verb: str, value: str | None) -> None:
    cluster = make().cluster
    wanted = labels.for_services(cluster.config, verb, ["worker"])
    assert wanted(cluster.nodes[1]) == {"worker": value}
    assert wanted(cluster.nodes[0]) == {}


def test_unknown_services_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no service is called \$\(x\)") as caught:
        labels.check_services(config_of(tmp_path), ["worker", "$(x)"])
    assert "restfulapi" in caught.value.cure


def test_worker_labels(make: Make) -> None:
    infra, gpu, npu = (node.machine for node in make().cluster.nodes)
    assert labels.worker_labels(infra) == {"archType": "amd64"}
    assert labels.worker_labels(gpu) == {
        "archType": "amd64",
        "gpu": "active",
        "nvidia": "active",
        "gpuType": "nvidia_gpu_amd64",
    }
    assert labels.worker_labels(npu)["gpuType"] == "huawei_npu_arm64"


def test_a_master_that_works_gets_its_devices(make: Make) -> None:
    text = CONFIG.replace(
        "private-ip: 10.1.0.1}", "private-ip: 10.1.0.1, type: npu, vendor: huawei}"
    )
    machine = make(text).cluster.nodes[0].machine
    assert labels.worker_labels(machine) == {"archType": "amd64"}
    assert labels.worker_labels(machine, as_worker=True)["gpuType"] == "huawei_npu_amd64"


def test_gpu_sku_and_vc_labels(make: Make) -> None:
    text = CONFIG.replace("vendor: nvidia", "gpu-type: V100, sku: NC6, vc: vision").replace(
        "type: npu, vendor: huawei", "node-group: NC24"
    )
    cluster = make(text + "sku_mapping: {NC24: {gpu-type: P40}}\n").cluster
    infra, first, second = (node.machine for node in cluster.nodes)
    config = cluster.config
    assert labels.gpu_labels(config, infra) == {}
    assert labels.gpu_labels(config, first) == {"gpuType": "V100"}
    assert labels.gpu_labels(config, second) == {"gpuType": "P40"}
    assert labels.sku_labels(first) == {"sku": "NC6"}
    assert labels.sku_labels(second) == {"sku": "NC24"}
    assert labels.sku_labels(infra) == {}
    assert labels.vc_labels(first) == {"vc": "vision"}
    assert labels.vc_labels(infra) == {"vc": "default"}


def test_a_worker_without_gpu_says_none(make: Make) -> None:
    cluster = make(CONFIG.replace("type: gpu, vendor: nvidia", "type: cpu")).cluster
    assert labels.gpu_labels(cluster.config, cluster.nodes[1].machine) == {"gpuType": "None"}


def test_label_patch_holds_only_the_difference() -> None:
    patch = label_patch(
        {"same": "1", "other": "1", "gone": "1"},
        {"same": "1", "other": "2", "new": "3", "gone": None, "absent": None, "a/b~c": "4"},
    )
    assert patch == [
        {"op": "add", "path": "/metadata/labels/a~1b~0c", "value": "4"},
        {"op": "remove", "path": "/metadata/labels/gone"},
        {"op": "add", "path": "/metadata/labels/new", "value": "3"},
        {"op": "add", "path": "/metadata/labels/other", "value": "2"},
    ]
    assert label_patch({"same": "1"}, {"same": "1"}) == []
    place = "/metadata/labels"  # of which a node without labels has none
    first = [{"op": "test", "path": place, "value": None},
             {"op": "add", "path": place, "value": {}}]  # fmt: skip
    one = {"op": "add", "path": f"{place}/new", "value": "1"}
    assert label_patch({}, {"new": "1"}) == [*first, one]
    assert label_patch({}, {"gone": None}) == []


def test_taint_and_cordon_patches() -> None:
    master = {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}
    other = {"key": "mine", "effect": "NoExecute", "value": "x"}
    patch = taint_patch(live("a", (master, other)), [master["key"]])
    assert patch[0] == {"op": "test", "path": "/spec/taints", "value": [master, other]}
    assert patch[1] == {"op": "replace", "path": "/spec/taints", "value": [other]}
    assert taint_patch(live("a", (other,)), [master["key"]]) == []
    assert cordon_patch(live("a"), False) == []
    assert cordon_patch(live("a"), True)[0]["value"] is True


@pytest.mark.parametrize("label", ["a b", "$(x)", "ü", "-a", "a;b", "x" * 64, "a\nb", ""])
def test_what_kubernetes_would_refuse(label: str) -> None:
    assert labels.invalid({label: "active"})
    if label:
        assert labels.invalid({"fine": label})
    assert not labels.invalid({"example.org/fine": "ok", "removed": None})


VC = {"vc": "default", f"{labels.RESTRICTED}vc": "default"}


def test_each_label_also_has_a_name_that_nodes_cannot_give_themselves() -> None:
    wanted = {"mysql-server": "active", "example.org/own": "x", "gone": None}
    assert labels.guarded(wanted) == wanted | {
        "node-restriction.kubernetes.io/mysql-server": "active",
        "node-restriction.kubernetes.io/gone": None,
    }


def test_one_patch_sets_both_names(make: Make, fake: Callable[..., FakeApi]) -> None:
    seen = fake(live("infra01", old="1"), live("worker01"), live("worker02"))
    cluster = make().cluster
    labels.apply(cluster, labels.for_services(cluster.config, "active", ["mysql"]))
    assert seen.patches == {
        "infra01": [
            {"op": "add", "path": "/metadata/labels/mysql", "value": "active"},
            {
                "op": "add",
                "path": "/metadata/labels/node-restriction.kubernetes.io~1mysql",
                "value": "active",
            },
        ]
    }


@pytest.mark.parametrize(("has", "says"), [
    ({}, "a=1 b=2 and the same under node-restriction.kubernetes.io/"),
    ({"a": "1", "b": "2"}, "a=1 b=2 under node-restriction.kubernetes.io/"),
    ({"a": "1"}, "b=2 and a=1 b=2 under node-restriction.kubernetes.io/"),
    ({"node-restriction.kubernetes.io/a": "1", "node-restriction.kubernetes.io/b": "2"}, "a=1 b=2"),
])  # fmt: skip
def test_what_changes_is_said_once(has: dict[str, str], says: str) -> None:
    assert labels.describe(has, labels.guarded({"a": "1", "b": "2"})) == says


def _vc(node: Any) -> labels.Wanted:
    return labels.vc_labels(node.machine)


def test_apply_patches_who_differs(make: Make, fake: Callable[..., FakeApi]) -> None:
    seen = fake(live("infra01"), live("worker01", (), **VC), live("worker02"))
    labels.apply(make().cluster, _vc)
    assert seen.patches.keys() == {"infra01", "worker02"}


def test_apply_again_changes_nothing_and_says_so(
    make: Make, fake: Callable[..., FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    seen = fake(*(live(name, (), **VC) for name in ("infra01", "worker01", "worker02")))
    labels.apply(make().cluster, _vc)
    assert seen.patches == {}
    assert "0 changed, 3 as they should be" in capsys.readouterr().err


def test_a_dry_run_prints_and_leaves(
    make: Make, fake: Callable[..., FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    seen = fake(*(live(name) for name in ("infra01", "worker01", "worker02")))
    labels.apply(make(dry_run=True).cluster, _vc)
    assert seen.patches == {}
    assert "would set vc=default" in capsys.readouterr().err


def test_foreign_values_are_reported_and_the_rest_is_done(
    make: Make, fake: Callable[..., FakeApi]
) -> None:
    seen = fake(live("infra01", vc="mine"), live("worker01"), live("worker02"))
    with pytest.raises(DeployError, match="infra01: vc is mine, not default") as caught:
        labels.apply(make().cluster, _vc)
    assert "-y" in caught.value.cure
    assert seen.patches.keys() == {"worker01", "worker02"}


def test_yes_overwrites_foreign_values(make: Make, fake: Callable[..., FakeApi]) -> None:
    seen = fake(live("infra01", vc="mine"), live("worker01"), live("worker02"))
    labels.apply(make(yes=True).cluster, _vc)
    assert "infra01" in seen.patches


def test_active_and_inactive_are_ours_to_switch(make: Make, fake: Callable[..., FakeApi]) -> None:
    nodes = [live(name, worker="active") for name in ("infra01", "worker01", "worker02")]
    seen = fake(*nodes)
    cluster = make().cluster
    labels.apply(cluster, labels.for_services(cluster.config, "inactive", ["worker"]))
    assert seen.patches.keys() == {"worker01", "worker02"}


def test_nodes_that_did_not_join_are_named(make: Make, fake: Callable[..., FakeApi]) -> None:
    seen = fake(live("infra01"), live("worker01"))
    with pytest.raises(SomeNodesFailed, match="worker02: not in the cluster"):
        labels.apply(make().cluster, _vc)
    assert seen.patches.keys() == {"infra01", "worker01"}


def test_only_selected_nodes_are_labelled(make: Make, fake: Callable[..., FakeApi]) -> None:
    seen = fake(live("infra01"), live("worker01"), live("worker02"))
    labels.apply(make(nodes=("worker01",)).cluster, _vc)
    assert seen.patches.keys() == {"worker01"}


@pytest.mark.parametrize(("names", "off", "wanted"), [
    ((), False, {"rack": "r7", "sku": "big", "fast": "true"}),
    (("rack",), False, {"rack": "r7"}),
    ((), True, {"rack": None, "sku": None, "fast": None, "bare": None}),
    (("fast",), True, {"fast": None}),
])  # fmt: skip
def test_marks_are_what_a_machine_says_at_their_keys(
    tmp_path: Path, names: tuple[str, ...], off: bool, wanted: labels.Wanted
) -> None:
    own = "vendor: nvidia, fast: yes, rack: r7, node-group: big"
    text = THREE.replace("vendor: nvidia", own) + "kubemarks: [rack, sku, fast, bare]\n"
    config = config_of(tmp_path, text)
    assert labels.marks(config, config.machines["worker01"], names, off) == wanted
    with pytest.raises(UsageError, match="kubemarks does not name vc"):
        labels.marks(config, config.machines["worker01"], ["vc"])
