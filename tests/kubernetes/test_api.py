"""The API calls, against a server of the test's own that speaks like one."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import ApiClient, Configuration

from dlws.core.errors import DeployError
from dlws.kubernetes.api import Api, KubeNode
from dlws.kubernetes.kubeconfig import client_settings
from dlws.kubernetes.status import wait_ready
from tests.support.kubeobjects import node


class Server(ThreadingHTTPServer):
    """Answers as told, and keeps the patches it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.nodes = {"a": node("a", worker="active"), "b": node("b", ready=False)}
        self.later: list[dict[str, Any]] = []
        self.patches: dict[str, tuple[str, Any]] = {}
        self.requests = [{"metadata": {"name": "csr-a", "resourceVersion": "7"}}]
        self.paths: list[str] = []
        self.refusal: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def answer(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.server.refusal:
            self.answer(self.server.refusal[1], self.server.refusal[0])
            return
        if "certificatesigningrequests" in self.path:
            self.answer(json.dumps({"items": self.server.requests}).encode())
            return
        known = list(self.server.nodes.values())
        if "watch=" in self.path:
            events = [{"type": "ADDED", "object": item} for item in known]
            events += [{"type": "MODIFIED", "object": item} for item in self.server.later]
            self.answer("".join(json.dumps(event) + "\n" for event in events).encode())
        else:
            self.answer(json.dumps({"kind": "NodeList", "items": known}).encode())

    def do_PATCH(self) -> None:
        self.server.paths.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.patches[self.path.split("/")[-1]] = (self.headers["Content-Type"], body)
        self.answer(json.dumps(node("a")).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    settings: Any = Configuration()
    settings.host, settings.retries = server.url, 0
    client: Any = ApiClient(settings)
    yield Api(client, server.url)
    client.close()


def test_nodes(api: Api) -> None:
    found = api.nodes()
    assert found["a"].labels == {"worker": "active"}
    assert (found["a"].ready, found["b"].ready, found["b"].message) == (True, False, "why")
    assert (found["a"].pod_cidr, found["a"].address) == ("10.244.0.0/24", "10.1.0.1")
    assert found["a"].taints == ({"key": "k", "effect": "NoSchedule"},)


def test_a_proxy_of_the_devbox_is_not_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    admin = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {}}],
    }
    settings = client_settings(admin)
    assert settings.proxy is None and settings.host == server.url
    with ApiClient(settings) as client:
        assert set(Api(client, server.url).nodes()) == {"a", "b"}


def test_what_a_kubelet_says_is_one_line(api: Api, server: Server) -> None:
    """Lines of a text that it chose would be rows in a table of nodes."""
    for condition in server.nodes["b"]["status"]["conditions"]:
        condition["message"] = "ill\nworker01  worker  10.1.0.11  yes\u2028x" + "y" * 9000
    server.nodes["b"]["status"]["nodeInfo"]["kubeletVersion"] = "v1\n2"
    found = api.nodes()["b"]
    assert (
        found.message.startswith("ill worker01 worker 10.1.0.11 yes x") and found.version == "v1 2"
    )
    assert len(found.message) == 500


@pytest.mark.parametrize("item", [
    None, [], "a", {}, {"metadata": {}}, {"metadata": {"name": "A\nB"}}, {"metadata": {"name": 1}},
    {**node("a"), "spec": {"taints": [{"key": "a"}]}}, {**node("a"), "spec": {"podCIDR": {}}},
    {**node("a"), "spec": None}, {**node("a"), "status": {"addresses": [{"type": "InternalIP"}]}},
    {**node("a"), "status": {"conditions": {}}}, {**node("a"), "status": {"nodeInfo": None}},
    {"metadata": {"name": "a", "labels": {"a": 1}}}, {"metadata": {"name": "\ud800"}},
])  # fmt: skip
def test_what_is_no_node_is_an_error(item: object) -> None:
    with pytest.raises(DeployError, match="about a node makes no sense"):
        KubeNode.of(item)


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>", b"[" * 100_000, b"\xff", b"{}", b"1"])
def test_an_answer_of_another_shape_is_an_error(api: Api, server: Server, content: bytes) -> None:
    server.refusal = (200, content)
    with pytest.raises(DeployError, match="makes no sense"):
        api.nodes()
    with pytest.raises(DeployError, match="makes no sense"):
        server.refusal = (200, content + b'\n{"type": "ADDED"}\n')
        list(api.watch(1))


WORDS = st.one_of(
    st.sampled_from(["metadata", "name", "labels", "spec", "taints", "status", "conditions", "type",
                     "addresses", "InternalIP", "Ready", "nodeInfo", "key", "effect"]),
    st.text(),
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), WORDS)
TREES = st.recursive(SCALARS, lambda c: st.one_of(st.lists(c), st.dictionaries(WORDS, c)))
PARTS = st.dictionaries(st.sampled_from(["spec", "status"]), TREES)


@given(st.one_of(TREES, PARTS.map(lambda more: {**node("a"), **more})))
def test_any_json_is_a_node_or_an_error(item: object) -> None:
    with contextlib.suppress(DeployError):
        assert isinstance(KubeNode.of(item), KubeNode)


def test_one_json_patch_per_node(api: Api, server: Server) -> None:
    patch = [{"op": "add", "path": "/metadata/labels/x", "value": "ü $(x)"}]
    api.patch({"a": patch, "b": patch})
    assert server.patches == dict.fromkeys("ab", ("application/json-patch+json", patch))


def test_a_request_is_approved_as_it_was_read(api: Api, server: Server) -> None:
    (request,) = api.signing_requests("kubernetes.io/kubelet-serving")
    api.approve(request)
    assert server.paths == [
        "/apis/certificates.k8s.io/v1/certificatesigningrequests/csr-a/approval"
    ]
    kind, (test, add) = server.patches["approval"]
    assert kind == "application/json-patch+json"
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert add["value"][0]["type"] == "Approved"


def test_watch_sees_a_node_become_ready(api: Api, server: Server) -> None:
    server.later = [node("b", ready=True)]
    assert [(live.name, live.ready) for live in api.watch(5)] == [
        ("a", True),
        ("b", False),
        ("b", True),
    ]


def test_wait_ready_ends_once_all_are(api: Api, server: Server) -> None:
    server.later = [node("b", ready=True), node("a", ready=False)]
    found = wait_ready(api, ["a", "b"], 5)
    assert found["a"].ready and found["b"].ready


def test_wait_ready_tells_who_is_not(api: Api) -> None:
    assert not wait_ready(api, ["a", "b"], 1)["b"].ready


@pytest.mark.parametrize("content", [b'{"message": "nodes is forbidden"}', b"<html>", b"[]"])
def test_a_refusal_is_an_error_with_a_cure(api: Api, server: Server, content: bytes) -> None:
    server.refusal = (403, content)
    with pytest.raises(DeployError, match=r"refused: 403") as caught:
        api.nodes()
    assert "admin.conf" in caught.value.cure


def test_silence_is_an_error_with_a_cure(api: Api, server: Server) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(DeployError, match="does not answer") as caught:
        api.nodes()
    assert "status" in caught.value.cure
