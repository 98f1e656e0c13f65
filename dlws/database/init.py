"""`db init`: the account, the database, its tables and the rows that a cluster begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError, Refused
from dlws.database import account, acl, problems, schema, users, vcs
from dlws.database.client import Credentials, Database, credentials, entered, waited
from dlws.database.names import PREFIX
from dlws.database.place import place, sockets

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def init(cluster: Cluster, beside_others: bool = False, wait: float = 0) -> None:
    """Make what is missing; what is there stays. Cut off, it goes on when it is run again."""
    if wait:
        waited(cluster, wait)
    with _let_in(cluster) as (database, proven):
        database.alone()
        if not beside_others:
            _refuse_another(database)
        if database.where.node:  # a server of somebody else's has accounts of his
            database.apply(account.needed(database, credentials(cluster.config), proven))
        _tables(database)
        _rows(database)
        if not (cluster.run.console.changes or cluster.run.gate.actions):
            cluster.run.console.say(f"nothing to do: {database.name} is complete")


Way = tuple[Credentials, str]
"""Who logs in, and by which socket on the node; without one, over TCP."""


@contextmanager
def _let_in(cluster: Cluster) -> Iterator[tuple[Database, bool]]:
    """The first way in that may make accounts, and whether it was by the password of config.yaml.

    Where none may, it is the first that lets us in.
    """
    weak: Way | None = None
    refusal: DeployError | None = None
    for way in (ways := _ways(cluster)):
        with ExitStack() as stack:
            try:
                database = stack.enter_context(entered(cluster, *way))
            except (problems.Denied, problems.Unreachable) as error:
                refusal = refusal or error
                if isinstance(error, problems.Unreachable) and not way[1]:
                    break
                continue
            if account.may_grant(database) or not database.where.node:
                yield database, way == ways[0]
                return
            weak = weak or way
    if not weak:
        raise refusal or DeployError("there is no way to the database")
    with entered(cluster, *weak) as database:
        yield database, weak == ways[0]


def _ways(cluster: Cluster) -> list[Way]:
    """A new server lets root in from its own machine alone, or without a password."""
    who = credentials(cluster.config)
    if not place(cluster).node:
        return [(who, "")]
    root, bare = Credentials("root", who.password), Credentials("root", "")
    inside = [(one, path) for path in sockets(cluster.config) for one in (root, bare)]
    return [(who, ""), (bare, ""), *inside]


def _refuse_another(database: Database) -> None:
    """A second database beside the first is made when somebody asks for it, not by a lost id."""
    others = [name for name in database.databases if name.startswith(PREFIX)]
    if others and database.name not in others:
        raise Refused(
            f"the server at {database.where} has the database of another cluster: "
            f"{', '.join(others)}; that of this one would be {database.name}",
            "bring back deploy/clusterID.yml if it is this cluster's; "
            "if several clusters share the server: db init --beside-others",
        )


def _tables(database: Database) -> None:
    if not database.exists:
        database.apply([schema.create_database(database.name)])
    for change in schema.changes(database.name, _columns(database)):
        database.apply([change])


def _columns(database: Database) -> dict[str, set[str]]:
    """The columns of the tables that there are, in small letters."""
    found: dict[str, set[str]] = {}
    for row in database.rows(
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns"
        " WHERE table_schema = %s",
        database.name,
    ):
        found.setdefault(str(row["t"]), set()).add(str(row["c"]).lower())
    return found


def _rows(database: Database) -> None:
    """The first virtual cluster, the system's own administrator, and those of config.yaml."""
    config = database.cluster.config
    complete = {"vc", "identity", "acl", "identity_removed"} <= set(_columns(database))
    if complete:  # in a dry run they may not be there yet
        database.use()
    known = vcs.names(database) if complete else []
    people = users.known(database) if complete else users.Known()
    rights = acl.known(database) if complete else {}
    changes = [] if known else [vcs.first(config)]
    names = users.administrators(config)
    changes += users.additions(config, people, names)
    changes += acl.first(people, rights, names)
    database.apply(changes)
