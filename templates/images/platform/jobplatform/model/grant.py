"""Signing in on a machine without a browser, as RFC 8628 has it: the program there shows a short
code, the person types it where there is a browser, and the program asks until it is answered."""

from __future__ import annotations

import re
import secrets
from typing import Literal

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word; no digits, which look like letters."""
_LONG = 8
LASTS = 600
"""Seconds in which a code counts."""
PACE, SLOWEST, SLOWER = 5, 60, 5
"""Seconds between two questions of a program; the most, and how much more after a hasty one."""
Word = Literal["authorization_pending", "slow_down", "access_denied", "expired_token",
               "invalid_grant"]  # fmt: skip
SENTENCES: dict[Word, str] = {
    "authorization_pending": "nobody has answered yet: ask again",
    "slow_down": "this is asked too often: ask again, and more slowly",
    "access_denied": "the person refused this",
    "expired_token": "nobody answered in time: begin it again",
    "invalid_grant": "this was not begun here, or its token was given already: begin it again",
}


def new_code() -> str:
    """34 random bits, which only a person who is signed in may guess at, a few times."""
    return "".join(secrets.choice(LETTERS) for _ in range(_LONG))


def shown(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str:
    """A code as a person types it, in small letters or with blanks; empty for what is none."""
    found = re.sub(r"[\s-]", "", text)
    mine = found.isascii() and re.fullmatch(f"[{LETTERS}]{{{_LONG}}}", found.upper())
    return found.upper() if mine else ""
