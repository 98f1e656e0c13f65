from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], bool], seconds: float = 30, log: Path | None = None) -> None:
    """Fails with the log, where there is one, if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            said = log.read_text() if log and log.exists() else ""
            raise AssertionError(f"it did not happen\n{said}")
        threading.Event().wait(0.05)


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{path} did not appear")
