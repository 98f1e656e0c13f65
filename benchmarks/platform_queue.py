"""A pass of the job platform's manager: python -m benchmarks.platform_queue [--docs].

10,000 jobs are queued and 500 nodes are full; the database is a real MariaDB server, and
Kubernetes a stand-in that gives its lists without delay. The worst passes are one after a change
that gives each job another reason to wait, and one that looks twice: it finds something to do in
the picture of the cluster, and does it by lists. Beside them stands the bare reading of the rows.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import measure

sys.path.insert(0, str(measure.ROOT / "templates/images/platform"))

from sqlalchemy import Engine, event, insert, update
from sqlalchemy.engine import URL

from jobplatform.kubernetes import Object
from jobplatform.manager.loop import Manager
from jobplatform.manager.pods import Attempt, Person, pod
from jobplatform.manager.world import Placement
from jobplatform.model.request import Request
from jobplatform.store import people, vcs
from jobplatform.store.database import changing, engine, reading
from jobplatform.store.migrations import upgrade
from jobplatform.store.tables import jobs as table
from tests.support.mariadb import MariaDb, serving
from tests.support.platform.kubernetes import FakeKubernetes, node

NAME = "DLWS_bench"
OPTIONS = ("--general-log=0", "--innodb-buffer-pool-size=256M", "--max-connections=60",
           "--innodb-flush-log-at-trx-commit=1")  # fmt: skip
RESOURCE, DEVICES = "nvidia.com/gpu", ("V100", "A100", "Ascend910")
SHAPES = ((1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 8), (8, 64))


class Lists(FakeKubernetes):
    """The stand-in, with a pod on each node that holds all of it."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.nodes = {name(i): node(name(i), 8, RESOURCE, DEVICES[i % 3]) for i in range(count)}
        self.placed = [running(i) for i in range(count)]

    def there(self, kind: str, selector: str = "") -> list[Object]:
        return {"nodes": list(self.nodes.values()), "pods": self.placed}.get(kind, [])

    def end_one(self) -> None:
        """The last pod that runs has done its work."""
        one = next(pod for pod in reversed(self.placed) if pod["status"]["phase"] == "Running")
        ended = {"state": {"terminated": {"exitCode": 0}}}
        one["status"] = {"phase": "Succeeded", "containerStatuses": [ended]}


def name(number: int) -> str:
    return f"node-{number:04}"


def running(number: int) -> Object:
    who = Person("u1", "u1", 2001, 3000)
    job = f"run-{number}"
    made = pod(Attempt(job, 1, who, asked(number, 8, 1), (name(number),), RESOURCE), 0)
    made["spec"]["nodeName"] = name(number)
    made["status"] = {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}
    return made


def asked(number: int, devices: int, workers: int) -> Request:
    return Request.model_validate({
        "name": "train", "vc": f"vc{number % 8}", "image": "registry:5000/t:1", "command": "true",
        "kind": "distributed", "workers": workers, "device": DEVICES[number % 3],
        "devices": devices, "cpu_millis": 1000 * devices, "memory_mib": 8192 * devices,
    })  # fmt: skip


def row(job: str, state: str, number: int, devices: int, workers: int) -> dict[str, Any]:
    placed = state == "running"
    where = Placement((name(number),), number, RESOURCE).stored() if placed else None
    return {"jobId": job, "familyToken": "x", "isParent": 1, "jobName": job, "placement": where,
            "userName": f"u{number % 40}", "vcName": f"vc{number % 8}", "jobStatus": state,
            "jobType": "training", "jobParams": asked(number, devices, workers).model_dump_json(),
            "queuedAt": number, "startedAt": number if placed else None,
            "attempt": int(placed)}  # fmt: skip


def seed(made: Engine, count: int, nodes: int) -> None:
    """A job that holds each node, and jobs of all sizes that wait."""
    rows = [row(f"run-{i}", "running", i, 8, 1) for i in range(nodes)]
    rows += [row(f"job-{i}", "queued", i, *SHAPES[i % len(SHAPES)]) for i in range(count)]
    with changing(made) as connection:
        for number in range(8):
            vcs.add(connection, f"vc{number}", dict.fromkeys(DEVICES, 100_000), {})
        for number in range(40):
            people.set_identity(connection, f"u{number}", 2000 + number, 3000, [3000])
        for begin in range(0, len(rows), 2000):
            connection.execute(insert(table), rows[begin : begin + 2000])


@dataclass(frozen=True)
class Taken:
    """Of a pass: seconds, those of CPU, and statements that change something."""

    wall: float
    cpu: float
    writes: int


class Watch:
    """Takes the time of what is done, and counts what it writes."""

    def __init__(self, made: Engine) -> None:
        self.writes = 0

        @event.listens_for(made, "before_cursor_execute")
        def _count(connection: Any, cursor: Any, text: str, *rest: object) -> None:
            self.writes += text.startswith(("INSERT", "UPDATE jobs", "DELETE"))

    def take(self, action: Callable[[], object]) -> Taken:
        before, began, cpu = self.writes, time.perf_counter(), time.process_time()
        action()
        return Taken(time.perf_counter() - began, time.process_time() - cpu, self.writes - before)


def find(server: MariaDb, count: int, nodes: int, passes: int) -> dict[str, list[Taken]]:
    server.ask(f"CREATE DATABASE `{NAME}`")
    socket = {"unix_socket": str(server.socket)}
    made = engine(URL.create("mysql+pymysql", "root", database=NAME, query=socket))
    upgrade(made)
    seed(made, count, nodes)
    watch, lists = Watch(made), Lists(nodes)
    manager = Manager(made, lists, "bench", picture=lists.shown)

    def rows() -> None:
        with reading(made) as connection:
            connection.exec_driver_sql("SELECT * FROM jobs").all()

    def wiped() -> Taken:
        with changing(made) as connection:
            connection.execute(update(table).values(reason=None))
        return watch.take(manager.turn)

    def ended() -> Taken:
        manager.turn()  # after one that did something, which asks for lists at once
        lists.end_one()
        return watch.take(manager.turn)

    try:
        manager.turn()
        return {
            "a pass in which nothing changed": [watch.take(manager.turn) for _ in range(passes)],
            "one in which all reasons change": [wiped() for _ in range(passes)],
            "one that finds that a job has ended": [ended() for _ in range(passes)],
            "reading the rows once, without us": [watch.take(rows) for _ in range(passes)],
        }
    finally:
        made.dispose()


def told(found: dict[str, list[Taken]], count: int, nodes: int) -> str:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [f"{count:,} queued jobs, {nodes} nodes. Targets: a pass takes at most 1 s, writes "
             f"nothing where nothing changed, and 150 MiB; here {peak:.0f} MiB at most.", "",
             "| | wall median | wall min | CPU median | statements that write |",
             "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for what, taken in found.items():
        walls, cpus = [one.wall for one in taken], [one.cpu for one in taken]
        lines.append(f"| {what} | {median(walls):.2f} | {min(walls):.2f} | {median(cpus):.2f} | "
                     f"{max(one.writes for one in taken)} |")  # fmt: skip
    return "\n".join([*lines, "", f"On {measure.machine()}."])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.platform_queue", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    with serving(*OPTIONS) as server:
        found = find(server, options.jobs, options.nodes, options.passes)
    text = told(found, options.jobs, options.nodes)
    print(text)
    if options.docs:
        measure.section("platform-queue", text)


if __name__ == "__main__":
    main()
