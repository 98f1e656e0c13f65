from __future__ import annotations

from pathlib import Path

import pytest

from dlws.bundle import build
from dlws.bundle.build import Artifact, Workspace
from dlws.core.errors import DeployError
from tests.support.bundles import Counted


def test_a_made_unit_is_not_made_again(workspace: Workspace) -> None:
    make = Counted()
    for _ in range(2):
        sums = build.make(workspace, "amd64", [Artifact("bin/kubelet", "1", make)], 0)
    assert make.times == 1 and list(sums) == ["bin/kubelet"]


def test_another_recipe_or_a_changed_file_makes_it_again(workspace: Workspace) -> None:
    make = Counted()
    build.make(workspace, "amd64", [Artifact("bin/kubelet", "1", make)], 0)
    build.make(workspace, "amd64", [Artifact("bin/kubelet", "2", make)], 0)
    (workspace.cache / "amd64/bin/kubelet").write_text("tampered")
    build.make(workspace, "amd64", [Artifact("bin/kubelet", "2", make)], 0)
    assert make.times == 3 and (workspace.cache / "amd64/bin/kubelet").read_text() == "x"


def test_a_broken_build_goes_on_where_it_stopped(workspace: Workspace) -> None:
    def fail(out: Path) -> None:
        out.write_text("half")
        raise DeployError("no")

    first, second = Counted(), Counted()
    with pytest.raises(DeployError):
        build.make(
            workspace, "amd64", [Artifact("bin/a", "1", first), Artifact("bin/b", "1", fail)], 0
        )
    assert not (workspace.cache / "amd64/bin/b").exists()
    build.make(
        workspace, "amd64", [Artifact("bin/a", "1", first), Artifact("bin/b", "1", second)], 0
    )
    assert (first.times, second.times) == (1, 1)


def test_a_unit_may_be_a_directory(workspace: Workspace) -> None:
    def make(out: Path) -> None:
        out.mkdir()
        (out / "bridge").write_text("x")

    assert list(build.make(workspace, "amd64", [Artifact("cni", "1", make)], 0)) == ["cni/bridge"]


def test_a_failing_command_shows_its_last_lines(workspace: Workspace) -> None:
    with pytest.raises(DeployError) as caught:
        workspace.run("echo 'no such thing' >&2; exit 3", "the title")
    assert "exit 3 from: the title" in caught.value.message
    assert "no such thing" in caught.value.message
