"""Where contexts of images lie: the cluster's own templates/images/NAME, docker_sources, ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.config.problems import closest
from dlws.core import person, resources
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from dlws.config import Config

KIND = "images"
PREBUILD, TEMPLATE = "prebuild.sh", ".j2"
ABOUT = "image.yaml"
"""Says what else an image of ours is called; it is no part of the context."""
_IN_A_CHECKOUT = ("src/docker-images", "docker-images")
"""Where a checkout of the ancestor has its images."""


@dataclass(frozen=True)
class Context:
    """An image's build context; `layers` are its folders, what counts most first."""

    name: str
    layers: tuple[Path, ...]
    of_checkout: bool = False
    """Whether it is one of the ancestor's: all its files are templates that see `cnf`."""

    @property
    def files(self) -> dict[str, Path]:
        """Its files by their path in its folders, as they are before templates are filled in."""
        return dict(self.placed.values())

    @property
    def placed(self) -> dict[str, tuple[str, Path]]:
        """Its files by their path in the context: the path in a folder, and the file.

        A file x of an upper folder takes the place of a template x.j2 of a lower one, too.
        """
        found: dict[str, tuple[str, Path]] = {}
        for layer in reversed(self.layers):
            own: dict[str, tuple[str, Path]] = {}
            for name, path in resources.files([layer]).items():
                place = name.removesuffix(TEMPLATE)
                if place in own:
                    raise UsageError(
                        f"two files are for {place}", f"remove {own[place][1]} or {path}"
                    )
                own[place] = (name, path)
            found |= own
        found.pop(ABOUT, None)
        return dict(sorted(found.items()))

    @property
    def aliases(self) -> list[str]:
        """Its other names, in small letters."""
        path = None if self.of_checkout else resources.files(self.layers).get(ABOUT)
        return [str(one).lower() for one in _about(path).get("aliases") or ()] if path else []


def _about(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no YAML", "write lines such as  aliases: [NAME]") from error
    if not isinstance(found, dict) or not isinstance(found.get("aliases"), list | None):
        raise UsageError(f"{path} has no list of aliases", "write  aliases: [NAME]")
    return found


def load_all(config: Config, directory: Path) -> dict[str, Context]:
    """All contexts by name in small letters. A site's own come first, then docker_sources."""
    found = {c.name.lower(): c for c in _templates(directory)}
    for place in _sources(config, directory):
        for folder in sorted(place.glob("[!._]*")):
            if folder.is_dir() and _is_context(resources.files([folder])):
                key, ours = folder.name.lower(), found.get(folder.name.lower())
                if ours is None or _only_ours(ours):
                    found[key] = Context(folder.name, (folder,), of_checkout=True)
    return dict(sorted(found.items()))


def _templates(directory: Path) -> Iterator[Context]:
    for name, layers in resources.folders(KIND, directory).items():
        if _is_context(resources.files(layers)):
            yield Context(name, layers)


def _is_context(files: Iterable[str]) -> bool:
    """Whether files make an image; a prebuild.sh may bring the Dockerfile."""
    return any(name == PREBUILD or name.startswith("Dockerfile") for name in files)


def _only_ours(context: Context) -> bool:
    ours = resources.templates().resolve()
    return not context.of_checkout and all(
        ours in layer.resolve().parents for layer in context.layers
    )


def _sources(config: Config, directory: Path) -> list[Path]:
    """The directories with contexts that docker_sources names; UsageError for one that is none."""
    found = []
    for word in config.docker_sources:
        place = directory / person.expanded(word)
        if not place.is_dir():
            raise UsageError(
                f"docker_sources names {place}, which is no directory",
                "correct docker_sources in config.yaml, or make a checkout there",
            )
        inner = [place / name for name in _IN_A_CHECKOUT if (place / name).is_dir()]
        found.append((inner or [place])[0])
    return found


def named(config: Config, directory: Path, words: Sequence[str]) -> list[Context]:
    """The contexts with these names (capitals do not count); all where there are no words."""
    known = load_all(config, directory)
    known = {alias: one for one in known.values() for alias in one.aliases} | known
    if lacking := [word for word in words if word.lower() not in known]:
        raise UsageError(*_no_context(config, directory, lacking, known))
    chosen = {known[word.lower()].name: known[word.lower()] for word in words or known}
    return list(chosen.values())


def _no_context(
    config: Config, directory: Path, lacking: Sequence[str], known: Iterable[str]
) -> tuple[str, str]:
    """The message and the cure for names that no folder stands for."""
    looked = [place / KIND for place in resources.places(directory)]
    looked += _sources(config, directory)
    near = dict.fromkeys(filter(None, (closest(word.lower(), known) for word in lacking)))
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"there is no context to build {', '.join(lacking)} from; "
        f"looked in: {', '.join(map(str, looked))}",
        f"{meant}name a directory with such a folder in config.yaml (docker_sources: [DIRECTORY]), "
        f"or make templates/{KIND}/{lacking[0].lower()}/Dockerfile in {directory}; "
        f"those there are: {PROGRAM} docker list",
    )
