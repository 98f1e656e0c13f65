"""The devbox: what Docker is asked for, and what goes into its image."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import ROOT

USER = (1000, 1001)


@pytest.fixture
def devenv() -> ModuleType:
    spec = importlib.util.spec_from_file_location("devenv", ROOT / "devenv.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_image_is_built_from_nothing_but_its_folder(devenv: ModuleType) -> None:
    archive, tag = devenv.context(devenv.CONTEXT, "")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert set(found) == {"Dockerfile", "requirements.txt"}
    assert found["requirements.txt"] == (ROOT / "requirements.txt").read_bytes()
    assert tag.startswith("dlws/devbox:")


def test_its_tag_changes_with_what_it_is_made_of(devenv: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x")
    tags = [devenv.context(tmp_path, base)[1] for base in ("", "", "mine")]
    (tmp_path / "Dockerfile").write_text("FROM y")
    tags.append(devenv.context(tmp_path, "")[1])
    assert tags[0] == tags[1] and len(set(tags)) == 3


def test_proxies_are_named_and_their_values_are_not(devenv: ModuleType) -> None:
    environment = {"https_proxy": "http://me:secret@proxy", "HOME": "/x"}
    assert devenv.build_line("t", "base", environment) == [
        *("docker", "build", "--network=host", "--tag", "t"),
        *("--build-arg", "BASE=base", "--build-arg", "https_proxy", "-"),
    ]
    line = devenv.run_line("t", Path("/c"), USER, [], environment, False)
    assert line[-4:] == ["--env", "https_proxy", "t", "bash"]


def test_the_caller_is_the_user_in_both_places_with_docker(devenv: ModuleType) -> None:
    words = ["./deploy.py", "status"]
    socket = ("/run/user/1000/docker.sock", 998)
    line = devenv.run_line("t", Path("/c"), USER, words, {}, True, socket)
    assert {
        "--tty", "--network=host", "--user=1000:1001", "--volume=/c:/c", "--workdir=/c",
        f"--volume={ROOT}:{ROOT}", "--volume=/run/user/1000/docker.sock:/var/run/docker.sock",
        "--group-add=998",
    } <= set(line)  # fmt: skip
    assert line[-3:] == ["t", *words]
    assert devenv.run_line("t", ROOT, USER, words, {}, True).count(f"--volume={ROOT}:{ROOT}") == 1


def test_this_machines_python_packages_stay_outside(
    devenv: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devenv, "CHECKOUT", tmp_path)
    hidden = f"--tmpfs={tmp_path}/.venv"
    assert hidden not in devenv.run_line("t", tmp_path, USER, [], {}, False)
    (tmp_path / ".venv").mkdir()
    assert hidden in devenv.run_line("t", tmp_path, USER, [], {}, False)


@pytest.mark.parametrize("name", ["devenv.py", "devenv_arm64.py"])
def test_an_image_that_is_there_is_not_built_again(name: str, tmp_path: Path) -> None:
    docker, log = tmp_path / "docker", tmp_path / "log"
    docker.write_text('#!/bin/sh\necho "$1 $2" >>"$LOG"\n[ "$1" != run ] || exit 7\n')
    docker.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(log)}
    done = subprocess.run([sys.executable, str(ROOT / name), "true"], env=env, check=False)
    assert done.returncode == 7
    assert log.read_text() == "image inspect\nrun --rm\n"


def test_without_docker_the_other_way_is_named(tmp_path: Path) -> None:
    line = [sys.executable, str(ROOT / "devenv.py")]
    env = {"PATH": str(tmp_path)}
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "prepare_ubuntu_dev.sh" in done.stderr
