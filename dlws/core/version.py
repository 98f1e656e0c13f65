"""Releases of Kubernetes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Literal

from dlws.core.errors import UsageError

OLDEST, NEWEST = 18, 37
"""The minor releases that this tool knows."""

Runtime = Literal["docker", "containerd"]

_TEXT = re.compile(r"v?1\.(\d{1,3})(?:\.(\d{1,4}))?([-+][0-9A-Za-z.+~-]+)?")


@total_ordering
@dataclass(frozen=True)
class Version:
    """One release, such as 1.30.4. Releases are in the order in which they appeared."""

    minor: int
    patch: int = 0
    suffix: str = ""
    """What follows the numbers: -rc.1 of a candidate, +k3s1 of another build."""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `v1.30.4`, `1.30.4` or `1.30`; refuse what is none, and releases not known here."""
        match = _TEXT.fullmatch(text.strip())
        if not match:
            raise UsageError(f'"{text}" is not a version of Kubernetes', "Write one like v1.30.4.")
        version = cls(int(match[1]), int(match[2] or 0), match[3] or "")
        if not OLDEST <= version.minor <= NEWEST:
            raise UsageError(
                f"Kubernetes 1.{version.minor} is not supported",
                f"Choose a version from 1.{OLDEST} to 1.{NEWEST}.",
            )
        return version

    def __str__(self) -> str:
        return f"1.{self.minor}.{self.patch}{self.suffix}"

    def __lt__(self, other: object) -> bool:
        return self._order < other._order if isinstance(other, Version) else NotImplemented

    @property
    def tag(self) -> str:
        """The name that Kubernetes gives the release: v1.30.4."""
        return f"v{self}"

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        """The container runtimes that the release can use, the usual one first."""
        if self.minor <= 19:
            return ("docker",)
        return ("containerd", "docker") if self.minor <= 23 else ("containerd",)

    @property
    def registry(self) -> str:
        """The registry of the release's own images."""
        return "registry.k8s.io" if self.minor >= 25 else "k8s.gcr.io"

    @property
    def _order(self) -> tuple[Any, ...]:
        """A candidate is older than its release; rc.2 is older than rc.10."""
        candidate, _, build = self.suffix.partition("+")
        words = candidate.removeprefix("-").split(".")
        parts = [(not word.isdigit(), int(word) if word.isdigit() else word) for word in words]
        return (self.minor, self.patch, not candidate, parts, build)
