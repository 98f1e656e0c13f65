"""What a role wants of one node: its role.yaml and files with the node's values filled in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlws.roles import values as fill
from dlws.roles.folder import fits
from dlws.shell.files import File

if TYPE_CHECKING:
    from dlws.roles.folder import Role
    from dlws.roles.model import Remove, User
    from dlws.roles.values import Values

_OWNER = re.compile(r"[\w.-]+:[\w.-]+")
_MODE = re.compile(r"[0-7]{3,4}")
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp))?")
_UNIT_FILE = re.compile(r"/(?:etc|usr/lib|lib)/systemd/system/([^/]+?)(?:\.d/[^/]+)?")
_OF_USER = ("name", "group", "home", "shell")
RELOAD_UNITS = "daemon-reload"


@dataclass(frozen=True)
class Placed:
    """A file on the node, the file of the role's folder that it is made from, and the values."""

    path: str
    source: str
    values: Values


@dataclass(frozen=True)
class Directory:
    path: str
    mode: int
    owner: str


@dataclass(frozen=True)
class Due:
    """What is done once when any of some files has changed.

    `kind` is restart, reload or daemon-reload of a unit, run (a command before units start) or
    then (a command when they have).
    """

    kind: str
    what: str


@dataclass(frozen=True)
class Wanted:
    """What a role wants of one node."""

    role: str
    packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[tuple[str, int | None], ...] = ()
    users: tuple[User, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)
    """Path of a file: the command that judges it."""
    links: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    due: Mapping[Due, frozenset[str]] = field(default_factory=dict)
    """What is due, in its order: the paths of the files that call for it."""
    listens: tuple[tuple[int, str], ...] = ()
    true_afterwards: tuple[str, ...] = ()
    folders: tuple[tuple[str, int], ...] = ()
    """Directories in what units mount, with modes."""

    @property
    def record(self) -> tuple[str, ...]:
        """What the node keeps a record of, so that it can be taken back."""
        return (
            *(f"file {file.path}" for file in self.files),
            *(f"link {path}" for path in self.links),
            *(f"unit {unit}" for unit in self.units),
        )


def wanted(role: Role, values: Values) -> Wanted:
    """What a role wants of the node that the values are of."""
    says, known = role.says, fill.with_vars(role, values)

    def items(key: str) -> tuple[str, ...]:
        return tuple(line for _, line in fill.lines(role, key, getattr(says, key), known))

    units = tuple(map(unit_name, items("units")))
    placed = tuple(_placed(role, known))
    files = tuple(_file(role, one) for one in placed)
    return Wanted(
        role.name,
        packages(role, known),
        tuple((fill.text(role, ("groups",), one.name, known), one.gid) for one in says.groups),
        tuple(_user(role, user, known) for user in says.users),
        tuple(_directories(role, known)),
        files,
        dict(_checks(role, known, placed)),
        dict(_links(role, known)),
        items("modules"),
        units,
        _due(role, known, units, placed),
        tuple(_ports(role, known)),
        tuple(fill.text(role, ("true_afterwards", place), line, known).strip()
              for place, line in enumerate(says.true_afterwards)),
        tuple(_folders(role, known)),
    )  # fmt: skip


def removal(role: Role, values: Values) -> Remove:
    """The role's remove section, filled in."""
    says, known = role.says.remove, fill.with_vars(role, values)

    def filled(key: str) -> list[str]:
        commands = getattr(says, key)
        return [fill.text(role, ("remove", key, n), line, known) for n, line in enumerate(commands)]

    return says.model_copy(update={"before": filled("before"), "after": filled("after")})


def unit_name(word: str) -> str:
    """The full name of a unit: nginx is nginx.service."""
    return word if "." in word else f"{word}.service"


def packages(role: Role, values: Values) -> dict[str, tuple[str, ...]]:
    """The packages by family of systems."""
    return {
        family: tuple(
            word
            for item in items
            for word in fill.text(role, ("packages", family), item, values).split()
        )
        for family, items in role.says.packages.items()
    }


def _user(role: Role, user: User, values: Values) -> User:
    texts = {key: fill.text(role, ("users",), getattr(user, key), values) for key in _OF_USER}
    return user.model_copy(update=texts)


def _directories(role: Role, values: Values) -> Iterator[Directory]:
    for path, line in fill.lines(role, "directories", role.says.directories, values):
        words = line.rsplit(maxsplit=2)
        good = len(words) == 3 and words[0].startswith("/")
        if not good or not _MODE.fullmatch(words[1]) or not _OWNER.fullmatch(words[2]):
            cure = "Write PATH MODE OWNER:GROUP, such as /data 0755 root:root."
            raise fill.wrong(role, path, f"{line!r} is not a directory, its mode and owner", cure)
        yield Directory(words[0], int(words[1], 8), words[2])


def _folders(role: Role, values: Values) -> Iterator[tuple[str, int]]:
    for path, line in fill.lines(role, "folders", role.says.folders, values):
        name, _, mode = line.rpartition(" ")
        if not name.startswith("/") or not _MODE.fullmatch(mode):
            cure = "Write PATH MODE, such as /data/a 0755."
            raise fill.wrong(role, path, f"{line!r} is not a directory and its mode", cure)
        yield name, int(mode, 8)


def _links(role: Role, values: Values) -> Iterator[tuple[str, str]]:
    for path, target in role.says.links.items():
        yield f"/{path.lstrip('/')}", fill.text(role, ("links", path), target, values)
    for place, line in fill.lines(role, "link_lines", role.says.link_lines, values):
        name, _, target = line.partition(" -> ")
        if not name.startswith("/") or not target:
            raise fill.wrong(role, place, f"{line!r} is not a link", "Write PATH -> TARGET.")
        yield name, target


def _placed(role: Role, values: Values) -> Iterator[Placed]:
    """The files that the node gets: one of the folder may be there for each item of a list."""
    seen: set[str] = set()
    for source in role.files:
        for one in _each(role, source, values):
            if one.path in seen:
                raise fill.wrong(role, ("each",), f"two files would be {one.path}")
            seen.add(one.path)
            yield one


def _each(role: Role, source: str, values: Values) -> Iterator[Placed]:
    pattern = next((pattern for pattern in role.says.each if fits(pattern, source)), None)
    if pattern is None:
        yield Placed(source, source, values)
        return
    each, key = role.says.each[pattern], ("each", pattern)
    for item in fill.evaluated(role, (*key, "of"), each.of, values):
        known = {**values, "item": item}
        name = fill.text(role, (*key, "name"), each.name, known)
        if {"", ".", ".."} & {*name.split("/")}:
            raise fill.wrong(role, (*key, "name"), f"{name!r} is not the name of a file")
        yield Placed(f"{source.rpartition('/')[0]}/{name}", source, known)


def _file(role: Role, placed: Placed) -> File:
    path, source, values = placed.path, placed.source, placed.values
    content, secret = fill.content(role, source, values)
    if not path.isprintable():
        why = f"the name of the file {path!r} has characters that no name should have"
        raise fill.wrong(role, ("files",), why, "Rename it in the role's folder.")
    mode = 0o600 if secret else 0o755 if role.files[source].stat().st_mode & 0o111 else 0o644
    owner = "root:root"
    for pattern, text in role.says.files.items():
        if fits(pattern, source):
            given, owner = _mode_and_owner(role, pattern, text, values, owner)
            mode = mode if given is None else given
    if secret and mode & 0o007:
        why = f"a secret is in {path}, and mode {mode:o} lets everybody read it"
        raise fill.wrong(role, ("files",), why, "Give it mode 0600 or 0640.")
    return File(path, content, mode, owner)


def _mode_and_owner(
    role: Role, pattern: str, template: str, values: Values, owner: str
) -> tuple[int | None, str]:
    """What `files` says: a mode, an owner, or both."""
    mode = None
    for word in fill.text(role, ("files", pattern), template, values).split():
        if _MODE.fullmatch(word):
            mode = int(word, 8)
        elif _OWNER.fullmatch(word):
            owner = word
        else:
            cure = "Write MODE OWNER:GROUP, or one of them."
            raise fill.wrong(
                role, ("files", pattern), f"{word!r} is neither a mode nor an owner", cure
            )
    return mode, owner


def _checks(role: Role, values: Values, placed: Sequence[Placed]) -> Iterator[tuple[str, str]]:
    for pattern, template in role.says.validate_.items():
        command = fill.text(role, ("validate", pattern), template, values)
        if "{}" not in command:
            cure = "Write {} where the file's path belongs, such as: visudo -c -f {}"
            raise fill.wrong(role, ("validate", pattern), "{} is not in it", cure)
        yield from ((one.path, command) for one in placed if fits(pattern, one.source))


def _due(
    role: Role, values: Values, units: tuple[str, ...], placed: Sequence[Placed]
) -> dict[Due, frozenset[str]]:
    """What is due after changes, in the order in which it is done, each thing once."""
    found: dict[Due, set[str]] = {}
    unit_files = {
        one.path: unit_name(m[1]) for one in placed if (m := _UNIT_FILE.fullmatch(one.path))
    }
    if unit_files:
        found[Due(RELOAD_UNITS, "systemd")] = set(unit_files)
    for key in ("before_start", "after"):
        for pattern, commands in getattr(role.says, key).items():
            for command in commands:
                text = fill.text(role, (key, pattern), command, values).strip()
                paths = {one.path for one in placed if fits(pattern, one.source)}
                if text:
                    found.setdefault(_kind(text, key), set()).update(paths)
    for path, unit in unit_files.items():
        if unit in units and Due("reload", unit) not in found:
            found.setdefault(Due("restart", unit), set()).add(path)
    return {due: frozenset(paths) for due, paths in found.items()}


def _kind(text: str, key: str) -> Due:
    verb, _, rest = text.partition(" ")
    if verb in ("restart", "reload") and len(rest.split()) == 1:
        return Due(verb, unit_name(rest.strip()))
    return Due("run" if key == "before_start" else "then", text)


def _ports(role: Role, values: Values) -> Iterator[tuple[int, str]]:
    for path, line in fill.lines(role, "listens", role.says.listens, values):
        match = _PORT.fullmatch(line)
        if not match or not 0 < int(match[1]) < 65536:
            raise fill.wrong(role, path, f"{line!r} is not a port", "Write 80, or 53/udp.")
        yield int(match[1]), match[2] or "tcp"
