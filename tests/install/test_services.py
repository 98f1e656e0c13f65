"""The last steps of the installation: which images are built, what is started, where it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from dlws.access.certificates import new_ca
from dlws.core.errors import DeployError, EndOfPlan
from dlws.core.localfiles import write
from dlws.database import init
from dlws.images import ownengine, wanted, work
from dlws.install import people, services
from dlws.runs.plan import local
from dlws.services import start
from dlws.session import Session
from tests.support.fakes import Make, World
from tests.support.ownimages import KEYS, PLACE, TEXT
from tests.support.sessions import session


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], tuple[str, ...]]]:
    """The images that are built and pushed, each time with the way to the engine."""
    found: list[tuple[list[str], tuple[str, ...]]] = []

    def make(cluster: object, words: list[str], kind: object, push: bool, entry: Any) -> None:
        assert push
        found.append((words, entry))

    @contextmanager
    def running(trust: Mapping[str, bytes]) -> Iterator[tuple[str, ...]]:
        assert PLACE in trust and b"CERTIFICATE" in trust[PLACE]
        yield ("enter",)

    monkeypatch.setattr(work, "make", make)
    monkeypatch.setattr(wanted, "keys", lambda cluster, names: {n: KEYS[n] for n in names})
    monkeypatch.setattr(ownengine, "running", running)
    monkeypatch.setattr(ownengine, "obstacle", lambda: "")
    monkeypatch.setattr(ownengine, "missing", list)
    return found


def trusting(world: World, monkeypatch: pytest.MonkeyPatch, there: Mapping[str, str]) -> Session:
    """A session whose registry was started, and has images with these labels."""
    certificate = new_ca("atlas").certificate
    write(world.cluster.deploy / "registry/ca.crt", certificate.encode(), 0o644)
    monkeypatch.setattr(services, "labels", lambda cluster, names: dict(there))
    return session(world)


def test_only_what_the_registry_lacks_or_has_from_another_context_is_built(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    pushed: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = KEYS["mariadb"] | KEYS["nginx"]
    services.images(trusting(make(TEXT), monkeypatch, {}))
    services.images(trusting(make(TEXT), monkeypatch, KEYS["nginx"]))
    services.images(trusting(make(TEXT), monkeypatch, both | {f"{PLACE}/atlas_nginx:1": "old"}))
    services.images(trusting(make(TEXT), monkeypatch, both))
    assert [words for words, _ in pushed] == [["mariadb", "nginx"], ["mariadb"], ["nginx"]]
    assert {entry for _, entry in pushed} == {("enter",)}
    assert "nothing to do: the registry has mariadb, nginx" in capsys.readouterr().err


def test_images_that_config_yaml_names_are_left_to_those_whose_they_are(
    make: Make, monkeypatch: pytest.MonkeyPatch, pushed: list[Any]
) -> None:
    text = f"{TEXT}dockers: {{external: {{mariadb: 'example/db:1', nginx: 'example/web:1'}}}}\n"
    services.images(trusting(make(text), monkeypatch, {}))
    services.images(trusting(make(f"{TEXT}dockers: {{build: false}}\n"), monkeypatch, {}))
    assert pushed == []


def test_for_a_registry_elsewhere_the_machines_own_engine_builds(
    make: Make, monkeypatch: pytest.MonkeyPatch, pushed: list[Any]
) -> None:
    text = f"{TEXT}dockerregistry: registry.example.org/site\nregistry: {{enabled: false}}\n"
    services.images(session(make(text)))
    assert pushed == [(["mariadb", "nginx"], ())]


def test_without_root_it_says_how_to_push_by_hand(
    make: Make, monkeypatch: pytest.MonkeyPatch, pushed: list[Any]
) -> None:
    monkeypatch.setattr(ownengine, "obstacle", lambda: "only root can start one")
    with pytest.raises(DeployError, match="only root can start one") as caught:
        services.images(trusting(make(TEXT), monkeypatch, {}))
    assert "docker push mariadb nginx" in caught.value.cure and pushed == []


def test_a_dry_run_installs_nothing_and_ends_there(
    make: Make, monkeypatch: pytest.MonkeyPatch, pushed: list[Any]
) -> None:
    monkeypatch.setattr(ownengine, "missing", lambda: ["docker.io"])
    monkeypatch.setattr(ownengine, "install", lambda packages, console: pytest.fail("installs"))
    dry = trusting(make(TEXT, dry_run=True), monkeypatch, {})
    with pytest.raises(EndOfPlan, match=r"docker\.io is on this machine"):
        services.images(dry)
    assert [one.text() for one in dry.gate.actions] == ["would install docker.io on this machine"]


def test_where_no_services_are_listed_every_step_says_so(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = session(make())
    for step in (services.images, services.database, services.services):
        step(bare)
        assert "config.yaml lists no services to start" in capsys.readouterr().err
    assert services.addresses(bare) == []


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started and initialised, in its order; starting mysql is a change."""
    found: list[str] = []

    def begin(cluster: Any, words: list[str], timeout: float) -> None:
        found.append(f"start {' '.join(words)}")
        if cluster.run.gate.dry_run:
            cluster.run.gate.admit(local(f"start {words}"))

    monkeypatch.setattr(start, "start", begin)
    monkeypatch.setattr(init, "init", lambda cluster, wait: found.append("init"))
    return found


def test_the_database_comes_first_and_gets_its_tables(make: Make, done: list[str]) -> None:
    all_of_it = session(make(TEXT))
    services.database(all_of_it)
    services.services(all_of_it)
    assert done == ["start mysql", "init", "start nginx"]
    assert (all_of_it.options.directory / "deploy/nginx/tls.crt").exists()


PLATFORM = TEXT.replace("[mysql, nginx]", "[mysql, nginx, jobmanager2]")


def test_the_job_platform_gets_its_token_and_a_plan_says_so(
    make: Make, monkeypatch: pytest.MonkeyPatch, pushed: list[Any], done: list[str]
) -> None:
    dry = session(make(PLATFORM, dry_run=True))
    with pytest.raises(EndOfPlan, match=r"images and services: unknown until admin\.token is made"):
        services.images(dry)
    write(dry.options.directory / "deploy/clusterID.yml", b"clusterId: 6f1f2d6e\n")
    services.images(trusting(make(PLATFORM), monkeypatch, KEYS["mariadb"] | KEYS["nginx"]))
    assert [words for words, _ in pushed] == [["platform"]]
    token = dry.options.directory / "deploy/dashboard/admin.token"
    assert token.stat().st_mode & 0o777 == 0o600 and len(token.read_text()) >= 32
    services.services(session(make(PLATFORM)))
    assert done == ["start nginx restfulapi2 jobmanager2"]


def test_what_of_the_platform_is_not_listed_lets_nobody_in(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(people, "administrator", lambda session: asked.append("administrator"))
    monkeypatch.setattr(people, "first_job", lambda session: asked.append("first-job"))
    for step in (services.people, services.first_job):
        step(session(make(TEXT)))
    assert "services lacks restfulapi2, jobmanager2 or nginx" in capsys.readouterr().err
    assert (asked, services.doors(session(make(TEXT)))) == ([], [])
    for step in (services.people, services.first_job):
        step(session(make(PLATFORM)))
    assert asked == ["administrator", "first-job"]


def test_a_dry_run_asks_no_database_that_is_not_there(make: Make, done: list[str]) -> None:
    with pytest.raises(EndOfPlan, match="the tables of the database: unknown until mysql is"):
        services.database(session(make(TEXT, dry_run=True)))
    assert done == ["start mysql"]


def test_where_services_and_the_registry_answer(make: Make) -> None:
    world = make(TEXT.replace("[mysql, nginx]", "[mysql, nginx, prometheus]"))
    assert services.addresses(session(world)) == [
        "  mysql       10.1.0.1:3306",
        "  nginx       http://10.1.0.1/monitor/",
        "  prometheus  http://10.1.0.1:9091",
        f"  registry    https://{PLACE}/v2/",
    ]
