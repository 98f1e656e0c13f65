"""How the manager and the API speak with Kubernetes, against a server that answers from a table."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from urllib3.connection import HTTPConnection

from jobplatform.kubernetes import Away, Cluster, Gone, Refused
from jobplatform.manager import walls
from jobplatform.manager.loop import OTHERS
from jobplatform.manager.picture import KINDS
from jobplatform.manager.pods import Attempt, Person, objects
from jobplatform.model.request import Request
from tests.support.examples import cluster_of, filled_in, objects_of
from tests.support.platform.clients import JOB

PODS = "/api/v1/namespaces/vc-a/pods"


class Server(ThreadingHTTPServer):
    """`answers`: a code and a body by method and path; others are not found."""

    daemon_threads = True
    answers: dict[str, tuple[int, bytes]]
    asked: list[tuple[str, dict[str, list[str]], Any, str]]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told = f"{self.command} {where.path}"
        self.server.asked.append(
            (told, parse_qs(where.query), json.loads(body or b"null"), self.headers["Content-Type"])
        )
        following = parse_qs(where.query).get("continue", [""])[0]
        code, data = self.server.answers.get(told + following, (404, b'{"message": "not found"}'))
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PATCH = _answer

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), _Handler) as made:
        made.answers, made.asked = {}, []
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def cluster(server: Server, tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "token").write_text("the account's token\n")
    made = Cluster(f"http://127.0.0.1:{server.server_port}", tmp_path)
    yield made
    made.pool.clear()


def test_a_list_is_read_page_by_page(server: Server, cluster: Cluster) -> None:
    first = {"items": [{"a": 1}], "metadata": {"continue": "x"}}
    server.answers["GET /api/v1/pods"] = 200, json.dumps(first).encode()
    server.answers["GET /api/v1/podsx"] = 200, b'{"items": [{"b": 2}]}'
    assert cluster.all("pods") == [{"a": 1}, {"b": 2}]
    assert server.asked[0][1] == {"limit": ["500"]}


def test_a_name_that_is_taken_and_one_that_is_gone_are_no_errors(
    server: Server, cluster: Cluster
) -> None:
    server.answers[f"POST {PODS}"] = 201, b"{}"
    assert cluster.create("pods", "vc-a", {"a": 1})
    server.answers[f"POST {PODS}"] = 409, b"{}"
    assert not cluster.create("pods", "vc-a", {})
    cluster.delete("pods", "vc-a", "x")
    cluster.release("vc-a", "x")
    assert server.asked[-1][2:] == (
        {"metadata": {"finalizers": None}}, "application/merge-patch+json",
    )  # fmt: skip


@pytest.mark.parametrize(("code", "kind"), [(403, Refused), (422, Refused), (500, Away),
                                            (429, Away), (401, Away)])  # fmt: skip
def test_what_is_refused_and_what_may_be_asked_again(
    server: Server, cluster: Cluster, code: int, kind: type[Exception]
) -> None:
    server.answers[f"POST {PODS}"] = code, b'{"message": "because"}'
    with pytest.raises(kind, match="because"):
        cluster.create("pods", "vc-a", {})
    server.answers[f"GET {PODS}/x/log"] = code, b'{"message": "because"}'
    with pytest.raises(kind, match="because"):
        cluster.log("vc-a", "x", "")


def test_nobody_there_is_away(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    nowhere = Cluster("http://127.0.0.1:1", tmp_path)
    for ask in (lambda: nowhere.all("pods"), lambda: nowhere.log("a", "b", "")):
        with pytest.raises(Away):
            ask()


def test_a_log_comes_line_by_line(server: Server, cluster: Cluster) -> None:
    long = b"x" * 3_000_000
    server.answers[f"GET {PODS}/x/log"] = 200, b"one\n\ntwo\n" + long + b"\nend"
    lines = list(cluster.log("vc-a", "x", "2026-01-01T00:00:00Z") or ())
    assert [one for one in lines if len(one) < 100] == [b"one\n", b"\n", b"two\n", b"end"]
    assert max(map(len, lines)) < 1_200_000  # a line without an end does not fill memory
    assert server.asked[0][1] == {"timestamps": ["true"], "sinceTime": ["2026-01-01T00:00:00Z"]}
    assert cluster.log("vc-a", "gone", "") is None


def test_a_list_says_as_of_which_version_it_is(server: Server, cluster: Cluster) -> None:
    """The first page's: a watch from there on misses nothing."""
    for words, version, following in (("", "7", "x"), ("x", "9", "")):
        page = {"items": [{"a": version}],
                "metadata": {"resourceVersion": version, "continue": following}}  # fmt: skip
        server.answers[f"GET /api/v1/pods{words}"] = 200, json.dumps(page).encode()
    assert cluster.listed("pods", "dlws.io/job") == ([{"a": "7"}, {"a": "9"}], "7")
    assert server.asked[0][1] == {"limit": ["500"], "labelSelector": ["dlws.io/job"]}


def test_changes_are_heard_of_since_a_version(server: Server, cluster: Cluster) -> None:
    lines = [{"type": "ADDED", "object": {"a": 1}}, {"type": "BOOKMARK", "object": {"b": 2}}]
    server.answers["GET /api/v1/pods"] = 200, b"\n".join(json.dumps(one).encode() for one in lines)
    assert list(cluster.changes("pods", "dlws.io/job", "7")) == lines
    ((_, watched, _, _),) = server.asked
    assert int(watched.pop("timeoutSeconds")[0]) < 70  # a silent connection is given up then
    assert watched == {"watch": ["true"], "resourceVersion": ["7"], "allowWatchBookmarks": ["true"],
                       "labelSelector": ["dlws.io/job"]}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "data", "kind"),
    [(500, b"{}", Away), (410, b'{"message": "too old"}', Gone), (403, b"{}", Refused),
     (200, b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}', Gone),
     (200, b'{"type": "ERROR", "object": {"code": 500}}', Away), (200, b"[1]", Away),
     (200, b'{"type": "ADDED", "obj', Away)],
)  # fmt: skip
def test_changes_that_are_not_told(
    server: Server, cluster: Cluster, code: int, data: bytes, kind: type[Exception]
) -> None:
    server.answers["GET /api/v1/pods"] = code, data
    with pytest.raises(kind) as told:
        list(cluster.changes("pods", "", "7"))
    assert isinstance(told.value, Gone) == (kind is Gone)


def test_a_machine_that_is_gone_is_found_while_a_watch_waits(
    cluster: Cluster, server: Server
) -> None:
    link = cluster.pool.connection_from_url(cluster.address)._new_conn()
    link.connect()
    assert isinstance(link, HTTPConnection) and link.sock
    try:
        assert link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert link.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 20
    finally:
        link.close()


def rules(place: Path, service: str) -> set[tuple[str, str]]:
    """What its account may: verb and kind."""
    share = {"type": "glusterfs", "server": "x", "filesharename": "v", "mountpoints": ""}
    found = objects_of(cluster_of(place, filled_in(mountpoints={"share": share})))[service]
    return {(verb, kind) for one in found if one.body["kind"] == "ClusterRole"
            for rule in one.body["rules"] for kind in rule["resources"]
            for verb in rule["verbs"]}  # fmt: skip


def test_the_manager_may_do_what_it_does_and_the_api_reads_logs_alone(tmp_path: Path) -> None:
    attempt = Attempt("1", 1, Person("a", "a", 2000, 2000), Request.model_validate(JOB), ("n",))
    made = {kind for kind, *_ in walls.around("a", "share", "/s")} | {
        kind for kind, _ in objects(attempt)
    }
    needed = {("create", kind) for kind in made}
    needed |= {(verb, kind) for kind in ("pods", *OTHERS) for verb in ("list", "delete")}
    needed |= {("list", "nodes"), ("patch", "pods")} | {("watch", kind) for kind in KINDS}
    extra = rules(tmp_path, "jobmanager2") - needed
    assert needed <= rules(tmp_path, "jobmanager2")
    assert {verb for verb, _ in extra} == {"get"}
    assert rules(tmp_path, "restfulapi2") == {("get", "pods/log")}
