"""One YAML file as plain data that knows the line and column of every key and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from dlws.config.problems import Level, Path, Problem, Spot
from dlws.config.reading import oddchars

_BYTES = 4 * 1024 * 1024
_VALUES = 500_000
_DEPTH = 50
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class Decimal(float):
    """A number with a point that remembers how it was written: version 1.20 is not 1.2."""

    text: str


class Whole(int):
    """A whole number written in an unusual way (010, 0x1F, 1_000)."""

    text: str


class _Stop(Exception):
    """Reading cannot go on; the problem is already recorded."""


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Bounded(_LOADER):  # type: ignore[misc]
    """A loader that stops at a depth where the C composer would overrun its stack."""

    depth, deepest = 0, _DEPTH

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > self.deepest:
            mark = parent.start_mark if parent else None
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


_Pair = tuple[yaml.Node | None, yaml.Node]
"""A key, where there is one, and its value."""


@dataclass
class Document:
    """A YAML file: its data, and where everything in it stands."""

    file: str
    lines: list[str] = field(default_factory=list)
    root: yaml.Node | None = None
    data: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _names: dict[int, dict[str, _Pair]] = field(default_factory=dict)
    """By the identity of a mapping: its keys, of which hundreds are asked for one by one."""

    def find(self, path: Path, key: bool = False) -> Spot | None:
        """Where the value at `path` stands (or its key); None when the file does not have it."""
        node, name = self.root, None
        for step in path:
            found = self._child(node, step)
            if found is None:
                return None
            name, node = found
        chosen = name if (key or _is_empty(node)) and name is not None else node
        return None if chosen is None else _spot(chosen)

    def _child(self, node: yaml.Node | None, step: str | int) -> _Pair | None:
        if isinstance(node, yaml.SequenceNode):
            inside = isinstance(step, int) and step < len(node.value)
            return (None, node.value[step]) if inside else None
        if not isinstance(node, yaml.MappingNode):
            return None
        if id(node) not in self._names:
            keys = (
                (name, value) for name, value in node.value if isinstance(name, yaml.ScalarNode)
            )
            self._names[id(node)] = {name.value: (name, value) for name, value in keys}
        return self._names[id(node)].get(str(step)) or self._merged(node, step)

    def _merged(self, node: yaml.MappingNode, step: str | int) -> _Pair | None:
        """What a mapping has from others, by `<<`."""
        for name, value in reversed(node.value):
            if name.tag == _MERGE:
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in sources:
                    if source is not node and (found := self._child(source, step)):
                        return found
        return None

    def problem(
        self,
        level: Level,
        spot: Spot,
        message: str,
        cure: str,
        path: str = "",
    ) -> Problem:
        line = self.lines[spot.line - 1] if 0 < spot.line <= len(self.lines) else ""
        return Problem(
            level, self.file, spot.line, spot.column, message, cure, path, line, spot.width
        )


def parse(content: bytes, file: str) -> Document:
    """Read one file. Whatever is wrong ends up in the document's problems."""
    document = Document(file)
    try:
        text = _decode(content, document)
        document.lines = _LINE_END.split(text)
        document.root = _compose(text, document)
        for found in oddchars.check(document.root, text):
            document.problems.append(document.problem("error", *found))
        if document.root is not None:
            document.data = _Reader(document).mapping_at_top(document.root)
    except _Stop:
        pass
    return document


def _decode(content: bytes, document: Document) -> str:
    if len(content) > _BYTES:
        size = f"{len(content) / 1e6:.0f} MB"
        _fail(
            document,
            Spot(1, 1),
            f"the file has {size}, too much for a configuration",
            "Check that this is the right file; a thousand machines need less than 1 MB.",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        lines = _LINE_END.split(before)
        _fail(
            document,
            Spot(len(lines), len(lines[-1]) + 1),
            "this is not UTF-8 text",
            "Save the file as plain UTF-8 text.",
        )
        raise


def _compose(text: str, document: Document) -> yaml.Node | None:
    try:
        loader = Bounded(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = Spot(mark.line + 1, mark.column + 1) if mark else Spot(1, 1)
        if odd := oddchars.before(document.lines, spot.line):
            words = f"not valid YAML: there is {oddchars.name(odd[1])} here"
            _fail(document, odd[0], words, oddchars.cure(odd[1]))
        _fail(
            document, spot, f"not valid YAML: {error.problem or error.context}", _yaml_cure(error)
        )
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0) or 0
        lines = _LINE_END.split(text[:at])
        _fail(
            document,
            Spot(len(lines), len(lines[-1]) + 1),
            "not valid YAML: a character that text files do not have",
            "Remove the character; is this really a text file?",
        )
    return None


def _yaml_cure(error: yaml.MarkedYAMLError) -> str:
    words = str(error.problem or "")
    if "too deeply" in words:
        return "Check that this is the right file: no key is more than a few deep."
    if "tab" in words or "cannot start any token" in words:
        return "Indent with spaces, and quote values that begin with a special character."
    if "alias" in words:
        return "Quote the value if the * belongs to it."
    if "single document" in str(error.context) or "document" in words:
        return "Keep one document: remove the line '---' in the middle of the file."
    return "Check indentation, quotes and brackets here and on the line above."


def _fail(document: Document, spot: Spot, message: str, cure: str) -> None:
    document.problems.append(document.problem("error", spot, message, cure))
    raise _Stop


def _spot(node: yaml.Node) -> Spot:
    start, end = node.start_mark, node.end_mark
    same_line = start.line == end.line and isinstance(node, yaml.ScalarNode)
    return Spot(start.line + 1, start.column + 1, end.column - start.column if same_line else 1)


def _is_empty(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.value and not node.style


class _Read(NamedTuple):
    """A node's data, and its size and depth with every alias written out."""

    data: Any
    size: int = 1
    depth: int = 0


class _Reader:
    """Turns composed nodes into plain data, each node once, however often it is referred to."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.done: dict[int, _Read] = {}
        self.open: set[int] = set()

    def mapping_at_top(self, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.MappingNode):
            data: dict[str, Any] = self.read(node).data
            return data
        if _is_empty(node):
            return {}
        self.problem(
            node,
            "error",
            "the file must be a mapping of keys to values",
            "Begin with a line like `cluster_name: mycluster`.",
        )
        raise _Stop

    def problem(self, node: yaml.Node, level: Level, message: str, cure: str) -> None:
        self.document.problems.append(self.document.problem(level, _spot(node), message, cure))

    def read(self, node: yaml.Node) -> _Read:
        if isinstance(node, yaml.ScalarNode):
            return _Read(self.scalar(node))
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            self.problem(node, "error", "this value contains itself", "Remove the alias (*) in it.")
            return _Read(None)
        self.open.add(id(node))
        result = self.mapping(node) if isinstance(node, yaml.MappingNode) else self.sequence(node)
        self.open.discard(id(node))
        self.bound(node, result)
        self.done[id(node)] = result
        return result

    def bound(self, node: yaml.Node, result: _Read) -> None:
        """Small files can amount to much through aliases in aliases."""
        if result.size > _VALUES or result.depth > _DEPTH:
            amount = "too many values" if result.size > _VALUES else "too deep a nesting"
            cure = "Write values out rather than nesting aliases in aliases."
            self.problem(node, "error", f"its aliases amount to {amount}", cure)
            raise _Stop

    def sequence(self, node: yaml.Node) -> _Read:
        items = [self.read(item) for item in node.value]
        return _sum([item.data for item in items], items)

    def mapping(self, node: yaml.Node) -> _Read:
        data: dict[str, Any] = {}
        first: dict[str, yaml.Node] = {}
        items: list[_Read] = []
        for name, child in node.value:
            if name.tag == _MERGE:
                items += self.merge(child, data)
                continue
            if not isinstance(name, yaml.ScalarNode):
                self.problem(name, "error", "a key must be a word", "Quote the key.")
                continue
            key, item = name.value, self.read(child)
            if key in first:
                self.duplicate(name, first[key], data[key], item.data)
            first.setdefault(key, name)
            data[key] = item.data
            items.append(item)
        return _sum(data, items)

    def duplicate(self, name: yaml.ScalarNode, before: yaml.Node, old: Any, new: Any) -> None:
        line = before.start_mark.line + 1
        rest = "with the same value" if old == new else "with another value; this one counts"
        # Of two maps a whole one would be lost, such as a machine of the same name.
        lost = old != new and isinstance(old, dict) and bool(old)
        self.problem(
            name,
            "error" if lost else "warning",
            f"{name.value} stands here again (first on line {line}), {rest}",
            f"Remove {name.value} here or on line {line}.",
        )

    def merge(self, node: yaml.Node, data: dict[str, Any]) -> list[_Read]:
        """The merge key `<<`: what stands in the mapping itself wins, in whatever order."""
        items = []
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            item = self.read(source)
            items.append(item)
            if isinstance(item.data, dict):
                data.update({key: value for key, value in item.data.items() if key not in data})
            else:
                self.problem(source, "error", "<< takes a mapping", "Refer to a mapping (*name).")
        return items

    def scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "timestamp", "binary", "value"):
            return text
        convert = _SCALARS.get(kind)
        if convert is None:
            self.problem(
                node,
                "warning",
                "tags (!word) are not understood; taken as text",
                "Quote the value if the ! belongs to it.",
            )
            return text
        try:
            return convert(text)
        except (ValueError, KeyError, OverflowError):
            self.problem(
                node, "error", f"this is not a value of type {kind}", "Correct or quote it."
            )
            return None


def _sum(data: Any, items: list[_Read]) -> _Read:
    size = 1 + sum([item.size for item in items])
    return _Read(data, size, 1 + max([item.depth for item in items], default=0))


def _whole(text: str) -> int | str:
    if ":" in text:  # YAML 1.1 reads 22:10 as 1330, which nobody means here
        return text
    digits = text.replace("_", "").lower().lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    old_octal = len(digits) > 1 and digits.isdigit() and digits.startswith("0")
    number = Whole(sign * int(digits, 8 if old_octal else 0))
    if str(int(number)) == text:
        return int(number)
    number.text = text
    return number


def _decimal(text: str) -> float | str:
    if ":" in text:
        return text
    words = {".inf": "inf", "-.inf": "-inf", "+.inf": "inf", ".nan": "nan"}
    number = Decimal(words.get(text.lower(), text.replace("_", "")))
    number.text = text
    return number


def _truth(text: str) -> bool:
    return bool(yaml.SafeLoader.bool_values[text.lower()])


_SCALARS: dict[str, Callable[[str], Any]] = {
    "int": _whole,
    "float": _decimal,
    "bool": _truth,
    "null": lambda text: None,
}
