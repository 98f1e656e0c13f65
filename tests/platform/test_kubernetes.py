"""How the manager and the API speak with Kubernetes, against a server that answers from a table."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobplatform.kubernetes import Away, Cluster, Refused
from jobplatform.manager import walls
from jobplatform.manager.loop import OTHERS
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


def test_changes_are_heard_of_from_now_on(server: Server, cluster: Cluster) -> None:
    """One list says where now is; what was there before is no change."""
    server.answers["GET /api/v1/pods"] = 200, b'{"metadata": {"resourceVersion": "7"}}\n'
    assert len([one for one in cluster.changes("pods", "dlws.io/job") if one]) == 1
    (_, listed, _, _), (_, watched, _, _) = server.asked
    assert listed == {"limit": ["1"], "labelSelector": ["dlws.io/job"]}
    assert watched["watch"] == ["true"] and watched["resourceVersion"] == ["7"]
    assert int(watched["timeoutSeconds"][0]) < 20  # a silent connection is given up then
    server.answers["GET /api/v1/pods"] = 500, b"{}"
    with pytest.raises(Away):
        list(cluster.changes("pods", ""))


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
    needed |= {("list", "nodes"), ("patch", "pods"), ("watch", "pods")}
    extra = rules(tmp_path, "jobmanager2") - needed
    assert needed <= rules(tmp_path, "jobmanager2")
    assert {verb for verb, _ in extra} == {"get"}
    assert rules(tmp_path, "restfulapi2") == {("get", "pods/log")}
