"""Requests as they are sent: against a server of the test's own that speaks HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from dlws.core.errors import DeployError
from dlws.core.limits import TAIL_BYTES
from dlws.kubernetes import api
from dlws.kubernetes import objects as module
from dlws.kubernetes.api import Api, ApiRefused
from dlws.kubernetes.objects import Objects

PATH = "/api/v1/namespaces/n/configmaps/x"


class Server(ThreadingHTTPServer):
    """Keeps what it was sent; answers with `status` and `content`, then waits where it watches."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.status, self.content = 200, b"{}"
        self.drips = False
        self.go_on = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        media = self.headers.get("Content-Type", "")
        self.server.asked.append((self.command, self.path, media, body))
        content, watches = self.server.content, "watch=" in self.path
        self.send_response(self.server.status)
        if watches:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            self.server.go_on.wait(60)
            return
        if self.server.drips:
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.go_on.wait(0.02):
                    self.wfile.write(b" ")
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = do_DELETE = answer


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.go_on.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def objects(server: Server) -> Iterator[Objects]:
    settings: Any = Configuration()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    settings.host, settings.retries = url, 0
    settings.api_key = {"BearerToken": "Bearer tok"}
    client: Any = ApiClient(settings)
    yield Objects(Api(client, url))
    client.close()


def test_apply_is_of_our_field_manager(objects: Objects, server: Server) -> None:
    server.content = b'{"metadata": {"name": "x"}}'
    objects.apply(PATH, {"data": {"a": "ü"}}, force=False)
    ((method, path, media, body),) = server.asked
    assert (method, path) == ("PATCH", f"{PATH}?fieldManager=dlws&force=false")
    assert media == "application/apply-patch+yaml"
    assert json.loads(body) == {"data": {"a": "ü"}}


def test_a_delete_is_of_that_object_and_of_no_other_of_its_name(
    objects: Objects, server: Server
) -> None:
    assert objects.delete(PATH, "uid-1") is True
    body = json.loads(server.asked[0][3])
    assert body["preconditions"] == {"uid": "uid-1"}
    server.status = 404
    assert objects.delete(PATH) is False


def test_a_list_says_of_each_item_what_it_is(objects: Objects, server: Server) -> None:
    item = {"metadata": {"name": "x"}}
    server.content = json.dumps(
        {"kind": "ConfigMapList", "apiVersion": "v1", "items": [item]}
    ).encode()
    found = objects.list("/api/v1/configmaps", "a in (b)")
    assert found == [{"kind": "ConfigMap", "apiVersion": "v1", **item}]
    assert server.asked[0][1] == "/api/v1/configmaps?labelSelector=a+in+%28b%29"
    server.status = 404
    assert objects.list("/apis/e.org/v1/mice") == []


def test_a_refusal_has_its_status(objects: Objects, server: Server) -> None:
    server.status, server.content = 422, b'{"message": "field is immutable"}'
    with pytest.raises(ApiRefused, match="422 field is immutable") as caught:
        objects.apply(PATH, {})
    assert caught.value.status == 422
    assert isinstance(caught.value, DeployError)


def test_a_watch_can_be_closed_while_another_thread_waits_for_its_next_line(
    objects: Objects, server: Server
) -> None:
    server.content = b'{"type": "ADDED", "object": {"metadata": {"name": "x", "uid": "1"}}}\n'
    watch = objects.watch("/api/v1/pods", "", 60)
    seen: list[str] = []
    first = threading.Event()

    def follow() -> None:
        for event in watch:
            seen.append(event.type)
            first.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert first.wait(10)
    watch.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == ["ADDED"]


@pytest.mark.parametrize(
    "content",
    [b"[]", b"x" * 5000, b'{"items": 1}', b'{"items": [1]}', b'{"items": [{"metadata": {}}]}'],
)
def test_a_list_that_is_none_is_refused(objects: Objects, server: Server, content: bytes) -> None:
    server.content = content
    with pytest.raises(DeployError, match="makes no sense"):
        objects.list("/api/v1/configmaps")


def test_an_answer_without_end_is_not_kept(objects: Objects, server: Server) -> None:
    log = f"{PATH}/log"
    server.content = b"x" * TAIL_BYTES
    assert len(objects.log(PATH, "c", False, 5)) == TAIL_BYTES
    assert server.asked[0][1] == f"{log}?container=c&tailLines=5&limitBytes={TAIL_BYTES}"
    server.content += b"x"
    assert objects.log(PATH, "c", False, 5) == ""
    server.content = json.dumps({"items": [], "pad": "x" * 5000}).encode()
    assert objects.list("/api/v1/configmaps") == []
    with pytest.raises(DeployError, match="makes no sense"):
        objects._ask("GET", "/api/v1/configmaps", limit=5000)


def test_an_answer_that_drips_in_without_end_is_cut_off(
    objects: Objects, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.drips = True
    monkeypatch.setattr(module, "_LOG", 0.2)
    assert objects.log(PATH, "c", False, 5) == ""
    with pytest.raises(DeployError, match="did not come to the end of an answer") as error:
        objects._ask("GET", "/api/v1/configmaps", seconds=0.2)
    assert "status" in error.value.cure
    server.status = 403
    monkeypatch.setattr(api, "_REFUSING", 0.2)
    with pytest.raises(DeployError, match="refused: 403"):
        objects.get("/api/v1/configmaps")


@pytest.mark.parametrize(
    "line", [b'{"type": "ADDED"}', b'{"object": {}}', b'{"type": "ADDED", "object": 1}', b"x" * 99]
)
def test_an_event_that_is_none_ends_a_watch(
    objects: Objects, server: Server, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    monkeypatch.setattr(api, "EVENT_BYTES", 98)
    server.content = line + b"\n" * (b"{" in line)
    with pytest.raises(DeployError, match="makes no sense"):
        next(iter(objects.watch("/api/v1/pods", "", 60)))
