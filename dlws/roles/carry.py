"""Which machines carry a role: by their `role:`, by what config.yaml implies, by other roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dlws.config.model.config import Config
from dlws.config.model.roles import SYNONYMS
from dlws.config.mounts import KEYS as MOUNT_KEYS
from dlws.config.problems import Path
from dlws.config.shares import KEYS
from dlws.core import templates
from dlws.core.errors import UsageError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.roles import folder
from dlws.roles import values as fill
from dlws.roles.folder import ALL, Role

if TYPE_CHECKING:
    from dlws.config import Machine
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.roles.values import Values

_KEY = re.compile(r"\bconfig\.(\w+)")


@dataclass(frozen=True)
class Carriers:
    """The roles that there are, and who carries them; read once for all nodes."""

    cluster: Cluster

    @cached_property
    def roles(self) -> dict[str, Role]:
        return folder.load_all(self.cluster.directory)

    @cached_property
    def shared(self) -> Values:
        return fill.common(self.cluster)

    def values(self, node: Node) -> dict[str, object]:
        """What the templates of a node see."""
        return fill.of_node(self.shared, node)

    def role(self, name: str) -> Role:
        """A role; UsageError where there is none of that name."""
        return self.roles.get(name) or folder.load(self.cluster.directory, name)

    def of(self, node: Node) -> list[Role]:
        """The roles that a node carries, those that others need before these."""
        known = self.values(node)
        named = [r.name for r in self.roles.values() if carries(r, node.machine, known)]
        found = [self.roles[name] for name in ordered(named, self.roles)]
        _no_file_twice(node, found)
        return found

    def nodes(self, role: str) -> list[Node]:
        """The nodes that carry a role, whether for its own sake or since another needs it."""
        return [node for node in self.cluster.nodes if role in {r.name for r in self.of(node)}]

    def chosen(self, role: str, patterns: Sequence[str]) -> list[Node]:
        """Those of them that were asked for; UsageError where there are none."""
        self.role(role)
        carriers, asked = self.nodes(role), self.cluster.select(patterns)
        if found := [node for node in asked if node in carriers]:
            return found
        words = f": {fold(node.name for node in asked)}" if patterns else ""
        cure = f"give a machine `role: {role}` in config.yaml, or see: {PROGRAM} role list"
        if carriers:
            cure = f"it is carried by {fold(node.name for node in carriers)}; {cure}"
        hint = self.role(role).says.hint if not carriers else ""
        told = templates.render_text(hint, {"program": PROGRAM})
        raise UsageError(f"no machine carries the role {role}{words}", told or cure)


def _no_file_twice(node: Node, roles: Sequence[Role]) -> None:
    """Two roles that place one file would undo each other's for ever."""
    whose: dict[str, str] = {}
    for role in roles:
        for path in role.files:
            if path in whose:
                raise UsageError(
                    f"{node.name} carries the roles {whose[path]} and {role.name}, "
                    f"which both place {path}",
                    "take the file out of one of them, or the machine out of one",
                )
            whose[path] = role.name


def carries(role: Role, machine: Machine, values: Values) -> bool:
    """Whether a machine carries a role for its own sake."""
    says = role.says
    if role.name in machine.roles:
        return True
    if not (says.on or says.when) or (
        says.architectures and machine.archtype not in says.architectures
    ):
        return False
    config: Config = values["config"]
    if says.on and not any(_has(machine, choice, config) for choice in says.on):
        return False
    if not says.when:
        return True
    known = fill.with_vars(role, values) if says.vars else values
    return bool(fill.evaluated(role, ("when",), says.when, known))


def _has(machine: Machine, choice: str, config: Config) -> bool:
    """Whether a machine is of the first role of a|b that any machine has."""
    for word in choice.split("|"):
        name = SYNONYMS.get(word, word)
        if name == ALL or config.with_role(name):
            return name == ALL or name in machine.roles
    return False


def ordered(names: Iterable[str], roles: Mapping[str, Role]) -> list[str]:
    """Roles and all that they need, each behind what it needs."""
    found: dict[str, None] = {}

    def add(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = " -> ".join((*way[way.index(name) :], name))
            raise UsageError(f"roles need each other: {circle}", "remove one of the needs")
        if name not in roles:
            raise UsageError(
                f"the role {way[-1]} needs {name}, which is no role",
                f"see: {PROGRAM} role list",
            )
        for needed in roles[name].says.needs:
            add(needed, (*way, name))
        found[name] = None

    for name in names:
        add(name, ())
    return list(found)


def origin(role: Role, machine: Machine) -> tuple[Path, ...]:
    """The keys of config.yaml that a role on a machine stems from, the closest first."""
    own = ("machines", machine.name)
    said = role.yaml.read_text(errors="replace")
    implied = (
        MOUNT_KEYS if "mounts" in said or "volumes" in said else KEYS if "share" in said else ()
    )
    keys: dict[str, None] = dict.fromkeys(implied)
    for name in _KEY.findall(said):
        if field := Config.model_fields.get(name):
            keys[field.alias or name] = None
    named: tuple[Path, ...] = ((*own, "role"),) if role.name in machine.roles else ()
    return (*named, *((key,) for key in keys), (*own, "role"), own)
