"""One YAML file as plain data that knows the line and column of every key and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from dlws.config.problems import Path, Problem, Spot

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
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


@dataclass
class Document:
    """A YAML file: its data, and where everything in it stands."""

    file: str
    lines: list[str] = field(default_factory=list)
    root: yaml.Node | None = None
    data: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def find(self, path: Path, key: bool = False) -> Spot | None:
        """Where the value at `path` stands (or its key); None when the file does not have it."""
        node, name = self.root, None
        for step in path:
            found = _child(node, step)
            if found is None:
                return None
            name, node = found
        chosen = name if (key or _is_empty(node)) and name is not None else node
        return None if chosen is None else _spot(chosen)

    def problem(
        self,
        level: Literal["error", "warning"],
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
        loader = _LOADER(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = Spot(mark.line + 1, mark.column + 1) if mark else Spot(1, 1)
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
    except RecursionError:
        _fail(document, Spot(1, 1), "nested too deeply", "Check that this is the right file.")
    return None


def _yaml_cure(error: yaml.MarkedYAMLError) -> str:
    words = str(error.problem or "")
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
    return isinstance(node, yaml.ScalarNode) and not node.value and node.style is None


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode):
        inside = isinstance(step, int) and step < len(node.value)
        return (None, node.value[step]) if inside else None
    if not isinstance(node, yaml.MappingNode):
        return None
    for name, value in reversed(node.value):
        if isinstance(name, yaml.ScalarNode) and name.value == str(step):
            return name, value
    for name, value in reversed(node.value):
        if name.tag == _MERGE:
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                if source is not node and (found := _child(source, step)):
                    return found
    return None


class _Reader:
    """Turns composed nodes into plain data, each node once, however often it is referred to."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.done: dict[int, tuple[Any, int]] = {}
        self.open: set[int] = set()

    def mapping_at_top(self, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.MappingNode):
            data, _ = self.read(node, 0)
            return data if isinstance(data, dict) else {}
        if _is_empty(node):
            return {}
        self.problem(
            node,
            "error",
            "the file must be a mapping of keys to values",
            "Begin with a line like `cluster_name: mycluster`.",
        )
        raise _Stop

    def problem(
        self, node: yaml.Node, level: Literal["error", "warning"], message: str, cure: str
    ) -> None:
        self.document.problems.append(self.document.problem(level, _spot(node), message, cure))

    def read(self, node: yaml.Node, depth: int) -> tuple[Any, int]:
        """The node's data, and how many values it amounts to with every alias written out."""
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node), 1
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            self.problem(node, "error", "this value contains itself", "Remove the alias (*) in it.")
            return None, 1
        if depth > _DEPTH:
            self.problem(node, "error", "nested too deeply", "No key is more than a few deep.")
            raise _Stop
        self.open.add(id(node))
        read = self.mapping if isinstance(node, yaml.MappingNode) else self.sequence
        result = read(node, depth + 1)
        self.open.discard(id(node))
        if result[1] > _VALUES:
            self.problem(
                node,
                "error",
                "its aliases amount to too many values",
                "Write values out rather than nesting aliases in aliases.",
            )
            raise _Stop
        self.done[id(node)] = result
        return result

    def sequence(self, node: yaml.Node, depth: int) -> tuple[list[Any], int]:
        pairs = [self.read(item, depth) for item in node.value]
        return [value for value, _ in pairs], 1 + sum(size for _, size in pairs)

    def mapping(self, node: yaml.Node, depth: int) -> tuple[dict[str, Any], int]:
        data: dict[str, Any] = {}
        first: dict[str, yaml.Node] = {}
        size = 1
        for name, child in node.value:
            if name.tag == _MERGE:
                size += self.merge(child, data, depth)
                continue
            if not isinstance(name, yaml.ScalarNode):
                self.problem(name, "error", "a key must be a word", "Quote the key.")
                continue
            key = name.value
            value, values = self.read(child, depth)
            if key in first:
                self.duplicate(name, first[key], data[key] == value)
            first[key] = name
            data[key] = value
            size += values
        return data, size

    def duplicate(self, name: yaml.ScalarNode, before: yaml.Node, same: bool) -> None:
        line = before.start_mark.line + 1
        rest = "with the same value" if same else f"and replaces the value of line {line}"
        self.problem(
            name,
            "warning",
            f"{name.value} stands here again (first on line {line}), {rest}",
            f"Remove {name.value} here or on line {line}.",
        )

    def merge(self, node: yaml.Node, data: dict[str, Any], depth: int) -> int:
        """The merge key `<<`: what stands in the mapping itself wins, in whatever order."""
        total = 0
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            value, size = self.read(source, depth)
            total += size
            if isinstance(value, dict):
                data.update({key: item for key, item in value.items() if key not in data})
            else:
                self.problem(source, "error", "<< takes a mapping", "Refer to a mapping (*name).")
        return total

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
