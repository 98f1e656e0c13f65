"""What Kubernetes has, as far as watches have told of it: asked for once, and kept up to date.

It may be behind, and nothing is done because of it: a pass that finds something to do there asks
for lists, and decides by those. So all that depends on a watch is when a change is found.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from jobplatform.kubernetes import Away, Gone, Object, Watched
from jobplatform.manager.pods import JOB

KINDS = {"pods": "", "nodes": "", "services": JOB, "configmaps": JOB}
"""What a pass looks at, in this order: kinds, and the label that their objects have."""
_SHORT, _LONGEST = 1.0, 30.0
"""Seconds: a watch that ends sooner has failed; between two tries, after many that failed."""
_META = ("name", "namespace", "labels", "annotations", "finalizers", "deletionTimestamp")
_SPEC = ("nodeName", "taints", "unschedulable")
_LOG = logging.getLogger("jobplatform")
_Key = tuple[str, str]
Shown = Mapping[str, list[Object]]
"""The objects of each kind."""


class Kind:
    """Objects of one kind. `current`: its watch is open, or ended in time and is opened again."""

    def __init__(
        self, kubernetes: Watched, kind: str, selector: str, ring: Callable[[], None]
    ) -> None:
        self.kubernetes, self.kind, self.selector, self.ring = kubernetes, kind, selector, ring
        self.objects: dict[_Key, Object] = {}
        self.version, self.current = "", False

    def run(self) -> None:
        pause = 0.0
        while True:
            pause = self.hear(pause)
            time.sleep(pause)

    def hear(self, before: float = 0) -> float:
        """Hear of changes until the watch ends; how long to rest then, in seconds, and longer after
        each failure than `before`."""
        began = time.monotonic()
        try:
            self._follow()
            if time.monotonic() - began < _SHORT:
                raise Away("the watch ended at once")
            return 0
        except Exception as error:  # whatever it is: passes ask for lists meanwhile
            self.current = False
            if isinstance(error, Gone) or not isinstance(error, Away):
                self.version = ""
            _LOG.warning("%s are not watched now: %s", self.kind, error)
        return min(max(2 * before, 1.0), _LONGEST)

    def _follow(self) -> None:
        if not self.version:
            found, self.version = self.kubernetes.listed(self.kind, self.selector)
            self.objects = {_key(one): _slim(one) for one in found}
            self.ring()
        changes = self.kubernetes.changes(self.kind, self.selector, self.version)
        self.current = True
        for change in changes:
            self._take(change["type"], change["object"])

    def _take(self, what: str, one: Object) -> None:
        if what == "DELETED":
            self.objects.pop(_key(one), None)
        elif what != "BOOKMARK":
            self.objects[_key(one)] = _slim(one)
        self.version = one["metadata"]["resourceVersion"]
        if JOB in (one["metadata"].get("labels") or {}):
            self.ring()


class Picture:
    """All kinds. `changed` is set with each change of a pod of a job's."""

    def __init__(self, kubernetes: Watched) -> None:
        self.changed = threading.Event()
        self.kinds = {
            kind: Kind(kubernetes, kind, selector, self.changed.set if kind == "pods" else _nobody)
            for kind, selector in KINDS.items()
        }

    def watch(self) -> None:
        """From now on, in a thread for each kind."""
        for kind, one in self.kinds.items():
            threading.Thread(target=one.run, name=f"watch-{kind}", daemon=True).start()

    def seen(self) -> Shown | None:
        """What is there; None while one of them is not watched. Nobody changes one:
        another one takes its place, and a list of them is made in one go."""
        if not all(one.current for one in self.kinds.values()):
            return None
        return {kind: list(one.objects.values()) for kind, one in self.kinds.items()}


def _nobody() -> None:
    """Nobody waits for changes of this kind: the pass of every other second finds them."""


def _key(one: Object) -> _Key:
    meta = one["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _slim(one: Object) -> Object:
    """What passes look at: of most objects, that is a tenth. What a pass looks at and is not here,
    it finds with the lists of each minute."""
    spec, status = one.get("spec") or {}, one.get("status") or {}
    containers = [{"resources": each.get("resources") or {}} for each in spec.get("containers", ())]
    return {
        "metadata": _some(one["metadata"], _META),
        "spec": {**_some(spec, _SPEC), "containers": containers},
        "status": {key: value for key, value in status.items() if key != "images"},
    }


def _some(given: Mapping[str, Any], names: tuple[str, ...]) -> Object:
    return {name: given[name] for name in names if name in given}
