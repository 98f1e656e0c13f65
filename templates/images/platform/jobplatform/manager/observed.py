"""Pods as they were seen, reduced to what the manager asks of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobplatform.admission import Amount
from jobplatform.manager import ranktable
from jobplatform.manager.devices import RESOURCES, amount
from jobplatform.manager.pods import ATTEMPT, FINALIZER, JOB, WORKER
from jobplatform.model import names

Object = Mapping[str, Any]
_NO_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_OWN_LIMIT = re.compile(r"exceed(?:s|ed) (?:the|the total|its local ephemeral storage) limit")
"""Kubelets evict pods of what they use beyond their own limit of a disk or an emptyDir, too."""
_NO_START = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


@dataclass(frozen=True)
class Seen:
    """A pod of a job. `gone`: nothing of it runs any more, and nothing will; its name stays.
    `due`: when it should have ended at the latest, where it is being deleted (the API server's
    clock, in milliseconds)."""

    name: str
    namespace: str
    job: str
    attempt: int
    worker: int
    phase: str
    node: str
    deleting: bool
    gone: bool
    why: str = ""
    words: str = ""
    code: int | None = None
    npus: tuple[ranktable.Device, ...] = ()
    due: int = 0


def ours(pod: Object) -> bool:
    """Whether it is a pod that the manager made, by all of its labels and by its name. Others can
    give a pod of theirs some of the labels; a node can, too."""
    meta = pod["metadata"]
    labels = meta.get("labels") or {}
    job, attempt, worker = (str(labels.get(one, "")) for one in (JOB, ATTEMPT, WORKER))
    numbers = all(_NUMBER.fullmatch(one) for one in (attempt, worker))
    return numbers and meta["name"] == names.worker(job, int(attempt), int(worker))


def seen(pod: Object, alive: Set[str]) -> Seen:
    """A pod of ours. `alive` are the nodes that there are and that are not out of service: on
    others, a pod that is being deleted does not run again."""
    meta, status = pod["metadata"], pod.get("status", {})
    deleting = "deletionTimestamp" in meta
    node, phase = pod.get("spec", {}).get("nodeName", ""), status.get("phase", "Pending")
    containers = status.get("containerStatuses") or []
    ended = [one["state"]["terminated"] for one in containers if "terminated" in one["state"]]
    stopped = bool(containers) and len(ended) == len(containers)
    gone = phase in {"Succeeded", "Failed"} or (
        deleting and (stopped or not node or node not in alive)
    )
    why, words = _why(status, containers)
    return Seen(
        meta["name"], meta["namespace"], meta["labels"][JOB], int(meta["labels"][ATTEMPT]),
        int(meta["labels"][WORKER]), phase, node, deleting, gone, why, words,
        ended[0].get("exitCode") if ended else None,
        ranktable.told(meta.get("annotations")), _time(meta.get("deletionTimestamp")),
    )  # fmt: skip


def _why(status: Object, containers: list[Any]) -> tuple[str, str]:
    """Kubernetes' own word for what is wrong with a pod, and the sentence beside it."""
    if status.get("reason") == "Evicted":  # whatever its containers say: a kubelet ended them
        words = str(status.get("message") or "no reason was given").strip()[:500]
        return ("over-limit" if _OWN_LIMIT.search(words) else "evicted"), words
    for one in containers:
        waiting = one["state"].get("waiting", {})
        if waiting.get("reason") in _NO_IMAGE:
            return "image", str(waiting.get("message", waiting["reason"]))
        if waiting.get("reason") in _NO_START:
            return "config", str(waiting.get("message", waiting["reason"]))
        if one["state"].get("terminated", {}).get("reason") == "OOMKilled":
            return "memory", ""
    return _why_whole(status, containers)


def _why_whole(status: Object, containers: list[Any]) -> tuple[str, str]:
    """What is wrong with the pod as a whole, none of whose containers says anything."""
    if status.get("reason") in {"NodeLost", "NodeShutdown", "Terminated", "Shutdown"}:
        return "node-lost", ""
    if status.get("phase") == "Failed" and not containers:
        return "rejected", _rejection(status)
    return "", ""


def _rejection(status: Object) -> str:
    """Why a kubelet did not take a pod that was meant for its node, and began nothing of it:
    OutOfpods, OutOfcpu, NodeAffinity, UnexpectedAdmissionError, ..."""
    told = (str(status.get(one) or "") for one in ("reason", "message"))
    return ": ".join(one for one in told if one)[:500] or "no reason was given"


def requests(pod: Object) -> Amount:
    """What a pod takes of its node."""
    total = Amount(pods=1)
    for container in pod.get("spec", {}).get("containers", []):
        given = container.get("resources", {}).get("requests") or {}
        limits = container.get("resources", {}).get("limits") or {}
        name = next((one for one in RESOURCES if one in limits), "")
        total += amount({**limits, **given}, name)
    return total


def held(pod: Object) -> bool:
    return FINALIZER in (pod["metadata"].get("finalizers") or [])


def _time(text: str | None) -> int:
    """Milliseconds of a time of Kubernetes'."""
    if not text:
        return 0
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
