"""`dlws keys`, against the real API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlws.client import publickey
from dlws.core.errors import UsageError
from tests.support.platform.commands import Person
from tests.support.platform.keys import ED25519, GOOD


def test_keys_are_added_listed_and_removed(person: Person, tmp_path: Path) -> None:
    person.signs_in()
    file = tmp_path / "mine.pub"
    file.write_text(f"\n{ED25519} laptop\n")
    assert "would add the public key" in person("--dry-run", "keys", "add", str(file)).output
    assert json.loads(person("keys", "list", "--output", "json").stdout) == []
    added = json.loads(person("keys", "add", str(file), "--output", "json").stdout)
    assert added["fingerprint"] in person("keys", "list").stdout
    assert "laptop" in person("keys", "list").stdout
    again = person("keys", "add", str(file), code=1)
    assert "somebody's already" in again.stderr
    person("keys", "remove", str(added["id"]))
    assert json.loads(person("keys", "list", "--output", "json").stdout) == []
    assert "you have no such key" in person("keys", "remove", "77", code=1).stderr


def test_a_private_key_is_not_even_sent(tmp_path: Path) -> None:
    for content in ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "PuTTY-User-Key-File-3: x\n"):
        (tmp_path / "key").write_text(content)
        with pytest.raises(UsageError, match="is a private key") as found:
            publickey.read(tmp_path / "key")
        assert found.value.cure == f"give {tmp_path}/key.pub"
    (tmp_path / "key").write_text(f"{ED25519}\n{GOOD['rsa']}\n")
    with pytest.raises(UsageError, match="2 lines"):
        publickey.read(tmp_path / "key")


def test_without_a_file_the_usual_one_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlws.core.person.home", lambda: tmp_path)
    with pytest.raises(UsageError, match=r"there is no id_ed25519\.pub"):
        publickey.read(None)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_rsa.pub").write_text(GOOD["rsa"])
    assert publickey.read(None) == GOOD["rsa"]
    (tmp_path / ".ssh/id_ed25519.pub").write_text(ED25519)
    assert publickey.read(None) == ED25519


def test_a_token_lets_a_program_in_until_it_ends(person: Person) -> None:
    person.signs_in()
    made = person("keys", "token", "add", "nightly", "--days", "7").stdout.strip()
    listed = json.loads(person("keys", "token", "list", "--output", "json").stdout)
    (number,) = [one["id"] for one in listed if one["label"] == "nightly"]
    assert made not in person("keys", "token", "list").output
    assert "nightly" in person("keys", "token", "list").stdout
    person.tokens["nightly"] = made
    person.signs_in("nightly")
    assert json.loads(person("job", "list", "--output", "json").stdout) == []
    person("keys", "token", "remove", str(number))
    assert "not valid" in person("keys", "list", code=4).stderr
