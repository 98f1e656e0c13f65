"""A group that knows its commands from a table and imports one when its name is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from dlws.cli.global_options import document
from dlws.cli.table import COMMANDS

if TYPE_CHECKING:
    from types import ModuleType

    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """Lists commands from the table; only a command that is run or asked for help is imported."""

    table: Mapping[str, tuple[str, str]] = COMMANDS
    package = "dlws.cli"
    """Where its modules lie."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.table and cmd_name not in self.commands:
            module, _ = self.table[cmd_name]
            for command in top_level(import_module(f"{self.package}.{module}")):
                document(command)
                self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.table and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(unknown(name, self.table))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            write_rows(formatter, [(name, text) for name, (_, text) in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        rows = [(name, text) for name, (_, text) in self.table.items()]
        found = [CompletionItem(n, help=text) for n, text in rows if n.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def write_rows(formatter: click.HelpFormatter, rows: Sequence[tuple[str, str]]) -> None:
    """Do what formatter.write_dl does; textwrap takes a fifth of a long help's start-up."""
    column = max(len(name) for name, _ in rows) + 2
    indent = " " * formatter.current_indent
    for name, text in rows:
        first, *rest = _wrapped(text, max(formatter.width - column - len(indent), 10))
        formatter.write(f"{indent}{name:<{column}}{first}\n")
        formatter.write("".join(f"{indent}{'':<{column}}{line}\n" for line in rest))


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def top_level(module: ModuleType) -> list[click.Command]:
    """The commands of a module that are in no group of it."""
    found = [value for value in vars(module).values() if isinstance(value, click.Command)]
    groups = [command for command in found if isinstance(command, click.Group)]
    inner = {id(command) for group in groups for command in group.commands.values()}
    return [command for command in found if id(command) not in inner]


def unknown(name: str, known: Mapping[str, object]) -> str:
    """What to say of a command that does not exist: those whose names are near."""
    from difflib import get_close_matches

    near = get_close_matches(name, known)
    names = ", ".join(f"'{one}'" for one in near)
    hint = f" Did you mean {'one of: ' if len(near) > 1 else ''}{names}?" if near else ""
    return f"No such command '{name}'.{hint}"
