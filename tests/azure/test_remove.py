"""Machines are taken away: with all that is theirs, and nothing that is another's."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.kubeadm import reset
from dlws.prepare import hosts
from tests.support.arm.cluster import Site
from tests.support.arm.configs import RICH, SCALE_SET
from tests.support.arm.world import SUBSCRIPTION, resource_id


@pytest.fixture
def made(site: Site) -> Site:
    site("create")
    site.arm.asked.clear()
    return site


def test_a_worker_goes_with_its_interface_disks_and_address(made: Site) -> None:
    made("removeworkers", "atlas-worker02", typed="Atlas\n")
    left = {one["name"] for one in made.arm.world.resources.values()}
    assert not [name for name in left if "worker02" in name]
    assert "atlas-worker01VMNic" in left and "atlas-worker01_disk1" in left
    assert len(made.arm.wrote()) == 1


@pytest.mark.parametrize("typed", ["", "atlas\n", "Atlas2\n"])
def test_a_typo_deletes_nothing(made: Site, typed: str) -> None:
    made("removeworkers", "worker", code=4, typed=typed)
    made("delete", code=4, typed=typed)
    assert made.arm.wrote() == []


def test_only_workers_are_removed(made: Site) -> None:
    done = made("removeworkers", "all", "--yes-removeworkers", "Atlas", code=4)
    assert "atlas-infra01,atlas-nfs01: no workers" in done.stderr and made.arm.wrote() == []


def test_nodes_of_a_running_cluster_leave_it_first(
    made: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("genconfig")
    (made.directory / "deploy/sshkey/admin.conf").write_text("x")
    taken: list[Any] = []
    told: list[list[str]] = []

    def take(cluster: Any, nodes: Any) -> None:
        assert made.arm.wrote() == [] and cluster.run.options.public
        taken.extend(node.name for node in nodes)

    def tell(cluster: Any, nodes: Any) -> None:
        assert len(made.arm.wrote()) == 1, "the machine is gone by then"
        told.append([node.name for node in nodes])

    monkeypatch.setattr(reset, "reset", take)
    monkeypatch.setattr(hosts, "install", tell)
    made("removeworkers", "atlas-worker01", "--yes-removeworkers", "Atlas")
    assert taken == ["atlas-worker01"] and len(made.arm.wrote()) == 1
    assert told == [["atlas-infra01", "atlas-worker02", "atlas-nfs01"]]
    made("--force", "removeworkers", "atlas-worker02", "--yes-removeworkers", "Atlas")
    assert taken == ["atlas-worker01"] and len(told) == 1, "with --force no node is asked"


def test_an_instance_of_a_scale_set(site: Site) -> None:
    site.configure(SCALE_SET)
    site("create")
    site("removeworkers", "atlas-worker-000000", "--yes-removeworkers", "Atlas")
    assert list(site.arm.world.named("atlas-worker")["instances"]) == ["1"]


def test_the_whole_cluster(site: Site) -> None:
    site.configure(RICH)
    site("create")
    done = site("delete", "--yes-delete", "atlas")
    assert "  virtualmachines atlas-worker03" in done.stderr
    assert not site.arm.world.resources and not site.arm.world.groups
    assert "there is no resource group" in site("delete", "--yes-delete", "atlas", code=2).stderr


def test_what_is_anothers_keeps_the_group(made: Site) -> None:
    where = resource_id("AtlasResGrp", "Microsoft.Network/publicIPAddresses", "portal")
    made.arm.world.resources[where.lower()] = {
        "id": where, "name": "portal", "type": "microsoft.network/publicipaddresses",
        "properties": {"provisioningState": "Succeeded"},
    }  # fmt: skip
    done = made("delete", "--yes-delete", "Atlas", code=4)
    assert "holds what is not this cluster's: publicipaddresses portal" in done.stderr
    assert made.arm.wrote() == []


@pytest.mark.parametrize("tags", [{}, {"cluster": "other", "managed-by": "az_tools"}])
def test_a_group_that_is_not_ours(made: Site, tags: dict[str, str]) -> None:
    where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/AtlasResGrp"
    made.arm.world.groups["atlasresgrp"] = {"id": where, "name": "g", "location": "westus2",
                                            "tags": tags}  # fmt: skip
    made("delete", "--yes-delete", "Atlas", code=4)
    assert made.arm.wrote() == []


def test_a_dry_run_shows_what_would_go(made: Site) -> None:
    done = made("--dry-run", "delete")
    assert "  virtualmachines atlas-infra01" in done.stderr
    assert "would delete the resource group AtlasResGrp" in done.stderr
    assert made.arm.wrote() == []
