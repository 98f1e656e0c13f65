"""A Kubernetes that keeps objects: what the manager sends, and what a kubelet would do of it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from jobplatform.kubernetes import Away, Object, Refused
from jobplatform.manager.picture import KINDS, Shown
from jobplatform.manager.pods import ATTEMPT, JOB, WORKER

LONG_AGO = "2020-01-01T00:00:00Z"


class FakeKubernetes:
    """`away`: it answers nothing. `runs` counts how often each worker of each job came to run."""

    def __init__(self, *nodes: str, devices: int = 8) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.away = False
        self.refusal = ""
        self.nodes = {name: node(name, devices) for name in nodes}
        self.runs: Counter[tuple[str, str]] = Counter()
        self.sent: list[str] = []
        self.logs: dict[tuple[str, str], list[bytes]] = {}

    def all(self, kind: str, selector: str = "") -> list[Object]:
        self._answer()
        return self.there(kind, selector)

    def there(self, kind: str, selector: str = "") -> list[Object]:
        if kind == "nodes":
            return copy.deepcopy(list(self.nodes.values()))
        found = [one for (of, _, _), one in list(self.objects.items()) if of == kind]
        return copy.deepcopy(
            [one for one in found if not selector or selector in one["metadata"].get("labels", {})]
        )

    def shown(self) -> Shown:
        """What somebody who watches knows, once all was told."""
        return {kind: self.there(kind, label) for kind, label in KINDS.items()}

    def create(self, kind: str, space: str, made: Object) -> bool:
        self._answer()
        if self.refusal and kind == "pods":
            raise Refused(self.refusal)
        key = (kind, space, made["metadata"]["name"])
        if key in self.objects:
            return False
        self.sent.append(f"create {kind} {key[2]}")
        self.objects[key] = copy.deepcopy(made)
        if kind == "pods":
            self.objects[key]["status"] = {"phase": "Pending"}
        return True

    def delete(self, kind: str, space: str, name: str) -> None:
        self._answer()
        self.sent.append(f"delete {kind} {name}")
        found = self.objects.get((kind, space, name))
        if found and found["metadata"].get("finalizers"):
            found["metadata"].setdefault("deletionTimestamp", now())
        else:
            self.objects.pop((kind, space, name), None)

    def release(self, space: str, pod: str) -> None:
        self._answer()
        found = self.objects.get(("pods", space, pod))
        if found:
            found["metadata"].pop("finalizers", None)
            if "deletionTimestamp" in found["metadata"]:
                del self.objects["pods", space, pod]

    def log(self, space: str, pod: str, since: str) -> Iterator[bytes] | None:
        """From a whole second on, as Kubernetes does; `logs` has what a pod printed."""
        self._answer()
        if self.refusal:
            raise Refused(self.refusal)
        found = self.logs.get((space, pod))
        return (
            None
            if found is None
            else iter([one for one in found if one[:19].decode() >= since[:19]])
        )

    def _answer(self) -> None:
        if self.away:
            raise Away("no answer")

    # What the rest of a cluster does.

    def pods(self) -> dict[str, Object]:
        return {name: one for (kind, _, name), one in self.objects.items() if kind == "pods"}

    def start(self) -> None:
        """Schedulers and kubelets: pods start on their node, of each worker one at a time."""
        for pod in self.pods().values():
            if pod["status"]["phase"] == "Pending" and "deletionTimestamp" not in pod["metadata"]:
                wanted = target(pod)
                if wanted in self.nodes:
                    self._alone(pod)
                    pod["spec"]["nodeName"] = wanted
                    pod["status"] = {"phase": "Running", "containerStatuses": [
                        {"state": {"running": {}}}]}  # fmt: skip
                    labels = pod["metadata"]["labels"]
                    self.runs[labels[JOB], labels[WORKER]] += 1

    def _alone(self, pod: Object) -> None:
        labels = pod["metadata"]["labels"]
        for other in self.pods().values():
            same = all(other["metadata"]["labels"][one] == labels[one] for one in (JOB, WORKER))
            assert not (same and other["status"]["phase"] == "Running"), "a worker runs twice"

    def end(self, name: str, code: int = 0, **state: Any) -> None:
        pod = self.pods()[name]
        ended = {"exitCode": code, "finishedAt": LONG_AGO, **state}
        pod["status"] = {"phase": "Failed" if code else "Succeeded",
                         "containerStatuses": [{"state": {"terminated": ended}}]}  # fmt: skip

    def reject(self, name: str, reason: str, message: str = "") -> None:
        """A kubelet does not take a pod that was bound to its node: it begins no container."""
        pod = self.pods()[name]
        pod["spec"]["nodeName"] = target(pod)
        pod["status"] = {"phase": "Failed", "reason": reason, "message": message}

    def evict(self, name: str, message: str) -> None:
        """A kubelet ends a pod of its node, and says why."""
        self.end(name, 137)
        self.pods()[name]["status"] |= {"reason": "Evicted", "message": message}

    def stop_deleted(self) -> None:
        """Kubelets end the containers of pods that are being deleted."""
        for name, pod in self.pods().items():
            if "deletionTimestamp" in pod["metadata"] and pod["status"]["phase"] == "Running":
                self.end(name, 143)

    def running(self, job: str) -> list[str]:
        return sorted(name for name, pod in self.pods().items()
                      if pod["metadata"]["labels"][JOB] == job
                      and pod["status"]["phase"] == "Running")  # fmt: skip

    def attempts(self, job: str) -> set[str]:
        return {pod["metadata"]["labels"][ATTEMPT] for pod in self.pods().values()
                if pod["metadata"]["labels"][JOB] == job}  # fmt: skip


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def target(pod: Object) -> str:
    terms = pod["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    return str(terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])


def node(name: str, devices: int = 8, resource: str = "dlws.io/fake", kind: str = "V100") -> Object:
    offered = {
        "cpu": "32",
        "memory": "128Gi",
        "pods": "110",
        **({resource: str(devices)} if devices else {}),
    }
    return {"metadata": {"name": name, "labels": {"gpuType": kind}}, "spec": {},
            "status": {"allocatable": offered,
                       "nodeInfo": {"bootID": "first"},
                       "conditions": [{"type": "Ready", "status": "True"}]}}  # fmt: skip
