"""People of a directory's groups: brought in, put in and taken out of groups, and closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from jobplatform import __main__ as roles
from jobplatform.settings import Missing
from jobplatform.signin import graph
from jobplatform.signin.graph import Graph, Member
from jobplatform.signin.proof import Away
from jobplatform.signin.web import Https
from jobplatform.store import people, signins
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import tokens
from tests.support.platform.clients import PASSWORD
from tests.support.platform.provider import Provider, provider, told

__all__ = ["provider"]
GROUPS = {"gpu": 3000, "more": 3001}


@pytest.fixture
def directory(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider that passes for Microsoft's directory."""
    settings = told(provider.issuer, groups=GROUPS)
    monkeypatch.setattr(roles, "sign_in", lambda: settings)
    monkeypatch.setattr(graph, "LOGIN", provider.issuer)
    monkeypatch.setattr(Graph.__init__, "__defaults__", (provider.issuer,))
    yield provider


def row(name: str, enabled: Any = True) -> dict[str, Any]:
    return {"userPrincipalName": name, "accountEnabled": enabled}


def synchronize(engine: Engine) -> None:
    roles.synchronize(None, engine, None)  # type: ignore[arg-type]


def groups(engine: Engine) -> dict[str, list[int]]:
    with reading(engine) as connection:
        return {
            one.identityName: people.numbers(one.groups) for one in people.everybody(connection)
        }


def test_people_come_with_their_groups_and_lose_those_that_they_left(
    database: Engine, directory: Provider
) -> None:
    """The first is known by the provider; 77 was given here, and stays."""
    with changing(database) as connection:
        people.set_identity(connection, "Ann@example.org", 4000, 4000, [77])
        signins.bind(connection, directory.issuer, "subject", "Ann@example.org")
    directory.members = {"gpu": [row("ann@example.org"), row("bob@x.org")],
                         "more": [row("ann@example.org"), row("guest#ext#@x.org")]}  # fmt: skip
    synchronize(database)
    assert groups(database) == {"Ann@example.org": [77, 3000, 3001], "bob@x.org": [3000]}
    directory.members = {"gpu": [], "more": [row("ann@example.org")]}
    synchronize(database)
    assert groups(database)["Ann@example.org"] == [77, 3001]
    directory.members = {"gpu": [], "more": []}
    synchronize(database)
    assert groups(database)["Ann@example.org"] == [77]


def test_sessions_of_closed_accounts_end(database: Engine, directory: Provider) -> None:
    with changing(database) as connection:
        for number, name in enumerate(("ann@example.org", "bob@example.org")):
            people.set_identity(connection, name, 4000 + number, 4000, [3000])
            signins.bind(connection, directory.issuer, name, name)
            people.give_token(connection, name, "x", 3600)
    directory.members = {"gpu": [row("ann@example.org", False), row("bob@example.org")], "more": []}
    synchronize(database)
    with reading(database) as connection:
        assert connection.execute(select(tokens.c.userName)).scalars().all() == ["bob@example.org"]
    assert groups(database) == {"ann@example.org": [], "bob@example.org": [3000]}


def test_accounts_with_a_password_are_left_alone(
    database: Engine, directory: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    with changing(database) as connection:
        people.set_identity(connection, "local@example.org", 4000, 4000, [])
        people.set_password(connection, "local@example.org", PASSWORD)
    directory.members = {"gpu": [row("local@example.org"), row("local@x.org")], "more": []}
    synchronize(database)
    assert groups(database) == {"local@example.org": []}
    assert "local@x.org: the name local is another person's" in caplog.text


def test_what_the_directory_does_not_tell_takes_nothing_away(
    database: Engine, directory: Provider
) -> None:
    with changing(database) as connection:
        people.set_identity(connection, "ann@example.org", 4000, 4000, [3000])
        signins.bind(connection, directory.issuer, "subject", "ann@example.org")
    directory.members = {"gpu": []}  # nothing of `more`
    with pytest.raises(Missing, match="answers 404"):
        synchronize(database)
    directory.away = True
    with pytest.raises(Missing, match="answers 503"):
        synchronize(database)
    assert groups(database) == {"ann@example.org": [3000]}


def test_a_directory_is_read_to_its_end_and_leads_nowhere_else(directory: Provider) -> None:
    one = Graph(told(directory.issuer).ways[0], Https(), directory.issuer)
    directory.members = {"a b": [row("a@x.org"), row("b@x.org", False), row("no name")]}
    assert one.members("a b") == [Member("a@x.org", False), Member("b@x.org", True)]
    directory.elsewhere = "https://evil.example.org"
    with pytest.raises(Away, match="leads elsewhere"):
        one.members("a b")
