"""A person's own commands and files, on many nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.connection import Result
from dlws.core.errors import UsageError
from dlws.core.limits import PATIENT
from dlws.core.nodeset import fold
from dlws.nodes.node import File, Node
from dlws.shell import files
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def line(words: tuple[str, ...]) -> str:
    """The shell line for words typed here: one word is a line already, several are quoted."""
    return words[0] if len(words) == 1 else sh(*words)


def without_sudo(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words behind a plain leading `sudo`, which would ask for a password on no terminal."""
    plain = len(words) > 1 and words[0] == "sudo" and not words[1].startswith("-")
    return words[1:] if plain else words


def everywhere(cluster: Cluster, words: tuple[str, ...], show: bool) -> None:
    """Run words on the selected nodes; a summary says how many did it."""
    options, stripped = cluster.run.options, words
    if cluster.config.sudo_passwords:
        stripped = without_sudo(words)
    sudo = options.sudo or stripped != words
    command = line(stripped)

    def action(node: Node) -> Result:
        return node.execute(command, sudo, live=show)

    outcomes = cluster.change_all(cluster.select(), action, command)
    if len(outcomes) > 1 and not options.dry_run:
        cluster.run.console.say(f"ok: {len(outcomes)} nodes: {fold(o.node.name for o in outcomes)}")


def tree(source: Path, destination: str) -> list[File]:
    """The files that put `source` at the path `destination`."""
    if not destination.startswith("/"):
        raise UsageError(f"{destination} is not an absolute path", "start it with /")
    if source.is_file():
        return [File(destination, source, source.stat().st_mode & 0o777)]
    found = sorted(path for path in source.rglob("*") if not path.is_dir())
    for path in found if source.is_dir() else [source]:
        if not path.is_file():
            raise UsageError(f"{path} is no file, or a link to none", "remove it, or mend the link")
    if not found:
        raise UsageError(f"{source} holds no files", "put some there, or copy something else")
    return [
        File(
            f"{destination}/{path.relative_to(source).as_posix()}",
            path,
            path.stat().st_mode & 0o777,
        )
        for path in found
    ]


def copy(cluster: Cluster, source: Path, destination: str) -> int:
    """Copy to the selected nodes; how many of them that changed."""

    place = destination.rstrip("/") or "/"
    inside = f"{place.rstrip('/')}/{source.resolve().name}"
    # Made here, once: each file is hashed when the first node is asked about it.
    whole, within = tree(source, inside if place == "/" else place), tree(source, inside)

    def action(node: Node) -> list[str]:
        if destination.endswith("/"):
            return node.put_tree(within)
        return _put_file(node, whole, within) if source.is_file() else node.put_tree(whole)

    outcomes = cluster.change_all(cluster.select(), action, f"copying {source.name}")
    return sum(bool(outcome.value) for outcome in outcomes)


def _put_file(node: Node, whole: list[File], within: list[File]) -> list[str]:
    """Place one file: within what it is to be called, where that is a directory on the node."""
    command, paths = files.question([*whole, *within])
    state, inner = files.states(node.read(command, stdin=paths, sudo=True, bounds=PATIENT).text, 2)
    chosen, found = (within, inner) if state == files.DIRECTORY else (whole, state)
    return node.put_tree(chosen) if files.differing(chosen, [found]) else []
