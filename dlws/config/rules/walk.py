"""Texts of a configuration by the paths of their keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from dlws.config.model.types import field_names
from dlws.config.problems import Path


def at(root: Any, patterns: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """The texts that are set at keys such as `dns_server/*`: * is any key or place in a list."""
    for pattern in patterns:
        yield from _below(root, _keys(pattern), ())


@cache
def _keys(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("/"))


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Each text in maps and lists."""
    if isinstance(value, str):
        yield path, value
    for step, item in _items(value):
        yield from texts(item, (*path, step))


def _below(value: Any, keys: tuple[str, ...], path: Path) -> Iterator[tuple[Path, str]]:
    if not keys:
        if isinstance(value, str):
            yield path, value
        return
    key, rest = keys[0], keys[1:]
    found = _items(value) if key == "*" else ((key, _item(value, key)),)
    for step, item in found:
        if item is not None:
            yield from _below(item, rest, (*path, step))


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _item(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    names = field_names(value)
    if not names:
        return None
    name = names.get(key, "")
    if name in value.model_fields_set:
        return getattr(value, name)
    return (value.model_extra or {}).get(key)
