"""`db connect`: statements of a person's own, and what the database answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlws.core.terminal_text import visible
from dlws.core.text import columns
from dlws.runs.plan import local

if TYPE_CHECKING:
    from dlws.database.client import Database

# What is quoted or a comment, closed or not, and the end of a statement.
_PARTS = re.compile(
    r"""'(?:[^'\\]|\\.)*(?:'|\Z)|"(?:[^"\\]|\\.)*(?:"|\Z)|`[^`]*(?:`|\Z)"""
    r"""|--[ \t][^\n]*|\#[^\n]*|/\*.*?(?:\*/|\Z)|;""",
    re.DOTALL,
)
_READING = ("select", "show", "desc", "describe", "explain", "help", "use")


def split(text: str) -> tuple[list[str], str]:
    """The statements in a text, and what is left of it without an end."""
    found, begin = [], 0
    for part in _PARTS.finditer(text):
        if part[0] == ";":
            found.append(text[begin : part.start()].strip())
            begin = part.end()
    return [one for one in found if one], text[begin:]


def statements(lines: Iterable[str]) -> Iterator[str]:
    """The statements in lines that come one by one; the last one needs no end."""
    rest = ""
    for line in lines:
        found, rest = split(rest + line)
        yield from found
    if rest.strip():
        yield rest.strip()


def reads(statement: str) -> bool:
    """Whether a statement changes nothing, by its first word; SELECT ... INTO writes a file."""
    word = re.match(r"\s*(\w+)", statement)
    writes = re.search(r"\binto\b", statement, re.IGNORECASE)
    return bool(word and word[1].lower() in _READING and not writes)


def run(database: Database, statement: str, as_json: bool = False) -> str:
    """What a statement answers, for people or (a line) for programs; nothing in a dry run."""
    run = database.cluster.run
    if not reads(statement):
        word = statement.split(None, 1)[0].upper()[:20]
        if not run.gate.admit(local(f"run a statement of yours: {word}", statement)):
            return ""
        run.journal(changes_node=database.where.node is not None)
    rows = database.looked_up(statement) if run.dry_run else database.rows(statement)
    if not reads(statement):
        run.console.count_change(f"a statement of yours: {word}", "")
    if as_json:
        return json.dumps([_plain(row) for row in rows], ensure_ascii=False)
    return table(rows)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, int | float | None) else _text(value)
            for key, value in row.items()}  # fmt: skip


def _text(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows in columns, under their names; a cell is one line."""
    if not rows:
        return ""
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    return columns(cells)


def _cell(value: Any) -> str:
    text = "-" if value is None else _text(value)
    return visible(text.replace("\n", "\\n").replace("\t", "\\t"))
