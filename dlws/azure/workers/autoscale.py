"""Pure: how many workers are to be at work, from what waits and what is idle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Amount(NamedTuple):
    """What a pod asks for, or what a worker has left."""

    cpu_millis: int = 0
    memory_mib: int = 0
    devices: int = 0

    def fits(self, room: Amount) -> bool:
        return all(asked <= has for asked, has in zip(self, room, strict=True))

    def taken_from(self, room: Amount) -> Amount:
        return Amount(*(has - asked for asked, has in zip(self, room, strict=True)))


@dataclass(frozen=True)
class Worker:
    """One that is switched on. One that is not ready is coming up, or is held back by somebody."""

    name: str
    ready: bool
    busy: bool
    """Whether pods of jobs are on it."""
    room: Amount
    """What it has left; that of one that is coming up is what it will have."""
    idle: float = 0
    """For how many seconds it has been seen without them."""


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    workers: Sequence[Worker]
    waiting: Sequence[Amount]
    """Pods that cannot be placed, and workers of jobs that are queued."""
    each: Amount
    """What a new worker has."""
    since_change: float
    """Seconds since the number of workers was changed."""


@dataclass(frozen=True)
class Limits:
    """Between which numbers of workers, and how slowly."""

    least: int
    most: int
    idle: float
    cool_down: float


@dataclass(frozen=True)
class Decision:
    """How many more workers, or which ones to give back; never both."""

    why: str
    more: int = 0
    back: tuple[str, ...] = ()


def decide(look: Look, limits: Limits) -> Decision:
    """What is to be done now."""
    at_work = len(look.workers)
    new, used, hopeless = packed(look)
    more = max(min(new, limits.most - at_work), limits.least - at_work, 0)
    idle = [one.name for one in look.workers if _is_spare(one, limits) and one.name not in used]
    back = tuple(sorted(idle, reverse=True)[: max(0, at_work - limits.least)])
    words = f"{at_work} at work, {len(look.waiting)} pods wait"
    if hopeless:
        words += f" ({hopeless} of them fit on no new worker)"
    if not more and (not back or new):
        return Decision(
            f"{words}: nothing to do" + (f", max_workers is {limits.most}" if new else "")
        )
    if look.since_change < limits.cool_down:
        left = round(limits.cool_down - look.since_change)
        return Decision(f"{words}: cooling down for {left} s more")
    if more:
        return Decision(f"{words}: {more} more", more)
    return Decision(f"{words}: {len(back)} idle", 0, back)


def _is_spare(one: Worker, limits: Limits) -> bool:
    return one.ready and not one.busy and one.idle >= limits.idle


def packed(look: Look) -> tuple[int, set[str], int]:
    """How many new workers what waits needs, which workers it takes, and what fits nowhere.

    First fit, the largest first: on the workers that are there, then on new ones.
    """
    names = [one.name for one in look.workers]
    rooms = [one.room for one in look.workers]
    used, hopeless = set[int](), 0
    for asked in sorted(look.waiting, key=lambda one: (one.devices, *one), reverse=True):
        place = next((at for at, room in enumerate(rooms) if asked.fits(room)), -1)
        if place < 0 and asked.fits(look.each):
            place = len(rooms)
            rooms.append(look.each)
        if place < 0:
            hopeless += 1
            continue
        rooms[place] = asked.taken_from(rooms[place])
        used.add(place)
    here = {names[at] for at in used if at < len(names)}
    return len(rooms) - len(names), here, hopeless
