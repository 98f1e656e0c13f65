"""Images are built beside the steps before theirs; the step itself does all that it did."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from dlws.access.certificates import new_ca
from dlws.core.errors import DeployError
from dlws.core.localfiles import write
from dlws.images import ownengine, wanted, work
from dlws.install import services, steps
from dlws.install.ahead import Ahead
from dlws.install.step import Step
from dlws.runs.plan import Plan
from dlws.session import Session
from tests.support.fakes import Make
from tests.support.ownimages import KEYS, TEXT
from tests.support.sessions import session


@dataclass
class Engines:
    """Engines that stand in, and what was asked of them."""

    made: list[tuple[list[str], bool, tuple[str, ...]]] = field(default_factory=list)
    """The images, whether they were pushed, and the way to the engine."""
    running: int = 0
    began: int = 0
    broken: bool = False
    failing: str = ""
    gate: threading.Event = field(default_factory=threading.Event)

    def make(self, cluster: Any, words: list[str], kind: Any, push: bool = False,
             entry: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.made.append((list(words), push, entry))
        if not push:
            assert threading.current_thread() is not threading.main_thread()
            assert self.gate.wait(60)
            cluster.run.halt.check()
        cluster.run.console.say("one of many lines", "nginx")
        if self.failing:
            raise DeployError(self.failing)
        cluster.run.console.changed("pushed it" if push else "built it", "nginx")

    @contextmanager
    def engine(self, trust: Mapping[str, bytes]) -> Iterator[tuple[str, ...]]:
        if self.broken:
            raise DeployError("a Docker engine does not start")
        self.began, self.running = self.began + 1, self.running + 1
        try:
            yield ("enter", str(self.began))
        finally:
            self.running -= 1


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    found = Engines()
    monkeypatch.setattr(work, "make", found.make)
    monkeypatch.setattr(wanted, "keys", lambda cluster, names: {n: KEYS[n] for n in names})
    monkeypatch.setattr(services, "labels", lambda cluster, names: {})
    monkeypatch.setattr(ownengine, "running", found.engine)
    monkeypatch.setattr(ownengine, "obstacle", lambda: "")
    monkeypatch.setattr(ownengine, "missing", list)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return found


def begun(make: Make, text: str = TEXT, **options: Any) -> Session:
    """A session in which the images were begun beside a step."""
    found = session(make(text, **options))
    found.run.recorded, found.console = True, found.run.console
    write(found.cluster.deploy / "registry/ca.crt", new_ca("atlas").certificate.encode(), 0o644)
    services.images_ahead(found)
    return found


BOTH = ["mariadb", "nginx"]


def test_what_was_built_meanwhile_is_pushed_from_the_same_engine(
    make: Make, engines: Engines, capsys: pytest.CaptureFixture[str]
) -> None:
    site = begun(make)
    services.images_ahead(site)  # once is enough
    assert site.beside
    engines.gate.set()
    services.images(site)
    assert engines.made == [(BOTH, False, ("enter", "1")), (BOTH, True, ("enter", "1"))]
    site.beside.close()
    assert engines.running == 0
    said = capsys.readouterr().err
    assert "changed: built it" in said and said.count("one of many lines") == 1
    assert [one for one in site.console.changes if one.startswith("nginx")] == [
        "nginx: built it", "nginx: pushed it",
    ]  # fmt: skip
    site.finish("done")
    (log,) = (site.options.directory / "deploy/runs").rglob("images-ahead.log")
    assert "one of many lines" in log.read_text()


def test_what_cannot_be_built_meanwhile_fails_in_the_step_as_ever(
    make: Make, engines: Engines, capsys: pytest.CaptureFixture[str]
) -> None:
    engines.failing = "building mariadb failed"
    engines.gate.set()
    site = begun(make)
    with pytest.raises(DeployError, match="building mariadb failed"):
        services.images(site)
    site.close()
    assert [pushed for _, pushed, _ in engines.made] == [False, True] and engines.running == 0
    assert "failed" not in capsys.readouterr().err  # the step's error says it


def test_an_engine_that_does_not_start_meanwhile_is_started_by_the_step(
    make: Make, engines: Engines
) -> None:
    engines.broken = True
    site = begun(make)
    with pytest.raises(DeployError, match="does not start"):
        services.images(site)
    engines.broken = False
    services.images(site)
    assert engines.made == [(BOTH, True, ("enter", "1"))] and engines.running == 0


def test_what_the_thread_did_not_expect_is_told_by_the_step(
    make: Make, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "make", lambda *words, **more: 1 / 0)
    site = begun(make)
    with pytest.raises(ZeroDivisionError):
        services.images(site)
    site.close()
    assert engines.running == 0


def test_a_run_that_ends_early_ends_what_is_being_built(make: Make, engines: Engines) -> None:
    site = begun(make)
    threading.Timer(0.2, engines.gate.set).start()
    site.finish("failed")
    assert engines.running == 0 and "nginx: built it" not in site.console.changes
    site.close()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (TEXT, {"dry_run": True}),
        (TEXT, {"applied_plan": Plan((), "", "", "", "", "", "")}),
        (TEXT.replace("services: [mysql, nginx]\n", ""), {}),
        (f"{TEXT}dockerregistry: registry.example.org/site\nregistry: {{enabled: false}}\n", {}),
        (f"{TEXT}dockerregistry: registry.example.org/site\n", {}),
        (TEXT.replace("vendor: huawei", "vendor: huawei, archtype: arm64"), {}),
    ],
    ids=["a dry run", "a plan", "no services", "no registry", "another registry", "arm64, too"],
)
def test_nothing_is_begun_where_the_step_has_to_decide(
    make: Make, engines: Engines, text: str, options: dict[str, Any]
) -> None:
    site = begun(make, text, **options)
    assert site.beside is None and engines.made == []


def test_what_is_wrong_is_left_to_the_step(
    make: Make, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownengine, "obstacle", lambda: "only root can start one")
    assert begun(make).beside is None

    def away(cluster: Any, names: Any) -> None:
        raise DeployError("the registry's node is away")

    monkeypatch.setattr(services, "labels", away)
    assert begun(make).beside is None and engines.made == []


def test_nothing_is_begun_that_the_registry_has(
    make: Make, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = KEYS["mariadb"] | KEYS["nginx"]
    monkeypatch.setattr(services, "labels", lambda cluster, names: there)
    assert begun(make).beside is None and engines.made == []


def test_the_first_step_that_keeps_nodes_busy_begins_it(make: Make) -> None:
    beside = [step.name for step in steps.STEPS if step.beside]
    assert beside == ["prepare", "tools", "init"]
    site, found = session(make(TEXT)), []

    def begin(_: Session) -> None:
        found.append("begun")

    for name in ("tools", "init"):
        steps._do(site, Step(name, "", lambda _: found.append("ran"), beside=begin), [])
    assert found == ["begun", "ran", "ran"]


def test_the_step_prepare_begins_it(make: Make, engines: Engines) -> None:
    engines.gate.set()
    (prepare,) = [step for step in steps.STEPS if step.name == "prepare"]
    site = session(make(TEXT))
    assert prepare.beside
    prepare.beside(site)
    assert isinstance(site.beside, Ahead)
    site.close()
    assert engines.running == 0
