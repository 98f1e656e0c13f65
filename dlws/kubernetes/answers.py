"""Answers of API servers: cut off from outside and after some time, and those that say that a
certificate has expired."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM

_EXPIRED = re.compile(r"certificate (has|is) expired|expired certificate", re.IGNORECASE)


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


def renewal() -> str:
    """What to do about expired certificates: nothing is lost, and no reset is needed."""
    return (
        "is its clock right (date)? then on each infra node, as root: kubeadm certs renew all "
        "(before Kubernetes 1.20: kubeadm alpha certs renew all), and restart its control plane "
        f"(docs/kubernetes.md); then here: {PROGRAM} kubeadm init, which fetches the new admin.conf"
    )


def has_expired(says: str) -> bool:
    """Whether somebody says that a certificate is past its date."""
    return _EXPIRED.search(says) is not None
