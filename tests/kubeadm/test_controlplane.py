"""What the control plane is started with, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dlws.config import Config
from dlws.core.version import Version
from dlws.kubeadm import controlplane
from tests.support.fakes import CONFIG, config_of

VOLUME = "{name: hook, hostPath: /etc/hook, mountPath: /hook, readOnly: true}"


def made(directory: Path, settings: str = "", version: str = "1.20.2") -> Config:
    text = CONFIG.replace("1.20.2", version).replace("bridge}", f"bridge, {settings}}}")
    return config_of(directory, text)


def policy() -> dict[str, Any]:
    (file,) = (f for f in controlplane.files(made_anywhere()) if f.path.endswith("policy.yaml"))
    assert isinstance(file.content, bytes)
    found: dict[str, Any] = yaml.safe_load(file.content)
    return found


def made_anywhere() -> Config:
    from dlws.config import from_text

    return from_text(CONFIG)


def test_profiling_is_off_three_times(tmp_path: Path) -> None:
    given = controlplane.arguments(made(tmp_path))
    names = ("api_server", "controller_manager", "scheduler")
    assert [given[name]["profiling"] for name in names] == ["false"] * 3
    assert given["etcd"] == {}


def test_a_hardened_api_server(tmp_path: Path) -> None:
    given = controlplane.api_server(made(tmp_path))
    assert given["audit-log-path"] == "/var/log/kubernetes/audit.log"
    assert given["encryption-provider-config"] == "/etc/kubernetes/dlws/encryption.yaml"
    assert given["tls-min-version"] == "VersionTLS12" and "CBC" not in given["tls-cipher-suites"]
    assert not {"admission-control-config-file", "kubelet-certificate-authority"} & set(given)


@pytest.mark.parametrize(
    ("settings", "without"),
    [
        ("audit: false", "audit-log-path"),
        ("encrypt_secrets: false", "encryption-provider-config"),
        ("pod_security: privileged", "admission-control-config-file"),
    ],
)
def test_what_is_switched_off_is_not_there(tmp_path: Path, settings: str, without: str) -> None:
    assert without in controlplane.api_server(made(tmp_path, version="1.30.0"))
    assert without not in controlplane.api_server(made(tmp_path, settings, "1.30.0"))


def test_serving_certificates_are_asked_for_and_verified(tmp_path: Path) -> None:
    config = made(tmp_path, "kubelet_serving_certificates: true")
    given = controlplane.api_server(config)
    assert given["kubelet-certificate-authority"] == "/etc/kubernetes/pki/ca.crt"
    assert controlplane.kubelet(config)["serverTLSBootstrap"] is True


def test_own_arguments_win_and_are_texts(tmp_path: Path) -> None:
    text = "api_server: {extra_args: {profiling: true, v: 4}}, etcd: {extra_args: {a: 1.50}}"
    given = controlplane.arguments(made(tmp_path, text))
    assert given["api_server"]["profiling"] == "true" and given["api_server"]["v"] == "4"
    assert given["etcd"] == {"a": "1.50"} and given["scheduler"]["profiling"] == "false"


def test_own_volumes_stand_beside_ours(tmp_path: Path) -> None:
    config = made(tmp_path, f"api_server: {{extra_volumes: [{VOLUME}]}}")
    found = controlplane.volumes(config)
    assert [volume["name"] for volume in found["api_server"]] == ["dlws", "dlws-audit", "hook"]
    assert found["api_server"][2] == {
        "name": "hook", "hostPath": "/etc/hook", "mountPath": "/hook", "readOnly": True,
    }  # fmt: skip
    assert found["scheduler"] == found["controller_manager"] == []


def test_nothing_of_ours_is_mounted_where_nothing_is_read(tmp_path: Path) -> None:
    config = made(tmp_path, "audit: false, encrypt_secrets: false")
    assert controlplane.volumes(config)["api_server"] == [] and controlplane.files(config) == []


@pytest.mark.parametrize(("version", "kind"), [("1.18.2", dict), ("1.30.0", dict), ("1.31.0", list),
                                              ("1.37.0", list)])  # fmt: skip
def test_sections_in_the_form_of_the_release(tmp_path: Path, version: str, kind: type) -> None:
    config = made(tmp_path, "etcd: {extra_args: {a: b}}", version)
    found = controlplane.sections(config)
    assert found.keys() == {"apiServer", "controllerManager", "scheduler", "etcd"}
    parts = (found["apiServer"], found["scheduler"], found["etcd"]["local"])
    assert all(isinstance(part["extraArgs"], kind) for part in parts)


def test_no_etcd_section_where_nothing_is_said(tmp_path: Path) -> None:
    assert "etcd" not in controlplane.sections(made(tmp_path))


@pytest.mark.parametrize(("version", "api"), [("1.22.1", ""), ("1.23.4", "v1beta1"),
                                              ("1.24.0", "v1beta1"), ("1.25.0", "v1"),
                                              ("1.37.0", "v1")])  # fmt: skip
def test_pod_security_by_release(tmp_path: Path, version: str, api: str) -> None:
    assert controlplane.pod_security_api(made(tmp_path, version=version)).rpartition("/")[2] == api


def test_what_pods_may_do(tmp_path: Path) -> None:
    config = made(tmp_path, "pod_security: restricted, pod_security_exempt: [gpu]", "1.30.0")
    (file,) = (f for f in controlplane.files(config) if f.path == controlplane.ADMISSION)
    assert isinstance(file.content, bytes) and file.mode == 0o600
    (plugin,) = yaml.safe_load(file.content)["plugins"]
    settings = plugin["configuration"]
    assert plugin["name"] == "PodSecurity" and settings["defaults"]["enforce"] == "restricted"
    assert settings["exemptions"]["namespaces"] == ["kube-system", "kube-flannel", "gpu"]


def test_the_first_rule_of_the_audit_policy_is_that_of_secrets() -> None:
    first = policy()["rules"][0]
    assert first["level"] == "Metadata"
    assert "secrets" in first["resources"][0]["resources"]
    assert not {"users", "userGroups", "verbs", "namespaces"} & first.keys()


def test_no_rule_of_the_audit_policy_logs_bodies_of_the_core_group() -> None:
    for rule in policy()["rules"]:
        groups = [one["group"] for one in rule.get("resources", ())]
        assert rule["level"] in ("None", "Metadata") or (groups and "" not in groups)
        assert rule["level"] != "RequestResponse"


def test_secrets_are_sealed_first_and_plain_ones_can_be_read() -> None:
    (rule,) = controlplane.encryption("key")["resources"]
    assert rule["resources"] == ["secrets"]
    assert [next(iter(way)) for way in rule["providers"]] == ["secretbox", "identity"]


def test_a_running_cluster_keeps_what_it_was_made_with(tmp_path: Path) -> None:
    config = made(tmp_path)
    plain = controlplane.running(config, False)
    assert controlplane.ENCRYPTION_FLAG not in controlplane.api_server(plain)
    assert config.kubernetes.encrypt_secrets and plain.cluster_name == config.cluster_name


@pytest.mark.parametrize(("version", "values", "made"), [
    ("1.30.0", {}, {}),
    ("1.30.0", {"a": "1", "b": "2"}, {"a": "1", "b": "2"}),
    ("1.31.0", {}, []),
    ("1.31.0", {"b": "2", "a": "1"}, [{"name": "b", "value": "2"}, {"name": "a", "value": "1"}]),
])  # fmt: skip
def test_listed(version: str, values: dict[str, str], made: object) -> None:
    assert controlplane.listed(Version.parse(version), values) == made
