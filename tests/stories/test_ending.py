"""How the program starts and ends: from where, by what signal, with whom listening."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.cli import cli
from dlws.session import Session
from dlws.shell.quoting import sh
from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm
from tests.support.program import DEPLOY

CONFIG = "cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n"


def descendants(marker: str) -> list[str]:
    """Command lines of processes with this word in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.parametrize("fault", ["none", "dead", "mute", "banner"])
def test_ctrl_c_ends_it_with_130_and_leaves_nothing(start_farm: StartFarm, fault: str) -> None:
    from tests.support.farm.cluster import directory

    farm = start_farm(2, faults={2: fault})
    place = directory(farm, settings="  connect_timeout: 60\n  banner_timeout: 60\n")
    mark = f"DLWS_TEST_MARK={place}"
    process = subprocess.Popen(
        [*DEPLOY, "--dir", place, "execonall", "echo started; sleep 60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DLWS_TEST_MARK": str(place)},
        start_new_session=True,
    )
    try:
        assert process.stdout and process.stdout.readline().endswith(": started\n")
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert told.splitlines()[-1] == "interrupted" and "Traceback" not in told
    assert descendants(mark) == []


def test_what_nobody_foresaw_is_no_interruption_and_says_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cluster(_: Session) -> None:
        raise EOFError("of ours")  # click takes it for Ctrl-D

    monkeypatch.setattr(Session, "cluster", property(cluster))
    assert cli.main(["--dir", str(tmp_path), "display"], standalone_mode=False) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: EOFError: of ours (at cli/")
    assert "cure: this is a defect of dlws" in told


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        (">&-", 2, "error: standard output is closed\n"),
        (">&- 2>&-", 2, ""),
        (">/dev/full", 1, "error: standard output cannot be written: No space left on device\n"),
        (">/dev/null 2>&-", 0, ""),
        (">/dev/null <&-", 0, ""),
    ],
)
@pytest.mark.parametrize("words", ["--help", "display"])
def test_closed_and_full_standard_streams_are_told_in_words(
    tmp_path: Path, end: str, code: int, told: str, words: str
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    line = f'exec "$@" --dir {sh(tmp_path)} {words} {end}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", *DEPLOY], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(told) and "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


STRANGER = 54321
"""A uid that no passwd has a line for, as in a container that was started with --user."""


@pytest.fixture
def abroad() -> Iterator[Path]:
    """A directory that others than root can get to, unlike those of tests."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="to become another user takes root")
def test_a_uid_without_a_line_in_passwd_works_as_any(start_farm: StartFarm, abroad: Path) -> None:
    place = abroad / "cluster"
    shutil.copytree(directory(start_farm(hosts=2)), place)
    for path in (place, *place.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    (place / "job.sh").write_text("#!/bin/sh\necho did it\n")
    # The interpreter may lie in root's home: this user may read it, and has no other right.
    right = "-all,+dac_read_search"
    who = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
           f"--inh-caps={right}", f"--ambient-caps={right}")  # fmt: skip
    names = ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CONFIG_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in names}

    def do(*words: str) -> str:
        line = [*who, *DEPLOY, "--dir", str(place), *words]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    do("build")
    assert do("execonall", "echo", "here").count("here") == 2
    assert "2 nodes node[001-002]: did it" in do("runscriptonall", str(place / "job.sh"))
    assert "runscriptonall" in do("runs", "list")
    assert {path.stat().st_uid for path in (place / "deploy").rglob("*")} == {STRANGER}


def test_a_virtual_environment_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir(mode=0o755)
    shutil.copy(ROOT / "deploy.py", checkout)
    program = checkout / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text("no program\n")  # root may read anything: here it cannot be executed
    done = subprocess.run(
        [sys.executable, "-I", checkout / "deploy.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "may not read" in done.stderr and f"chmod -R a+rX {checkout}/.venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(deploy: Deploy) -> None:
    deploy("-y", "hosts", "trust")  # else it is told which keys were learned
    command = [*DEPLOY, "--dir", str(deploy.directory), "execonall", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    try:
        assert process.stdout.readline().endswith(b" y\n")
        process.stdout.close()
        assert process.wait(timeout=20) == 141
        assert process.stderr and process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("words", [["--help"], ["config", "explain"], ["config", "schema"]])
def test_a_reader_that_never_was_is_quiet(words: list[str]) -> None:
    receiver, sender = os.pipe()
    os.close(receiver)
    done = subprocess.run([*DEPLOY, *words], stdout=sender, stderr=subprocess.PIPE, check=False)
    os.close(sender)
    assert done.returncode in (1, 141)
    assert done.stderr == b""


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_any_locale_will_do(deploy: Deploy, locale: str) -> None:
    env = {**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    env["PYTHONIOENCODING"] = "ascii"
    words = ["--nodes", "w1", "execonall", "printf", "%s\\n", "ü €"]
    command = [*DEPLOY, "--dir", str(deploy.directory), *words]
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"w1:     ? ?\n"), done.stderr


def test_words_that_are_no_utf8_reach_the_node(deploy: Deploy, tmp_path: Path) -> None:
    command = [*DEPLOY, "--dir", str(deploy.directory), "--nodes", "w1", "execonall"]
    words = ["sh", "-c", 'printf "%s" "$1" | tee "$0"', str(tmp_path / "seen")]
    done = subprocess.run([*command, *words, b"caf\xe9"], capture_output=True, check=False)
    assert (done.returncode, (tmp_path / "seen").read_bytes()) == (0, b"caf\xe9"), done.stderr
    assert done.stdout == b"w1:     caf\xe9\n"


def test_a_directory_with_spaces_and_quotes(deploy: Deploy, tmp_path: Path) -> None:
    place = tmp_path / "my 'own' cluster ü"
    place.mkdir()
    shutil.copy(deploy.directory / "config.yaml", place)
    own = Deploy(place)
    own("build")
    assert own("--nodes", "w1", "execonall", "echo", "hi").stdout == "w1:     hi\n"
    done = own("execonall", "false", code=1)
    again = done.stderr.split("retry just those: ")[1]
    assert subprocess.run(["sh", "-n"], input=again, text=True, check=True).returncode == 0


def test_from_another_directory_by_its_own_name(deploy: Deploy) -> None:
    done = subprocess.run(
        [ROOT / "deploy.py", "display"], cwd=deploy.directory, capture_output=True, check=True
    )
    assert b"w1" in done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dlws` from a wheel in an environment of its own, far from the checkout."""
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", place, ROOT], check=True)
    # The dependencies are those of the tests: only our own package comes from the wheel.
    (wheel,) = place.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", place / "lib", wheel], check=True)
    return place / "lib"


def test_installed_it_has_its_scripts_and_templates(installed: Path, deploy: Deploy) -> None:
    env = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, str(installed / "bin/dlws")]

    def run(*words: str) -> str:
        return subprocess.run(
            [*command, *words], cwd=deploy.directory, env=env, text=True,
            capture_output=True, check=True,
        ).stdout  # fmt: skip

    where = "import dlws.core.resources as r; print(r.root())"
    root = subprocess.check_output([sys.executable, "-c", where], env=env, cwd="/", text=True)
    assert root.strip() == str(installed / "dlws/data")
    names = [path.name for path in (ROOT / "scripts").glob("*.sh")]
    assert all((installed / "dlws/data/scripts" / name).exists() for name in names)
    assert "execonall" in run("--help")
    assert run("--nodes", "w1", "execonall", "echo", "hi") == "w1:     hi\n"
    told = run("--dry-run", "--nodes", "w1", "runscriptonall", "scripts/disable_mlocate.sh")
    assert told == ""
