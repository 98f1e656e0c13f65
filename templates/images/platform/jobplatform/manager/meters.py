"""What the manager measures: jobs by state, how long they wait, what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from jobplatform.admission import Snapshot
from jobplatform.metrics import LONG, SECONDS
from jobplatform.model import status
from jobplatform.model.reasons import Reason

_HOLDING = {"placed", "leaving"}


@dataclass(frozen=True)
class Picture:
    """What one pass left behind; `jobs` counts them by virtual cluster and state."""

    jobs: Mapping[tuple[str, str], int]
    limits: Mapping[tuple[str, str], int]
    used: Mapping[tuple[str, str], int]


class Meters:
    """Counts since this process began. The pictures are those of the leader: others show none."""

    def __init__(self) -> None:
        self.registry = made = CollectorRegistry()
        self.picture: Picture | None = None
        self.before: int | None = None
        says = "Time from being submitted until devices are given"
        self.waiting = Histogram(
            "dlws_job_waiting_seconds", says, ["vc"], buckets=LONG, registry=made
        )
        says = "Time from being given devices until all pods run"
        self.starting = Histogram(
            "dlws_job_starting_seconds", says, ["vc"], buckets=LONG, registry=made
        )
        says = "Time for which jobs held devices, times the number of these"
        self.held = Counter("dlws_device_seconds", says, ["vc", "device"], registry=made)
        by = ["vc", "status", "cause"]
        self.ended = Counter("dlws_jobs_ended", "Jobs that ended", by, registry=made)
        says = "Time that a pass took"
        self.passes = Histogram("dlws_manager_pass_seconds", says, buckets=SECONDS, registry=made)
        says = "Passes that ended early"
        self.failures = Counter("dlws_manager_passes_failed", says, ["why"], registry=made)
        made.register(self)

    def collect(self) -> Iterator[Metric]:
        """The gauges, of the last pass and all of the same one."""
        found = self.picture
        yield GaugeMetricFamily("dlws_manager_leads", "1 for the manager that leads",
                                1 if found else 0)  # fmt: skip
        shown = found or Picture({}, {}, {})
        for name, says, label, values in (
            ("dlws_jobs", "Jobs that have not ended", "status", shown.jobs),
            ("dlws_vc_quota", "Devices that jobs of a virtual cluster may hold", "device",
             shown.limits),
            ("dlws_vc_used", "Devices that jobs of a virtual cluster hold", "device", shown.used),
        ):  # fmt: skip
            made = GaugeMetricFamily(name, says, labels=["vc", label])
            for labels, value in values.items():
                made.add_metric(labels, value)
            yield made

    def saw(self, seen: Snapshot, jobs: Mapping[tuple[str, str], int]) -> None:
        """A pass came to its end. What is held is counted from the one before on, or from when it
        was given; times are the database's, which may go back."""
        used: dict[tuple[str, str], int] = {}
        for job in seen.jobs:
            if job.state in _HOLDING and job.device:
                key = (job.vc, job.device)
                used[key] = used.get(key, 0) + job.each.devices * job.workers
        since = seen.now if self.before is None else self.before
        for (vc, device), count in used.items():
            self.held.labels(vc, device).inc(count * max(seen.now - since, 0) / 1000)
        limits = {(vc.name, kind): count for vc in seen.vcs.values()
                  for kind, count in vc.quota.items() if kind != "cpu"}  # fmt: skip
        self.picture, self.before = Picture(jobs, limits, used), seen.now

    def follows(self) -> None:
        """Another one leads, and counts."""
        self.picture = self.before = None

    def moved(self, row: Any, to: str, at: int, placed: int, reason: Reason | None) -> None:
        """A job changed its state. Only the first wait is the queue's: later ones have a cause."""
        if to == status.SCHEDULING and not row.attempt and row.queuedAt:
            self.waiting.labels(row.vcName).observe(max(at - row.queuedAt, 0) / 1000)
        if to == status.RUNNING:
            self.starting.labels(row.vcName).observe(max(at - placed, 0) / 1000)
        if to in status.ENDED:
            self.ended.labels(row.vcName, to, reason.cause if reason else "").inc()
