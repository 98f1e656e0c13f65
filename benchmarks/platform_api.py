"""The job platform's API with 100,000 jobs: python -m benchmarks.platform_api [--docs].

One process serves, this one asks by 8 connections, and a real MariaDB server keeps the jobs. Beside
each kind of request stand the bare statements that it cannot do without, by as many connections.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measure

sys.path.insert(0, str(measure.ROOT / "templates/images/platform"))

from sqlalchemy import Engine, insert, select
from sqlalchemy.engine import URL, make_url

from jobplatform.model import rights
from jobplatform.model.request import Request
from jobplatform.store import jobs, people, vcs
from jobplatform.store.database import changing, engine, reading
from jobplatform.store.migrations import upgrade
from jobplatform.store.tables import jobs as table
from tests.support.mariadb import MariaDb, serving
from tests.support.sshd import free_port

JOBS, USERS, VCS, CONNECTIONS = 100_000, 40, 8, 8
NAME = "DLWS_bench"
OPTIONS = ("--general-log=0", "--innodb-buffer-pool-size=256M", "--max-connections=60",
           "--innodb-flush-log-at-trx-commit=1")  # fmt: skip
JOB = {"name": "train", "vc": "vc1", "image": "registry:5000/team/torch:1", "command": "nvidia-smi"}
STATES = ("finished", "finished", "finished", "failed", "killed", "queued", "running")
TARGETS = {"submit": "at least 200/s", "list": "p99 at most 150 ms",
           "list of all, an administrator's": "p99 at most 150 ms",
           "list of a person without jobs": "p99 at most 150 ms",
           "detail": "p99 at most 60 ms"}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Requests a second, and milliseconds of them; of the server, CPU milliseconds for each."""

    rate: float
    median: float
    p99: float
    cpu: float = 0


def seed(made: Engine) -> tuple[dict[str, str], list[str]]:
    """People with tokens, and their jobs: the numbers of some of the jobs."""
    text = Request.model_validate(JOB).model_dump_json()
    rows = [{"jobId": f"{i:08}-0000-4000-8000-000000000000", "familyToken": "x", "isParent": 1,
             "jobName": f"job {i}", "userName": f"u{i % USERS}", "vcName": f"vc{i % VCS}",
             "jobStatus": STATES[i % len(STATES)], "jobType": "training", "jobParams": text,
             "queuedAt": i, "reason": '{"code": "finished", "values": {}}'}
            for i in range(JOBS)]  # fmt: skip
    with changing(made) as connection:
        for number in range(VCS):
            vcs.add(connection, f"vc{number}", {"V100": 8}, {})
        for begin in range(0, JOBS, 5000):
            connection.execute(insert(table), rows[begin : begin + 5000])
        names = ["root", "new", *(f"u{i}" for i in range(USERS))]
        tokens = {name: person(connection, name, number) for number, name in enumerate(names)}
        people.allow(connection, "root", "Cluster", rights.ADMIN)
    return tokens, [str(row["jobId"]) for row in rows if row["userName"] == "u1"][:2000]


def person(connection: Any, name: str, number: int) -> str:
    people.set_identity(connection, name, 2000 + number, 3000, [3000])
    people.allow(connection, name, rights.vc("vc1"), rights.USER)
    return people.give_token(connection, name, "bench", 86400)


def serve(url: str, port: int) -> None:
    import uvicorn

    from jobplatform.__main__ import SERVING
    from jobplatform.api.app import create

    told = {**SERVING, "host": "127.0.0.1", "port": port, "log_level": "warning"}
    uvicorn.run(create(engine(make_url(url))), **told)


def load(ask: Callable[[int], Callable[[], None]], seconds: float) -> tuple[float, list[float]]:
    """Ask by several connections for a while; requests a second, and seconds for each."""
    taken, barrier = list[float](), threading.Barrier(CONNECTIONS)

    def one(number: int) -> None:
        once = ask(number)
        once()
        barrier.wait()
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            once()
            taken.append(time.perf_counter() - began)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(one, number) for number in range(CONNECTIONS)]:
            done.result()
    return len(taken) / seconds, taken


def figures(rate: float, taken: list[float], cpu: float = 0) -> Found:
    cuts = statistics.quantiles(taken, n=100)
    return Found(rate, statistics.median(taken) * 1000, cuts[98] * 1000, cpu / len(taken) * 1000)


def requests(port: int, tokens: dict[str, str], numbers: list[str]) -> dict[str, Any]:
    body = json.dumps(JOB).encode()

    def asking(who: str, method: str, paths: list[str], data: bytes | None = None) -> Any:
        def ask(number: int) -> Callable[[], None]:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            headers = {"Authorization": f"Bearer {tokens[who]}", "Content-Type": "application/json"}
            following = itertools.cycle(paths[number:] + paths[:number])

            def once() -> None:
                connection.request(method, next(following), data, headers)
                answer = connection.getresponse()
                said = answer.read()
                if answer.status not in {200, 201}:
                    raise RuntimeError(f"{answer.status} {said[:200]!r}")

            return once

        return ask

    listing = "/api/v1/jobs?limit=20"
    details = [f"/api/v1/jobs/{one}" for one in numbers]
    return {
        "submit": asking("u1", "POST", ["/api/v1/jobs"], body),
        "list": asking("u1", "GET", [listing]),
        "list of all, an administrator's": asking("root", "GET", [listing]),
        "list of a person without jobs": asking("new", "GET", [listing]),
        "detail": asking("u1", "GET", details),
    }


def statements(made: Engine, numbers: list[str]) -> dict[str, Any]:
    """The same work without an API: its inserts, and its selects."""
    asked = Request.model_validate(JOB)
    newest = select(*jobs.SHORT).order_by(table.c.id.desc()).limit(20)

    def submit() -> None:
        with changing(made) as connection:
            jobs.add(connection, asked, "u1")

    def reads(statement: Any) -> Callable[[], None]:
        def once() -> None:
            with reading(made) as connection:
                connection.execute(statement).all()

        return once

    return {
        "submit": lambda number: submit,
        "list": lambda number: reads(newest.where(table.c.userName == "u1")),
        "list of all, an administrator's": lambda number: reads(newest),
        "list of a person without jobs": lambda number: reads(
            newest.where(table.c.userName == "new")
        ),
        "detail": lambda number: reads(select(table).where(table.c.jobId == numbers[number])),
    }


def used(process: int) -> float:
    """CPU seconds of a process until now."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def find(server: MariaDb, seconds: float) -> tuple[dict[str, Found], dict[str, Found], float]:
    server.ask(f"CREATE DATABASE `{NAME}`")
    url = URL.create("mysql+pymysql", "root", database=NAME,
                     query={"unix_socket": str(server.socket)})  # fmt: skip
    made, port = engine(url), free_port()
    upgrade(made)
    tokens, numbers = seed(made)
    line = [sys.executable, "-m", "benchmarks.platform_api", "--serve", str(port),
            url.render_as_string(hide_password=False)]  # fmt: skip
    api = subprocess.Popen(line, cwd=measure.ROOT)
    try:
        ready(port)
        ours, bare = {}, {}
        for name, ask in requests(port, tokens, numbers).items():
            before = used(api.pid)
            rate, taken = load(ask, seconds)
            ours[name] = figures(rate, taken, used(api.pid) - before)
            bare[name] = figures(*load(statements(made, numbers)[name], seconds))
        peak = Path(f"/proc/{api.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
        return ours, bare, int(peak) / 1024
    finally:
        api.terminate()
        api.wait()
        made.dispose()


def ready(port: int) -> None:
    for _ in range(600):
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the API does not answer")


def told(ours: dict[str, Found], bare: dict[str, Found], peak: float) -> str:
    columns = ["request", "per second", "median ms", "p99 ms", "CPU ms of the API",
               "bare SQL per second", "its p99 ms", "target"]  # fmt: skip
    how = f"{JOBS:,} jobs, {CONNECTIONS} connections; the API is one process of {peak:.0f} MiB."
    lines = [how, "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for name, one in ours.items():
        lines.append(
            f"| {name} | {one.rate:.0f} | {one.median:.0f} | {one.p99:.0f} | {one.cpu:.2f} | "
            f"{bare[name].rate:.0f} | {bare[name].p99:.0f} | {TARGETS[name]} |"
        )
    return "\n".join([*lines, "", f"On {measure.machine()}."])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.platform_api", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[1], int(options.serve[0]))
        return
    with serving(*OPTIONS) as server:
        text = told(*find(server, options.seconds))
    print(text)
    if options.docs:
        measure.section("platform-api", text)


if __name__ == "__main__":
    main()
