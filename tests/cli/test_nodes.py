"""execonall, copytoall and friends, on a real OpenSSH server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deploy import Deploy

AWKWARD = ["a b", "$(x)", "`x`", "'", '"', ";", "&&", "*", "\\", "ü €", "-n", "$HOME"]


def test_execonall_shows_each_nodes_output_with_its_name(deploy: Deploy) -> None:
    done = deploy("execonall", "echo", "hello")
    assert sorted(done.stdout.splitlines()) == [
        "infra1: hello", "w1:     hello", "w2:     hello", "w3:     hello",
    ]  # fmt: skip
    assert "ok: 4 nodes: infra1,w[1-3]" in done.stderr


@pytest.mark.parametrize("word", AWKWARD)
def test_words_reach_the_node_as_typed(deploy: Deploy, word: str) -> None:
    done = deploy("--nodes", "w1", "execonall", "printf", "%s|", word, "x")
    assert done.stdout == f"w1:     {word}|x|\n"


def test_a_single_word_is_a_shell_line(deploy: Deploy) -> None:
    assert deploy("--nodes", "w1", "execonall", "echo $((1+1)) | cat").stdout == "w1:     2\n"


def test_options_of_the_remote_command_stay_with_it(deploy: Deploy) -> None:
    assert (
        "w1:     -y --nodes -c 2" in deploy("execonall", "echo", "-y", "--nodes", "-c", "2").stdout
    )


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["w2"], "w2"),
        (["w[1-2]"], "w1 w2"),
        (["worker"], "w1 w2 w3"),
        (["infra", "w3"], "infra1 w3"),
        (["master,w1"], "infra1 w1"),
        (["w*"], "w1 w2 w3"),
        (["re:^W[13]$"], "w1 w3"),
        (["w1.test.example"], "w1"),
    ],
)
def test_nodes_limits_by_name_role_and_pattern(
    deploy: Deploy, patterns: list[str], names: str
) -> None:
    options = [word for pattern in patterns for word in ("--nodes", pattern)]
    done = deploy(*options, "execonall", "true")
    reached = [
        line.split(":")[0]
        for line in deploy(*options, "execonall", "echo", "x").stdout.splitlines()
    ]
    assert sorted(reached) == names.split()
    assert done.stdout == ""


def test_a_pattern_that_fits_no_node_is_refused_with_those_there_are(deploy: Deploy) -> None:
    done = deploy("--nodes", "gpu*", "execonall", "true", code=2)
    assert "no node has the name or role 'gpu*'" in done.stderr
    assert "infra1,w[1-3]" in done.stderr


def test_failures_are_grouped_and_the_retry_line_names_just_those(deploy: Deploy) -> None:
    line = 'case $SSH_CONNECTION in *127.0.0.[23]" "*) echo bad >&2; exit 9;; esac'
    done = deploy("execonall", line, code=3)
    assert "failed on 2 of 4 nodes" in done.stderr
    assert "2 nodes: w[1-2]: exit 9" in done.stderr
    assert "--nodes 'w[1-2]'" in done.stderr
    assert "--dir" in done.stderr.split("retry just those:")[1]


def test_when_all_fail_the_exit_code_is_1(deploy: Deploy) -> None:
    assert "4 nodes: infra1,w[1-3]: exit 1" in deploy("execonall", "false", code=1).stderr


def test_a_dead_node_does_not_hold_up_the_others(deploy: Deploy) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text() + "  dead: {role: worker, private-ip: 127.0.0.77}\n")
    done = deploy("execonall", "echo", "alive", code=3)
    assert done.stdout.count("alive") == 4
    assert "1 node: dead: it refuses connections" in done.stderr


def test_doonall_shows_no_output(deploy: Deploy, tmp_path: Path) -> None:
    done = deploy("doonall", f"echo seen; echo x >>{tmp_path}/log")
    assert done.stdout == ""
    assert (tmp_path / "log").read_text() == "x\n" * 4


def test_dry_run_runs_nothing(deploy: Deploy, tmp_path: Path) -> None:
    done = deploy("--dry-run", "execonall", "touch", f"{tmp_path}/made")
    assert not (tmp_path / "made").exists()
    assert f"would run: touch {tmp_path}/made" in done.stderr


@pytest.mark.parametrize("name", ["plain", "with space", "$(x)'\"", "-dash"])
def test_copytoall_places_a_file_once(deploy: Deploy, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"\x00\xff content\n")
    source.chmod(0o640)
    target = tmp_path / "new" / name
    assert (
        "changed 1 nodes" in deploy("--nodes", "w1", "copytoall", str(source), str(target)).stderr
    )
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o640
    again = deploy("--nodes", "w1", "copytoall", str(source), str(target))
    assert "nothing to do" in again.stderr


def test_copytoall_copies_a_directory_with_its_modes(deploy: Deploy, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    (source / "sub/data").write_text("x")
    deploy("--nodes", "w1", "copytoall", str(source), f"{tmp_path}/copy")
    assert (tmp_path / "copy/run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "copy/sub/data").read_text() == "x"


def test_copytoall_into_a_directory_keeps_the_name(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "there").mkdir()
    deploy("--nodes", "w1", "copytoall", f"{tmp_path}/file", f"{tmp_path}/there")
    assert (tmp_path / "there/file").read_text() == "x"


def test_a_dry_run_copies_nothing(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = deploy("--dry-run", "--nodes", "w1", "copytoall", f"{tmp_path}/file", f"{tmp_path}/copy")
    assert not (tmp_path / "copy").exists()
    assert f"would write: {tmp_path}/copy (mode 644, 1 bytes)" in done.stderr


def test_connect_passes_input_output_and_status(deploy: Deploy) -> None:
    done = deploy("connect", "worker", "1", stdin="echo $SSH_CONNECTION; exit 5\n", code=5)
    assert "127.0.0.3" in done.stdout
    assert "127.0.0.1 " in deploy("connect", "master", stdin="echo $SSH_CONNECTION\n").stdout


@pytest.mark.parametrize(("words", "message"), [
    (("worker", "7"), "there is no worker 7"),
    (("worker", "infra1"), "there is no worker named 'infra1'"),
    (("nobody",), "no node has the name or role 'nobody'"),
])  # fmt: skip
def test_connect_to_nobody_is_a_usage_error(
    deploy: Deploy, words: tuple[str, ...], message: str
) -> None:
    assert message in deploy("connect", *words, code=2).stderr
