"""The whole installation, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import STEP

if TYPE_CHECKING:
    from dlws.session import Session


PLATFORMS = ("azure", "onpremise", "sandbox")
PLATFORM = click.argument("platform", type=click.Choice(PLATFORMS), required=False)


@click.command()
@PLATFORM
@click.option(
    "--from", "start", default="", metavar="STEP", shell_complete=STEP, help="Start with this step."
)
@click.option(
    "--only", multiple=True, metavar="STEP", shell_complete=STEP, help="Only this step. Repeatable."
)
@click.pass_obj
def up(session: Session, platform: str | None, start: str, only: tuple[str, ...]) -> None:
    """Install the cluster: run the steps in their order (see `steps`).

    STEP is a name or a number. Stops at the first step that fails and prints the command that
    continues. A failed worker is skipped; the run then ends with exit 3 and the command that adds
    it. Every step is safe to run again. PLATFORM defaults to the one in config.yaml.
    """
    from dlws.install import steps

    chosen = platform or session.config.platform
    steps.run(session, chosen, steps.choose(steps.platform_steps(chosen), start, only))


@click.command("steps")
@PLATFORM
@click.pass_obj
def list_steps(session: Session, platform: str | None) -> None:
    """List the steps of the installation, numbered.

    PLATFORM defaults to the one in config.yaml, and to onpremise where there is no config.yaml.
    """
    from dlws.install import steps

    configured = (session.options.directory / "config.yaml").exists()
    chosen = platform or (session.config.platform if configured else "onpremise")
    for number, step in enumerate(steps.platform_steps(chosen), 1):
        click.echo(f"{number:2}  {step.name:12} {step.help}")
