"""Names and addresses of a farm's hosts."""

from __future__ import annotations

import socket


def name(number: int) -> str:
    return f"node{number:03}"


def address(number: int) -> str:
    """127.77.0.1 for host 1, 127.77.0.250 for host 250, 127.77.1.1 for host 251."""
    high, low = divmod(number - 1, 250)
    return f"127.77.{high}.{low + 1}"


def free_port() -> int:
    """A port that is free on the first host's address: every farm has that one, so no two clash."""
    with socket.socket() as probe:
        probe.bind((address(1), 0))
        return int(probe.getsockname()[1])


def closed(where: str, port: int) -> socket.socket:
    """Holds a port without listening: whoever connects is refused."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((where, port))
    return holder


def dead(where: str, port: int) -> list[socket.socket]:
    """A listener whose queue is full: the kernel drops every further attempt without a word."""
    listener = closed(where, port)
    listener.listen(0)
    first = socket.create_connection((where, port))
    rest = [socket.socket() for _ in range(3)]
    for connection in rest:
        connection.setblocking(False)
        connection.connect_ex((where, port))
    return [listener, first, *rest]
