from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from dlws.bundle import build, debian, manifest
from dlws.bundle.build import Artifact, Workspace
from dlws.bundle.manifest import Manifest
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.version import Version
from dlws.runs.console import Console

HEAD = Manifest("1.20.2", "debian", "2026-01-01T00:00:00+00:00")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "cache", Console())
    workspace.cache.mkdir()
    return workspace


class Counted:
    """A unit's recipe that counts how often it was followed."""

    def __init__(self, content: str = "x") -> None:
        self.content, self.times = content, 0

    def __call__(self, out: Path) -> None:
        self.times += 1
        out.write_text(self.content)


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


def test_assembling_makes_an_intact_bundle_and_says_when_nothing_changed(
    workspace: Workspace, tmp_path: Path
) -> None:
    sums = {"amd64": build.make(workspace, "amd64", [Artifact("bin/kubelet", "1", Counted())], 0)}
    output = tmp_path / "deploy" / "bundle"
    assert build.assemble(workspace, output, HEAD, sums)
    assert manifest.problems(output) == []
    assert not build.assemble(workspace, output, HEAD, sums)
    assert [path.name for path in output.parent.iterdir()] == ["bundle"]


def test_damage_to_one_bundle_reaches_no_other_and_is_repaired(
    workspace: Workspace, tmp_path: Path
) -> None:
    make = Counted()
    unit, one, two = Artifact("bin/kubelet", "1", make), tmp_path / "one", tmp_path / "two"
    for output in (one, two):
        build.assemble(
            workspace, output, HEAD, {"amd64": build.make(workspace, "amd64", [unit], 0)}
        )
    (one / "amd64/bin/kubelet").write_text("tampered")
    assert manifest.problems(two) == []
    assert build.assemble(
        workspace, one, HEAD, {"amd64": build.make(workspace, "amd64", [unit], 0)}
    )
    assert manifest.problems(one) == [] and make.times == 1


def test_a_directory_that_is_no_bundle_is_not_replaced(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis").write_text("years")
    with pytest.raises(Refused):
        build.assemble(workspace, tmp_path / "home", HEAD, {})
    assert (tmp_path / "home/thesis").read_text() == "years"


def test_a_second_build_waits_for_the_first(workspace: Workspace) -> None:
    order: list[str] = []

    def second() -> None:
        with build.locked(workspace.cache, workspace.console):
            order.append("second")

    with (workspace.cache / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
        fcntl.flock(held, fcntl.LOCK_UN)
    thread.join()
    assert order == ["first", "second"]


def test_a_failing_command_shows_its_last_lines(workspace: Workspace) -> None:
    with pytest.raises(DeployError) as caught:
        workspace.run("echo 'no such thing' >&2; exit 3", "the title")
    assert "exit 3 from: the title" in caught.value.message
    assert "no such thing" in caught.value.message


def test_every_unit_of_debian_has_a_place_in_a_bundle(workspace: Workspace) -> None:
    units = debian.Debian(workspace, "amd64", ("bookworm", "trixie")).artifacts()
    paths = [unit.path for unit in units]
    assert len(set(paths)) == len(paths)
    for path in paths:
        deep = path if path.count("/") and "packages" not in path else f"{path}/x"
        assert manifest.kind_of(deep)
    assert {"images/etcd_3.4.13-0.tar", "images/pause_3.2.tar"} <= set(paths)
    assert "images/kube-apiserver_v1.20.2.tar" in paths


def test_the_source_package_tells_its_real_version() -> None:
    name = "kubernetes_1.20.5+really1.20.2-1.1+deb12u1.dsc"
    assert debian.source_version(name) == "1.20.2"
    assert debian.source_version("kubernetes_1.33.4+ds-1.dsc") == "1.33.4"
    assert debian.source_version("kubernetes-helm_1.dsc") == ""


def test_a_version_that_debian_lacks_is_a_usage_error_with_both_cures() -> None:
    with pytest.raises(UsageError) as caught:
        debian.check_version(Version(30, 4))
    assert "1.20.2" in caught.value.cure and "--from upstream" in caught.value.cure
