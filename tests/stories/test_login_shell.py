"""Login shells that do not run what they are given: nothing may pass for done that was not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.shell.quoting import script
from dlws.shell.sudo import as_root
from dlws.ssh import keepalive
from dlws.ssh.handshake import ConnectionFailed
from dlws.ssh.loginshell import CommandNotRun, OutputLost, StatusLost
from tests.support.deploy import deploying
from tests.support.sshd import Server, serving

pytestmark = pytest.mark.sshd

SHELLS = {
    "exit": ("exit\n", ""),
    "exec": ("exec dash\n", ""),
    "forced": ("", 'ForceCommand echo "Please log in as the user ubuntu"; exit 142\n'),
    "quiet": ("", "ForceCommand true\n"),
    "broken": ("echo 'syntax error near unexpected token' >&2\nexit\n", ""),
}


@pytest.fixture(scope="module", params=SHELLS)
def shell(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    place = tmp_path_factory.mktemp(request.param)
    bashrc, more = SHELLS[request.param]
    (place / ".bashrc").write_text(bashrc)
    with serving(place, more=f"SetEnv HOME={place}\n{more}") as server:
        yield server


def test_nothing_is_said_to_be_done(shell: Server, tmp_path: Path) -> None:
    deploy = deploying(shell, tmp_path)
    (tmp_path / "job.sh").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "file").write_text("content\n")
    touch = ("touch", str(tmp_path / "ran"))
    for words in (
        ("--nodes", "w1", "execonall", *touch),
        ("--nodes", "w1", "doonall", *touch),
        ("--nodes", "w1", "runscriptonall", str(tmp_path / "job.sh")),
        ("--nodes", "w1", "copytoall", str(tmp_path / "file"), f"{tmp_path}/copied"),
    ):
        done = deploy(*words, code=None)
        assert done.returncode in (1, 3), done.stderr
        assert "before the command began" in done.stderr and "ForceCommand" in done.stderr
    assert not (tmp_path / "ran").exists() and not (tmp_path / "copied").exists()


def test_tables_hold_its_words_and_no_program_of_ours(shell: Server, tmp_path: Path) -> None:
    """`status` printed 35 lines of our own script."""
    deploy, login = deploying(shell, tmp_path), "login shell ended with"
    told = deploy("--nodes", "w1", "status", "--output", "json", code=None).stdout
    (row,) = json.loads(told)["nodes"]
    assert login in row["problems"][0] and all(len(words) < 300 for words in row["problems"])
    for words in ("status", "check", "verify"):
        done = deploy("--nodes", "w1", words, code=None)
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode and login in said
        assert not any(ours in said for ours in ("fact()", "printf", "esac", "\\0"))


def test_input_is_for_the_command_alone(tmp_path: Path) -> None:
    """A shell that replaces the login shell took the archive of a script for commands."""
    (tmp_path / ".bashrc").write_text("exec dash\n")
    stdin = f"touch {tmp_path}/stolen\n".encode()
    with serving(tmp_path, more=f"SetEnv HOME={tmp_path}\n") as server:
        for given in (stdin, iter([stdin])):
            with pytest.raises(CommandNotRun):
                server.connect().run("cat", stdin=given)
    assert not (tmp_path / "stolen").exists()


def test_a_login_shell_that_waits_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepalive, "_SHELL_SECONDS", 0.5)
    (tmp_path / ".bashrc").write_text("exec sleep 60\n")
    with (
        serving(tmp_path, more=f"SetEnv HOME={tmp_path}\n") as server,
        pytest.raises(ConnectionFailed, match=r"has not come to the command in 0\.5 s"),
    ):
        server.connect().run("true")


def test_its_words_are_said_and_nothing_of_ours() -> None:
    from dlws.core.connection import Result
    from dlws.ssh.handshake import Target

    said = str(CommandNotRun(Target("10.0.0.1", user="eve"), Result(142, b"log in as ubuntu\n")))
    assert said == "eve's login shell ended with 142 before the command began: log in as ubuntu"


def test_a_healthy_login_shell_is_asked_once(sshd: Server) -> None:
    connection = sshd.connect()
    assert connection.run("cat", stdin=b"one").out == b"one"
    assert connection.run("cat", stdin=b"two").out == b"two"


OTHERS = [name for name in ("bsd-csh", "tcsh", "fish", "zsh", "mksh", "yash") if shutil.which(name)]
"""Those that are installed; tests/run.sh sees to csh, tcsh and fish."""
ODD = "it's !important \\\\n \\' ~ $HOME `x`; {a,b} * [z] # 平台\nand " + "more " * 400


@pytest.mark.parametrize("name", OTHERS)
def test_any_login_shell_runs_our_commands(name: str, tmp_path: Path) -> None:
    """csh ends a line within quotes, ran the next lines of our scripts by itself, and wrote `>&2`
    to a file; fish sees some backslashes within quotes, too."""
    program = f'exec {shutil.which(name)} -c "$SSH_ORIGINAL_COMMAND"'
    more = f"SetEnv HOME={tmp_path}\nForceCommand cd; {program}\n"
    with serving(tmp_path, more=more) as server:
        connection = server.connect()
        tell = script('cat\nprintf %s "$1"\nprintf %s "$2" >&2; exit 3', ODD, "wrong\\")
        done = connection.run(tell, stdin=b"in ")
        assert (done.code, done.out, done.err) == (3, f"in {ODD}".encode(), b"wrong\\")
        root = connection.run(as_root("echo one\necho 'two!'", "root", None))
        assert root.out == b"one\ntwo!\n"
        assert connection.run("echo plain").out == b"plain\n", "a person's own"
        assert not (tmp_path / "2").exists()
        if name in ("bsd-csh", "tcsh"):  # the shell's words about a person's own, and no other cure
            assert connection.run("echo a!b").err == b"b: Event not found.\n"


def test_a_shell_that_reads_backslashes_within_quotes_runs_none_of_ours(tmp_path: Path) -> None:
    """As xonsh does: our scripts became others, and failed with 127."""
    spoils = 'ForceCommand sh -c "$(printf %b "$SSH_ORIGINAL_COMMAND")"; echo xonsh: it failed >&2'
    with serving(tmp_path, more=f"{spoils}; exit 1\n") as server:
        for stdin in (b"", b"in"):
            with pytest.raises(CommandNotRun, match="reads backslashes within quotes") as caught:
                server.connect().run(script(f"touch {tmp_path}/ran\ntrue"), stdin=stdin)
            assert "usermod -s /bin/bash" in caught.value.cure
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("bashrc", "more"), [
    ("trap 'exit 0' EXIT\n", ""),
    ("", 'ForceCommand sh -c "$SSH_ORIGINAL_COMMAND"; echo it was logged >&2\n'),
])  # fmt: skip
def test_a_status_that_does_not_arrive_is_no_success(
    bashrc: str, more: str, tmp_path: Path
) -> None:
    """A script that failed had done its work, so it was said."""
    (tmp_path / ".bashrc").write_text(bashrc)
    with serving(tmp_path, more=f"SetEnv HOME={tmp_path}\n{more}") as server:
        deploy, job = deploying(server, tmp_path), tmp_path / "job.sh"
        job.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran; exit 3\n")
        done = deploy("--nodes", "w1", "runscriptonall", str(job), code=1)
        assert "turns exit status 77 of a command into 0" in done.stderr
        connection = server.connect()
        for _ in range(2):
            with pytest.raises(StatusLost):
                connection.run("cat", stdin=b"in")
    assert not (tmp_path / "ran").exists()


def test_a_forced_command_that_runs_the_first_of_ours_alone_runs_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, more='ForceCommand sh -c "exec $SSH_ORIGINAL_COMMAND"\n') as server:
        with pytest.raises(CommandNotRun, match="before the command began"):
            server.connect().run(f"echo in; touch {tmp_path}/ran")
        assert server.connect().run(script("cat"), stdin=b"in").out == b"in"


@pytest.mark.parametrize(
    ("bashrc", "streams"),
    [
        ("exec 2>&1\n", "standard error"),
        ("exec >/dev/null\n", "standard output"),
        ("exec >/dev/null 2>&1\n", "before the command began"),
    ],
)
def test_output_that_does_not_arrive_is_no_answer(
    bashrc: str, streams: str, tmp_path: Path
) -> None:
    """The node's lock could not be read then, and the run went on without it."""
    (tmp_path / ".bashrc").write_text(bashrc)
    with serving(tmp_path, more=f"SetEnv HOME={tmp_path}\n") as server:
        deploy = deploying(server, tmp_path)
        done = deploy("--nodes", "w1", "execonall", "echo out", code=1)
        assert streams in done.stderr and "ok:" not in done.stderr
        with pytest.raises((OutputLost, CommandNotRun)):
            server.connect().run(script("echo out"))
        job = tmp_path / "job.sh"
        job.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        deploy("--nodes", "w1", "runscriptonall", str(job), code=1)
    assert not (tmp_path / "ran").exists()


def test_input_that_a_login_shell_takes_is_told_from_a_full_disk(tmp_path: Path) -> None:
    """The cure was to make room: what had arrived was shorter than what was sent."""
    (tmp_path / ".bashrc").write_text("cat >/dev/null\n")
    with serving(tmp_path, more=f"SetEnv HOME={tmp_path}\n") as server:
        deploy, job = deploying(server, tmp_path), tmp_path / "job.sh"
        job.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        done = deploy("--nodes", "w1", "runscriptonall", str(job), code=1)
        assert "input" in done.stderr and "</dev/null" in done.stderr
        assert "make room" not in done.stderr
    assert not (tmp_path / "ran").exists()
