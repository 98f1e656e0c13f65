"""The roles of the image: `python -m jobplatform ROLE`, of which `account` needs a NAME."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from jobplatform import metrics
from jobplatform.settings import (
    Missing,
    Settings,
    api_address,
    api_server,
    kept_logs,
    metrics_port,
    settings,
    sign_in,
)
from jobplatform.store import entry, people
from jobplatform.store.database import Unavailable, changing, engine
from jobplatform.store.migrations import upgrade

if TYPE_CHECKING:
    from jobplatform.manager.loop import Manager
    from jobplatform.manager.wake import Wake
    from jobplatform.model.signin import SignIn, Way
    from jobplatform.signin.graph import Member

ADMINISTRATOR = "Administrator"
PORT = 5000
PODS = Path("/var/log/pods")
_PLACE = Path(tempfile.gettempdir())
ALIVE, PASSED = _PLACE / "alive", _PLACE / "passed"
"""Touched by the manager before each pass, and after each that came to its end: for probes."""
_ALIVE_FOR, _READY_FOR = 300.0, 120.0
"""Seconds after such a touch."""
SERVING: Final[Mapping[str, Any]] = {
    "host": "", "port": PORT, "access_log": False, "server_header": False,
    "http": "h11",
}  # fmt: skip
"""How requests come in. h11 bounds the headers that it keeps of a request; httptools, which uvicorn
takes where it is installed, keeps as many as anybody sends."""
_YEAR = 365 * 86400
_LOG = logging.getLogger("jobplatform")


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if given.role in _WITHOUT_DATABASE:
            _WITHOUT_DATABASE[given.role]()
        else:
            told = settings()
            _WITH_DATABASE[given.role](told, engine(told.url()), given)
    except (Missing, Unavailable) as error:
        print(f"jobplatform: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("jobplatform", description=__doc__)
    roles = made.add_subparsers(dest="role", required=True)
    for name in (
        "api",
        "portal",
        "manager",
        "migrate",
        "collector",
        "exporter",
        "watchdog",
        "synchronize",
    ):
        roles.add_parser(name)
    one = roles.add_parser("account", help="set a password, which is read from standard input")
    one.add_argument("name")
    return made


def migrate(told: Settings, made: Engine, given: argparse.Namespace) -> None:
    """Bring the tables up to date, and let the administrator in whose token is in a file."""
    upgrade(made)
    if told.admin_token.exists():
        token = told.admin_token.read_text().strip()
        if len(token) < 32:
            raise Missing(f"the token in {told.admin_token} is shorter than 32 characters")
        with changing(made) as connection:
            people.keep_token(connection, token, ADMINISTRATOR, "installation", _YEAR)
            people.allow(connection, ADMINISTRATOR, "Cluster", 7)


def account(told: Settings, made: Engine, given: argparse.Namespace) -> None:
    password = sys.stdin.readline().rstrip("\n")
    if len(password) < 12:
        raise Missing("a password of at least 12 characters on standard input")
    with changing(made) as connection:
        people.set_password(connection, given.name, password)


def api(told: Settings, made: Engine, given: argparse.Namespace) -> None:
    import uvicorn

    from jobplatform.api.app import create
    from jobplatform.kubernetes import ACCOUNT, Cluster

    source = Cluster(told.kubernetes) if ACCOUNT.exists() else None
    app = create(made, source, kept_logs(), sign_in())
    _tell(app.state.meters.registry)
    uvicorn.run(app, **SERVING)


def _tell(
    registry: CollectorRegistry, probes: Mapping[str, Callable[[], bool]] | None = None
) -> None:
    if port := metrics_port():
        metrics.serve(registry, port, probes)


def _touched(path: Path, seconds: float) -> bool:
    """Whether it was, so many seconds ago at most."""
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime < seconds
    return False


def synchronize(told: Settings, made: Engine, given: argparse.Namespace) -> None:
    """Bring the people of a directory's groups in, and take the groups from who left."""
    from jobplatform.signin import graph, proof, web

    ways = sign_in()
    for way in filter(graph.asked, ways.ways):
        one = graph.Graph(way, web.Https(ways.ca))
        try:
            found = {group: one.members(group) for group in way.groups}
        except proof.Away as error:
            raise Missing(f"{way.name} was not synchronized: {error}") from None
        _taken_over(made, ways, way, found)


def _taken_over(
    made: Engine, ways: SignIn, way: Way, found: Mapping[str, Sequence[Member]]
) -> None:
    everybody = [one for members in found.values() for one in members]
    open_ones = {one.name: [group for group, members in found.items() if one in members]
                 for one in everybody if not one.closed}  # fmt: skip
    closed = {one.name for one in everybody if one.closed}
    with changing(made) as connection:
        for words in entry.synchronize(connection, ways, way, open_ones, closed):
            _LOG.warning("%s was left out: %s", way.name, words)
    _LOG.info("%s: %s people in %s groups", way.name, len(open_ones), len(found))


def portal() -> None:
    """Pages that ask the API with the visitor's token. No database, no Kubernetes, no secret."""
    import uvicorn

    from jobplatform.portal.app import create
    from jobplatform.portal.backend import Http

    app = create(Http(api_address()))
    uvicorn.run(app, **SERVING)


def collector() -> None:
    """Keep what the workers on this node print. No database, no Kubernetes, no secret."""
    from jobplatform.collector import loop

    share = kept_logs()
    if share is None:
        raise Missing("set PLATFORM_LOGS to the share on which logs are kept")
    signal.signal(signal.SIGTERM, _leave)
    loop.run(PODS, share, ALIVE)


def exporter() -> None:
    """Tell Prometheus what this node's devices do. No database, no Kubernetes, no secret."""
    from jobplatform.exporter.collect import Exporter
    from jobplatform.exporter.nvidia import Smi

    _tell_alone(Exporter(Smi()))


def watchdog() -> None:
    """Tell Prometheus how Kubernetes is. No database, no secret but its own account's."""
    from jobplatform.exporter.watch import Watchdog
    from jobplatform.kubernetes import Cluster

    _tell_alone(Watchdog(Cluster(api_server())))


def _tell_alone(measures: Collector) -> None:
    port = metrics_port()
    if port is None:
        raise Missing("set PLATFORM_METRICS_PORT to the port at which Prometheus asks")
    made = CollectorRegistry()
    made.register(measures)
    signal.signal(signal.SIGTERM, _leave)
    metrics.serve(made, port)
    threading.Event().wait()


def manager(told: Settings, made: Engine, given: argparse.Namespace) -> None:
    from jobplatform.kubernetes import Cluster
    from jobplatform.manager.homes import Share
    from jobplatform.manager.loop import Manager
    from jobplatform.manager.picture import Picture
    from jobplatform.manager.wake import Wake

    signal.signal(signal.SIGTERM, _leave)
    share = Share(told.share, told.claim, told.on_nodes) if told.share else None
    holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    picture = Picture(Cluster(told.kubernetes))
    one = Manager(made, Cluster(told.kubernetes), holder, share, picture=picture.seen)
    wake = Wake(made, picture.changed)
    _tell(one.meters.registry, {"/alive": lambda: _touched(ALIVE, _ALIVE_FOR),
                                "/ready": lambda: _touched(PASSED, _READY_FOR)})  # fmt: skip
    picture.watch()
    try:
        _lead(one, wake)
    finally:
        with suppress(Exception):  # it may be the database that is away: then the lease runs out
            one.resign()


def _lead(one: Manager, wake: Wake) -> None:
    from jobplatform.manager.wake import LEADING, LONGEST

    while True:
        ALIVE.touch()
        began, longest = time.monotonic(), LONGEST
        try:
            with one.meters.passes.time():
                longest = LEADING if one.turn() else LONGEST
            PASSED.touch()
        except Exception as error:  # the next pass begins anew; nothing is kept in memory
            one.meters.failures.labels(type(error).__name__).inc()
            _LOG.warning("this pass ended early: %s: %s", type(error).__name__, error)
        wake.wait(time.monotonic() - began, longest)


def _leave(number: int, frame: object) -> None:
    """End now: as process 1 of a container, this would go on for its whole time of grace. What a
    pass leaves half done, the next manager finds."""
    sys.exit(0)


_WITHOUT_DATABASE: Mapping[str, Callable[[], None]] = {
    "portal": portal, "collector": collector, "exporter": exporter,
    "watchdog": watchdog,
}  # fmt: skip
_WITH_DATABASE: Mapping[str, Callable[[Settings, Engine, argparse.Namespace], None]] = {
    "api": api, "manager": manager, "migrate": migrate, "account": account,
    "synchronize": synchronize,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
