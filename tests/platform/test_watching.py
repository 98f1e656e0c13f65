"""A manager that watches Kubernetes over HTTP, where versions are forgotten and connections are cut
or say nothing: it finds what has changed, and asks for next to nothing otherwise."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobplatform import kubernetes
from jobplatform.kubernetes import Away, Cluster
from jobplatform.manager.loop import Manager
from jobplatform.manager.picture import KINDS, Kind, Picture
from jobplatform.manager.pods import JOB
from tests.support.platform.kubernetes import node
from tests.support.platform.managers import GANG, Site
from tests.support.platform.watching import Server, key, serving
from tests.support.waiting import wait_until

ONCE = dict.fromkeys(KINDS, 1)


@pytest.fixture
def site(database: Engine) -> Site:
    return Site(database)


@pytest.fixture
def both(site: Site, tmp_path: Path) -> Iterator[tuple[Server, Cluster]]:
    with serving(site.cluster, tmp_path) as found:
        yield found


@pytest.fixture
def server(both: tuple[Server, Cluster]) -> Server:
    return both[0]


@pytest.fixture
def made(both: tuple[Server, Cluster], monkeypatch: pytest.MonkeyPatch) -> Iterator[Picture]:
    """A picture whose watches are going; they end with the test."""
    made, ended = Picture(both[1]), threading.Event()

    def run(one: Kind) -> None:
        while not ended.is_set():
            one.hear()
            ended.wait(0.01)

    threads = [threading.Thread(target=run, args=(one,)) for one in made.kinds.values()]
    for one in threads:
        one.start()
    yield made
    ended.set()
    both[0].ended.set()
    both[0].frozen.clear()
    for one in threads:
        one.join()


def shows(picture: Picture, site: Site) -> bool:
    """Whether it has what there is, and is kept up to date."""
    shown, there = picture.seen(), site.cluster.shown()
    if shown is None:
        return False
    return all(
        {key(one): one.get("status", {}) for one in shown[kind]}
        == {key(one): one.get("status", {}) for one in there[kind]}
        for kind in KINDS
    )


def asked(server: Server, verb: str) -> dict[str, int]:
    """How often it was asked for each kind."""
    return {kind: server.asked[f"{verb} {kind}"] for kind in KINDS}


def let_watches_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on each ends after 50 ms, and that is no failure."""
    monkeypatch.setattr("jobplatform.manager.picture._SHORT", 0)
    server.longest = 0.05
    server.cuts += 1


def test_what_is_made_changed_and_taken_away_is_heard_of(
    made: Picture, server: Server, site: Site
) -> None:
    wait_until(lambda: shows(made, site))
    number = site.submit(**GANG)
    site.cluster.objects["services", "kube-system", "dns"] = {"metadata": {
        "name": "dns", "namespace": "kube-system"}}  # fmt: skip
    site.turns()
    wait_until(lambda: shows(made, site) and made.changed.is_set())
    shown = made.seen()
    assert shown and {one["metadata"]["labels"][JOB] for one in shown["services"]} == {number}
    site.cluster.nodes["n3"] = node("n3")
    del site.cluster.nodes["n1"]
    site.cluster.end(f"job-{number}-1-worker-0")
    site.cluster.objects.clear()
    wait_until(lambda: shows(made, site))
    assert asked(server, "list") == ONCE
    assert asked(server, "watch") == ONCE


def test_a_job_comes_and_goes_and_nothing_is_asked_for_afterwards(
    made: Picture, server: Server, site: Site, both: tuple[Server, Cluster]
) -> None:
    manager = site.manager = Manager(site.engine, both[1], "one", picture=made.seen)

    def passes() -> None:
        for _ in range(4):
            wait_until(lambda: shows(made, site))
            site.turns(1)

    number = site.submit(**GANG)
    passes()
    assert site.job(number).jobStatus == "running"
    site.ask(number, "killing")
    passes()
    assert (site.job(number).jobStatus, site.cluster.running(number)) == ("killed", [])
    wait_until(lambda: shows(made, site))
    before = server.asked.copy()
    for _ in range(20):
        assert manager.turn()
    assert server.asked == before


@pytest.mark.parametrize("late", [False, True])
def test_a_version_that_is_forgotten_needs_one_more_list(
    made: Picture, server: Server, site: Site, late: bool
) -> None:
    wait_until(lambda: shows(made, site))
    server.late = late
    server.frozen.set()
    site.cluster.nodes["n3"] = node("n3")
    server.cuts += 1
    server.forget()
    server.frozen.clear()
    wait_until(lambda: shows(made, site))
    wait_until(lambda: all(server.asked[f"list {kind}"] == 2 for kind in KINDS))


def test_a_watch_that_ends_in_time_or_is_cut_goes_on_without_a_list(
    made: Picture, server: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(lambda: shows(made, site))
    let_watches_end(server, monkeypatch)
    for number in range(5):
        site.cluster.nodes[f"more{number}"] = node(f"more{number}")
        wait_until(lambda: shows(made, site))
    wait_until(lambda: all(server.asked[f"watch {kind}"] > 5 for kind in KINDS))
    assert asked(server, "list") == ONCE


def test_bookmarks_keep_the_version_of_a_kind_that_never_changes(
    made: Picture, server: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is forgotten while other kinds change, and all of it would be listed again."""
    wait_until(lambda: shows(made, site))
    let_watches_end(server, monkeypatch)
    for number in range(3):
        site.cluster.nodes[f"more{number}"] = node(f"more{number}")
        server.look()
        wait_until(lambda: all(int(one.version) >= server.version for one in made.kinds.values()))
        with server.lock:
            server.oldest, server.events = server.version, []
    wait_until(lambda: shows(made, site))
    assert asked(server, "list") == ONCE


def test_a_connection_that_says_nothing_is_given_up(
    made: Picture, server: Server, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until(lambda: shows(made, site))
    monkeypatch.setattr(kubernetes, "_SILENT", 0.2)
    server.cuts += 1  # those that are open wait longer
    wait_until(lambda: all(server.asked[f"watch {kind}"] > 1 for kind in KINDS))
    server.frozen.set()
    wait_until(lambda: not any(one.current for one in made.kinds.values()))
    site.cluster.nodes["n3"] = node("n3")
    monkeypatch.undo()
    server.frozen.clear()
    wait_until(lambda: shows(made, site))


@pytest.mark.parametrize("how", ["away", "cut", "forgotten"])
def test_what_happens_while_kubernetes_is_away_is_found_and_nothing_is_lost(
    made: Picture, server: Server, site: Site, both: tuple[Server, Cluster], how: str
) -> None:
    """503 on new requests; all connections cut as well; and all versions forgotten as well."""
    site.manager = Manager(site.engine, both[1], "one", picture=made.seen)
    running, ending, waiting = (site.submit(device="V100", devices=each) for each in (8, 4, 8))

    def passed() -> bool:
        site.turns(1)
        return [site.job(one).jobStatus for one in (running, ending)] == ["running", "running"]

    wait_until(passed)
    site.cluster.away = True
    server.cuts += how != "away"
    site.cluster.end(f"job-{ending}-1-worker-0")
    site.ask(running, "pausing")
    if how == "forgotten":
        server.forget()
    for _ in range(3):
        with pytest.raises(Away):
            site.manager.turn()
    site.cluster.away = False

    def caught_up() -> bool:
        with suppress(Away):
            site.turns(1)
        states = [site.job(one).jobStatus for one in (running, ending, waiting)]
        return states == ["paused", "finished", "running"]

    wait_until(caught_up)
    assert set(site.cluster.runs.values()) == {1}
    wait_until(lambda: shows(made, site))
