"""The API with a real MariaDB server: it comes and goes, and two requests meet."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, Engine, event

from jobplatform.store import database, jobs, people
from jobplatform.store.database import Unavailable, changing, reading
from tests.support.mariadb import MariaDb
from tests.support.platform.clients import JOB, PASSWORD, Api, serving, settle


# PyMySQL leaves the sockets of connections that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_is_away_is_told_and_not_a_defect(real: Engine, mariadb: MariaDb) -> None:
    tokens = settle(real)
    with serving(real) as client:
        api = Api(real, client, tokens)
        number = api.submit(name="🔑 é")
        mariadb.stop()
        try:
            asked = [("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs")]
            for method, path in (*asked, ("GET", f"/KillJob?jobId={number}"), ("GET", "/readyz")):
                answer = api("ann", method, path, json=JOB)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert api("", "GET", "/healthz").status_code == 200
        finally:
            mariadb.start()
        assert api("ann", "GET", f"/api/v1/jobs/{number}").json()["name"] == "🔑 é"
        assert api("ann", "GET", "/readyz").status_code == 200
    real.dispose()
    gc.collect()  # here, where the warnings are ignored, and not in whichever test comes next


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("use", [changing, reading])
def test_a_silent_database_is_waited_for_once(
    real: Engine, mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch,
    use: Callable[[Engine], AbstractContextManager[Connection]],
) -> None:  # fmt: skip
    """And not by a connection that was idle, and by a new one after it."""
    monkeypatch.setattr(database, "_SILENT", 2)
    made = database.engine(real.url)
    monkeypatch.setattr(database, "_IDLE", 0)
    connects: list[object] = []
    for engine in (made, database._READS[made]):
        event.listen(engine, "do_connect", lambda *about: connects.append(about))
    with use(made) as connection:
        one = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
    with mariadb.silent(), pytest.raises(Unavailable), use(made):
        raise AssertionError("it answered")
    assert len(connects) == 1
    with use(made) as connection:  # the server has one for us again
        assert connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one() != one
    made.dispose()
    gc.collect()


def test_a_connection_that_was_ended_is_made_anew_at_once(
    real: Engine, mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE", 0)
    with reading(real) as connection:
        one = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
    mariadb.ask(f"KILL {one}")
    with reading(real) as connection:
        assert connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one() != one


def test_of_two_changes_of_one_state_one_happens(real: Engine) -> None:
    with serving(real) as client:
        number = Api(real, client, settle(real)).submit()
    with changing(real) as one, changing(real) as other:
        seen = jobs.find(one, number), jobs.find(other, number)
        assert seen[0] is not None and seen[1] is not None
        assert jobs.move(one, seen[0], "killing", "ann")
        one.commit()
        assert not jobs.move(other, seen[1], "running", "manager")


def test_signing_in_and_rights_in_a_real_database(real: Engine) -> None:
    with serving(real) as client:
        api = Api(real, client, settle(real))
        with changing(real) as connection:
            people.set_password(connection, "ann", PASSWORD)
        for password, code in (("wrong", 401), (PASSWORD, 200)):
            given = {"user": "ann", "password": password}
            assert api("", "POST", "/api/v1/login", json=given).status_code == code
        given = {"user": "ann", "password": PASSWORD}
        api.tokens["ann"] = api("", "POST", "/api/v1/login", json=given).json()["token"]
        assert api("ann", "GET", "/api/v1/me").json()["vcs"] == {"a": 1}
    with pytest.raises(people.Taken), changing(real) as connection:
        people.set_identity(connection, "ann@other.org", 7000, 7000, [])
