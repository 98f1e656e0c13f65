"""The first administrator of the job platform, and a first job, at the real API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine

from dlws.client.api import Client
from dlws.client.transport import Passing
from dlws.core.errors import DeployError
from dlws.core.localfiles import write
from dlws.install import people
from dlws.portal import frontdoor
from dlws.session import Session
from jobplatform.manager.loop import Manager
from jobplatform.store import people as stored
from jobplatform.store import vcs
from jobplatform.store.database import changing
from tests.support.fakes import CONFIG, Make
from tests.support.platform.databases import database
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.served import served
from tests.support.sessions import session

__all__ = ["database"]
ADMIN = "root@example.org"
TEXT = CONFIG + (
    "UserGroups: {admins: {Allowed: [root@example.org, other@example.org], uid: 2000-2999}}\n"
    "WebUIadminGroups: [admins]\n"
)
TOKEN = "t" * 40


@dataclass
class Site:
    """A database as `db init` leaves it, the API, and a manager on two nodes."""

    engine: Engine
    cluster: FakeKubernetes
    address: str
    make: Make

    def session(self, text: str = TEXT, **options: object) -> Session:
        world = self.make(text, **options)
        write(world.cluster.deploy / "dashboard/admin.token", TOKEN.encode())
        return session(world)

    def people(self) -> list[dict[str, object]]:
        with Client(self.address, token=TOKEN) as client:
            return client.users()

    def lives(self, code: int = 0) -> Callable[[float], None]:
        """What happens while a person waits: the manager passes, and pods run and end."""

        def on(seconds: float) -> None:
            manager = Manager(self.engine, self.cluster, "one")
            assert manager.turn()
            self.cluster.start()
            for name, pod in self.cluster.pods().items():
                if pod["status"]["phase"] == "Running":
                    line = b"2026-01-01T00:00:00.5Z hello\n"
                    self.cluster.logs[pod["metadata"]["namespace"], name] = [line]
                    assert manager.turn()
                    self.cluster.end(name, code)

        return on


@pytest.fixture
def site(database: Engine, make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with changing(database) as connection:
        vcs.add(connection, "platform", {}, {})
        stored.set_identity(connection, ADMIN, 2000, 2000, [2000])
        stored.allow(connection, ADMIN, "Cluster", 7)
        stored.allow(connection, "Administrator", "Cluster", 7)
        stored.keep_token(connection, TOKEN, "Administrator", "installation", 3600)
    cluster = FakeKubernetes("n1", "n2")
    with served(database, cluster) as address:
        monkeypatch.setattr(frontdoor, "way", lambda cluster: (address, "/x/ca.crt"))
        yield Site(database, cluster, address, make)


def test_the_first_administrator_gets_a_password_once(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [(one["name"], one["password"]) for one in site.people()] == [(ADMIN, False)]
    people.administrator(site.session())
    path = site.session().options.directory / people.PASSWORD
    password = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600 and len(password) >= 24
    with Client(site.address) as client:
        client.login(ADMIN, password)
        assert client.me()["administrator"] is True
    people.administrator(site.session())
    told = capsys.readouterr().err
    assert path.read_text() == password and password not in told
    assert told.count("changed: ") == 1 and f"{ADMIN} has a password" in told


def test_one_that_was_made_and_not_told_yet_is_told_now(site: Site) -> None:
    write(site.session().options.directory / people.PASSWORD, b"kept from the last run")
    people.administrator(site.session())
    with Client(site.address) as client:
        assert client.login(ADMIN, "kept from the last run")


def test_a_plan_changes_nothing(site: Site) -> None:
    dry = site.session(dry_run=True)
    people.administrator(dry)
    assert site.people()[0]["password"] is False and len(dry.gate.actions) == 1
    assert not (dry.options.directory / people.PASSWORD).exists()


def test_who_is_not_in_the_database_and_who_is_not_named(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeployError, match=r"new@example\.org .* is not in the database"):
        people.administrator(site.session(TEXT.replace("root@", "new@")))
    people.administrator(site.session(CONFIG))
    assert "names nobody to sign in as" in capsys.readouterr().err


def test_a_job_runs_once_and_its_log_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dlws.install.people.time.sleep", site.lives())
    people.administrator(site.session())
    for _ in range(2):
        people.first_job(site.session())
    told = capsys.readouterr().err
    assert re.search(r"ran the job first-job \([0-9a-f-]{36}\) in platform", told)
    assert told.count("its log:\n  hello\n") == 1 and told.count("first-job has run") == 1
    assert sum(site.cluster.runs.values()) == 1
    # Of a cluster that was made anew, nothing is known but what is in deploy/.
    write(site.session().options.directory / people.RAN, b"6f1f2d6e-0000-4000-8000-000000000001")
    people.first_job(site.session(dry_run=True))
    assert sum(site.cluster.runs.values()) == 1
    people.first_job(site.session())
    assert sum(site.cluster.runs.values()) == 2


def test_a_job_that_fails_says_why(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlws.install.people.time.sleep", site.lives(3))
    people.administrator(site.session())
    with pytest.raises(DeployError, match=r"first-job is failed: .* ended with 3\."):
        people.first_job(site.session())


def test_a_job_that_does_not_end_is_not_waited_for_for_ever(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "_PATIENCE", -1)
    people.administrator(site.session())
    with pytest.raises(DeployError, match=r"first-job is unapproved after -1 s: nobody"):
        people.first_job(site.session())


def test_who_has_another_password_by_now_is_left_alone(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    people.administrator(site.session())
    with Client(site.address, token=TOKEN) as client:
        client.set_password(ADMIN, "another password of hers")
    people.first_job(site.session())
    people.administrator(site.session())
    told = capsys.readouterr().err
    assert f"{ADMIN} has another password by now" in told and site.cluster.pods() == {}


def test_it_is_asked_by_its_own_authority(site: Site) -> None:
    with people._asking(site.session().cluster) as client:
        assert (client.transport.ca_file, client.transport.token) == ("/x/ca.crt", "")


def test_an_api_that_does_not_answer_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontdoor, "way", lambda cluster: ("http://127.0.0.1:9", ""))
    monkeypatch.setattr("dlws.install.people.time.sleep", lambda seconds: None)
    world = make(TEXT)
    write(world.cluster.deploy / "dashboard/admin.token", TOKEN.encode())
    with pytest.raises(DeployError, match=r"http://127\.0\.0\.1:9 does not answer"):
        people.administrator(session(world))


def test_how_people_reach_the_platform(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontdoor, "way", lambda cluster: ("https://10.1.0.1/apis", "/x/ca.crt"))
    people_of = "\n".join(people.where(site.session()))
    assert "https://10.1.0.1/   (the portal" in people_of
    assert f"login https://10.1.0.1/apis --user {ADMIN} --ca-file /x/ca.crt" in people_of
    assert "password" not in people_of


class Waited(Exception):
    """Somebody waited."""


@pytest.mark.parametrize(("error", "raised"), [
    (DeployError("a certificate that is not trusted"), DeployError),
    (Passing("nothing answers yet"), Waited),
])  # fmt: skip
def test_only_what_may_pass_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: DeployError, raised: type[Exception]
) -> None:
    monkeypatch.setattr(Client, "ready", Mock(side_effect=error))
    monkeypatch.setattr("dlws.install.people.time.sleep", Mock(side_effect=Waited))
    with pytest.raises(raised):
        people.administrator(site.session())
