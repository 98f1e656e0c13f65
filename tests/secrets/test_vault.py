from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlws.core.errors import DeployError, UsageError
from dlws.secrets.vault import Vault
from tests.support.vaults import is_open, vault


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("form", ["OpenSSH", "PEM"])
def test_keys_of_every_kind_and_form(kind: str, form: str, tmp_path: Path) -> None:
    from dlws.ssh.keys import Keys

    path = tmp_path / "deploy/sshkey/id_rsa"
    path.parent.mkdir(parents=True)
    options = ["-m", "PEM"] if form == "PEM" else []
    if kind == "rsa":
        options += ["-b", "2048"]  # quicker to make than those of 3072
    words = ["ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-f", str(path)]
    subprocess.run(words, check=True)
    public = path.with_suffix(".pub").read_text().split()[1]
    one = vault(tmp_path)
    one.enable()
    one.encrypt(path)
    assert not is_open(path)
    assert Keys(vault(tmp_path)).load(path).get_base64() == public
    one.decrypt(path)
    assert is_open(path) and Keys().load(path).get_base64() == public


def test_a_file_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    one = vault(tmp_path)
    one.enable()
    path, other = tmp_path / "deploy/sshkey/rootpasswd", tmp_path / "deploy/sshkey/admin.conf"
    one.write(path, b"secret")
    data = path.read_bytes()
    changed = (data.replace(b"\n", b"\nAAAA", 1), data[:-8], data[:20])
    for bad in changed:
        path.write_bytes(bad)
        with pytest.raises(DeployError, match="is damaged"):
            vault(tmp_path).read(path)
    other.write_bytes(data)  # one secret in another one's place
    with pytest.raises(DeployError, match="is damaged"):
        vault(tmp_path).read(other)


def test_the_passphrase_is_asked_for_once_even_if_it_is_wrong(tmp_path: Path) -> None:
    vault(tmp_path).enable()
    asked = []
    one = Vault(tmp_path, lambda: asked.append(1) or "wrong")  # type: ignore[func-returns-value]
    for _ in range(3):
        with pytest.raises(UsageError, match="does not open"):
            one.write(tmp_path / "deploy/sshkey/x", b"x")
    assert asked == [1] and not (tmp_path / "deploy/sshkey/x").exists()
