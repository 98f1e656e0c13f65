"""Kubernetes labels from the configuration: what each node should carry, and the way there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlws.config.model.labels import is_label_name, is_label_value
from dlws.core.errors import DeployError, SomeNodesFailed, UsageError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.kubernetes.api import KubeNode
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

Wanted = dict[str, str | None]
"""Label: value; None where the node must not have it."""

_STATES = ("active", "inactive")
RESTRICTED = "node-restriction.kubernetes.io/"
"""The beginning of names that no kubelet can give its own node: the API server refuses it."""


def guarded(wanted: Wanted) -> Wanted:
    """These labels, and each once more under a name that a node cannot give itself."""
    again = {f"{RESTRICTED}{name}": value for name, value in wanted.items() if "/" not in name}
    return wanted | again


def managed(config: Config) -> set[str]:
    """The names of labels that config.yaml gives to some node or another."""
    names = {*config.kubelabels, "archType", "gpuType", "sku"}
    for machine in config.machines.values():
        names |= {machine.type, machine.vendor, machine.series, *machine.labels}
    return set(guarded(dict.fromkeys(names - {""})))


def nodes_for(config: Config, kinds: str) -> list[str]:
    """The machines that a value of kubelabels means, such as `worker_node` or `etcd_node_1`."""
    found: dict[str, None] = {}
    for kind in re.split(r"[,\s]+", kinds.strip()):
        found.update(dict.fromkeys(_carriers(config, kind)))
    return [name for name in config.machines if name in found]


def _carriers(config: Config, kind: str) -> list[str]:
    machines = config.machines
    infra = [machine.name for machine in config.with_role("infrastructure")]
    if kind == "all":
        return [name for name, machine in machines.items() if machine.in_cluster]
    if kind == "etcd_node":
        return infra
    if match := re.fullmatch(r"etcd_node_(\d+)", kind):
        return infra[int(match[1]) - 1 : int(match[1])] if int(match[1]) else []
    if match := re.fullmatch(r"node:(.+)", kind):
        return [name for name in machines if name == match[1]]
    if match := re.fullmatch(r"(worker|mysqlserver|elasticsearch|nfs|samba)_node", kind):
        return [machine.name for machine in config.with_role(match[1])]
    return [name for name, machine in machines.items() if _has(machine, kind)]


def _given(machine: Machine, key: str) -> Any:
    """What the machine has at this key in the configuration."""
    given = machine.model_dump(by_alias=True, exclude_unset=True)
    return given.get(key, given.get(key.replace("-", "_")))


def _has(machine: Machine, marker: str) -> bool:
    """Whether the machine has this key in the configuration, with a value that says yes."""
    value = _given(machine, marker)
    return value not in (None, False, "", [], {}) and str(value).lower() not in ("false", "no")


def desired_labels(config: Config, node: Node) -> Wanted:
    """Every service label that a node should have, and the labels its machine is given."""
    return for_services(config, "active", ())(node)


def for_services(config: Config, verb: str, services: Sequence[str]) -> Callable[[Node], Wanted]:
    """What `kubernetes labelservice` wants of each node: for all services, or for these."""
    value = None if verb == "remove" else verb
    chosen = services or list(config.kubelabels)
    carrying = {label: set(nodes_for(config, config.kubelabels[label])) for label in chosen}
    every = verb == "active" and not services

    def wanted(node: Node) -> Wanted:
        labels: Wanted = {label: value for label, names in carrying.items() if node.name in names}
        return labels | dict(node.machine.labels) if every else labels

    return wanted


def all_labels(config: Config) -> Callable[[Node], Wanted]:
    """What the installation wants of each node: services, devices, gpuType and sku at once."""
    services = for_services(config, "active", ())

    def wanted(node: Node) -> Wanted:
        machine = node.machine
        devices = worker_labels(machine) | gpu_labels(config, machine) | sku_labels(machine)
        return services(node) | devices

    return wanted


def worker_labels(machine: Machine, as_worker: bool = False) -> Wanted:
    """Architecture and devices: archType, and for workers type, vendor, series and gpuType."""
    wanted: Wanted = {"archType": machine.archtype}
    if not (as_worker or machine.is_worker):
        return wanted
    if machine.type:
        wanted[machine.type] = "active"
    if machine.type in ("gpu", "npu") and machine.vendor:
        wanted[machine.vendor] = "active"
        wanted["gpuType"] = _device(machine)
        if machine.series:
            wanted[machine.series] = "active"
    return wanted


def _device(machine: Machine) -> str:
    return f"{machine.vendor}_{machine.type}_{machine.archtype}"


def gpu_labels(config: Config, machine: Machine) -> Wanted:
    """gpuType of a worker: its own key, else that of its size, else made from its devices."""
    if not machine.is_worker:
        return {}
    size = config.sku_mapping.get(machine.node_group or machine.sku)
    derived = _device(machine) if machine.type in ("gpu", "npu") and machine.vendor else "None"
    return {"gpuType": machine.gpu_type or (size and size.gpu_type) or derived}


def sku_labels(machine: Machine) -> Wanted:
    sku = machine.sku or machine.node_group
    return {"sku": sku} if sku else {}


def vc_labels(machine: Machine) -> Wanted:
    return {"vc": machine.vc or "default"}


def marks(config: Config, machine: Machine, names: Sequence[str] = (), off: bool = False) -> Wanted:
    """What a machine says at the keys that kubemarks names (or at these), as labels; `off`: none
    of them."""
    chosen = names or config.kubemarks
    if unknown := [name for name in chosen if name not in config.kubemarks]:
        raise UsageError(
            f"kubemarks does not name {', '.join(unknown)}",
            f"it names: {' '.join(config.kubemarks) or 'nothing'}",
        )
    if off:
        return dict.fromkeys(chosen)
    told = {name: _mark(machine, name) for name in chosen}
    return {name: value for name, value in told.items() if value}


def _mark(machine: Machine, name: str) -> str:
    value = (machine.sku or machine.node_group) if name == "sku" else _given(machine, name)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def check_services(config: Config, services: Sequence[str]) -> None:
    unknown = [name for name in services if name not in config.kubelabels]
    if unknown:
        raise UsageError(
            f"no service is called {', '.join(unknown)}",
            f"there are: {' '.join(sorted(config.kubelabels))}",
        )


def invalid(wanted: Wanted) -> list[str]:
    """Labels that Kubernetes would refuse."""
    return [
        f"{key}={value}"
        for key, value in wanted.items()
        if not is_label_name(key) or not is_label_value(value or "")
    ]


def conflicts(live: Mapping[str, str], wanted: Wanted) -> list[str]:
    """Labels that somebody gave another value; active and inactive are ours to switch."""
    return [
        label
        for label, value in wanted.items()
        if value is not None
        and label in live
        and live[label] != value
        and not (value in _STATES and live[label] in _STATES)
    ]


def apply(
    cluster: Cluster, wanted: Callable[[Node], Wanted], nodes: Sequence[Node] | None = None
) -> None:
    """Give nodes (the selected ones) their labels: a patch for each that differs, else none."""
    from dlws.kubernetes.api import connect

    chosen = cluster.select() if nodes is None else nodes
    plain = {node.name: wish for node in chosen if (wish := wanted(node))}
    wrong = [f"{name}: {label}" for name, wish in plain.items() for label in invalid(wish)]
    wishes = {name: guarded(wish) for name, wish in plain.items()}
    if wrong:
        raise UsageError(
            "\n  ".join(["Kubernetes would refuse these labels", *wrong]),
            "correct them under machines in config.yaml",
        )
    with connect(cluster) as api:
        live = api.nodes()
        here = {name: wish for name, wish in wishes.items() if name in live}
        clashes = [] if cluster.run.options.yes else _clashes(live, here)
        _patch(cluster, api.patch, live, here)
    _complain(cluster, clashes, _members(cluster, wishes, live))


def _clashes(live: Mapping[str, KubeNode], wishes: Mapping[str, Wanted]) -> list[str]:
    """What others labelled differently, as lines; taken out of the wishes."""
    lines = []
    for name, wish in wishes.items():
        for label in conflicts(live[name].labels, wish):
            lines.append(f"{name}: {label} is {live[name].labels[label]}, not {wish.pop(label)}")
            wish.pop(f"{RESTRICTED}{label}", None)
    return lines


def _patch(
    cluster: Cluster,
    patch: Callable[..., None],
    live: Mapping[str, KubeNode],
    wishes: Mapping[str, Wanted],
) -> None:
    from dlws.kubernetes.api import label_patch

    patches = {name: label_patch(live[name].labels, wish) for name, wish in wishes.items()}
    patches = {name: body for name, body in patches.items() if body}
    what = {name: describe(live[name].labels, wishes[name]) for name in patches}
    actions = [plan.patch(name, f"set {words}", patches[name]) for name, words in what.items()]
    if cluster.run.gate.admit(*actions) and patches:
        patch(patches)
        with cluster.run.console.gathered(list(what)):
            for name, words in what.items():
                cluster.run.console.changed(words, name)
    unchanged = len(wishes) - len(patches)
    cluster.run.console.say(f"labels: {len(patches)} changed, {unchanged} as they should be")


def describe(live: Mapping[str, str], wanted: Wanted) -> str:
    """The difference in kubectl's words: worker=active sku-"""
    words = _words(live, wanted)
    plain = [word for word in words if not word.startswith(RESTRICTED)]
    again = [word.removeprefix(RESTRICTED) for word in words if word.startswith(RESTRICTED)]
    if not again:
        return " ".join(plain)
    same = "the same" if again == plain else " ".join(again)
    return " ".join([*plain, *(["and"] if plain else []), same, f"under {RESTRICTED}"])


def _words(live: Mapping[str, str], wanted: Wanted) -> list[str]:
    words = []
    for label, value in sorted(wanted.items()):
        if value is None and label in live:
            words.append(f"{label}-")
        elif value is not None and live.get(label) != value:
            words.append(f"{label}={value}")
    return words


def _members(
    cluster: Cluster, wishes: Mapping[str, Wanted], live: Mapping[str, KubeNode]
) -> list[str]:
    """Infra nodes and workers that should have labels and are not in the cluster."""
    members = {node.name for node in (*cluster.infra, *cluster.workers)}
    return [name for name in wishes if name in members and name not in live]


def _complain(cluster: Cluster, clashes: Sequence[str], missing: Sequence[str]) -> None:
    if clashes:
        raise DeployError(
            "\n  ".join(["labels with other values were left alone", *clashes]),
            "overwrite them with -y before the command",
        )
    if missing:
        raise SomeNodesFailed(
            f"{fold(missing)}: not in the cluster, so without labels",
            f"run: {PROGRAM} kubeadm join, then this line again",
        )
