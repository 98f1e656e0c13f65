"""Arguments of the control plane that contradict what the cluster needs, each told once."""

from __future__ import annotations

import pytest

from tests.support.configs import assert_problem, look, minimal


def of(section: str, flag: str) -> str:
    return f"kubernetes: {{{section}: {{extra_args: {{{flag}}}}}}}"


def volumes(*rows: str) -> str:
    return f"kubernetes: {{api_server: {{extra_volumes: [{', '.join(rows)}]}}}}"


A = "{name: a, hostPath: /a, mountPath: /a}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (of("api_server", "secure-port: 6444"), "follows from kubernetes.api_port"),
        (of("controller_manager", "cluster-cidr: x"), "follows from kubernetes.pod_cidr"),
        (of("controller_manager", "node-cidr-mask-size: 31"), "31 is not the length of a prefix"),
        (of("controller_manager", "node-cidr-mask-size-ipv4: x"), "x is not the length of a"),
        (of("api_server", "tls-cert-file: /x"), "kubeadm sets this"),
        (of("etcd", "data-dir: /data"), "kubeadm sets this"),
        (of("api_server", "anonymous-auth: false"), "joining nodes"),
        (of("api_server", "authorization-mode: AlwaysAllow"), "kubelets need Node"),
        (of("api_server", "authorization-mode: RBAC"), "kubelets need Node"),
        (
            of("api_server", "encryption-provider-config: /etc/kubernetes/pki/e.yaml"),
            "another file than the one that kubernetes.encrypt_secrets makes",
        ),
        (of("api_server", "--profiling: x"), '"--profiling" is not the name of an argument'),
        (of("scheduler", "v: [1]"), "must be text, not a list"),
        (volumes("{name: a, hostPath: a, mountPath: /a}"), '"a" is a relative path'),
        (volumes("{name: a, hostPath: /a}"), "mountPath is missing"),
        (volumes("{name: a, hostPath: /a, mountPath: /a, pathType: Dir}"), "is not one of"),
        (volumes(A, "{name: b, hostPath: /b, mountPath: /a}"), "/a is given twice"),
        (volumes(A, "{name: a, hostPath: /b, mountPath: /b}"), "a is given twice"),
        (
            volumes("{name: dlws, hostPath: /x, mountPath: /x}"),
            "dlws is the name of our volume",
        ),
        (
            volumes("{name: x, hostPath: /x, mountPath: /var/log/kubernetes}"),
            "the API server sees /var/log/kubernetes already",
        ),
        (
            "kubernetes: {kubelet_serving_certificates: true, version: 1.18.2}",
            "Kubernetes 1.18 has no API to approve them by",
        ),
        ("kubernetes: {pod_security: open}", '"open" is not one of its values'),
    ],
)
def test_error(text: str, message: str) -> None:
    assert_problem(text, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (of("api_server", "enable-admission-plugins: A"), "without NodeRestriction"),
        (of("api_server", "disable-admission-plugins: NodeRestriction"), "without NodeRestriction"),
        (of("scheduler", "config: /etc/s.yaml"), "that the container does not see"),
        (volumes("{name: a, hostPath: /a, mountPath: /a, readonly: true}"), "nothing knows"),
        ("kubernetes: {kubelet: {serverTLSBootstrap: true}}", "nobody approves"),
        (
            "kubernetes: {kubelet_serving_certificates: true, kubelet: {serverTLSBootstrap: no}}",
            "and needs it",
        ),
        ("kubernetes: {kubelet: {readOnlyPort: 10255}}", "shows pods to anybody"),
        (
            "kubernetes: {kubelet: {authentication: {anonymous: {enabled: true}}}}",
            "lets anybody run commands in pods, without a name",
        ),
        ("kubernetes: {kubelet: {authorization: {mode: AlwaysAllow}}}", "lets anybody with"),
        ("kubernetes: {version: 1.22.0, pod_security: baseline}", "cannot limit pods this way"),
    ],
)
def test_warning(text: str, message: str) -> None:
    assert_problem(text, message, level="warning")


@pytest.mark.parametrize(
    "text",
    [
        of("api_server", "profiling: true, v: 4, event-ttl: 2h"),
        of("api_server", "enable-admission-plugins: 'NodeRestriction,EventRateLimit'"),
        of("api_server", "oidc-ca-file: /etc/kubernetes/pki/oidc.crt"),
        "kubernetes: {scheduler: {extra_args: {config: /etc/s/c.yaml},"
        " extra_volumes: [{name: s, hostPath: /etc/s, mountPath: /etc/s/}]}}",
        "kubernetes: {encrypt_secrets: false, api_server: {extra_args:"
        " {encryption-provider-config: /etc/kubernetes/pki/kms.yaml}}}",
        "kubernetes: {version: 1.22.0, pod_security: privileged}",
        "kubernetes: {kubelet: {protectKernelDefaults: true, readOnlyPort: 0}}",
    ],
)
def test_no_problem(text: str) -> None:
    assert look(minimal(text)).problems == []


def test_the_cure_is_what_to_write() -> None:
    text = of("api_server", "enable-admission-plugins: 'A,B'")
    (problem,) = look(minimal(text)).problems
    assert "Write NodeRestriction,A,B." in problem.cure
