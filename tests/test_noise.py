"""Login shells that print something of their own before each command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.ssh.transport import MARK, AfterMark
from tests.conftest import Deploy, Server, deploying, serving

NOISE = "echo hello from a profile; echo 'and a warning' >&2; printf more\n"


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real OpenSSH server whose bash says something before each command."""
    place = tmp_path_factory.mktemp("noisy")
    (place / ".bashrc").write_text(NOISE)
    with serving(place, more=f"SetEnv HOME={place}\n") as server:
        channel = server.connect().session()
        channel.exec_command("true")
        assert channel.makefile("r").read() == b"hello from a profile\nmore", "there is noise"
        yield server


@pytest.fixture
def deploy(noisy: Server, tmp_path: Path) -> Deploy:
    return deploying(noisy, tmp_path)


def test_what_a_shell_says_by_itself_is_no_output_of_the_command(noisy: Server) -> None:
    heard = {"out": b"", "err": b""}

    def echo(name: str, data: bytes) -> None:
        heard[name] += data

    result = noisy.connect().run(
        "cat; echo err >&2; printf '\\036'; exit 3",
        stdin=b"in",
        echo=echo,
    )
    assert (result.code, result.out, result.err) == (3, b"in\x1e", b"err\n")
    assert heard == {"out": b"in\x1e", "err": b"err\n"}


def test_where_the_command_cannot_be_run_all_that_was_said_is_kept(noisy: Server) -> None:
    result = noisy.connect().run("if")
    assert result.code and b"syntax error" in result.err and b"and a warning" in result.err


def test_all_that_reads_answers_does_without_it(deploy: Deploy, tmp_path: Path) -> None:
    deploy("build")
    (tmp_path / "file").write_text("content\n")
    copy = ("copytoall", str(tmp_path / "file"), f"{tmp_path}/placed/file")
    assert "changed: " in deploy(*copy).stderr
    assert (tmp_path / "placed/file").read_text() == "content\n"
    assert "changed" not in deploy(*copy).stderr
    (tmp_path / "job.sh").write_text("echo $DLWS_NODE\n")
    done = deploy("runscriptonall", str(tmp_path / "job.sh"))
    assert "no lock" not in done.stderr and "hello" not in done.stdout + done.stderr
    assert "free" in deploy("lock", "status").stdout
    assert "nothing to do" in deploy("sshkey", "install").stderr
    verified = deploy("verify", code=None)
    assert "could not be verified" not in verified.stdout + verified.stderr
    assert " checks" in verified.stdout + verified.stderr


@pytest.mark.parametrize("cut", range(6))
def test_only_what_is_behind_the_mark_counts(cut: int) -> None:
    whole, stream = b"ab" + MARK + b"c" + MARK, AfterMark()
    assert stream.behind(whole[:cut]) + stream.behind(whole[cut:]) == b"c" + MARK
    assert stream.behind(MARK) == MARK and stream.held() == b""


def test_without_a_mark_all_counts_at_the_end() -> None:
    stream = AfterMark()
    assert stream.behind(b"a") + stream.behind(b"b") == b""
    assert stream.held() == b"ab"


def test_a_mark_is_not_waited_for_for_ever() -> None:
    stream, much = AfterMark(), bytes(65 * 1024)
    assert stream.behind(b"a" + much) == b"a" + much
    assert (stream.behind(b"b"), stream.held()) == (b"b", b"")
