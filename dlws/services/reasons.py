"""Why a pod does not come up, in one sentence. Pure but for `asked`, which gets logs and events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlws.core.program import PROGRAM
from dlws.services.kinds import built_in
from dlws.shell.registrywords import explained

if TYPE_CHECKING:
    from dlws.kubernetes.objects import Objects

_PULL = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
         "RegistryUnavailable", "ImageInspectError"}  # fmt: skip
_WRONG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
          "PreCreateHookError", "PostStartHookError"}  # fmt: skip
_LINES = 5
Ask = Literal["", "log", "events"]
_LABELS = re.compile(r"selector|affinity")


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a pod, and what has to be asked to say more."""

    pod: str
    words: str
    ask: Ask = ""
    container: str = ""
    previous: bool = False
    says: str = ""
    """What was answered."""
    about: Literal["", "image", "node"] = ""

    @property
    def cure(self) -> str:
        """What helps, where that can be said."""
        if self.about == "image":
            return explained(self.says).cure
        if self.about == "node" and _LABELS.search(self.says):
            return (
                "give a machine that label (kubelabels in config.yaml, or its own keys), then run: "
                f"{PROGRAM} kubernetes labelservice; {PROGRAM} labelworker"
            )
        return "free what it asks for, uncordon a node, or add one" if self.about == "node" else ""

    def text(self) -> str:
        if self.ask == "log" and self.says:
            lines = "".join(f"\n    {line}" for line in self.says.splitlines())
            return f"{self.words}; its last lines:{lines}"
        return f"{self.words}: {self.says}" if self.says else self.words


def trouble(pod: Mapping[str, Any]) -> Trouble | None:
    """What keeps a pod from becoming ready, where it says so."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    if metadata.get("deletionTimestamp") or status.get("phase") == "Succeeded":
        return None
    where = status.get("hostIP") and (pod.get("spec") or {}).get("nodeName")
    head = f"pod {metadata['name']}{f' on {where}' if where else ''}"
    found = [*_unscheduled(pod, head), *_containers(pod, head)]
    return found[0] if found else None


def _unscheduled(pod: Mapping[str, Any], head: str) -> Iterator[Trouble]:
    for one in (pod.get("status") or {}).get("conditions") or []:
        if (one["type"], one["status"]) != ("PodScheduled", "False"):
            continue
        says = one.get("message", "")
        wants = _selector(pod.get("spec") or {})
        hint = f"; it wants {wants}" if wants and _LABELS.search(says) else ""
        name, told = pod["metadata"]["name"], f"{says.rstrip('.')}{hint}"
        yield Trouble(name, f"{head}: no node fits", says=told, about="node")


def _selector(spec: Mapping[str, Any]) -> str:
    """The labels that a pod asks of its node; not the name that a DaemonSet's pod is bound to."""
    pairs = [f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items()]
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or []:
        for one in term.get("matchExpressions") or []:
            values = ",".join(one.get("values") or [])
            pairs.append(f"{one['key']} {one['operator']} {values}".strip())
    return " ".join(pairs)


def _containers(pod: Mapping[str, Any], head: str) -> Iterator[Trouble]:
    status = pod.get("status") or {}
    images = _images(pod.get("spec") or {})
    for one in (*(status.get("initContainerStatuses") or []),
                *(status.get("containerStatuses") or [])):  # fmt: skip
        yield from _container(pod["metadata"]["name"], one, images, head)


def _images(spec: Mapping[str, Any]) -> dict[str, str]:
    """The image of each container, as the manifest has it."""
    every = (*(spec.get("initContainers") or []), *(spec.get("containers") or []))
    return {one["name"]: one.get("image", "") for one in every}


def _container(
    pod: str, status: Mapping[str, Any], images: Mapping[str, str], head: str
) -> Iterator[Trouble]:
    name, state = status["name"], status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, says = waiting.get("reason", ""), waiting.get("message", "")
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if reason in _PULL:
        words = f"{head}: image {images.get(name, '')} cannot be pulled"
        # "Back-off pulling image" is not what the registry said: an event has kept that.
        ask: Ask = "events" if reason == "ImagePullBackOff" else ""
        yield Trouble(pod, words, ask, name, says="" if ask else says, about="image")
    elif reason in _WRONG:
        yield Trouble(pod, f"{head}: container {name} cannot be started", "", name, says=says)
    elif ended and ended.get("exitCode") and not status.get("ready"):
        # While it waits, the last one that ran has its log as its own or as the previous one's.
        previous = "terminated" not in state
        words = f"{head}: container {name} {_ended(ended, status)}"
        yield Trouble(pod, words, "log", name, previous and "running" in state)


def _ended(ended: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if ended.get("reason") == "OOMKilled":
        why = "was killed: it used more memory than its limit allows"
    elif ended.get("signal"):
        why = f"was killed by signal {ended['signal']}"
    else:
        why = f"crashed with exit code {ended['exitCode']}"
    count = int(status.get("restartCount", 0))
    return f"{why} ({count} restart{'' if count == 1 else 's'})"


def unready(pod: Mapping[str, Any]) -> Trouble | None:
    """A pod that says nothing of why it is not ready: its last warning does."""
    status = pod.get("status") or {}
    ready = {one["type"]: one["status"] for one in status.get("conditions") or []}
    if ready.get("Ready") == "True" or pod["metadata"].get("deletionTimestamp"):
        return None
    return Trouble(pod["metadata"]["name"], f"pod {pod['metadata']['name']} is not ready", "events")


def asked(api: Objects, pod: Mapping[str, Any], found: Trouble) -> str:
    """What a log or the events of the pod say."""
    namespace, name = pod["metadata"].get("namespace", ""), pod["metadata"]["name"]
    if found.ask == "log":
        kind = built_in("v1", "Pod")
        assert kind
        path = kind.path(namespace, name)
        return api.log(path, found.container, found.previous, _LINES).strip()
    if found.ask == "events":
        place = f"/api/v1/namespaces/{namespace}/events"
        return warning(api.list(place, fields=f"involvedObject.name={name},type=Warning"))
    return found.says


def warning(events: list[dict[str, Any]]) -> str:
    """The newest warning that says something: "Back-off" only says that it is tried again."""
    told = [e for e in events if e.get("type") == "Warning"]
    told.sort(key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    messages = [str(e.get("message", "")) for e in told]
    best = [m for m in messages if not m.startswith(("Back-off", "Error: "))] or messages
    return best[-1].strip() if best else ""
