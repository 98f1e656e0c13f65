"""The table of what differs between releases."""

from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
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
        ("1.36.0", "v1beta4"),
    ],
)
def test_kubeadm_api_by_version(version: str, api: str) -> None:
    assert versions.feature("kubeadm", version) == f"kubeadm.k8s.io/{api}"


def test_objects_by_version() -> None:
    assert versions.feature("CronJob", "1.20.2") == "batch/v1beta1"
    assert versions.feature("CronJob", "1.21.0") == "batch/v1"
    assert versions.feature("PodDisruptionBudget", "1.25.0") == "policy/v1"
    assert versions.feature("Ingress", "1.18.0") == "networking.k8s.io/v1beta1"


def test_control_plane_names_by_version() -> None:
    role = "node-role.kubernetes.io/"
    assert versions.feature("control_plane_labels", "1.18.2") == role + "master"
    assert versions.feature("control_plane_labels", "1.20.2") == f"{role}master {role}control-plane"
    assert versions.feature("control_plane_labels", "1.34.0") == role + "control-plane"
    assert versions.feature("control_plane_taints", "1.23.4") == role + "master"
    assert versions.feature("control_plane_taints", "1.24.0") == f"{role}master {role}control-plane"
    assert versions.feature("control_plane_taints", "1.25.0") == role + "control-plane"


def test_runtimes_by_version() -> None:
    assert versions.runtimes("1.18.2") == ("docker",)
    assert versions.runtimes("1.20.2") == ("containerd", "docker")
    assert versions.runtimes("1.23.4") == ("containerd", "docker")
    assert versions.runtimes("1.24.0") == ("containerd",)


def test_sockets_by_version() -> None:
    assert versions.cri_socket("docker", "1.18.2") == "/var/run/dockershim.sock"
    assert versions.cri_socket("containerd", "1.23.4") == "/run/containerd/containerd.sock"
    assert versions.cri_socket("containerd", "1.24.0") == "unix:///run/containerd/containerd.sock"


@pytest.mark.parametrize("version", ["1.17.9", "1.37.0", "2.0.0", "", "1.20.2; rm -rf /", "latest"])
def test_unknown_versions_are_refused(version: str) -> None:
    with pytest.raises(UsageError, match="not a version"):
        versions.minor(version)


def test_every_feature_has_a_value_for_the_oldest_release() -> None:
    for feature in versions._TABLE:
        assert isinstance(versions.feature(feature, f"1.{versions.OLDEST}.0"), str)
