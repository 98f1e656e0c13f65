"""Where a configuration's secrets are, and whether they can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path as Directory
from typing import Any

from dlws.config.model.config import Config
from dlws.config.model.types import field_names
from dlws.config.problems import Path, dotted
from dlws.config.reading.sources import Sources
from dlws.secrets.reference import Secret

_COMMENT = re.compile(r"[ \t]+#")
_PLACEHOLDERS = {"Sign key for JWT", "your_root_password", "changeme", "change-me"}


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""What most values are, and no secret is in: told at once, for hundreds of machines."""


def secrets_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Secret]]:
    """Every secret that is set, with its path."""
    if isinstance(value, Secret):
        yield path, value
    for key, inside in _within(value):
        if type(inside) not in _PLAIN:
            yield from secrets_of(inside, (*path, key))


def _within(value: Any) -> Iterable[tuple[str | int, Any]]:
    """The parts of a value by their keys in the configuration."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, list):
        return enumerate(value)
    return [(key, getattr(value, name)) for key, name in field_names(value).items()]


def serve_secrets(
    config: Config, read: Callable[[Directory], bytes], hide: Callable[[list[str]], None]
) -> None:
    """Hide the secrets that can be read here and now, and the others when they are read."""
    for path, secret in secrets_of(config):
        secret.key = dotted(path)
        secret.serve(read, hide)
        if not secret.complaint() and not secret.deferred:
            hide([secret.get_secret_value()])


def check_secrets(config: Config, sources: Sources) -> None:
    for path, secret in secrets_of(config):
        if complaint := secret.complaint():
            kind = sources.error if "can be read by others" in complaint else sources.warn
            kind(path, complaint, "Provide the secret before the command that needs it.")
        elif not secret.reference:
            _written_out(path, secret, sources)
        elif secret.outside:
            sources.warn(
                path,
                f"{secret.path} is not in the cluster's directory, and its content goes wherever "
                "this configuration says",
                "Use it only if you know who wrote config.yaml; or copy the file to deploy/.",
            )


def _written_out(path: Path, secret: Secret, sources: Sources) -> None:
    document, spot = sources.locate(path)
    line = document.lines[spot.line - 1] if spot.line <= len(document.lines) else ""
    quoted = line[spot.column - 1 : spot.column] in ("'", '"', "|", ">")
    if not quoted and _COMMENT.match(line[spot.column - 1 + spot.width :]):
        sources.warn(
            path,
            "the secret ends before the #, where a comment begins",
            "Quote the secret if the # belongs to it.",
        )
    if secret.get_secret_value() in _PLACEHOLDERS:
        sources.warn(
            path, "this is the sample's placeholder, which everybody knows", "Choose a secret."
        )
