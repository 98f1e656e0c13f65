"""What the control plane's components and the kubelets are started with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.kubeadm import controlplane, documents
from dlws.kubernetes import started
from dlws.shell.quoting import script
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Expectation,
    Found,
    Origin,
    Question,
    differs,
)

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.config.problems import Path
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session

_HEAD = ("apiVersion", "kind")
_DURATION = re.compile(r"(\d+h)?(\d+m)?(\d+s)?")
_FROM = {
    "service-node-port-range": "node_port_range",
    "admission-control-config-file": "pod_security",
    "kubelet-certificate-authority": "kubelet_serving_certificates",
    controlplane.ENCRYPTION_FLAG: "encrypt_secrets",
}


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if not (node.machine.in_cluster and known.joined(node)):
        return
    config, own = cluster.config, ("machines", node.name)
    if node.machine.is_infra:
        yield from _control_plane_expects(config, own)
    for key, value in documents.kubelet(config).items():
        if key not in _HEAD:
            said: Origin = (("kubernetes", "kubelet", key), ("kubernetes", "kubelet"), own)
            yield Expectation("argument", f"kubelet {key}", json.dumps(value), said, "kubelets")


def _control_plane_expects(config: Config, own: Path) -> Iterator[Expectation]:
    given, seen = controlplane.arguments(config), controlplane.volumes(config)
    for pod, section in controlplane.COMPONENTS.items():
        for flag, value in given[section].items():
            fix = "" if flag == controlplane.ENCRYPTION_FLAG or pod == "etcd" else "controlplane"
            origin = (*flag_origin(section, flag), own)
            yield Expectation("argument", f"{pod} --{flag}", value, origin, fix)
        for volume in seen.get(section, ()):
            paths = f"{volume['hostPath']} at {volume['mountPath']}"
            origin = (("kubernetes", section, "extra_volumes"), ("kubernetes", "version"), own)
            what = f"{pod} volume {volume['name']}"
            yield Expectation("argument", what, paths, origin, "controlplane")


def flag_origin(section: str, flag: str) -> Origin:
    """The keys that an argument stems from."""
    written = ("kubernetes", section, "extra_args", flag)
    ours = "audit" if flag.startswith("audit-") else _FROM.get(flag, "version")
    return (written, ("kubernetes", ours), ("kubernetes", "version"))


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    if wanted:
        yield Question("controlplane", script(template("kubernetes/started.sh"), started.LIMIT))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    of, _, what = thing.what.partition(" ")
    text = next(iter(seen.lines("controlplane", of)), "")
    if not text:
        yield differs(thing, f"cannot be seen: {of} is not set up here", f"{PROGRAM} status")
    elif of == "kubelet":
        yield from _compare_setting(thing, what, started.read(of, text))
    else:
        manifest = started.read(of, text)
        if what.startswith("--"):
            has = started.flags(of, manifest).get(what.removeprefix("--"))
        else:
            has = started.volumes(of, manifest).get(what.removeprefix("volume "))
        if has != thing.wanted:
            yield differs(thing, f"is {_shown(has)}, not {thing.wanted}", _cure(thing))


def _shown(has: str | None) -> str:
    return "missing" if has is None else has or "empty"


def _cure(thing: Expectation) -> str:
    if thing.fix:
        return ""
    if thing.what.endswith(controlplane.ENCRYPTION_FLAG):
        return f"{PROGRAM} kubeadm encrypt (it takes up the key on all infra nodes)"
    return f"{PROGRAM} kubeadm reset of that infra node, then kubeadm join: one at a time"


def _compare_setting(thing: Expectation, key: str, has: Mapping[str, Any]) -> Found:
    wanted = json.loads(thing.wanted)
    if not holds(has.get(key), wanted):
        shown = json.dumps(has[key]) if key in has else "missing"
        yield differs(thing, f"is {shown}, not {thing.wanted}")


def holds(has: Any, wanted: Any) -> bool:
    """Whether a setting is as wanted; what is there besides in a map does not count."""
    if isinstance(has, Mapping) and isinstance(wanted, Mapping):
        return all(key in has and holds(has[key], value) for key, value in wanted.items())
    return bool(_seconds(has) == _seconds(wanted))


def _seconds(value: Any) -> Any:
    """Go's 5m and 5m0s as one number; anything else as it is."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if not match:
        return value
    hours, minutes, seconds = (int((part or "0_")[:-1]) for part in match.groups())
    return ("duration", hours * 3600 + minutes * 60 + seconds)


def _control_plane(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubeadm import configure

    configure.control_plane(session.cluster, nodes)


def _kubelets(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubeadm import configure

    configure.kubelets(session.cluster, nodes)


KIND = Kind(
    "argument",
    _expect,
    _compare,
    _ask,
    {"controlplane": Fix(9, _control_plane), "kubelets": Fix(10, _kubelets)},
)
