"""The image's roles, as a container starts them: what they are told, and what they then do."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobplatform import __main__ as roles
from jobplatform.manager.loop import LEASE_MS, Manager
from jobplatform.manager.wake import LEADING, LONGEST
from jobplatform.settings import Missing, settings
from jobplatform.store import people
from jobplatform.store.database import changing, reading
from tests.support import ROOT
from tests.support.examples import cluster_of, filled_in, objects_of
from tests.support.mariadb import MariaDb
from tests.support.platform.databases import NAME
from tests.support.platform.managers import Site
from tests.support.sshd import free_port

GIVEN = {"PLATFORM_DATABASE_NAME": "DLWSCluster-1"}
TOKEN = "t" * 40


def test_what_is_not_told_has_a_usual_value() -> None:
    told = settings(GIVEN)
    assert (told.host, told.port, told.user, told.share) == ("mysql", 3306, "root", None)
    assert told.kubernetes == "https://kubernetes.default.svc:443"
    assert settings({**GIVEN, "KUBERNETES_SERVICE_HOST": "fd00::1"}).kubernetes == (
        "https://[fd00::1]:443"
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [({}, "set PLATFORM_DATABASE_NAME"), ({**GIVEN, "PLATFORM_DATABASE_PORT": "x"}, "no number"),
     ({**GIVEN, "PLATFORM_SHARE": "/s"}, "together")],
)  # fmt: skip
def test_what_is_missing_is_named(given: dict[str, str], why: str) -> None:
    with pytest.raises(Missing, match=why):
        settings(given)


@pytest.fixture
def told(empty: Engine, mariadb: MariaDb, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables and files of a container whose database is the real one."""
    password = "it's $ecret"
    mariadb.ask("CREATE USER platform@'%%' IDENTIFIED BY %s", password)
    mariadb.ask("GRANT ALL ON *.* TO platform@'%'")
    (tmp_path / "password").write_text(f"{password}\n")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    yield {
        "PLATFORM_DATABASE_NAME": NAME, "PLATFORM_DATABASE_HOST": "127.0.0.1",
        "PLATFORM_DATABASE_PORT": str(mariadb.port), "PLATFORM_DATABASE_USER": "platform",
        "PLATFORM_DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
        "PLATFORM_ADMIN_TOKEN_FILE": str(tmp_path / "token"), "TMPDIR": str(tmp_path),
    }  # fmt: skip


@pytest.fixture
def container(told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("container")
def test_migrating_lets_the_administrator_in_and_may_be_repeated(empty: Engine) -> None:
    for _ in range(2):
        assert roles.main(["migrate"]) == 0
    with reading(empty) as connection:
        found = people.by_token(connection, TOKEN)
        assert found and found.name == "Administrator" and found.administers


@pytest.mark.usefixtures("container")
def test_a_short_token_and_a_wrong_password_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("short")
    assert roles.main(["migrate"]) == 1
    assert "is shorter than 32 characters" in capsys.readouterr().err
    (tmp_path / "password").unlink()
    assert roles.main(["migrate"]) == 1
    assert "password cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("container")
def test_an_account_gets_its_password_from_standard_input(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert roles.main(["migrate"]) == 0
    for given, code in (("short\n", 1), ("a good long password\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        assert roles.main(["account", "ann"]) == code
    with changing(empty) as connection:
        assert people.sign_in(connection, "ann", "a good long password") == "ok"


def probes(place: Path) -> dict[str, str]:
    """The paths that a kubelet asks the manager for, by the probe."""
    (made,) = (one.body for one in objects_of(cluster_of(place, filled_in()))["jobmanager2"]
               if one.body["kind"] == "Deployment")  # fmt: skip
    (container,) = made["spec"]["template"]["spec"]["containers"]
    return {name: container[name]["httpGet"]["path"]
            for name in ("startupProbe", "livenessProbe", "readinessProbe")}  # fmt: skip


def code(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_manager_that_can_do_nothing_lives_on_and_ends_when_it_is_told_to(
    told: dict[str, str], tmp_path: Path
) -> None:
    """There are no tables and no Kubernetes: no pass comes to its end."""
    (tmp_path / "site").mkdir()
    asked, port = probes(tmp_path / "site"), free_port()
    told["PLATFORM_METRICS_PORT"] = str(port)
    place = ROOT / "templates/images/platform"
    with (tmp_path / "said").open("wb") as said:
        running = subprocess.Popen(
            [sys.executable, "-m", "jobplatform", "manager"], cwd=place, stderr=said,
            env={**os.environ, **told},
        )  # fmt: skip
    try:
        while b"this pass ended early" not in (tmp_path / "said").read_bytes():
            assert running.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.05)
        assert (tmp_path / "alive").exists() and not (tmp_path / "passed").exists()
        found = {name: code(port, path) for name, path in asked.items()}
        assert found == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503}
        (tmp_path / "passed").touch()
        assert code(port, asked["readinessProbe"]) == 200
        long_ago = time.time() - 125
        os.utime(tmp_path / "passed", (long_ago, long_ago))
        assert code(port, asked["readinessProbe"]) == 503
        for name in ("environ", "cmdline"):  # which others see, and children get
            shown = Path(f"/proc/{running.pid}/{name}").read_bytes()
            assert b"jobplatform" in shown or b"PLATFORM_DATABASE_PASSWORD_FILE" in shown
            assert b"$ecret" not in shown and TOKEN.encode() not in shown
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()


class Waits:
    """Whoever waits between two passes: `told` has for how long at most. It ends after some."""

    def __init__(self, count: int) -> None:
        self.told: list[float] = []
        self.count = count

    def wait(self, took: float, longest: float) -> None:
        self.told.append(longest)
        if len(self.told) == self.count:
            raise SystemExit


def test_who_leads_looks_less_often_than_who_waits_to_lead(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease lasts for several passes of the leader, and its end is found soon."""
    monkeypatch.setattr(roles, "ALIVE", tmp_path / "alive")
    monkeypatch.setattr(roles, "PASSED", tmp_path / "passed")
    site, waits = Site(database), Waits(2)
    other = Manager(database, site.cluster, "two")
    with pytest.raises(SystemExit):
        roles._lead(site.manager, waits)  # type: ignore[arg-type]
    site.cluster.away = True
    follows, fails = Waits(1), Waits(1)
    for one, waiting in ((other, follows), (site.manager, fails)):
        with pytest.raises(SystemExit):
            roles._lead(one, waiting)  # type: ignore[arg-type]
    assert (waits.told, follows.told, fails.told) == ([LEADING] * 2, [LONGEST], [LONGEST])
    assert LEADING * 1000 * 3 < LEASE_MS and LEASE_MS + LONGEST * 1000 < 10_000
