from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from dlws.bundle import build, make, manifest
from dlws.bundle.build import Artifact, Workspace
from dlws.core.errors import Refused
from dlws.runs.console import Console
from dlws.runs.options import Options
from dlws.session import Session
from tests.support.bundles import CONTENT, HEAD, Counted, write_bundle


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
    made = Counted()
    unit, one, two = Artifact("bin/kubelet", "1", made), tmp_path / "one", tmp_path / "two"
    for output in (one, two):
        build.assemble(
            workspace, output, HEAD, {"amd64": build.make(workspace, "amd64", [unit], 0)}
        )
    (one / "amd64/bin/kubelet").write_text("tampered")
    assert manifest.problems(two) == []
    assert build.assemble(
        workspace, one, HEAD, {"amd64": build.make(workspace, "amd64", [unit], 0)}
    )
    assert manifest.problems(one) == [] and made.times == 1


def test_a_directory_that_is_no_bundle_is_not_replaced(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis").write_text("years")
    with pytest.raises(Refused):
        build.assemble(workspace, tmp_path / "home", HEAD, {})
    assert (tmp_path / "home/thesis").read_text() == "years"


def test_a_cache_that_others_can_write_to_is_refused(workspace: Workspace) -> None:
    workspace.cache.chmod(0o777)
    refused = pytest.raises(Refused, match="other users can write to")
    with refused, build.locked(workspace.cache, workspace.console):
        pass


def test_a_lock_of_a_cache_is_no_link(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (workspace.cache / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Refused), build.locked(workspace.cache, workspace.console):
        pass
    assert (tmp_path / "victim").read_text() == "precious"


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


@pytest.mark.parametrize(("version", "origin", "releases"), [
    ("1.20.2", "debian", ["bookworm", "trixie"]), ("1.28.4", "upstream", [])])  # fmt: skip
def test_up_keeps_the_bundle_of_its_version_wherever_it_came_from(
    tmp_path: Path, version: str, origin: str, releases: list[str]
) -> None:
    write_bundle(tmp_path / "deploy/bundle", CONTENT)
    text = f"cluster_name: a\nkubernetes: {{version: {version}, source: bundle}}\n"
    (tmp_path / "config.yaml").write_text(text)
    plan = make.kept(Session(Options(directory=tmp_path)))
    assert (plan.origin, list(plan.codenames)) == (origin, releases)
    assert make.complete(plan, Console()) is (origin == "debian")
    (tmp_path / "deploy/bundle/manifest.json").unlink()
    assert make.kept(Session(Options(directory=tmp_path))).origin == "upstream"
