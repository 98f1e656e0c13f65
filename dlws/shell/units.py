"""Names of systemd units that are made from paths. Pure."""

from __future__ import annotations

from dlws.core.errors import UsageError

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.")
_LONGEST = 255 - len(".automount")


def escaped(path: str) -> str:
    """A path as the name of its unit begins: what `systemd-escape --path` prints."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts:
        raise UsageError(f"{path!r} is no path that a unit can be named after")
    name = "-".join(_escaped(part, first=number == 0) for number, part in enumerate(parts)) or "-"
    if len(name) > _LONGEST:
        raise UsageError(f"{path!r} is too long: the name of its unit would be", "shorten it")
    return name


def _escaped(part: str, first: bool) -> str:
    """The first character of a name is no dot, for it would hide the unit's file."""
    return "".join(
        chr(byte)
        if byte in _PLAIN and not (first and place == 0 and byte == 46)
        else f"\\x{byte:02x}"
        for place, byte in enumerate(part.encode())
    )


def written(value: str) -> str:
    """A value as a unit file has it: % begins a specifier there."""
    return value.replace("%", "%%")
