"""Commands for the secrets that a cluster's directory keeps."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dlws.session import Session


@click.group()
def secrets() -> None:
    """Encrypt the secrets kept in deploy/ with a passphrase, or decrypt them."""


@secrets.command()
@click.pass_obj
def encrypt(session: Session) -> None:
    """Encrypt the SSH key, root password, kubeconfig and file: secrets in deploy/.

    From then on they are decrypted in memory only. The passphrase is secrets_key in config.yaml,
    or DLWS_SECRETS_KEY, or asked for; without it they are lost. Run again, it goes on.
    """
    from dlws import encryption

    if (paths := _changing(session, "encrypt")) is not None:
        encryption.encrypt(session.vault, paths, session.console)


@secrets.command()
@click.pass_obj
def decrypt(session: Session) -> None:
    """Keep the secrets in deploy/ as they are again."""
    from dlws import encryption

    if (paths := _changing(session, "decrypt")) is not None:
        encryption.decrypt(session.vault, paths, session.console)


@secrets.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def status(session: Session, output: str) -> None:
    """List the secrets in deploy/, and which are encrypted.

    Exits with 5 where the cluster is encrypted and one of them is not.
    """
    from dlws import encryption

    paths = encryption.files(session.config, session.options.directory)
    found = encryption.status(session.vault, paths)
    if output == "json":
        click.echo(json.dumps({"encrypted": session.vault.encrypted, "files": found}, indent=2))
    else:
        click.echo("".join(f"{state:10} {path}\n" for path, state in found.items()), nl=False)
    encryption.complete(session.vault, found)


def _changing(session: Session, verb: str) -> list[Path] | None:
    """The files to work on, with the cluster's lock held; none in a dry run."""
    from dlws import encryption, lock

    options = session.options
    paths = encryption.files(session.config, options.directory)
    if options.dry_run:
        for path in paths:
            if session.vault.shut(path) == (verb == "decrypt"):
                session.console.say(f"would {verb} {path}")
        return None
    lock.take(options.directory / "deploy", options)  # until this program ends
    return paths
