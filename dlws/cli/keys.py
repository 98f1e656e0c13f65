"""Keys and tokens of people who submit jobs. The platform's API alone has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.client.api import Client
    from dlws.session import Session

_OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text",
                       show_default=True)  # fmt: skip
_NUMBERS = click.argument("numbers", nargs=-1, required=True, type=int, metavar="ID...")


@click.group()
def keys() -> None:
    """Keep one's public keys for SSH and tokens for programs on the job platform."""


@keys.command("list")
@_OUTPUT
@click.pass_obj
def key_list(session: Session, output: str) -> None:
    """List your public keys."""
    from dlws.cli.job import shown
    from dlws.client import shown as pages
    from dlws.client.api import Client

    with Client.signed_in() as client:
        found = client.keys()
    shown(session, output, found, pages.keys(found))


@keys.command("add")
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--title", default="", help="Default: the key's comment.")
@_OUTPUT
@click.pass_obj
def key_add(session: Session, file: Path | None, title: str, output: str) -> None:
    """Add the public key in FILE: by default ~/.ssh/id_ed25519.pub, or another usual one."""
    from dlws.cli.job import admitted, shown
    from dlws.client import publickey
    from dlws.client.api import Client

    key = publickey.read(file)
    if admitted(session, f"add the public key {key.partition(' ')[0]}"):
        with Client.signed_in() as client:
            found = client.add_key(key, title)
        shown(session, output, found, f"{found['id']}: {found['fingerprint']}")


@keys.command("remove")
@_NUMBERS
@click.pass_obj
def key_remove(session: Session, numbers: Sequence[int]) -> None:
    """Remove the keys with these IDs."""
    _each(
        session,
        numbers,
        ("remove", "removed"),
        "key",
        lambda client, number: client.remove_key(number),
    )


@keys.group()
def token() -> None:
    """Tokens, by which programs are let in as you."""


@token.command("list")
@_OUTPUT
@click.pass_obj
def token_list(session: Session, output: str) -> None:
    """List your tokens: when they end, and when they were used last (to ten minutes)."""
    from dlws.cli.job import shown
    from dlws.client import shown as pages
    from dlws.client.api import Client

    with Client.signed_in() as client:
        found = client.tokens()
    shown(session, output, found, pages.tokens(found))


@token.command("add")
@click.argument("label")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True)
@_OUTPUT
@click.pass_obj
def token_add(session: Session, label: str, days: int, output: str) -> None:
    """Make a token, and print it: this once. LABEL says what it is for."""
    from dlws.cli.job import admitted, shown
    from dlws.client.api import Client

    if admitted(session, f"make a token for {days} days"):
        with Client.signed_in() as client:
            made = client.make_token(label, days)
        shown(session, output, {"token": made}, made)


@token.command("remove")
@_NUMBERS
@click.pass_obj
def token_remove(session: Session, numbers: Sequence[int]) -> None:
    """End the tokens with these IDs."""
    _each(
        session, numbers, ("end", "ended"), "token", lambda client, number: client.end_token(number)
    )


def _each(
    session: Session,
    numbers: Sequence[int],
    verb: tuple[str, str],
    what: str,
    action: Callable[[Client, int], None],
) -> None:
    """Do away with some of one's keys or tokens; `verb`: for what would be done, and what was."""
    from dlws.cli.job import admitted
    from dlws.client.api import Client

    with Client.signed_in() as client:
        for number in numbers:
            if admitted(session, f"{verb[0]} the {what} {number}"):
                action(client, number)
                session.console.changed(f"{verb[1]} the {what} {number}")
