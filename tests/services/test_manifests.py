"""The services that come with dlws: what every one of them has to have, and the exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import UsageError
from dlws.services.folder import load_all
from dlws.services.kinds import Kinds
from dlws.services.manifests import documents, objects, references, template_of
from tests.support.examples import SERVICES, cluster_of, filled_in, objects_of

_ROOT = "starts as root, with the capabilities that it names: "
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "writes to its own files": {
        "openresty/openresty": "its logs and temporary files lie in its own tree",
        "logging/elasticsearch": "it writes its keystore beside its programs",
        "logging/kibana": "it compiles its page beside its programs",
        "flexvolume/installer": "its image's script keeps a log",
    },
    "runs as root": {
        "nginx/nginx": f"{_ROOT}ports below 1024; it serves as nobody",
        "openresty/openresty": f"{_ROOT}it serves as nobody",
        "storagemanager/storagemanager": f"{_ROOT}it reads directories of all users",
        "logging/fluent-bit": f"{_ROOT}it reads the logs of all pods",
        "flexvolume/installer": "the directory of kubelet's plugins is root's",
        "nvidia-device-plugin/plugin": "the kubelet's socket is root's",
        "mysql/owner": f"{_ROOT}chown of the directory of the data",
        "prometheus/owner": f"{_ROOT}chown of the directory of the data",
        "grafana/owner": f"{_ROOT}chown of the directory of the data",
        "logging/owner": f"{_ROOT}chown of the directory of the data",
    },
    "is privileged": {
        "a910-device-plugin/plugin": "it opens the driver's devices",
    },
    "has no readiness probe": {
        "user-synchronizer/user-synchronizer": "it runs and ends: it serves nobody",
    },
    "has no liveness probe": {
        "user-synchronizer/user-synchronizer": "it runs and ends: it serves nobody",
        "repairmanager2/repairmanager2": "it serves nobody: it is well while it runs",
        "flexvolume/installer": "it has done its work when it is ready",
        "a910-device-plugin/plugin": "its driver is away for minutes when a device is reset",
    },
    "uses the node's network": {
        "mysql": "the database is reached at the machine's address",
        "nginx": "it is the node's web server",
        "prometheus": "node-exporter measures the node's network",
        "monitor": "job-exporter answers at the node's address",
        "a910-device-plugin": "the driver tells devices apart by the node's addresses",
    },
    "sees the node's processes": {
        "prometheus": "node-exporter measures them",
        "monitor": "job-exporter tells whose the processes on devices are",
    },
}
NAMED = {
    *("nvidia-device-plugin", "a910-device-plugin", "flexvolume", "mysql", "jobmanager"),
    *("jobmanager2", "restfulapi", "restfulapi2", "monitor", "nginx", "openresty"),
    *("custommetrics", "repairmanager", "repairmanager2", "dashboard", "webui3"),
    *("custom-user-dashboard", "user-synchronizer", "storagemanager", "logging"),
}
BY_TAG = {
    "a910-device-plugin/plugin": "no public record of its digest was found",
    "custommetrics/prometheus-adapter": "the same",
    "flexvolume/flexvolume": "the same",
}
Container = dict[str, Any]
Found = list[tuple[str, dict[str, Any], Container]]


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    """The pods of all services: the service and the pod's spec."""
    found = objects_of(cluster_of(tmp_path_factory.mktemp("example"), filled_in()))
    return [
        (name, template["spec"])
        for name, objects in found.items()
        for one in objects
        if (template := template_of(one.body))
    ]


@pytest.fixture
def containers(pods: list[tuple[str, dict[str, Any]]]) -> Found:
    """All containers, called SERVICE/CONTAINER, those that run first included."""
    return [
        (f"{name}/{one['name']}", spec, one)
        for name, spec in pods
        for one in [*spec.get("initContainers", []), *spec["containers"]]
    ]


def serving(containers: Found) -> Iterator[tuple[str, Container]]:
    return ((name, one) for name, spec, one in containers if one in spec["containers"])


def test_all_services_say_what_they_are(tmp_path: Path) -> None:
    services = load_all(tmp_path)
    assert sorted(services) == SERVICES
    assert [name for name, one in services.items() if not one.says.description] == []


def test_the_services_of_the_documents_are_there_by_their_names(tmp_path: Path) -> None:
    services = load_all(tmp_path)
    known = {*services, *(alias for one in services.values() for alias in one.says.aliases)}
    assert known >= NAMED


def test_images_have_a_tag_that_stays(containers: Found) -> None:
    for where, _, container in containers:
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        assert tag and not tag.startswith("latest"), where


def test_images_of_others_are_pinned_by_their_digest(tmp_path: Path) -> None:
    images = {
        f"{service}/{name}": reference
        for service, one in load_all(tmp_path).items()
        for name, reference in one.says.images.items()
    }
    pinned = re.compile(r"[^:@]+:[^:@]+@sha256:[0-9a-f]{64}")
    assert {name for name, one in images.items() if not pinned.fullmatch(one)} == set(BY_TAG)
    assert len(images) >= 13


def test_containers_have_requests_and_limits(containers: Found) -> None:
    for where, _, container in containers:
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][kind]), where
    assert len(containers) >= 25


@pytest.mark.parametrize("kind", ["readiness", "liveness"])
def test_containers_have_probes(containers: Found, kind: str) -> None:
    found = {name for name, one in serving(containers) if f"{kind}Probe" not in one}
    assert found == set(EXCEPTIONS[f"has no {kind} probe"])


def test_containers_may_become_nobody_else(containers: Found) -> None:
    privileged = set(EXCEPTIONS["is privileged"])
    for where, _, container in containers:
        says = container["securityContext"]
        if where in privileged:
            assert says == {"privileged": True}, where
        else:
            assert says["allowPrivilegeEscalation"] is False, where
            assert says["capabilities"]["drop"] == ["ALL"], where


def test_containers_write_to_volumes_alone(containers: Found) -> None:
    found = {name for name, _, one in containers
             if not one["securityContext"].get("readOnlyRootFilesystem")}  # fmt: skip
    assert found == {*EXCEPTIONS["writes to its own files"], *EXCEPTIONS["is privileged"]}


def test_containers_do_not_run_as_root(containers: Found) -> None:
    found = set()
    for name, spec, one in containers:
        says = {**spec.get("securityContext", {}), **one["securityContext"]}
        if not (says.get("runAsNonRoot") and says.get("runAsUser")):
            found.add(name)
    assert found == {*EXCEPTIONS["runs as root"], *EXCEPTIONS["is privileged"]}


@pytest.mark.parametrize(
    ("field", "what"),
    [("hostNetwork", "uses the node's network"), ("hostPID", "sees the node's processes")],
)
def test_pods_are_apart_from_the_node(
    pods: list[tuple[str, dict[str, Any]]], field: str, what: str
) -> None:
    assert {name for name, spec in pods if spec.get(field)} == set(EXCEPTIONS[what])


def test_pods_that_do_not_ask_the_api_have_no_token_for_it(
    pods: list[tuple[str, dict[str, Any]]],
) -> None:
    for name, spec in pods:
        assert spec.get("serviceAccountName") or spec["automountServiceAccountToken"] is False, name


def test_no_node_can_draw_pods_with_secrets_to_itself(
    pods: list[tuple[str, dict[str, Any]]],
) -> None:
    everywhere = {"fluent-bit"}  # its Secret lets it write logs
    for name, spec in pods:
        if any(kind == "Secret" for kind, _ in references(spec)):
            labels = list(spec.get("nodeSelector", {}))
            by_name = "metadata.name" in str(spec.get("affinity"))
            guarded = all(one.startswith("node-restriction.kubernetes.io/") for one in labels)
            only = spec["containers"][0]["name"]
            assert by_name or (labels and guarded) or only in everywhere, name


@pytest.mark.parametrize("text", ["[", "[" * 5000, "[" * 200_000 + "]" * 200_000, "a: \0", "- ]"])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml.*: this is not YAML"):
        list(documents(text, "x.yaml"))


def test_what_pods_read_is_found_wherever_it_stands() -> None:
    spec = {
        "volumes": [{"secret": {"secretName": "s"}}, {"configMap": {"name": "m"}}],
        "containers": [
            {"envFrom": [{"configMapRef": {"name": "f"}}]},
            {"env": [{"valueFrom": {"secretKeyRef": {"name": "k", "key": "x"}}}]},
        ],
    }
    assert references(spec) == {
        ("Secret", "s"), ("ConfigMap", "m"), ("ConfigMap", "f"), ("Secret", "k"),
    }  # fmt: skip


def test_aliases_in_aliases_are_refused_before_they_are_written_out() -> None:
    lines = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata: {name: x}",
        "data:",
        "  a0: &a0 [x, x]",
    ]
    lines += [f"  a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    with pytest.raises(UsageError, match="amounts to") as error:
        list(documents("\n".join(lines), "s/x.yaml"))
    assert "aliases" in error.value.cure
    with pytest.raises(UsageError, match="not YAML"):
        list(documents("a: &a [*a]\n", "s/x.yaml"))
    ((found, _),) = documents("a: &a [1]\nb: *a\n", "s/x.yaml")
    assert found == {"a": [1], "b": [1]}


def test_hole_34_no_pod_has_the_container_runtimes_socket(
    pods: list[tuple[str, dict[str, Any]]],
) -> None:
    """Who asks it to, has a container of any kind made: with it, a pod has the node."""
    places = {
        (name, Path(volume["hostPath"]["path"]))
        for name, spec in pods
        for volume in spec.get("volumes", [])
        if "hostPath" in volume
    }
    sockets = [Path("/run/docker.sock"), Path("/run/containerd/containerd.sock")]
    sockets += [Path("/var") / one.relative_to("/") for one in sockets]
    held = {name for name, place in places for one in sockets if place in {one, *one.parents}}
    assert held == {"prometheus"}  # node-exporter sees all of a node, read-only and as nobody


def test_only_who_measures_file_systems_sees_all_of_a_node(
    pods: list[tuple[str, dict[str, Any]]],
) -> None:
    whole = {
        name
        for name, spec in pods
        for volume in spec.get("volumes", [])
        if volume.get("hostPath", {}).get("path") == "/"
    }
    assert whole == {"prometheus"}


def test_jobs_do_not_reach_who_takes_orders_without_a_password(tmp_path: Path) -> None:
    found = objects_of(cluster_of(tmp_path, filled_in()))
    policies = {
        one.name: one.body["spec"]
        for objects in found.values()
        for one in objects
        if one.kind.name == "NetworkPolicy" and one.namespace == "kube-system"
    }
    for name in ("alertmanager", "reaper"):
        assert policies[name]["podSelector"] == {"matchLabels": {"app": name}}
        assert policies[name]["ingress"] == [{"from": [{"podSelector": {}}]}]


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, spec: {scope: x},"
        " metadata: {name: a}}",
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: [x]}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: [x]}}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: x}}",
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [80]}}",
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: x}}",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: x}}}",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template:"
        " {metadata: x, spec: {}}}}",
    ],
)
def test_a_manifest_of_another_shape_is_named_with_its_line(text: str) -> None:
    found = list(documents(f"---\n{text}", "shop/a.yaml"))
    with pytest.raises(UsageError, match=r"shop/a.yaml:2: this \w+ has another shape"):
        objects(found, "shop", "default", Kinds())
