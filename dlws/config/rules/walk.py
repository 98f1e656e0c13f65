"""Texts of a configuration by the paths of their keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from dlws.config.problems import Path


def at(root: Any, patterns: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """The texts that are set at keys such as `dns_server/*`: * is any key or place in a list."""
    for pattern in patterns:
        yield from _below(root, tuple(pattern.split("/")), ())


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
    key, *rest = keys
    found = _items(value) if key == "*" else [(key, _item(value, key))]
    for step, item in found:
        if item is not None:
            yield from _below(item, tuple(rest), (*path, step))


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _item(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if not isinstance(value, BaseModel):
        return None
    name = _names(type(value)).get(key, "")
    if name in value.model_fields_set:
        return getattr(value, name)
    return (value.model_extra or {}).get(key)


@cache
def _names(model: type[BaseModel]) -> dict[str, str]:
    """Key → the name of its field."""
    return {info.alias or name: name for name, info in model.model_fields.items()}
