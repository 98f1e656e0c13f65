"""Commands of people who submit jobs. They speak with the platform's API alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dlws.client.api import Client
    from dlws.session import Session

_OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text",
                       show_default=True)  # fmt: skip
_JOBS = click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
_WORDS = "dlws.job.words"
"""Where the context keeps what stands behind `--`."""


def shown(session: Session, output: str, found: Any, text: str) -> None:
    session.console.data(
        json.dumps(found, indent=2, ensure_ascii=False) if output == "json" else text
    )


def admitted(session: Session, what: str) -> bool:
    """Whether this is to be done, and not only said: as with all that changes something."""
    from dlws.runs.plan import local

    return session.gate.admit(local(what))


@click.command()
@click.argument("address")
@click.option("--user", metavar="NAME", help="Whose password is asked for; not with --token.")
@click.option("--token", is_flag=True, help="Ask for a token in place of a password.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False, resolve_path=True),
              help="The authority of the platform's certificate.")  # fmt: skip
@click.option("--plain", is_flag=True, help="Let the password go over http:// to ADDRESS.")
@_OUTPUT
@click.pass_obj
def login(
    session: Session, address: str, user: str | None, token: bool, ca_file: str | None,
    plain: bool, output: str,
) -> None:  # fmt: skip
    """Sign in to the job platform at ADDRESS, such as https://cluster.example.org/apis.

    The command shows a code, which you type in the portal, in any browser. With --user or --token
    it asks for a password or token instead, or reads it from standard input. The token with which
    jobs are submitted is kept in ~/.config/dlws/login.json, for you alone; `logout` ends it.
    """
    from dlws.client.account import Account, keep
    from dlws.client.api import Client

    if user and token:
        raise click.UsageError("give either --user NAME or --token, or none of them")
    with Client(address, ca_file=ca_file or "", plain=plain) as client:
        if user or token:
            secret = session.ask_secret("Token" if token else f"Password of {user}")
            session.console.redactor.add([secret])
            client.transport.token = secret if token else client.login(str(user), secret)
        elif not _let_in(session, client):
            return
        me = client.me()
        found = Account(client.transport.address, me["user"], client.transport.token, ca_file or "")
        if admitted(session, f"keep the token of {found.user} for {found.address}"):
            keep(found)
    shown(session, output, me, f"signed in as {me['user']}; virtual clusters: "
          f"{', '.join(me['vcs']) or 'none yet'}")  # fmt: skip


def _let_in(session: Session, client: Client) -> bool:
    """Wait for a person to let this in, in the portal; False where that is only to be said."""
    from dlws.client import grant

    if not admitted(session, f"ask {client.transport.address} for a code, and wait for an answer"):
        return False
    asked = grant.begin(client.transport, name := grant.machine())
    session.console.redactor.add([asked.device])
    session.console.say(
        f"open {asked.address} in a browser, on any machine, and type the code {asked.code}\n"
        f"it asks there whether {name} may act as you; this waits {asked.seconds // 60} minutes"
    )
    session.console.redactor.add([grant.wait(client.transport, asked)])
    return True


@click.command()
@click.pass_obj
def logout(session: Session) -> None:
    """Sign out of the job platform: the token that `login` keeps ends."""
    from dlws.client.account import forget
    from dlws.client.api import Client
    from dlws.core.errors import Refused

    try:
        with Client.signed_in() as client:
            client.logout()
    except Refused:
        session.console.say("the token had ended already")
    forget()


@click.group()
def job() -> None:
    """Submit jobs to the job platform, watch them and stop them; `login` comes first."""


class _Submit(click.Command):
    """Keeps apart what stands behind `--`: it is the job's command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_WORDS], args = tuple(args[at + 1 :]), args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@job.command(cls=_Submit)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--name", help="Default: the beginning of the command.")
@click.option("--vc", help="The virtual cluster.")
@click.option("--image", help="The container image, such as registry:5000/team/torch:1.")
@click.option("--kind", type=click.Choice(["regular", "distributed", "inference"]))
@click.option("--workers", type=int, help="How many workers a distributed job has.")
@click.option("--device", metavar="KIND", help="The kind of devices, such as V100.")
@click.option("--devices", type=int, help="Devices per worker.")
@click.option("--cpu", metavar="NUMBER", help="Processors per worker: 2, 0.5.")
@click.option("--memory", metavar="SIZE", help="Memory per worker: 512Mi, 4Gi.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option("--port", type=int, help="The port of an inference job.")
@click.option("--priority", type=int, help="Up to 200; the usual one is 100.")
@click.option("--preemptible", is_flag=True, default=None, help="Others may take its place.")
@click.option("--max-seconds", type=int, help="It is stopped after that time.")
@click.option("--retries", type=int, help="How often it is tried again when a node is lost.")
@_OUTPUT
@click.pass_context
def submit(
    ctx: click.Context, /, file: Path | None, cpu: str | None, memory: str | None,
    env: Sequence[str], output: str, **given: Any,
) -> None:  # fmt: skip
    """Submit the job in FILE (YAML or JSON), or one that runs COMMAND; print its number.

    Options take the place of what FILE says; its names are those of the options, with cpu_millis
    and memory_mib, and /api/v1/openapi.json describes them. COMMAND stands behind `--`: one word
    is a line for the job's shell, several are a program and its arguments.
    """
    from dlws.client import jobfile
    from dlws.client.api import Client

    given |= {"cpu_millis": jobfile.cpu_millis(cpu), "memory_mib": jobfile.memory_mib(memory)}
    fields = jobfile.read(file) if file else {}
    wanted = jobfile.request(fields, ctx.meta.get(_WORDS, ()), given, env)
    if admitted(ctx.obj, f"submit the job {wanted['name']} to {wanted['vc']}"):
        with Client.signed_in() as client:
            number = client.submit(wanted)
        shown(ctx.obj, output, {"id": number}, number)


@job.command("list")
@click.option("--vc", default="", metavar="VC", help="Those of one virtual cluster.")
@click.option("--mine", is_flag=True, help="Yours alone.")
@click.option("--status", "states", multiple=True, metavar="STATE", help="Repeatable.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@_OUTPUT
@click.pass_obj
def job_list(
    session: Session, vc: str, mine: bool, states: Sequence[str], limit: int, output: str
) -> None:
    """List the newest jobs: yours, and those that you may see."""
    from dlws.client import shown as pages
    from dlws.client.api import Client

    with Client.signed_in() as client:
        found = client.jobs(vc, mine, states, limit)
    shown(session, output, found, pages.jobs(found))


@job.command()
@click.argument("number", metavar="JOB")
@_OUTPUT
@click.pass_obj
def show(session: Session, number: str, output: str) -> None:
    """Show a job: what was asked for, its state and why, and what happened to it."""
    from dlws.client import shown as pages
    from dlws.client.api import Client

    with Client.signed_in() as client:
        found, events = client.job(number), client.events(number)
    shown(session, output, {**found, "events": events}, pages.job(found, events))


@job.command()
@click.argument("number", metavar="JOB")
@_OUTPUT
@click.pass_obj
def explain(session: Session, number: str, output: str) -> None:
    """Say why a job waits, or how it ended and who was the cause."""
    from dlws.client import shown as pages
    from dlws.client.api import Client

    with Client.signed_in() as client:
        found = client.job(number)
    told = {key: found[key] for key in ("id", "status", "reason")}
    shown(session, output, told, pages.explained(found))


@job.command()
@click.argument("number", metavar="JOB")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--worker", type=click.IntRange(0, 1023), default=0, show_default=True)
@click.option("--tail", type=click.IntRange(1, 10_000), metavar="LINES", help="The last lines.")
@click.pass_obj
def logs(session: Session, number: str, follow: bool, worker: int, tail: int | None) -> None:
    """Print what a job's worker printed, also after its end, as long as the platform keeps it."""
    from dlws.client.api import Client
    from dlws.runs.console import shown_as_it_comes

    states = [""]

    def seen(state: str) -> None:
        if state != states[-1]:
            states.append(state)
            session.console.say(f"the job is {state}")

    with Client.signed_in() as client:
        pieces = (
            client.follow(number, worker, seen, tail=tail)
            if follow
            else client.read(number, worker, tail)
        )
        with shown_as_it_comes() as show:
            for text in pieces:
                show(text)


def _asks(verb: str, words: str) -> None:
    """`job stop` and its like."""

    @job.command(verb, help=words)
    @_JOBS
    @_OUTPUT
    @click.pass_obj
    def ask(session: Session, jobs: Sequence[str], output: str) -> None:
        from dlws.client.api import Client

        with Client.signed_in() as client:
            wanted = [one for one in jobs if admitted(session, f"{verb} the job {one}")]
            found = {number: client.ask(number, verb) for number in wanted}
        shown(session, output, found, "\n".join(f"{one}: {found[one]}" for one in found))


_asks("stop", "Stop JOBs: their workers get SIGTERM, and a minute later SIGKILL.")
_asks("pause", "Pause JOBs: their workers end, and they wait for `resume`.")
_asks("resume", "Let JOBs that were paused wait for devices again.")
_asks("approve", "Approve JOBs that are over what a user may have; for administrators.")
