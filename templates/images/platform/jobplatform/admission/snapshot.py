"""What the admission looks at, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jobplatform.model.reasons import Reason

UNLIMITED = 1 << 40


@dataclass(frozen=True, slots=True)
class Amount:
    """Devices, thousandths of a processor, MiB of memory, and pods: a node runs so many at most."""

    devices: int = 0
    cpu: int = 0
    memory: int = 0
    pods: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.devices + other.devices, self.cpu + other.cpu,
            self.memory + other.memory, self.pods + other.pods,
        )  # fmt: skip

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            self.devices - other.devices, self.cpu - other.cpu,
            self.memory - other.memory, self.pods - other.pods,
        )  # fmt: skip

    def times(self, count: int) -> Amount:
        return Amount(
            self.devices * count, self.cpu * count, self.memory * count, self.pods * count
        )

    def holds(self, each: Amount) -> int:
        """How many times another amount fits into this one."""
        count = UNLIMITED
        if each.devices:
            count = self.devices // each.devices
        if each.cpu and self.cpu // each.cpu < count:
            count = self.cpu // each.cpu
        if each.memory and self.memory // each.memory < count:
            count = self.memory // each.memory
        if each.pods and self.pods // each.pods < count:
            count = self.pods // each.pods
        return max(count, 0)


@dataclass(frozen=True)
class Node:
    """A node: what it has, and what pods that are no jobs of ours take of it."""

    name: str
    device: str
    size: Amount
    taken: Amount = Amount()
    ready: bool = True
    rack: str = ""


State = Literal["unapproved", "queued", "placed", "leaving"]


@dataclass(frozen=True)
class Job:
    """A job: `nodes` says where its workers are, one name each, while it is placed or leaving."""

    id: str
    user: str
    vc: str
    state: State
    each: Amount
    device: str = ""
    workers: int = 1
    priority: int = 100
    preemptible: bool = False
    since: int = 0
    nodes: tuple[str, ...] = ()
    number: int = 0

    @property
    def came(self) -> tuple[int, int, str]:
        """Who came first: of one millisecond, the one with the smaller number."""
        return (self.since, self.number, self.id)

    @property
    def shape(self) -> tuple[str, Amount, int, bool]:
        """Jobs of one shape fit or do not fit alike."""
        return (self.device, self.each, self.workers, self.preemptible)

    def costs(self) -> dict[str, int]:
        """What it takes of a quota: devices by kind, and whole and part processors as `cpu`."""
        devices = {self.device: self.each.devices * self.workers} if self.device else {}
        return {**devices, "cpu": self.each.cpu * self.workers}


@dataclass(frozen=True)
class Vc:
    """A virtual cluster: devices by kind; `cpu`, where given, is in thousandths of a processor."""

    name: str
    quota: Mapping[str, int]
    user_quota: int | None = None
    fifo: bool = False

    def limit(self, kind: str) -> int:
        """Devices that are not named may not be used; processors that are not named may be."""
        return self.quota.get(kind, UNLIMITED if kind == "cpu" else 0)


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment; times are in milliseconds."""

    now: int
    jobs: tuple[Job, ...]
    vcs: Mapping[str, Vc]
    nodes: tuple[Node, ...]
    starvation: int = 30 * 60 * 1000


Verb = Literal["approve", "start", "wait", "preempt"]


@dataclass(frozen=True)
class Decision:
    """What is to become of a job; for a start, the node of each worker."""

    job: str
    verb: Verb
    nodes: tuple[str, ...] = ()
    reason: Reason | None = field(default=None)
