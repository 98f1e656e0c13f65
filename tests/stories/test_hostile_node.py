"""A node that answers nonsense, or without an end, fails alone: the others are shown and done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlws.core.limits import LOG_BYTES
from dlws.runs import journal
from tests.support.deploy import Deploy
from tests.support.farm.cluster import directory
from tests.support.farm.faults import FLOOD_BYTES
from tests.support.farm.fixtures import StartFarm

FAULTS = {3: "forged", 4: "endless", 5: "escapes", 6: "flood"}
HOSTILE = {f"node{number:03}" for number in FAULTS}
WELL = ("node002", "node007")


@pytest.fixture
def among(start_farm: StartFarm) -> Deploy:
    """Seven nodes, the four in the middle of which are hostile."""
    return Deploy(directory(start_farm(7, "fake", FAULTS)))


def rows(answer: str) -> dict[str, dict[str, Any]]:
    return {row["node"]: row for row in json.loads(answer)["nodes"]}


def test_status_shows_all_the_others(among: Deploy) -> None:
    found = rows(among("status", "--output", "json", code=5).stdout)
    assert len(found) == 7 and all(found[name]["reachable"] for name in WELL)
    for name in ("node004", "node006"):
        assert not found[name]["reachable"]
        assert found[name]["problems"][0] == "its answer has more than 8 MiB: it makes no sense"
    # What its lines say is said of that node, and of the odd ones nothing is.
    forged = found["node003"]
    assert forged["problems"][:2] == ["kubelet failed", "x in the background: lost"]
    assert [job["name"] for job in forged["background"]] == ["x"]
    assert not any(found[name]["background"] for name in found if name != "node003")


@pytest.mark.parametrize("command", ["check", "verify"])
def test_what_looks_at_nodes_looks_at_all_the_others(among: Deploy, command: str) -> None:
    found = rows(among(command, "--output", "json", code=None).stdout)
    assert len(found) == 7
    says = json.dumps([found["node004"], found["node006"]])
    assert says.count("its answer has more than 8 MiB") >= 2
    assert "8 MiB" not in json.dumps([found[name] for name in WELL])


def test_files_reach_all_the_others(among: Deploy, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    said = among("copytoall", str(tmp_path / "x"), "/tmp/x", code=None).stderr
    assert "its answer has more than 8 MiB" in said and "asked for the state of" in said
    assert "cannot be understood" not in said


def test_a_lock_that_makes_no_sense_keeps_no_run_away(start_farm: StartFarm) -> None:
    for fault in ("forged", "endless"):
        deploy = Deploy(directory(start_farm(2, "real", {1: fault})))
        (deploy.directory / "job.sh").write_text("#!/bin/sh\necho changed: x\n")
        done = deploy("runscriptonall", str(deploy.directory / "job.sh"))
        assert "no lock on node001, so runs from other devboxes are not kept apart" in done.stderr
        assert "2 nodes node[001-002]: changed: x\n" in done.stdout


def test_output_without_an_end_does_not_fill_the_disk(start_farm: StartFarm) -> None:
    deploy = Deploy(directory(start_farm(2, "fake", {2: "flood"})))
    deploy("doonall", "true")
    (run,) = journal.runs(deploy.directory / "deploy")
    log = run / "node002.log"
    assert LOG_BYTES // 4 < log.stat().st_size <= LOG_BYTES < FLOOD_BYTES
    assert b"bytes are left out here]\n" in log.read_bytes()
    assert deploy("runs", "tail", "node002").stdout.rstrip().endswith("xyz")
