"""Changes of the shell scripts in a module's constants, which mutmut does not see."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

_SWAPS = {"&&": "||", "||": "&&", "[ ! ": "[ ", "[ -": "[ ! -", " = ": " != ", "-le": "-gt"}
_SWAPS |= {" >&2": "", " -p ": " ", " -f ": " ", " -fT ": " -T ", " 2>/dev/null": ""}
_BETWEEN = re.compile(
    r"(\n|;|&&|\|\|?|\$\(|[()]|\{(?=\s)|(?<=[; ])\}|\b(?:if|then|else|fi|while|do|done|for|in)\b)"
)
_NUMBER = re.compile(r"(?<![\w$/.-])\d+(?![\w/>])")


@dataclass(frozen=True)
class Mutant:
    """The source of a module with one change in a script, and where and what it is."""

    line: int
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every command of a script left out, every operator turned round, every number one more."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for name, text in _scripts(source):
        assert text.end_lineno and text.end_col_offset
        begin = starts[text.lineno - 1] + text.col_offset
        end = starts[text.end_lineno - 1] + text.end_col_offset
        for at, old, new in _changes(source[begin:end]):
            first, last = begin + at, begin + at + len(old)
            mutated = f"{source[:first]}{new}{source[last:]}"
            number = source.count("\n", 0, first) + 1
            whole = source.splitlines()[number - 1].strip()
            if not whole.startswith("#") and _is_shell(mutated, name):
                yield Mutant(number, f"{name}: {old.strip()} -> {new.strip()} in {whole}", mutated)


def _scripts(source: str) -> Iterator[tuple[str, ast.expr]]:
    """The texts of several commands that stand in a module's constants."""
    for item in ast.parse(source).body:
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
            call = item.value.args if isinstance(item.value, ast.Call) else [item.value]
            for text in call:
                if {";", "$"} <= set(_text(text)):
                    yield item.targets[0].id, text


def _text(item: ast.expr) -> str:
    """What a string says, with a number in the place of what is put into it."""
    if isinstance(item, ast.JoinedStr):
        return "".join(_text(part) for part in item.values)
    if isinstance(item, ast.Constant):
        return str(item.value)
    return "7" if isinstance(item, ast.FormattedValue) else ""


def _changes(literal: str) -> Iterator[tuple[int, str, str]]:
    body = literal.lstrip("fr").strip("\"'")
    start = literal.index(body)
    for old, new in _SWAPS.items():
        for found in re.finditer(re.escape(old), body):
            yield start + found.start(), old, new
    for found in _NUMBER.finditer(body):
        yield start + found.start(), found[0], f"{int(found[0]) + 1:0{len(found[0])}}"
    at = start
    for piece in _BETWEEN.split(body):
        if piece.strip(" \\&") and not _BETWEEN.fullmatch(piece):
            words = piece.strip(" \\")
            yield at + piece.index(words), words, ":"
        at += len(piece)


def _is_shell(source: str, name: str) -> bool:
    """Whether the scripts of a constant can be read: no test is needed to see that they cannot."""
    try:
        texts = [_text(text) for found, text in _scripts(source) if found == name]
    except SyntaxError:
        return False
    return bool(texts) and not any(
        subprocess.run(
            ["sh", "-n"], input=text.encode(), capture_output=True, check=False
        ).returncode
        for text in texts
    )
