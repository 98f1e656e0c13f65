"""What hosts answer in `fake` mode, without a process of their own."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

UPTIME = " 05:14:07 up 12 days,  3:02,  0 users,  load average: 0.08, 0.03, 0.01\n"


@dataclass(frozen=True)
class Answer:
    """The answer to commands in which `match` is found; `stdin`: read all of it first."""

    match: str
    out: str = ""
    err: str = ""
    code: int = 0
    stdin: bool = False


DEFAULT = (Answer(r"\buptime\b", UPTIME), Answer(""))


@functools.cache
def load(path: Path | None) -> tuple[Answer, ...]:
    """The answers of a JSON file (a list of objects with Answer's fields), before the default.
    Read when the first command comes: it may be written once the hosts are there."""
    extra = json.loads(path.read_text()) if path else []
    return (*(Answer(**item) for item in extra), *DEFAULT)


def find(answers: tuple[Answer, ...], command: str) -> Answer:
    """The first that matches; the default's last one matches everything."""
    return next(answer for answer in answers if re.search(answer.match, command, re.DOTALL))
