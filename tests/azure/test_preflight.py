"""What would keep Azure from making the machines, each with its cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.arm.cluster import Site
from tests.support.arm.configs import SCALE_SET, ZONES
from tests.support.arm.world import World


def findings(site: Site, code: int = 5) -> list[dict[str, Any]]:
    import json

    return list(json.loads(site("check", "--output", "json", code=code).stdout))


def wrong(site: Site) -> dict[str, str]:
    return {one["point"]: f"{one['words']} | {one['cure']}" for one in findings(site)
            if one["cure"]}  # fmt: skip


def test_all_is_well(site: Site) -> None:
    found = findings(site, code=0)
    points = {"subscription", "provider", "size", "quota", "image", "name", "access"}
    assert {one["point"] for one in found} == points
    assert not any(one["cure"] for one in found) and site.arm.wrote() == []
    shown = site("check").stdout
    assert "ok  quota" in shown and "!!" not in shown


def _unregistered(world: World) -> None:
    world.providers["microsoft.network"] = "NotRegistered"


def _few(world: World) -> None:
    world.usages[2] |= {"currentValue": 96, "limit": 100}


def _restricted(world: World) -> None:
    world.sizes[0]["restrictions"] = [{"type": "Location", "reasonCode": "QuotaId"}]


def _no_image(world: World) -> None:
    world.images.clear()


def _taken(world: World) -> None:
    world.taken.add("atlas-infra01")


@pytest.mark.parametrize(("spoil", "point", "words"), [
    (_unregistered, "provider", "Microsoft.Network is notregistered | az provider register"),
    (_few, "quota", "Standard NCASv3_T4 Family: 8 needed, 4 of 100 left | have the quota raised"),
    (_restricted, "size", "Standard_D4s_v5 is not for you in westus2: QuotaId | choose another"),
    (_no_image, "image", "westus2 has no image Canonical:ubuntu-24_04-lts:server:latest | correct"),
    (_taken, "name", "the public name atlas-infra01 is taken in westus2 | set azure_cluster.dns"),
])  # fmt: skip
def test_what_is_in_the_way(
    site: Site, spoil: Callable[[World], None], point: str, words: str
) -> None:
    spoil(site.arm.world)
    (found,) = wrong(site).items()
    assert found[0] == point and found[1].startswith(words)


def test_a_size_that_nobody_has(site: Site) -> None:
    site.change("subscription: test", "subscription: test, worker_vm_size: Standard_NC6")
    assert "Standard_NC6: westus2 has no such size" in wrong(site)["size"]


def test_a_zone_in_which_a_size_is_not(site: Site) -> None:
    site.configure(ZONES)
    info = [{"location": "westus2", "zones": ["1"]}]
    site.arm.world.sizes[2]["locationInfo"] = info
    assert "in westus2, zone 2: it is in no such zone" in wrong(site)["size"]
    site.arm.world.sizes[2]["restrictions"] = [{"type": "Zone", "reasonCode": "QuotaId",
        "restrictionInfo": {"zones": ["2"]}}]  # fmt: skip
    assert "in westus2, zone 2: QuotaId" in wrong(site)["size"]


def test_nobody_who_may_come_in(site: Site) -> None:
    site.change("[203.0.113.0/24]", "[]")
    assert "nobody outside the virtual network" in wrong(site)["access"]
    site("create")


def test_a_login_that_fails_is_a_finding(site: Site) -> None:
    site.local.server.token = "another"
    assert "The access token expired" in wrong(site)["login"]


def test_spot_workers_count_apart(site: Site) -> None:
    site.change("nfs_node_num: 1", "nfs_node_num: 1, priority: spot")
    quotas = [one["words"] for one in findings(site, code=0) if one["point"] == "quota"]
    assert "lowPriorityCores: 8 needed, 1000 of 1000 left" in quotas


def test_the_instances_of_a_scale_set_count(site: Site) -> None:
    site.configure(SCALE_SET)
    site.arm.world.usages[2]["limit"] = 7
    assert "8 needed, 7 of 7 left" in wrong(site)["quota"]
    assert "8 needed, 7 of 7 left" in site("create", code=5).stderr and not site.arm.wrote()


def test_machines_that_are_there_are_not_counted_again(site: Site) -> None:
    site("create")
    found = findings(site, code=0)
    assert not [one for one in found if one["point"] == "quota"]
