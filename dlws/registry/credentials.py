"""Logins of registries as Kubernetes and runtimes read them; names of images. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping

from dlws.config import Config
from dlws.config.registry import server_name
from dlws.core.errors import UsageError
from dlws.nodes.credentials import Credential

HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"
"""Under this address Docker and Kubernetes keep the credentials of Docker Hub."""
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?(?:/{_PART})+"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def docker_config(known: Mapping[str, Credential]) -> str:
    """The credentials as Docker's config.json has them, on one line."""
    auths = {_HUB_KEY if name == HUB else name: _auth(one) for name, one in sorted(known.items())}
    return json.dumps({"auths": auths})


def _auth(one: Credential) -> dict[str, str]:
    word = base64.b64encode(f"{one.user}:{one.password}".encode()).decode()
    return {"username": one.user, "password": one.password, "auth": word}


def full_name(name: str) -> str:
    """An image's name with its registry and tag: nginx is docker.io/library/nginx:latest."""
    rest, at, digest = name.strip().partition("@")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        head, tag = rest, "" if at else "latest"
    first, slash, path = head.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, path = HUB, head
    host = server_name(first)
    if host == HUB and "/" not in path:
        path = f"library/{path}"
    made = f"{host}/{path}{f':{tag}' if tag else ''}{at}{digest}"
    if not _NAME.fullmatch(made) or rest.endswith(":"):
        raise UsageError(
            f"{name!r} is not the name of an image",
            "write one like nginx:1.27, or registry.example.org/team/app:1.0",
        )
    return made


def server_of(name: str) -> str:
    """The registry of an image, by its full name."""
    return name.partition("/")[0]


def wanted_images(config: Config, given: Iterable[str]) -> list[str]:
    """The images to pull, by their full names: those given, else pre_download_images."""
    tables = (config.registry_credential, config.private_docker_credential)
    said = [
        image for table in tables for one in table.values() for image in one.pre_download_images
    ]
    return list(dict.fromkeys(map(full_name, list(given) or said)))
