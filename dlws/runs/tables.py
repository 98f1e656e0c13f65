"""Tables that are answers: coloured on a terminal, in padded columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from dlws.core.terminal_text import visible
from dlws.core.text import columns
from dlws.runs.console import Console

Styles = Callable[[Sequence[str]], Sequence[str]]


def plain(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to the widest cell, for files and pipes."""
    return columns([tuple(name.upper() for name in head), *rows])


def show(
    console: Console, head: Sequence[str], rows: Sequence[Sequence[str]], styles: Styles
) -> None:
    """Print rows under their heads; on a terminal `styles` says the style of each cell of a row."""
    if not sys.stdout.isatty():
        console.data(plain(head, rows))
        return
    from rich.console import Console as Screen
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")  # never cut: a cure has to be whole
    for row in rows:
        shown = (visible(console.redactor.text(cell), colours=False) for cell in row)
        styled = zip(shown, styles(row), strict=True)
        table.add_row(*(Text(cell, style=style) for cell, style in styled))
    Screen().print(table)
