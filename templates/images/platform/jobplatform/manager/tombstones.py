"""Names of pods that ended, held for longer than any leader can sleep between looking at its lease
and making a pod."""

from __future__ import annotations

from collections.abc import Iterable

from jobplatform.manager.observed import Seen

HELD_MS = 60 * 60 * 1000


class Tombstones:
    """Since when this manager has seen each name held, by the database's clock. When a container
    ended is told by its node, whose clock may be years behind: a name would be let go at once. A
    manager that begins anew counts from the beginning."""

    def __init__(self) -> None:
        self.since: dict[tuple[str, str], int] = {}

    def over(self, held: Iterable[Seen], now: int) -> list[Seen]:
        """Those of all held ones whose time is over, in milliseconds of the database."""
        known, self.since, found = self.since, {}, []
        for pod in held:
            key = pod.namespace, pod.name
            self.since[key] = known.get(key, now)
            if now - self.since[key] > HELD_MS:
                found.append(pod)
        return found
