"""Waiting for a server's first words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from dlws.core.connection import banner


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_banner_is_the_first_line(listener: socket.socket) -> None:
    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(b"SSH-2.0-x\r\nmore")

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    assert banner("127.0.0.1", port, time.monotonic() + 10) == b"SSH-2.0-x\r\n"
    thread.join()


def test_silent_server_has_no_banner(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert banner("127.0.0.1", port, time.monotonic() + 0.3) == b""


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert banner("127.0.0.1", port, time.monotonic() + 0.3) == b""
