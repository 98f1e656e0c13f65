"""Scripts on nodes: what goes there, what stays, and what is told to them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.deploy import Deploy
from tests.support.sshd import Server


@pytest.fixture
def script(tmp_path: Path) -> Path:
    place = tmp_path / "scripts"
    (place / "lib").mkdir(parents=True)
    (place / "lib/common.sh").write_text('say() { echo "said $*"; }\n')
    (place / "secret.txt").write_text("not for nodes\n")
    path = place / "job.sh"
    path.write_text(
        '# dlws-files: lib/common.sh\n. lib/common.sh\nsay "$@"\npwd\nfind . -type f | sort\n'
        'stat -c %a .\necho "$DLWS_NODE $DLWS_ROLES $DLWS_TYPE"\n'
    )
    return path


def test_only_the_script_and_what_it_names_reach_the_node(deploy: Deploy, script: Path) -> None:
    done = deploy("--nodes", "w1", "runscriptonall", str(script), "a b", "$(x)")
    lines = [line.removeprefix("w1:     ") for line in done.stdout.splitlines()]
    assert lines[0] == "said a b $(x)"
    assert lines[2:] == ["./job.sh", "./lib/common.sh", "700", "w1 worker cpu"]
    assert not Path(lines[1]).exists()


def test_a_script_edited_meanwhile_is_the_same_on_all_nodes(deploy: Deploy, script: Path) -> None:
    lines = (
        f"echo old $(cat note.txt)\necho echo new >>{script}\necho new >{script.parent}/note.txt\n"
    )
    script.write_text(f"# dlws-files: note.txt\n{lines}")
    (script.parent / "note.txt").write_text("old")
    told = deploy("--live", "--parallel", "1", "runscriptonall", str(script)).stdout
    assert (told.count("old old"), told.count("new")) == (4, 0)


def test_the_directory_goes_also_when_the_script_fails(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "fail.sh").write_text("pwd; exit 4\n")
    done = deploy("--nodes", "w1", "runscriptonall", f"{tmp_path}/fail.sh", code=1)
    assert not Path(done.stdout.split()[1]).exists()
    assert "exit 4 from: fail.sh" in done.stderr


def test_a_python_script_runs_by_python(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "info.py").write_text("import sys; print(sys.argv[1:])\n")
    done = deploy("--nodes", "w1", "runscriptonall", f"{tmp_path}/info.py", "x y")
    assert "['x y']" in done.stdout


def test_runscriptonroles_takes_leading_roles(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text('echo "$DLWS_NODE $*"\n')
    done = deploy("runscriptonroles", "infra", "w2", f"{tmp_path}/s.sh", "worker")
    assert sorted(line.split(": ", 1)[1].strip() for line in done.stdout.splitlines()) == [
        "infra1 worker", "w2 worker",
    ]  # fmt: skip


def test_runscriptonroles_without_a_role_says_which_there_are(deploy: Deploy) -> None:
    done = deploy("runscriptonroles", "nobody", "x.sh", code=2)
    assert "'nobody' is no role" in done.stderr
    assert "infrastructure worker" in done.stderr


def test_a_role_without_nodes_is_refused(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text("true\n")
    assert "nfs" in deploy("runscriptonroles", "nfs", f"{tmp_path}/s.sh", code=2).stderr


def test_a_missing_script_is_a_usage_error_and_nothing_connects(deploy: Deploy) -> None:
    assert "there is no script nowhere.sh" in deploy("runscriptonall", "nowhere.sh", code=2).stderr
    assert not (deploy.directory / "deploy/sshkey/known_hosts").exists()


@pytest.mark.parametrize("named", ["missing.sh", "../etc/passwd", "/etc/passwd"])
def test_a_script_cannot_name_files_elsewhere(deploy: Deploy, tmp_path: Path, named: str) -> None:
    (tmp_path / "s.sh").write_text(f"# dlws-files: {named}\n")
    assert "not beside it" in deploy("runscriptonall", f"{tmp_path}/s.sh", code=2).stderr


@pytest.mark.parametrize(("name", "head"), [("s.sh", "# dlws-render\n"), ("s.sh.j2", "")])
def test_a_script_that_is_a_template_is_refused_and_nothing_connects(
    deploy: Deploy, tmp_path: Path, name: str, head: str
) -> None:
    (tmp_path / name).write_text(f"#!/bin/bash\n{head}echo {{{{ config.cluster_name }}}}\n")
    done = deploy("runscriptonall", f"{tmp_path}/{name}", code=2)
    assert f"{name}: scripts are not rendered any more" in done.stderr
    assert "$DLWS_DOMAIN" in done.stderr and done.stdout == ""
    assert not (deploy.directory / "deploy/sshkey/known_hosts").exists()


def test_runscriptonrandmaster_runs_on_one_infra_node(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text("echo $DLWS_NODE\n")
    assert deploy("runscriptonrandmaster", f"{tmp_path}/s.sh").stdout == "infra1: infra1\n"


def test_a_background_script_outlives_the_connection(
    deploy: Deploy, sshd: Server, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    (tmp_path / "long.sh").write_text(
        f"echo started; while [ ! -e {release} ]; do sleep 0.05; done; echo ended; exit 6\n"
    )
    done = deploy("--background", "--nodes", "w1", "runscriptonall", f"{tmp_path}/long.sh")
    place = sshd.state / "background/long.sh"
    pid = int((place / "pid").read_text())
    try:
        assert f"pid {pid}" in done.stdout
        os.kill(pid, 0)
        again = deploy("--background", "--nodes", "w1", "runscriptonall", f"{tmp_path}/long.sh")
        assert "already running" in again.stdout
        release.touch()
        deadline = time.monotonic() + 20
        while not (place / "exit").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (place / "exit").read_text() == "6\n"
        assert (place / "log").read_text() == "started\nended\n"
    finally:
        release.touch()
        if not (place / "exit").exists():
            os.kill(pid, signal.SIGTERM)
        deploy("--nodes", "w1", "execonall", "rm", "-rf", "/var/lib/dlws/background/long.sh")


def test_a_random_master_where_none_is_chosen(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("true\n")
    words = ("--nodes", "w1", "runscriptonrandmaster", f"{tmp_path}/job.sh")
    assert "no infra node is among the chosen ones" in deploy(*words, code=2).stderr
