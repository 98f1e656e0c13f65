"""Whose new host keys a person is asked about, and when, before passwords go there."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import DeployError, Refused
from dlws.nodes.firstcontact import FirstContact
from dlws.ssh.handshake import ConnectionFailed, Target
from dlws.ssh.hostkeys import HostKeys, fingerprint
from tests.support.invocations import unrecorded


def key_of(name: str) -> bytes:
    return b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + name.encode().ljust(32, b".")


class Shows:
    """A connection as far as first contact goes: what is there shows a key, or does not answer."""

    def __init__(self, contact: FirstContact, name: str, **how: Any) -> None:
        self.target = Target(f"{name}.example", machine=how.get("machine", name))
        self.contact, self.via = contact, how.get("via")
        self.sends_passwords: bool = how.get("secret", True)
        self.key = how.get("key", key_of(name))

    def host_key(self) -> bytes:
        if self.via and self.via.sends_passwords:
            self.via.contact.meet([self.via])  # it logs in there, which may be in another thread
        if isinstance(self.key, DeployError):
            raise self.key
        return bytes(self.key)


@pytest.fixture
def known(tmp_path: Path) -> HostKeys:
    return HostKeys(tmp_path / "known")


def contact_of(
    known: HostKeys, tmp_path: Path, yes: bool = False, new: bool = False
) -> FirstContact:
    return FirstContact(known, unrecorded(directory=tmp_path, yes=yes), new)


def test_only_what_nobody_has_accepted_is_asked_about(
    known: HostKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contact = contact_of(known, tmp_path)
    one, two, gone, changed = (Shows(contact, name) for name in ("one", "two", "gone", "changed"))
    known.accept({"one.example": key_of("one")})
    known.check("changed.example", 22, key_of("other"))
    gone.key = ConnectionFailed("no answer")
    with pytest.raises(Refused, match="the host keys of two: no password was sent"):
        contact.meet([one, two, gone, changed])  # type: ignore[list-item]
    said = capsys.readouterr().err
    assert fingerprint(key_of("two")) in said and said.count("SHA256:") == 1
    assert known.accepted("two.example", 22) == set()
    contact_of(known, tmp_path, yes=True).meet([one, two, gone, changed])  # type: ignore[list-item]
    assert known.accepted("two.example", 22) == {key_of("two")}
    contact.meet([one, two, gone, changed])  # type: ignore[list-item]
    assert known.accepted("changed.example", 22) == set()


def test_a_pinned_key_is_nobodys_question(
    known: HostKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Shows(contact_of(known, tmp_path), "one")
    pinned = f"ssh-ed25519 {base64.b64encode(one.key).decode()}"
    one.target = Target("one.example", machine="one", host_key=pinned)
    one.contact.meet([one])  # type: ignore[list-item]
    assert "SHA256:" not in capsys.readouterr().err


def test_a_jump_host_with_a_password_comes_first(
    known: HostKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contact = contact_of(known, tmp_path, new=True)
    gate = Shows(contact, "gate", machine="")
    behind = [Shows(contact, name, via=gate) for name in ("one", "two")]
    contact.meet(behind)  # type: ignore[arg-type]
    lines = [line for line in capsys.readouterr().err.splitlines() if "SHA256:" in line]
    assert [line.split(" ssh-")[0].strip() for line in lines] == [
        "jump host gate.example gate.example", "one one.example", "two two.example",
    ]  # fmt: skip
    gate.key = ConnectionFailed("no answer")
    other = Shows(contact, "three", via=Shows(contact, "out", key=gate.key, machine=""))
    contact.meet([other])  # type: ignore[list-item]


def test_in_a_thread_nobody_is_asked(known: HostKeys, tmp_path: Path) -> None:
    one = Shows(contact_of(known, tmp_path), "one")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(one.contact.meet, [one]).result()  # type: ignore[list-item]
        assert known.accepted("one.example", 22) == set()
        pool.submit(contact_of(known, tmp_path, yes=True).meet, [one]).result()  # type: ignore[list-item]
    assert known.accepted("one.example", 22) == {key_of("one")}
