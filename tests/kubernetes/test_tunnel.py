from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from dlws.core.errors import DeployError
from dlws.kubernetes import tunnel as reach
from tests.support.fakes import CONFIG, Make


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that gives back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as made:

        def serve() -> None:
            while True:
                try:
                    client, _ = made.accept()
                except OSError:
                    return
                with client:
                    while data := client.recv(4096):
                        client.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield made
        made.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_direct_takes_the_first_master_that_answers(make: Make, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    text = CONFIG.replace("network: bridge", f"network: bridge, api_port: {port}").replace(
        "  worker01:", "  infra02: {role: infrastructure, private-ip: 127.0.0.1}\n  worker01:"
    ).replace("10.1.0.1}", "127.0.0.2}").replace(
        "  worker01:", "  infra03: {role: infrastructure, private-ip: 127.0.0.3}\n  worker01:"
    )  # fmt: skip
    assert reach.direct(make(text).cluster) == f"https://127.0.0.1:{port}"


def test_direct_is_nothing_where_nobody_answers(make: Make) -> None:
    assert reach.direct(make(CONFIG.replace("10.1.0.1}", "127.0.0.9}")).cluster) == ""


def test_tunnel_carries_both_ways_and_closes(listener: socket.socket) -> None:
    class Through:
        def forward(self, address: str, port: int) -> socket.socket:
            return socket.create_connection((address, port))

    tunnel = reach.Tunnel(Through(), *listener.getsockname())  # type: ignore[arg-type]
    port = int(tunnel.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"x" * 200_000)
        client.shutdown(socket.SHUT_WR)
        assert sum(len(part) for part in iter(lambda: client.recv(65536), b"")) == 200_000
    tunnel.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port))


def test_a_tunnel_remembers_why_it_leads_nowhere() -> None:
    class Nowhere:
        def forward(self, address: str, port: int) -> socket.socket:
            raise DeployError(f"no port {port}")

    tunnel = reach.Tunnel(Nowhere(), "10.0.0.1", 7)  # type: ignore[arg-type]
    with socket.create_connection(("127.0.0.1", tunnel.port)) as client:
        assert client.recv(1) == b""
    assert tunnel.failure and tunnel.failure.message == "no port 7"
    tunnel.close()


def test_a_pipe_carries_both_ways_and_nobody_else_can_enter_it(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*words: object, **options: object) -> None:
        raise AssertionError("a port was opened")

    monkeypatch.setattr(socket, "create_server", no)
    with reach.piped(lambda: socket.create_connection(listener.getsockname())) as client:
        sender = threading.Thread(target=client.sendall, args=(b"x" * 200_000,))
        sender.start()
        got = 0
        while got < 200_000:
            got += len(client.recv(65536))
        sender.join()
    with pytest.raises(DeployError, match="no such socket"), reach.piped(nowhere):
        raise AssertionError("it leads somewhere")


def nowhere() -> None:
    raise DeployError("no such socket")
