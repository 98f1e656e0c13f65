"""Node sets, as clush and nodeset write them: `gpu[01-12,15]`, `worker!gpu03`, `@infra&re:5$`.

ClusterShell (LGPL) folds and expands. A plain word may be a role here, which it does not know; so
the set operations are done in this module, from left to right as there.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterable, Sized
from typing import TypeVar

from dlws.core.errors import UsageError

T = TypeVar("T")

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_MOST = 10_000
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(r"(\d+)-(\d+)(?:/([1-9]\d*))?|\d+")


def fold(names: Iterable[str]) -> str:
    """Names as one node set: fold(["w1", "w2"]) == "w[1-2]"."""
    found = sorted(set(names))
    plain = [name for name in found if _PLAIN.fullmatch(name)]
    if len(plain) < 2:
        return ",".join(found)
    from ClusterShell.NodeSet import NodeSet  # takes 50 ms

    odd = [name for name in found if name not in plain]
    return ",".join([str(NodeSet.fromlist(plain)), *odd])


def counted(names: Collection[str]) -> str:
    """Names with their number: counted(["w1", "w2"]) == "2 nodes w[1-2]"."""
    return f"{count(names)} {fold(names)}"


def count(names: Sized) -> str:
    """How many nodes: count(["w1", "w2"]) == "2 nodes"."""
    return f"{len(names)} node{'' if len(names) == 1 else 's'}"


def expand(pattern: str) -> list[str]:
    """The patterns that a folded one stands for: expand("w[1-2]*") == ["w1*", "w2*"]."""
    found = _BRACKETS.search(pattern)
    if not found or not all(map(_RANGE.fullmatch, found[1].split(","))):
        return [pattern]  # no ranges of numbers: a wildcard such as [ab]
    head, tail = pattern[: found.start()], expand(pattern[found.end() :])
    return [head + number + rest for number in _numbers(found[1]) for rest in tail]


def _numbers(ranges: str) -> list[str]:
    matches = (_RANGE.fullmatch(part) for part in ranges.split(","))
    sizes = [int(m[2]) - int(m[1]) if m and m[2] else 0 for m in matches]
    if sum(sizes) > _MOST:
        raise UsageError(f"[{ranges}] stands for too many names", "use a wildcard")
    from ClusterShell.RangeSet import RangeSet, RangeSetException

    try:
        return list(RangeSet(ranges))
    except RangeSetException as error:
        raise UsageError(f"[{ranges}] is no range of numbers: {error}") from error


def evaluate(expression: str, find: Callable[[str], set[T]]) -> set[T]:
    """What an expression stands for: patterns joined by `,` (or), `!` (not), `&` (and), `^` (xor).

    `find` gives what one pattern stands for. The operations are done from left to right.
    """
    if expression.startswith("re:"):
        return find(expression)
    found: set[T] = set()
    operation = ","
    for number, word in enumerate(re.split(r"([,!&^])(?![^\[]*\])", expression)):
        if number % 2:
            operation = word
        elif word:
            found = _combined(found, operation, find(word))
    return found


def _combined(one: set[T], operation: str, other: set[T]) -> set[T]:
    match operation:
        case "!":
            return one - other
        case "&":
            return one & other
        case "^":
            return one ^ other
    return one | other


def matches(pattern: str, names: Iterable[str]) -> bool:
    """Whether a name, wildcard, folded name or re:REGEX (case ignored) fits any of the names.

    A leading `@`, as of ClusterShell's groups, may stand before a role.
    """
    if pattern.startswith("re:"):
        try:
            expression = re.compile(pattern[3:], re.IGNORECASE)
        except re.error as error:
            raise UsageError(
                f"{pattern[3:]!r} is no regular expression: {error}", "quote it for the shell"
            ) from error
        return any(map(expression.search, names))
    plain = expand(pattern.removeprefix("@"))
    return any(fnmatch.fnmatchcase(name, each) for name in names for each in plain)
