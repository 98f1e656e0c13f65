"""The administrator's kubeconfig: merged, redirected, never readable by others."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlws.core.connection import Result
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import write
from dlws.kubernetes import api, kubeconfig, kubectl
from tests.support.fakes import THREE, World
from tests.support.kubeconfigs import ADMIN, CREDENTIALS, KUBEADM, ON_NODE

SERVER = "https://10.1.0.9:6443"

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
    result = kubeconfig.merged(OWN, CREDENTIALS, "atlas", SERVER)
    assert result["users"][0] == OWN["users"][0]  # type: ignore[index]
    assert [entry["name"] for entry in result["contexts"]] == ["home", "atlas"]
    assert (result["current-context"], result["preferences"]) == ("home", {"colors": True})
    user = result["contexts"][1]["context"]["user"]
    assert {"name": user, "user": ADMIN["users"][0]["user"]} in result["users"]
    assert result["clusters"][1]["cluster"]["server"] == SERVER


def test_merging_twice_is_merging_once() -> None:
    once = kubeconfig.merged(OWN, CREDENTIALS, "atlas", SERVER)
    assert kubeconfig.merged(once, CREDENTIALS, "atlas", SERVER) == once


def test_merging_into_nothing_makes_the_cluster_current() -> None:
    assert kubeconfig.merged({}, CREDENTIALS, "atlas", SERVER)["current-context"] == "atlas"


def test_entries_that_are_null_are_no_trouble() -> None:
    merged = kubeconfig.merged({"clusters": None}, CREDENTIALS, "atlas", SERVER)
    assert len(merged["clusters"]) == 1


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    made = make(THREE)
    write(kubeconfig.path(made.cluster), kubeconfig.dump(ADMIN))
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
    write(kubeconfig.path(world.cluster), kubeconfig.dump(ADMIN))
    assert kubeconfig.merge(world.cluster, tmp_path / "config")
    assert not (tmp_path / "config").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"- a\n",
        b"\x00\xff",
        b"a: [",
        b"just words",
        b"[" * 5000,
        b"a: 2001-99-99",
        b"users: x",
        b"users: [x]",
        b"clusters: {}\ncontexts: 1",
    ],
)
def test_a_kubeconfig_that_is_none_is_left_alone(
    world: World, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "config").write_bytes(content)
    with pytest.raises(UsageError):
        kubeconfig.merge(world.cluster, tmp_path / "config")
    assert (tmp_path / "config").read_bytes() == content


def test_without_a_cluster_the_cure_is_named(make: Callable[..., World]) -> None:
    with pytest.raises(DeployError, match="there is no cluster yet") as caught:
        kubeconfig.credentials(make().cluster)
    assert "kubeadm init" in caught.value.cure


def evil(**changes: Any) -> bytes:
    """kubeadm's kubeconfig, whose user has more keys."""
    bad = copy.deepcopy(KUBEADM)
    bad["users"][0]["user"] |= changes
    return yaml.safe_dump(bad).encode()


EXEC = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "sh", "args": ["-c", "id"]}


def test_a_kubeconfig_with_a_program_is_not_fetched(make: Callable[..., World]) -> None:
    """/etc/kubernetes/admin.conf is an infra node's word, and kubectl would run what it says."""
    world = make()
    content = evil(exec=EXEC)
    world.fakes["infra01"].rules.append(lambda *_: Result(0, content))
    with pytest.raises(DeployError, match=r"admin\.conf of infra01 is refused: user has 'exec'"):
        kubeconfig.fetch(world.cluster, world.cluster.nodes[0])
    assert not kubeconfig.path(world.cluster).exists()


def test_a_file_that_holds_a_program_is_refused_at_every_use(
    make: Callable[..., World], tmp_path: Path
) -> None:
    """It may have been fetched by an older release, or come with somebody else's directory."""
    cluster = make().cluster
    write(kubeconfig.path(cluster), evil(exec=EXEC))
    uses: list[Callable[[], object]] = [
        lambda: kubeconfig.admin(cluster, SERVER),
        lambda: kubeconfig.merge(cluster, tmp_path / "config"),
        lambda: kubectl.environment(cluster, SERVER),
        lambda: api.connect(cluster).__enter__(),
    ]
    for use in uses:
        with pytest.raises(DeployError, match="is refused: user has 'exec'") as caught:
            use()
        assert "kubeadm init" in caught.value.cure
    assert not (tmp_path / "config").exists()


def test_the_file_as_kubeadm_wrote_it_still_serves(make: Callable[..., World]) -> None:
    cluster = make().cluster
    write(kubeconfig.path(cluster), ON_NODE)
    assert kubeconfig.admin(cluster, "https://10.1.0.1:6443") == ADMIN


def test_what_is_no_file_is_not_read(make: Callable[..., World]) -> None:
    cluster = make().cluster
    kubeconfig.path(cluster).parent.mkdir(parents=True)
    os.mkfifo(kubeconfig.path(cluster))
    with pytest.raises(UsageError, match="is no file"):
        kubeconfig.credentials(cluster)
