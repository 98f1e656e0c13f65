#!/usr/bin/env python3
"""Answers for a cluster: dnsmasq faces the clients, keeps what it has heard, and asks the name
servers of /etc/resolv.conf; what is the cluster's own it asks this program, which follows the
Services and Endpoints of the API server. A reader of those two kinds is all it has to be there."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import secrets
import signal
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wire
import zone

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RESOLV = Path("/etc/resolv.conf")
KINDS = ("services", "endpoints")
_GATHER, _AGAIN, _WATCH = 0.1, 2.0, 240
"""Seconds: changes that come together make one zone; before a failed list is tried again; for
which a watch is asked for."""

Thing = dict[str, Any]


class Api:
    """The API server, as a pod sees it, or at a URL."""

    def __init__(self, url: str = "", account: Path = ACCOUNT) -> None:
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
        named = f"[{host}]" if ":" in host else host
        self._url = url or f"https://{named}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}"
        self._account = account

    def open(self, path: str) -> Any:
        request = urllib.request.Request(f"{self._url}{path}")
        with contextlib.suppress(FileNotFoundError):  # read anew each time: tokens are replaced
            token = (self._account / "token").read_text().strip()
            request.add_header("Authorization", f"Bearer {token}")
        authority = self._account / "ca.crt"
        trusted = ssl.create_default_context(cafile=authority) if authority.exists() else None
        return urllib.request.urlopen(request, timeout=_WATCH + 60, context=trusted)


class Follower:
    """All things of one kind, followed from a list on."""

    def __init__(
        self, api: Api, kind: str, changed: Callable[[], None], ended: threading.Event
    ) -> None:
        self._api, self._path = api, f"/api/v1/{kind}"
        self._changed, self._ended = changed, ended
        self.things: dict[tuple[str, str], Thing] = {}
        self.listed = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                version = self._list()
                while version and not self._ended.is_set():
                    version = self._watch(version)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                print(f"cluster-dns: {self._path}: {error}; again in {_AGAIN:g} s", flush=True)
                self._ended.wait(_AGAIN)

    def _list(self) -> str:
        with self._api.open(self._path) as answer:
            found = json.load(answer)
        self.things = {_key(one): one for one in found["items"]}
        self.listed.set()
        self._changed()
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        """Follow from a version on; the version to go on from, empty where it is too old."""
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={_WATCH}"
        with self._api.open(f"{self._path}?{query}&resourceVersion={version}") as answer:
            for event in _events(answer):
                if event["type"] == "ERROR":
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                self._take(event["type"], event["object"])
        return version

    def _take(self, kind: str, thing: Thing) -> None:
        if kind == "DELETED":
            self.things.pop(_key(thing), None)
        elif kind in ("ADDED", "MODIFIED"):
            self.things[_key(thing)] = thing
        if kind != "BOOKMARK":
            self._changed()


def _events(answer: Any) -> Iterator[Thing]:
    for line in answer:
        if line.strip():
            yield json.loads(line)


def _key(thing: Thing) -> tuple[str, str]:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


class Names:
    """The zone of what the API has now."""

    def __init__(self, api: Api, domain: str) -> None:
        self._domain, self._dirty = domain, threading.Event()
        self.ended = threading.Event()
        self._followers = [Follower(api, kind, self._dirty.set, self.ended) for kind in KINDS]
        self.zone = zone.Zone(domain)

    @property
    def ready(self) -> bool:
        """Whether all that there is has been seen once."""
        return bool(self.zone.names)

    def run(self) -> None:
        for follower in self._followers:
            threading.Thread(target=follower.run, daemon=True).start()
        for follower in self._followers:
            follower.listed.wait()
        while not self.ended.is_set():
            self._dirty.wait()
            time.sleep(_GATHER)
            self._dirty.clear()
            services, endpoints = (list(one.things.copy().values()) for one in self._followers)
            self.zone = zone.build(self._domain, services, endpoints)


def upstream(text: str) -> str:
    """The first name server of a resolv.conf."""
    words = [line.split() for line in text.splitlines()]
    return next((row[1] for row in words if row[:1] == ["nameserver"] and len(row) > 1), "")


def answer(names: Names, message: bytes, stream: bool) -> bytes:
    """Our answer, with what an alias leads to elsewhere; that of the name server above for an
    address that is not the cluster's."""
    if not names.ready:
        return b""
    server, (target, kind) = upstream(RESOLV.read_text()), wire.alias(message, names.zone)
    known = list(names.zone.answer(target, kind).records) if target else []
    if target and not known:
        told = _asked(server, wire.query(secrets.randbelow(65536), target, kind)) if server else b""
        if not told or wire.failed(told):
            return b""  # an alias alone would be remembered as the end of that name
        known = wire.addresses(told, target)
    ours = wire.reply(message, names.zone, stream, known)
    return (_asked(server, message) if server and wire.refused(ours) else b"") or ours


def _asked(server: str, message: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(3)
        asking.connect((server, 53))
        asking.send(message)
        return asking.recv(65535)
    return b""


class Datagram(socketserver.BaseRequestHandler):
    names: Names

    def handle(self) -> None:
        message, asking = self.request
        if told := answer(self.names, message, stream=False):
            asking.sendto(told, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    names: Names

    def handle(self) -> None:
        while head := self.rfile.read(2):
            (size,) = struct.unpack("!H", head)
            told = answer(self.names, self.rfile.read(size), stream=True)
            self.wfile.write(struct.pack("!H", len(told)) + told)


class Health(http.server.BaseHTTPRequestHandler):
    """/health answers while this program runs, /ready once names are known."""

    names: Names

    def do_GET(self) -> None:
        well = self.path == "/health" or (self.path == "/ready" and self.names.ready)
        self.send_response(200 if well else 503)
        self.end_headers()
        self.wfile.write(b"OK\n" if well else b"not ready\n")

    def log_message(self, *_: Any) -> None:
        """A probe every few seconds is no news."""


class Datagrams(socketserver.ThreadingUDPServer):
    daemon_threads, allow_reuse_address = True, True


class Streams(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address = True, True


def servers(names: Names, port: int, health: dict[str, int]) -> list[socketserver.BaseServer]:
    """What listens: for dnsmasq on this machine alone, for probes on all addresses."""
    own = {"names": names}
    datagram, stream = type("D", (Datagram,), own), type("S", (Stream,), own)
    probe = type("H", (Health,), own)
    probes = [http.server.ThreadingHTTPServer(("", one), probe) for one in health.values()]
    return [Datagrams(("127.0.0.1", port), datagram), Streams(("127.0.0.1", port), stream), *probes]


def dnsmasq(port: int, inner: int, domain: str) -> list[str]:
    """The command line of the server that clients see."""
    ours = [f"--server=/{name}/127.0.0.1#{inner}" for name in (domain, "in-addr.arpa", "ip6.arpa")]
    files = [f"--resolv-file={RESOLV}", "--conf-file=/dev/null", "--pid-file=", "--no-hosts"]
    limits = ["--cache-size=4096", "--max-cache-ttl=30", "--dns-forward-max=1000"]
    what = ["--keep-in-foreground", "--log-facility=-", f"--port={port}"]
    return ["dnsmasq", *what, *files, *limits, "--edns-packet-max=1232", *ours]


def main() -> int:
    domain = os.environ.get("CLUSTER_DOMAIN", "cluster.local").strip(".").lower()
    ports = [("DNS_PORT", 1053), ("INNER_PORT", 10053)]
    port, inner = (int(os.environ.get(name, usual)) for name, usual in ports)
    names = Names(Api(os.environ.get("API_URL", "")), domain)
    health = {"health": int(os.environ.get("HEALTH_PORT", "8080")),
              "ready": int(os.environ.get("READY_PORT", "8181"))}  # fmt: skip
    for one in servers(names, inner, health):
        threading.Thread(target=one.serve_forever, daemon=True).start()
    threading.Thread(target=names.run, daemon=True).start()
    process = subprocess.Popen(dnsmasq(port, inner, domain))

    def end(*_: object) -> None:
        names.ended.set()
        process.terminate()

    signal.signal(signal.SIGTERM, end)
    code = process.wait()
    return 0 if names.ended.is_set() else code or 1


if __name__ == "__main__":
    sys.exit(main())
