"""A minute without the database, without Kubernetes, or without both, under requests: 503 and never
500, what runs goes on, and what happened meanwhile is caught up with once they are back."""

from __future__ import annotations

import gc
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from jobplatform.kubernetes import Away
from jobplatform.manager.loop import LostLease, Manager
from jobplatform.store import jobs
from jobplatform.store.database import Unavailable, reading
from tests.support.mariadb import MariaDb
from tests.support.platform.clients import JOB, settle
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.served import served
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.long,
    # PyMySQL leaves the sockets of connections that broke to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MINUTE = 60.0
Answer = tuple[str, int, str]


class Site:
    """An API on a port, a manager that makes a pass each second, and people who ask."""

    def __init__(self, engine: Engine, address: str, cluster: FakeKubernetes, token: str) -> None:
        self.engine, self.cluster, self.token = engine, cluster, token
        self.host, self.port = urlsplit(address).hostname, urlsplit(address).port
        self.manager = Manager(engine, cluster, "one", picture=cluster.shown)
        self.answers: list[Answer] = []
        self.ended = threading.Event()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str, Any]:
        link = http.client.HTTPConnection(str(self.host), self.port, timeout=90)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            link.request(method, path, json.dumps(body) if body else None, headers)
            answer = link.getresponse()
            content = json.loads(answer.read() or b"null")
            return answer.status, answer.headers.get("Retry-After", ""), content
        finally:
            link.close()

    def submit(self) -> str:
        return str(self.ask("POST", "/api/v1/jobs", JOB)[2]["id"])

    def manage(self) -> None:
        """As the manager's role does it; and what kubelets do, whoever is away."""
        while not self.ended.is_set():
            with suppress(Away, LostLease, Unavailable):
                self.manager.turn()
            self.cluster.start()
            self.cluster.stop_deleted()
            self.ended.wait(1)

    def pester(self, number: str) -> None:
        while not self.ended.is_set():
            job = f"/api/v1/jobs/{number}"
            for method, path in (("GET", job), ("POST", f"{job}/resume"), ("GET", f"{job}/log"),
                                 ("GET", "/readyz")):  # fmt: skip
                name = "log" if path.endswith("/log") else method
                status, again, _ = self.ask(method, path)
                self.answers.append((name, status, again))
            self.ended.wait(0.2)

    def state(self, number: str) -> tuple[str, int]:
        with reading(self.engine) as connection:
            row = jobs.find(connection, number)
        assert row is not None
        return row.jobStatus, row.attempt

    def told(self, number: str) -> list[str]:
        with reading(self.engine) as connection:
            return [one.status for one in jobs.events(connection, number)]


@contextmanager
def going(site: Site, number: str) -> Iterator[None]:
    """While the block runs, the manager works and people ask."""
    threads = [threading.Thread(target=site.manage),
               threading.Thread(target=site.pester, args=(number,))]  # fmt: skip
    for one in threads:
        one.start()
    try:
        yield
    finally:
        site.ended.set()
        for one in threads:
            one.join()


@contextmanager
def away(site: Site, mariadb: MariaDb, what: str) -> Iterator[None]:
    if "database" in what:
        mariadb.stop()
    site.cluster.away = "kubernetes" in what
    try:
        with mariadb.silent() if what == "frozen" else nullcontext():
            yield
    finally:
        site.cluster.away = False
        if "database" in what:
            mariadb.start()


@pytest.mark.parametrize("what", ["database", "kubernetes", "database and kubernetes", "frozen"])
def test_a_minute_of_it(real: Engine, mariadb: MariaDb, what: str) -> None:
    cluster, tokens = FakeKubernetes("n1", "n2"), settle(real)
    with served(real, cluster) as address:
        site = Site(real, address, cluster, tokens["ann"])
        running, ending = site.submit(), site.submit()
        cluster.logs["vc-a", f"job-{running}-1-worker-0"] = [b"2026-01-01T00:00:00Z a line\n"]
        with going(site, running):
            wait_until(lambda: all(site.state(one)[0] == "running" for one in (running, ending)))
            before = len(site.answers)
            with away(site, mariadb, what):
                time.sleep(2)  # answers that were under way
                meanwhile = len(site.answers)
                cluster.end(f"job-{ending}-1-worker-0")
                late = site.submit() if what == "kubernetes" else ""
                time.sleep(MINUTE)
                during = site.answers[meanwhile:]
                assert cluster.running(running) == [f"job-{running}-1-worker-0"]
            back = time.monotonic()
            wait_until(lambda: site.ask("GET", "/readyz")[0] == 200, 60)
            wait_until(lambda: site.state(ending) == ("finished", 1), 60)
            late = late or site.submit()
            wait_until(lambda: site.state(late) == ("running", 1), 60)
            print(f"{what}: caught up with in {time.monotonic() - back:.1f} s; {Counter(during)}")
        check(site, what, during, site.answers[before:])
        untouched(site, running)
    real.dispose()
    gc.collect()  # here, where the warnings are ignored


def check(site: Site, what: str, during: list[Answer], answers: list[Answer]) -> None:
    """No answer is 500; without the database all are 503, without Kubernetes those of its logs."""
    assert during and {status for _, status, _ in answers} <= {
        200,
        409,
        503,
    }  # 409: it runs, so it is not resumed
    for name, status, _ in during:
        refused = what != "kubernetes" or name == "log"
        assert (status == 503) == refused, (name, status)
    assert {again for _, status, again in answers if status == 503} == {"5"}


def untouched(site: Site, running: str) -> None:
    """It ran all the time, once; no job failed or was queued again."""
    assert site.state(running) == ("running", 1)
    assert set(site.cluster.runs.values()) == {1}
    with reading(site.engine) as connection:
        rows = jobs.listing(connection, None, None, limit=10_000)
    assert {row.jobStatus for row in rows} <= {"running", "finished", "queued", "scheduling",
                                               "unapproved"}  # fmt: skip
    for row in rows:
        assert site.told(row.jobId).count("queued") <= 1
