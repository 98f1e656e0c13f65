"""What many nodes say during one action, held back until equal texts can be said once.

Two kinds of text are held for each node. A unit is what one call says (a line of a script, or an
action with its diff): units of all nodes are woven into one sequence. An answer is a line of a
person's own command: nodes with equal answers are shown together on a terminal, as `clush -b` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

HELD = 32 * 1024 * 1024
"""Bytes that are held for all nodes together; what a node says beyond it is shown as it comes."""
_WOVEN = 4000
"""Different units that weaving deals with: it compares each with those before it."""
_OVERHEAD = 120
"""Bytes that a line takes beside its characters."""

Unit = tuple[str, str]
"""The stream (`out` or `err`) and the text without its last newline."""


@dataclass
class Held:
    """What is held for one node."""

    units: list[Unit] = field(default_factory=list)
    answers: list[Unit] = field(default_factory=list)
    ended: bool = False
    live: bool = False
    """Whether the rest of this node's text is shown as it comes."""


class Gathering:
    """The texts of some nodes, in the order of the nodes. Not thread-safe."""

    def __init__(self, names: Sequence[str], most: int = HELD) -> None:
        self.held = {name: Held() for name in names}
        self._left = most

    def hold(self, node: str, unit: Unit, answer: bool = False) -> bool:
        """Keep a text for later; False where it has to be shown now."""
        held = self.held[node]
        if held.live:
            return False
        self._left -= len(unit[1]) + _OVERHEAD
        if self._left < 0:
            held.live = True
            return False
        (held.answers if answer else held.units).append(unit)
        return True

    def common(self) -> list[Unit]:
        """What all nodes have said up to here, which is not held after that."""
        found: list[Unit] = []
        all_ = [held.units for held in self.held.values()]
        while all(all_) and all(units[0] == all_[0][0] for units in all_):
            found.append(all_[0][0])
            for units in all_:
                del units[0]
        return found

    def taken(self, node: str) -> list[Unit]:
        """What is held for one node, which holds nothing after that."""
        held = self.held[node]
        found, held.units, held.answers = [*held.units, *held.answers], [], []
        return found

    def folded(self) -> list[tuple[list[str], Unit]]:
        """The units of all nodes, each with the nodes that said it."""
        return woven({name: held.units for name, held in self.held.items()})

    def take_answers(self, node: str, stream: str) -> list[str]:
        """The lines that a node answered on one stream so far, which are not held after that."""
        held = self.held[node]
        found = [text for where, text in held.answers if where == stream]
        held.answers = [unit for unit in held.answers if unit[0] != stream]
        return found

    def answers(self, stream: str) -> dict[str, list[str]]:
        """The lines that each node answered on one stream; nodes without any are left out."""
        found = {
            name: [text for where, text in held.answers if where == stream]
            for name, held in self.held.items()
        }
        return {name: lines for name, lines in found.items() if lines}


def groups(said: Mapping[str, Sequence[Unit]]) -> dict[tuple[Unit, ...], list[str]]:
    """Nodes that said the same, all of it and in the same order."""
    found: dict[tuple[Unit, ...], list[str]] = {}
    for name, units in said.items():
        if units:
            found.setdefault(tuple(units), []).append(name)
    return found


def blocks(answers: Mapping[str, Sequence[str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Equal answers together: the nodes, and their lines."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, lines in answers.items():
        found.setdefault(tuple(lines), []).append(name)
    return ((names, list(lines)) for lines, names in found.items())


def woven(said: Mapping[str, Sequence[Unit]]) -> list[tuple[list[str], Unit]]:
    """One sequence of units, in which every node's own order is kept, and who said each.

    Equal units of several nodes become one where that is possible without another order. Too many
    different ones are not compared: groups of nodes follow one another then.
    """
    found = groups(said)
    if len(found) > 1 and len({unit for units in found for unit in units}) > _WOVEN:
        return [(names, unit) for units, names in found.items() for unit in units]
    merged: list[tuple[list[str], Unit]] = []
    for units, names in found.items():
        _weave(merged, units, names)
    place = {name: number for number, name in enumerate(said)}
    return [(sorted(names, key=place.__getitem__), unit) for names, unit in merged]


def _weave(merged: list[tuple[list[str], Unit]], units: Sequence[Unit], names: list[str]) -> None:
    """Add one group's units to the sequence: equal ones join, the others go between those."""
    times, at = Counter(units), 0
    result: list[tuple[list[str], Unit]] = []
    new: list[tuple[list[str], Unit]] = []
    for unit in units:
        place = _equal(merged, unit, at, anchor=times[unit] == 1 and bool(unit[1].strip()))
        if place is None:
            new.append((list(names), unit))
            continue
        result += [*merged[at:place], *new, ([*merged[place][0], *names], unit)]
        new, at = [], place + 1
    merged[:] = [*result, *merged[at:], *new]


def _equal(
    merged: Sequence[tuple[list[str], Unit]], unit: Unit, start: int, anchor: bool
) -> int | None:
    """Where an equal unit is: right here, or further on where this unit is a good `anchor`.

    A blank line, or one that a node says several times, would tear apart what lies between.
    """
    last = len(merged) if anchor else min(start + 1, len(merged))
    return next((place for place in range(start, last) if merged[place][1] == unit), None)
