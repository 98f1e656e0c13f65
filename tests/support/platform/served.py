"""The API as people reach it: the application on a port of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from sqlalchemy import Engine

from jobplatform.api.app import create
from jobplatform.kubernetes import Logs
from jobplatform.model.signin import SignIn


@contextmanager
def served(
    engine: Engine, source: Logs | None = None, portal: str = "https://portal.example.org"
) -> Iterator[str]:
    """Its address. `portal` is where it says that the portal is."""
    told = SignIn(address=portal)
    with on_a_port(lambda address: create(engine, source, told=told)) as address:
        yield address


@contextmanager
def on_a_port(made: Callable[[str], Any], **settings: Any) -> Iterator[str]:
    """An application that is made once its address is known; over https with a certificate."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # whoever asks early waits for the answer
        kind = "https" if "ssl_certfile" in settings else "http"
        address = f"{kind}://127.0.0.1:{listening.getsockname()[1]}"
        told = uvicorn.Config(made(address), log_config=None, lifespan="off", **settings)
        server = uvicorn.Server(told)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()
