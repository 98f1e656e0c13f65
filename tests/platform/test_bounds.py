"""What a request may be before anybody reads it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from jobplatform.__main__ import SERVING
from jobplatform.api.app import create
from jobplatform.model.bounds import excess
from tests.support.platform.served import on_a_port


@pytest.mark.parametrize(("headers", "status"), [
    ({}, None), ({"content-length": "10"}, None), ({"content-length": "11"}, 413),
    ({"content-length": "-1"}, 411), ({"content-length": "x"}, 411),
    ({"content-length": "1", "transfer-encoding": "chunked"}, 411),
])  # fmt: skip
def test_what_is_too_large_or_says_no_length(headers: dict[str, str], status: int | None) -> None:
    refused = excess(headers, 10)
    assert (refused and refused[0]) == status


def test_headers_have_an_end(database: Engine) -> None:
    """Whoever sends ever more of them is answered, or hung up on, long before 16 MiB."""
    with on_a_port(lambda address: create(database), http=SERVING["http"]) as address:
        place = urlsplit(address)
        assert place.hostname and place.port
        with socket.create_connection((place.hostname, place.port), 20) as speaking:
            speaking.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                for number in range(256):
                    speaking.sendall(b"A%d: " % number + b"x" * 65536 + b"\r\n")
