"""The points of the CIS Kubernetes Benchmark (1.9) that a kubeadm cluster can meet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Flags = Mapping[str, str]
_WEAK = ("_CBC_", "_RC4_", "_3DES_")
_STRONG = ("TLS_ECDHE_", "TLS_AES_", "TLS_CHACHA20_")


@dataclass(frozen=True)
class Facts:
    """What a node has: arguments by component, the kubelet's settings, modes of files."""

    pods: Mapping[str, Flags] = field(default_factory=dict)
    kubelet: Mapping[str, Any] = field(default_factory=dict)
    modes: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    provider: str = ""
    infra: bool = False


Found = Iterator[str]
"""What is found that is not as it should be; nothing where all is well."""


@dataclass(frozen=True)
class Point:
    """One point: `look` yields what is found amiss, `wanted` says what should be, `cure` how."""

    id: str
    subject: str
    wanted: str
    look: Callable[[Facts], Found]
    cure: str
    everywhere: bool = False
    """Whether it is about every node, not about infra nodes alone."""


def flag(pod: str, name: str, good: Callable[[str], bool], needed: bool = True) -> Any:
    """An argument with a value that is good; without `needed` it may be missing."""

    def look(facts: Facts) -> Found:
        value = facts.pods.get(pod, {}).get(name)
        if value is None:
            if needed:
                yield f"--{name} is missing"
        elif not good(value):
            yield f"--{name}={value}"

    return look


def setting(path: str, good: Callable[[Any], bool]) -> Any:
    """A setting of the kubelet; None stands for one that is not written."""

    def look(facts: Facts) -> Found:
        value: Any = facts.kubelet
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if not good(value):
            yield f"{path} is {'not set' if value is None else value}"

    return look


def modes(allowed: int, *places: str, owner: str = "root:root", end: str = "") -> Any:
    """Files at or below these paths: at most this mode, and this owner. A / at the end: below."""

    def look(facts: Facts) -> Found:
        for path, (mode, owned) in sorted(facts.modes.items()):
            at = any(path.startswith(p) if p.endswith("/") else path == p for p in places)
            if at and path.endswith(end) and (mode & ~allowed or owned != owner):
                yield f"{path} is {mode:o} {owned}"

    return look


def all_of(*looks: Callable[[Facts], Found]) -> Callable[[Facts], Found]:
    def look(facts: Facts) -> Found:
        for one in looks:
            yield from one(facts)

    return look


def at_least(number: int) -> Callable[[str], bool]:
    return lambda value: value.isdigit() and int(value) >= number


def has(*words: str) -> Callable[[str], bool]:
    return lambda value: set(words) <= set(value.split(","))


def lacks(*words: str) -> Callable[[str], bool]:
    return lambda value: not set(words) & set(value.split(","))


def given(value: str) -> bool:
    return bool(value)


def strong(value: Any) -> bool:
    """Whether ciphers, as text or list, are all good ones."""
    names = value.split(",") if isinstance(value, str) else value
    return isinstance(names, list) and all(
        str(name).startswith(_STRONG) and not any(part in str(name) for part in _WEAK)
        for name in names
    )


def _provider(facts: Facts) -> Found:
    if facts.provider not in ("secretbox", "aescbc", "kms"):
        yield f"the first provider is {facts.provider or 'none'}"


def _pod_security(facts: Facts) -> Found:
    flags = facts.pods.get("kube-apiserver", {})
    plugins = flags.get("enable-admission-plugins", "")
    if "admission-control-config-file" not in flags and "PodSecurityPolicy" not in plugins:
        yield "nothing limits pods in namespaces without labels"


_API, _MANAGER, _SCHEDULER, _ETCD = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
)
_MADE = "kubeadm makes it so: see who changed /etc/kubernetes/manifests there"
_CHMOD = "on that node: chown root:root FILE and chmod 600 FILE (directories 700)"
_CONF, _PKI = "/etc/kubernetes", "/etc/kubernetes/pki/"
_FIX = "then verify --fix"


def _off(value: str) -> bool:
    return value == "false"


def _on(value: str) -> bool:
    return value == "true"


def _here(value: str) -> bool:
    return value in ("127.0.0.1", "::1", "localhost")


def _api(name: str, good: Callable[[str], bool] = given, needed: bool = True) -> Any:
    return flag(_API, name, good, needed)


def _etcd(name: str, good: Callable[[str], bool] = given, needed: bool = True) -> Any:
    return flag(_ETCD, name, good, needed)


POINTS: tuple[Point, ...] = (
    Point("1.1.1-8", "manifests of the control plane", "600 root:root",
          modes(0o700, f"{_CONF}/manifests/", f"{_CONF}/manifests"), _CHMOD),
    Point("1.1.9-10", "CNI files", "600 root:root, directory 755 at most",
          modes(0o755, "/etc/cni/net.d", "/etc/cni/net.d/"), _CHMOD, True),
    Point("1.1.11", "etcd's data directory", "700 root:root",
          modes(0o700, "/var/lib/etcd"), _CHMOD),
    Point("1.1.13-18", "kubeconfigs of the control plane", "600 root:root",
          modes(0o600, *(f"{_CONF}/{name}.conf" for name in (
              "admin", "super-admin", "scheduler", "controller-manager"))), _CHMOD),
    Point("1.1.19-21", "keys and certificates", "600 root:root, certificates 644 at most",
          all_of(modes(0o644, _PKI, end=".crt"), modes(0o600, _PKI, end=".key")), _CHMOD),
    Point("1.2.2", "no static tokens", "no --token-auth-file",
          _api("token-auth-file", lambda value: False, False), _MADE),
    Point("1.2.4", "API server's certificate for kubelets", "certificate and key",
          all_of(_api("kubelet-client-certificate"), _api("kubelet-client-key")), _MADE),
    Point("1.2.5", "kubelets' certificates verified", "--kubelet-certificate-authority",
          _api("kubelet-certificate-authority"),
          f"kubernetes.kubelet_serving_certificates: true, {_FIX}"),
    Point("1.2.6-8", "authorization", "Node and RBAC, not AlwaysAllow",
          all_of(_api("authorization-mode", has("Node", "RBAC")),
                 _api("authorization-mode", lacks("AlwaysAllow"))), _MADE),
    Point("1.2.10", "admission: no AlwaysAdmit", "not enabled",
          _api("enable-admission-plugins", lacks("AlwaysAdmit"), False), _MADE),
    Point("1.2.12-13", "admission: ServiceAccount, NamespaceLifecycle", "not disabled",
          _api("disable-admission-plugins", lacks("ServiceAccount", "NamespaceLifecycle"), False),
          _MADE),
    Point("1.2.14", "admission: NodeRestriction", "enabled",
          _api("enable-admission-plugins", has("NodeRestriction")), _MADE),
    Point("1.2.15", "API server's profiling", "false", _api("profiling", _off), f"run {_FIX[5:]}"),
    Point("1.2.16-19", "audit log", "kept for 30 days, 10 files of 100 MB",
          all_of(_api("audit-log-path"), _api("audit-log-maxage", at_least(30)),
                 _api("audit-log-maxbackup", at_least(10)),
                 _api("audit-log-maxsize", at_least(100))),
          f"kubernetes.audit: true, {_FIX}"),
    Point("1.2.21", "service accounts looked up", "not false",
          _api("service-account-lookup", _on, False), _MADE),
    Point("1.2.22", "key of service accounts", "a file", _api("service-account-key-file"), _MADE),
    Point("1.2.23, 1.2.26", "API server's certificate for etcd", "certificate, key and CA",
          all_of(_api("etcd-certfile"), _api("etcd-keyfile"), _api("etcd-cafile")), _MADE),
    Point("1.2.24-25", "API server's TLS", "certificate, key and client CA",
          all_of(_api("tls-cert-file"), _api("tls-private-key-file"), _api("client-ca-file")),
          _MADE),
    Point("1.2.27-28", "Secrets encrypted in etcd", "secretbox, aescbc or kms first",
          all_of(_api("encryption-provider-config"), _provider),
          "kubernetes.encrypt_secrets: true, then kubeadm encrypt"),
    Point("1.2.29", "API server's ciphers", "strong ones alone",
          _api("tls-cipher-suites", strong), f"run {_FIX[5:]}"),
    Point("1.3.2", "controller manager's profiling", "false",
          flag(_MANAGER, "profiling", _off), f"run {_FIX[5:]}"),
    Point("1.3.3", "controllers' own accounts", "true",
          flag(_MANAGER, "use-service-account-credentials", _on), _MADE),
    Point("1.3.4-5", "controller manager's keys", "service account key and root CA",
          all_of(flag(_MANAGER, "service-account-private-key-file", given),
                 flag(_MANAGER, "root-ca-file", given)), _MADE),
    Point("1.3.7", "controller manager's address", "127.0.0.1",
          flag(_MANAGER, "bind-address", _here), _MADE),
    Point("1.4.1", "scheduler's profiling", "false",
          flag(_SCHEDULER, "profiling", _off), f"run {_FIX[5:]}"),
    Point("1.4.2", "scheduler's address", "127.0.0.1",
          flag(_SCHEDULER, "bind-address", _here), _MADE),
    Point("2.1-3", "etcd's TLS for clients", "certificate, key, client certificates",
          all_of(_etcd("cert-file"), _etcd("key-file"), _etcd("client-cert-auth", _on),
                 _etcd("auto-tls", _off, False)), _MADE),
    Point("2.4-6", "etcd's TLS between members", "certificate, key, client certificates",
          all_of(_etcd("peer-cert-file"), _etcd("peer-key-file"),
                 _etcd("peer-client-cert-auth", _on), _etcd("peer-auto-tls", _off, False)), _MADE),
    Point("2.7", "a CA of etcd's own", "not the cluster's",
          _etcd("trusted-ca-file", lambda value: value != f"{_PKI}ca.crt"), _MADE),
    Point("3.2.1", "audit policy", "a file", _api("audit-policy-file"),
          f"kubernetes.audit: true, {_FIX}"),
    Point("4.1.1-2", "kubelet's unit", "not writable by others, root:root",
          modes(0o755, "/etc/systemd/system/kubelet.service.d/",
                "/etc/systemd/system/kubelet.service", "/lib/systemd/system/kubelet.service"),
          _CHMOD, True),
    Point("4.1.5-6", "kubelet's kubeconfig", "600 root:root",
          modes(0o600, f"{_CONF}/kubelet.conf"), _CHMOD, True),
    Point("4.1.7-8", "CA of clients", "644 root:root at most",
          modes(0o644, f"{_PKI}ca.crt"), _CHMOD, True),
    Point("4.1.9-10", "kubelet's settings", "644 root:root at most",
          modes(0o644, "/var/lib/kubelet/config.yaml"), _CHMOD, True),
    Point("4.2.1", "kubelet: nobody without a name", "authentication.anonymous.enabled: false",
          setting("authentication.anonymous.enabled", lambda value: value is False),
          f"kubernetes.kubelet, {_FIX}", True),
    Point("4.2.2", "kubelet: authorization", "not AlwaysAllow",
          setting("authorization.mode", lambda value: value == "Webhook"),
          f"kubernetes.kubelet, {_FIX}", True),
    Point("4.2.3", "kubelet: CA of clients", "a file",
          setting("authentication.x509.clientCAFile", bool), f"kubernetes.kubelet, {_FIX}", True),
    Point("4.2.4", "kubelet: read-only port", "0",
          setting("readOnlyPort", lambda value: not value), f"kubernetes.kubelet, {_FIX}", True),
    Point("4.2.6", "kubelet: its iptables chains", "true",
          setting("makeIPTablesUtilChains", lambda value: value is not False),
          f"kubernetes.kubelet, {_FIX}", True),
    Point("4.2.10", "kubelet: certificates renewed", "not false",
          setting("rotateCertificates", lambda value: value is not False),
          f"kubernetes.kubelet, {_FIX}", True),
    Point("4.2.11", "kubelet: serving certificate of the cluster's CA", "true",
          setting("serverTLSBootstrap", lambda value: value is True),
          f"kubernetes.kubelet_serving_certificates: true, {_FIX}", True),
    Point("4.2.12", "kubelet: ciphers", "strong ones alone",
          setting("tlsCipherSuites", strong), f"run {_FIX[5:]}", True),
    Point("5.2.1", "a limit to what pods may do", "PodSecurity's defaults",
          _pod_security, "kubernetes.pod_security: baseline, from Kubernetes 1.23"),
)  # fmt: skip


def judged(facts: Facts) -> Iterator[tuple[Point, list[str]]]:
    """Each point that is about a node, and what is found amiss there."""
    for point in POINTS:
        if facts.infra or point.everywhere:
            yield point, list(point.look(facts))
