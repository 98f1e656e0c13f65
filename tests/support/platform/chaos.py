"""A site on which everything goes wrong by a seed: managers die at any point, two lead at once, the
API server is away or answers after it did what was asked, nodes are lost; and people ask. What
managers are shown of the cluster may be as it was long ago, and nothing may be done by that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

from sqlalchemy import event

from jobplatform.kubernetes import Away, Object
from jobplatform.manager.loop import LostLease, Manager
from jobplatform.manager.picture import Shown
from jobplatform.model import status
from jobplatform.store import jobs
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import leases
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.managers import an_hour_passes

ASKED = {"killing": status.VERBS["stop"][1], "pausing": status.VERBS["pause"][1],
         "unapproved": status.VERBS["resume"][1]}  # fmt: skip


_TELLS = "UPDATE jobs SET reason="
"""Why a job waits: that alone may be written by what a picture shows."""


class Dies(Exception):
    """The process ends here."""


class Flaky(FakeKubernetes):
    """Whoever asks it may get no answer, before or after it did what was asked."""

    def __init__(self, chance: Random, *nodes: str) -> None:
        super().__init__(*nodes)
        self.chance, self.odds = chance, 0.0
        self.told: Callable[[], None] = lambda: None

    def all(self, kind: str, selector: str = "") -> list[Object]:
        found: list[Object] = self._maybe(lambda: super(Flaky, self).all(kind, selector))
        return found

    def create(self, kind: str, space: str, made: Object) -> bool:
        self.told()
        return bool(self._maybe(lambda: super(Flaky, self).create(kind, space, made)))

    def delete(self, kind: str, space: str, name: str) -> None:
        self.told()
        self._maybe(lambda: super(Flaky, self).delete(kind, space, name))

    def release(self, space: str, pod: str) -> None:
        self.told()
        self._maybe(lambda: super(Flaky, self).release(space, pod))

    def _maybe(self, do: Callable[[], Any]) -> Any:
        if self.chance.random() < self.odds:
            raise Away("nothing was done")
        done = do()
        if self.chance.random() < self.odds:
            raise Away("it was done, and the answer lost")
        return done


class Chaos:
    """A site's managers, one of which leads, and what befalls them. `deaths`, `rivals` and `aways`
    count what did."""

    def __init__(self, engine: Any, chance: Random) -> None:
        self.engine, self.chance = engine, chance
        self.cluster = Flaky(chance, "n1", "n2", "n3")
        self.deaths = self.rivals = self.aways = self.count = 0
        self.odds = 0.0
        self.nested = False
        self.before: list[Shown] = []
        self.glances = 0
        self.managers: list[Manager] = []
        self.cluster.told = self.not_by_a_glance
        event.listen(engine, "before_cursor_execute", self._not_by_a_glance)
        self.manager = self.another()

    def another(self) -> Manager:
        self.count += 1
        made = Manager(self.engine, self.cluster, f"m{self.count}", point=self.point,
                       picture=self.glance)  # fmt: skip
        self.managers.append(made)
        return made

    def glance(self) -> Shown | None:
        """The cluster as it is or, while something goes wrong, as it was at any time."""
        if self.chance.random() < self.odds:
            return None
        self.glances += 1
        behind = self.before and self.odds and self.chance.random() < 0.5
        return copy.deepcopy(self.chance.choice(self.before)) if behind else self.cluster.shown()

    def not_by_a_glance(self) -> None:
        """Something is done: by nobody who was only shown the cluster."""
        assert all(one.seen is None for one in self.managers), "done by what a picture shows"

    def _not_by_a_glance(self, connection: Any, cursor: Any, text: str, *rest: object) -> None:
        if text.startswith(("INSERT", "UPDATE", "DELETE")) and not text.startswith(_TELLS):
            self.not_by_a_glance()

    def point(self, name: str) -> None:
        """Where a manager may die; or sleep, while another one leads and pods come to run."""
        roll = self.chance.random()
        if roll < self.odds:
            self.deaths += 1
            raise Dies
        if roll < self.odds * (6 if "create" in name else 2) and not self.nested:
            self.rivals += 1
            self.nested = True
            self.sleep()
            self.nested = False

    def sleep(self) -> None:
        """What happens while a leader sleeps: another one takes its place, and people ask."""
        rival = self.another()
        self.forget_lease()
        for _ in range(self.chance.randrange(2, 12)):
            if not self.turn(rival):
                rival = self.another()
                self.forget_lease()
            self.kubelets()
            self.befalls()

    def turn(self, manager: Manager) -> bool:
        """A pass; False: that manager is no more."""
        try:
            manager.turn()
        except Dies:
            return False
        except Away:
            self.aways += 1
        except LostLease:
            pass
        return True

    def step(self) -> None:
        """A pass, now and then an hour after the one before: while no leader sleeps."""
        if self.chance.random() < 0.2:
            an_hour_passes(self.manager)
        if not self.turn(self.manager):
            self.manager = self.another()
            self.forget_lease()
        self.kubelets()

    def forget_lease(self) -> None:
        with changing(self.engine) as connection:
            connection.execute(leases.delete())

    def kubelets(self) -> None:
        self.before.append(self.cluster.shown())
        self.cluster.start()
        self.cluster.stop_deleted()

    def befalls(self) -> None:
        """Something that people, nodes or programs do."""
        running = [name for name, pod in self.cluster.pods().items()
                   if pod["status"]["phase"] == "Running"]  # fmt: skip
        what = self.chance.randrange(6)
        if what == 0 and running:
            self.cluster.end(self.chance.choice(running), self.chance.choice([0, 0, 1]))
        elif what == 1 and running:
            name = self.chance.choice(running)
            space = next(key[1] for key in self.cluster.objects if key[2] == name)
            FakeKubernetes.delete(self.cluster, "pods", space, name)
        elif what < 5:
            self.ask()

    def ask(self) -> None:
        with reading(self.engine) as connection:
            found = jobs.listing(connection, None, None)
        to = self.chance.choice(list(ASKED))
        able = [row.jobId for row in found if row.jobStatus in ASKED[to]]
        if able:
            with changing(self.engine) as connection:
                row = jobs.find(connection, self.chance.choice(able))
                assert row is not None
                jobs.move(connection, row, to, "ann")

    def calm(self) -> None:
        """Nothing goes wrong any more, and all that runs comes to its end."""
        self.odds = self.cluster.odds = 0.0
        self.forget_lease()
        self.manager = self.another()
        for _ in range(40):
            self.step()
            for name, pod in self.cluster.pods().items():
                if pod["status"]["phase"] == "Running":
                    self.cluster.end(name)
            if self.settled():
                break
        self.step()
        an_hour_passes(self.manager)
        self.step()  # names of the last ones are let go

    def settled(self) -> bool:
        with reading(self.engine) as connection:
            return not jobs.live(connection)
