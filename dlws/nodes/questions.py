"""Many questions to a node in one round trip, which changes nothing: templates/verify/state.sh."""

from __future__ import annotations

import base64
import gzip
import re
import tarfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.core.text import split_lines
from dlws.shell import files
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.node import Node

Answers = Mapping[str, Result]
Members = dict[str, tuple[bytes, int]]
"""Names in an archive, with content and mode."""


def packed(members: Members) -> bytes:
    """Files as state.sh reads them: a compressed tar."""
    return gzip.compress(tar(members) + bytes(2 * tarfile.BLOCKSIZE))


def tar(members: Members) -> bytes:
    """The beginning of a tar with these files."""
    return b"".join(files.tar((name, *row) for name, row in members.items()))


def answers(node: Node, data: bytes, names: Sequence[str]) -> Answers:
    """What state.sh answers to an archive, by the names of its questions."""
    result = node.read(script(resources.template("verify/state.sh")), stdin=data, sudo=True)
    return parse(result.text, names)


def parse(text: str, names: Sequence[str]) -> Answers:
    """What state.sh printed, by the names of the questions."""
    lines = split_lines(text)
    if len(lines) != len(names):
        raise DeployError(f"asked {len(names)} questions, got {len(lines)} answers")
    return {name: _answer(number, lines[number]) for number, name in enumerate(names)}


_ANSWER = re.compile(r"([0-9]{1,6}) ([0-9]{1,3}) ([A-Za-z0-9+/=]*) ([A-Za-z0-9+/=]*)")


def _answer(number: int, line: str) -> Result:
    found = _ANSWER.fullmatch(line)
    try:
        if not found or int(found[1]) != number:
            raise ValueError(line)
        out, err = (base64.b64decode(found[group], validate=True) for group in (3, 4))
    except ValueError as error:
        raise DeployError(f"asked question {number}, got no answer: {line[:200]!r}") from error
    return Result(int(found[2]), out, err)


CHECK_FAILED = 5
"""Exit status of a script in check mode that could not go on: something has to change first."""


def said(result: Result) -> list[tuple[str, str, str]]:
    """The lines by which a script in check mode names differences: kind, what, words."""
    lines = [line.removeprefix("differs: ").split("\t") for line in split_lines(result.text)]
    return [(row[0], row[1], row[2]) for row in lines if len(row) == 3]


def would_change(result: Result) -> list[str]:
    """The same as lines for a plan, and a word where the script could not find out all."""
    lines = [f"{kind} {what}: {words}" for kind, what, words in said(result)]
    if result.code not in (0, CHECK_FAILED):
        why = result.last_words or f"exit {result.code}"
        lines.append(f"further changes are not known: {why}")
    return lines
