"""What a request may be, before anybody reads it."""

from __future__ import annotations

from collections.abc import Mapping


def excess(headers: Mapping[str, str], largest: int) -> tuple[int, str] | None:
    """The status and words for a request that says no length, or is larger; None for all others."""
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal():
        return 411, "give the length of what you send"
    if int(length) > largest:
        return 413, f"at most {largest} bytes may be sent"
    return None
