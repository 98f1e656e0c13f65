"""Keys for SSH and tokens: whose they are, what is taken for a key, and what is never shown."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sqlalchemy import Engine, update

from jobplatform.model import sshkeys
from jobplatform.model.sshkeys import Unfit
from jobplatform.store import keys, people
from jobplatform.store.database import changing
from jobplatform.store.tables import tokens
from tests.support.platform.clients import Api, serving, settle
from tests.support.platform.keys import ED25519, GOOD, line

BODY = ED25519.partition(" ")[2]
LONGER = base64.b64encode(base64.b64decode(BODY) + b"x").decode()


@pytest.mark.parametrize("kind", GOOD)
def test_keys_of_good_kinds_are_taken_as_ssh_keygen_reads_them(kind: str, tmp_path: Path) -> None:
    found = sshkeys.read(f"  {GOOD[kind]} ann@her laptop\n")
    assert (found.line, found.comment) == (GOOD[kind], "ann@her laptop")
    (tmp_path / "key.pub").write_text(f"{found.line}\n")
    told = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert told.stdout.split()[1] == found.fingerprint


def security_key() -> str:
    """A key that a token for the USB port keeps: its kind, the key, and the application."""
    raw = ed25519.Ed25519PrivateKey.generate().public_key()
    kind = b"sk-ssh-ed25519@openssh.com"
    public = raw.public_bytes(Encoding.Raw, PublicFormat.Raw)
    body = b"".join(len(one).to_bytes(4, "big") + one for one in (kind, public, b"ssh:"))
    return f"{kind.decode()} {base64.b64encode(body).decode()}"


def test_keys_of_security_tokens_are_taken() -> None:
    assert sshkeys.read(security_key()).kind == "sk-ssh-ed25519@openssh.com"


def pem(layout: PrivateFormat) -> str:
    made = rsa.generate_private_key(65537, 2048)
    return made.private_bytes(Encoding.PEM, layout, NoEncryption()).decode()


BAD = {
    "an option": f'command="sh" {ED25519}',
    "an option of a server's": f"no-pty,{ED25519}",
    "an authority": f"cert-authority {ED25519}",
    "a marker": f"@revoked * {ED25519}",
    "two lines": f"{ED25519}\n{ED25519}",
    "two keys with a return between": f"{ED25519}\r{ED25519}",
    "a NEL": f"{ED25519} a\x85{ED25519}",
    "a line separator": f"{ED25519} a\u2028{ED25519}",
    "a NUL": f"{ED25519}\x00",
    "nothing": "",
    "a kind alone": "ssh-ed25519",
    "no key": "ssh-ed25519 AAAA",
    "no base64": "ssh-ed25519 ÄÖÜ",
    "another kind than it says": f"ssh-rsa {BODY}",
    "half a key": ED25519[:-8],
    "something behind it": f"ssh-ed25519 {LONGER}",
    "other bits that count for nothing": f"ssh-ed25519 {BODY}==",
    "a small one": line(rsa.generate_private_key(65537, 1024)),
    "an old kind": "ssh-dss AAAAB3NzaC1kc3MAAACB",
    "a certificate": f"ssh-ed25519-cert-v01@openssh.com {BODY}",
    "a huge one": f"ssh-rsa {'A' * 20_000}",
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_key_is_refused_in_words(kind: str) -> None:
    with pytest.raises(Unfit) as found:
        sshkeys.read(BAD[kind])
    assert BODY not in str(found.value)


@pytest.mark.parametrize("layout", [
    PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8,
])  # fmt: skip
def test_a_private_key_is_refused_and_not_said_again(api: Api, layout: PrivateFormat) -> None:
    text = pem(layout)
    answer = api("ann", "POST", "/api/v1/keys", json={"key": text})
    assert answer.status_code == 422
    assert "private key" in answer.text and text.splitlines()[1] not in answer.text


def test_keys_are_added_listed_and_removed_by_their_owner(api: Api) -> None:
    made = api("ann", "POST", "/api/v1/keys", json={"key": f"{ED25519} laptop"})
    assert made.status_code == 201
    (one,) = api("ann", "GET", "/api/v1/keys").json()
    assert (one["title"], one["key"], one["id"]) == ("laptop", ED25519, made.json()["id"])
    assert one["fingerprint"] == made.json()["fingerprint"]
    titled = {"key": GOOD["rsa"], "title": "<b>mine</b>"}
    assert api("ann", "POST", "/api/v1/keys", json=titled).status_code == 201
    assert api("bob", "GET", "/api/v1/keys").json() == []
    assert api("bob", "DELETE", f"/api/v1/keys/{one['id']}").status_code == 404
    assert api("ann", "DELETE", f"/api/v1/keys/{one['id']}").status_code == 204
    assert api("ann", "DELETE", f"/api/v1/keys/{one['id']}").status_code == 404
    assert len(api("ann", "GET", "/api/v1/keys").json()) == 1
    assert api("", "GET", "/api/v1/keys").status_code == 401


def test_a_key_is_one_persons(api: Api) -> None:
    given = {"key": ED25519}
    assert api("ann", "POST", "/api/v1/keys", json=given).status_code == 201
    for who in ("ann", "bob"):
        assert api(who, "POST", "/api/v1/keys", json=given).status_code == 409


def test_there_is_an_end_to_keys_and_tokens(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST", 1)
    monkeypatch.setattr(people, "MOST_TOKENS", 2)
    codes = [api("ann", "POST", "/api/v1/keys", json={"key": key}).status_code
             for key in GOOD.values()]  # fmt: skip
    assert codes == [201, 409, 409]
    given = {"label": "ci", "days": 1}
    codes = [api("ann", "POST", "/api/v1/tokens", json=given).status_code for _ in range(2)]
    assert codes == [201, 409]


def test_a_token_says_when_it_was_used_and_not_at_each_request(api: Api) -> None:
    token = api("ann", "POST", "/api/v1/tokens", json={"label": "ci", "days": 1}).json()["token"]
    api.tokens["ci"] = token
    number, before = _ci(api)
    assert before is None
    api("ci", "GET", "/api/v1/me")
    first = _ci(api)[1]
    assert first
    api("ci", "GET", "/api/v1/me")
    assert _ci(api)[1] == first
    with changing(api.engine) as connection:
        connection.execute(update(tokens).values(used=first - 11 * 60_000))
    api("ci", "GET", "/api/v1/me")
    assert _ci(api)[1] >= first
    assert api("ann", "DELETE", f"/api/v1/tokens/{number}").status_code == 204
    assert api("ci", "GET", "/api/v1/me").status_code == 401


def _ci(api: Api) -> tuple[int, int]:
    found = api("ann", "GET", "/api/v1/tokens").json()
    return next((one["id"], one["used"]) for one in found if one["label"] == "ci")


def test_keys_and_uses_in_a_real_database(real: Engine) -> None:
    with serving(real) as client:
        api = Api(real, client, settle(real))
        number = api("ann", "POST", "/api/v1/keys", json={"key": ED25519}).json()["id"]
        assert api("bob", "POST", "/api/v1/keys", json={"key": ED25519}).status_code == 409
        (one,) = api("ann", "GET", "/api/v1/keys").json()
        assert (one["id"], one["added"] > 10**12) == (number, True)
        assert api("ann", "GET", "/api/v1/tokens").json()[0]["used"]
