"""Whom we trust: reading known_hosts, learning, and refusing."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.errors import UsageError
from dlws.hostkeys import HostKeyChanged, HostKeys, fingerprint, parse

KEY = b"\x00\x00\x00\x0bssh-ed25519" + b"\x00\x00\x00\x20" + b"k" * 32
OTHER = KEY[:-1] + b"o"
TEXT = base64.b64encode(KEY).decode()


def test_names_with_commas_and_ports_and_comments() -> None:
    text = f"# mine\n\nw1,10.0.0.1 ssh-ed25519 {TEXT} a comment\n[w2]:2222 ssh-ed25519 {TEXT}\n"
    assert parse(text, "f") == {"w1": {KEY}, "10.0.0.1": {KEY}, "[w2]:2222": {KEY}}


@pytest.mark.parametrize("line", ["w1", "w1 ssh-ed25519", "w1 ssh-ed25519 !!!", "\x00\x01", "�"])
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(UsageError, match="known:2: not a host key line"):
        parse(f"# fine\n{line}\n", "known")


@pytest.mark.parametrize("mark", ["@revoked", "@cert-authority"])
def test_markers_are_refused_rather_than_ignored(mark: str) -> None:
    with pytest.raises(UsageError, match=f"1: the marker {mark}"):
        parse(f"{mark} * ssh-ed25519 {TEXT}\n", "known")


def test_a_file_that_is_no_text_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "known").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="known:1"):
        HostKeys(tmp_path / "known")


def test_names_hashed_by_openssh_are_known(tmp_path: Path) -> None:
    salt = b"s" * 20
    digest = hmac.digest(salt, b"[10.0.0.1]:2222", "sha1")
    words = [base64.b64encode(part).decode() for part in (salt, digest)]
    (tmp_path / "known").write_text(f"|1|{words[0]}|{words[1]} ssh-ed25519 {TEXT}\n")
    known = HostKeys(tmp_path / "known")
    assert known.of("10.0.0.1", 2222) == {KEY}
    assert known.of("10.0.0.1", 22) == set()
    with pytest.raises(HostKeyChanged):
        known.check("10.0.0.1", 2222, OTHER)


def test_keys_are_learned_in_a_file_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / "deploy/sshkey/known_hosts"
    HostKeys(path).check("w1", 22, KEY)
    assert path.read_text() == f"w1 ssh-ed25519 {TEXT}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {p.stat().st_mode & 0o777 for p in (path.parent, path.parent.parent)} == {0o700}
    again = HostKeys(path)
    again.check("w1", 22, KEY)
    assert path.read_text().count("\n") == 1


def test_a_last_line_without_end_is_not_spoilt(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"w1 ssh-ed25519 {TEXT}")
    HostKeys(tmp_path / "known").check("w2", 22, OTHER)
    assert set(parse((tmp_path / "known").read_text(), "f")) == {"w1", "w2"}


def test_a_changed_key_names_both_and_the_cure(tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "known")
    known.check("w1", 2222, KEY)
    with pytest.raises(HostKeyChanged) as caught:
        known.check("w1", 2222, OTHER)
    assert fingerprint(KEY) in caught.value.message and fingerprint(OTHER) in caught.value.message
    assert "ssh-keygen -R '[w1]:2222'" in caught.value.cure
    assert known.of("w1", 2222) == {KEY}


def test_a_pinned_key_counts_alone(tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "known")
    known.check("w1", 22, OTHER)
    known.check("w1", 22, KEY, fingerprint(KEY))
    with pytest.raises(HostKeyChanged, match="not the configured"):
        known.check("w1", 22, OTHER, fingerprint(KEY))


@pytest.mark.parametrize("form", ["{print}", "ssh-ed25519 {key}", "ssh-ed25519 {key} comment"])
def test_a_key_may_be_pinned_by_fingerprint_or_written_out(form: str, tmp_path: Path) -> None:
    key = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)
    pinned = form.format(print=fingerprint(key), key=base64.b64encode(key).decode())
    HostKeys(tmp_path / "none").check("10.0.0.1", 22, key, pinned)
    with pytest.raises(HostKeyChanged):
        HostKeys(tmp_path / "none").check("10.0.0.1", 22, key + b"x", pinned)


def test_a_pinned_key_of_config_yaml_is_the_one_that_is_checked(tmp_path: Path) -> None:
    for pinned in (fingerprint(KEY), f"ssh-ed25519 {TEXT}"):
        text = f"cluster_name: c\nmachines: {{a: {{role: infra, host_key: '{pinned}'}}}}\n"
        machine = from_text(text).machines["a"]
        HostKeys(tmp_path / "none").check("10.0.0.1", 22, KEY, machine.host_key)
        with pytest.raises(HostKeyChanged):
            HostKeys(tmp_path / "none").check("10.0.0.1", 22, OTHER, machine.host_key)
