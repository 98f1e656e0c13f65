"""`secrets`: which secrets a cluster's directory keeps, and all of them encrypted or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core import person
from dlws.core.errors import CheckFailed
from dlws.core.program import PROGRAM
from dlws.runs.plan import local
from dlws.secrets.vault import OwnPassphrase, Vault

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.config.model.machines import Ssh
    from dlws.runs.console import Console
    from dlws.runs.gate import Gate

NAMES = ("id_ed25519", "id_rsa", "rootpasswd", "admin.conf", "kubectl.conf", "encryption.yaml")
"""What this program keeps in deploy/sshkey, or looks for there."""
_MADE = (
    "backups/*.gz",
    "dashboard/*",
    "nginx/*.key",
    "registry/*.key",
    "registry/http.secret",
    "registry/htpasswd",
    "registry/password",
)
"""What commands of ours make in deploy/ and are secrets."""


def files(config: Config, directory: Path) -> list[Path]:
    """The secret files in deploy/: its own, and those there that config.yaml names."""
    deploy = (directory / "deploy").resolve()
    own = (directory / "deploy/sshkey" / name for name in NAMES)
    made = (path for kind in _MADE for path in sorted((directory / "deploy").glob(kind)))
    found = (path for path in (*own, *made, *_named(config, directory)) if path.is_file())
    return list(dict.fromkeys(path for path in found if path.resolve().is_relative_to(deploy)))


def _named(config: Config, directory: Path) -> Iterator[Path]:
    """SSH keys and file: references; not that of the passphrase, which has to open them."""
    from dlws.config.secrets import secrets_of

    parts: list[Ssh | Machine] = [config.ssh, *config.machines.values()]
    for part in parts:
        jump = part.jump_host
        for key in (part.key, *(hop.key for hop in (jump.hops if jump else ()))):
            if key:
                yield directory / person.expanded(key)
    for where, secret in secrets_of(config):
        if secret.path and where != ("secrets_key",):
            yield secret.path


def encrypt(vault: Vault, paths: Iterable[Path], console: Console, gate: Gate) -> None:
    """Encrypt what is plain. Interrupted, it has lost nothing, and goes on when run again."""
    plain = [path for path in paths if not vault.is_encrypted(path)]
    if not gate.admit(local("encrypt deploy/"), *(local(f"encrypt {path}") for path in plain)):
        return
    vault.enable()
    for path in plain:
        vault.encrypt(path)
        console.changed(f"{path} is encrypted")


def decrypt(vault: Vault, paths: Iterable[Path], console: Console, gate: Gate) -> None:
    """Decrypt what is encrypted; the mark that all of it is goes last."""
    shut = [path for path in paths if vault.is_encrypted(path)]
    if not gate.admit(local("decrypt deploy/"), *(local(f"decrypt {path}") for path in shut)):
        return
    for path in shut:
        try:
            vault.decrypt(path)
        except OwnPassphrase:
            console.say(f"left as it is: {path} has a passphrase of its own")
        else:
            console.changed(f"{path} is decrypted")
    if vault.encrypted:
        vault.disable()


def status(vault: Vault, paths: Iterable[Path]) -> dict[str, str]:
    """Whether each of the files is encrypted, or plain."""
    return {str(path): "encrypted" if vault.is_encrypted(path) else "plain" for path in paths}


def complete(vault: Vault, found: dict[str, str]) -> None:
    """Raise CheckFailed where a cluster that is encrypted has plain secrets."""
    plain = [path for path, state in found.items() if state == "plain"]
    if vault.encrypted and plain:
        raise CheckFailed(f"not encrypted: {', '.join(plain)}", f"run: {PROGRAM} secrets encrypt")
