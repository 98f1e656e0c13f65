"""Whom we trust: reading known_hosts, learning, and refusing."""

from __future__ import annotations

import base64
import hmac
import threading
from multiprocessing import get_context
from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.core.errors import UsageError
from dlws.ssh.hostkeys import (
    HostKeyChanged,
    HostKeys,
    HostKeyShared,
    HostKeyUnconfirmed,
    Machines,
    fingerprint,
    parse,
    without,
)

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
    assert path.read_text() == f"w1 ssh-ed25519 {TEXT} learned\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {p.stat().st_mode & 0o777 for p in (path.parent, path.parent.parent)} == {0o700}
    again = HostKeys(path)
    again.check("w1", 22, KEY)
    assert path.read_text().count("\n") == 1


def test_over_a_key_that_was_only_learned_no_password_goes(tmp_path: Path) -> None:
    """A machine that takes any key, and so is learned, would have had the password of sudo next."""
    path = tmp_path / "known"
    for known in (HostKeys(path), HostKeys(path)):
        with pytest.raises(
            HostKeyUnconfirmed, match="nobody has accepted the host key of one"
        ) as e:
            known.check("w1", 22, KEY, machine="one", secret=True)
        assert e.value.cure.endswith("deploy.py -y hosts trust one")
        known.check("w1", 22, KEY, machine="one")
        assert known.of("w1", 22) == {KEY} and known.accepted("w1", 22) == set()
    known.check("w1", 22, KEY, fingerprint(KEY), "one", secret=True)  # pinned
    known.accept({"w1": KEY})
    assert known.accepted("w1", 22) == {KEY} and known.learned == {}
    for again in (known, HostKeys(path)):
        again.check("w1", 22, KEY, machine="one", secret=True)
        with pytest.raises(HostKeyChanged):
            again.check("w1", 22, OTHER, machine="one", secret=True)


def test_what_is_learned_is_kept_to_be_told(tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "known")
    known.check("10.0.0.1", 22, KEY, machine="one")
    known.check("gate", 2222, OTHER)
    assert known.learned == {"one": KEY, "gate": OTHER}
    assert HostKeys(tmp_path / "known").learned == {}


def test_a_last_line_without_end_is_not_spoilt(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"w1 ssh-ed25519 {TEXT}")
    HostKeys(tmp_path / "known").check("w2", 22, OTHER)
    assert set(parse((tmp_path / "known").read_text(), "f")) == {"w1", "w2"}


def test_a_changed_key_names_both_and_the_cure(tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "known")
    known.check("w1", 2222, KEY, machine="one")
    with pytest.raises(HostKeyChanged) as caught:
        known.check("w1", 2222, OTHER, machine="one")
    assert fingerprint(KEY) in caught.value.message and fingerprint(OTHER) in caught.value.message
    assert caught.value.cure.endswith("deploy.py hosts trust one")
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


def hashed(place: str, salt: bytes = b"s" * 20) -> str:
    digest = hmac.digest(salt, place.encode(), "sha1")
    return "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))


TWO = Machines({"10.0.0.1": "a", "10.0.0.2": "b", "198.51.100.1": "a"})


def test_a_copy_is_refused_and_both_machines_are_named(tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "known", TWO)
    known.check("10.0.0.1", 22, KEY, machine="a")
    with pytest.raises(HostKeyShared) as caught:
        known.check("10.0.0.2", 22, KEY, machine="b")
    assert caught.value.message.startswith("b has the host key of a, SHA256:")
    assert "ssh-keygen -A" in caught.value.cure
    assert parse((tmp_path / "known").read_text(), "f") == {"10.0.0.1": {KEY}}


@pytest.mark.parametrize("name", ["10.0.0.1", "198.51.100.1", hashed("10.0.0.1")])
def test_a_copy_of_a_machine_known_from_before_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"{name} ssh-ed25519 {TEXT}\n")
    with pytest.raises(HostKeyShared, match="b has the host key of a"):
        HostKeys(tmp_path / "known", TWO).check("10.0.0.2", 22, KEY, machine="b")


def test_a_copy_of_a_pinned_machine_is_refused_and_two_alike_pins_are_too(tmp_path: Path) -> None:
    pinned = Machines(TWO.places, {fingerprint(KEY): "a"})
    for pin in ("", fingerprint(KEY)):
        with pytest.raises(HostKeyShared):
            HostKeys(tmp_path / "known", pinned).check("10.0.0.2", 22, KEY, pin, machine="b")
    HostKeys(tmp_path / "known", pinned).check("10.0.0.1", 22, KEY, machine="a")


def test_public_addresses_jump_hosts_and_strangers_are_no_conflict(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"gone ssh-ed25519 {TEXT}\n")
    for _ in range(2):
        known = HostKeys(tmp_path / "known", TWO)
        known.check("gateway", 22, KEY)
        known.check("10.0.0.1", 22, KEY, machine="a")
        known.check("198.51.100.1", 22, KEY, machine="a")
        known.check("gateway", 22, KEY)
    learned = set(parse((tmp_path / "known").read_text(), "f"))
    assert learned == {"gone", "gateway", "10.0.0.1", "198.51.100.1"}


def test_who_wants_copies_may_have_them(tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "known", Machines(TWO.places, may_share=True))
    known.check("10.0.0.1", 22, KEY, machine="a")
    known.check("10.0.0.2", 22, KEY, machine="b")
    assert set(parse((tmp_path / "known").read_text(), "f")) == {"10.0.0.1", "10.0.0.2"}


def learn(path: str, number: int, start: object) -> None:
    known = HostKeys(Path(path), Machines({f"10.0.0.{n}": f"m{n}" for n in range(64)}))
    start.wait()  # type: ignore[attr-defined]
    known.check(f"10.0.0.{number}", 22, KEY, machine=f"m{number}")


def test_of_copies_that_connect_at_once_one_is_learned(tmp_path: Path) -> None:
    places = {f"10.0.0.{n}": f"m{n}" for n in range(64)}
    for turn in range(20):
        path = tmp_path / f"known-{turn}"
        known, start = HostKeys(path, Machines(places)), threading.Barrier(32)
        refused: list[str] = []

        def check(number: int, known: HostKeys = known, start: threading.Barrier = start,
                  refused: list[str] = refused) -> None:  # fmt: skip
            start.wait()
            try:
                known.check(f"10.0.0.{number}", 22, KEY, machine=f"m{number}")
            except HostKeyShared:
                refused.append(f"10.0.0.{number}")

        threads = [threading.Thread(target=check, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        learned = set(parse(path.read_text(), "f"))
        assert len(learned) == 1 and len(refused) == 31 and not learned & set(refused)


def test_of_copies_that_two_runs_meet_at_once_one_is_learned(tmp_path: Path) -> None:
    context = get_context("spawn")
    start = context.Barrier(4)
    path = tmp_path / "deploy/known"
    runs = [context.Process(target=learn, args=(str(path), number, start)) for number in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(run.exitcode == 0 for run in runs) == [False, False, False, True]
    assert len(parse(path.read_text(), "f")) == 1


def test_a_place_is_taken_out_and_all_else_stays() -> None:
    text = (
        f"# mine\n\nw1,10.0.0.1 ssh-ed25519 {TEXT} note\n"
        f" {hashed('10.0.0.1')}\tssh-ed25519 {TEXT}\n"
        f"10.0.0.11 ssh-ed25519 {TEXT}\n10.0.0.1 ssh-rsa AAAA\n{hashed('10.0.0.2')} x y\nlast"
    )
    assert without(text, {"10.0.0.1"}) == (
        f"# mine\n\nw1 ssh-ed25519 {TEXT} note\n"
        f"10.0.0.11 ssh-ed25519 {TEXT}\n{hashed('10.0.0.2')} x y\nlast"
    )


def test_an_accepted_key_takes_the_place_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "known"
    path.write_text(f"# mine \n{hashed('10.0.0.1')} ssh-ed25519 {TEXT}\nw9 ssh-ed25519 {TEXT}")
    known = HostKeys(path, TWO)
    known.accept({"10.0.0.1": OTHER})
    assert known.of("10.0.0.1", 22) == {OTHER} and known.of("w9", 22) == {KEY}
    assert path.read_text().startswith(f"# mine \nw9 ssh-ed25519 {TEXT}\n10.0.0.1 ssh-ed25519 ")
    assert path.stat().st_mode & 0o777 == 0o600
    HostKeys(path, TWO).check("10.0.0.1", 22, OTHER, machine="a")


def test_what_another_run_learned_meanwhile_counts(tmp_path: Path) -> None:
    first, second = HostKeys(tmp_path / "known", TWO), HostKeys(tmp_path / "known", TWO)
    first.check("10.0.0.1", 22, KEY, machine="a")
    with pytest.raises(HostKeyChanged):
        second.check("10.0.0.1", 22, OTHER, machine="a")
    with pytest.raises(HostKeyShared):
        second.check("10.0.0.2", 22, KEY, machine="b")
