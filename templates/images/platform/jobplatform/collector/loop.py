"""One node's collector: looks for workers, and lets each be followed."""

from __future__ import annotations

import logging
import time
import zlib
from pathlib import Path

from jobplatform import kept
from jobplatform.collector import sources
from jobplatform.collector.follow import Follower

PAUSE = 0.5
DAYS = 90
_DAY = 86400
_ODD = (OSError, EOFError, zlib.error)
"""What reading and writing end with; the last two where a packed file is damaged or half there."""
_LOG = logging.getLogger("jobplatform")


class Collector:
    def __init__(self, pods: Path, share: Path) -> None:
        self.pods, self.share = pods, share
        self.followed: dict[Path, Follower] = {}

    def turn(self) -> None:
        """Go on with each worker. What cannot be read or written now is begun anew the next time:
        nothing is known that does not stand on the share."""
        for pod in sources.pods(self.pods):
            if pod.place not in self.followed:
                with _Alone(self, pod.place):
                    self.followed[pod.place] = Follower(pod, self.share)
        for place, one in list(self.followed.items()):
            with _Alone(self, place):
                if not one.step():
                    self.leave(place)

    def leave(self, place: Path) -> None:
        if one := self.followed.pop(place, None):
            one.close()

    def sweep(self, now: float) -> None:
        """Delete logs to which nothing was added for so long. Others do so, too."""
        for found in (self.share / kept.FOLDER).glob("*/*.log"):
            age = kept.age(found, now)
            if age is not None and age > DAYS * _DAY:
                found.unlink(missing_ok=True)
                if not any(found.parent.iterdir()):
                    found.parent.rmdir()


class _Alone:
    """What is wrong with one log keeps no other from going on."""

    def __init__(self, collector: Collector, place: Path) -> None:
        self.collector, self.place = collector, place

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: object) -> bool:  # fmt: skip
        if isinstance(error, _ODD):
            _LOG.warning("the log in %s waits: %s", self.place, error)
            self.collector.leave(self.place)
            return True
        return False


def run(pods: Path, share: Path, alive: Path) -> None:
    """For ever. A share that is not mounted has no folder of homes, and is waited for. `alive` is
    touched before each pass: for probes."""
    one, swept = Collector(pods, share), 0.0
    while True:
        alive.touch()
        if (share / "work").exists():
            one.turn()
            if time.time() - swept > _DAY / 24:
                swept = time.time()
                one.sweep(swept)
        time.sleep(PAUSE)
