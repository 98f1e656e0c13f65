"""When the next pass begins: soon after a job or a pod of one has changed, else after a time.

What was changed is not looked at here: a pass looks at everything, as it would without this.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from sqlalchemy import Engine

from jobplatform.store import jobs
from jobplatform.store.database import reading

LONGEST, LEADING = 1.0, 2.0
"""Seconds between two passes, whatever happens or does not; and between two of the leader's, whose
lease has several times as many."""
_LOOK, _CALM_LOOK, _CALM = 0.1, 0.25, 30.0
"""Seconds between two looks for changes of jobs: the second, where there was none for the third."""
_REST = 2
"""How many times as long as its passes a manager rests, so that it leaves the API server time."""


class Wake:
    """Tells a manager that waits for its next pass. `changed` is set by who hears of pods."""

    def __init__(self, engine: Engine, changed: threading.Event) -> None:
        self.engine, self.changed = engine, changed
        self.seen, self.rung = 0, time.monotonic()

    def wait(self, took: float, longest: float = LONGEST) -> None:
        """After a pass of so many seconds: rest, then wait for a change or for the time."""
        until = time.monotonic() + longest
        time.sleep(min(_REST * took, LONGEST))
        while not self._rung() and (left := until - time.monotonic()) > 0:
            calm = time.monotonic() - self.rung > _CALM
            self.changed.wait(min(_CALM_LOOK if calm else _LOOK, left))
        self.changed.clear()

    def _rung(self) -> bool:
        """Each change of a job has left an event, the manager's own, too."""
        before = self.seen
        # That the database is away, the next pass says.
        with suppress(Exception), reading(self.engine) as connection:
            self.seen = jobs.latest(connection)
        if not self.changed.is_set() and self.seen == before:
            return False
        self.rung = time.monotonic()
        return True
