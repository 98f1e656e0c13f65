"""A step of the installation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlws.session import Session

PLATFORMS = ("azure", "onpremise", "sandbox")


@dataclass(frozen=True)
class Step:
    """A named function of the installation, and the platforms that need it."""

    name: str
    help: str
    run: Callable[[Session], None]
    platforms: tuple[str, ...] = PLATFORMS
    depends_on: tuple[str, ...] = ()
    """The earlier steps whose changes it builds on: no plan knows it before they are made."""
    read_only: bool = False
    """Whether it changes nothing itself."""
    beside: Callable[[Session], None] | None = None
    """Begins what a later step needs and can be done beside this one. Steps may share it: the first
    of them that runs begins it."""
    per_node: bool = False
    """Whether what it does on a node depends on that node alone, and not on the infra nodes."""
