"""`plan` and `apply`, on a real SSH server: exactly what was reviewed, or nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.killing import effects, killed


def tree(place: Path) -> str:
    """A hash of all names, modes and contents below a directory."""
    found = hashlib.sha256()
    for path in sorted(place.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found.update(f"{path} {path.stat().st_mode:o} {len(content)}\n".encode() + content)
    return found.hexdigest()


@pytest.fixture
def box(deploy: Deploy, tmp_path: Path) -> Path:
    """What stands for the nodes' disks: the one server's directory."""
    place = tmp_path / "node"
    place.mkdir()
    (place / "conf").write_text("one\ntwo\n")
    return place


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "conf"
    path.write_text("one\nthree\n")
    return path


ONE = ("--nodes", "w1")


def test_a_plan_shows_lines_and_writes_nothing(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    before = tree(box)
    done = deploy(*ONE, "plan", "copytoall", str(source), f"{box}/conf", "-o", f"{tmp_path}/plan")
    assert tree(box) == before
    assert "w1: would write: " in done.stdout
    assert "    -two\n    +three\n" in done.stdout
    assert "1 change on 1 node" in done.stdout
    assert (tmp_path / "plan").stat().st_mode & 0o777 == 0o600
    assert not (deploy.directory / "deploy/runs").exists()


def test_applied_it_does_what_it_says_and_only_once(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    deploy(*ONE, "plan", "-o", f"{tmp_path}/plan", "copytoall", str(source), f"{box}/conf")
    deploy("apply", f"{tmp_path}/plan")
    assert (box / "conf").read_text() == "one\nthree\n"
    before = tree(box)
    assert "have changed" in deploy("apply", f"{tmp_path}/plan", code=4).stderr
    assert tree(box) == before


def test_what_moved_meanwhile_is_refused(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    deploy(*ONE, "plan", "copytoall", str(source), f"{box}/conf", "-o", f"{tmp_path}/plan")
    (box / "conf").write_text("somebody else's\n")
    told = deploy("apply", f"{tmp_path}/plan", code=4).stderr
    assert "nodes have changed since the plan was made" in told
    assert f"--nodes w1 plan copytoall {source} {box}/conf" in told.split("cure: plan anew: ")[1]
    assert (box / "conf").read_text() == "somebody else's\n"


def test_another_source_or_configuration_is_refused(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    deploy(*ONE, "plan", "copytoall", str(source), f"{box}/conf", "-o", f"{tmp_path}/plan")
    source.write_text("one\nfour\n")
    deploy("apply", f"{tmp_path}/plan", code=4)
    source.write_text("one\nthree\n")
    with (deploy.directory / "config.yaml").open("a") as file:
        file.write("# a word\n")
    assert "config.yaml has changed" in deploy("apply", f"{tmp_path}/plan", code=4).stderr
    assert (box / "conf").read_text() == "one\ntwo\n"


def test_a_plan_is_of_one_directory_and_of_nobody_else(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    plan, other = tmp_path / "plan", tmp_path / "other"
    other.mkdir()
    (other / "config.yaml").write_text((deploy.directory / "config.yaml").read_text())
    told = deploy(*ONE, "plan", "copytoall", str(source), f"{box}/conf", "-o", str(plan)).stderr
    line = f"--dir {deploy.directory} apply {plan}"
    assert line in told
    done = Deploy(other)("apply", str(plan), code=4)
    assert f"is of the directory {deploy.directory}, not of {other}" in done.stderr
    assert line in done.stderr
    plan.chmod(0o622)
    assert "can be written by others" in deploy("apply", str(plan), code=4).stderr
    assert (box / "conf").read_text() == "one\ntwo\n"


def test_an_edited_plan_is_refused(deploy: Deploy, box: Path, source: Path, tmp_path: Path) -> None:
    deploy(*ONE, "plan", "copytoall", str(source), f"{box}/conf", "-o", f"{tmp_path}/plan")
    found = json.loads((tmp_path / "plan").read_text())
    found["words"] = ["--nodes", "w1", "execonall", f"rm {box}/conf"]
    (tmp_path / "plan").write_text(json.dumps(found))
    deploy("apply", f"{tmp_path}/plan", code=4)
    assert (box / "conf").exists()


def test_no_plan_is_made_that_leaves_nodes_out(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text().replace("private-ip: 127.0.0.3", "private-ip: 127.0.0.9"))
    words = ("copytoall", str(source), f"{box}/conf", "-o", f"{tmp_path}/plan")
    assert "no plan was made" in deploy("plan", *words, code=3).stderr
    assert not (tmp_path / "plan").exists()


def test_a_killed_apply_is_resumed(deploy: Deploy, counting: Path, tmp_path: Path) -> None:
    nodes = ("--parallel", "2", "--nodes", "w[1-3]")
    deploy(*nodes, "plan", "runscriptonall", str(counting), "-o", f"{tmp_path}/plan")
    assert effects(tmp_path) == {}
    killed(deploy, tmp_path / "did-w1", "apply", f"{tmp_path}/plan")
    (tmp_path / "gate").touch()
    deploy("resume")
    assert effects(tmp_path) == {"did-w1": "x\n", "did-w2": "x\n", "did-w3": "x\n"}
    shown = deploy("runs", "list").stdout
    assert f"apply {tmp_path}/plan" in shown and " ok " in shown


def test_a_plan_keeps_the_node_that_chance_chose(deploy: Deploy, tmp_path: Path) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text().replace("role: worker", "role: infrastructure", 2))
    (tmp_path / "job.sh").write_text(f'echo x >>{tmp_path}/did-"$DLWS_NODE"\n')
    chosen = set()
    for number in range(6):
        words = ("runscriptonrandmaster", f"{tmp_path}/job.sh", "-o", f"{tmp_path}/plan")
        planned = deploy("plan", *words).stdout.split(":")[0]
        deploy("apply", f"{tmp_path}/plan")
        assert list(effects(tmp_path)) == [f"did-{planned}"], number
        (tmp_path / f"did-{planned}").unlink()
        chosen.add(planned)
    assert len(chosen) > 1


def test_a_script_with_a_check_mode_says_what_it_would_change(
    deploy: Deploy, box: Path, tmp_path: Path
) -> None:
    library = tmp_path / "lib"
    shutil.copytree(ROOT / "scripts/lib", library)
    script = tmp_path / "job.sh"
    script.write_text(
        "#!/usr/bin/env bash\n# dlws-files: lib/common.sh\n# dlws-check\nset -euo pipefail\n"
        f". lib/common.sh\nwrite_file {box}/made 0644 <<<content\nfinish\n"
    )
    before = tree(box)
    told = deploy(*ONE, "--dry-run", "runscriptonall", str(script)).stderr
    assert f"file {box}/made: is missing" in told
    assert tree(box) == before
    deploy(*ONE, "runscriptonall", str(script))
    assert (box / "made").read_text() == "content\n"
    told = deploy(*ONE, "--dry-run", "runscriptonall", str(script)).stderr
    assert "it would find nothing to do" in told


def test_a_script_without_a_check_mode_is_not_started_by_a_dry_run(
    deploy: Deploy, tmp_path: Path
) -> None:
    (tmp_path / "job.sh").write_text(f"touch {tmp_path}/ran\n")
    deploy(*ONE, "--dry-run", "runscriptonall", f"{tmp_path}/job.sh")
    assert not (tmp_path / "ran").exists()


def test_a_dry_run_of_all_steps_makes_nothing_and_says_what_it_cannot_know(
    deploy: Deploy, tmp_path: Path
) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text().replace(f"key: {_key(config)}, ", ""))
    before = sorted(deploy.directory.rglob("*"))
    done = deploy("plan", "up", "onpremise")
    assert "here: would make deploy/sshkey/id_ed25519" in done.stdout
    assert "sshkey: unknown until build is done" in done.stdout
    assert "labels: unknown until" in done.stdout
    assert sorted(deploy.directory.rglob("*")) == before


def _key(config: Path) -> str:
    return config.read_text().split("key: ")[1].split(",")[0]


def test_a_plan_of_steps_is_applied_up_to_what_it_did_not_know(
    deploy: Deploy, tmp_path: Path
) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text().replace(f"key: {_key(config)}, ", ""))
    deploy("plan", "up", "onpremise", "-o", f"{tmp_path}/plan")
    done = deploy("apply", f"{tmp_path}/plan")
    assert "the plan is done, and ends here: sshkey: unknown until build is done" in done.stderr
    assert " up onpremise" in done.stderr.split("plan the rest: ")[1]
    assert (deploy.directory / "deploy/sshkey/id_ed25519").exists()


def test_json_has_standard_output_to_itself(deploy: Deploy, box: Path, source: Path) -> None:
    words = ("plan", "--output", "json", "copytoall", str(source), f"{box}/conf")
    found = json.loads(deploy(*ONE, *words).stdout)
    assert [action["node"] for action in found["actions"]] == ["w1"]
    found = json.loads(deploy(*ONE, "plan", "--output", "json", "display").stdout)
    assert found["actions"] == []


@pytest.mark.parametrize("command", ["connect", "apply", "plan", "resume"])
def test_some_commands_have_no_plan(deploy: Deploy, command: str) -> None:
    assert "there is no plan of" in deploy("plan", command, "x", code=2).stderr


def test_diff_shows_lines_of_a_real_run_too(deploy: Deploy, box: Path, source: Path) -> None:
    source.chmod(0o644)
    told = deploy(*ONE, "--diff", "copytoall", str(source), f"{box}/conf").stderr
    assert "-two" in told and "+three" in told
    assert (box / "conf").read_text() == "one\nthree\n"


def test_a_link_to_a_private_file_is_not_shown_or_kept(
    deploy: Deploy, box: Path, source: Path, tmp_path: Path
) -> None:
    (box / "shadow").write_text("root:c4nary\n")
    (box / "shadow").chmod(0o600)
    (box / "app.conf").symlink_to(box / "shadow")
    words = ("copytoall", str(source), f"{box}/app.conf")
    told = [deploy(*ONE, "--dry-run", "--diff", *words)]
    told += [deploy(*ONE, "plan", *words, "-o", f"{tmp_path}/plan")]
    assert "a link is there now" in told[0].stderr
    shown = [one.stdout + one.stderr for one in told] + [(tmp_path / "plan").read_text()]
    assert not [text for text in shown if "c4nary" in text]


def test_a_private_file_is_not_shown(deploy: Deploy, box: Path, source: Path) -> None:
    source.chmod(0o600)
    told = deploy(*ONE, "--dry-run", "--diff", "copytoall", str(source), f"{box}/conf").stderr
    assert "content not shown: mode 600" in told
    assert "three" not in told
