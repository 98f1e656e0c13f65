"""A session whose cluster is one of fakes."""

from __future__ import annotations

from dlws.runs.options import Options
from dlws.session import Session
from tests.support.fakes import World


def session(world: World) -> Session:
    """A session with the fakes of a world."""
    made = Session(Options(directory=world.cluster.directory))
    made._cluster, made._run, made._config = world.cluster, world.cluster.run, world.cluster.config
    return made
