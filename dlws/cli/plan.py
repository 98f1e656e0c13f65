"""Plan a command, review it, and apply exactly that."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlws.cli.global_options import AS_TYPED, split, value_of
from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlws.runs.options import Options
    from dlws.runs.plan import Plan
    from dlws.session import Session

_ALONE = ("apply", "connect", "plan", "resume")
"""Commands of which no plan is made."""


@click.command(context_settings=AS_TYPED)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-o", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where to keep it; may stand behind COMMAND as well.")  # fmt: skip
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_context
def plan(ctx: click.Context, command: tuple[str, ...], file: Path | None, output: str) -> None:
    """Say what COMMAND would change, node by node, and keep it in FILE for `apply`.

    Reads the nodes and changes nothing. Files are shown line by line, except private ones. A change
    that needs an earlier one is listed as unknown until that step; `apply` leaves it out.
    """
    from dlws.core.errors import UsageError
    from dlws.core.localfiles import write
    from dlws.runs import plan as plans

    session: Session = ctx.obj
    if not file and len(command) > 2 and command[-2] == "-o":
        command, file = command[:-2], Path(command[-1])
    if command[0] in _ALONE:
        raise UsageError(f"there is no plan of {command[0]}", f"see: {PROGRAM} plan --help")
    words = [*(word for group in session.options.given for word in group), *command]
    code, made = _made(words, session.options)
    if code:
        session.console.say("no plan was made")
        ctx.exit(code)
    made = plans.seal(made) if file or output == "json" else made
    click.echo(made.dump() if output == "json" else plans.table(made))
    if file:
        write(file.resolve(), made.dump().encode())
        line = session.options.line("apply", str(file))
        session.console.say(f"apply exactly this: {line}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def apply(ctx: click.Context, file: Path) -> None:
    """Make the changes of the plan in FILE: exactly those, and no others.

    Looks at the nodes again first, and refuses (exit 4) if they have changed since the plan was
    made. `resume` continues an `apply` that was interrupted.
    """
    from dlws.runs import journal
    from dlws.runs import plan as plans
    from dlws.runs.recorded import check_ours

    session: Session = ctx.obj
    check_ours(file)
    found, options = plans.load(file), session.options
    _of_this_directory(found, options, file)
    kept = {"argv": options.argv, "home": options.home}
    given = {**kept, "resume": options.resume, "seed": found.seed}
    with journal.at(found.cwd, f"{file}, a plan"):
        if not options.resume:
            _refuse_moved(session, found)
        code, _ = nested(found.words, applied_plan=found, **given)
    ctx.exit(code)


def _of_this_directory(found: Plan, options: Options, file: Path) -> None:
    """Raise Refused where a plan is of another cluster's directory than the one at hand."""
    from dlws.cli.root import cli
    from dlws.runs.recorded import Recorded

    line = replace(options, directory=Path(found.directory)).line("apply", str(file))
    given = value_of(cli, found.words, "--dir")
    Recorded(f"{file}, a plan,", found.cwd, given, line).check_place(options)


def nested(words: Sequence[str], **given: Any) -> tuple[int, Session]:
    """Run a command line in this process with options that no words can give; its exit code."""
    from dlws.cli.root import cli

    code: Any = 0
    with cli.make_context(PROGRAM.name, list(words), obj=given) as ctx:
        try:
            cli.invoke(ctx)
        except click.exceptions.Exit as end:
            code = end.exit_code
        except SystemExit as end:
            code = end.code
    return int(code or 0), ctx.obj


def _made(words: Sequence[str], options: Options, seed: str = "") -> tuple[int, Plan]:
    """The exit code of a dry run of a command line, and the plan of it."""
    from dlws import __version__
    from dlws.runs import journal
    from dlws.runs.plan import Plan

    # What the dry run prints is not the plan, which has standard output to itself.
    with contextlib.redirect_stdout(sys.stderr):
        code, session = nested(["--dry-run", "--diff", *words], seed=seed, home=options.home)
    directory = session.options.directory
    if code == 5 and session.options.command == "verify":
        code = 0  # it says that there is something to put right, which is the plan
    made = Plan(
        words=tuple(words),
        cwd=os.getcwd(),
        directory=str(directory),
        config=journal.config_hash(directory),
        made=journal.now(),
        version=__version__,
        seed=session.run.seed,
        actions=session.gate.actions,
        unknown=session.gate.unknown,
    )
    return code, made


def _refuse_moved(session: Session, found: Plan) -> None:
    """Raise Refused unless a plan made now is the same one."""
    from dlws import __version__
    from dlws.cli.root import cli
    from dlws.core.errors import Refused
    from dlws.runs import journal
    from dlws.runs.plan import differences, key_of, keyed

    given, words = split(cli, found.words)
    place = Path(found.directory)
    line = replace(session.options, given=given, words=words, directory=place).again("plan")
    cure = f"plan anew: {line}"
    if found.version != __version__:
        raise Refused(f"the plan was made by dlws {found.version}, this is {__version__}", cure)
    if found.config != journal.config_hash(Path(found.directory)):
        raise Refused("config.yaml has changed since the plan was made", cure)
    session.console.say("looking whether the plan still fits")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code, now = _made(found.words, session.options, found.seed)
    if code:
        raise Refused(f"the plan cannot be checked:\n{said.getvalue().rstrip()}", cure)
    if moved := differences(found, keyed(now, key_of(found))):
        more = [f"and {len(moved) - 20} more"] if len(moved) > 20 else []
        lines = "\n  ".join(["nodes have changed since the plan was made", *moved[:20], *more])
        raise Refused(lines, cure)
