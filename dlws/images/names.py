"""What images are called: registry, prefix, name and tag, as config.yaml has them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlws import __version__
from dlws.config.registry import registry_of as cluster_registry
from dlws.core.errors import UsageError

if TYPE_CHECKING:
    from dlws.config import Config

ALL = "all"
"""The word for every architecture that the cluster has."""
FIRST = "amd64"
"""The architecture whose images have tags without a suffix."""
DOCKER_HUB = "docker.io"
_OF_THE_REGISTRY = {"watchdog", "job-exporter"}
"""Images of the system's own that always come from dockerregistry, with the system's tag."""
_REFERENCE = re.compile(
    r"(?P<name>(?:[a-zA-Z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?"
)


def reference(config: Config, name: str, suffix: str = "") -> str:
    """The full reference of an image, its tag with `-suffix` where there is one.

    UsageError where the configuration's parts make no reference.
    """
    found = _with_suffix(given(config, name) or _made(config, name.lower()), suffix)
    if not _REFERENCE.fullmatch(found):
        raise UsageError(
            f"{found} cannot be the name of an image",
            "correct dockerregistry, dockerprefix or dockertag in config.yaml: small letters, "
            "digits, and . _ - / within them",
        )
    return found


def pulled(config: Config, name: str) -> str:
    """The reference by which nodes pull an image.

    Docker knows no second address for the cluster's own registry: it gets that of the port which
    asks for no login, where there is one.
    """
    found, own = reference(config, name), cluster_registry(config, {})
    place = registry_of(found)
    if config.runtime != "docker" or not own or place not in own.pull_places:
        return found
    return f"{own.pull_place}{found.removeprefix(place)}"


def given(config: Config, name: str) -> str:
    """The reference that config.yaml gives this very image."""
    dockers = config.dockers
    for table in (dockers.container, dockers.external, dockers.customize, dockers.infrastructure):
        entry = _of(table, name)
        found = _of(entry, "fullname") if isinstance(entry, Mapping) else entry
        if isinstance(found, str) and found:
            return found
    return ""


def _made(config: Config, name: str) -> str:
    dockers, system = config.dockers, _of(config.dockers.system, name) is not None
    own = _of(config.private_docker_registry, name)
    usual = config.dockerregistry or _own_registry(config)
    registry = str(own) if own else dockers.hub if system and dockers.hub else usual
    plain = system or name in _OF_THE_REGISTRY
    prefix = "" if plain else _prefix(config)
    tags = (dockers.tag, config.dockertag) if plain else (config.dockertag, dockers.tag)
    tag = _of(config.docker_image_versions, name) or next(filter(None, tags), __version__)
    return f"{joined(registry)}{joined(prefix)}{name}:{tag}"


def _own_registry(config: Config) -> str:
    """The cluster's own registry, which is meant where dockerregistry names no other."""
    found = cluster_registry(config, {})
    return found.place if found else ""


def _prefix(config: Config) -> str:
    given = config.dockerprefix
    return f"{config.cluster_name.lower()}_" if given is None else given


def joined(part: str) -> str:
    """A registry or prefix as it stands before what follows: with a / unless it ends in / _ or -.

    A registry may be written as an address on the web.
    """
    plain = re.sub(r"^https?://", "", part)
    return f"{plain}/" if plain and plain[-1] not in "/_-" else plain


def _of(table: Any, name: str) -> Any:
    """An entry of a table of config.yaml; capitals do not count."""
    rows = table.items() if isinstance(table, Mapping) else ()
    return next((value for key, value in rows if str(key).lower() == name.lower()), None)


def _with_suffix(found: str, suffix: str) -> str:
    head, _, last = found.partition("@")[0].rpartition("/")
    bare, colon, tag = last.partition(":")
    start = f"{head}/" if head else ""
    if not suffix:
        return found if colon or "@" in found else f"{start}{bare}:{__version__}"
    return f"{start}{bare}:{tag or __version__}-{suffix}"


def registry_of(found: str) -> str:
    """The host of the registry that a reference is of."""
    first, slash, _ = found.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else DOCKER_HUB


def architectures(config: Config) -> list[str]:
    """The architectures that the cluster's machines have; amd64 where there are none yet."""
    return sorted({machine.archtype for machine in config.machines.values()}) or [FIRST]


def chosen(config: Config, word: str | None) -> dict[str, str]:
    """What --archtype asks for: each architecture, and the suffix of its tags."""
    there = architectures(config)
    if word == ALL:
        return {one: one for one in there}
    if word:
        return {word: "" if word == FIRST else word}
    return {there[0] if len(there) == 1 else FIRST: ""}
