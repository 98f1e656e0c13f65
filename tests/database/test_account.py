"""Which account a server needs, by what it knows already."""

from __future__ import annotations

import pytest

from dlws.core.errors import DeployError
from dlws.database.account import NATIVE, SHA2, Account, changes, native, plugin_for
from dlws.database.client import Credentials

WHO = Credentials("root", "p'w")
KEPT = native("p'w").encode().hex()


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        ((NATIVE, "unix_socket", "ed25519"), NATIVE),  # MariaDB
        ((NATIVE, "sha256_password"), NATIVE),  # MySQL 5.7
        ((SHA2, NATIVE), NATIVE),  # 8.0
        ((SHA2, "auth_socket"), SHA2),  # 8.4, 9
    ],
)
def test_the_plugin_is_one_that_the_server_has(active: tuple[str, ...], expected: str) -> None:
    assert plugin_for(active) == expected


def test_a_server_without_either_is_refused() -> None:
    with pytest.raises(DeployError, match="ed25519"):
        plugin_for(["ed25519"])


def test_the_digest_is_the_servers_own() -> None:
    assert native("mypass") == "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4"


@pytest.mark.parametrize(
    ("found", "proven", "verbs"),
    [
        (None, False, ["CREATE", "GRANT"]),
        (Account(NATIVE, KEPT, True), False, []),
        (Account(NATIVE, KEPT, False), False, ["GRANT"]),
        (Account(NATIVE, "00", True), True, []),
        (Account(NATIVE, "00", True), False, ["ALTER"]),
        (Account(SHA2, KEPT, True), True, ["ALTER"]),
    ],
)
def test_what_is_wrong_alone_is_changed(
    found: Account | None, proven: bool, verbs: list[str]
) -> None:
    assert [change.sql.split()[0] for change in changes(found, WHO, NATIVE, proven)] == verbs


def test_the_password_does_not_travel_where_its_digest_will_do() -> None:
    made = changes(None, WHO, NATIVE, False)
    assert not any(
        "p'w" in str(part) for change in made for part in (change.sql, *change.parameters)
    )
    assert "p'w" in changes(None, WHO, SHA2, False)[0].parameters
    assert "p'w" not in changes(None, WHO, SHA2, False)[0].sql
    assert "p'w" not in repr(WHO)
