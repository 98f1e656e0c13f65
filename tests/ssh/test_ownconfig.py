"""~/.ssh/config, beside what OpenSSH itself makes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.ssh.ownconfig import load, matches
from tests.support.ownconfigs import wrote

CASES = {
    "first counts": "Host w1\n User a\nHost *\n User b\n Port 2222\n",
    "negated": "Host * !w1\n User a\nHost w?\n User b\n",
    "capitals": "host w1\nUSER=a\nport = 77\nHost W1\n User b\nMatch host W1\n Port 5\n",
    "quotes and comments": 'Host "w1" # not w2\n User "a b" # who\n',
    "before all sections": "User top\nHost w1\n User late\n",
    "match host": "Host w1\n HostName w1.example\nMatch host *.example\n User a\n",
    "match originalhost": "Host w1\n HostName x\nMatch originalhost w1\n User a\n",
    "match negated": "Match !host w1\n User a\nMatch all\n User b\n",
    "match several": "Match host w1,w2 user nobody-here\n User a\nMatch host w*\n Port 5\n",
    "match final": "Host w1\n HostName z.example\nMatch final host z.example\n User a\n",
    "include": "Include more\nHost *\n User b\n",
    "include in a section": "Host w2\n Include more\nHost w1\n User b\n",
    "include with stars": "Host w1\n Include m*e\n",
    "proxy command first": "Host w1\n ProxyCommand x %h\n ProxyJump gate\n",
    "proxy none": "Host w1\n ProxyJump none\nHost *\n ProxyJump gate\n",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_settings_are_those_that_openssh_finds(text: str, tmp_path: Path) -> None:
    own = wrote(tmp_path, text).of(["w1"], {})
    absolute = text.replace("Include m", f"Include {tmp_path}/.ssh/m")
    (tmp_path / "absolute").write_text(absolute)
    (tmp_path / "absolute").chmod(0o600)
    line = ["ssh", "-G", "-F", str(tmp_path / "absolute"), "w1"]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    theirs = dict(row.split(" ", 1) for row in said.splitlines() if " " in row)
    for key in ("user", "port", "hostname", "proxyjump", "proxycommand"):
        if key in own and own[key][0] != "none":
            assert own[key][0] == theirs[key], key
        else:
            bare = {"port": "22", "hostname": "w1", "user": theirs["user"]}.get(key)
            assert theirs.get(key) == bare
    assert "user" in own or theirs["user"] not in ("a", "b", "top", "late", "included")


@pytest.mark.parametrize(("pattern", "names", "fits"), [
    ("10.0.*", ["w1", "10.0.0.1"], True), ("w[1]", ["w1"], False), ("!w1 *", ["w1"], False),
    ("!w1", ["w2"], False), ("* !10.0.0.1", ["w1", "10.0.0.1"], False), ("W1", ["w1"], False),
])  # fmt: skip
def test_a_pattern_may_be_meant_for_any_name_of_a_machine(
    pattern: str, names: list[str], fits: bool
) -> None:
    assert matches(pattern.split(), names) is fits


def test_what_config_yaml_says_counts_like_an_option_of_ssh(tmp_path: Path) -> None:
    own = wrote(tmp_path, "Match user root\n Port 5\nHost *\n User other\n")
    assert own.of(["w1"], {"user": "root"}) == {"user": ["root"], "port": ["5"]}


def test_identity_files_add_up(tmp_path: Path) -> None:
    own = wrote(tmp_path, "Host w1\n IdentityFile a\nHost *\n IdentityFile b\n IdentityFile a\n")
    assert own.of(["w1"], {})["identityfile"] == ["a", "b"]


def test_a_section_that_nobody_here_can_decide_is_left_out_and_named(tmp_path: Path) -> None:
    own = wrote(tmp_path, 'Match exec "true"\n User a\nHost *\n User b\n')
    assert own.of(["w1"], {}) == {"user": ["b"]}
    assert own.undecided == {f"{tmp_path}/.ssh/config:1": "Match exec"}


@pytest.mark.parametrize(("text", "where"), [
    ('Host "w1\n', "config:1"), ("\nUser\n", "config:2"), ("%%\n", "config:1"),
    ("Include more\n", "Include goes 16 files deep"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_with_the_line(
    text: str, where: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=where) as caught:
        wrote(tmp_path, text, more="Include more\n")
    assert "ssh.config: false" in caught.value.cure


def test_a_file_that_others_can_write_is_refused_as_openssh_does(tmp_path: Path) -> None:
    wrote(tmp_path, "User a\n")
    (tmp_path / ".ssh/config").chmod(0o666)
    with pytest.raises(UsageError, match="others can write it"):
        load(tmp_path)


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert load(tmp_path).of(["w1"], {}) == {}
