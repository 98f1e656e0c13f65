"""Answers over HTTP whose content is read later: cut off from outside, and after some time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from dlws.core.errors import DeployError


def shut(answer: Any) -> None:
    """End an answer, also while another thread reads it."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        answer.shutdown()


@contextlib.contextmanager
def in_time(answer: Any, seconds: float, late: DeployError) -> Iterator[None]:
    """Cut an answer off after so many seconds, and raise `late`: however steadily it drips in.

    A read waits only for the next few bytes, so that its own limit is none for all of them.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        shut(answer)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except DeployError as error:
        if over.is_set():
            raise late from error
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise late
