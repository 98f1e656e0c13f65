"""The job platform's admission: one pass over 10,000 queued jobs and 500 nodes.

    PYTHONPATH=templates/images/platform python -m benchmarks.admission [JOBS] [NODES]

Prints seconds and peak memory of a pass in which quotas let everything through (the nodes decide),
and of one in which most jobs wait for their quota.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from random import Random

from jobplatform.admission import Amount, Job, Node, Snapshot, Vc, decide

DEVICES = ("V100", "A100", "Ascend910")


def snapshot(jobs: int, nodes: int, quota: int) -> Snapshot:
    """A cluster that is half full, with jobs of all sizes from 40 users in 8 virtual clusters."""
    dice = Random(1)
    found = tuple(
        Node(
            f"node-{i:04}", DEVICES[i % 3], Amount(8, 96_000, 786_432, 110), rack=f"rack-{i // 16}"
        )
        for i in range(nodes)
    )
    placed = [
        Job(f"run-{i}", f"u{i % 40}", f"vc{i % 8}", "placed", Amount(4, 8000, 65_536, 1),
            node.device, nodes=(node.name,), preemptible=i % 5 == 0, since=i)
        for i, node in enumerate(found)
    ]  # fmt: skip
    vcs = {f"vc{i}": Vc(f"vc{i}", dict.fromkeys(DEVICES, quota)) for i in range(8)}
    return Snapshot(10**9, (*placed, *(queued(dice, i) for i in range(jobs))), vcs, found)


def queued(dice: Random, number: int) -> Job:
    devices, workers = dice.choice(((1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 8), (8, 64)))
    each = Amount(devices, devices * dice.choice((1000, 4000)), devices * 8192, 1)
    return Job(f"job-{number}", f"u{dice.randrange(40)}", f"vc{dice.randrange(8)}", "queued", each,
               dice.choice(DEVICES), workers, dice.choice((100, 100, 100, 150, 200)),
               dice.random() < 0.2, number)  # fmt: skip


def measure(jobs: int, nodes: int, quota: int) -> dict[str, object]:
    taken = snapshot(jobs, nodes, quota)
    began = time.perf_counter()
    found = decide(taken)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"jobs": jobs, "nodes": nodes, "quota": quota, "seconds": round(seconds, 3),
            "peak_mib": peak, "decisions": dict(Counter(one.verb for one in found))}  # fmt: skip


if __name__ == "__main__":
    jobs, nodes = [*map(int, sys.argv[1:3]), *(10_000, 500)[len(sys.argv) - 1 :]]
    for limit in (1_000_000, 100):
        print(json.dumps(measure(jobs, nodes, limit)))
