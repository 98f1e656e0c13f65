"""The only way out of a process: a proxy that lets it reach some hosts and no others."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.serving import in_background

SEALED = """
import errno, os, socket, sys
only, connect, resolve = int(os.environ["ONLY_PORT"]), socket.socket.connect, socket.getaddrinfo
def refuse(where):
    with open(os.environ["TRIED"], "a") as file:
        file.write(f"{where}\\n")
    raise OSError(errno.ENETUNREACH, "sealed")
def guarded(self, address):
    if self.family == socket.AF_UNIX or address[:2] == ("127.0.0.1", only):
        return connect(self, address)
    refuse(address)
socket.socket.connect = guarded
socket.getaddrinfo = lambda host, *a, **b: (
    resolve(host, *a, **b) if host in ("127.0.0.1", b"127.0.0.1") else refuse(host))
sys.argv = ["az_tools.py", *sys.argv[1:]]
from dlws.cli.az import main
main()
"""
"""A program that runs az_tools.py, and can connect to one port of this machine alone."""


class Outlet(ThreadingHTTPServer):
    """Takes CONNECT for the hosts that it knows; what else is asked for is noted and refused."""

    daemon_threads = True

    def __init__(self, hosts: Mapping[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hosts = hosts
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Outlet

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        port = self.server.hosts.get(self.path.removesuffix(":443"))
        if port is None:
            self.send_error(403)
            return
        with socket.create_connection(("127.0.0.1", port)) as inner:
            self.send_response(200)
            self.end_headers()
            _relay(self.connection, inner)
        self.close_connection = True

    def _refuse(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(403)

    do_GET = do_PUT = do_POST = do_HEAD = _refuse

    def log_message(self, *_: object) -> None:
        pass


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either end is done."""
    peers = {one: other, other: one}
    while True:
        for ready in select.select(list(peers), [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            peers[ready].sendall(data)


@contextmanager
def outlet(hosts: Mapping[str, int]) -> Iterator[Outlet]:
    """A proxy that leads to ports of this machine, by the names of hosts."""
    server = Outlet(hosts)
    with in_background(server):
        yield server
