"""The stand-in for a cluster behind HTTP, as an API server has it: versions, lists and watches; and
what befalls watches: versions that are forgotten, connections that are cut or say nothing."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jobplatform.kubernetes import Away, Cluster, Object, Refused
from jobplatform.manager.picture import KINDS
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.serving import in_background

_LOOK = 0.01
_Event = tuple[int, str, str, Object]


class Server(ThreadingHTTPServer):
    """`longest`: seconds of a watch, whatever is asked for. `late`: a version that is too old is
    told after the answer began. `frozen`: nobody is answered. `asked` counts lists and watches."""

    daemon_threads = True

    def __init__(self, cluster: FakeKubernetes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster, self.lock = cluster, threading.Lock()
        self.version = self.oldest = 100
        self.known: dict[tuple[str, str, str], tuple[str, Object]] = {}
        self.events: list[_Event] = []
        self.longest, self.late, self.cuts = 60.0, False, 0
        self.frozen, self.ended = threading.Event(), threading.Event()
        self.asked: Counter[str] = Counter()

    def look(self) -> None:
        """Find what has changed, as nobody tells: tests change objects as they like."""
        with self.lock:
            there = self._there()
            for name in self.known.keys() - there.keys():
                self._tell(name[0], "DELETED", self.known.pop(name)[1])
            for name, one in there.items():
                text = json.dumps(one, sort_keys=True)
                before = self.known.get(name)
                if before is None or before[0] != text:
                    told = self._tell(name[0], "MODIFIED" if before else "ADDED", one)
                    self.known[name] = text, told

    def _there(self) -> dict[tuple[str, str, str], Object]:
        while True:
            try:
                return {(kind, *key(one)): one for kind in KINDS
                        for one in self.cluster.there(kind)}  # fmt: skip
            except RuntimeError:  # it changed while it was copied
                continue

    def _tell(self, kind: str, what: str, one: Object) -> Object:
        self.version += 1
        meta = {**one["metadata"], "resourceVersion": str(self.version), "managedFields": [{}]}
        told = {**one, "metadata": meta}
        self.events.append((self.version, kind, what, told))
        return told

    def forget(self) -> None:
        """Only what changes from now on is known of."""
        self.look()
        with self.lock:
            self.version += 1  # of a kind that nobody here looks at
            self.oldest, self.events = self.version, []

    def listed(self, kind: str, selector: str) -> Object:
        self.look()
        with self.lock:
            items = [one for (of, *_), (_, one) in self.known.items()
                     if of == kind and _selected(one, selector)]  # fmt: skip
            return {"items": items, "metadata": {"resourceVersion": str(self.version)}}

    def since(self, version: int, kind: str, selector: str) -> tuple[list[Object], int]:
        """What has changed, as a watch tells it, and the version as of which."""
        self.look()
        with self.lock:
            found = [{"type": what, "object": one} for number, of, what, one in self.events
                     if number > version and of == kind and _selected(one, selector)]  # fmt: skip
            return found, self.version


def key(one: Object) -> tuple[str, str]:
    meta = one["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _selected(one: Object, selector: str) -> bool:
    return not selector or selector in one["metadata"].get("labels", {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _any(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"null")
        while self.server.frozen.is_set() and not self.server.ended.wait(_LOOK):
            pass
        try:
            with suppress(ConnectionError):  # nobody waits for it any more
                self._answer(body)
        except Away as error:
            self._json(503, {"message": str(error)})
        except Refused as error:
            self._json(422, {"message": str(error)})

    do_GET = do_POST = do_DELETE = do_PATCH = _any

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def _answer(self, body: Any) -> None:
        url, cluster = urlsplit(self.path), self.server.cluster
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        *_, space, kind, name = ["", "", *url.path.split("/")]
        if self.command == "POST":
            space, kind = kind, name
            made = cluster.create(kind, space, body)
            self._json(201 if made else 409, {"message": "already exists"})
        elif self.command == "DELETE":
            cluster.delete(kind, space, name)
            self._json(200, {})
        elif self.command == "PATCH":
            cluster.release(space, name)
            self._json(200, {})
        elif "watch" in query:
            self._watch(name, query)
        else:
            cluster.all(name)  # which may be away
            self.server.asked[f"list {name}"] += 1
            self._json(200, self.server.listed(name, query.get("labelSelector", "")))

    def _json(self, code: int, made: Object) -> None:
        data = json.dumps(made).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self, kind: str, query: dict[str, str]) -> None:
        server, version = self.server, int(query["resourceVersion"])
        server.cluster.all(kind)
        server.asked[f"watch {kind}"] += 1
        old = {"kind": "Status", "code": 410, "message": f"too old resource version: {version}"}
        if version < server.oldest and not server.late:
            self._json(410, old)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if version < server.oldest:
            self._line({"type": "ERROR", "object": old})
            self._chunk(b"")
            return
        self._stream(kind, query, version)

    def _stream(self, kind: str, query: dict[str, str], version: int) -> None:
        server = self.server
        until = time.monotonic() + min(float(query["timeoutSeconds"]), server.longest)
        cuts = server.cuts
        while time.monotonic() < until and not server.ended.wait(_LOOK):
            if server.cuts != cuts:
                self.close_connection = True
                return  # without the last chunk
            if not server.frozen.is_set():
                found, version = server.since(version, kind, query.get("labelSelector", ""))
                for one in found:
                    self._line(one)
        meta = {"resourceVersion": str(version)}
        self._line({"type": "BOOKMARK", "object": {"metadata": meta}})
        self._chunk(b"")

    def _line(self, made: Object) -> None:
        """In two pieces: nothing says that a line comes in one."""
        data = json.dumps(made).encode() + b"\n"
        for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._chunk(piece)

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


@contextmanager
def serving(cluster: FakeKubernetes, place: Path) -> Iterator[tuple[Server, Cluster]]:
    """A server, and who asks it with an account's token; `place` is for the account's files."""
    (place / "token").write_text("the account's token\n")
    server = Server(cluster)
    with in_background(server):
        made = Cluster(f"http://127.0.0.1:{server.server_port}", place)
        try:
            yield server, made
        finally:
            server.ended.set()
            made.pool.clear()
