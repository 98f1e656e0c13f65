"""Jobs on real nodes beside pods made by hand: python -m benchmarks.platform_jobs --dir DIR

DIR is the directory of a sandbox on which the platform runs. Both sides are taken in turns. The
pods are those that the platform made (same namespace, image, user, volumes and amounts), sent to
the API server directly, which is quicker than kubectl. The first administrator submits the jobs.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks import measure
from dlws.client.api import Client
from dlws.database import users
from dlws.images.names import reference
from dlws.install.people import IMAGE, PASSWORD
from dlws.kubernetes.objects import Objects, connect
from dlws.portal import frontdoor
from dlws.runs.options import Options
from dlws.session import Session

HAND = "dlws-by-hand"
"""The label of pods that are made by hand, and the name of what they mount."""
LOOK = 0.1
"""Seconds between two looks of whoever waits."""
PATIENCE = 1800
SHORT = {"cpu_millis": 100, "memory_mib": 32}
OBEYS = "trap 'exit 0' TERM; sleep 600 & wait"
LIVE = ["unapproved", "queued", "scheduling", "running", "killing"]


@dataclass
class Site:
    """The platform and its cluster, with the pod that the platform makes of a job."""

    client: Client
    objects: Objects
    vc: str
    image: str
    pod: dict[str, Any] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def space(self) -> str:
        return f"/api/v1/namespaces/{self.pod['metadata']['namespace']}"

    def submit(self, command: str) -> str:
        asked = {"name": "bench", "vc": self.vc, "image": self.image, "command": command}
        return self.client.submit({**asked, **SHORT})

    def state(self, number: str) -> str:
        return str(self.client.job(number)["status"])

    def learn(self) -> None:
        """Have a job run, and keep its pod as one that can be made by hand."""
        number = self.submit("sleep 5")
        until(lambda: self.state(number) == "running")
        (pod,) = self.objects.list("/api/v1/pods", labels=f"dlws.io/job={number}")
        (mounted,) = self.objects.list("/api/v1/configmaps", labels=f"dlws.io/job={number}")
        self.pod = by_hand(pod)
        where = f"{self.space}/configmaps/{HAND}"
        self.objects.delete(where)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": mounted["data"],
                "metadata": {"name": HAND}}  # fmt: skip
        self.objects.put(where, body, force=False)
        until(lambda: self.state(number) == "finished")

    def make(self, command: str) -> str:
        """Make a pod by hand; its path."""
        made = copy.deepcopy(self.pod)
        made["metadata"]["name"] = made["spec"]["hostname"] = f"{HAND}-{next(self.numbers)}"
        made["spec"]["containers"][0]["command"][-1] = command
        path = f"{self.space}/pods/{made['metadata']['name']}"
        self.objects.put(path, made, force=False)
        return path

    def phase(self, path: str) -> str:
        found = self.objects.get(path)
        return str(found["status"]["phase"]) if found else "gone"

    def clean(self) -> None:
        """Take away what was made by hand, and wait until it is gone."""
        for pod in self.hands():
            self.objects.delete(f"{self.space}/pods/{pod['metadata']['name']}")
        until(lambda: not self.hands(), 1)

    def hands(self, fields: str = "") -> list[dict[str, Any]]:
        return self.objects.list(f"{self.space}/pods", labels=f"app={HAND}", fields=fields)


def by_hand(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod of a job as somebody would make it: placed by the scheduler, and nobody's tombstone."""
    spec = {key: value for key, value in pod["spec"].items()
            if key not in {"nodeName", "affinity", "tolerations", "priority"}}  # fmt: skip
    for volume in spec["volumes"]:
        if "configMap" in volume:
            volume["configMap"] = {"name": HAND}
    meta = {"namespace": pod["metadata"]["namespace"], "labels": {"app": HAND}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def until(holds: Callable[[], bool], look: float = LOOK, seconds: float = PATIENCE) -> float:
    """The time at which something holds; TimeoutError where it does not come to that."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(look)
    return time.monotonic()


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    session = Session(Options(directory=directory))
    cluster = session.cluster
    address, ca_file = frontdoor.way(cluster)
    with Client(address, ca_file=ca_file) as client, connect(cluster) as objects:
        client.login(
            users.administrators(session.config)[0], (directory / PASSWORD).read_text().strip()
        )
        found = Site(client, objects, session.config.default_virtual_cluster_name,
                     reference(session.config, IMAGE))  # fmt: skip
        found.learn()
        try:
            yield found
        finally:
            found.clean()
            found.objects.delete(f"{found.space}/configmaps/{HAND}")
            client.logout()
    session.close()


def job_starts(here: Site) -> float:
    """Seconds from asking for a job until it is said to run."""
    began = time.monotonic()
    number = here.submit("sleep 3")
    taken = until(lambda: here.state(number) not in {"unapproved", "queued", "scheduling"}) - began
    until(lambda: here.state(number) == "finished", 0.5)
    return taken


def pod_starts(here: Site) -> float:
    """Seconds from making a pod until it is said to run."""
    began = time.monotonic()
    path = here.make("sleep 3")
    taken = until(lambda: here.phase(path) != "Pending") - began
    until(lambda: here.phase(path) == "Succeeded", 0.5)
    here.objects.delete(path)
    return taken


def stops(here: Site, command: str) -> float:
    """Seconds from stopping a job until it holds nothing any more."""
    number = here.submit(command)
    until(lambda: here.state(number) == "running")
    time.sleep(1)  # its shell has set its trap
    began = time.monotonic()
    here.client.ask(number, "stop")
    return until(lambda: here.state(number) == "killed") - began


def jobs_end(here: Site, count: int) -> float:
    """Seconds from the first of so many jobs of one second until all have finished."""
    began = time.monotonic()
    numbers = [here.submit("sleep 1") for _ in range(count)]
    end = until(lambda: not here.client.jobs(mine=True, states=LIVE, limit=1), 0.5)
    states = {one["id"]: one["status"] for one in here.client.jobs(mine=True, limit=count + 1)}
    assert all(states[number] == "finished" for number in numbers), states
    return end - began


def pods_end(here: Site, count: int) -> float:
    """The same for as many pods."""
    began = time.monotonic()
    for _ in range(count):
        here.make("sleep 1")
    end = until(lambda: not here.hands("status.phase!=Succeeded"), 0.5)
    here.clean()
    return end - began


def in_turns(*actions: Callable[[], float], times: int) -> list[list[float]]:
    """What each action gave; each is first as often as the others."""
    found: list[list[float]] = [[] for _ in actions]
    for turn in range(times):
        order = range(len(actions))
        for index in order if turn % 2 == 0 else reversed(order):
            found[index].append(actions[index]())
    return found


def p95(taken: Sequence[float]) -> float:
    return quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]


def row(what: str, taken: Sequence[float], target: str = "") -> str:
    return f"| {what} | {len(taken)} | {median(taken):.1f} | {p95(taken):.1f} | {target} |"


def find(here: Site, options: argparse.Namespace) -> Iterable[str]:
    """Lines of a table, then sentences."""
    jobs, pods = in_turns(lambda: job_starts(here), lambda: pod_starts(here), times=options.starts)
    yield "| seconds | times | median | p95 | target |\n| --- | --- | --- | --- | --- |"
    yield row("submit to running", jobs, "p95 at most 2 s more than the pod's")
    yield row("making the same pod to running", pods)
    if options.stops:
        (ends,) = in_turns(lambda: stops(here, OBEYS), times=options.stops)
        yield row("stop to devices free, ends when told to", ends, "at most 3 s")
        yield row("stop to devices free, uses its grace of 60 s",
                  [stops(here, "trap '' TERM; sleep 600")], "at most 63 s")  # fmt: skip
    count = options.jobs
    whole, hands = in_turns(lambda: jobs_end(here, count), lambda: pods_end(here, count),
                            times=options.rounds)  # fmt: skip
    yield row(f"{count} jobs of one second", whole)
    yield row(f"{count} such pods by hand", hands)
    more, ratio = p95(jobs) - p95(pods), sum(hands) / sum(whole)
    yield (f"\nSubmit to running takes {more:+.1f} s beside the pod (p95; target: at most 2). Jobs "
           f"get through {100 * ratio:.0f} % as fast as pods (target: at least 90).")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.platform_jobs", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    lines = []
    with site(options.dir.resolve()) as here:
        for line in find(here, options):
            print(line, flush=True)
            lines.append(line)
    if options.docs:
        measure.section("platform-jobs", "\n".join([*lines, "", f"On {measure.machine()}."]))


if __name__ == "__main__":
    main()
