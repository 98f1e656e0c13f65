"""An installation goes on without the workers that fail, and says how to bring them in."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from dlws.runs import journal
from dlws.runs.records import records
from tests.support.deploy import Deploy
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm

STEPS = ("up", "onpremise", "--only", "hosts", "--only", "prepare", "--only", "dns")


def on(farm: Farm) -> Deploy:
    return Deploy(directory(farm, settings="  connect_timeout: 2\n"))


def answers(place: Path, *rows: dict[str, object]) -> Path:
    """What hosts answer: the lock is free, a file is not there, and what `rows` say."""
    usual = {"/var/lib/dlws/lock": "taken\n", "sha256sum": "- - -\n"}
    first = [{"match": match, "out": out, "stdin": True} for match, out in usual.items()]
    path = place / "answers.json"
    path.write_text(json.dumps([*first, *rows]))
    return path


def scripts(farm: Farm, host: str) -> list[str]:
    """The scripts that a host was sent, and the files of which it was asked."""
    names = ("prepare_ubuntu", "disable_kernel_auto_updates", "dns.sh", "/etc/hosts")
    commands = [one.command for one in farm.received(host)]
    return [name for command in commands for name in names if name in command]


def test_a_worker_that_fails_is_left_out_of_what_follows(
    start_farm: StartFarm, tmp_path: Path
) -> None:
    farm = start_farm(4, "fake", faults={3: "exit"}, answers=answers(tmp_path))
    deploy = on(farm)
    told = deploy(*STEPS, code=3).stderr
    assert len(farm.received("node003")) == 1
    for host in ("node001", "node002", "node004"):
        assert {"prepare_ubuntu", "dns.sh"} <= set(scripts(farm, host))
    end = told.split("error: ")[1]
    assert end.startswith("all done, but without 1 node: node003\n  quarantined in step hosts:\n")
    assert "1 node: node003: exit 7 from: read /etc/hosts" in end
    words = shlex.split(end.split("retry just those: ")[1].splitlines()[0])
    assert words[1:] == ["--dir", str(deploy.directory), "--nodes", "node003", *STEPS]
    assert "hosts: exit 7" in deploy("runs", "why", "node003").stdout
    assert "failed: node003" in deploy("runs", "list").stdout
    assert "done, but not on node003" in deploy("runs", "show").stdout
    assert "node003" in deploy("runs", "report", "--junit").stdout


def test_resume_does_what_is_missing_on_those_that_were_set_aside(
    start_farm: StartFarm, tmp_path: Path
) -> None:
    farm = start_farm(4, "fake", faults={3: "exit"}, answers=answers(tmp_path))
    deploy = on(farm)
    deploy(*STEPS, code=3)
    steps = list(records(journal.find(deploy.directory / "deploy")))
    assert [r["without"] for r in steps if r["kind"] == "step"] == [["node003"]] * 3
    told = deploy("resume", code=3).stderr
    assert "done before, in this run" not in told
    assert len(farm.received("node003")) == 2, "it is tried again"


def test_without_failures_steps_are_done_for_all(start_farm: StartFarm, tmp_path: Path) -> None:
    broken = {"match": "dns\\.sh", "err": "broken", "code": 5, "stdin": True}
    farm = start_farm(3, "fake", answers=answers(tmp_path, broken))
    deploy = on(farm)
    deploy(*STEPS, code=1)
    told = deploy("resume", code=1).stderr
    assert told.count("done before, in this run") == 2


def test_an_infra_node_stops_it_at_that_step(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(4, "fake", faults={1: "exit"}, answers=answers(tmp_path))
    told = on(farm)(*STEPS, code=3).stderr
    assert "step 3 hosts" in told
    assert set(scripts(farm, "node002")) == {"/etc/hosts"}


def test_it_stops_when_no_worker_is_left(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(3, "fake", faults={2: "exit", 3: "exit"}, answers=answers(tmp_path))
    told = on(farm)(*STEPS, code=3).stderr
    assert "failed on 2 of 3 nodes" in told
    assert "prepare_ubuntu" not in scripts(farm, "node001")
    only = on(start_farm(3, "fake", faults={2: "exit", 3: "exit"}, answers=answers(tmp_path)))
    only("--nodes", "worker", *STEPS, code=1)


def test_who_was_set_aside_before_is_named_and_gone_back_to(
    start_farm: StartFarm, tmp_path: Path
) -> None:
    broken = {"match": "dns\\.sh", "err": "broken", "code": 5, "stdin": True}
    farm = start_farm(4, "fake", faults={3: "exit"}, answers=answers(tmp_path, broken))
    told = on(farm)(*STEPS, code=1).stderr
    assert "dns" in told.split("error: ")[1].splitlines()[0]
    assert "quarantined in step hosts:\n  1 node: node003" in told
    assert told.rstrip().endswith("up onpremise --from hosts")


@pytest.mark.parametrize(("limit", "begun"), [("0", False), ("24%", False), ("25%", True)])
def test_the_limit_counts_those_set_aside(
    start_farm: StartFarm, tmp_path: Path, limit: str, begun: bool
) -> None:
    farm = start_farm(4, "fake", faults={3: "exit"}, answers=answers(tmp_path))
    on(farm)("--max-failures", limit, *STEPS, code=3)
    assert ("prepare_ubuntu" in scripts(farm, "node001")) == begun


def test_a_plain_command_sets_nobody_aside(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(3, "fake", faults={3: "exit"}, answers=answers(tmp_path))
    told = on(farm)("execonall", "true", code=3).stderr
    assert "quarantined" not in told
