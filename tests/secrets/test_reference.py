"""Secrets that lie elsewhere: read when they are used, once, and told to nobody."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from dlws.config import load
from dlws.config.reading.load import inspect
from dlws.config.secrets import serve_secrets
from dlws.core.errors import DeployError, UsageError
from dlws.secrets.redaction import Redactor
from tests.support.configs import minimal
from tests.support.deploy import Deploy


def secret_of(directory: Path, command: str) -> tuple[str, Redactor]:
    """What a cmd: reference gives, and what is hidden since then."""
    (directory / "config.yaml").write_text(minimal(f"mysql_password: {json.dumps(command)}"))
    config, hidden = load(directory), Redactor()
    serve_secrets(config, Path.read_bytes, hidden.add)
    assert config.mysql_password
    return config.mysql_password.get_secret_value(), hidden


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("printf 'no newline'", "no newline"),
        ("echo one newline", "one newline"),
        ("printf 'two\\nlines\\n\\n'", "two\nlines\n"),
        ("cat beside", "from this directory"),
        ('echo "it\'s $((1+1))" | sed s/2/two/', "it's two"),
        ("echo told >&2; echo its answer", "its answer"),
        ("printf '%s\\n' '-n \"ü\" $(x)'", '-n "ü" $(x)'),
    ],
)
def test_a_command_is_a_shell_line_of_the_clusters_directory(
    command: str, value: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "beside").write_text("from this directory\n")
    found, hidden = secret_of(tmp_path, f"cmd:{command}")
    assert found == value
    assert value not in hidden.text(f"x {value} y")
    assert capfd.readouterr() == ("", "")


def test_the_users_own_shell_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert secret_of(tmp_path, "cmd:[[ abc == a* ]] && echo bash")[0] == "bash"
    monkeypatch.delenv("SHELL")
    assert secret_of(tmp_path, 'cmd:echo "shell $0"')[0] == "shell /bin/sh"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("echo c4nary; echo c4nary >&2; exit 3", "ended with exit status 3"),
        ("true", "printed nothing"),
        ("echo", "printed nothing"),
        ("printf '\\377\\376c4nary'", "printed something that is no text"),
        ("kill -9 $$", "ended with exit status"),
    ],
)
def test_a_command_that_fails_is_named_by_its_key(command: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError) as caught:
        secret_of(tmp_path, f"cmd:{command}")
    told = caught.value.message + caught.value.cure
    assert caught.value.message.startswith("mysql_password cannot be read: its command ")
    assert says in told and "c4nary" not in told


def test_a_command_that_is_none_is_a_warning_of_checkconfig(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(minimal("mysql_password: 'cmd: '"))
    assert "there is no command behind cmd:" in load(tmp_path).warnings[0].message


def test_comparing_and_hashing_reads_nothing(tmp_path: Path) -> None:
    text = "machines: {a: {role: infra, password: 'cmd:touch ran; echo x'}}\n"
    (tmp_path / "config.yaml").write_text(minimal(text))
    one, other = (load(tmp_path).machines["a"].password for _ in range(2))
    assert one and one == other and hash(one) == hash(other) and "cmd" not in repr(one)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def counted(deploy: Deploy) -> Deploy:
    """A cluster whose passwords a command gives, which counts how often it runs."""
    config = deploy.directory / "config.yaml"
    command = json.dumps("cmd:echo >>ran; echo p4ssword-of-all")
    config.write_text(config.read_text().replace("ssh: {", f"ssh: {{password: {command}, "))
    return deploy


def runs(deploy: Deploy) -> int:
    ran = deploy.directory / "ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_a_command_does_not_run_where_nothing_needs_it(counted: Deploy) -> None:
    counted("-y", "hosts", "trust")
    for words in (["checkconfig"], ["hosts"], ["display"], ["build"], ["execonall", "true"]):
        counted(*words)
    assert runs(counted) == 0


def test_a_command_runs_once_for_all_nodes(counted: Deploy) -> None:
    config = counted.directory / "config.yaml"
    config.write_text(config.read_text().replace("key: ", "key: none, sudo_password: x, user: "))
    done = counted("-y", "execonall", "true", code=1)
    assert "does not let" in done.stderr
    assert runs(counted) == 1


def test_a_command_that_fails_runs_once_and_is_no_traceback(counted: Deploy) -> None:
    config = counted.directory / "config.yaml"
    text = config.read_text().replace("echo p4ssword-of-all", "exit 9").replace("key: ", "user: ")
    config.write_text(text)
    done = counted("-y", "execonall", "true", code=1)
    assert "ssh.password cannot be read: its command ended with exit status 9" in done.stderr
    assert runs(counted) == 1
    counted("checkconfig")


@pytest.mark.parametrize(("name", "says"), [
    ("/dev/zero", "not a regular file"),
    ("pipe", "not a regular file"),
    ("large", "more than 64 KiB"),
    ("open", r"can be read by others \(mode 644\)"),  # its mode comes before its content
])  # fmt: skip
def test_a_file_is_looked_at_before_it_is_read(name: str, says: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, size, mode in (("large", 65537, 0o600), ("open", 65537, 0o644)):
        (tmp_path / path).write_bytes(b"x" * size)
        (tmp_path / path).chmod(mode)
    (tmp_path / "config.yaml").write_text(minimal(f"mysql_password: file:{name}"))
    found = inspect(tmp_path)
    (problem,) = found.problems
    assert re.search(says, problem.message)
    assert found.config and found.config.mysql_password
    with pytest.raises(UsageError, match=says):
        found.config.mysql_password.get_secret_value()


def test_a_file_elsewhere_is_warned_of(tmp_path: Path) -> None:
    """A configuration of somebody else's may name ~/.netrc, and send it to a machine of theirs."""
    place, mine = tmp_path / "cluster", tmp_path / "mine"
    place.mkdir()
    for path in (mine, place / "own"):
        path.touch(0o600)
        path.write_text("x")
    (place / "link").symlink_to(mine)
    for name, warned in {
        "own": 0,
        "../mine": 1,
        "link": 1,
        str(mine): 1,
        f"{place}/own": 0,
    }.items():
        (place / "config.yaml").write_text(minimal(f"mysql_password: 'file:{name}'"))
        problems = inspect(place).problems
        assert ["is not in the cluster's directory" in p.message for p in problems] == [
            True
        ] * warned


def test_a_file_that_is_missing_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mysql_password cannot be read: .*No such file"):
        secret_of(tmp_path, "file:none")
