"""What a role's templates see, and its texts with that filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from dlws.config.addresses import address_of, hosts_file
from dlws.config.mounts import mounts_of
from dlws.config.problems import Path
from dlws.config.reading.strict import WrongFile
from dlws.config.registry import has_ca, registry_of
from dlws.config.shares import share_of
from dlws.config.volumes import volumes_of
from dlws.core import templates
from dlws.core.errors import UsageError
from dlws.core.templates import CannotRender
from dlws.secrets.redaction import revealed

if TYPE_CHECKING:
    import pathlib

    from pydantic import SecretStr

    from dlws.config import Machine
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.roles.folder import Role
    from dlws.secrets.vault import Vault

Values = Mapping[str, Any]
_CURE = (
    "Templates see config, machine, nodes, share, mounts, volumes, registry, secret(), kept() "
    "and the vars of role.yaml."
)
_EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.DOTALL)


def common(cluster: Cluster) -> dict[str, Any]:
    """What the templates of all nodes see: config, nodes, registry, kept()."""
    hosts = hosts_file(cluster.directory)
    return {
        "config": cluster.config,
        "nodes": [_addressed(node.machine, hosts) for node in cluster.nodes],
        "registry": registry_of(cluster.config, hosts) if has_ca(cluster.deploy) else None,
        "kept": Kept(cluster.deploy, cluster.run.vault),
        "_hosts": hosts,
    }


class Kept:
    """The text of a file below deploy/, read once, decrypted where need be."""

    def __init__(self, deploy: pathlib.Path, vault: Vault) -> None:
        self._deploy, self._vault = deploy, vault
        self._lock, self._texts = Lock(), dict[str, str]()

    def __call__(self, name: str) -> str:
        with self._lock:
            if name not in self._texts:
                self._texts[name] = self._vault.read(self._deploy / name).decode()
            return self._texts[name]


def of_node(shared: Values, node: Node) -> dict[str, Any]:
    """The same, and what the templates of one node see: machine, share, mounts, volumes."""
    machine = next(one for one in shared["nodes"] if one.name == node.name)
    share = share_of(shared["config"], machine, shared["_hosts"])
    mounts = mounts_of(shared["config"], machine, shared["_hosts"])
    served = volumes_of(shared["config"], machine, shared["_hosts"])
    return {**shared, "machine": machine, "share": share, "mounts": mounts, "volumes": served}


def _addressed(machine: Machine, hosts: Mapping[str, str]) -> Machine:
    """The machine with its `address`, wherever that is written; else its name."""
    address = address_of(machine, dict(hosts)) or machine.fqdn
    return machine.model_copy(update={"address": address})


def with_vars(role: Role, values: Values) -> dict[str, Any]:
    """The same, and the vars of the role: each may use those before it."""
    known = dict(values)
    for name, value in role.says.vars.items():
        known[name] = _filled(role, ("vars", name), value, known)
    return known


def _filled(role: Role, path: Path, value: Any, values: Values) -> Any:
    """A value with its templates filled in; what is one expression keeps the kind of its value."""
    if isinstance(value, dict):
        return {key: _filled(role, (*path, key), item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(role, (*path, place), item, values) for place, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if alone := _EXPRESSION.fullmatch(value):
        return evaluated(role, path, alone[1], values)
    return text(role, path, value, values)


def text(role: Role, path: Path, template: str, values: Values) -> str:
    """One text of a role.yaml, filled in."""
    if "{" not in template:
        return template
    try:
        return templates.render_text(template, {**values, "secret": revealed})
    except CannotRender as error:
        raise wrong(role, path, error.why) from error


def evaluated(role: Role, path: Path, expression: str, values: Values) -> Any:
    """The value of an expression in a role.yaml."""
    try:
        return templates.evaluate(expression, {**values, "secret": revealed})
    except CannotRender as error:
        raise wrong(role, path, error.why) from error


def lines(role: Role, key: str, items: Sequence[str], values: Values) -> Iterator[tuple[Path, str]]:
    """The items of a list: each may amount to several lines, or to none."""
    for place, item in enumerate(items):
        for line in text(role, (key, place), item, values).splitlines():
            if line.strip():
                yield (key, place), line.strip()


def wrong(role: Role, path: Path, message: str, cure: str = "") -> WrongFile:
    """The error for a value of a role.yaml, with its line."""
    document, spot = role.sources.locate(path)
    name = ".".join(map(str, path))
    problem = document.problem("error", spot, f"{name}: {message}", cure or _CURE, name)
    return WrongFile(role.yaml, [problem])


def content(role: Role, path: str, values: Values) -> tuple[bytes, bool]:
    """The content of a file of the role, and whether a secret is in it."""
    source = role.files[path]
    if source.suffix != ".j2":
        return source.read_bytes(), False
    found: list[str] = []

    def secret(value: SecretStr | str | None) -> str:
        found.append(revealed(value) or "")
        return found[-1]

    name = f"{path.lstrip('/')}.j2"
    try:
        made = templates.render_in(role.templates, name, {**values, "secret": secret})
    except CannotRender as error:
        line = f":{error.line}" if error.line else ""
        raise UsageError(f"{source}{line}: {error.why}", _CURE) from error
    return made.encode(), bool(found)
