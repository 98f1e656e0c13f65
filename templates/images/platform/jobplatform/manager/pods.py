"""The objects of a job, as data. Nothing that a user gave is ever read as a template: it stands
as a value where Kubernetes takes a value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobplatform.manager import ranktable
from jobplatform.manager.devices import NO_GPU
from jobplatform.model import names
from jobplatform.model.request import Request

JOB, ATTEMPT, WORKER = "dlws.io/job", "dlws.io/attempt", "dlws.io/worker"
FINALIZER = "dlws.io/tombstone"
"""A pod that ended keeps its name until the manager lets it go: so an old leader that wakes up
late cannot make the same worker a second time."""
PORT = 29500
_GRACE = 60
_IDLE = "trap 'exit 0' TERM; sleep infinity & wait"


@dataclass(frozen=True)
class Person:
    """Under whose numbers a job runs."""

    name: str
    alias: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job: who, what, where. `resource` is what its nodes call its devices."""

    id: str
    number: int
    person: Person
    request: Request
    nodes: tuple[str, ...]
    resource: str = ""
    claim: str = ""
    folder: str = ""

    @property
    def name(self) -> str:
        return names.attempt(self.id, self.number)

    @property
    def namespace(self) -> str:
        return names.namespace(self.request.vc)

    def worker(self, index: int) -> str:
        return names.worker(self.id, self.number, index)

    @property
    def ranked(self) -> str:
        """The name of the object with its rank table; nothing where its devices need none."""
        return f"{self.name}-hccl" if self.resource in ranktable.RESOURCES else ""

    def host(self, index: int) -> str:
        return f"{self.worker(index)}.{self.name}"


def literal(text: str) -> str:
    """Kubernetes puts variables in place of $(NAME) in commands and values; users' dollars stay."""
    return text.replace("$", "$$")


def label(text: str) -> str:
    """A text as a label's value: for people who look for it, never for decisions."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")


def objects(attempt: Attempt) -> list[tuple[str, dict[str, Any]]]:
    """Kind and object, in the order in which they are made."""
    made = [("services", service(attempt)), ("configmaps", hostfile(attempt))]
    pods = (pod(attempt, index) for index in range(attempt.request.workers))
    return [*made, *(("pods", one) for one in pods)]


def _meta(attempt: Attempt, name: str, **more: str) -> dict[str, Any]:
    asked = attempt.request
    labels = {
        JOB: attempt.id, ATTEMPT: str(attempt.number), "run": attempt.id, "jobId": attempt.id,
        "type": "job", "userName": label(attempt.person.alias), "vcName": label(asked.vc),
        "preemptionAllowed": str(asked.preemptible).lower(), **more,
    }  # fmt: skip
    return {"name": name, "namespace": attempt.namespace, "labels": labels}


def service(attempt: Attempt) -> dict[str, Any]:
    """Names for the workers; an inference job's address as well."""
    port = attempt.request.port
    spec: dict[str, Any] = {
        "selector": {JOB: attempt.id, ATTEMPT: str(attempt.number)},
        "ports": [{"name": "job", "port": port or PORT}],
    }
    if port is None:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(attempt, attempt.name),
            "spec": spec}  # fmt: skip


def hostfile(attempt: Attempt) -> dict[str, Any]:
    slots = max(attempt.request.devices, 1)
    lines = (f"{attempt.host(index)} slots={slots}\n" for index in range(attempt.request.workers))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(attempt, attempt.name),
            "data": {"hostfile": "".join(lines)}}  # fmt: skip


def rank_table(attempt: Attempt, found: Sequence[Sequence[ranktable.Device]]) -> dict[str, Any]:
    """The table for the devices of each worker: workers wait for this object."""
    text = ranktable.table([(attempt.worker(i), devices) for i, devices in enumerate(found)])
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(attempt, attempt.ranked),
            "data": {ranktable.FILE: text}}  # fmt: skip


def pod(attempt: Attempt, index: int) -> dict[str, Any]:
    asked, name = attempt.request, attempt.worker(index)
    meta = _meta(attempt, name, **{WORKER: str(index), "podName": name, "jobRole": "worker"})
    spec = {
        "restartPolicy": "Always" if asked.kind == "inference" else "Never",
        "hostname": name,
        "subdomain": attempt.name,
        "terminationGracePeriodSeconds": _GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": _on(attempt.nodes[index]),
        "securityContext": _as(attempt.person),
        "containers": [_container(attempt, index)],
        "volumes": _volumes(attempt),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "finalizers": [FINALIZER]},
            "spec": spec}  # fmt: skip


def tombstone(attempt: Attempt, index: int) -> dict[str, Any]:
    """A pod that can run nowhere: it holds the name of a worker that was never made."""
    made = pod(attempt, index)
    made["spec"]["affinity"] = _on("dlws-nowhere")
    return made


def _on(node: str) -> dict[str, Any]:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _as(person: Person) -> dict[str, Any]:
    return {
        "runAsUser": person.uid, "runAsGroup": person.gid, "runAsNonRoot": True,
        "supplementalGroups": list(person.groups), "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


def _container(attempt: Attempt, index: int) -> dict[str, Any]:
    asked = attempt.request
    amounts = {"cpu": f"{asked.cpu_millis}m", "memory": f"{asked.memory_mib}Mi"}
    if asked.devices:
        amounts[attempt.resource] = str(asked.devices)
    return {
        "name": "job",
        "image": asked.image,
        "command": _command(attempt, index),
        "workingDir": "/job",
        "env": [{"name": key, "value": value} for key, value in _env(attempt, index).items()],
        "resources": {"limits": amounts, "requests": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(attempt),
        **({"ports": [{"containerPort": asked.port}]} if asked.port else {}),
    }  # fmt: skip


def _command(attempt: Attempt, index: int) -> list[str]:
    if attempt.request.launch == "first" and index > 0:
        return ["/bin/sh", "-c", _IDLE]
    first = [literal(ranktable.WAIT)] if attempt.ranked else []
    return ["/bin/sh", "-c", *first, literal(attempt.request.command)]


def _env(attempt: Attempt, index: int) -> Mapping[str, str]:
    """The user's variables, then ours: users cannot name these. Each of ours has the two names
    under which scripts know it."""
    asked, person = attempt.request, attempt.person
    facts = {
        "JOB_ID": attempt.id, "ROLE_NAME": "worker", "ROLE_IDX": str(index),
        "WORKER_NUM": str(asked.workers), "NUM_WORKER": str(asked.workers), "NUM_PS": "0",
        "NUM_GPU_PER_WORKER": str(asked.devices), "UID": str(person.uid), "GID": str(person.gid),
        "USER_NAME": person.alias, "USER_EMAIL": literal(person.name), "VC_NAME": literal(asked.vc),
        "PREEMPTIBLE": str(asked.preemptible).lower(), "ATTEMPT": str(attempt.number),
    }  # fmt: skip
    twins = {f"{word}_{key}": value for key, value in facts.items() for word in ("DLWS", "DLTS")}
    meeting = {"MASTER_ADDR": attempt.host(0), "MASTER_PORT": str(PORT), "RANK": str(index),
               "WORLD_SIZE": str(asked.workers)}  # fmt: skip
    if attempt.ranked:
        meeting["RANK_TABLE_FILE"] = f"{ranktable.PLACE}/{ranktable.FILE}"
    home = {"HOME": f"/home/{person.alias}", "USER": person.alias}
    given = {key: literal(value) for key, value in asked.env.items()}
    none = {} if asked.devices else NO_GPU
    return {**home, **meeting, **given, **twins, **none}


def _mounts(attempt: Attempt) -> list[dict[str, Any]]:
    home = f"/home/{attempt.person.alias}"
    found: list[dict[str, Any]] = [
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "hosts", "mountPath": ranktable.PLACE, "readOnly": True},
    ]
    if not attempt.claim:
        own = [{"name": "job", "mountPath": "/job"}, {"name": "home", "mountPath": home}]
        return [*found, *own]
    mine = {"mountPath": home, "subPath": f"work/{attempt.person.alias}"}
    job = {"mountPath": "/job", "subPath": attempt.folder}
    return [*found, {"name": "share", **job}, {"name": "share", **mine}]


def _volumes(attempt: Attempt) -> list[dict[str, Any]]:
    half = f"{max(attempt.request.memory_mib // 2, 1)}Mi"
    found: list[dict[str, Any]] = [
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": half}},
        {"name": "hosts", **_hosts(attempt)},
    ]
    if attempt.claim:
        return [*found, {"name": "share", "persistentVolumeClaim": {"claimName": attempt.claim}}]
    return [*found, {"name": "job", "emptyDir": {}}, {"name": "home", "emptyDir": {}}]


def _hosts(attempt: Attempt) -> dict[str, Any]:
    """The hostfile; and the rank table, which comes later."""
    if not attempt.ranked:
        return {"configMap": {"name": attempt.name}}
    later = {"configMap": {"name": attempt.ranked, "optional": True}}
    return {"projected": {"sources": [{"configMap": {"name": attempt.name}}, later]}}
