"""Wait until services are up, by watching: what happens is told as it happens, and why not."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.core.text import since
from dlws.kubernetes.objects import Event
from dlws.services import reasons
from dlws.services.kinds import NODE
from dlws.services.manifests import Key
from dlws.services.survey import labels, owner

if TYPE_CHECKING:
    from dlws.kubernetes.objects import Objects, Watch
    from dlws.runs.console import Console
    from dlws.services.reasons import Trouble
    from dlws.services.rollout import Goal, State

PODS = "/api/v1/pods"
_PAUSE = 1.0
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What a watch of the objects at a path told; no event: it begins anew."""

    path: str
    event: Event | None


class Watches:
    """Several watches at once, each in a thread of its own, until their time is over."""

    def __init__(self, api: Objects, selectors: Mapping[str, str], deadline: float) -> None:
        self._api, self._deadline = api, deadline
        self._queue: queue.Queue[Told] = queue.Queue()
        self._over = threading.Event()
        self._open: dict[str, Watch] = {}
        for place in selectors.items():
            threading.Thread(target=self._follow, args=place, daemon=True).start()

    def next(self) -> Told | None:
        """The next thing that is told; None when the time is over."""
        try:
            return self._queue.get(timeout=max(0.01, self._deadline - time.monotonic()))
        except queue.Empty:
            return None

    def close(self) -> None:
        self._over.set()
        for watch in list(self._open.values()):
            watch.close()

    def _follow(self, path: str, selector: str) -> None:
        while not self._over.is_set() and (left := self._deadline - time.monotonic()) > 0:
            # An API server that is away, or ended the watch, is asked again.
            with contextlib.suppress(DeployError):
                watch = self._open[path] = self._api.watch(path, selector, left)
                if self._over.is_set():
                    watch.close()
                self._queue.put(Told(path, None))
                for event in watch:
                    self._queue.put(Told(path, event))
            self._over.wait(_PAUSE)


class Waiting:
    """Goals that are not reached yet, and what is known of the pods meanwhile."""

    def __init__(self, api: Objects, console: Console, goals: Sequence[Goal]) -> None:
        self._api, self._console = api, console
        self._states: dict[Goal, State] = {goal: goal.state(None) for goal in goals}
        self._pods: dict[str, Json] = {}
        self._troubles: dict[str, Trouble] = {}
        self._said: set[str] = set()

    def until(self, timeout: float) -> dict[Goal, str]:
        """Wait for all goals; those that were not reached in time, each with the reason."""
        start = time.monotonic()
        watches = Watches(self._api, self._selectors(), start + timeout)
        try:
            with self._console.status(lambda: f"{self.progress()} ({since(start)})"):
                while self._pending() and (told := watches.next()):
                    self._take(told)
        finally:
            watches.close()
        return {goal: self._why(goal) for goal in self._states if not self._states[goal].done}

    def _selectors(self) -> dict[str, str]:
        """The paths that are watched, and which objects there: nodes carry no service's label."""
        ours = labels(goal.service for goal in self._states)
        kinds = {goal.kind for goal in self._states}
        return {PODS: ours} | {kind.all: "" if kind == NODE else ours for kind in kinds}

    def progress(self) -> str:
        """The line that is shown meanwhile."""
        pending = self._pending()
        done = len(self._states) - len(pending)
        waits = "; ".join(f"{goal.key.name}: {self._states[goal].words}" for goal in pending[:3])
        return f"{done} of {len(self._states)} ready{f'; {waits}' if waits else ''}"

    def _pending(self) -> list[Goal]:
        return [goal for goal, state in self._states.items() if not (state.done or state.failed)]

    def _take(self, told: Told) -> None:
        if told.path == PODS:
            self._take_pod(told.event)
        elif told.event:
            metadata = told.event.object["metadata"]
            place = (metadata.get("namespace", ""), metadata["name"])
            for goal in self._states:
                if goal.kind.all == told.path and (goal.key.namespace, goal.key.name) == place:
                    gone = told.event.type == "DELETED"
                    self._states[goal] = goal.state(None if gone else told.event.object)

    def _take_pod(self, event: Event | None) -> None:
        if event is None:
            self._pods.clear()
            return
        uid = event.object["metadata"]["uid"]
        if event.type == "DELETED":
            self._pods.pop(uid, None)
            return
        if not any(belongs(event.object, goal.key) for goal in self._states):
            return  # it is somebody else's, whatever its label says
        self._pods[uid] = event.object
        if found := reasons.trouble(event.object):
            self._note(event.object, found)
        else:
            self._troubles.pop(uid, None)

    def _note(self, pod: Json, found: Trouble) -> None:
        """Keep what is wrong with a pod, and say it once for all pods of a service."""
        uid = pod["metadata"]["uid"]
        before = self._troubles.get(uid)
        if before and before.words == found.words and before.says and not found.says:
            return  # such as the registry's words, which "Back-off" would replace
        if found.ask:
            found = replace(found, says=reasons.asked(self._api, pod, found))
        self._troubles[uid] = found
        service = next(goal.service for goal in self._states if belongs(pod, goal.key))
        kind = f"{service} {found.words.partition(': ')[2].partition(' (')[0]}"
        if kind not in self._said:
            self._said.add(kind)
            self._console.say(f"{service}: {found.text()}")

    def _why(self, goal: Goal) -> str:
        """Why a goal was not reached: how far it came, and what a pod of it says."""
        words = f"{goal.key}: {self._states[goal].words}"
        if goal.kind == NODE:
            there = f"kubectl get pods -A -o wide --field-selector spec.nodeName={goal.key.name}"
            return f"{words}\ncure: see whether the pods there are well: {PROGRAM} {there}"
        pods = [pod for pod in self._pods.values() if belongs(pod, goal.key)]
        pods.sort(key=_age, reverse=True)  # the newest says most: older ones are to go
        for pod in pods:
            if found := self._troubles.get(pod["metadata"]["uid"]):
                cure = f"\ncure: {found.cure}" if found.cure else ""
                return f"{words}; {found.text()}{cure}"
        for pod in pods:
            if found := reasons.unready(pod):
                return (
                    f"{words}; {replace(found, says=reasons.asked(self._api, pod, found)).text()}"
                )
        return words


def _age(pod: Json) -> str:
    return str(pod["metadata"].get("creationTimestamp", ""))


def belongs(pod: Json, key: Key) -> bool:
    """Whether a pod is of a workload, by its name and its first owner's."""
    metadata = pod["metadata"]
    owners = [one["name"] for one in metadata.get("ownerReferences") or []]
    mine = any(name == key.name or name.rpartition("-")[0] == key.name for name in owners)
    return mine and metadata.get("namespace", "") == key.namespace


def gone(api: Objects, console: Console, owners: Mapping[str, str], timeout: float) -> list[str]:
    """Wait until no pod of services is left, by the uids of what made them; the names of those
    that are after that. Pods that only have a service's label are somebody else's."""
    start, pods = time.monotonic(), dict[str, str]()
    selector = labels(owners.values())

    def left() -> dict[str, str]:
        found = api.list(PODS, selector) if owners else []
        return {_uid(item): item["metadata"]["name"] for item in found if owner(item, owners)}

    pods |= left()
    if not pods:
        return []
    watches = Watches(api, {PODS: selector}, start + timeout)
    try:
        with console.status(lambda: f"{len(pods)} pods are ending ({since(start)})"):
            while pods and (told := watches.next()):
                _count(pods, told, left)
    finally:
        watches.close()
    return sorted(pods.values())


def _uid(item: Json) -> str:
    return str(item["metadata"].get("uid", ""))


def _count(pods: dict[str, str], told: Told, left: Callable[[], dict[str, str]]) -> None:
    if told.event is None:  # what ended while nobody watched is told by none
        found = left()
        pods.clear()
        pods |= found
    elif told.event.type == "DELETED":
        pods.pop(_uid(told.event.object), None)
