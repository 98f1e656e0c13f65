"""Settings of docker's client, and logging in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.images import engine
from dlws.images.engine import Engine
from tests.support.fakes import World

CONFIG = """cluster_name: atlas
machines: {m: {role: infra, private-ip: 10.1.0.1}}
registry_credential:
  r.example:5000: {username: puller, password: "it's \\"1\\" $x"}
  https://index.docker.io/v1/: {username: hub, password: two}
private_docker_credential:
  r.example:5000: {username: other, password: three}
"""
DOCKER = """#!/bin/sh
# Notes what it is called with, where its settings are, and what it is given.
{ echo "$@"; echo "$DOCKER_CONFIG"; cat "$DOCKER_CONFIG/config.json"; echo; cat; echo; } >>"$SEEN"
stat -c %a "$DOCKER_CONFIG" "$DOCKER_CONFIG/config.json" >>"$SEEN"
exit "$CODE"
"""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a docker of the test's own was called with."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setenv("CODE", "0")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "own"))
    return tmp_path / "seen"


def test_the_password_goes_over_standard_input_to_settings_of_our_own(
    seen: Path, tmp_path: Path, make: Callable[..., World]
) -> None:
    (tmp_path / "own/contexts").mkdir(parents=True)
    given = {"auths": {"x": {"auth": "y"}}, "credsStore": "keychain", "currentContext": "there"}
    (tmp_path / "own/config.json").write_text(json.dumps(given))
    with engine.private(make(CONFIG).cluster, ["r.example:5000/web:1"]) as found:
        assert found.settings and (found.settings / "contexts").is_symlink()
    lines = seen.read_text().splitlines()
    assert lines[0] == "login --username=puller --password-stdin r.example:5000"
    assert json.loads(lines[2]) == {"auths": {"x": {"auth": "y"}}, "currentContext": "there"}
    assert lines[3:] == ['it\'s "1" $x', "700", "600"]
    assert lines[1] == str(found.settings) and not found.settings.exists()
    assert json.loads((tmp_path / "own/config.json").read_text()) == given


def test_docker_hub_is_logged_in_to_by_its_own_name(seen: Path, make: Callable[..., World]) -> None:
    with engine.private(make(CONFIG).cluster, ["apulistech/web:1", "apulistech/x:1"]):
        pass
    calls = [line for line in seen.read_text().splitlines() if line.startswith("login")]
    assert calls == ["login --username=hub --password-stdin"]


def test_a_registry_that_nothing_is_known_of_is_left_to_what_the_person_did(
    seen: Path, tmp_path: Path, make: Callable[..., World]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/config.json").write_text('{"credsStore": "keychain"}')
    with engine.private(make(CONFIG).cluster, ["other.example/web:1"]) as found:
        assert found.settings
        assert json.loads((found.settings / "config.json").read_text()) == {
            "credsStore": "keychain"
        }
    assert not seen.exists()


def test_a_refused_login_names_the_key(
    seen: Path, tmp_path: Path, make: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE", "1")
    with (
        pytest.raises(DeployError, match=r"r\.example:5000 does not let puller in") as caught,
        engine.private(make(CONFIG).cluster, ["r.example:5000/web:1"]),
    ):
        pass
    assert caught.value.cure == "correct registry_credential.r.example:5000 in config.yaml"


def test_no_docker_and_no_engine_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(DeployError, match="this machine has no docker") as caught:
        _ = Engine().architecture
    assert caught.value.cure == "run: apt-get install --no-install-recommends docker.io"


def test_an_engine_that_does_not_answer(
    seen: Path, tmp_path: Path, make: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE", "1")
    with pytest.raises(DeployError, match="the Docker engine does not answer") as caught:
        _ = Engine().architecture
    assert "systemctl start docker" in caught.value.cure and "docker.io" in caught.value.cure
    assert "up onpremise --only images" in caught.value.cure


def test_an_engine_that_this_account_may_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    said = b"permission denied while trying to connect to the Docker daemon socket at unix:///x"
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(Engine, "ask", lambda self, *words: Result(1, err=said))
    with pytest.raises(DeployError, match="permission denied") as caught:
        _ = Engine().architecture
    assert caught.value.cure.startswith("be root, or in the group docker")
