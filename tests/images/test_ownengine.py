"""An engine of our own: it answers, trusts whom it is told to, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.core.localfiles import scratch
from dlws.images import ownengine
from dlws.images.engine import Engine
from dlws.shell.quoting import sh


def test_only_root_can_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert ownengine.obstacle() == "only root can start one"


def test_the_packages_that_a_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownengine, "_SYSTEM", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ownengine.missing() == ["docker.io", "mmdebstrap"]
    for name in ("docker", "dockerd", "mmdebstrap"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert ownengine.missing() == []


def test_packages_are_installed_without_starting_their_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, log = tmp_path / "policy-rc.d", tmp_path / "log"
    (tmp_path / "apt-get").write_text(
        f'#!/bin/sh\necho "$@" >>{log}\nsh {policy}\necho "starts: $?" >>{log}\n'
    )
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    line = ownengine.INSTALL.replace("/usr/sbin/policy-rc.d", str(policy))
    assert Local().run(sh("sh", "-c", line, "sh", "docker.io")).ok
    said = log.read_text().splitlines()
    assert said[0].endswith(" update") and said[2].endswith("--no-install-recommends docker.io")
    assert said[1] == said[3] == "starts: 101"
    assert not policy.exists()


def rules() -> str:
    """What an engine usually makes of packet rules: chains of its own, and nothing forwarded."""
    return Local().run("iptables-save | grep -E 'DOCKER|^:FORWARD' | sed 's/ \\[.*//'").text


@pytest.mark.docker
def test_it_builds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = rules()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    with ownengine.running({"10.9.8.7:5443": b"certificate"}) as entry:
        engine = Engine(entry=entry)
        assert engine.architecture in ("amd64", "arm64")
        trusted = Local().run(sh(*entry, "cat", "/etc/docker/certs.d/10.9.8.7:5443/ca.crt"))
        assert trusted.text == "certificate"
        assert not Path("/etc/docker/certs.d/10.9.8.7:5443").exists()
        engine.run("build", "--tag=own:1", str(tmp_path), doing="building")
        assert engine.ask("image", "inspect", "own:1").ok
        assert Local().run(sh(*entry, "printenv", "NO_PROXY")).text.endswith("10.9.8.7")
        (pid,) = [word.split("/")[2] for word in entry if word.startswith("--mount")]
        (socket,) = [word.partition("://")[2] for word in entry if word.startswith("DOCKER_HOST")]
        assert rules() == before
    assert not Path("/proc", pid).exists() and not Path(socket).parent.exists()
    assert str(Path(socket).parent) not in Path("/proc/self/mounts").read_text()


def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownengine, "_PLACE", tmp_path)
    monkeypatch.setattr(ownengine, "_start", lambda place: 'echo "no room" >&2; exit 3')
    with pytest.raises(DeployError, match="does not start: no room"), ownengine.running({}):
        raise AssertionError("it runs")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_program_left_goes_and_what_another_uses_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownengine, "_PLACE", tmp_path)
    monkeypatch.setattr(ownengine, "_start", lambda place: "exit 3")
    with scratch(ownengine._PREFIX, tmp_path) as used:
        (tmp_path / "own-killed/data").mkdir(parents=True)
        with pytest.raises(DeployError), ownengine.running({}):
            raise AssertionError("it runs")
        assert list(tmp_path.iterdir()) == [used]
