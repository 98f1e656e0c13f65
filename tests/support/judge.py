from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dlws.config import Config
from dlws.core.connection import Result
from dlws.core.merge import merged
from dlws.kubeadm import controlplane, documents
from dlws.kubernetes.api import KubeNode
from dlws.prepare import hosts
from dlws.shell import files
from dlws.verify.compare import compare, expected
from dlws.verify.kinds.file import placed as managed_files
from dlws.verify.things import ClusterFacts, Comparison, Difference, Expectation, known_members
from tests.support.fakes import World

NOW = 1_700_000_000.0

MASTER = {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}


@cache
def certificate(end: float) -> str:
    """A certificate that ends then (seconds since 1970), as a node shows it: DER in base64."""
    key = Ed25519PrivateKey.generate()
    day, name = timedelta(days=1), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    until = datetime.fromtimestamp(end, timezone.utc)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, until - day, until)
    der = made.sign(key, None).public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode()


UNITS = (
    "unit=kubelet.service enabled active\n"
    "unit=dlws-pod-network.service enabled active\n"
    "gpu=nvidia0\ngpu=nvidia1\n"
    f"certificate={certificate(NOW + 90 * 86400)} /etc/kubernetes/pki/apiserver.crt\n"
)

LABELS = {"worker01": {"archType": "amd64", "gpu": "active", "nvidia": "active"}}


def manifest(config: Config, pod: str, given: Mapping[str, str | None]) -> dict[str, Any]:
    """A static pod of these arguments, and of the volumes that config.yaml wants."""
    seen = controlplane.volumes(config).get(controlplane.COMPONENTS[pod], [])
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    mounts = [{"name": one["name"], "mountPath": one["mountPath"]} for one in seen]
    volumes = [{"name": one["name"], "hostPath": {"path": one["hostPath"]}} for one in seen]
    container = {"command": [pod, *words], "volumeMounts": mounts}
    return {"spec": {"containers": [container], "volumes": volumes}}


def live(name: str, number: int, **changes: Any) -> KubeNode:
    values: dict[str, Any] = {
        "name": name,
        "labels": LABELS.get(name, {}),
        "taints": (MASTER,) if name.startswith("infra") else (),
        "cordoned": False,
        "ready": True,
        "message": "",
        "version": "v1.20.2",
        "pod_cidr": f"10.244.{number}.0/24",
        "address": f"10.1.0.{number}",
        "allocatable": {"nvidia.com/gpu": "2"} if name == "worker01" else {},
    }
    return KubeNode(**{**values, **changes})


def known_of(world: World, **changes: Any) -> ClusterFacts:
    """What is known where every node has joined; labels are those that are wanted."""
    from dlws.kubernetes import labels
    from dlws.prepare import hosts

    wanted = labels.all_labels(world.cluster.config)
    found = {}
    for number, node in enumerate(world.cluster.nodes, 1):
        given = labels.guarded(wanted(node))
        named = {key: value for key, value in given.items() if value is not None}
        found[node.name] = live(node.name, number, labels=named)
    names = tuple(hosts.names(world.cluster))
    return replace(ClusterFacts(b"", found, "", NOW, known_members(found), names), **changes)


class Judge:
    """Compares a node with its configuration; it answers as a clean one does, but for changes."""

    def __init__(self, world: World, known: ClusterFacts, name: str) -> None:
        self.world, self.known = world, known
        self.node = next(node for node in world.cluster.nodes if node.name == name)
        self.wanted: list[Expectation] = expected(world.cluster, self.node, known)

    def answers(self) -> dict[str, Result]:
        states = [file.state for file in managed_files(self.world.cluster, self.node, self.known)]
        text = hosts.merged("", hosts.lines(self.world.cluster, self.node))
        clean = {thing.what: Result(0) for thing in self.wanted if thing.kind == "script"}
        return {
            **clean,
            "hosts": Result(0, text.encode()),
            "cloud": Result(0),
            "others": Result(0, b"cni=10-flannel.conflist\nage=-1 \n"),
            "files": Result(0, "".join(f"{state}\n" for state in states).encode()),
            "runtime": self.runtime(),
            "kubernetes": Result(0, UNITS.encode()),
            "controlplane": self.started(),
        }

    def started(self) -> Result:
        """What tells how Kubernetes is started, as config.yaml says."""
        config, rows = self.world.cluster.config, dict[str, Any]()
        for pod, section in controlplane.COMPONENTS.items() if self.node.machine.is_infra else ():
            rows[pod] = manifest(config, pod, controlplane.arguments(config)[section])
        rows["kubelet"] = documents.kubelet(config)
        texts = {name: controlplane.encoded(row) for name, row in rows.items()}
        lines = [f"{name}={base64.b64encode(text).decode()}" for name, text in texts.items()]
        return Result(0, "\n".join(lines).encode())

    def runtime(self, **changes: Any) -> Result:
        from dlws.prepare import runtime

        config, machine = self.world.cluster.config, self.node.machine
        kind = config.runtime
        settings = {
            "docker": lambda: runtime.docker_settings(config, runtime.device(machine)),
            "containerd": lambda: runtime.containerd_config(
                {}, runtime.containerd_settings(config, runtime.device(machine))
            ),
        }[kind]()
        facts = "present=yes\nmode=644\ndevice=yes\nkept=yes\nrestart=no\n\n"
        return Result(0, facts.encode() + runtime.format(kind, merged(settings, changes)))

    def __call__(self, **changes: Result) -> list[Difference]:
        named = {key.replace("__", "."): value for key, value in changes.items()}
        seen = Comparison(self.world.cluster, self.node, self.known, {**self.answers(), **named})
        return compare(self.wanted, seen)


def states(*wanted: files.File) -> Result:
    return Result(0, "".join(f"{file.state}\n" for file in wanted).encode())


def session(world: World) -> Any:
    cluster = world.cluster
    return SimpleNamespace(
        cluster=cluster, config=cluster.config, console=cluster.run.console, ask_secret=None
    )
