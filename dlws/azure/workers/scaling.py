"""More workers at work: those that rest are started before new ones are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.azure import create, estate, power
from dlws.azure.estate import Machine
from dlws.azure.workers import scaleset

if TYPE_CHECKING:
    from dlws.azure.client import Azure

_RESTING = ("deallocated", "stopped")


def resting(machines: Sequence[Machine], size: str) -> list[Machine]:
    """The workers of a size that are there and not running."""
    return [one for one in machines if one.role == "worker" and one.state in _RESTING
            and one.size.lower() == size.lower()]  # fmt: skip


def up(azure: Azure, size: str, number: int, wait: bool = True) -> list[str]:
    """Have so many more workers of a size at work; the names of those that were started."""
    found, own = estate.read(azure), azure.section.worker_vm_size
    size = own if size.lower() == own.lower() else size
    started = resting(found, size)[:number]
    if started:
        power.act(azure, started, power.VERBS["start"])
    if rest := number - len(started):
        _make(azure, found, size, rest, wait)
    return [one.name for one in started]


def _make(azure: Azure, found: Sequence[Machine], size: str, number: int, wait: bool) -> None:
    if azure.section.worker_scale_set:
        scaleset.check_size(azure, size)
        scaleset.grow(azure, sum(bool(one.scale_set) for one in found) + number)
    else:
        create.add_workers(azure, number, wait, size)
