"""Characters that look like those of YAML and are others: full-width colons, no-break spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from dlws.config.problems import Spot

_NAMES = {
    "\u00a0": "a no-break space",
    "\u3000": "an ideographic space",
    "\u202f": "a narrow no-break space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
    "\uff1a": "a full-width colon",
    "\ufe55": "a small colon",
    "\uff0c": "a full-width comma",
    "\u2013": "an en dash",
    "\u2014": "an em dash",
}
_SPACES = "\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff"
_COLONS = "\uff1a\ufe55"
_ANY = re.compile(f"[{_SPACES}{_COLONS}\uff0c\u2013\u2014]")
_WORD = "[\"']?[\\w.-]{1,200}[\"']?"
_ON_A_LINE = re.compile(
    f"^[ {_SPACES}]*?([{_SPACES}])"  # in the indentation
    f"|^ *(?:- )?{_WORD} *([{_COLONS}])"
    f"|^ *(?:- )?{_WORD}:([{_SPACES}])"
    f"|^ *([\u2013\u2014]) "
    f"|[{{,]\\s{{0,200}}{_WORD} {{0,200}}([{_COLONS}])"
    f"|{_WORD}:([{_SPACES}])"
    "|[{\\[][^\"'}\\]]{0,200}(\uff0c)"
)
"""Where YAML wants a plain colon, comma, hyphen or space; for lines that are no valid YAML. What
may begin anywhere in a line has bounds: the time would grow with the square of its length."""
_IN_A_SCALAR = re.compile(
    f"^([{_SPACES}])|^([\u2013\u2014]) |([{_SPACES}])$|^[\\w.-]+:([{_SPACES}])"
)
_IN_A_KEY = re.compile(f"([{_SPACES}{_COLONS}\uff0c])")


def name(character: str) -> str:
    known = _NAMES.get(character, "an odd space")
    return f"{known} (U+{ord(character):04X})"


def cure(character: str) -> str:
    if re.match(f"[{_COLONS}]", character):
        return "Write a plain colon and a space behind it; quote a value that has it on purpose."
    if character == "\uff0c":
        return "Write a plain comma; quote a value that has it on purpose."
    if character in "\u2013\u2014":
        return "Write a plain hyphen."
    return "Write plain spaces; quote a value that has it on purpose."


def before(lines: list[str], number: int) -> tuple[Spot, str] | None:
    """The odd character nearest to a line (from 1) that is no valid YAML, at it or above."""
    for at in range(min(number, len(lines)), 0, -1):
        line = lines[at - 1].split(" #")[0]
        if line.lstrip().startswith("#") or not _ANY.search(line):
            continue
        if found := _ON_A_LINE.search(line):
            group = next(i for i, text in enumerate(found.groups(), 1) if text)
            return Spot(at, found.start(group) + 1), found[group]
    return None


def check(root: yaml.Node | None, text: str) -> Iterator[tuple[Spot, str, str]]:
    """Name the odd characters that became a part of a key, or stand around a value."""
    if root is None or not _ANY.search(text):
        return
    for node, pattern in _scalars(root):
        if found := pattern.search(node.value):
            group = next(i for i, part in enumerate(found.groups(), 1) if part)
            mark, character = node.start_mark, found[group]
            spot = Spot(mark.line + 1, mark.column + 1 + found.start(group))
            message = f"there is {name(character)} here, which YAML takes for a letter"
            yield spot, message, cure(character)


def _scalars(root: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, re.Pattern[str]]]:
    """Each unquoted scalar once, and what it may not have."""
    waiting, seen = [(root, _IN_A_SCALAR)], set[int]()
    while waiting:
        node, pattern = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                waiting += [(key, _IN_A_KEY), (value, _IN_A_SCALAR)]
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(item, _IN_A_SCALAR) for item in node.value]
        elif isinstance(node, yaml.ScalarNode) and not node.style:
            yield node, pattern
