"""What the control plane's components are started with, and the files that they read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlws.core import resources
from dlws.core.version import Version
from dlws.kubernetes import versions
from dlws.shell.files import File

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.config.model.kubernetes import HostPath

Document = dict[str, Any]
DIRECTORY = "/etc/kubernetes/dlws"
"""What API servers read of ours; they see the whole directory."""
ENCRYPTION = f"{DIRECTORY}/encryption.yaml"
AUDIT_POLICY, ADMISSION = f"{DIRECTORY}/audit-policy.yaml", f"{DIRECTORY}/admission.yaml"
LOGS = "/var/log/kubernetes"
COMPONENTS = {
    "kube-apiserver": "api_server",
    "kube-controller-manager": "controller_manager",
    "kube-scheduler": "scheduler",
    "etcd": "etcd",
}
"""Each static pod of the control plane, and its section of config.yaml."""
ENCRYPTION_FLAG = "encryption-provider-config"
CIPHERS = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
)
"""For TLS 1.2; those of TLS 1.3 are all good and cannot be chosen."""
_TLS = {"tls-min-version": "VersionTLS12", "tls-cipher-suites": ",".join(CIPHERS)}
_AUDIT = {
    "audit-policy-file": AUDIT_POLICY,
    "audit-log-path": f"{LOGS}/audit.log",
    "audit-log-maxage": "30",  # days
    "audit-log-maxbackup": "10",  # files
    "audit-log-maxsize": "100",  # MiB
}
EXEMPT = ("kube-system", "kube-flannel")
"""Namespaces of the cluster's own pods, which need the host."""


def running(config: Config, sealed: bool) -> Config:
    """The configuration with what is decided when a cluster is made: whether Secrets are sealed."""
    kubernetes = config.kubernetes.model_copy(update={"encrypt_secrets": sealed})
    return config.model_copy(update={"kubernetes": kubernetes})


def arguments(config: Config) -> dict[str, dict[str, str]]:
    """What each component is started with besides what kubeadm gives it: ours, then theirs."""
    kubernetes = config.kubernetes
    quiet = {"profiling": "false"}
    ours = {
        "api_server": api_server(config),
        "controller_manager": quiet,
        "scheduler": quiet,
        "etcd": {},
    }
    return {name: {**ours[name], **getattr(kubernetes, name).extra_args} for name in ours}


def api_server(config: Config) -> dict[str, str]:
    """Our arguments of the API server."""
    kubernetes = config.kubernetes
    made = {"service-node-port-range": kubernetes.node_port_range, "profiling": "false", **_TLS}
    if kubernetes.audit:
        made |= _AUDIT
    if kubernetes.encrypt_secrets:
        made[ENCRYPTION_FLAG] = ENCRYPTION
    if pod_security_api(config):
        made["admission-control-config-file"] = ADMISSION
    if kubernetes.kubelet_serving_certificates:
        made["kubelet-certificate-authority"] = "/etc/kubernetes/pki/ca.crt"
    return made


def volumes(config: Config) -> dict[str, list[Document]]:
    """The paths of the node that each component sees besides those of kubeadm."""
    kubernetes = config.kubernetes
    ours: dict[str, Document] = {}
    if files(config) or kubernetes.encrypt_secrets:
        ours["dlws"] = _volume("dlws", DIRECTORY, read_only=True)
    if kubernetes.audit:
        ours["dlws-audit"] = _volume("dlws-audit", LOGS)
    theirs = {
        name: {volume.name: written(volume) for volume in getattr(kubernetes, name).extra_volumes}
        for name in ("api_server", "controller_manager", "scheduler")
    }
    theirs["api_server"] = {**ours, **theirs["api_server"]}
    return {name: list(found.values()) for name, found in theirs.items()}


def _volume(name: str, path: str, read_only: bool = False) -> Document:
    return {
        "name": name,
        "hostPath": path,
        "mountPath": path,
        "readOnly": read_only,
        "pathType": "DirectoryOrCreate",
    }


def written(volume: HostPath) -> Document:
    """A volume in kubeadm's spelling."""
    return {key: value for key, value in volume.model_dump(by_alias=True).items() if value != ""}


def sections(config: Config) -> Document:
    """The parts of ClusterConfiguration that say how the components are started."""
    version, given, seen = config.kubernetes.version, arguments(config), volumes(config)
    made: Document = {}
    for name, key in (
        ("api_server", "apiServer"),
        ("controller_manager", "controllerManager"),
        ("scheduler", "scheduler"),
    ):
        made[key] = {"extraArgs": listed(version, given[name])}
        if seen[name]:
            made[key]["extraVolumes"] = seen[name]
    if given["etcd"]:
        made["etcd"] = {"local": {"extraArgs": listed(version, given["etcd"])}}
    return made


def listed(version: Version, values: Mapping[str, str]) -> Any:
    """Extra arguments: a mapping, from v1beta4 a list of name and value."""
    if versions.feature("kubeadm", version).endswith("v1beta4"):
        return [{"name": name, "value": value} for name, value in values.items()]
    return dict(values)


def files(config: Config) -> list[File]:
    """The files that API servers read, but for the key of Secrets; for root alone."""
    found = []
    if config.kubernetes.audit:
        policy = (resources.templates() / "kubernetes/audit-policy.yaml").read_bytes()
        found.append(File(AUDIT_POLICY, policy, 0o600))
    if api := pod_security_api(config):
        found.append(File(ADMISSION, encoded(admission(config, api)), 0o600))
    return found


def pod_security_api(config: Config) -> str:
    """The version of PodSecurity's configuration; empty where it is not used."""
    kubernetes = config.kubernetes
    unused = kubernetes.pod_security == "privileged"
    return "" if unused else versions.feature("pod_security", kubernetes.version)


def admission(config: Config, api: str) -> Document:
    """What pods may do in namespaces that say nothing about it."""
    enforce = config.kubernetes.pod_security
    levels = {"enforce": enforce, "audit": "restricted", "warn": "restricted"}
    latest = {f"{what}-version": "latest" for what in levels}
    exempt = list(dict.fromkeys([*EXEMPT, *config.kubernetes.pod_security_exempt]))
    settings = {
        "apiVersion": api,
        "kind": "PodSecurityConfiguration",
        "defaults": {**levels, **latest},
        "exemptions": {"usernames": [], "runtimeClasses": [], "namespaces": exempt},
    }
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "configuration": settings}],
    }


def encryption(key: str) -> Document:
    """How API servers keep Secrets: with a key (32 bytes, base64); plain ones can be read."""
    ways: list[Document] = [
        {"secretbox": {"keys": [{"name": "key1", "secret": key}]}},
        {"identity": {}},
    ]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": ways}],
    }


def kubelet(config: Config) -> Document:
    """Our settings of kubelets."""
    made: Document = {"tlsMinVersion": "VersionTLS12", "tlsCipherSuites": list(CIPHERS)}
    if config.kubernetes.kubelet_serving_certificates:
        made["serverTLSBootstrap"] = True
    return made


def encoded(document: Document) -> bytes:
    """A document as YAML."""
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()
