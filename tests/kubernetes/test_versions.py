"""The table of what differs between releases."""

from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
from dlws.core.version import OLDEST, Version
from dlws.kubernetes import versions


@pytest.mark.parametrize(
    ("version", "api"),
    [
        ("v1.18.2", "v1beta2"),
        ("1.20.2", "v1beta2"),
        ("1.21.14", "v1beta2"),
        ("1.22.0", "v1beta3"),
        ("1.23.4", "v1beta3"),
        ("1.25.0", "v1beta3"),
        ("1.30.14", "v1beta3"),
        ("v1.31.0", "v1beta4"),
        ("1.34.1", "v1beta4"),
        ("1.37.0", "v1beta4"),
    ],
)
def test_kubeadm_api_by_version(version: str, api: str) -> None:
    assert versions.feature("kubeadm", Version.parse(version)) == f"kubeadm.k8s.io/{api}"


def test_control_plane_taints_by_version() -> None:
    role = "node-role.kubernetes.io/"
    assert versions.feature("control_plane_taints", Version(23, 4)) == role + "master"
    assert (
        versions.feature("control_plane_taints", Version(24, 0))
        == f"{role}master {role}control-plane"
    )
    assert versions.feature("control_plane_taints", Version(25, 0)) == role + "control-plane"


def test_sockets_by_version() -> None:
    assert versions.cri_socket("docker", Version(18, 2)) == "/var/run/dockershim.sock"
    assert versions.cri_socket("containerd", Version(23, 4)) == "/run/containerd/containerd.sock"
    assert (
        versions.cri_socket("containerd", Version(24, 0))
        == "unix:///run/containerd/containerd.sock"
    )


def test_every_feature_has_a_value_for_the_oldest_release() -> None:
    for feature in versions._TABLE:
        assert isinstance(versions.feature(feature, Version(OLDEST)), str)


@pytest.mark.parametrize(
    ("kind", "minor", "expected"),
    [
        ("CronJob", 18, "batch/v1beta1"), ("CronJob", 20, "batch/v1beta1"),
        ("CronJob", 21, "batch/v1"),
        ("Ingress", 18, "networking.k8s.io/v1beta1"), ("Ingress", 19, "networking.k8s.io/v1"),
        ("PodDisruptionBudget", 20, "policy/v1beta1"), ("PodDisruptionBudget", 37, "policy/v1"),
        ("PodSecurityPolicy", 24, "policy/v1beta1"),
        ("HorizontalPodAutoscaler", 22, "autoscaling/v2beta2"),
        ("HorizontalPodAutoscaler", 37, "autoscaling/v2"),
    ],
)  # fmt: skip
def test_api_versions_of_kinds_that_moved(kind: str, minor: int, expected: str) -> None:
    assert versions.api_version(kind, Version(minor)) == expected


def test_kinds_that_are_gone_or_not_in_the_table_are_said() -> None:
    with pytest.raises(UsageError, match=r"Kubernetes 1.25.0 has no PodSecurityPolicy any more"):
        versions.api_version("PodSecurityPolicy", Version(25))
    with pytest.raises(UsageError, match="the table of API versions has no Pod"):
        versions.api_version("Pod", Version(25))
