"""Commands for the secrets that a cluster's directory keeps."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def secrets() -> None:
    """Encrypt the secrets kept in deploy/ with a passphrase, or decrypt them."""


@secrets.command()
@click.pass_obj
def encrypt(session: Session) -> None:
    """Encrypt the SSH key, root password, kubeconfig and file: secrets in deploy/.

    From then on they are decrypted in memory only. The passphrase is secrets_key in config.yaml,
    or DLWS_SECRETS_KEY, or asked for; without it they are lost. Run it again if it was
    interrupted.
    """
    from dlws.access import secrets as encryption

    encryption.encrypt(session.vault, _held(session), session.console, session.gate)


@secrets.command()
@click.pass_obj
def decrypt(session: Session) -> None:
    """Keep the secrets in deploy/ as they are again."""
    from dlws.access import secrets as encryption

    encryption.decrypt(session.vault, _held(session), session.console, session.gate)


@secrets.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def status(session: Session, output: str) -> None:
    """List the secrets in deploy/, and which are encrypted.

    Exits with 5 where the cluster is encrypted and one of them is not.
    """
    from dlws.access import secrets as encryption

    paths = encryption.files(session.config, session.options.directory)
    found = encryption.status(session.vault, paths)
    if output == "json":
        click.echo(json.dumps({"encrypted": session.vault.encrypted, "files": found}, indent=2))
    else:
        click.echo("".join(f"{state:10} {path}\n" for path, state in found.items()), nl=False)
    encryption.complete(session.vault, found)


def _held(session: Session) -> list[Path]:
    """The files to work on, with the cluster's lock held until this program ends."""
    from dlws.access import secrets as encryption
    from dlws.runs import lock

    if not session.options.dry_run:
        deadline = time.monotonic() + session.options.lock_wait
        lock.take(session.options.directory / "deploy", session.options, deadline)
    return encryption.files(session.config, session.options.directory)
