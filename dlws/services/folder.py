"""The folders templates/services/NAME: ours, with the cluster's own laid over them file by file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlws.config.problems import closest
from dlws.config.reading import strict
from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.services.model import ServiceFile

KIND, YAML = "services", "service.yaml"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")
_MANIFEST = re.compile(r"(.+\.ya?ml)(\.j2)?")


@dataclass(frozen=True)
class Service:
    """A service: what its service.yaml says, and its files by their path in the folder."""

    name: str
    says: ServiceFile
    files: Mapping[str, Path]
    layers: tuple[Path, ...]
    """The folders of it, what counts most first."""

    @property
    def templates(self) -> tuple[Path, ...]:
        """Where its templates and what they include are looked up."""
        return (*self.layers, *dict.fromkeys(layer.parent.parent for layer in self.layers))

    @property
    def manifests(self) -> list[str]:
        """Its manifests in their order, as paths in the folder."""
        return sorted(name for name in self.files if _MANIFEST.fullmatch(name) and name != YAML)


def load_all(directory: Path) -> dict[str, Service]:
    """All services by name; UsageError where they contradict each other."""
    found = resources.folders(KIND, directory)
    services = {name: _load(name, layers) for name, layers in found.items()}
    _check_names(services)
    for service in services.values():
        for need in service.says.needs:
            if need not in services:
                raise UsageError(
                    f"service {service.name} needs {need}, which there is not",
                    f"{_near(need, services)}correct needs: in {service.layers[0] / YAML}",
                )
    return services


def _load(name: str, layers: tuple[Path, ...]) -> Service:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{layers[0]}: {name} is no name for a service",
            "rename the folder: use small letters, digits and -, at most 52",
        )
    files = _files(layers)
    says = strict.read(files[YAML], ServiceFile)[0] if YAML in files else ServiceFile()
    return Service(name, says, files, layers)


def _files(layers: Sequence[Path]) -> dict[str, Path]:
    """The files; a manifest x.yaml of an upper folder replaces x.yaml.j2 of a lower one, too."""
    placed: dict[str, tuple[str, Path]] = {}
    for layer in reversed(layers):
        own: dict[str, tuple[str, Path]] = {}
        for name, path in resources.files([layer]).items():
            place = name.removesuffix(".j2")
            if place in own:
                raise UsageError(f"two files are for {place}", f"remove {own[place][1]} or {path}")
            own[place] = (name, path)
        placed |= own
    return dict(found for _, found in sorted(placed.items()))


def _check_names(services: Mapping[str, Service]) -> None:
    owners = {name: name for name in services}
    for service in services.values():
        for alias in service.says.aliases:
            if owners.setdefault(alias, service.name) != service.name:
                raise UsageError(
                    f"{alias} is a name of both {owners[alias]} and {service.name}",
                    f"take it out of aliases: in {service.layers[0] / YAML}",
                )


def named(services: Mapping[str, Service], words: Sequence[str]) -> list[Service]:
    """The services with these names or aliases; all of them where there are no words."""
    by_alias = {alias: one for one in services.values() for alias in one.says.aliases}
    known = {**by_alias, **services}
    for word in words:
        if word not in known:
            hint = _near(word, known)
            raise UsageError(f"there is no service {word}", f"{hint}see: {PROGRAM} kubernetes list")
    found = [known[word] for word in words] or list(services.values())
    return list({service.name: service for service in found}.values())


def _near(word: str, known: Iterable[str]) -> str:
    near = closest(word, known)
    return f"did you mean {near}? " if near else ""


def levels(chosen: Iterable[Service], services: Mapping[str, Service]) -> list[list[Service]]:
    """The chosen services and all that they need, in groups: each needs only groups before it."""
    depth: dict[str, int] = {}

    def visit(service: Service, way: tuple[str, ...]) -> int:
        if service.name in way:
            circle = " -> ".join([*way[way.index(service.name) :], service.name])
            raise UsageError(
                f"services need each other in a circle: {circle}", "correct a needs: of theirs"
            )
        if service.name not in depth:
            needs = [visit(services[n], (*way, service.name)) for n in service.says.needs]
            depth[service.name] = max(needs, default=-1) + 1
        return depth[service.name]

    for service in chosen:
        visit(service, ())
    groups: list[list[Service]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in sorted(depth):
        groups[depth[name]].append(services[name])
    return groups
