"""Never lost, never doubled: managers die at random points, two lead at once, answers get lost, and
what is shown of the cluster is as it was long ago.

DLWS_SEEDS=1000 plays so many; DLWS_SEED=N and this file play one alone. The stand-in for the
cluster fails the test by itself when a worker of a job runs twice.
"""

from __future__ import annotations

import inspect
import os
import re
from random import Random
from typing import Any

import pytest

from jobplatform.manager import loop
from jobplatform.model import status
from jobplatform.model.request import Request
from jobplatform.store import jobs, people, vcs
from jobplatform.store.database import changing, reading
from tests.support.platform.chaos import Chaos
from tests.support.platform.clients import JOB
from tests.support.platform.databases import fresh
from tests.support.platform.managers import GANG, POINTS

_BLOCK = 10
PLAYED = int(os.environ.get("DLWS_SEEDS", "30"))
ONE = os.environ.get("DLWS_SEED", "")
BLOCKS = [range(int(ONE), int(ONE) + 1)] if ONE else [
    range(first, min(first + _BLOCK, PLAYED)) for first in range(0, PLAYED, _BLOCK)
]  # fmt: skip
SHAPES: list[dict[str, Any]] = [
    {}, {"device": "V100", "devices": 2}, GANG, {**GANG, "preemptible": True},
    {**GANG, "launch": "first"}, {"retries": 0},
]  # fmt: skip


def play(seed: int) -> Chaos:
    chance = Random(seed)
    made = fresh()
    site = Chaos(made, chance)
    with changing(made) as connection:
        vcs.add(connection, "a", {"V100": 32}, {})
        people.set_identity(connection, "ann@example.org", 5000, 5001, [])
        for shape in chance.sample(SHAPES, 3):
            jobs.add(connection, Request.model_validate({**JOB, **shape}), "ann@example.org")
    site.odds, site.cluster.odds = chance.choice([0.02, 0.05, 0.1]), chance.choice([0, 0.02, 0.05])
    for _ in range(20):
        site.step()
        site.befalls()
    site.calm()
    return site


def check(site: Chaos) -> None:
    """Each job came to an end, no worker ran more often than it was tried, and nothing is left."""
    with reading(site.engine) as connection:
        found = jobs.listing(connection, None, None)
    assert len(found) == 3
    states = {row.jobStatus for row in found}
    assert states <= status.ENDED - {status.ERROR} | {status.PAUSED}, states
    tried = {row.jobId: row.attempt for row in found}
    assert [one for one, runs in site.cluster.runs.items() if runs > tried[one[0]]] == []
    left = {key for key in site.cluster.objects if key[0] in {"services", "configmaps", "pods"}}
    assert left == set()


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_seeds(seeds: range) -> None:
    for seed in seeds:
        site = None
        try:
            site = play(seed)
            check(site)
        except AssertionError as error:
            again = f"DLWS_SEED={seed} .venv/bin/python -m pytest {os.path.relpath(__file__)}"
            raise AssertionError(f"seed {seed}: {error}\nagain: {again}") from error
        finally:
            if site:
                site.engine.dispose()


def test_seeds_meet_deaths_rivals_and_silence() -> None:
    sites = [play(seed) for seed in range(3)]
    for counter in ("deaths", "rivals", "aways", "glances"):
        assert sum(getattr(site, counter) for site in sites) > 0
    for site in sites:
        site.engine.dispose()


def test_every_point_that_is_named_is_one_of_those_at_which_managers_are_killed() -> None:
    source = inspect.getsource(loop)
    kinds = ("services", "configmaps", "pods")
    named = {one.replace("{kind}", kind) for one in re.findall(r'self\.point\(f?"([^"]+)"', source)
             for kind in kinds}  # fmt: skip
    assert named == set(POINTS)
