"""The secrets in deploy/, encrypted at rest: one place reads and writes them, plain or not.

Once a cluster is encrypted (a marker says so), they are decrypted in memory alone. SSH keys are in
OpenSSH's own encrypted form, so that ssh and ssh-add take them; all else is AES-GCM under a key
that scrypt makes from the passphrase.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import MIB, read, write

_HEAD = b"dlws-secret-1 "
_COST = 2**15
"""scrypt's: 32 MiB and about 0.1 s for each guess."""
_KEY_BEGINS, _KEY_WORD = b"-----BEGIN ", b"PRIVATE KEY-----"
_CURE = "correct secrets_key in config.yaml, or DLWS_SECRETS_KEY"


def sealed(data: bytes) -> bool:
    """Whether data is a secret that was encrypted here."""
    return data.startswith(_HEAD)


def is_key(data: bytes) -> bool:
    """Whether data is an SSH private key."""
    return data.startswith(_KEY_BEGINS) and _KEY_WORD in data.partition(b"\n")[0]


def _no_passphrase() -> str:
    raise UsageError("the secrets in deploy/ are encrypted, and no passphrase is given", _CURE)


class OwnPassphrase(UsageError):
    """An SSH key has a passphrase that is not the one of deploy/: it is its owner's business."""


class Vault:
    """Reads and writes the secrets of one cluster's directory."""

    def __init__(self, directory: Path, ask: Callable[[], str] = _no_passphrase) -> None:
        self.directory, self._ask = directory, ask
        self.marker = directory / "deploy/encrypted"
        self._lock = threading.RLock()
        self._keys: dict[tuple[bytes, str], bytes] = {}
        self._passphrase, self._wrong = "", UsageError("")

    @property
    def encrypted(self) -> bool:
        return self.marker.exists()

    @property
    def passphrase(self) -> str:
        """The passphrase, asked for once; where the cluster has one already, it is that."""
        with self._lock:
            if self._wrong.message:
                raise self._wrong
            if not self._passphrase:
                try:
                    self._passphrase = self._asked()
                except UsageError as error:
                    self._wrong = error  # other nodes wait for it: nobody is asked 500 times
                    raise
            return self._passphrase

    def _asked(self) -> str:
        given = self._ask()
        if not given:
            raise UsageError("the passphrase is empty", _CURE)
        if self.encrypted:
            self._unsealed(self.marker.read_bytes(), self.marker, given)
        return given

    def read(self, path: Path) -> bytes:
        """The content of a secret file, decrypted if need be."""
        data = read(path, _limit(path))
        if sealed(data):
            return self._unsealed(data, path, self.passphrase)
        return self.open_key(path) if _locked(data) else data

    def open_key(self, path: Path) -> bytes:
        """An SSH key that has our passphrase, without it. Raises OwnPassphrase."""
        return _open_key(path.read_bytes(), self.passphrase, path)

    def write(self, path: Path, content: bytes) -> None:
        """Write a secret file whole or not at all, encrypted where the cluster is."""
        write(path, self._encrypted_key(path, content) if self.encrypted else content)

    def owns_key(self, path: Path) -> bool:
        """Whether a file is a key that may be locked with our passphrase."""
        ours = path.resolve().is_relative_to((self.directory / "deploy").resolve())
        return self.encrypted and ours and path.exists() and _locked(path.read_bytes())

    def is_encrypted(self, path: Path) -> bool:
        """Whether a file is encrypted."""
        data = read(path, _limit(path))
        return sealed(data) or _locked(data)

    def enable(self) -> None:
        """From here on secrets are written encrypted."""
        if self.passphrase and not self.encrypted:
            write(self.marker, self._seal(self.marker, b"", os.urandom(16), self.passphrase))

    def encrypt(self, path: Path) -> None:
        write(path, self._encrypted_key(path, path.read_bytes()))

    def decrypt(self, path: Path) -> None:
        write(path, self.read(path))

    def disable(self) -> None:
        """From here on secrets are written as they are."""
        self.marker.unlink()

    def _encrypted_key(self, path: Path, content: bytes) -> bytes:
        if is_key(content):
            return content if _locked(content) else _lock_key(content, self.passphrase, path)
        passphrase = self.passphrase  # tried on the marker before anything is written with it
        return self._seal(path, content, _salt(self.marker.read_bytes(), self.marker), passphrase)

    def _seal(self, path: Path, content: bytes, salt: bytes, passphrase: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        head, nonce = _HEAD + base64.b64encode(salt), os.urandom(12)
        cipher = AESGCM(self._key(salt, passphrase))
        body = cipher.encrypt(nonce, content, head + path.name.encode())
        return head + b"\n" + base64.b64encode(nonce + body) + b"\n"

    def _unsealed(self, data: bytes, path: Path, passphrase: str) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        head, _, body = data.partition(b"\n")
        key = self._key(_salt(data, path), passphrase)
        try:
            raw = base64.b64decode(body)
            return AESGCM(key).decrypt(raw[:12], raw[12:], head + path.name.encode())
        except (InvalidTag, ValueError) as error:
            if path == self.marker or not self.encrypted:
                raise UsageError(f"the passphrase does not open {path}", _CURE) from error
            raise _damaged(path) from error

    def _key(self, salt: bytes, passphrase: str) -> bytes:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        with self._lock:
            if (salt, passphrase) not in self._keys:
                made = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(passphrase.encode())
                self._keys[salt, passphrase] = made
            return self._keys[salt, passphrase]


def _limit(path: Path) -> int:
    """The bytes that a file may have: a backup of the database has more than a secret."""
    return 4096 * MIB if path.suffix == ".gz" else MIB


def _damaged(path: Path) -> DeployError:
    return DeployError(f"{path} is damaged", "bring it back from a backup")


def _salt(data: bytes, path: Path) -> bytes:
    try:
        return base64.b64decode(data.partition(b"\n")[0].removeprefix(_HEAD), validate=True)
    except ValueError as error:
        raise _damaged(path) from error


def _locked(data: bytes) -> bool:
    """Whether data is an SSH private key with a passphrase."""
    from cryptography.exceptions import UnsupportedAlgorithm

    if not is_key(data):
        return False
    try:
        _load_key(data, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False  # whoever uses it says what is wrong with it
    return False


def _load_key(data: bytes, passphrase: bytes | None) -> Any:
    from cryptography.hazmat.primitives import serialization as form

    openssh = data.startswith(b"-----BEGIN OPENSSH")
    load: Any = form.load_ssh_private_key if openssh else form.load_pem_private_key
    return load(data, passphrase)


def as_openssh(data: bytes) -> bytes:
    """A private key in OpenSSH's own form; raises TypeError where it has a passphrase, ValueError
    where it is none or of a kind that has no such form."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import NoEncryption

    try:
        return _key_bytes(_load_key(data, None), NoEncryption())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def _lock_key(data: bytes, passphrase: str, path: Path) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    try:
        return _key_bytes(_load_key(data, None), BestAvailableEncryption(passphrase.encode()))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path}: this key cannot be encrypted: {error}") from error


def _open_key(data: bytes, passphrase: str, path: Path) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import NoEncryption

    try:
        return _key_bytes(_load_key(data, passphrase.encode()), NoEncryption())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OwnPassphrase(
            f"{path}: the passphrase of deploy/ does not open this key",
            f"{_CURE}; a key with a passphrase of its own is left to ssh-agent",
        ) from error


def _key_bytes(key: Any, encryption: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    return bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, encryption))
