"""The script that brings a role to a node, says what it would change, or takes the role away. Pure.

It calls the functions of scripts/lib/roles.sh in order. What it is given travels beside it, in
files: nothing of a role is ever on a command line.
"""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.nodes.questions import Members, tar
from dlws.runs.plan import digest
from dlws.shell.enter import ENTER
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.roles.model import Remove
    from dlws.roles.wanted import Due, Wanted

_LIBRARY = ("lib/common.sh", "lib/packages.sh", "lib/roles.sh", "lib/roleunits.sh")
_HEAD = "\n".join(["set -euo pipefail", *(f". ./{name}" for name in _LIBRARY), ""])


def question(role: str) -> str:
    """The command that says what the role's script would change; it changes nothing."""
    return sh("env", "DLWS_CHECK=1", "bash", f"./{_script(role)}")


def command(role: str) -> str:
    """The command that runs the role's script."""
    return sh("bash", f"./{_script(role)}")


def _script(role: str) -> str:
    return f"role-{role}/{role}.sh"


def members(wanted: Wanted, changed: Collection[str] = ()) -> Members:
    """The script and what it needs, with the content of those files alone that are to change."""
    parts = _Commands(wanted.role)
    text = _HEAD + "".join(f"{line}\n" for line in _lines(wanted, parts))
    contents = {
        f"role-{wanted.role}/files/{number}": (_bytes(file.content), 0o600)
        for number, file in enumerate(wanted.files)
        if file.path in changed
    }
    return {_script(wanted.role): (text.encode(), 0o600), **parts.members, **contents, **library()}


def removal(role: str, remove: Remove, packages: Mapping[str, Sequence[str]]) -> Members:
    """The script that takes a role away, by what the node has on record of it."""
    parts = _Commands(role)
    text = _HEAD + "".join(f"{line}\n" for line in _removing(role, remove, packages, parts))
    return {_script(role): (text.encode(), 0o600), **parts.members, **library()}


def library() -> Members:
    """The files of scripts/ that it calls; the one that places things has `enter`, too."""
    found = {name: (resources.scripts() / name).read_bytes() for name in _LIBRARY}
    found["lib/roles.sh"] += ENTER.encode()
    return {name: (content, 0o600) for name, content in found.items()}


def archive(found: Members) -> bytes:
    """The tar of all that."""
    return tar(found) + bytes(2 * tarfile.BLOCKSIZE)


class _Commands:
    """Commands that the script runs, each in a file of its own."""

    def __init__(self, role: str) -> None:
        self._role = role
        self.members: Members = {}

    def file(self, text: str) -> str:
        name = f"role-{self._role}/commands/{len(self.members)}.sh"
        self.members[name] = (f"{text}\n".encode(), 0o600)
        return name


def key(due: Due) -> str:
    """The name under which a node remembers what is due."""
    return digest(due.kind, due.what)[:16]


def first_line(text: str) -> str:
    return text.strip().split("\n")[0]


def _lines(wanted: Wanted, parts: _Commands) -> Iterator[str]:
    yield sh("begin_role", wanted.role, *wanted.record)
    if wanted.packages:
        yield sh("role_family", *wanted.packages)
    for family, names in wanted.packages.items():
        yield sh("role_packages", family, *names)
    for name, gid in wanted.groups:
        yield sh("role_group", name, gid or "")
    for user in wanted.users:
        groups = ",".join(user.groups)
        yield sh("role_user", user.name, user.uid or "", user.group, groups, user.home, user.shell)
    for place in wanted.directories:
        yield sh("role_directory", place.path, f"{place.mode:o}", place.owner)
    yield from _file_lines(wanted, parts)
    yield sh("role_place")
    for path, target in wanted.links.items():
        yield sh("role_link", path, target)
    yield sh("role_prune")
    yield sh("role_modules", *wanted.modules)
    yield from _due_lines(wanted, ("daemon-reload", "run"), parts)
    yield sh("role_units", *wanted.units)
    for path, mode in wanted.folders:
        yield sh("role_folder", path, f"{mode:o}")
    yield from _due_lines(wanted, ("then", "reload", "restart"), parts)
    for port, protocol in wanted.listens:
        yield sh("role_listens", port, protocol)
    for line in wanted.true_afterwards:
        yield sh("role_true", parts.file(line), first_line(line))
    yield from ("end_role", "finish")


def _file_lines(wanted: Wanted, parts: _Commands) -> Iterator[str]:
    for number, file in enumerate(wanted.files):
        check = wanted.checks.get(file.path, "")
        judge = parts.file(check.replace("{}", '"$1"')) if check else ""
        due = [key(one) for one, paths in wanted.due.items() if file.path in paths]
        member = f"role-{wanted.role}/files/{number}"
        what = (file.path, f"{file.mode:o}", file.owner, file.sha256)
        yield sh("role_file", member, *what, judge, *due)


def _due_lines(wanted: Wanted, kinds: Collection[str], parts: _Commands) -> Iterator[str]:
    for due in (one for one in wanted.due if one.kind in kinds):
        named = parts.file(due.what) if due.kind in ("run", "then") else ""
        yield sh("role_due", key(due), due.kind, first_line(due.what), named)


def _removing(
    role: str, remove: Remove, packages: Mapping[str, Sequence[str]], parts: _Commands
) -> Iterator[str]:
    yield sh("begin_role", role)
    for line in remove.before:
        yield sh("remove_run", parts.file(line), first_line(line))
    yield sh("remove_kinds", "unit", "link", "file")
    for line in remove.after:
        yield sh("remove_run", parts.file(line), first_line(line))
    for family, names in packages.items() if remove.packages else ():
        yield sh("remove_packages", family, *names)
    yield from ("end_removal", "finish")


def _bytes(content: object) -> bytes:
    assert isinstance(content, bytes)
    return content
