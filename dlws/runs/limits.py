"""How much may go wrong before no further node is started: arithmetic, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from dlws.core.errors import UsageError


@dataclass(frozen=True)
class MaxFailures:
    """So many nodes may fail, or so many percent of the chosen ones."""

    number: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}{'%' if self.percent else ''}"

    def exceeded(self, failed: int, chosen: int) -> bool:
        """Whether more have failed than may. No rounding: 1 of 3 is more than 33%, not than 34%."""
        if self.percent:
            return failed * 100 > self.number * chosen
        return failed > self.number


def parse(text: str) -> MaxFailures:
    """The limit that a person wrote: `2` or `10%`."""
    found = re.fullmatch(r"([0-9]{1,6})(%?)", text)
    if not found or (found[2] and int(found[1]) > 100):
        raise UsageError(
            f"{text!r} is no number of nodes and no percentage",
            "write it like --max-failures 2 or --max-failures 10%",
        )
    return MaxFailures(int(found[1]), bool(found[2]))


def may_be_down(total: int) -> int:
    """How many infra nodes may be away at a time: etcd keeps its majority (of one or two members
    each is needed, and still they have to be worked on)."""
    return max(1, (total - 1) // 2)


def may_begin(
    name: str, total: int, failed: Set[str], running: Set[str] = frozenset()
) -> bool | None:
    """Whether another infra node may be begun: now, not yet (False), or not any more (None).

    A running one counts: it may be rebooting, or about to fail.
    """
    if len(failed | {name}) > may_be_down(total):
        return None
    return len(failed | running | {name}) <= may_be_down(total)
