"""What tests of the manager share: a site with it, and an attempt at a job with its pods."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, update

from jobplatform.manager.loop import Manager
from jobplatform.manager.pods import Attempt, Person
from jobplatform.manager.tombstones import HELD_MS
from jobplatform.model.request import Request
from jobplatform.store import jobs, people, vcs
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import jobs as table
from jobplatform.store.tables import leases
from tests.support.platform.clients import JOB
from tests.support.platform.kubernetes import FakeKubernetes

GANG = {"kind": "distributed", "workers": 2, "device": "V100", "devices": 8}
POINTS = ["before-start", "after-start", "before-create-services", "after-create-services",
          "before-create-configmaps", "after-create-configmaps", "before-create-pods",
          "after-create-pods", "before-move", "after-move", "before-delete", "after-delete",
          "before-release", "after-release"]  # fmt: skip
"""Where a manager may die, by its own names for them."""

ANN = Person("ann@example.org", "ann", 5000, 5001, (5001,))


class Site:
    """A database with one virtual cluster and one person, a cluster, and a manager."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.cluster = FakeKubernetes("n1", "n2")
        self.manager = Manager(engine, self.cluster, "one")
        with changing(engine) as connection:
            vcs.add(connection, "a", {"V100": 16}, {})
            people.set_identity(connection, "ann@example.org", 5000, 5001, [5001, 27])

    def submit(self, **fields: Any) -> str:
        with changing(self.engine) as connection:
            asked = Request.model_validate({**JOB, **fields})
            return jobs.add(connection, asked, "ann@example.org")

    def job(self, number: str) -> Any:
        with reading(self.engine) as connection:
            return jobs.find(connection, number)

    def ask(self, number: str, to: str) -> None:
        with changing(self.engine) as connection:
            found = jobs.find(connection, number)
            assert found is not None and jobs.move(connection, found, to, "ann")

    def turns(self, count: int = 3) -> None:
        """Passes, and between them what kubelets do."""
        for _ in range(count):
            assert self.manager.turn()
            self.cluster.start()
            self.cluster.stop_deleted()

    def told(self, number: str) -> list[str]:
        with reading(self.engine) as connection:
            return [row.status for row in jobs.events(connection, number)]

    def forget_lease(self) -> None:
        with changing(self.engine) as connection:
            connection.execute(leases.delete())

    def long_ago(self, number: str, **values: Any) -> None:
        with changing(self.engine) as connection:
            connection.execute(update(table).where(table.c.jobId == number).values(values))


def an_hour_passes(manager: Manager) -> None:
    """For the names that it has seen held. No other leader sleeps so long."""
    since = manager.tombstones.since
    since.update({key: at - HELD_MS - 1 for key, at in since.items()})


def attempt(resource: str = "nvidia.com/gpu", **fields: Any) -> Attempt:
    asked = Request.model_validate({**JOB, **fields})
    nodes = tuple(f"n{i}" for i in range(asked.workers))
    return Attempt("1234", 1, ANN, asked, nodes, resource)


def container(made: dict[str, Any]) -> dict[str, Any]:
    (found,) = made["spec"]["containers"]
    return dict(found)


def env(made: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(made)["env"]}
