"""The points of the CIS benchmark, each by the smallest thing that breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dlws.check.cis_points import POINTS, Facts, judged, strong
from dlws.config import from_text
from dlws.kubeadm import controlplane, documents
from dlws.nodes.endpoint import Endpoint
from tests.support.fakes import CONFIG

PKI = "/etc/kubernetes/pki"
# What kubeadm gives the components by itself.
KUBEADM = {
    "kube-apiserver": {
        "authorization-mode": "Node,RBAC", "enable-admission-plugins": "NodeRestriction",
        "kubelet-client-certificate": "a", "kubelet-client-key": "a", "client-ca-file": "a",
        "service-account-key-file": "a", "etcd-certfile": "a", "etcd-keyfile": "a",
        "etcd-cafile": "a", "tls-cert-file": "a", "tls-private-key-file": "a",
    },
    "kube-controller-manager": {
        "use-service-account-credentials": "true", "service-account-private-key-file": "a",
        "root-ca-file": "a", "bind-address": "127.0.0.1",
    },
    "kube-scheduler": {"bind-address": "127.0.0.1"},
    "etcd": {
        "cert-file": "a", "key-file": "a", "client-cert-auth": "true", "peer-cert-file": "a",
        "peer-key-file": "a", "peer-client-cert-auth": "true",
        "trusted-ca-file": f"{PKI}/etcd/ca.crt",
    },
}  # fmt: skip
KUBELET: dict[str, Any] = {
    "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": "a"}},
    "authorization": {"mode": "Webhook"},
    "rotateCertificates": True,
}
MODES = {
    "/etc/kubernetes/manifests": (0o700, "root:root"),
    "/etc/kubernetes/manifests/etcd.yaml": (0o600, "root:root"),
    "/etc/kubernetes/admin.conf": (0o600, "root:root"),
    "/etc/kubernetes/kubelet.conf": (0o600, "root:root"),
    f"{PKI}/ca.crt": (0o644, "root:root"),
    f"{PKI}/ca.key": (0o600, "root:root"),
    "/var/lib/etcd": (0o700, "root:root"),
    "/etc/cni/net.d/10-dlws.conflist": (0o644, "root:root"),
    "/var/lib/kubelet/config.yaml": (0o600, "root:root"),
}


def made(settings: str = "kubelet_serving_certificates: true", version: str = "1.30.0") -> Facts:
    """What a cluster of ours is started with."""
    text = CONFIG.replace("1.20.2", version).replace("bridge}", f"bridge, {settings}}}")
    config = from_text(text)
    ours = controlplane.arguments(config)
    pods = {pod: KUBEADM[pod] | ours[name] for pod, name in controlplane.COMPONENTS.items()}
    kubelet = {**KUBELET, **documents.kubelet(config)}
    provider = "secretbox" if config.kubernetes.encrypt_secrets else ""
    return Facts(pods, kubelet, MODES, provider, True)


def missed(facts: Facts) -> list[str]:
    return [point.id for point, found in judged(facts) if found]


def test_a_cluster_with_all_that_we_offer_meets_every_point() -> None:
    assert missed(made()) == []


def test_what_is_not_met_without_further_words() -> None:
    assert missed(made("", "1.20.2")) == ["1.2.5", "4.2.11", "5.2.1"]


def test_what_kubeadm_alone_does_not_meet() -> None:
    facts = Facts(KUBEADM, KUBELET, MODES, "", True)
    assert missed(facts) == [
        *("1.2.5", "1.2.15", "1.2.16-19", "1.2.27-28", "1.2.29", "1.3.2", "1.4.1", "3.2.1"),
        *("4.2.11", "4.2.12", "5.2.1"),
    ]


def test_a_worker_is_held_against_what_is_on_it() -> None:
    found = [point.id for point, _ in judged(replace(made(), infra=False, pods={}))]
    assert found and all(point.startswith(("1.1.9", "4.")) for point in found)


@pytest.mark.parametrize(
    ("pod", "flag", "value", "id"),
    [
        ("kube-apiserver", "token-auth-file", "/x", "1.2.2"),
        ("kube-apiserver", "authorization-mode", "Node,RBAC,AlwaysAllow", "1.2.6-8"),
        ("kube-apiserver", "authorization-mode", "RBAC", "1.2.6-8"),
        ("kube-apiserver", "enable-admission-plugins", "NodeRestriction,AlwaysAdmit", "1.2.10"),
        ("kube-apiserver", "disable-admission-plugins", "ServiceAccount", "1.2.12-13"),
        ("kube-apiserver", "enable-admission-plugins", "X", "1.2.14"),
        ("kube-apiserver", "profiling", "true", "1.2.15"),
        ("kube-apiserver", "audit-log-maxage", "7", "1.2.16-19"),
        ("kube-apiserver", "audit-log-maxsize", "x", "1.2.16-19"),
        ("kube-apiserver", "service-account-lookup", "false", "1.2.21"),
        ("kube-apiserver", "tls-cipher-suites", "TLS_RSA_WITH_AES_128_CBC_SHA", "1.2.29"),
        ("kube-controller-manager", "bind-address", "0.0.0.0", "1.3.7"),
        ("kube-scheduler", "bind-address", "0.0.0.0", "1.4.2"),
        ("etcd", "auto-tls", "true", "2.1-3"),
        ("etcd", "peer-client-cert-auth", "false", "2.4-6"),
        ("etcd", "trusted-ca-file", f"{PKI}/ca.crt", "2.7"),
    ],
)
def test_an_argument(pod: str, flag: str, value: str, id: str) -> None:
    facts = made()
    flags = {**facts.pods[pod], flag: value}
    changed = replace(facts, pods={**facts.pods, pod: flags})
    assert missed(changed) == [id]
    (found,) = (found for point, found in judged(changed) if found)
    assert f"--{flag}={value}" in found


@pytest.mark.parametrize(
    ("path", "mode", "owner", "id"),
    [
        ("/etc/kubernetes/manifests/etcd.yaml", 0o644, "root:root", "1.1.1-8"),
        ("/etc/kubernetes/admin.conf", 0o600, "alice:root", "1.1.13-18"),
        ("/var/lib/etcd", 0o755, "root:root", "1.1.11"),
        (f"{PKI}/ca.key", 0o640, "root:root", "1.1.19-21"),
        ("/etc/cni/net.d/10-dlws.conflist", 0o666, "root:root", "1.1.9-10"),
        ("/etc/kubernetes/kubelet.conf", 0o644, "root:root", "4.1.5-6"),
        ("/var/lib/kubelet/config.yaml", 0o666, "root:root", "4.1.9-10"),
    ],
)
def test_a_mode(path: str, mode: int, owner: str, id: str) -> None:
    facts = replace(made(), modes={**MODES, path: (mode, owner)})
    assert missed(facts) == [id]
    (found,) = (found for _, found in judged(facts) if found)
    assert found == [f"{path} is {mode:o} {owner}"]


@pytest.mark.parametrize(
    ("key", "value", "id"),
    [
        (
            "authentication",
            {"anonymous": {"enabled": True}, "x509": {"clientCAFile": "a"}},
            "4.2.1",
        ),
        ("authorization", {"mode": "AlwaysAllow"}, "4.2.2"),
        ("authorization", 5, "4.2.2"),
        ("readOnlyPort", 10255, "4.2.4"),
        ("makeIPTablesUtilChains", False, "4.2.6"),
        ("rotateCertificates", False, "4.2.10"),
        ("serverTLSBootstrap", False, "4.2.11"),
        ("tlsCipherSuites", 5, "4.2.12"),
    ],
)
def test_a_setting(key: str, value: object, id: str) -> None:
    facts = made()
    assert missed(replace(facts, kubelet={**facts.kubelet, key: value})) == [id]


@pytest.mark.parametrize(("ciphers", "good"), [
    (",".join(controlplane.CIPHERS), True), (list(controlplane.CIPHERS), True),
    ("", False), (None, False), ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", False),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", False),
])  # fmt: skip
def test_strong(ciphers: object, good: bool) -> None:
    assert strong(ciphers) is good


def test_every_point_says_what_and_how() -> None:
    assert len({point.id for point in POINTS}) == len(POINTS) > 35
    assert all(point.subject and point.wanted and point.cure for point in POINTS)


def test_arguments_are_those_that_kubeadm_is_given() -> None:
    config = from_text(CONFIG)
    document = documents.cluster_configuration(config, Endpoint("10.1.0.1", 6443), [])
    assert document["apiServer"]["extraArgs"] == controlplane.arguments(config)["api_server"]
