"""What templates/kubernetes/state.sh prints."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode


def b64(value: str | bytes) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def member(name: str, pods: str, address: str, ready: bool = True, id: str = "") -> str:
    values = {"name": name, "pods": pods, "address": address, "ready": ready, "id": id}
    return f"member={urlencode(values)}"


def told(flags: str = "", members: Iterable[str] = (), **words: str | bytes) -> bytes:
    """Flags that are set, as words of one text; members, as member() makes them."""
    return lines(flags, words, members)


def lines(flags: str, words: Mapping[str, str | bytes], members: Iterable[str] = ()) -> bytes:
    told = [f"{key}={b64(value)}" for key, value in words.items()]
    return "\n".join([*told, *(f"{flag}=1" for flag in flags.split()), *members]).encode()
