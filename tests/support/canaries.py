"""A canary in every slot for a secret that the configuration's model has, found by code."""

from __future__ import annotations

import base64
import json
import shlex
import urllib.parse
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

from dlws.config.model.config import Config
from dlws.config.model.types import _hide

Path = tuple[str | int, ...]

TAILS = (
    "-'\"$x \\ü",
    "-$(id)`id`",
    "-\nsecond 5ecret line",
    "-密码 🔑/+",
    "- leading -n",
    "9" * 200,
)
"""Characters that are awkward somewhere."""


def slots(model: type[BaseModel] = Config, path: Path = ()) -> Iterator[Path]:
    """The paths at which a secret may stand; NAME where any name may, and 0 in a list."""
    for name, info in model.model_fields.items():
        if path == () and name == "other":
            yield from OLD  # keys of older configurations, gathered here
            continue
        freeform = any(getattr(part, "func", None) is _hide for part in info.metadata)
        yield from _within(info.annotation, (*path, info.alias or name), freeform)


OLD: tuple[Path, ...] = (("smtp", "smtp_auth_password"), ("sqlserver-password",))


def _within(kind: Any, path: Path, freeform: bool = False) -> Iterator[Path]:
    if freeform or any(getattr(part, "func", None) is _hide for part in get_args(kind)[1:]):
        yield (*path, "some-password")
    elif isinstance(kind, type) and issubclass(kind, SecretStr):
        yield path
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from slots(kind, path)
    elif get_origin(kind) is dict:
        yield from _within(get_args(kind)[1], (*path, "NAME"))
    elif get_origin(kind) is list:
        yield from _within(get_args(kind)[0], (*path, 0))
    else:
        for part in get_args(kind):
            yield from _within(part, path)


ALL = tuple(dict.fromkeys(slots()))
WORDS = {path: f"c4Nary{number:02}" for number, path in enumerate(ALL)}
CANARIES = {
    path: (WORDS[path] + TAILS[number % len(TAILS)]).removesuffix("\n")
    for number, path in enumerate(ALL)
}


def filled(config: dict[str, Any], name: str, keep: Path = ()) -> dict[str, Any]:
    """A configuration with a canary in each slot, but `keep`; `name` is that of a machine."""
    for path, canary in CANARIES.items():
        if path[: len(keep)] == keep and keep:
            continue
        place: Any = config
        for here, after in pairwise(path):
            key = name if path[0] == "machines" and here == "NAME" else here
            made: Any = [{}] if isinstance(after, int) else {}
            place = place[0] if isinstance(place, list) else place.setdefault(key, made)
        place[path[-1]] = canary
    return config


def forms(secret: str) -> set[str]:
    """The ways in which a secret may stand in a text, beyond its plain word."""
    data = secret.encode()
    found = {base64.b64encode(data).decode(), base64.b64encode(data + b"\n").decode()}
    for before in (b"x", b"xx", b"password: "):
        skipped = -(-len(before) * 8 // 6)
        found.add(base64.b64encode(before + data + b"zz").decode()[skipped : skipped + 12])
    quoted = {shlex.quote(shlex.quote(secret)), json.dumps(secret), urllib.parse.quote_plus(secret)}
    return found | quoted


def found(data: bytes) -> list[str]:
    """The slots whose canary is in some data, in whatever form."""
    return [
        ".".join(map(str, path))
        for path, canary in CANARIES.items()
        if WORDS[path].encode() in data or any(form.encode() in data for form in forms(canary))
    ]
