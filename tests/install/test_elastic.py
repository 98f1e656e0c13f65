"""Workers on Azure come and go, and the Kubernetes cluster follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dlws.config import load
from dlws.core.errors import SomeNodesFailed
from dlws.install import elastic, nodes
from dlws.kubeadm import reset
from dlws.kubernetes import labels, scheduling
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Node
from dlws.prepare import hosts
from dlws.scripts import run as scripts
from tests.support.arm.cluster import Site
from tests.support.arm.configs import SCALE_SET
from tests.support.arm.world import VM
from tests.support.clusters import names_of

Done = list[tuple[str, str]]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Done:
    """What was done in Kubernetes and on which nodes, in its order."""
    found: Done = []

    def on(name: str) -> Any:
        def note(cluster: Cluster, chosen: Sequence[Node], *_: object) -> None:
            assert cluster.run.options.public
            found.append((name, names_of(list(chosen))))

        return note

    monkeypatch.setattr(hosts, "install", on("hosts"))
    monkeypatch.setattr(scripts, "everywhere", lambda c, chosen, s: on(s.name)(c, chosen))
    monkeypatch.setattr(nodes, "workers", on("workers"))
    monkeypatch.setattr(labels, "apply", lambda c, _, chosen: on("labels")(c, chosen))
    monkeypatch.setattr(scheduling, "uncordon", on("uncordon"))
    monkeypatch.setattr(reset, "reset", on("reset"))
    return found


@pytest.fixture
def running(site: Site, done: Done) -> Site:
    """A cluster with Kubernetes on it, as far as the devbox knows."""
    site("create")
    site("genconfig")
    (site.directory / "deploy/sshkey/admin.conf").write_text("x")
    return site


def welcomed(everyone: str, new: str) -> Done:
    parts = ("prepare_vm_disk.sh", "dns.sh", "workers", "labels")
    return [("hosts", everyone), *((part, new) for part in parts)]


FIRST = "atlas-infra01 atlas-worker01 atlas-worker02"


def test_new_workers_are_written_down_prepared_and_joined(running: Site, done: Done) -> None:
    running("addworkers", "1")
    assert done == welcomed(f"{FIRST} atlas-worker03 atlas-nfs01", "atlas-worker03")
    assert "atlas-worker03" in load(running.directory).machines
    done.clear()
    running("addworkers")
    assert done == [], "all of them are there"


@pytest.mark.parametrize("option", ["--no-join", "--no-wait", "--dry-run"])
def test_new_workers_may_be_left_out(running: Site, done: Done, option: str) -> None:
    running("addworkers", "1", option)
    assert done == [] and "atlas-worker03" not in load(running.directory).machines


def test_before_there_is_a_cluster_genconfig_comes_next(site: Site, done: Done) -> None:
    site("create")
    said = site("addworkers", "1").stderr
    assert "write them to cluster.yaml" in said and said.rstrip().endswith("genconfig")
    assert done == [] and not (site.directory / "cluster.yaml").exists()


def test_a_join_that_fails_says_what_brings_them_in(
    running: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SomeNodesFailed("no route", "look at the network")

    monkeypatch.setattr(nodes, "workers", fail)
    done = running("addworkers", "2", code=3)
    assert "not all of atlas-worker[03-04] are in the cluster: no route" in done.stderr
    assert "--public updateworker atlas-worker[03-04]" in done.stderr.splitlines()[-1]
    assert "deploy.py" in done.stderr.splitlines()[-1]


def test_those_that_leave_are_taken_out_and_forgotten(running: Site, done: Done) -> None:
    running("removeworkers", "atlas-worker01", "--yes-removeworkers", "Atlas")
    left = "atlas-infra01 atlas-worker02 atlas-nfs01"
    assert done == [("reset", "atlas-worker01"), ("hosts", left)]
    assert "atlas-worker01" not in load(running.directory).machines


def test_with_force_no_node_is_asked_when_machines_leave(running: Site, done: Done) -> None:
    words = ("--force", "removeworkers", "atlas-worker01", "--yes-removeworkers", "Atlas")
    assert "--public hosts install" in running(*words).stderr
    assert done == [] and "atlas-worker01" not in load(running.directory).machines


def test_nodes_that_do_not_forget_a_name_are_told_with_the_line(
    running: Site, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SomeNodesFailed("no route", "look at the network")

    monkeypatch.setattr(hosts, "install", fail)
    words = ("removeworkers", "atlas-worker01", "--yes-removeworkers", "Atlas")
    told = running(*words, code=3).stderr
    assert "the machines are gone" in told and "no route" in told
    assert told.splitlines()[-1].endswith("--public hosts install")


def test_a_scale_set_grows_and_shrinks_with_its_nodes(site: Site, done: Done) -> None:
    site.configure(SCALE_SET)
    site("create")
    site("genconfig")
    (site.directory / "deploy/sshkey/admin.conf").write_text("x")
    workers = [f"atlas-worker-00000{n}" for n in range(3)]
    site("vmss", "scale", "3")
    assert done == welcomed(" ".join(["atlas-infra01", *workers]), workers[2])
    done.clear()
    site("vmss", "scale", "1", "--yes-removeworkers", "Atlas")
    assert done == [("reset", " ".join(workers[1:])), ("hosts", f"atlas-infra01 {workers[0]}")]
    left = [one.name for one in load(site.directory).with_role("worker")]
    assert left == workers[:1]


def test_scaling_up_starts_those_that_rest_and_makes_the_others(running: Site, done: Done) -> None:
    size = "Standard_NC4as_T4_v3"
    running("deallocate", "atlas-worker01")
    running("scaleup", size.lower(), "2")
    vms = {one["name"]: one for one in running.arm.world.of(VM)}
    assert vms["atlas-worker01"]["power"] == "running" and "atlas-worker03" in vms
    assert "atlas-worker04" not in vms
    assert done[0] == ("uncordon", "atlas-worker01")
    assert done[1:] == welcomed(f"{FIRST} atlas-worker03 atlas-nfs01", "atlas-worker03")


def test_workers_of_another_size_are_made_and_stay(site: Site, done: Done) -> None:
    site("create")
    site("scaleup", "Standard_D2s_v5", "1")
    made = site.arm.world.named("atlas-worker03")["properties"]["hardwareProfile"]["vmSize"]
    assert made == "Standard_D2s_v5" and done == []
    assert "nothing to do" in site("create").stderr
    refused = site("scaledown", "Standard_D2s_v5", "worker", "--yes-removeworkers", "Atlas", code=2)
    assert "atlas-worker01 is of size Standard_NC4as_T4_v3, not" in refused.stderr
    site("scaledown", "Standard_D2s_v5", "atlas-worker03", "--yes-removeworkers", "Atlas")
    assert "atlas-worker03" not in {one["name"] for one in site.arm.world.of(VM)}


def test_whether_kubernetes_runs_is_seen_from_its_kubeconfig(running: Site) -> None:
    class Here:
        options = type("O", (), {"directory": running.directory})

    session: Any = Here()
    assert elastic.running(session)
    (running.directory / "deploy/sshkey/admin.conf").unlink()
    assert not elastic.running(session)
