"""check: whether the nodes are fit to be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import PATTERN

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@click.argument("patterns", nargs=-1, metavar="[NODE]...", shell_complete=PATTERN)
@click.option("--output", type=click.Choice(["text", "json"]), default="text",
              help="How to print it.")  # fmt: skip
@click.option("--cis", is_flag=True, help="Hold a running cluster against the CIS benchmark.")
@click.pass_obj
def check(session: Session, patterns: tuple[str, ...], output: str, cis: bool) -> None:
    """Look for what would go wrong on the nodes, before anything is changed.

    SSH, sudo, system and architecture, clocks, disk, memory, names, ports between every two nodes,
    copies of machines, drivers, mirrors; each failure with its cure. Changes nothing. Exits with 0
    when nothing fails (warnings do not count), else with 5.

    With --cis, what of the CIS Kubernetes Benchmark the running cluster meets: for each point what
    is found, what is wanted, and the cure.
    """
    if cis:
        from dlws.check import cis as benchmark

        benchmark.check(session.cluster, session.cluster.select(patterns), output == "json")
        return
    from dlws.check import show

    show.check(session.cluster, session.cluster.select(patterns), output == "json")
