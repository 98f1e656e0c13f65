"""Workers that are one scale set."""

from __future__ import annotations

import pytest

from tests.support.arm.cluster import Site
from tests.support.arm.configs import SCALE_SET


@pytest.fixture
def made(site: Site) -> Site:
    site.configure(SCALE_SET)
    site("create")
    site.arm.asked.clear()
    return site


def instances(site: Site) -> list[str]:
    return list(site.arm.world.named("atlas-worker")["instances"])


def test_it_grows_and_shrinks_from_its_newest_end(made: Site) -> None:
    done = made("vmss", "scale", "4")
    assert "changed: atlas-worker: 4 instances, 2 before" in done.stderr
    assert instances(made) == ["0", "1", "2", "3"]
    assert "nothing to do" in made("vmss", "scale", "4").stderr
    made("vmss", "scale", "3", code=4, typed="atlas\n")
    made("vmss", "scale", "1", typed="Atlas\n")
    assert instances(made) == ["0"]


def test_create_leaves_the_number_as_it_is(made: Site) -> None:
    made("vmss", "scale", "3")
    assert "nothing to do" in made("create").stderr and len(instances(made)) == 3


def test_instances_are_listed(made: Site) -> None:
    names = [row["name"] for row in made.json("vmss", "list")]
    assert names == ["atlas-worker-000000", "atlas-worker-000001"]


def test_instances_are_protected(made: Site) -> None:
    made("vmss", "protect", "atlas-worker-000001")
    found = made.arm.world.named("atlas-worker")["instances"]
    on = {"protectFromScaleIn": True, "protectFromScaleSetActions": True}
    assert (found["0"]["protected"], found["1"]["protected"]) == ({}, on)
    assert "nothing to do" in made("vmss", "protect", "atlas-worker-000001").stderr
    made("vmss", "protect", "--off", "all")
    assert not any(found["1"]["protected"].values())


def test_a_dry_run_sends_nothing(made: Site) -> None:
    assert "would grow atlas-worker from 2 to 9" in made("--dry-run", "vmss", "scale", "9").stderr
    made("--dry-run", "vmss", "protect", "all")
    assert made.arm.wrote() == []


def test_other_workers_are_no_scale_set(site: Site) -> None:
    assert "the workers are no scale set" in site("vmss", "list", code=2).stderr
    site.configure(SCALE_SET)
    assert "vmss scale" in site("addworkers", "1", code=2).stderr


def test_it_is_made_alone(site: Site) -> None:
    assert "worker_scale_set: true first" in site("vmss", "create", code=2).stderr
    site.configure(SCALE_SET)
    site("vmss", "create")
    kinds = {one["type"].rpartition("/")[2].lower() for one in site.arm.world.resources.values()}
    assert kinds == {"virtualmachinescalesets", "virtualnetworks", "networksecuritygroups"}
    assert "nothing to do" in site("vmss", "create").stderr


def powers(site: Site) -> list[str]:
    return [one["power"] for one in site.arm.world.named("atlas-worker")["instances"].values()]


def test_instances_are_started_and_stopped(made: Site) -> None:
    for verb, state in (("stop", "stopped"), ("start", "running"), ("deallocate", "deallocated")):
        made("vmss", verb, "all")
        assert powers(made) == [state] * 2
    made("vmss", "restart", "atlas-worker-000001")
    assert powers(made) == ["deallocated", "running"]
    made("vmss", "reimage", "atlas-worker-000000", code=4, typed="atlas\n")
    assert powers(made)[0] == "deallocated"
    made("vmss", "reimage", "atlas-worker-000000", "--yes-reimage", "Atlas")
    assert powers(made)[0] == "running"
    done = made("vmss", "stop", "atlas-infra01", code=2)
    assert "atlas-infra01: no such machine" in done.stderr


def test_it_has_one_size(made: Site) -> None:
    done = made("scaleup", "Standard_D4s_v5", "1", code=2)
    assert "has workers of size Standard_NC4as_T4_v3" in done.stderr
    made("vmss", "deallocate", "atlas-worker-000000")
    made("scaleup", "Standard_NC4as_T4_v3", "2")
    assert powers(made) == ["running"] * 3
