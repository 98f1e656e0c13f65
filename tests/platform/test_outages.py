"""The database, Kubernetes, or both are away: nothing fails, is tried again or is answered with
500, and what was asked meanwhile is done once they are back."""

from __future__ import annotations

import gc

import pytest
from sqlalchemy import Engine

from jobplatform.kubernetes import Away
from jobplatform.manager.loop import Manager
from jobplatform.store import jobs
from jobplatform.store.database import Unavailable, reading
from tests.support.mariadb import MariaDb
from tests.support.platform.clients import JOB, Api, serving, settle
from tests.support.platform.kubernetes import FakeKubernetes


def turns(manager: Manager, cluster: FakeKubernetes, count: int = 3) -> None:
    for _ in range(count):
        assert manager.turn()
        cluster.start()
        cluster.stop_deleted()


def states(made: Engine) -> list[tuple[str, int]]:
    with reading(made) as connection:
        return [(row.jobStatus, row.attempt) for row in jobs.listing(connection, None, None)]


# PyMySQL leaves the sockets of connections that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("silent", [False, True])
def test_a_database_that_is_away_disturbs_no_job(
    real: Engine, mariadb: MariaDb, silent: bool
) -> None:
    cluster = FakeKubernetes("n1", "n2")
    manager = Manager(real, cluster, "one")
    with serving(real) as client:
        api = Api(real, client, settle(real))
        running, queued = api.submit(), api.submit(device="V100", devices=9)
        turns(manager, cluster)
        before, objects = states(real), len(cluster.sent)
        mariadb.stop()
        cluster.away = silent
        try:
            for _ in range(3):
                with pytest.raises((Unavailable, Away)):
                    manager.turn()
            asked = [("GET", f"/api/v1/jobs/{running}"), ("POST", "/api/v1/jobs"),
                     ("POST", f"/api/v1/jobs/{running}/stop"), ("GET", "/readyz")]  # fmt: skip
            for method, path in asked:
                answer = api("ann", method, path, json=JOB)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        finally:
            mariadb.start()
            cluster.away = False
        assert (states(real), len(cluster.sent)) == (before, objects)
        assert cluster.running(running) == [f"job-{running}-1-worker-0"]
        assert api("ann", "POST", f"/api/v1/jobs/{running}/stop").status_code == 200
        turns(manager, cluster)
        assert api("ann", "GET", f"/api/v1/jobs/{running}").json()["status"] == "killed"
        assert api("ann", "GET", f"/api/v1/jobs/{queued}").json()["status"] == "queued"
    real.dispose()
    gc.collect()  # here, where the warnings are ignored


def test_the_api_goes_on_without_kubernetes_and_what_was_asked_is_done_later(real: Engine) -> None:
    cluster = FakeKubernetes("n1")
    manager = Manager(real, cluster, "one")
    with serving(real, cluster) as client:
        api = Api(real, client, settle(real))
        running = api.submit()
        turns(manager, cluster)
        cluster.away = True
        late = api.submit()
        log = api("ann", "GET", f"/api/v1/jobs/{running}/log")
        assert (log.status_code, log.headers["Retry-After"]) == (503, "5")
        assert api("ann", "POST", f"/api/v1/jobs/{running}/stop").status_code == 200
        for _ in range(3):
            with pytest.raises(Away):
                manager.turn()
        assert dict(zip(("late", "running"), states(real), strict=True)) == {
            "late": ("unapproved", 0), "running": ("killing", 1),
        }  # fmt: skip
        cluster.away = False
        turns(manager, cluster, 4)
        assert states(real) == [("running", 1), ("killed", 1)]
        assert cluster.running(late) == [f"job-{late}-1-worker-0"]
