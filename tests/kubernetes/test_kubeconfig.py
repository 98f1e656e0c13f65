"""The administrator's kubeconfig: merged, redirected, never readable by others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import write
from dlws.kubernetes import kubeconfig
from tests.support.fakes import THREE, World
from tests.support.kubeconfigs import ADMIN

OWN = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "home", "cluster": {"server": "https://home:6443"}}],
    "users": [{"name": "kubernetes-admin", "user": {"token": "mine"}}],
    "contexts": [{"name": "home", "context": {"cluster": "home", "user": "kubernetes-admin"}}],
    "current-context": "home",
}


def test_merging_keeps_everybody_elses_entries() -> None:
    result = kubeconfig.merged(OWN, ADMIN, "atlas")
    assert result["users"][0] == OWN["users"][0]  # type: ignore[index]
    assert [entry["name"] for entry in result["contexts"]] == ["home", "atlas"]
    assert (result["current-context"], result["preferences"]) == ("home", {"colors": True})
    user = result["contexts"][1]["context"]["user"]
    assert {"name": user, "user": ADMIN["users"][0]["user"]} in result["users"]


def test_merging_twice_is_merging_once() -> None:
    once = kubeconfig.merged(OWN, ADMIN, "atlas")
    assert kubeconfig.merged(once, ADMIN, "atlas") == once


def test_merging_into_nothing_makes_the_cluster_current() -> None:
    assert kubeconfig.merged({}, ADMIN, "atlas")["current-context"] == "atlas"


def test_entries_that_are_null_are_no_trouble() -> None:
    assert len(kubeconfig.merged({"clusters": None}, ADMIN, "atlas")["clusters"]) == 1


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    made = make(THREE)
    write(kubeconfig.path(made.cluster), yaml.safe_dump(ADMIN).encode())
    return made


def test_merge_writes_a_backup_and_keeps_both_private(world: World, tmp_path: Path) -> None:
    target = tmp_path / "home/.kube/config"
    target.parent.mkdir(parents=True)
    target.write_text(yaml.safe_dump(OWN))
    assert kubeconfig.merge(world.cluster, target)
    backup = next(target.parent.glob("config.*.bak"))
    assert yaml.safe_load(backup.read_text()) == OWN
    assert {path.stat().st_mode & 0o777 for path in (target, backup)} == {0o600}
    assert not kubeconfig.merge(world.cluster, target)
    assert len(list(target.parent.iterdir())) == 2


def test_merge_names_a_server_that_this_machine_can_resolve(world: World, tmp_path: Path) -> None:
    kubeconfig.merge(world.cluster, tmp_path / "config")
    merged = yaml.safe_load((tmp_path / "config").read_text())
    assert merged["clusters"][0]["cluster"]["server"] == "https://10.1.0.1:6443"


def test_merge_follows_a_link(world: World, tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles", tmp_path / "config"
    real.write_text(yaml.safe_dump(OWN))
    link.symlink_to(real)
    kubeconfig.merge(world.cluster, link)
    assert link.is_symlink() and "atlas" in real.read_text()


def test_merge_in_a_dry_run_leaves_the_file_alone(
    make: Callable[..., World], tmp_path: Path
) -> None:
    world = make(dry_run=True)
    write(kubeconfig.path(world.cluster), yaml.safe_dump(ADMIN).encode())
    assert kubeconfig.merge(world.cluster, tmp_path / "config")
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize("content", [b"- a\n", b"\x00\xff", b"a: [", b"just words"])
def test_a_kubeconfig_that_is_none_is_left_alone(
    world: World, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "config").write_bytes(content)
    with pytest.raises(UsageError):
        kubeconfig.merge(world.cluster, tmp_path / "config")
    assert (tmp_path / "config").read_bytes() == content


def test_without_a_cluster_the_cure_is_named(make: Callable[..., World]) -> None:
    with pytest.raises(DeployError, match="there is no cluster yet") as caught:
        kubeconfig.load(kubeconfig.path(make().cluster))
    assert "kubeadm init" in caught.value.cure


def test_redirected_changes_the_server_alone() -> None:
    changed = kubeconfig.redirected(ADMIN, "https://10.1.0.2:6443")
    assert changed["clusters"][0]["cluster"]["server"] == "https://10.1.0.2:6443"
    assert ADMIN["clusters"][0]["cluster"]["server"] == "https://10.1.0.1:6443"
    assert changed["users"] == ADMIN["users"]
