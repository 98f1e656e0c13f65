"""The command that looks for drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@NODES
@click.option("--fix", is_flag=True, help="Put right what can be, and verify again.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    help="How to print it.",
)
@click.pass_obj
def verify(session: Session, nodes: tuple[str, ...], fix: bool, output: str) -> None:
    """Compare NODEs (default: all) with config.yaml, and name what differs and the line it is from.

    Files, units, sysctls, packages, mounts, labels, taints, certificates, versions and devices.
    Changes nothing without --fix. Exits with 0 when nothing differs, else with 5.
    """
    from dlws.verify import run

    run.verify(session, session.cluster.select(nodes), fix, output)
