"""~/.ssh/config: which of its settings are for a machine, as OpenSSH finds them.

Paramiko's own reader has no Include, and does not say in which line a setting stands that cannot be
honoured.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlws.core import person
from dlws.core.errors import UsageError
from dlws.core.localfiles import MIB, read

OFF = "mend it, or set ssh.config: false in config.yaml, and dlws does not read it"
_DEEPEST = 16
_LINE = re.compile(r"(\w+)(?:\s*=\s*|\s+|$)(.*)")
_ADDED = frozenset({"identityfile", "certificatefile"})
"""Keywords that may be given several times, and all count; of the others the first counts."""
_ALONE = frozenset({"all", "final", "canonical"})
_DECIDED = _ALONE | {"host", "originalhost", "user", "localuser"}
"""Criteria of Match lines; those of the first kind stand without a value."""


@dataclass(frozen=True)
class Section:
    """A Host or Match line."""

    kind: str
    words: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class Setting:
    key: str
    value: str
    place: str
    sections: tuple[Section, ...]
    """Those that all have to fit: more than one where the file of an Include has its own."""


@dataclass
class OwnConfig:
    """What ~/.ssh/config says. What of it nobody here can decide is in `undecided`."""

    settings: Sequence[Setting] = ()
    undecided: dict[str, str] = field(default_factory=dict)
    """What cannot be decided by us, by its place in the file: the section is left out."""

    def of(self, names: Sequence[str], given: Mapping[str, str]) -> dict[str, list[str]]:
        """The values for a machine by their keywords; `given` counts before the file, as the
        options of ssh do. A machine has several names: a pattern may be meant for any."""
        found = {key: [value] for key, value in given.items()}
        for final in (False, True) if self._has_final else (False,):
            fits: dict[tuple[Section, ...], bool] = {}
            for setting in self.settings:
                if setting.sections not in fits:
                    fits[setting.sections] = all(
                        self._fits(section, names, found, final) for section in setting.sections
                    )
                if fits[setting.sections]:
                    _take(found, setting.key, setting.value)
        return found

    @property
    def _has_final(self) -> bool:
        return any("final" in part.words for one in self.settings for part in one.sections)

    def _fits(
        self,
        section: Section,
        names: Sequence[str],
        found: Mapping[str, list[str]],
        final: bool,
    ) -> bool:
        if section.kind == "host":
            return matches(section.words, names)
        values = _values(names, found)
        for criterion, wanted, negated in _criteria(section.words):
            if criterion not in _DECIDED:
                self.undecided[section.place] = f"Match {criterion}"
                return False
            fits = criterion == "all" or (criterion == "final" and final)
            if criterion in values:
                fits = matches(_cased(criterion, wanted), values[criterion])
            if fits == negated:
                return False
        return True


def _values(names: Sequence[str], found: Mapping[str, list[str]]) -> Mapping[str, Sequence[str]]:
    """What the criteria of a Match line are compared with."""
    return {
        "host": [*names, *found.get("hostname", ())],
        "originalhost": names,
        "user": found.get("user", [person.name()]),
        "localuser": [person.name()],
    }


def _take(found: dict[str, list[str]], key: str, value: str) -> None:
    proxy = ("proxyjump", "proxycommand")
    if key in proxy and any(one in found for one in proxy):
        return  # one takes the place of the other: whichever comes first
    if key not in found:
        found[key] = [value]
    elif key in _ADDED and value not in found[key]:
        found[key].append(value)


def _criteria(words: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Criteria of a Match line: name, what it is compared with, and whether it must not fit."""
    rest = iter(words)
    for word in rest:
        name = word.lstrip("!").lower()
        yield name, "" if name in _ALONE else next(rest, ""), word.startswith("!")


def matches(patterns: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a name fits a pattern, and none fits one with a ! before it."""
    fit = False
    for pattern in patterns:
        if any(_match(pattern.lstrip("!"), name) for name in names if name):
            if pattern.startswith("!"):
                return False
            fit = True
    return fit


def _cased(criterion: str, wanted: str) -> list[str]:
    """Patterns of a Match line: those of hosts, unlike on a Host line, may have capitals."""
    return (wanted.lower() if criterion.endswith("host") else wanted).split(",")


def _match(pattern: str, name: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern == name
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None


def load(home: Path) -> OwnConfig:
    """The file in a home directory; says nothing where there is none."""
    path = home / ".ssh/config"
    return OwnConfig(list(_settings(path, home, (), 0))) if path.exists() else OwnConfig()


def _settings(path: Path, home: Path, above: tuple[Section, ...], depth: int) -> Iterator[Setting]:
    inside = above
    for number, line in enumerate(_text(path).splitlines(), 1):
        place = f"{path}:{number}"
        key, words, value = _parsed(line, place)
        if key in ("host", "match"):
            inside = (*above, Section(key, tuple(words), place))
        elif key == "include":
            if depth == _DEEPEST:
                raise UsageError(f"{place}: Include goes {_DEEPEST} files deep", OFF)
            for pattern in words:
                for file in _included(pattern, home):
                    yield from _settings(file, home, inside, depth + 1)
        elif key:
            yield Setting(key, value, place, inside)


def _included(pattern: str, home: Path) -> list[Path]:
    """The files of an Include, in the order of their names; a relative one is below ~/.ssh."""
    if pattern.startswith("~/"):
        pattern = f"{home}/{pattern[2:]}"
    full = Path(home / ".ssh" / pattern)
    found = Path(full.anchor).glob(str(full.relative_to(full.anchor)))
    return sorted(file for file in found if file.is_file())


def _parsed(line: str, place: str) -> tuple[str, list[str], str]:
    """Keyword in small letters, words and value of a line; nothing of one that says nothing."""
    line = line.strip()
    if not line or line.startswith("#"):
        return "", [], ""
    found = _LINE.fullmatch(line)
    try:
        if not found or not found[2]:
            raise ValueError("a keyword and its value are missing")
        key = found[1].lower()
        if key == "proxycommand":  # the rest of the line, whatever is in it
            return key, [], found[2]
        lexer = shlex.shlex(found[2], posix=True, punctuation_chars=False)
        lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
        words = _without_comment(list(lexer))
    except ValueError as error:
        raise UsageError(f"{place}: this line cannot be read: {error}", OFF) from error
    return key, words, " ".join(words)


def _without_comment(words: list[str]) -> list[str]:
    comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def _text(path: Path) -> str:
    """A file's text; like OpenSSH, none is taken that somebody else can write."""
    try:
        about = path.stat()
        own_group = about.st_gid == about.st_uid  # of one user alone, as Debian has it
        open_to = 0o002 if own_group else 0o022
        if about.st_uid not in (0, os.getuid()) or about.st_mode & open_to:
            raise UsageError(
                f"{path}: others can write it, and OpenSSH refuses it, too",
                f"chmod go-w {path}, and chown it to yourself; or set ssh.config: false",
            )
        return read(path, MIB).decode(errors="replace")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", OFF) from error
