"""The command tree: global options, then a command."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import shlex
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import click

from dlws import __version__
from dlws.cli.words import document, hoisted
from dlws.core.errors import Defect, DeployError, EndOfPlan, UsageError
from dlws.runs.appendlog import JournalUnwritable
from dlws.runs.console import ReaderGone, paint
from dlws.runs.limits import MaxFailures, parse
from dlws.runs.options import Options
from dlws.secrets.redaction import Redactor
from dlws.session import Session

# The order is that of the help.
MODULES = (
    "config",
    "sandbox",
    "build",
    "secrets",
    "up",
    "plan",
    "runs",
    "lock",
    "nodes",
    "scripts",
    "bundle",
    "kubeadm",
    "kubernetes",
    "labels",
    "status",
    "verify",
    "check",
)


WORDS = "dlws.words"
"""Where the context keeps the words of the command line, global options first."""


class Root(click.Group):
    """Lists commands in the order of an installation, and turns our errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = hoisted(self, args)
        ctx.meta[WORDS] = tuple(words)
        return super().parse_args(ctx, words)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            value = self._invoked(ctx)
            ctx.obj.finish("ok")
        except DeployError as error:
            report(error, redactor_of(ctx))
            _end_failed(ctx)
            ctx.exit(error.code)
        except BrokenPipeError as error:
            raise ReaderGone from error
        except OSError as error:
            what = f"{error.filename}: " if error.filename else ""
            report(DeployError(f"{what}{error.strerror or error}"), redactor_of(ctx))
            _end_failed(ctx)
            ctx.exit(DeployError.code)
        except (click.ClickException, click.Abort, click.exceptions.Exit, ReaderGone):
            raise
        except Exception as error:  # an EOFError of ours would pass for a Ctrl-D of the person's
            report(Defect(error), redactor_of(ctx))
            _end_failed(ctx)
            ctx.exit(Defect.code)
        return value

    def _invoked(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EndOfPlan as end:
            return _end_of_plan(ctx.obj, end)


def _end_of_plan(session: Session, end: EndOfPlan) -> None:
    """A dry run has said what it does not know; a plan that is applied ends with it."""
    if applied_plan := session.options.applied_plan:
        again = shlex.join([session.options.argv[0], "plan", *applied_plan.words])
        session.console.say(f"the plan is done, and ends here: {end}\nplan the rest: {again}")


def _end_failed(ctx: click.Context) -> None:
    # What ended the run has been said; a record without its end is that of an interrupted run.
    with contextlib.suppress(JournalUnwritable):
        ctx.obj.finish("failed")


def redactor_of(ctx: click.Context) -> Redactor:
    return ctx.obj.console.redactor if isinstance(ctx.obj, Session) else Redactor()


def report(error: DeployError, redactor: Redactor) -> None:
    """Show an error and its cure on standard error, without secrets."""
    click.echo(paint("error: ", "red", sys.stderr) + redactor.text(error.message), err=True)
    if error.cure:
        click.echo(paint("cure: ", "green", sys.stderr) + redactor.text(error.cure), err=True)


def _limit(text: str | None) -> MaxFailures | None:
    try:
        return parse(text) if text is not None else None
    except UsageError as error:
        raise click.BadParameter(f"{error.message}; {error.cure}") from error


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dlws")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    metavar="DIR",
    help="The cluster's directory: config.yaml, deploy/, hooks/.",
)
@click.option(
    "--nodes",
    multiple=True,
    metavar="PATTERN",
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
@click.option("-s", "--sudo", is_flag=True, help="Run commands and scripts as root on the nodes.")
@click.option("--background", is_flag=True, help="Leave scripts running on the nodes.")
@click.option(
    "--archtype", default="", metavar="ARCH", help="Architecture of images: amd64, arm64."
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
    callback=lambda _context, _option, text: _limit(text),
    metavar="N|P%",
    help="Begin no further node once more than N, or P percent of them, have failed.",
)
@click.option("--strict", is_flag=True, help="Treat warnings about config.yaml as errors.")
@click.pass_context
def cli(ctx: click.Context, /, directory: Path, **options: Any) -> None:
    """Deploy a deep-learning cluster on machines of your own, or on Azure.

    Options stand before the command or behind it. Start with `sandbox up` for a rehearsal on this
    machine, or copy config.yaml.example to config.yaml and go through the steps that `steps` lists.
    """
    argv = (sys.argv[0] or "deploy.py", *ctx.meta[WORDS])
    told = {"argv": argv, "command": ctx.invoked_subcommand or "", **options}
    given = ctx.obj if isinstance(ctx.obj, dict) else {}  # what `resume` and `apply` pass on
    session = Session(Options(directory=directory.resolve(), **{**told, **given}))
    ctx.obj = session
    ctx.call_on_close(session.close)


def top_level(module: ModuleType) -> list[click.Command]:
    """The commands of a module that are in no group of it."""
    found = [value for value in vars(module).values() if isinstance(value, click.Command)]
    groups = [command for command in found if isinstance(command, click.Group)]
    inner = {id(command) for group in groups for command in group.commands.values()}
    return [command for command in found if id(command) not in inner]


def main() -> NoReturn:
    """Run the command line; the exit code is the outcome (see `dlws.errors`)."""
    # No file of ours is for others to write, whatever umask we were given; what is secret or under
    # deploy/ has its mode said where it is written.
    os.umask(os.umask(0o022) | 0o022)
    _raise_file_limit()
    _collect_seldom()
    _leave_out_invoke()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # no character may end us, whatever the locale
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _leave(130, "interrupted")
    except (ReaderGone, BrokenPipeError):
        _leave(141)  # as a shell would say of a writer whose reader left
    sys.exit(code if isinstance(code, int) else 0)


def _leave(code: int, word: str = "") -> NoReturn:
    """End at once: threads may sit in a connection attempt that nothing interrupts."""
    with contextlib.suppress(BrokenPipeError):
        if word:
            click.echo(word, err=True)
        sys.stderr.flush()
    os._exit(code)


def _leave_out_invoke() -> None:
    """Let Paramiko do without invoke, which it imports where it is, with asyncio and unittest.mock,
    for a line of ssh_config that is not read here: a third of Paramiko's start-up."""
    sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]


def _collect_seldom() -> None:
    """Look for garbage seldom: connections live as long as the program, and passing over those of
    500 machines again and again took a fifth of a run."""
    gc.set_threshold(100_000, 50, 100)


def _raise_file_limit() -> None:
    """Allow a connection per node: each is a file, and the usual soft limit is 1,024."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


for name in MODULES:
    for command in top_level(import_module(f"dlws.cli.{name}")):
        document(command)
        cli.add_command(command)
