"""Problems found in a configuration, shown the way a compiler shows them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM

Level = Literal["error", "warning"]
Path = tuple[str | int, ...]

_SHOWN = 200
_SECRET_WORD = r"(?:passw|secret|token|credential|accesskey|_pass\b|-pass\b|\bpwd\b|basic_auth)"
_SECRET_KEY = re.compile(_SECRET_WORD, re.IGNORECASE)
_SECRET_IN_LINE = re.compile(
    rf"([\"']?[\w.-]*{_SECRET_WORD}[\w.-]*[\"']?\s*:[ \t]+)(?=\S).+$", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Spot:
    """A place in a file, counted from 1, and how many characters it covers."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it."""

    level: Level
    file: str
    line: int
    column: int
    message: str
    cure: str = ""
    path: str = ""
    source: str = ""
    width: int = 1

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def render(self) -> str:
        head = f"{self.where}: {self.level}: {plain(self.message)}"
        cure = [f"  cure: {plain(self.cure)}"] if self.cure else []
        return "\n".join([head, *self._excerpt(), *cure])

    def without_value(self) -> Problem:
        """What follows an unknown key could be a secret; nobody knows, so it is not shown."""
        end = self.column - 1 + self.width
        rest = self.source[end:].lstrip(" \"'")
        shown = f"{self.source[:end]}: ..." if rest.startswith(": ") else self.source
        return replace(self, source=shown)

    def _excerpt(self) -> list[str]:
        if not self.source.strip():
            return []
        shown = plain(hide_secrets(self.source).replace("\t", " "))[:160]
        number = f"{self.line:5}"
        if self.column > len(shown) + 1:
            return [f"{number} | {shown}"]
        width = max(1, min(self.width, len(shown) - self.column + 1))
        caret = " " * (self.column - 1) + "^" + "~" * (width - 1)
        return [f"{number} | {shown}", f"{'':5} | {caret}"]


class ConfigError(UsageError):
    """The configuration has errors; all of them are in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"the configuration has {count(self.problems)}\n{render(self.problems)}",
            f"Correct the lines above; `{PROGRAM} config explain KEY` says what a key takes.",
        )


def render(problems: Sequence[Problem]) -> str:
    shown = [problem.render() for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        shown.append(f"... and {len(problems) - _SHOWN} more")
    return "\n".join(shown)


def count(problems: Iterable[Problem]) -> str:
    levels = [problem.level for problem in problems]
    return ", ".join(_plural(levels.count(level), level) for level in ("error", "warning"))


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def dotted(path: Path) -> str:
    return ".".join(map(str, path))


def is_secret_key(key: object) -> bool:
    return bool(_SECRET_KEY.search(str(key)))


def hide_secrets(line: str) -> str:
    """The line without what follows a key that holds a secret."""
    return _SECRET_IN_LINE.sub(r"\1****", line)


def plain(text: str) -> str:
    """The text without characters that could move a terminal's cursor."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def closest(word: str, known: Iterable[str]) -> str:
    """The known word nearest to a misspelled one, or nothing; of equals, the first."""
    words = list(known)
    folded = {_fold(name): name for name in reversed(words)}
    if _fold(word) in folded:
        return folded[_fold(word)]
    near = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=0.7)
    return folded[near[0]] if near else ""


def _fold(word: str) -> str:
    return re.sub(r"[-_. ]", "", word).lower()
