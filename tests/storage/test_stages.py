"""The storage of an installation: what config.yaml asks for, and not a word more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from dlws.config.volumes import Volume
from dlws.core.errors import UsageError
from dlws.nodes.cluster import Cluster
from dlws.roles import apply
from dlws.storage import glusterfs, mount, nfs, stages
from tests.support.fakes import World

Make = Callable[..., World]
PLAIN = """
cluster_name: atlas
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: worker, private-ip: 10.1.0.11}
  w2: {role: worker, private-ip: 10.1.0.12}
"""
NFS = f"{PLAIN}mountpoints: {{s: {{type: nfs, server: infra01, filesharename: /d}}}}\n"
VOLUME = f"{PLAIN}mountpoints: {{g: {{type: glusterfs, server: w1 w2, filesharename: gv}}}}\n"
BAD = f"{PLAIN}mountpoints: {{s: {{type: nfs, filesharename: /d}}}}\n"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the stages have asked for."""
    asked: list[str] = []

    def make_volumes(cluster: Cluster, found: Sequence[Volume]) -> None:
        asked.append(f"volumes {' '.join(volume.name for volume in found)}")

    monkeypatch.setattr(nfs, "create", lambda cluster: asked.append("nfs"))
    monkeypatch.setattr(glusterfs, "make", make_volumes)
    monkeypatch.setattr(mount, "bring", lambda cluster, roles: asked.append(" ".join(roles)))
    return asked


def all_of(cluster: Cluster) -> None:
    stages.serve_nfs(cluster)
    stages.serve_volumes(cluster)
    stages.mount_shares(cluster)


@pytest.mark.parametrize(("text", "wanted"), [
    (PLAIN, []),
    (NFS, ["nfs", "mounts mount-links"]),
    (VOLUME, ["volumes gv", "mounts mount-links"]),
])  # fmt: skip
def test_each_does_what_config_yaml_asks_for(
    make: Make, done: list[str], capsys: pytest.CaptureFixture[str], text: str, wanted: list[str]
) -> None:
    all_of(make(text).cluster)
    assert done == wanted
    assert capsys.readouterr().err.count("nothing to do") == 3 - len(wanted)


def test_a_volume_waits_for_all_its_machines(
    make: Make, done: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    stages.serve_volumes(make(VOLUME, nodes=("infra01", "w1")).cluster)
    assert done == []
    assert "the volume gv stays as it is: w2 takes no part in this" in capsys.readouterr().err


def test_a_share_that_lacks_a_value_ends_it(make: Make, done: list[str]) -> None:
    with pytest.raises(UsageError, match="it needs a server"):
        stages.mount_shares(make(BAD).cluster)


def test_a_rehearsal_says_what_stands_in(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(apply, "bring", lambda *words: None)
    cluster = make(f"{NFS}stand_in_shares: /common\n").cluster
    mount.bring(cluster, (mount.MOUNTS,))
    told = capsys.readouterr().err
    assert told.count("a directory of this rehearsal stands in for infra01:/d (nfs)") == 1
