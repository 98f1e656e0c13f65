"""Global options may stand behind the command, too: they are moved to the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

Taking = Mapping[str, bool]
"""Names of options, and whether the next argument is their value."""

AS_TYPED = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a command that passes on its arguments from the first one, options included."""

_ANYWHERE = "Global options (--dry-run, --nodes, ...) stand before the command or behind it."
_BEFORE = (
    "Global options (--dry-run, --nodes, ...) stand before its first argument: from there on "
    "they are passed on as typed."
)
_NEVER = "Global options (--dry-run, --nodes, ...) stand before the command."


def options(command: click.Command) -> Taking:
    """The options of a command by name."""
    found = [param for param in command.params if isinstance(param, click.Option)]
    return {
        name: not (option.is_flag or option.count)
        for option in found
        for name in (*option.opts, *option.secondary_opts)
    }


def as_typed(command: click.Command) -> bool:
    """Whether a command passes its arguments on, options included."""
    return bool(command.context_settings.get("ignore_unknown_options"))


def keeps_all(command: click.Command) -> bool:
    """Whether even --help is passed on with the arguments."""
    return command.context_settings.get("help_option_names") == []


def global_options_first(root: click.Group, argv: Sequence[str]) -> list[str]:
    """The same command line with the root's options at the front."""
    ours = {name: value for name, value in options(root).items() if name != "--version"}
    front: list[str] = []
    back: list[str] = []
    queue, command = list(argv), click.Command(None)
    group: click.Command = root
    while queue:
        word = queue.pop(0)
        name = word.partition("=")[0] if word.startswith("--") else word
        own = options(command)
        is_ours = name not in own and (name in ours or _cluster(word, ours))
        (front if is_ours else back).append(word)
        if (own if name in own else ours).get(name) and "=" not in word:
            (front if is_ours else back).extend(queue[:1])
            del queue[:1]
        elif inner := _inner(group, word):
            command = group = inner
            if keeps_all(command):
                break
        elif word == "--" or (as_typed(command) and not is_ours):
            break
    return [*front, *back, *queue]


def _inner(group: click.Command, name: str) -> click.Command | None:
    """The command of that name in a group, if it is one; a lazy group imports it now."""
    return group.get_command(click.Context(group), name) if isinstance(group, click.Group) else None


def split(
    root: click.Group, argv: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The global options that a command line begins with, each with its value, and the rest."""
    ours, found, queue = options(root), list[tuple[str, ...]](), list(argv)
    while queue and queue[0].startswith("-") and queue[0] != "--":
        size = 2 if ours.get(queue[0]) else 1
        found.append(tuple(queue[:size]))
        queue = queue[size:]
    return tuple(found), tuple(queue)


def value_of(root: click.Group, argv: Sequence[str], name: str) -> str:
    """The value that a command line gives an option of the root; empty where it gives none."""
    given, _ = split(root, global_options_first(root, argv))
    values = [
        group[1] if len(group) > 1 else group[0].partition("=")[2]
        for group in given
        if group[0].partition("=")[0] == name
    ]
    return values[-1] if values else ""


def _cluster(word: str, known: Taking) -> bool:
    """Whether an argument is several flags in one, like -yv."""
    letters = [f"-{letter}" for letter in word[1:]]
    return (
        len(word) > 2
        and word[1] != "-"
        and word[0] == "-"
        and all(known.get(letter) is False for letter in letters)
    )


def document(command: click.Command) -> None:
    """Give a command, and those in it, a summary that is never cut and a word on options."""
    text = (command.help or "").strip().split("\n\n")[0]
    command.short_help = " ".join(text.split()).split(". ")[0].rstrip(".")
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            document(inner)
        return
    command.epilog = _NEVER if keeps_all(command) else _BEFORE if as_typed(command) else _ANYWHERE
