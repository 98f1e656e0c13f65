"""A job's objects: the walls around it, and that users' texts are values and nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobplatform.manager import walls
from jobplatform.manager.homes import Share
from jobplatform.manager.pods import (
    FINALIZER,
    Person,
    label,
    literal,
    objects,
    pod,
)
from jobplatform.model.names import namespace
from tests.support.platform.managers import attempt, container, env

NASTY = "$(DLWS_UID) $$ `id` \"'\n- x: {y}\n<b> {{ z }} \\"


@pytest.mark.parametrize("fields", [{}, {"kind": "distributed", "workers": 2}, {
    "kind": "inference", "port": 8080}, {"device": "V100", "devices": 2}])  # fmt: skip
def test_pods_keep_to_the_restricted_rules(fields: dict[str, Any]) -> None:
    """Those of Kubernetes' Pod Security Standards, word by word."""
    made = pod(attempt(**fields), 0)
    spec, whole = made["spec"], str(made)
    for word in ("hostPath", "hostNetwork", "hostPID", "hostIPC", "hostPort", "privileged",
                 "serviceAccount'", "procMount", "sysctls", "hostAliases"):  # fmt: skip
        assert word not in whole
    assert spec["securityContext"] == {
        "runAsUser": 5000, "runAsGroup": 5001, "runAsNonRoot": True,
        "supplementalGroups": [5001], "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    own = container(made)["securityContext"]
    assert own == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec["automountServiceAccountToken"] is False
    kinds = {next(iter(set(one) - {"name"})) for one in spec["volumes"]}
    assert kinds <= {"emptyDir", "configMap", "persistentVolumeClaim"}
    assert made["metadata"]["finalizers"] == [FINALIZER]


@pytest.mark.parametrize("fields", [{}, {"kind": "distributed", "workers": 2}, {
    "kind": "inference", "port": 8080}])  # fmt: skip
def test_holes_9_and_33_nothing_runs_or_is_served_beside_what_a_person_asked_for(
    fields: dict[str, Any],
) -> None:
    """No Jupyter without a password, nothing fetched at start, no port of a node."""
    given = objects(attempt(command="my command", **fields))
    assert {kind for kind, _ in given} == {"services", "configmaps", "pods"}
    for kind, made in given:
        if kind == "pods":
            assert "initContainers" not in made["spec"]
            assert container(made)["command"] == ["/bin/sh", "-c", "my command"]
        if kind == "services":
            assert set(made["spec"]) <= {"selector", "ports", "clusterIP",
                                         "publishNotReadyAddresses"}  # fmt: skip
            assert [set(port) for port in made["spec"]["ports"]] == [{"name", "port"}]


def test_users_texts_arrive_as_they_were_given() -> None:
    made = pod(attempt(command=NASTY, env={"A": NASTY}, name="n"), 0)
    assert container(made)["command"] == ["/bin/sh", "-c", NASTY.replace("$", "$$")]
    assert env(made)["A"] == literal(NASTY)
    assert expanded(literal(NASTY)) == NASTY


def expanded(text: str) -> str:
    """What Kubernetes makes of a value: $$ is a dollar, and $(X) would be a variable."""
    return text.replace("$$", "\0").replace("$(", "EXPANDED(").replace("\0", "$")


def test_workers_find_each_other() -> None:
    one = attempt(kind="distributed", workers=3, device="V100", devices=4, launch="first")
    made = [pod(one, index) for index in range(3)]
    assert [env(each)["RANK"] for each in made] == ["0", "1", "2"]
    assert {env(each)["MASTER_ADDR"] for each in made} == {"job-1234-1-worker-0.job-1234-1"}
    assert {env(each)["WORLD_SIZE"] for each in made} == {"3"}
    assert "sleep infinity" in container(made[1])["command"][2]
    found = dict(objects(one))
    assert found["services"]["spec"]["publishNotReadyAddresses"] is True
    assert found["configmaps"]["data"]["hostfile"].splitlines()[2] == (
        "job-1234-1-worker-2.job-1234-1 slots=4"
    )


@pytest.mark.parametrize(
    "resource", ["nvidia.com/gpu", "huawei.com/Ascend910", "dlws.io/fake"]
)  # fmt: skip
def test_devices_are_asked_for_by_what_the_node_calls_them(resource: str) -> None:
    made = container(pod(attempt(resource, device="x", devices=4), 0))
    assert made["resources"]["limits"][resource] == "4"
    assert "NVIDIA_VISIBLE_DEVICES" not in {one["name"] for one in made["env"]}


def test_a_job_without_devices_sees_none_whatever_its_image_says() -> None:
    assert env(pod(attempt(), 0))["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_users_variables_cannot_take_the_place_of_the_platforms() -> None:
    for name in ("DLWS_UID", "DLTS_GID", "NVIDIA_VISIBLE_DEVICES", "LD_PRELOAD"):
        with pytest.raises(ValueError, match="no name for a variable"):
            attempt(env={name: "0"})


@pytest.mark.parametrize(
    "vc", ["a", "Platform", "a.b", "../x", "x" * 200, "é", "-a-", "vc_1", "🔑"]
)
def test_each_virtual_cluster_has_a_namespace_that_kubernetes_takes(vc: str) -> None:
    name = namespace(vc)
    assert name.replace("-", "").isalnum() and name.isascii() and len(name) <= 63
    assert name[-1] != "-" and name == name.lower() and name.startswith("vc-")
    assert namespace(vc + "x") != name


def test_the_walls_of_a_virtual_cluster() -> None:
    made = walls.around("a")
    assert [kind for kind, _, _ in made] == ["namespaces", "limitranges", "networkpolicies",
                                             "networkpolicies"]  # fmt: skip
    labels = made[0][2]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert made[2][2]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_the_share_is_a_volume_of_its_own_in_each_namespace() -> None:
    (_, above, volume), (_, space, claim) = walls.around("a", "share", "/mntdlws/share")[-2:]
    assert (above, space, claim["metadata"]["name"]) == ("", "vc-a", "share")
    assert volume["spec"]["hostPath"] == {"path": "/mntdlws/share", "type": "Directory"}
    assert volume["spec"]["claimRef"] == {"namespace": "vc-a", "name": "share"}
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    other = walls.around("b", "share", "/mntdlws/share")[-2][2]
    assert other["metadata"]["name"] != volume["metadata"]["name"]


def test_labels_are_for_people_and_always_valid() -> None:
    assert label("é <b>$(x)") == "b---x" and label("ann") == "ann" and label("$$") == ""


def test_the_share_is_mounted_below_directories_of_roots() -> None:
    one = replace(attempt(), claim="share", folder="jobfiles/261129/1234")
    mounts = {
        each["mountPath"]: each.get("subPath") for each in container(pod(one, 0))["volumeMounts"]
    }
    assert mounts["/job"] == "jobfiles/261129/1234"
    assert mounts["/home/ann"] == "work/ann"


@pytest.fixture
def share(tmp_path: Path) -> Share:
    return Share(tmp_path, "share")


ME = Person("me", "me", os.getuid() or 5000, os.getgid() or 5001)


def test_directories_are_the_persons_and_made_once(share: Share) -> None:
    for _ in range(2):
        share.prepare(ME, "jobfiles/261129/1")
    for path in ("work/me", "jobfiles/261129/1"):
        found = (share.root / path).stat()
        assert (found.st_uid, found.st_mode & 0o777) == (ME.uid, 0o700)
    assert (share.root / "work").stat().st_uid == os.getuid()


@pytest.mark.parametrize("link", ["work", "work/me", "jobfiles", "jobfiles/261129/1"])
def test_no_step_follows_a_link(share: Share, link: str, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (share.root / link).parent.mkdir(parents=True, exist_ok=True)
    (share.root / link).symlink_to(elsewhere)
    before = elsewhere.stat()
    with pytest.raises(ValueError, match="is no directory"):
        share.prepare(ME, "jobfiles/261129/1")
    assert (elsewhere.stat().st_uid, list(elsewhere.iterdir())) == (before.st_uid, [])


@pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")
def test_anothers_directory_is_not_taken(share: Share) -> None:
    share.prepare(ME, "jobfiles/1")
    other = Person("other", "me", 6000, 6000)
    with pytest.raises(ValueError, match="is not other's"):
        share.prepare(other, "jobfiles/2")
