"""What was done before: the record of every run that changed something."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from dlws.cli.completion import NODE
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from dlws.runs.options import Options
    from dlws.session import Session


@click.group()
def runs() -> None:
    """Show the runs that changed something, newest last."""


@runs.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def list_runs(session: Session, output: str) -> None:
    """List the runs: id, outcome, nodes that failed, command."""
    from dlws.runs import journal

    found, wrong = [], []
    for path in journal.runs(session.options.directory / "deploy"):
        try:
            found.append(journal.read(path))
        except UsageError as error:
            wrong.append(error)
    if output == "json":
        click.echo(json.dumps([asdict(run) for run in found], indent=2))
    else:
        click.echo("".join(f"{run.line()}\n" for run in found), nl=False)
    if wrong:
        raise wrong[-1]


@runs.command()
@click.argument("run", default="")
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def show(session: Session, run: str, output: str) -> None:
    """Show every record of RUN (default: the last one)."""
    from dlws.runs import journal
    from dlws.runs.records import records

    place = journal.find(session.options.directory / "deploy", run)
    found = list(records(place))
    _warn_of_unreadable(session, place)
    if output == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for record in found:
        click.echo(journal.line(record))


@runs.command()
@click.argument("node", shell_complete=NODE)
@click.argument("run", default="")
@click.pass_obj
def tail(session: Session, node: str, run: str) -> None:
    """Show the end of what NODE printed in RUN (default: the last one)."""
    from dlws.runs import journal

    click.echo(journal.log_end(journal.find(session.options.directory / "deploy", run), node))


@runs.command()
@click.argument("node", shell_complete=NODE)
@click.argument("run", default="")
@click.pass_obj
def why(session: Session, node: str, run: str) -> None:
    """Say why NODE failed in RUN (default: the last one)."""
    from dlws.runs import journal

    click.echo(journal.why(journal.find(session.options.directory / "deploy", run), node))


@runs.command()
@click.argument("run", default="")
@click.option("-o", "file", type=click.File("w", encoding="utf-8", lazy=True), default="-",
              metavar="FILE", help="Where to write it; standard output by default.")  # fmt: skip
@click.option("--junit", is_flag=True, help="Write JUnit XML instead of a page.")
@click.pass_obj
def report(session: Session, run: str, file: TextIO, junit: bool) -> None:
    """Write RUN (default: the last one) as one HTML page: timeline, changes, failures."""
    from dlws.runs import journal
    from dlws.runs.records import records
    from dlws.runs.report import page as pages

    place = journal.find(session.options.directory / "deploy", run)
    make = pages.junit if junit else pages.html
    file.write(make(journal.read(place), list(records(place))))
    _warn_of_unreadable(session, place)


@click.command()
@click.argument("run", default="")
@click.pass_context
def resume(ctx: click.Context, run: str) -> None:
    """Carry on RUN (default: the last one) where it failed or was cut off.

    Runs its command line again. It skips finished steps, takes the recorded outcome of commands
    that a node has finished, and waits for those that still run. The options --dry-run, --verbose,
    --yes and --lock-wait are added to those of the run.
    """
    from dlws.cli.global_options import value_of
    from dlws.cli.plan import nested
    from dlws.cli.root import cli
    from dlws.nodes import resume as resuming
    from dlws.runs import journal
    from dlws.runs.recorded import Recorded

    session: Session = ctx.obj
    more = _passed_on(session.options)
    found = resuming.resumable(session.options.directory, run, session.options.force)
    if Path(found.argv[0]).stem == "az_tools":
        again = shlex.join(found.argv)
        raise UsageError(
            f"{found.id} is of az_tools.py", f"run it again, what is made stays: {again}"
        )
    given = value_of(cli, found.argv[1:], "--dir")
    Recorded(found.id, found.cwd, given).check_place(session.options)
    _warn_of_unreadable(session, session.options.directory / "deploy/runs" / found.id)
    session.console.say(f"resuming {found.id}: {' '.join(found.argv)}")
    with journal.at(found.cwd, found.id):
        code, _ = nested([*more, *found.argv[1:]], resume=found.id, home=session.options.home)
    ctx.exit(code)


def _warn_of_unreadable(session: Session, place: Path) -> None:
    from dlws.runs import records

    if numbers := ", ".join(map(str, records.unreadable(place))):
        session.console.warn(f"{place / records.NAME}: left out, not to be read: line {numbers}")


def _passed_on(options: Options) -> list[str]:
    """The options of `resume` that hold for the run that it carries on."""
    if options.nodes or options.retry_failed:
        raise UsageError(
            "resume carries on the whole run: it takes no --nodes and no --retry-failed",
            f"{PROGRAM} resume",
        )
    flags = {"--dry-run": options.dry_run, "--verbose": options.verbose, "--yes": options.yes}
    chosen = [flag for flag, given in flags.items() if given]
    return [*chosen, f"--lock-wait={options.lock_wait:g}"] if options.lock_wait else chosen
