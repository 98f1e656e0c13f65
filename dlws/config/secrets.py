"""Where a configuration's secrets are, and whether they can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path as Directory
from typing import Any

from pydantic import BaseModel

from dlws.config.model.config import Config
from dlws.config.problems import Path, dotted
from dlws.config.reading.sources import Sources
from dlws.secrets.reference import Secret

_COMMENT = re.compile(r"[ \t]+#")
_PLACEHOLDERS = {"Sign key for JWT", "your_root_password", "changeme", "change-me"}


def secrets_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Secret]]:
    """Every secret that is set, with its path."""
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            inside = getattr(value, name)
            if isinstance(inside, (Secret, BaseModel, dict, list)):
                yield from secrets_of(inside, (*path, info.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from secrets_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from secrets_of(item, (*path, index))


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
