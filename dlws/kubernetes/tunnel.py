"""Ways from the devbox to a server in the cluster: directly, or through a node's SSH connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError
from dlws.nodes import endpoint

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.ssh.client import Ssh

_PATIENCE = 2.0


def answers(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except OSError:
        return False
    return True


def direct(cluster: Cluster) -> str:
    """The URL of an API server that the devbox reaches by itself, or nothing."""
    chosen = endpoint.api_endpoint(cluster)
    places = [] if chosen.in_hosts else [(chosen.host, chosen.port)]
    places += [(node.address, cluster.config.kubernetes.api_port) for node in cluster.infra]
    for host, port in dict.fromkeys(places):
        if answers(host, port):
            return endpoint.Endpoint(host, port).url
    return ""


class Tunnel:
    """A port of this machine's own that leads to a port of a node's, through SSH."""

    def __init__(self, connection: Ssh, address: str, port: int) -> None:
        self._connection, self._place = connection, (address, port)
        self.failure: DeployError | None = None
        """Why the node's port could not be reached, the last time that it could not."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def close(self) -> None:
        # Closing alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _dial(self) -> Any:
        return self._connection.forward(*self._place)

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                channel = self._dial()
            except DeployError as error:
                self.failure = error
                return  # the client sees its connection close, and says so
            back = threading.Thread(target=_pump, args=(channel, client), daemon=True)
            back.start()
            _pump(client, channel)
            back.join()
            channel.close()


@contextlib.contextmanager
def piped(dial: Callable[[], Any]) -> Iterator[socket.socket]:
    """One channel through SSH as a socket. No port is opened for it: whoever is logged in to this
    machine could use that, and a database's own socket may let root in without a password."""
    channel = dial()
    ours, inner = socket.socketpair()
    for ends in ((channel, inner), (inner, channel)):
        threading.Thread(target=_pump, args=ends, daemon=True).start()
    try:
        yield ours
    finally:
        for end in (ours, inner, channel):
            # Closing alone does not wake the threads that read.
            with contextlib.suppress(OSError, EOFError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)
