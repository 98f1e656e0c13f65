"""Trouble on a real cluster, and what becomes of jobs in it: nodes that are lost, a database or an
API server that does not answer; and workers that look for each other by name."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.platform.story import Person, Site, half_a_node
from tests.support.waiting import wait_until

_MEET = """exec python3 -c '
import os, socket, time
rank, place = int(os.environ["RANK"]), (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    server = socket.create_server(("", place[1]))
for line in open("/etc/dlws/hostfile"):
    for left in reversed(range(60)):
        try:
            socket.gethostbyname(line.split()[0])
            break
        except OSError:
            if not left:
                raise
            time.sleep(1)
if rank == 0:
    print("heard", server.accept()[0].makefile().read(), flush=True)
else:
    for left in reversed(range(60)):
        try:
            talk = socket.create_connection(place, 5)
            break
        except OSError:
            if not left:
                raise
            time.sleep(1)
    talk.sendall(b"worker %d of %s" % (rank, os.environ["WORLD_SIZE"].encode()))
'"""
_WRITE = (
    "n=0; while [ $DLWS_ATTEMPT = 1 ] || [ $n -lt 10 ]; do n=$((n+1));"
    ' echo "$DLWS_ATTEMPT $(date +%s%N)" >>~/NAME-$RANK; sleep 0.2; done'
)
"""Writes what it is and when; only another attempt comes to an end."""


def workers_find_each_other(ada: Person) -> None:
    """By the names in the environment and in the hostfile, which the cluster's DNS answers."""
    number = ada.submit(_MEET, "--kind", "distributed", "--workers", "2")
    wait_until(lambda: ada.client.job(number)["status"] in {"finished", "failed"}, 180)
    assert ada("job", "logs", number) == "heard worker 1 of 2\n"


@dataclass(frozen=True)
class Gang:
    """Two workers, on two nodes, that write all the time to one file each of the person's home."""

    ada: Person
    number: str
    files: str

    @classmethod
    def running(cls, ada: Person, files: str) -> Gang:
        cores = half_a_node(ada.site)
        two = ("--kind", "distributed", "--workers", "2", "--cpu", cores)
        made = cls(ada, ada.submit(_WRITE.replace("NAME", files), *two), files)
        made.until("running")
        wait_until(lambda: len(made.written()) == 2, 60)
        return made

    def until(self, state: str, attempt: int = 1, seconds: float = 240) -> None:
        def there() -> bool:
            found = self.ada.client.job(self.number)
            return (found["status"], found["attempt"]) == (state, attempt)

        wait_until(there, seconds)

    def pods(self) -> list[Any]:
        chosen = ("-n", "vc-platform", "-l", f"dlws.io/job={self.number}")
        found: list[Any] = self.ada.site.kubectl("get", "pods", *chosen)["items"]
        return found

    def given_up(self, node: str) -> None:
        """Once a node is missed, delete its pods, as Kubernetes does by itself 5 minutes later."""
        ready = '{.status.conditions[?(@.type=="Ready")].status}'
        asked = ("kubectl", "get", "node", node, "-o", f"jsonpath={ready}")
        wait_until(lambda: self.ada.site.deploy(*asked) == "Unknown", 240)
        for pod in self.pods():
            if pod["spec"]["nodeName"] == node:
                name = pod["metadata"]["name"]
                words = ("-n", "vc-platform", "delete", "pod", "--wait=false", name)
                self.ada.site.deploy("kubectl", *words)

    def written(self) -> dict[str, list[list[int]]]:
        """Of each worker's file: attempt and time of each line."""
        place = "/mntdlws/share/work/ada"
        told = self.ada.site.made.run("infra1", f"cd {place}; grep . {self.files}-* || true")
        found: dict[str, list[list[int]]] = {}
        for line in told.splitlines():
            name, _, words = line.partition(":")
            found.setdefault(name, []).append([int(word) for word in words.split()])
        return found

    def ended_as_the_second_attempt(self, node: str) -> None:
        """It was tried again once, for the node, and no two attempts wrote at the same time."""
        self.until("finished", 2)
        told = self.ada.client.events(self.number)
        states = [one["status"] for one in told]
        lost = [one["reason"]["sentence"] for one in told
                if one["reason"] and one["reason"]["code"] == "node-lost"]  # fmt: skip
        words = f"Node {node} was lost during attempt 1; it is tried again."
        assert set(lost) == {words} and states.count("running") == 2, told
        lines = self.written()
        assert len(lines) == 2
        first = [at for rows in lines.values() for attempt, at in rows if attempt == 1]
        second = [at for rows in lines.values() for attempt, at in rows if attempt == 2]
        assert max(first) < min(second) and len(second) == 20
        for rows in lines.values():
            assert rows == sorted(rows), "an old worker wrote behind a new one"


def a_node_is_silent(ada: Person, fault: str, cure: str, node: str = "worker2") -> None:
    """While nobody knows whether its worker still writes, no other one is made."""
    gang = Gang.running(ada, fault)
    ada.site.deploy("sandbox", fault, node)
    try:
        gang.given_up(node)
        gang.until("queued")
        assert {pod["metadata"]["labels"]["dlws.io/attempt"] for pod in gang.pods()} == {"1"}
    finally:
        ada.site.deploy("sandbox", cure, node)
    gang.ended_as_the_second_attempt(node)


def a_node_starts_anew(ada: Person, node: str = "worker2") -> None:
    """It loses power, and is back before Kubernetes misses it."""
    gang = Gang.running(ada, "kill")
    ada.site.deploy("sandbox", "kill", node)
    ada.site.deploy("sandbox", "start", node)
    gang.ended_as_the_second_attempt(node)


@dataclass
class Asking:
    """Somebody who asks the API all the time, for a list and to submit what can never run."""

    site: Site
    answers: list[tuple[int, str]] = field(default_factory=list)

    @contextlib.contextmanager
    def all_the_time(self) -> Iterator[None]:
        done = threading.Event()

        def go_on() -> None:
            while not done.wait(0.3):
                self.once("GET", "/api/v1/jobs?limit=5")

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def once(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the API answers; kept with its Retry-After."""
        token = (self.site.directory / "deploy/dashboard/admin.token").read_text().strip()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        asked = urllib.request.Request(f"{self.site.address}/apis{path}", data, head, method=method)
        trust = ssl.create_default_context(cafile=str(self.site.directory / "deploy/nginx/ca.crt"))
        try:
            with urllib.request.urlopen(asked, timeout=60, context=trust) as answer:
                self.answers.append((answer.status, ""))
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:  # it holds the connection
                self.answers.append((error.code, error.headers.get("Retry-After", "")))
            return None


def silent(site: Site, program: str) -> Callable[[bool], None]:
    """A way to have a program of infra1 answer nothing, and to have it go on."""

    def switch(away: bool) -> None:
        signal = "STOP" if away else "CONT"
        site.made.run("infra1", f"pkill -{signal} -x {program}")

    return switch


DATABASE, KUBERNETES = "mariadbd", "kube-apiserver"


def nothing_is_lost_while_away(ada: Person, seconds: float, *programs: str) -> float:
    """Programs answer nothing for a time. The API says 503 or does what it is asked, a job that
    runs goes on, one that ends is told afterwards, and one that is submitted runs. Returned are
    the seconds from their return until all of that is told."""
    site, asking = ada.site, Asking(ada.site)
    runs = ada.submit("while :; do sleep 1; done")
    waits = ada.submit("true", "--cpu", "900")
    ends = ada.submit(f"sleep {round(seconds / 2)}")
    for number in (runs, ends):
        wait_until(lambda number=number: ada.client.job(number)["status"] == "running", 120)  # type: ignore[misc]
    before = _pod(site, runs)
    with asking.all_the_time():
        for program in programs:
            silent(site, program)(True)
        try:
            time.sleep(seconds)
        finally:
            for program in reversed(programs):
                silent(site, program)(False)
        back = time.monotonic()
        wait_until(lambda: asking.once("GET", f"/api/v1/jobs/{ends}") is not None, 60)
        wait_until(lambda: ada.client.job(ends)["status"] == "finished", 120)
        took = time.monotonic() - back
    told = ada.submit("true")
    wait_until(lambda: ada.client.job(told)["status"] == "finished", 120)
    _as_the_api_should(asking, DATABASE in programs)
    assert _pod(site, runs) == before
    for number, state in ((runs, "running"), (waits, "queued")):
        assert ada.client.job(number)["status"] == state
        ada("job", "stop", number)
    assert [ada.client.job(one)["attempt"] for one in (runs, waits, ends)] == [1, 0, 1]
    return took


def _as_the_api_should(asking: Asking, away: bool) -> None:
    codes = {code for code, _ in asking.answers}
    assert codes <= {200, 201, 503} and 200 in codes, codes
    assert (503 in codes) == away, codes
    assert all(retry for code, retry in asking.answers if code == 503)


def _pod(site: Site, number: str) -> tuple[str, str, int]:
    """Which pod a job has, what it does, and how often it was begun anew."""
    (pod,) = site.kubectl("get", "pods", "-n", "vc-platform", "-l", f"dlws.io/job={number}")[
        "items"
    ]
    status = pod["status"]
    return pod["metadata"]["uid"], status["phase"], status["containerStatuses"][0]["restartCount"]
