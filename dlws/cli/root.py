"""The root of the command tree: global options, and the exit code of whatever goes wrong."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dlws import __version__
from dlws.cli.global_options import global_options_first, split
from dlws.cli.lazy import LazyGroup
from dlws.core.errors import Defect, DeployError, EndOfPlan, ReaderGone, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from dlws.runs.limits import MaxFailures
    from dlws.runs.options import Options
    from dlws.secrets.redaction import Redactor
    from dlws.session import Session

ARGV = "dlws.argv"
"""Where the context keeps the command line, global options first."""


class Root(LazyGroup):
    """Accepts global options anywhere, and turns our errors into exit codes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        argv = global_options_first(self, args)
        ctx.meta[ARGV] = tuple(argv)
        return super().parse_args(ctx, argv)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            value = self._invoked(ctx)
            ctx.obj.finish("ok")
        except DeployError as error:
            _end_failed(ctx, error)
        except BrokenPipeError as error:
            raise ReaderGone from error
        except OSError as error:
            _end_failed(ctx, _of_system(error))
        except (click.ClickException, click.Abort, click.exceptions.Exit, ReaderGone):
            raise
        except Exception as error:  # an EOFError of ours would pass for a Ctrl-D of the person's
            _end_failed(ctx, Defect(error))
        return value

    def _invoked(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EndOfPlan as end:
            return _end_of_plan(ctx.obj, end)


def _of_system(error: OSError) -> DeployError:
    """What the system refused, with the place: a file, or standard output, as on a full disk."""
    from traceback import extract_tb

    from dlws.core.ownership import in_words

    if error.filename:
        return in_words(error)
    by_echo = [frame.name for frame in extract_tb(error.__traceback__)][-1:] == ["echo"]
    where = "standard output cannot be written: " if by_echo else ""
    return DeployError(f"{where}{error.strerror or error}")


def _end_of_plan(session: Session, end: EndOfPlan) -> None:
    """A dry run has said what it does not know; a plan that is applied ends with it."""
    if session.options.applied_plan:
        rest = f"plan the rest: {session.options.again('plan')}"
        session.console.say(f"the plan is done, and ends here: {end}\n{rest}")


def _end_failed(ctx: click.Context, error: DeployError) -> NoReturn:
    """Say what went wrong, and end the run and the process with the exit code of that."""
    from dlws.runs.appendlog import JournalUnwritable
    from dlws.secrets.redaction import Redactor
    from dlws.session import Session

    session = ctx.obj if isinstance(ctx.obj, Session) else None
    report(error, session.console.redactor if session else Redactor())
    # What ended the run has been said; a record without its end is that of an interrupted run.
    with contextlib.suppress(JournalUnwritable):
        if session:
            session.finish("failed")
    ctx.exit(error.code)


def report(error: DeployError, redactor: Redactor) -> None:
    """Show an error and its cure on standard error, without secrets."""
    from dlws.runs.console import paint

    click.echo(paint("error: ", "red", sys.stderr) + redactor.text(error.message), err=True)
    if error.cure:
        click.echo(paint("cure: ", "green", sys.stderr) + redactor.text(error.cure), err=True)


def _limit(_ctx: click.Context, _option: click.Parameter, text: str | None) -> MaxFailures | None:
    if text is None:
        return None
    from dlws.runs.limits import parse

    try:
        return parse(text)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}; {error.cure}") from error


def _patterns(ctx: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    from dlws.cli.completion import PATTERN

    return PATTERN(ctx, option, begun)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dlws")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False),
    default=".",
    metavar="DIR",
    help="The cluster's directory: config.yaml, deploy/, hooks/, templates/.",
)
@click.option(
    "--nodes",
    multiple=True,
    metavar="PATTERN",
    shell_complete=_patterns,
    help="Only these nodes: names, roles, wildcards, gpu[01-12], re:REGEX. Repeatable.",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="How many nodes at a time.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be done.")
@click.option("--diff", is_flag=True, help="Show what changes in files, line by line.")
@click.option("-y", "--yes", is_flag=True, help="Answer yes to questions (none that loses data).")
@click.option("-v", "--verbose", is_flag=True, help="Show the output of every command.")
@click.option("--live", is_flag=True, help="Show each node's output as it comes, not folded.")
@click.option("-s", "--sudo", is_flag=True, help="Run commands and scripts as root on the nodes.")
@click.option("--background", is_flag=True, help="Leave scripts running on the nodes.")
@click.option(
    "--archtype",
    type=click.Choice(["amd64", "arm64", "all"]),
    metavar="ARCH",
    help="Architecture of images: amd64, arm64, or all that the cluster has.",
)
@click.option("--force", is_flag=True, help="Go on where a command would stop to be careful.")
@click.option("-p", "--public", is_flag=True, help="Connect to public-ip instead of private-ip.")
@click.option("--retry-failed", is_flag=True, help="Only the nodes that failed in the last run.")
@click.option(
    "--lock-wait",
    type=click.FloatRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Wait this long for another run on this cluster to end.",
)
@click.option(
    "--max-failures",
    callback=_limit,
    metavar="N|P%",
    help="Begin no further node once more than N, or P percent of them, have failed.",
)
@click.option("--strict", is_flag=True, help="Treat warnings about config.yaml as errors.")
@click.pass_context
def cli(ctx: click.Context, /, directory: str, **options: Any) -> None:
    """Deploy a deep-learning cluster on machines of your own, or on Azure.

    Options stand before the command or behind it. Start with `sandbox up` for a rehearsal on this
    machine, or let `init` write a config.yaml, and go through the steps that `steps` lists.
    """
    begin(ctx, directory, options)


def begin(ctx: click.Context, directory: str, options: dict[str, Any]) -> None:
    """Set up the session of a command, and how lines that a person may copy begin."""
    from dlws.core.program import AZ_TOOLS, PROGRAM
    from dlws.session import Session

    ctx.obj = session = Session(_options(ctx, directory, options))
    ctx.call_on_close(session.close)
    for program in (PROGRAM, AZ_TOOLS):
        ctx.call_on_close(partial(program.begin_with, program.name, str(program)))
        name = program.beside(session.options.argv[0])
        program.begin_with(name, session.options.line(name=name))


def _options(ctx: click.Context, directory: str, options: dict[str, Any]) -> Options:
    from pathlib import Path

    from dlws.core.program import typed
    from dlws.runs.options import Options

    line = ctx.meta[ARGV]
    root = ctx.command
    assert isinstance(root, click.Group)
    given, words = split(root, line)
    told = {
        "argv": (typed(sys.argv[0]), *line),
        "given": given,
        "words": words,
        "command": ctx.invoked_subcommand or "",
        **options,
    }
    passed_on = ctx.obj if isinstance(ctx.obj, dict) else {}  # by `resume`, `plan` and `apply`
    return Options(directory=Path(directory).resolve(), **{**told, **passed_on})
