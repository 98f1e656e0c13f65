"""The documents for kubeadm, as data."""

from __future__ import annotations

import base64
import contextlib
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.kubeadm import controlplane, documents
from dlws.nodes.endpoint import Endpoint
from tests.support.fakes import CONFIG, config_of

END = Endpoint("10.1.0.1", 6443)

TOKEN = "abcdef.0123456789abcdef"


def init(tmp_path: Path, text: str = CONFIG) -> dict[str, Any]:
    config = config_of(tmp_path, text)
    names = ["atlas-api", "10.1.0.1"]
    made = documents.init_documents(config, END, names, "infra01", "10.1.0.1", TOKEN)
    return {document["kind"]: document for document in made}


def test_init_of_one_release(tmp_path: Path) -> None:
    assert init(tmp_path)["InitConfiguration"] == {
        "apiVersion": "kubeadm.k8s.io/v1beta2",
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": TOKEN, "ttl": "15m0s", "description": "dlws kubeadm init"}],
        "localAPIEndpoint": {"advertiseAddress": "10.1.0.1", "bindPort": 6443},
        "nodeRegistration": {
            "name": "infra01",
            "criSocket": "/run/containerd/containerd.sock",
            "kubeletExtraArgs": {"node-ip": "10.1.0.1"},
        },
    }


def test_cluster_configuration(tmp_path: Path) -> None:
    assert init(tmp_path)["ClusterConfiguration"] == {
        "apiVersion": "kubeadm.k8s.io/v1beta2",
        "kind": "ClusterConfiguration",
        "clusterName": "atlas",
        "kubernetesVersion": "v1.20.2",
        "controlPlaneEndpoint": "10.1.0.1:6443",
        "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/12"},
        **controlplane.sections(config_of(tmp_path)),
        "apiServer": {
            "certSANs": ["atlas-api", "10.1.0.1"],
            **controlplane.sections(config_of(tmp_path))["apiServer"],
        },
    }


@pytest.mark.parametrize("version", ["1.31.0", "1.34.1"])
def test_arguments_are_a_list_from_v1beta4(tmp_path: Path, version: str) -> None:
    made = init(tmp_path, CONFIG.replace("1.20.2", version))
    arguments = made["ClusterConfiguration"]["apiServer"]["extraArgs"]
    assert {"name": "service-node-port-range", "value": "30000-49999"} in arguments
    assert made["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "node-ip", "value": "10.1.0.1"}
    ]


@pytest.mark.parametrize("version", ["1.18.2", "1.20.2", "1.23.4", "1.25.0", "1.30.0"])
def test_arguments_are_a_mapping_before_v1beta4(tmp_path: Path, version: str) -> None:
    made = init(tmp_path, CONFIG.replace("1.20.2", version))
    arguments = made["ClusterConfiguration"]["apiServer"]["extraArgs"]
    assert arguments["service-node-port-range"] == "30000-49999"


def test_own_settings_are_merged(tmp_path: Path) -> None:
    text = CONFIG.replace(
        "network: bridge",
        "network: bridge, kubelet: {cgroupDriver: cgroupfs, evictionHard: {a: 0%}},"
        " kube_proxy: {conntrack: {maxPerCore: 0}}, image_repository: registry.example/k8s,"
        " cri_socket: /run/other.sock, ignore_preflight_errors: [Mem, SystemVerification],"
        " node_port_range: 31000-32000",
    )
    made = init(tmp_path, text)
    assert made["KubeletConfiguration"] == {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        **controlplane.kubelet(config_of(tmp_path, text)),
        "cgroupDriver": "cgroupfs",
        "evictionHard": {"a": "0%"},
    }
    assert made["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0}
    assert made["ClusterConfiguration"]["imageRepository"] == "registry.example/k8s"
    registration = made["InitConfiguration"]["nodeRegistration"]
    assert registration["criSocket"] == "/run/other.sock"
    assert registration["ignorePreflightErrors"] == ["Mem", "SystemVerification"]
    assert "31000-32000" in made["ClusterConfiguration"]["apiServer"]["extraArgs"].values()


def test_a_single_phase_makes_no_token(tmp_path: Path) -> None:
    made = documents.init_documents(config_of(tmp_path), END, [], "infra01", "10.1.0.1", "")
    assert made[0].keys() == {"apiVersion", "kind", "localAPIEndpoint", "nodeRegistration"}


def test_join_of_a_worker(tmp_path: Path) -> None:
    config = config_of(tmp_path, CONFIG)
    document = documents.join_document(config, END, "worker01", "10.1.0.11", TOKEN, "sha256:ab")
    assert document["discovery"] == {
        "bootstrapToken": {
            "apiServerEndpoint": "10.1.0.1:6443",
            "token": TOKEN,
            "caCertHashes": ["sha256:ab"],
        }
    }
    assert "controlPlane" not in document


def test_join_of_a_control_plane(tmp_path: Path) -> None:
    config = config_of(tmp_path, CONFIG)
    document = documents.join_document(
        config, END, "infra02", "10.1.0.2", TOKEN, "sha256:ab", "k" * 64
    )
    assert document["controlPlane"] == {
        "localAPIEndpoint": {"advertiseAddress": "10.1.0.2", "bindPort": 6443},
        "certificateKey": "k" * 64,
    }


def test_a_name_is_no_advertise_address(tmp_path: Path) -> None:
    config = config_of(tmp_path, CONFIG)
    document = documents.join_document(config, END, "worker01", "worker01.example.org", TOKEN, "h")
    assert document["nodeRegistration"].keys() == {"name", "criSocket"}


@pytest.mark.parametrize(("settings", "address", "made"), [
    ("", "10.1.0.11", {"kubeletExtraArgs": {"node-ip": "10.1.0.11"}}),
    ("", "fd00::11", {"kubeletExtraArgs": {"node-ip": "fd00::11"}}),
    ("", "worker01.example.org", {}),
    (", cri_socket: /run/x.sock", "w", {"criSocket": "/run/x.sock"}),
    (", ignore_preflight_errors: [Swap]", "w", {"ignorePreflightErrors": ["Swap"]}),
    (", skip_phases: [addon/coredns]", "w", {"ignorePreflightErrors": ["ImagePull"]}),
    (", skip_phases: [addon/coredns], ignore_preflight_errors: [ImagePull]", "w",
     {"ignorePreflightErrors": ["ImagePull"]}),
])  # fmt: skip
def test_registration(tmp_path: Path, settings: str, address: str, made: dict[str, Any]) -> None:
    text = CONFIG.replace("network: bridge", f"network: bridge{settings}")
    usual = {"name": "worker01", "criSocket": "/run/containerd/containerd.sock"}
    found = documents.registration(config_of(tmp_path, text), "worker01", address)
    assert found == usual | made


def test_documents_that_leave_the_certificates_in_the_cluster(tmp_path: Path) -> None:
    assert documents.upload_documents(config_of(tmp_path), {"kind": "C"}, "k") == [
        {"apiVersion": "kubeadm.k8s.io/v1beta2", "kind": "InitConfiguration",
         "certificateKey": "k"},
        {"kind": "C"},
    ]  # fmt: skip


@pytest.mark.parametrize(("made", "text"), [
    ([], b""),
    ([{"a": 1}], b"a: 1\n"),
    ([{"b": 1, "a": 2}, {"c": "ü"}], "b: 1\na: 2\n---\nc: ü\n".encode()),
])  # fmt: skip
def test_dump(made: list[dict[str, Any]], text: bytes) -> None:
    assert documents.dump(made) == text


def test_token_secret_expires() -> None:
    secret = documents.token_secret(TOKEN, datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    assert secret["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert secret["type"] == "bootstrap.kubernetes.io/token"
    assert secret["stringData"]["token-secret"] == "0123456789abcdef"
    assert secret["stringData"]["expiration"] == "2030-01-02T03:04:05Z"


def test_ca_hash_is_that_of_openssl(ca: bytes) -> None:
    digest = "openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum"
    assert documents.ca_hash(ca) == f"sha256:{Local().run(digest, ca).text.split()[0]}"


PEM = st.binary().map(base64.b64encode).map(b"-----BEGIN CERTIFICATE-----\n%b\n-----END".__mod__)


@pytest.mark.parametrize("content", [
    b"", b"-----BEGIN CERTIFICATE-----", b"-----BEGIN CERTIFICATE-----MA==-----END",
    b"-----BEGIN CERTIFICATE-----!-----END", b"-----BEGIN CERTIFICATE-----MIIC-----END",
])  # fmt: skip
def test_what_is_no_certificate_has_no_hash(content: bytes) -> None:
    with pytest.raises(DeployError, match="is no certificate"):
        documents.ca_hash(content)


@given(st.one_of(st.binary(), PEM))
def test_any_content_has_a_hash_or_is_an_error(content: bytes) -> None:
    with contextlib.suppress(DeployError):
        assert documents.ca_hash(content).startswith("sha256:")


def test_awkward_words_survive_the_yaml() -> None:
    words = ["a b", "$(x)", "'", '"', ";", "new\nline", "ü", "{{x}}", "no", "1.20"]
    assert list(yaml.safe_load_all(documents.dump([{"a": words}]))) == [{"a": words}]
