"""Node names, many as one: gpu[01-12,15], and back."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from dlws.core.errors import UsageError

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)$", re.DOTALL)
_MOST = 10_000
_RANGES = re.compile(r"\[(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\]")


def fold(names: Iterable[str]) -> str:
    """Names that differ in their last number, folded: fold(["w1", "w2"]) == "w[1-2]"."""
    groups: dict[tuple[str, int, str], list[str]] = {}
    plain: list[str] = []
    for name in sorted(set(names)):
        if match := _NUMBERED.match(name):
            head, digits, tail = match.groups()
            # 9 and 10 fold together, 09 and 9 do not: the width counts where there are zeros.
            width = len(digits) if digits.startswith("0") and len(digits) > 1 else 0
            groups.setdefault((head, width, tail), []).append(digits)
        else:
            plain.append(name)
    merged = _merge_widths(groups)
    return ",".join(sorted(plain + [_one(*key, numbers) for key, numbers in merged.items()]))


def _merge_widths(
    groups: dict[tuple[str, int, str], list[str]],
) -> dict[tuple[str, str], list[str]]:
    """Join 01-09 with 10-99: unpadded numbers of a padded group's width belong to it."""
    padded = {(head, tail, width) for head, width, tail in groups if width}
    merged: dict[tuple[str, str], list[str]] = {}
    for (head, width, tail), numbers in groups.items():
        for digits in numbers:
            wide = width or (len(digits) if (head, tail, len(digits)) in padded else 0)
            merged.setdefault((head + "\0" + str(wide), tail), []).append(digits)
    return merged


def _one(marked_head: str, tail: str, numbers: list[str]) -> str:
    head = marked_head.rsplit("\0", 1)[0]
    if len(numbers) == 1:
        return f"{head}{numbers[0]}{tail}"
    runs: list[list[str]] = []
    for digits in sorted(numbers, key=int):
        if runs and int(digits) == int(runs[-1][-1]) + 1:
            runs[-1].append(digits)
        else:
            runs.append([digits])
    ranges = ",".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"{head}[{ranges}]{tail}"


def unfold(pattern: str) -> list[str]:
    """The patterns that a folded one stands for: unfold("w[1-2]*") == ["w1*", "w2*"]."""
    match = _RANGES.search(pattern)
    if not match:
        return [pattern]
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [head + number + rest for number in _numbers(match.group(1)) for rest in unfold(tail)]


def _numbers(ranges: str) -> list[str]:
    numbers: list[str] = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if int(last) - int(first) > _MOST:
            raise UsageError(f"[{ranges}] stands for too many names", "use a wildcard")
        width = len(first) if first.startswith("0") else 0
        numbers += [str(n).zfill(width) for n in range(int(first), int(last) + 1)]
    return numbers


def split(words: str) -> list[str]:
    """The patterns of a comma-separated list; commas inside brackets and after re: stay."""
    if words.startswith("re:"):
        return [words]
    return [part for part in re.split(r",(?![^\[]*\])", words) if part]


def matches(pattern: str, names: Iterable[str]) -> bool:
    """Whether a name, wildcard, folded name or re:REGEX (case ignored) fits any of the names."""
    if pattern.startswith("re:"):
        try:
            expression = re.compile(pattern[3:], re.IGNORECASE)
        except re.error as error:
            raise UsageError(
                f"{pattern[3:]!r} is no regular expression: {error}", "quote it for the shell"
            ) from error
        return any(map(expression.search, names))
    plain = unfold(pattern)
    return any(fnmatch.fnmatchcase(name, each) for name in names for each in plain)
