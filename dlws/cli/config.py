"""Commands that check and explain the configuration; none of them connects anywhere."""

from __future__ import annotations

import json
from typing import Any

import click

from dlws.cli.completion import KEY


@click.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def checkconfig(session: Any, output: str) -> None:
    """Check config.yaml (and cluster.yaml) and show what they amount to."""
    from dlws.config import inspect
    from dlws.config.problems import render
    from dlws.config.summary import lines, summary

    found = inspect(session.options.directory)
    if output == "json":
        click.echo(json.dumps(summary(found), indent=2, ensure_ascii=False))
    else:
        if found.problems:
            click.echo(render(found.problems), err=True)
        click.echo("\n".join(lines(found)))
    if found.errors or (session.options.strict and found.problems):
        raise click.exceptions.Exit(2)


@click.group()
def config() -> None:
    """Explain the configuration's keys."""


@config.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of config.yaml, for editors."""
    from dlws.config.schema import schema

    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))


@config.command("explain")
@click.argument("key", required=False, shell_complete=KEY)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def explain_key(session: Any, key: str | None, output: str) -> None:
    """Say what KEY means, takes and defaults to, and where it is set. Without KEY, list them."""
    from dlws.config.explain import all_keys, explain

    if key is None:
        names = list(all_keys())
        click.echo(json.dumps(names, indent=2) if output == "json" else "\n".join(names))
        return
    found = explain(key, _inspected(session))
    text = json.dumps(found.data(), indent=2, ensure_ascii=False)
    click.echo(text if output == "json" else found.render())


def _inspected(session: Any) -> Any:
    """What the directory says; nothing where there is no configuration yet."""
    from dlws.config import inspect

    directory = session.options.directory
    return inspect(directory) if (directory / "config.yaml").exists() else None
