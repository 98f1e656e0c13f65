"""What a database server answers with, as errors that name the cure."""

from __future__ import annotations

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM

_GONE = {2006, 2013, 2014, 2055, 1053, 1927, 1159, 1161}
_DENIED = {1045, 1130, 1698, 1251, 2059}
_FULL = {1021, 1114, 3, 28}
_RIGHTS = {1044, 1142, 1143, 1227, 1370}
_READ_ONLY = "it is read-only: end that (read_only=OFF), or name the primary in mysql_host"
_CHARSET = "the table cannot hold this value; was it made with another character set?"
_CURES = {
    1040: "wait until it serves fewer clients (max_connections), then run this again",
    1290: _READ_ONLY,
    1836: _READ_ONLY,
    1366: _CHARSET,
    1406: _CHARSET,
    1792: "it calls a function that writes, which a dry run does not: leave --dry-run out",
}
_LACKS = {1049, 1146, 1054}


class Unreachable(DeployError):
    """No database server answers."""


class Denied(DeployError):
    """The database server does not let the user in."""


class NotInitialised(DeployError):
    """The server has no database of this cluster, or only a part of it."""


def not_initialised(what: str) -> NotInitialised:
    return NotInitialised(what, f"run: {PROGRAM} db init")


def unreachable(where: object, why: str, on_node: bool) -> Unreachable:
    """Nothing answers at a place, which may be a node of the cluster."""
    start = "start the database" + (" (kubernetes start mysql)" if on_node else "")
    return Unreachable(
        f"no database answers at {where}: {why}",
        f"{start}, or wait for it: {PROGRAM} db init --wait 300; "
        "mysql_host, mysql_node and mysql_port in config.yaml say where it is",
    )


def no_way(where: object, error: DeployError) -> Unreachable:
    """The node of the database is not reached itself, which has a cure of its own."""
    return Unreachable(f"the database is at {where}: {error.message}", error.cure)


def explained(code: int, says: str, where: object, user: str) -> DeployError:
    """An error of the server's, by its number."""
    if code in _DENIED:
        return Denied(
            f"the database at {where} does not let {user} in: {says}",
            f"correct mysql_password and mysql_username in config.yaml; "
            f"if {user} has no way in yet, run: {PROGRAM} db init",
        )
    if code in _GONE:
        return DeployError(
            f"the database at {where} was lost: {says}",
            "see that it runs, then run this again: what was not finished was not kept",
        )
    if code in _LACKS:
        return not_initialised(f"the database at {where} is not complete: {says}")
    return DeployError(f"the database at {where} refuses: {says} ({code})", _cure(code, user))


def _cure(code: int, user: str) -> str:
    if code in _FULL:
        return "make room on its disk, then run this again"
    if code in _RIGHTS:
        return f"grant {user} all privileges on the cluster's database, or set mysql_username"
    return _CURES.get(code, "its log says more")
