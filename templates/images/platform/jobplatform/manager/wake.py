"""When the next pass begins: soon after a job or a pod of one has changed, else after a second.

What was changed is not looked at here: a pass looks at everything, as it would without this.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

from sqlalchemy import Engine

from jobplatform.kubernetes import Watched
from jobplatform.manager.pods import JOB
from jobplatform.store import jobs
from jobplatform.store.database import reading

LONGEST = 1.0
"""Seconds between two passes, whatever happens or does not."""
_LOOK = 0.1
_REST = 2
"""How many times as long as its passes a manager rests, so that it leaves the API server time."""
_LOG = logging.getLogger("jobplatform")


class Wake:
    """Tells a manager that waits for its next pass."""

    def __init__(self, engine: Engine, kubernetes: Watched) -> None:
        self.engine, self.kubernetes = engine, kubernetes
        self.changed = threading.Event()
        self.seen = 0

    def watch(self) -> None:
        """From now on, hear of pods. What cannot be heard is found by the pass of each second."""
        threading.Thread(target=self._listen, name="watch", daemon=True).start()

    def _listen(self) -> None:
        while True:
            self.hear()
            time.sleep(LONGEST)

    def hear(self) -> None:
        """Hear for some seconds of each change of a pod."""
        try:
            for _ in self.kubernetes.changes("pods", JOB):
                self.changed.set()
        except Exception as error:  # as in a pass: the next time begins anew
            _LOG.warning("changes of pods are not heard of: %s", error)

    def wait(self, took: float) -> None:
        """After a pass of so many seconds: rest, then wait for a change or for the time."""
        until = time.monotonic() + LONGEST
        time.sleep(min(_REST * took, LONGEST))
        while not self._rung() and (left := until - time.monotonic()) > 0:
            self.changed.wait(min(_LOOK, left))
        self.changed.clear()

    def _rung(self) -> bool:
        """Each change of a job has left an event, the manager's own, too."""
        before = self.seen
        # That the database is away, the next pass says.
        with suppress(Exception), reading(self.engine) as connection:
            self.seen = jobs.latest(connection)
        return self.changed.is_set() or self.seen != before
