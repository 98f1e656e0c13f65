"""Dockerfiles: which one is an architecture's, and what images it builds on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_FROM = re.compile(r"from\s+(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)
_ARG = re.compile(r"arg\s+([A-Za-z_]\w*)(?:=(\S*))?", re.IGNORECASE)
_USED = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::-([^}]*))?\}|([A-Za-z_]\w*))")
_COPY = re.compile(r"(?:copy|add)\s+(?:--\S+\s+)*--from=(\S+)", re.IGNORECASE)


def choose(files: Iterable[str], architecture: str) -> str:
    """The Dockerfile of an architecture: the longest name with which Dockerfile-ARCH begins."""
    wanted = f"Dockerfile-{architecture}"
    fitting = [name for name in files if name.startswith("Dockerfile") and wanted.startswith(name)]
    return max(fitting, key=len, default="")


def lines(text: str) -> list[str]:
    """Its instructions, each in one line."""
    whole = re.sub(r"\\[ \t]*\n(?:[ \t]*#[^\n]*\n)*", " ", text)
    return [line.strip() for line in whole.splitlines() if line.strip()[:1] not in ("", "#")]


def arguments(text: str) -> dict[str, str]:
    """The build arguments that it declares, with their defaults."""
    found = [_ARG.match(line) for line in lines(text)]
    return {match[1]: _bare(match[2] or "") for match in found if match}


def _bare(word: str) -> str:
    return word.strip("\"'")


def bases(text: str, given: Mapping[str, str]) -> list[str]:
    """The images that it builds on or copies from, with build arguments filled in."""
    values = {**arguments(text), **given}
    stages: set[str] = set()
    found: dict[str, None] = {}
    for line in lines(text):
        match, copied = _FROM.match(line), _COPY.match(line)
        word = match[1] if match else copied[1] if copied else ""
        name = _filled(word, values)
        if name and name.lower() not in stages and not name.isdecimal() and name != "scratch":
            found[name] = None
        if match and match[2]:
            stages.add(match[2].lower())
    return list(found)


def _filled(word: str, values: Mapping[str, str]) -> str:
    return _USED.sub(lambda m: values.get(m[1] or m[3]) or m[2] or "", word)


def levels(needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Names in groups: each needs only names of groups before it. ValueError names a circle."""
    left = {name: {one for one in wanted if one in needs} for name, wanted in needs.items()}
    groups: list[list[str]] = []
    while left:
        ready = sorted(name for name, wanted in left.items() if not wanted & left.keys())
        if not ready:
            raise ValueError(" -> ".join(sorted(left)))
        groups.append(ready)
        for name in ready:
            del left[name]
    return groups
