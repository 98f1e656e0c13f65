"""Which rule keeps a user out, from what sshd itself says."""

from __future__ import annotations

import getpass
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dlws.access.sshdrules import reading, rule
from dlws.core.connection import Local
from tests.support.sshd import write_key

USER = getpass.getuser()


@pytest.mark.sshd
@pytest.mark.parametrize(("config", "words", "cure"), [
    ("AllowUsers alice bob", "sshd's AllowUsers alice bob does not name", f"add {USER} to it"),
    (f"DenyUsers {USER}", f"sshd's DenyUsers {USER}", "take that away"),
    ("AllowGroups wheel", "sshd's AllowGroups wheel does not name", "to it in"),
    ("AuthorizedKeysFile /etc/ssh/keys/%u", "AuthorizedKeysFile /etc/ssh/keys/%u", "add .ssh/auth"),
    ("AuthenticationMethods publickey,keyboard-interactive", "a key alone", "Match"),
    ("PubkeyAuthentication no", "PubkeyAuthentication no", "write yes"),
    (f"Match User {USER}\nAuthorizedKeysFile none", "AuthorizedKeysFile none", "write .ssh/auth"),
])  # fmt: skip
def test_a_rule_of_sshd_is_named(config: str, words: str, cure: str, tmp_path: Path) -> None:
    write_key(tmp_path / "host")
    base = f"HostKey {tmp_path}/host\nStrictModes no\nPermitRootLogin yes\nUsePAM yes\n"
    (tmp_path / "config").write_text(f"{base}{config}\n")
    assert shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    Path("/run/sshd").mkdir(exist_ok=True)
    said = Local().run(reading(USER, "-f", str(tmp_path / "config"))).text
    found = rule(said, USER)
    assert found and words in found[0] and cure in found[1], said
    (tmp_path / "config").write_text(f"{base}AllowUsers {USER[0]}*\n")
    assert rule(Local().run(reading(USER, "-f", str(tmp_path / "config"))).text, USER) is None


NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)  # day 20454


@pytest.mark.parametrize(("facts", "words", "cure"), [
    ("fact:nologin /run/nologin", "/run/nologin lets nobody but root in", "rm /run/nologin"),
    ("fact:shell /bin/zsh\nfact:shell-missing yes", "shell /bin/zsh is missing", "usermod -s"),
    ("fact:shadow !:20000:99999:20001", "account adam has expired", "chage -E -1 adam"),
    ("fact:shadow *:20000:90:", "password of adam has expired", "chage -M -1"),
    ("fact:shadow *:0:99999:", "password of adam has expired", "chage -M -1"),
    ("usepam no\nfact:shadow !:20000:99999:", "is locked", "usermod -p"),
    ("fact:home 777 adam /home/adam", "others can write /home/adam", "chmod go-w /home/adam"),
    ("fact:home 700 eve /home/adam/.ssh", "/home/adam/.ssh belongs to eve", "chown adam:"),
    ("allowusers adam@10.0.0.*\nfact:address 10.1.0.1", "AllowUsers adam@10.0.0.*", "add adam"),
    ("allowusers adam@10.0.0.0/8\nfact:address 11.1.0.1", "AllowUsers adam@10.0.0.0/8", "add adam"),
    ("authorizedkeysfile none", "AuthorizedKeysFile none", "write .ssh/authorized_keys in"),
    ("authorizedkeysfile /k/%u\nfact:home 700 adam /home/adam", "it does not read", "add .ssh/"),
    ("pubkeyacceptedalgorithms ssh-rsa,ecdsa-sha2-nistp256", "no key of the kind ssh-ed", "add"),
    ("pubkeyacceptedkeytypes ssh-rsa", "no key of the kind ssh-ed25519", "add ssh-ed25519 to"),
])  # fmt: skip
def test_a_fact_about_the_account_is_named(facts: str, words: str, cure: str) -> None:
    found = rule(facts, "adam", NOW, ["ssh-ed25519"])
    assert found and words in found[0] and cure in found[1]


@pytest.mark.parametrize("text", [
    "", "fact:shadow *:20000:99999:\nfact:home 755 adam /home/adam\nfact:groups adam sudo",
    "allowusers adam@10.0.0.*\nfact:address 10.0.0.1", "allowgroups sudo\nfact:groups adam sudo",
    "authorizedkeysfile .ssh/authorized_keys .ssh/more\nauthenticationmethods any",
    "allowusers adam@10.0.0.0/8\nfact:address 10.2.0.1", "denyusers adam@10.9.0.0/16 [a]dam",
    "authorizedkeysfile /home/%u/.ssh/authorized_keys\nfact:home 700 adam /home/adam",
    "authorizedkeysfile %h/.ssh/authorized_keys\nfact:home 700 adam /home/adam",
    "pubkeyacceptedalgorithms rsa-sha2-512", "pubkeyacceptedalgorithms ssh-ed25519,ssh-rsa",
    "strictmodes no\nfact:home 777 adam /home/adam", "fact:shadow junk\nfact:home 700 adam /h x",
])  # fmt: skip
def test_where_no_rule_keeps_anybody_out_none_is_named(text: str) -> None:
    assert rule(text, "adam", NOW, ["ssh-rsa"]) is None


@pytest.mark.parametrize("how", ["no", "forced-commands-only"])
def test_root_may_be_kept_out_alone(how: str) -> None:
    found = rule(f"permitrootlogin {how}", "root", NOW)
    assert found and how in found[0] and "prohibit-password" in found[1]
    assert rule(f"permitrootlogin {how}", "adam", NOW) is None
