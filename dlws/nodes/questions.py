"""Many questions to a node in one round trip, which changes nothing: templates/verify/state.sh."""

from __future__ import annotations

import base64
import gzip
import tarfile
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.connection import Result
from dlws.core.errors import DeployError
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


@cache
def template(name: str) -> str:
    """The text of a template, read once."""
    return (resources.templates() / name).read_text()


def answers(node: Node, data: bytes, names: Sequence[str]) -> Answers:
    """What state.sh answers to an archive, by the names of its questions."""
    result = node.read(script(template("verify/state.sh")), stdin=data, sudo=True)
    return parse(result.text, names)


def parse(text: str, names: Sequence[str]) -> Answers:
    """What state.sh printed, by the names of the questions."""
    lines = text.splitlines()
    if len(lines) != len(names):
        raise DeployError(f"asked {len(names)} questions, got {len(lines)} answers")
    return {name: _answer(line) for name, line in zip(names, lines, strict=True)}


def _answer(line: str) -> Result:
    _, status, out, err = line.split(" ")
    return Result(int(status), base64.b64decode(out), base64.b64decode(err))


CHECK_FAILED = 5
"""Exit status of a script in check mode that could not go on: something has to change first."""


def said(result: Result) -> list[tuple[str, str, str]]:
    """The lines by which a script in check mode names differences: kind, what, words."""
    lines = [line.removeprefix("differs: ").split("\t") for line in result.text.splitlines()]
    return [(row[0], row[1], row[2]) for row in lines if len(row) == 3]


def would_change(result: Result) -> list[str]:
    """The same as lines for a plan, and a word where the script could not find out all."""
    lines = [f"{kind} {what}: {words}" for kind, what, words in said(result)]
    if result.code not in (0, CHECK_FAILED):
        why = result.complaint.splitlines()[-1:] or [f"exit {result.code}"]
        lines.append(f"what else it would change is not known: {why[0]}")
    return lines
