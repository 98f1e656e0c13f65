"""Commands for the cluster's database: users, permissions, virtual clusters, backups."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dlws.database.client import Database
    from dlws.session import Session

PERMISSION = click.Choice(["user", "collaborator", "admin"])
OUTPUT = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
_VC = click.option("--vc", default="", metavar="VC", help="In this virtual cluster alone.")
_FILE = click.Path(dir_okay=False, path_type=Path)


@contextmanager
def changing(session: Session, output: str) -> Iterator[Database]:
    """The database, with nobody else's changes in between; at the end, say what was changed."""
    from dlws.database.client import opened

    with opened(session.cluster, changes=True) as database:
        yield database
    _told(session, output)


def _told(session: Session, output: str) -> None:
    if output == "json":
        session.console.data(json.dumps({"changed": session.console.changes}, ensure_ascii=False))
    elif not (session.console.changes or session.gate.actions):
        session.console.say("nothing to do: it is so already")


def shown(session: Session, output: str, rows: list[dict[str, Any]]) -> None:
    from dlws.database.prompt import table

    text = json.dumps(rows, indent=2, ensure_ascii=False) if output == "json" else table(rows)
    if text:
        session.console.data(text)


@click.group()
def db() -> None:
    """Make the cluster's database, back it up and restore it, and run SQL in it."""


@db.command()
@click.option("--wait", type=click.FloatRange(0, 3600), default=0, metavar="SECONDS",
              help="Give the server this long to answer.")  # fmt: skip
@click.option("--beside-others", is_flag=True,
              help="The server has the databases of other clusters, too.")  # fmt: skip
@OUTPUT
@click.pass_obj
def init(session: Session, wait: float, beside_others: bool, output: str) -> None:
    """Make the account, the database, its tables and its first rows; what is there stays.

    The account is mysql_username from any host, with mysql_password. The first rows are the
    virtual cluster default_virtual_cluster_name, and the administrators (WebUIadminGroups).
    """
    from dlws.database.init import init as make

    make(session.cluster, beside_others, wait)
    if output == "json":
        _told(session, output)


@db.command()
@click.argument("file", required=False, type=_FILE)
@OUTPUT
@click.pass_obj
def backup(session: Session, file: Path | None, output: str) -> None:
    """Write a backup to FILE (default: a new one under deploy/backups), for your eyes only."""
    from dlws.database.backup import save
    from dlws.database.client import opened

    with opened(session.cluster) as database:
        path = save(database, file)
    if output == "json":
        session.console.data(json.dumps({"file": str(path) if path else None}))


@db.command()
@click.argument("file", type=_FILE)
@click.option("--yes-restore", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def restore(session: Session, file: Path, yes_restore: str | None) -> None:
    """Put the tables of the backup in FILE in place of those that are there.

    Asks for the cluster's name and backs up today's tables first. A failure on the way changes
    nothing: the tables change places all at once.
    """
    from dlws.database import restore as actions
    from dlws.database.client import opened
    from dlws.session import confirm

    with session.console.working(f"reading {file}"):
        found = actions.examine(file, session.vault)
    with opened(session.cluster, changes=True) as database:
        actions.check(found, database.name)
        if not session.options.dry_run:
            question = f"This replaces {database.name} at {database.where} by {found}"
            confirm(session, question, "restore", yes_restore)
        actions.restore(database, found)


@db.command()
@OUTPUT
@click.pass_obj
def connect(session: Session, output: str) -> None:
    """Run SQL statements from standard input, each ended by a semicolon, and show the answers.

    With JSON, each answer is a line. A failed statement ends the command, unless statements are
    typed on a terminal.
    """
    from dlws.core.errors import DeployError
    from dlws.database import prompt
    from dlws.database.client import opened

    asks = sys.stdin.isatty()
    with opened(session.cluster) as database:
        if asks:
            session.console.say(f"{database.name} at {database.where}; Ctrl-D leaves")
        for statement in prompt.statements(sys.stdin):
            try:
                if answer := prompt.run(database, statement, output == "json"):
                    session.console.data(answer)
            except DeployError as error:
                if not (asks and database.raw.open):
                    raise
                session.console.warn(error.message)


@click.group()
def user() -> None:
    """Add, list and remove the users of the cluster."""


@user.command("add")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--uid", type=int, help="For one NAME; default: the next free one.")
@click.option("--gid", metavar="GID|GROUP", help="Default: that of the user's group.")
@click.option("--group", "groups", multiple=True, metavar="GID|GROUP",
              help="All groups of the user; may be given several times.")  # fmt: skip
@click.option("--permission", type=PERMISSION, help="On the whole cluster.")
@OUTPUT
@click.pass_obj
def user_add(
    session: Session,
    names: tuple[str, ...],
    uid: int | None,
    gid: str | None,
    groups: tuple[str, ...],
    permission: str | None,
    output: str,
) -> None:
    """Add users with NAMEs (e-mail addresses), or change those that are there.

    New users get an id from the ranges of UserGroups in config.yaml and an SSH key pair for jobs.
    The id of a removed user is given to nobody else.
    """
    from dlws.database import acl as rights
    from dlws.database import users

    if uid is not None and len(names) > 1:
        raise click.UsageError("--uid is for one NAME")
    request = users.asked(session.config, uid, gid, groups)
    with changing(session, output) as database:
        people = users.known(database)
        changes = users.additions(session.config, people, names, request)
        if permission:
            wanted = rights.wished(people, {}, names, rights.CLUSTER, permission)
            changes += rights.grants(rights.known(database), wanted)
        database.apply(changes)


@user.command("password")
@click.argument("name")
@click.pass_obj
def user_password(session: Session, name: str) -> None:
    """Give NAME a password for the job platform; it is asked for, or a line of standard input.

    You are signed in there as an administrator: `login ADDRESS --token`, with the token in
    deploy/dashboard/admin.token. All tokens of NAME end.
    """
    from dlws.client.api import Client
    from dlws.runs.plan import local

    password = session.ask_secret(f"New password of {name}")
    if session.gate.admit(local(f"set the password of {name}")):
        with Client.signed_in() as client:
            client.set_password(name, password)
        session.console.changed(f"set the password of {name}")


@user.command("list")
@OUTPUT
@click.pass_obj
def user_list(session: Session, output: str) -> None:
    """List the users: name, uid, gid, groups and permissions."""
    from dlws.database import acl as rights
    from dlws.database import users
    from dlws.database.client import opened

    with opened(session.cluster) as database:
        people, found = users.known(database), rights.known(database)
    rows = [{**asdict(one), "permissions": rights.of(found, one.name)}
            for one in people.users.values()]  # fmt: skip
    shown(session, output, rows)


@user.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@OUTPUT
@click.pass_obj
def user_remove(session: Session, names: tuple[str, ...], output: str) -> None:
    """Remove users and their permissions; their ids are given to nobody else.

    A user with jobs that did not end is not removed.
    """
    from dlws.database import users

    with changing(session, output) as database:
        database.apply(users.removals(database, names))


@click.group()
def acl() -> None:
    """Say who may do what: users and groups are user, collaborator or admin."""


def allow(session: Session, names: tuple[str, ...], vc: str, permission: str, output: str) -> None:
    from dlws.database import acl as rights
    from dlws.database import users, vcs

    groups = {name: int(group.gid) for name, group in session.config.user_groups.items()
              if group.gid.isdecimal()}  # fmt: skip
    with changing(session, output) as database:
        if vc:
            vcs.require(database, vc)
        people, place = users.known(database), rights.resource(vc)
        wanted = rights.wished(people, groups, names, place, permission)
        database.apply(rights.grants(rights.known(database), wanted))


@acl.command("set")
@click.argument("permission", type=PERMISSION)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_VC
@OUTPUT
@click.pass_obj
def acl_set(
    session: Session, permission: str, names: tuple[str, ...], vc: str, output: str
) -> None:
    """Give users or groups (UserGroups) with NAMEs a permission, on all of the cluster or a VC."""
    allow(session, names, vc, permission, output)


@acl.command("list")
@OUTPUT
@click.pass_obj
def acl_list(session: Session, output: str) -> None:
    """List the permissions: of whom, on what."""
    from dlws.database import acl as rights
    from dlws.database.client import opened

    with opened(session.cluster) as database:
        found = rights.known(database).values()
    rows = [{"name": one.name, "id": one.identity, "resource": one.resource,
             "permission": one.permission} for one in found]  # fmt: skip
    shown(session, output, rows)


@acl.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_VC
@OUTPUT
@click.pass_obj
def acl_remove(session: Session, names: tuple[str, ...], vc: str, output: str) -> None:
    """Take the permission on all of the cluster, or on a VC, from NAMEs."""
    from dlws.database import acl as rights

    with changing(session, output) as database:
        found = rights.known(database)
        database.apply(rights.removals(found, names, rights.resource(vc)))
