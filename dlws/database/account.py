"""The account by which the cluster's services reach their database: user@'%'."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from dlws.core.errors import DeployError
from dlws.database.client import Change, Credentials, Database

NATIVE, SHA2 = "mysql_native_password", "caching_sha2_password"


@dataclass(frozen=True)
class Account:
    """What the server knows of user@'%'. `digest` is hex of what it keeps of the password."""

    plugin: str
    digest: str
    mighty: bool


def plugin_for(active: Collection[str]) -> str:
    """How this server's clients log in: the way that all of them know, where the server has it.

    That is MariaDB, MySQL 5.7 and 8.0; MySQL 8.4 and later have the other one.
    """
    for plugin in (NATIVE, SHA2):
        if plugin in active:
            return plugin
    raise DeployError(
        f"the server has neither {NATIVE} nor {SHA2}: {', '.join(sorted(active))}",
        "enable one of them on the server",
    )


def native(password: str) -> str:
    """What a server keeps of a password under NATIVE: the password itself need not travel."""
    once = hashlib.sha1(password.encode()).digest()
    return "*" + hashlib.sha1(once).hexdigest().upper()


def changes(found: Account | None, who: Credentials, plugin: str, proven: bool) -> list[Change]:
    """What makes the account right. `proven`: its password let us in."""
    name = f"{who.user}@%"
    wanted = []
    if found is None:
        wanted.append(_identify("CREATE", f"make the account {name}", who, plugin))
    elif found.plugin != plugin or not (proven or _same(found, who)):
        wanted.append(_identify("ALTER", f"set the password of {name} ({plugin})", who, plugin))
    if found is None or not found.mighty:
        grant = "GRANT ALL PRIVILEGES ON *.* TO %s@'%%' WITH GRANT OPTION"
        wanted.append(Change(f"grant {name} all privileges", grant, (who.user,)))
    return wanted


def _same(found: Account, who: Credentials) -> bool:
    kept = bytes.fromhex(found.digest).decode(errors="replace")
    return found.plugin == NATIVE and kept.upper() == native(who.password)


def _identify(verb: str, words: str, who: Credentials, plugin: str) -> Change:
    given = ("AS", native(who.password)) if plugin == NATIVE else ("BY", who.password)
    sql = f"{verb} USER %s@'%%' IDENTIFIED WITH {plugin} {given[0]} %s"
    return Change(words, sql, (who.user, given[1]))


def needed(database: Database, who: Credentials, proven: bool) -> list[Change]:
    """The same, for what a server knows. `proven`: the password of config.yaml let us in."""
    me = str(database.column("SELECT CURRENT_USER()")[0])
    rows = database.rows(
        "SELECT plugin, HEX(authentication_string) AS digest, CONCAT(Super_priv, Grant_priv,"
        " Create_user_priv) AS rights FROM mysql.user WHERE User = %s AND Host = '%%'",
        who.user,
    )
    found = [Account(row["plugin"], row["digest"], row["rights"] == "YYY") for row in rows]
    active = database.column(
        "SELECT plugin_name FROM information_schema.plugins"
        " WHERE plugin_type = 'AUTHENTICATION' AND plugin_status = 'ACTIVE'"
    )
    is_it = proven and me == f"{who.user}@%"
    return changes(found[0] if found else None, who, plugin_for(active), is_it)


def may_grant(database: Database) -> bool:
    """Whether we came in as somebody who can make accounts and give them all rights."""
    try:
        found = database.column(
            "SELECT Grant_priv FROM mysql.user WHERE CONCAT(User, '@', Host) = CURRENT_USER()"
        )
    except DeployError:  # it may not even look
        return False
    return found == ["Y"]
