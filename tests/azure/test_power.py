"""Machines are started, stopped, deallocated, restarted and reimaged."""

from __future__ import annotations

import threading

import pytest

from tests.support.arm.arm import Answer, Asked
from tests.support.arm.cluster import Site
from tests.support.arm.configs import SCALE_SET
from tests.support.arm.world import VM
from tests.support.statuses import told_statuses


def states(site: Site) -> dict[str, str]:
    return {one["name"].removeprefix("atlas-"): one["power"] for one in site.arm.world.of(VM)}


def posts(site: Site) -> list[str]:
    return [one.path.rpartition("/")[2] for one in site.arm.asked if one.method == "POST"]


@pytest.fixture
def made(site: Site) -> Site:
    site("create")
    site.arm.asked.clear()
    return site


def test_what_is_so_already_is_left_alone(made: Site) -> None:
    assert "nothing to do" in made("start", "all").stderr and not posts(made)
    done = made("deallocate", "atlas-worker01")
    assert "atlas-worker01: changed: deallocated" in done.stderr
    made("stop", "worker")
    assert posts(made) == ["deallocate", "powerOff"], "what is deallocated is stopped"
    assert states(made) == {"infra01": "running", "nfs01": "running", "worker01": "deallocated",
                            "worker02": "stopped"}  # fmt: skip
    made("start", "worker")
    assert set(states(made).values()) == {"running"}


def test_the_control_plane_is_stopped_on_purpose_alone(made: Site) -> None:
    assert "the cluster's control plane" in made("stop", "all", code=4).stderr
    assert not posts(made)
    made("--force", "stop", "infra")
    assert states(made)["infra01"] == "stopped"


def test_reimaging_asks_for_the_name(made: Site) -> None:
    assert made("reimage", "worker", code=4, typed="atlas\n").exit_code == 4 and not posts(made)
    made("reimage", "worker", typed="Atlas\n")
    assert posts(made) == ["reimage"] * 2


def test_a_dry_run_sends_nothing(made: Site) -> None:
    done = made("--dry-run", "restart", "worker")
    assert "would restart atlas-worker01" in done.stderr and not posts(made)


def test_all_are_begun_before_any_is_waited_for(made: Site) -> None:
    begun, lock = set[str](), threading.Lock()

    def hold(asked: Asked) -> Answer | None:
        with lock:
            if asked.method == "POST":
                begun.add(asked.path)
            if "/operations/" in asked.path and len(begun) < 2:
                return Answer(200, {"status": "InProgress"}, {"retry-after-ms": "5"})
        return None

    made.arm.faults.append(hold)
    made("-p", "1", "restart", "worker")
    assert len(begun) == 2


def test_one_that_fails_does_not_keep_the_others(made: Site) -> None:
    def refuse(asked: Asked) -> Answer | None:
        if asked.path.endswith("worker01/restart"):
            error = {"code": "OperationNotAllowed", "message": "it is locked"}
            return Answer(409, {"error": error})
        return None

    made.arm.faults.append(refuse)
    done = made("restart", "worker", code=3)
    assert "atlas-worker01: it is locked (OperationNotAllowed)" in done.stderr
    assert "restart atlas-worker01" in done.stderr
    assert "atlas-worker02: changed: restarted" in done.stderr


def test_instances_of_a_scale_set_are_acted_on_in_one_call(site: Site) -> None:
    site.configure(SCALE_SET)
    site("create")
    site.arm.asked.clear()
    done = site("deallocate", "worker")
    assert posts(site) == ["deallocate"]
    assert "atlas-worker-000000: changed: deallocated" in done.stderr


def test_waiting_for_azure_shows_what_is_left(made: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_statuses(monkeypatch)
    made("deallocate", "worker")
    assert any(text.startswith("asking Azure, ") for text in told)
    (waiting,) = (text for text in told if "deallocated" in text)
    assert waiting.startswith("0/2 deallocated, Azure is at work on atlas-worker[01-02], ")
