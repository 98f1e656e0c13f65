"""What builds for which architecture."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.core.limits import Bounds
from dlws.images import builders
from dlws.images.builders import Here, OnNode
from dlws.images.commands import Job
from dlws.images.engine import Engine
from tests.support.fakes import World
from tests.support.images import saved

Make = Callable[..., World]
JOB = Job("web", "r:5000/web:1-arm64", "arm64", "Dockerfile", "abc", {})
REGISTERED = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: POCF\n"


@dataclass
class FakeEngine(Engine):
    """An amd64 engine that notes what it is asked."""

    builds: set[str] = field(default_factory=set)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    settings: Path | None = None

    @cached_property
    def architecture(self) -> str:
        return "amd64"

    @cached_property
    def builder(self) -> set[str]:
        return self.builds

    def run(self, *words: str, **more: Any) -> Result:
        self.asked.append(words)
        for word in words:
            if word.startswith("--output="):
                Path(word.removeprefix("--output=")).write_bytes(b"saved")
            if word.startswith("--input="):
                assert Path(word.removeprefix("--input=")).read_bytes() == saved(JOB.reference)
        return Result(0)


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builders, "formats", lambda: "")


def where(engine: Engine, world: World, architecture: str) -> str:
    return builders.choose(engine, world.cluster, architecture).where


def test_the_nearest_that_can_is_chosen(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make()
    world.fakes["worker02"].rules.append(lambda line, _: Result(0, b"arm64\n"))
    assert where(FakeEngine(), world, "amd64") == "here"
    assert where(FakeEngine(), world, "arm64") == "on worker02"
    monkeypatch.setattr(builders, "formats", lambda: REGISTERED)
    assert where(FakeEngine(), world, "arm64") == "under emulation"
    assert where(FakeEngine({"amd64", "arm64"}), world, "arm64") == "with buildx"
    assert not world.commands("worker01") and not world.commands("infra01")


def test_buildx_is_used_where_it_is(make: Make) -> None:
    chosen = builders.choose(FakeEngine({"amd64"}), make().cluster, "amd64")
    assert isinstance(chosen, Here) and chosen.how == ("buildx", "build", "--load")
    chosen = builders.choose(FakeEngine(), make().cluster, "amd64")
    assert isinstance(chosen, Here) and chosen.how == ("build",)


@pytest.mark.parametrize("answer", [Result(127, b"", b"docker: not found"), Result(0, b"amd64\n")])
def test_nothing_that_builds_names_the_three_cures(make: Make, answer: Result) -> None:
    world = make()
    world.fakes["worker02"].rules.append(lambda line, _: answer)
    with pytest.raises(DeployError, match="nothing builds for arm64") as caught:
        builders.choose(FakeEngine(), world.cluster, "arm64")
    cure = caught.value.cure
    assert "qemu-user-static" in cure and "buildx" in cure and "archtype: arm64" in cure


def built(make: Make, tmp_path: Path, bases: Sequence[str], code: int) -> tuple[World, FakeEngine]:
    """A build on worker02, which has `kept` before and everything else afterwards."""
    world, engine, asked = make(), FakeEngine(), list[str]()

    def answer(line: str, _: bytes) -> Result | None:
        if "image inspect" in line:
            asked.append(line)
            there = ["kept:1"] if len(asked) == 1 else ["kept:1", *bases, JOB.reference]
            return Result(0, "\n".join(dict.fromkeys(there)).encode())
        if " docker build " in line:
            return Result(code, b"", b"COPY failed\n")
        return Result(0, saved(JOB.reference)) if "docker save" in line else None

    world.fakes["worker02"].rules.append(answer)
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM kept:1")
    node = world.cluster.select(["worker02"])[0]
    OnNode(engine, node).build(JOB, tmp_path / "context", bases, lambda *_: None, False)
    return world, engine


def test_a_build_on_a_node_goes_there_as_a_stream_and_comes_back(
    make: Make, tmp_path: Path
) -> None:
    world, engine = built(make, tmp_path, ["kept:1", "base:1"], 0)
    assert world.stdin_of("worker02", "docker load") == b"saved"
    with tarfile.open(fileobj=io.BytesIO(world.stdin_of("worker02", "docker build"))) as archive:
        assert archive.getnames() == ["Dockerfile"]
    assert [words[0] for words in engine.asked] == ["save", "load"]
    assert world.ran("worker02", f"docker image rm base:1 {JOB.reference}")
    assert not any("push" in line or "login" in line for line in world.commands("worker02"))


def test_a_node_cannot_fill_this_machines_disk(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    fake = built(make, tmp_path, [], 0)[0].fakes["worker02"]
    [sent] = [at for at, (line, _) in enumerate(fake.asked) if "docker save" in line]
    assert fake.bounds[sent] == Bounds(900, timely=False)


def test_a_build_that_fails_on_a_node_leaves_nothing_there(make: Make, tmp_path: Path) -> None:
    with pytest.raises(
        DeployError, match=r"on worker02 failed \(exit status 1\):\n    COPY failed"
    ):
        built(make, tmp_path, [], 1)
