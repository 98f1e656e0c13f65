"""Why an image could not be pulled or pushed, in a sentence, and what to do. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from dlws.core.program import PROGRAM


class Reason(NamedTuple):
    """What is wrong, and what helps: {program} is as this one was called."""

    words: str
    cure: str


_TRUST = Reason("the registry's certificate is not trusted", "run: {program} registry start")
_LOGIN = Reason(
    "the registry refuses the user or the password",
    "correct registry_credential in config.yaml; for our own registry, then run: "
    "{program} registry start",
)
_MISSING = Reason(
    "the registry has no such image, or does not show it without a login",
    "check its name and tag; push it, or copy it: "
    "{program} registry mirror IMAGE; credentials belong under registry_credential",
)
_FULL = Reason("the disk is full", "make room; on the registry's node: {program} registry gc")
_DOWN = Reason(
    "the registry does not answer",
    "for our own registry, see: {program} registry status; else check the node's network",
)
_NAME = Reason("the registry's name is not known", "use its address, or run: "
    "{program} up --only hosts")  # fmt: skip
_BROKEN = Reason(
    "the registry failed; its disk may be full",
    "see: {program} registry status; make room: {program} registry gc",
)
_READONLY = Reason(
    "the registry takes nothing now", "wait for registry gc to end, or run: {program} registry gc"
)
_RULES = (
    (r"no space left|disk quota exceeded", _FULL),
    (r"\b500\b|internal server error", _BROKEN),
    (r"x509|certificate (signed by|verify|is not)|tls: |unknown authority", _TRUST),
    (r"\b401\b|unauthori[sz]ed|authentication required|authorization failed|access denied"
     r"|no basic auth|incorrect username", _LOGIN),
    (r"405|read[- ]only|unsupported", _READONLY),
    (r"no such host|name resolution|cannot resolve|lookup .* (on|:)", _NAME),
    (r"refused|timed? ?out|deadline exceeded|no route|unreachable|reset by peer|\bEOF\b"
     r"|50[234]\b", _DOWN),
    (r"not found|manifest unknown|name unknown|\b404\b|does not exist|denied", _MISSING),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in _RULES)


def explained(said: str) -> Reason:
    """What a tool's words mean; where nobody knows, they speak for themselves."""
    for pattern, reason in _COMPILED:
        if pattern.search(said):
            return reason._replace(cure=reason.cure.format(program=PROGRAM))
    return Reason("", f"see what the registry says: {PROGRAM} registry status")


def refused(reason: Reason) -> bool:
    """Whether the registry did not like who asked."""
    return reason.words == _LOGIN.words


def disk_is_full(said: str) -> bool:
    """Whether a tool says that a disk has no room left."""
    return explained(said).words == _FULL.words
