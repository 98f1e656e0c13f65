"""The folders templates/nodes/ROLE: ours, with the cluster's own laid over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from dlws.config.model.roles import NODE_ROLES, ROLE_WORDS, ROLES
from dlws.config.problems import closest
from dlws.config.reading import strict
from dlws.config.reading.sources import Sources
from dlws.core import resources
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.roles.model import RoleFile

YAML, ALL = "role.yaml", "all"


@dataclass(frozen=True)
class Role:
    """A role: what its role.yaml says, and its files by their path on the node."""

    name: str
    says: RoleFile
    sources: Sources
    files: Mapping[str, Path]
    layers: tuple[Path, ...]
    """The folders of it, what counts most first."""
    yaml: Path

    @property
    def templates(self) -> tuple[Path, ...]:
        """Where its templates and what they include are looked up."""
        return (*self.layers, *dict.fromkeys(layer.parent.parent for layer in self.layers))


def names(directory: Path) -> list[str]:
    """The roles that there are."""
    found = resources.folders(NODE_ROLES, directory)
    # Each role that is read asks for all names: only that file is looked for.
    return [name for name, layers in found.items() if any((at / YAML).is_file() for at in layers)]


def load(directory: Path, name: str) -> Role:
    """A role; UsageError where there is none, WrongFile where its role.yaml has errors."""
    layers = resources.folders(NODE_ROLES, directory).get(name, ())
    found = resources.files(layers)
    if YAML not in found:
        near = closest(name, names(directory))
        hint = f"did you mean {near}? " if near else ""
        raise UsageError(f"there is no role {name}", f"{hint}see: {PROGRAM} role list")
    on_node = _on_node(layers)
    says, sources = strict.read(found[YAML], RoleFile, _matches(on_node), _machines(directory))
    return Role(name, says, sources, on_node, layers, found[YAML])


def load_all(directory: Path) -> dict[str, Role]:
    return {name: load(directory, name) for name in names(directory)}


def _on_node(layers: Sequence[Path]) -> dict[str, Path]:
    """The files by the path that they get on the node: x and x.j2 are for the same."""
    placed: dict[str, Path] = {}
    for layer in reversed(layers):
        own: dict[str, Path] = {}
        for name, path in resources.files([layer]).items():
            place = f"/{name.removesuffix('.j2')}"
            if place in own:
                raise UsageError(f"two files are for {place}", f"remove {own[place]} or {path}")
            if name != YAML:
                own[place] = path
        placed |= own
    return dict(sorted(placed.items()))


def _matches(placed: Mapping[str, Path]) -> Callable[[RoleFile, Sources], None]:
    """A rule: each pattern of files in a role.yaml fits one, else it is misspelled."""

    def rule(says: RoleFile, sources: Sources) -> None:
        for key, pattern in patterns(says):
            if not any(fits(pattern, path) for path in placed):
                near = closest(pattern.lstrip("/"), [path.lstrip("/") for path in placed])
                cure = (
                    f"Did you mean {near}?" if near else "Write the path of a file in the folder."
                )
                sources.error((key, pattern), "no file of the role is named so", cure, key=True)

    return rule


def _machines(directory: Path) -> Callable[[RoleFile, Sources], None]:
    """A rule: `on` names roles of machines."""

    def rule(says: RoleFile, sources: Sources) -> None:
        known = {*ROLE_WORDS, ALL, *names(directory)}
        for number, choice in enumerate(says.on):
            for word in choice.split("|"):
                if word not in known:
                    near = closest(word, known)
                    cure = f"Did you mean {near}?" if near else f"Choose from: {', '.join(ROLES)}."
                    sources.error(("on", number), f"{word} is not a role of machines", cure)

    return rule


def patterns(says: RoleFile) -> Iterator[tuple[str, str]]:
    """The patterns of files in a role.yaml, with the key that each stands under."""
    for key, table in (
        ("files", says.files),
        ("each", says.each),
        ("before_start", says.before_start),
        ("after", says.after),
        ("validate", says.validate_),
    ):
        yield from ((key, pattern) for pattern in table)


def fits(pattern: str, path: str) -> bool:
    """Whether a pattern such as etc/nginx/* fits the path of a file on the node."""
    return fnmatchcase(path, f"/{pattern.lstrip('/')}")
