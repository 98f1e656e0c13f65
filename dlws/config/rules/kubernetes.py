"""Kubernetes: its container runtime, and who carries the labels of services."""

from __future__ import annotations

from collections.abc import Iterable

from dlws.config.model.config import Config
from dlws.config.model.labels import NODE_TYPES, is_label_name, is_label_value, like
from dlws.config.model.machines import Machine
from dlws.config.problems import Path, closest
from dlws.config.reading.sources import Sources
from dlws.config.rules.walk import at


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
        sources.error(where, f"anybody on the way can change {url}", "Write it with https://.")
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


_VALUES = ("sku", "node-group", "vc", "rack", "gpu-type")
_NAMES = ("type", "vendor", "series")
"""Keys of machines that become values of labels, and those that become names of some."""


def label_values(config: Config, sources: Sources) -> None:
    """What becomes a label of a node is one that Kubernetes takes."""
    keys = dict.fromkeys((*_VALUES, *config.kubemarks))
    for name, machine in config.machines.items():
        path: Path = ("machines", name)
        for inside, text in at(machine, (*keys, "labels/*")):
            if not is_label_value(text):
                _refused((*path, *inside), f'"{text}" as the value of a label', text, sources)
        for inside, text in at(machine, _NAMES):
            if text and not is_label_name(text):
                _refused((*path, *inside), f'"{text}" as the name of a label', text, sources)
        _names(machine.labels, (*path, "labels"), sources)
    _names(config.kubelabels, ("kubelabels",), sources)


def _names(labels: Iterable[str], path: Path, sources: Sources) -> None:
    for label in labels:
        if not is_label_name(label):
            words = f'"{label}" as the name of a label'
            _refused((*path, label), words, label, sources, key=True)


def _refused(path: Path, words: str, text: str, sources: Sources, key: bool = False) -> None:
    near = like(text)
    sources.error(
        path,
        f"Kubernetes does not take {words}",
        (f"Write {near}. " if near else "")
        + "It takes letters, digits, '-', '_' and '.', 63 at most, with a letter or digit at both "
        "ends.",
        key=key,
    )
