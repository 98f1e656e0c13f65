"""What the control plane and the kubelets are started with: what contradicts what we need."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from dlws.config.model.config import Config
from dlws.config.model.kubernetes import NODE_PREFIX_FLAGS, Component
from dlws.config.problems import Path
from dlws.config.reading.sources import Sources

COMPONENTS = ("api_server", "controller_manager", "scheduler", "etcd")
# Arguments that follow from a key of kubernetes, by the key.
_KEYED = {
    "secure-port": "api_port",
    "service-cluster-ip-range": "service_cidr",
    "service-node-port-range": "node_port_range",
    "cluster-cidr": "pod_cidr",
}
# Those that kubeadm sets as its other files need them.
_KUBEADM = {
    "api_server": (
        *("advertise-address", "client-ca-file", "tls-cert-file", "tls-private-key-file"),
        *("etcd-servers", "etcd-cafile", "etcd-certfile", "etcd-keyfile"),
        *("kubelet-client-certificate", "kubelet-client-key", "enable-bootstrap-token-auth"),
        *("service-account-key-file", "service-account-signing-key-file"),
    ),
    "controller_manager": (
        *("kubeconfig", "root-ca-file", "service-account-private-key-file"),
        *("cluster-signing-cert-file", "cluster-signing-key-file", "allocate-node-cidrs"),
    ),
    "scheduler": ("kubeconfig",),
    "etcd": (
        *("name", "data-dir", "initial-cluster", "initial-cluster-state"),
        *("listen-client-urls", "listen-peer-urls", "advertise-client-urls"),
        *("initial-advertise-peer-urls", "cert-file", "key-file", "trusted-ca-file"),
        *("peer-cert-file", "peer-key-file", "peer-trusted-ca-file", "client-cert-auth"),
        *("peer-client-cert-auth", "listen-metrics-urls"),
    ),
}
# What every component sees of its node without further volumes.
_SEEN = (
    *("/etc/kubernetes/pki", "/etc/kubernetes/dlws", "/etc/ssl/certs", "/etc/ca-certificates"),
    *("/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/var/lib/etcd", "/dev"),
    *("/var/log/kubernetes", "/etc/kubernetes/scheduler.conf", "/usr/libexec/kubernetes"),
    *("/etc/kubernetes/controller-manager.conf", "/etc/pki"),
)
_OURS = {"dlws": "/etc/kubernetes/dlws", "dlws-audit": "/var/log/kubernetes"}

Finding = tuple[str, str, str]
"""Argument, what is wrong with it, and the cure."""


def arguments(config: Config, sources: Sources) -> None:
    """Arguments that break the cluster are errors; those that only open it are warned of."""
    for name in COMPONENTS:
        given = getattr(config.kubernetes, name).extra_args
        for flag, words, cure in _set_elsewhere(name, given):
            sources.error(_path(name, flag), words, cure)
    for flag, words, cure in _breaking(config, config.kubernetes.api_server.extra_args):
        sources.error(_path("api_server", flag), words, cure)
    for flag, words, cure in _sizes(config):
        sources.error(_path("controller_manager", flag), words, cure)
    for flag, words, cure in _opening(config.kubernetes.api_server.extra_args):
        sources.warn(_path("api_server", flag), words, cure)


def _path(name: str, flag: str) -> Path:
    return ("kubernetes", name, "extra_args", flag)


def _set_elsewhere(name: str, given: dict[str, str]) -> Iterator[Finding]:
    for flag in given:
        if key := _KEYED.get(flag):
            yield flag, f"follows from kubernetes.{key}", f"Write kubernetes.{key}, and remove it."
        elif flag in _KUBEADM[name]:
            yield flag, "kubeadm sets this as the rest of the cluster needs it", "Remove it."


def _breaking(config: Config, given: dict[str, str]) -> Iterator[Finding]:
    if given.get("anonymous-auth") == "false":
        words = "joining nodes and the API server's own probes ask without a name"
        yield "anonymous-auth", words, "Remove it."
    modes = given.get("authorization-mode", "Node,RBAC").split(",")
    if not {"Node", "RBAC"} <= set(modes):
        words = "kubelets need Node and everybody else RBAC"
        yield "authorization-mode", words, "Write Node,RBAC, or more."
    if "encryption-provider-config" in given and config.kubernetes.encrypt_secrets:
        words = "another file than the one that kubernetes.encrypt_secrets makes"
        yield "encryption-provider-config", words, "Write kubernetes.encrypt_secrets: false."


def _sizes(config: Config) -> Iterator[Finding]:
    """How long the prefix of a node's pod range is, which routes are held against."""
    pods = ipaddress.ip_network(config.kubernetes.pod_cidr)
    given = config.kubernetes.controller_manager.extra_args
    for flag in NODE_PREFIX_FLAGS if pods.version == 4 else ():
        text = given.get(flag)
        if text is not None and not (text.isdecimal() and pods.prefixlen <= int(text) <= 30):
            words = f"{text} is not the length of a prefix inside {pods}"
            yield flag, words, f"Write a number from {pods.prefixlen} to 30, or remove it."


def _opening(given: dict[str, str]) -> Iterator[Finding]:
    enabled = given.get("enable-admission-plugins")
    if enabled is not None and "NodeRestriction" not in enabled.split(","):
        words = "without NodeRestriction a node may change other nodes and their labels"
        yield "enable-admission-plugins", words, f"Write NodeRestriction,{enabled}."
    if "NodeRestriction" in given.get("disable-admission-plugins", "").split(","):
        words = "without NodeRestriction a node may change other nodes and their labels"
        yield "disable-admission-plugins", words, "Leave NodeRestriction out."


def paths(config: Config, sources: Sources) -> None:
    """Files that arguments name, which the component's container must see; volumes told apart."""
    for name in COMPONENTS[:3]:
        component: Component = getattr(config.kubernetes, name)
        mounted = [volume.mount_path.rstrip("/") for volume in component.extra_volumes]
        for flag, value in component.extra_args.items():
            known = flag in _KUBEADM[name]
            if value.startswith("/") and not known and not _below(value, (*_SEEN, *mounted)):
                words = f"{value} is a path of the node that the container does not see"
                cure = f"Add its directory to kubernetes.{name}.extra_volumes."
                sources.warn(_path(name, flag), words, cure)
        _volumes(name, component, sources)


def _below(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _volumes(name: str, component: Component, sources: Sources) -> None:
    seen: dict[str, str] = {}
    for number, volume in enumerate(component.extra_volumes):
        at: Path = ("kubernetes", name, "extra_volumes", number)
        ours = _OURS.get(volume.name)
        if ours and volume.mount_path != ours:
            words = f"{volume.name} is the name of our volume for {ours}"
            sources.error((*at, "name"), words, "Choose another name.")
        elif not ours and name == "api_server" and volume.mount_path in _OURS.values():
            words = f"the API server sees {volume.mount_path} already"
            sources.error((*at, "mountPath"), words, "Remove this volume.")
        for value in (volume.name, volume.mount_path):
            if value in seen:
                sources.error(at, f"{value} is given twice", "Give every volume once.")
            seen[value] = value


def kubelet(config: Config, sources: Sources) -> None:
    """Settings of kubelets that contradict ours, or let anybody in."""
    given, approved = config.kubernetes.kubelet, config.kubernetes.kubelet_serving_certificates
    for keys, amiss, words, cure in (
        (("serverTLSBootstrap",), not approved and given.get("serverTLSBootstrap") is True,
         "nobody approves the certificates that kubelets then ask for",
         "Write kubernetes.kubelet_serving_certificates: true, and remove it."),
        (("serverTLSBootstrap",), approved and given.get("serverTLSBootstrap") is False,
         "kubernetes.kubelet_serving_certificates is true, and needs it", "Remove it."),
        (("readOnlyPort",), bool(given.get("readOnlyPort")),
         "shows pods to anybody who asks, without a name", "Write 0, or remove it."),
        (("authentication", "anonymous", "enabled"),
         _at(given, "authentication", "anonymous", "enabled") is True,
         "lets anybody run commands in pods, without a name", "Remove it."),
        (("authorization", "mode"), _at(given, "authorization", "mode") == "AlwaysAllow",
         "lets anybody with a certificate of the cluster run commands in pods", "Remove it."),
    ):  # fmt: skip
        if amiss:
            sources.warn(("kubernetes", "kubelet", *keys), words, cure)
    if approved and config.kubernetes.version.minor < 19:
        where: Path = ("kubernetes", "kubelet_serving_certificates")
        words = f"Kubernetes 1.{config.kubernetes.version.minor} has no API to approve them by"
        sources.error(where, words, "Write false, or choose a version from 1.19.")


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def pod_security(config: Config, sources: Sources) -> None:
    """What releases before PodSecurity make of a choice."""
    where: Path = ("kubernetes", "pod_security")
    minor = config.kubernetes.version.minor
    unused = config.kubernetes.pod_security == "privileged"
    if minor < 23 and sources.is_written(where) and not unused:
        words = f"Kubernetes 1.{minor} cannot limit pods this way"
        sources.warn(where, words, "Choose a version from 1.23, or write privileged.")
