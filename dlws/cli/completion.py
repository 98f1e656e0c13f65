"""What shells complete beside commands and options: names from the cluster's directory.

Nothing is asked of nodes, and a config.yaml that is missing or wrong completes nothing: while a
person types there is no place for its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completer(names: Callable[[Path], Iterable[str]]) -> Completer:
    """Completes the names that a function finds in the cluster's directory."""

    def complete(ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
        from pathlib import Path

        from click.shell_completion import CompletionItem

        directory = Path(ctx.find_root().params.get("directory") or ".")
        return [CompletionItem(name) for name in names(directory) if name.startswith(begun)]

    return complete


def _machines(directory: Path) -> dict[str, Any]:
    """The machines of cluster.yaml and config.yaml as written, without the model: it is slow."""
    import yaml

    found: dict[str, Any] = {}
    for name in ("cluster.yaml", "config.yaml"):
        try:
            read = yaml.load((directory / name).read_bytes(), yaml.CSafeLoader)
        except (OSError, ValueError, yaml.YAMLError):
            continue
        machines = read.get("machines") if isinstance(read, dict) else None
        found |= machines if isinstance(machines, dict) else {}
    return {str(name): machine for name, machine in found.items()}


def _with_roles(directory: Path) -> list[str]:
    machines = _machines(directory)
    roles = {"infra", "worker"} if machines else set[str]()
    for machine in machines.values():
        given = machine.get("role") if isinstance(machine, dict) else None
        roles |= set(map(str, given if isinstance(given, list) else filter(None, [given])))
    return [*sorted(roles), *machines]


def _folders(kind: str) -> Callable[[Path], Iterable[str]]:
    def names(directory: Path) -> Iterable[str]:
        from dlws.core import resources

        return resources.folders(kind, directory)

    return names


def _steps(_directory: Path) -> Iterable[str]:
    from dlws.install.steps import platform_steps

    return [step.name for step in platform_steps("sandbox")]


def _keys(_directory: Path) -> Iterable[str]:
    from dlws.config.explain import all_keys

    return all_keys()


NODE = completer(_machines)
PATTERN = completer(_with_roles)
SERVICE, ROLE, IMAGE = (completer(_folders(kind)) for kind in ("services", "nodes", "images"))
STEP, KEY = completer(_steps), completer(_keys)
NODES = click.argument("nodes", nargs=-1, metavar="[NODE]...", shell_complete=PATTERN)
