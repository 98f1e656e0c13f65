"""The API with a real MariaDB server: it comes and goes, and two requests meet."""

from __future__ import annotations

import gc

import pytest
from sqlalchemy import Engine

from jobplatform.store import jobs, people
from jobplatform.store.database import changing
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
