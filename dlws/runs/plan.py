"""A plan: what a command would change, to be reviewed, kept, and applied as it stands."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core import localfiles
from dlws.core.errors import Refused, UsageError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from dlws.core.connection import Stdin
    from dlws.shell.files import File

FORMAT = 1
_KEY = 32
NOTHING = ("it would find nothing to do",)
"""The details of a script that says so."""
HERE = ""
"""The name that stands for this machine where others have a node's."""

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Action:
    """One change of a node, or of this machine (`node` is empty).

    `kind` is run, write, patch or local. `words` go behind "would". `digest` is of what is done
    (command and input; a file's path, content, mode and owner), `seen` of what is there before.
    `details` are the lines of a file's diff, or what a script says that it would change. `until`
    is the step after which the content is known; until then two actions are equal if node, kind
    and `place` are. `maybe`: the action is left out if it turns out not to be needed.
    """

    node: str
    kind: str
    words: str
    place: str
    digest: str = ""
    seen: str = ""
    details: tuple[str, ...] = ()
    until: str = ""
    maybe: bool = False

    @property
    def idle(self) -> bool:
        """Whether it is a script that would be run and find nothing to do."""
        return self.details == NOTHING

    @property
    def key(self) -> Key:
        """What two actions that are the same have in common."""
        return self.open_key if self.until else (self.node, self.kind, self.digest, self.seen)

    @property
    def open_key(self) -> Key:
        """The key of this action in a plan that was made before its content was known."""
        return (self.node, self.kind, self.place, "")

    def text(self) -> str:
        """`would` or `may`, and the words."""
        later = f" (content unknown until {self.until})" if self.until else ""
        return f"{'may' if self.maybe else 'would'} {self.words}{later}"


@dataclass(frozen=True)
class Unknown:
    """A part of the command that cannot be planned before another part is done."""

    what: str
    until: str
    nodes: tuple[str, ...] = ()
    """The nodes that it is unknown for; none: for all."""

    def text(self) -> str:
        where = f" on {fold(self.nodes)}" if self.nodes else ""
        return f"{self.what}{where}: unknown until {self.until}"


@dataclass
class Plan:
    """What a command line would change. `config` is the hash of config.yaml and cluster.yaml."""

    words: tuple[str, ...]
    cwd: str
    directory: str
    config: str
    made: str
    version: str
    seed: str
    actions: list[Action] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    sealed: bool = False
    """Whether its hashes are under the key of the cluster's directory."""

    def dump(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def key_file(directory: Path) -> Path:
    """Where a cluster's directory keeps the key that hashes in its plans are under.

    With the hash alone, whoever reads a plan could try passwords on it until one fits.
    """
    return directory / "deploy/plan.key"


def seal(plan: Plan) -> Plan:
    """The plan as it may be kept and passed on; as it is where there is no deploy/ yet."""
    path = key_file(Path(plan.directory))
    if not path.parent.is_dir():
        return plan
    if not path.exists():
        localfiles.write(path, os.urandom(_KEY))
    return keyed(plan, localfiles.read(path, _KEY))


def key_of(plan: Plan) -> bytes:
    """The key that a plan's hashes are under; empty where they are under none."""
    if not plan.sealed:
        return b""
    path = key_file(Path(plan.directory))
    if not path.is_file():
        raise Refused(f"the plan's key is gone: {path}", f"{PROGRAM} plan COMMAND... -o FILE")
    return localfiles.read(path, _KEY)


def keyed(plan: Plan, key: bytes) -> Plan:
    """The plan with its hashes under this key; as it is without one."""
    if not key:
        return plan
    return replace(plan, actions=[under(key, action) for action in plan.actions], sealed=True)


def under(key: bytes, action: Action) -> Action:
    """The action with its hashes under this key; as it is without one."""

    def made(found: str) -> str:
        return hmac.digest(key, found.encode(), "sha256").hex() if key and found else found

    return replace(action, digest=made(action.digest), seen=made(action.seen))


def digest(*parts: str | bytes) -> str:
    """One hash over all parts, none of which can run into the next."""
    found = hashlib.sha256()
    for part in parts:
        data = os.fsencode(part)
        found.update(len(data).to_bytes(8, "big") + data)
    return found.hexdigest()


@dataclass(frozen=True)
class Planned:
    """What a plan has to know of a command.

    `varies`: its input is made anew each time (tokens), so that it is not compared. `follows`: it
    belongs to a command that was let through before. `preview`: a line for each thing that it would
    change.
    """

    varies: bool = False
    follows: bool = False
    preview: tuple[str, ...] = ()


AS_IT_IS = Planned()


def run(
    node: str,
    title: str,
    command: str,
    stdin: Stdin,
    sudo: bool,
    planned: Planned = AS_IT_IS,
) -> Action:
    """A command on a node."""
    data = stdin if isinstance(stdin, bytes) and not planned.varies else b""
    what = digest(command, str(sudo), data)
    return Action(node, "run", f"run: {title}", title, what, details=planned.preview)


def write(node: str, file: File, seen: str, details: Sequence[str] = ()) -> Action:
    """A file placed on a node; `seen` is the state of what is there."""
    words = f"write: {file.path} (mode {file.mode:o}, {file.size} bytes)"
    what = digest(file.path, file.state)
    return Action(node, "write", words, file.path, what, digest(seen), tuple(details))


def patch(node: str, words: str, body: Any) -> Action:
    """A change of a node's object by the API server."""
    return Action(node, "patch", words, words, digest(json.dumps(body, sort_keys=True)))


def local(words: str, *content: str | bytes) -> Action:
    """A change of this machine."""
    return Action(HERE, "local", words, words, digest(words, *content))


def load(path: Path) -> Plan:
    """The plan in a file; raises UsageError where it is none."""
    try:
        data = json.loads(path.read_text())
        if data.pop("format") != FORMAT:
            raise UsageError(f"{path} is of another version of dlws", "plan anew")
        actions = [Action(**{**a, "details": _tuple(a["details"])}) for a in data.pop("actions")]
        unknown = [Unknown(**{**u, "nodes": _tuple(u["nodes"])}) for u in data.pop("unknown")]
        made = Plan(_tuple(data.pop("words")), actions=actions, unknown=unknown, **data)
        parts: list[Plan | Action | Unknown] = [made, *actions, *unknown]
        for part in parts:
            _check_types(part)
        return made
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", f"{PROGRAM} plan COMMAND... -o FILE"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path} is not a plan", f"{PROGRAM} plan COMMAND... -o FILE") from error


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_FITS: Mapping[Any, Callable[[Any], bool]] = {
    "str": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "tuple[str, ...]": lambda v: isinstance(v, tuple) and all(isinstance(one, str) for one in v),
}


def _check_types(part: Plan | Action | Unknown) -> None:
    """Raise TypeError where a field is not what it is declared to be."""
    for each in fields(part):
        if each.type in _FITS and not _FITS[each.type](getattr(part, each.name)):
            raise TypeError(each.name)


def differences(planned: Plan, now: Plan) -> list[str]:
    """What has moved since a plan was made, as lines: what it has and lacks of the plan of now."""
    lines = []
    for sign, ours, theirs in (("no longer", planned, now), ("new", now, planned)):
        others = Counter(map(_whole, theirs.actions))
        for action in ours.actions:
            if others[_whole(action)]:
                others[_whole(action)] -= 1
            else:
                lines.append(f"{sign}: {action.node or 'here'}: {action.text()}")
        lines += [f"{sign}: {u.text()}" for u in ours.unknown if u not in theirs.unknown]
    return lines


def _whole(action: Action) -> tuple[Key, tuple[str, ...]]:
    # What a script would change is a fact that its plan was made from.
    return action.key, action.details


def table(plan: Plan, indent: str = "    ") -> str:
    """A plan for people: equal changes of many nodes together, then what is not known."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for action in plan.actions:
        groups.setdefault((action.text(), action.details), []).append(action.node)
    lines = []
    for (text, details), nodes in groups.items():
        where = "here" if nodes == [HERE] else fold(nodes)
        lines.append(f"{where}: {text}")
        lines += [f"{indent}{detail}" for detail in details]
    return "\n".join([*lines, *(u.text() for u in plan.unknown), summary(plan)])


def summary(plan: Plan) -> str:
    """How much a plan would change, in words."""
    real = [action for action in plan.actions if not action.idle]
    nodes = {action.node for action in real} - {HERE}
    changes = _count(len(real), "change") if real else "nothing would be changed"
    where = f" on {_count(len(nodes), 'node')}" if nodes else ""
    idle = len(plan.actions) - len(real)
    runs = f"; {_count(idle, 'run')} of scripts that would find nothing to do" if idle else ""
    return f"{changes}{where}{runs}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def masked(actions: Iterable[Action], hide: Callable[[str], str]) -> list[Action]:
    """The actions without secrets in what people read of them."""
    return [
        replace(
            action,
            words=hide(action.words),
            place=hide(action.place),
            details=tuple(map(hide, action.details)),
        )
        for action in actions
    ]
