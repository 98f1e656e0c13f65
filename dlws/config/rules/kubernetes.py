"""Kubernetes: its container runtime, and who carries the labels of services."""

from __future__ import annotations

from dlws.config.model.config import Config
from dlws.config.model.labels import NODE_TYPES
from dlws.config.model.machines import Machine
from dlws.config.problems import closest
from dlws.config.reading.sources import Sources


def runtime(config: Config, sources: Sources) -> None:
    version, chosen = config.kubernetes.version, config.container_runtime
    if not chosen or chosen in version.runtimes:
        return
    if chosen == "docker":
        fault, cure = "does not work with docker", "containerd, or choose a version up to 1.23"
    else:
        fault, cure = "is set up with docker", "docker, or choose a version from 1.20"
    words = f"Kubernetes 1.{version.minor} {fault}"
    sources.error(("container_runtime",), words, f"Write {cure}.")


def manifest(config: Config, sources: Sources) -> None:
    """A pod network's manifest is applied as the cluster's administrator."""
    kubernetes = config.kubernetes
    url = kubernetes.network_manifest
    where = ("kubernetes", "network_manifest" if url else "network")
    if "://" in url and not url.startswith("https://"):
        sources.error(where, f"whoever is on the way can change {url}", "Write it with https://.")
        return
    fetched = "://" in url if url else kubernetes.network == "calico"
    if fetched and not kubernetes.network_manifest_sha256:
        what = url or "Calico's manifest"
        sources.warn(
            where,
            f"nothing says what {what} must be, so it will not be applied",
            "Write its sha256 as kubernetes.network_manifest_sha256, or name a file.",
        )


def labels(config: Config, sources: Sources) -> None:
    markers = {
        k for m in config.machines.values() for k in (*type(m).model_fields, *(m.model_extra or {}))
    }
    aliases = {info.alias for info in Machine.model_fields.values() if info.alias}
    known = {*NODE_TYPES, *markers, *aliases}
    for label, nodes in config.kubelabels.items():
        number = nodes.removeprefix("etcd_node_")
        single = nodes.removeprefix("node:")
        if nodes in known or number.isdigit() or (single != nodes and single in config.machines):
            continue
        near = closest(nodes, NODE_TYPES)
        sources.warn(
            ("kubelabels", label),
            f"no machine is meant by {nodes}",
            f"Did you mean {near}?"
            if near
            else f"Use one of {', '.join(NODE_TYPES)}, or node:NAME.",
        )
