"""SSH private keys, as they are or opened with the passphrase of deploy/."""

from __future__ import annotations

import base64
import contextlib
import copy
import io
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType

from dlws.core.errors import UsageError
from dlws.secrets.vault import OwnPassphrase, as_openssh
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.secrets.vault import Vault


class KeyLocked(UsageError):
    """A private key has a passphrase."""


class Keys:
    """Private keys, each read and checked once per invocation."""

    def __init__(self, vault: Vault | None = None) -> None:
        self._lock, self._vault = threading.Lock(), vault
        self._keys: dict[Path, paramiko.PKey] = {}

    def load(self, path: Path) -> paramiko.PKey:
        with self._lock:
            if path not in self._keys:
                self._keys[path] = _read_key(path, self._vault)
            return self._keys[path]


def _read_key(path: Path, vault: Vault | None) -> paramiko.PKey:
    try:
        if vault and vault.owns_key(path):
            return _parsed_key(vault.open_key(path), path)
        data = path.read_bytes()
        _refuse_other(path, data)
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{path}: others can read this private key", f"chmod 600 {path}")
        if data.startswith(_PKCS8):
            return _parsed_key(as_openssh(data), path)
        return paramiko.PKey.from_path(path)
    except (paramiko.PasswordRequiredException, TypeError, OwnPassphrase) as error:
        raise KeyLocked(
            f"{path}: this private key has a passphrase", f"ssh-add {path}, and set ssh.agent: true"
        ) from error
    except UnknownKeyType as error:
        kind = getattr(error.key_type, "__name__", error.key_type)
        raise UsageError(f"{path}: keys of this kind cannot log in: {kind}", _CURE) from error
    except (OSError, paramiko.SSHException, ValueError) as error:
        raise UsageError(f"{path}: cannot read this private key: {error}", _CURE) from error


_PKCS8 = (b"-----BEGIN PRIVATE KEY", b"-----BEGIN ENCRYPTED PRIVATE KEY")
"""How keys that openssl makes begin: OpenSSH reads them, Paramiko does not."""
_PUTTY = b"PuTTY-User-Key-File-"
_PUBLIC = (b"ssh-", b"ecdsa-", b"sk-", b"---- BEGIN SSH2 PUBLIC KEY")
_CURE = "another can be made: ssh-keygen -t ed25519"


def _refuse_other(path: Path, data: bytes) -> None:
    """Say of a file that is a key, and no private key for OpenSSH, what it is."""
    if data.startswith(_PUTTY):
        made = path.with_suffix("")
        cure = sh("puttygen", path, "-O", "private-openssh", "-o", made)
        raise UsageError(
            f"{path} is a key for PuTTY, not for OpenSSH",
            f"run: {cure}, and set ssh.key: {made} in config.yaml",
        )
    if not data.strip():
        raise ValueError("it is empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b" ", b"\t", b"\n", b"\r")):
        raise UsageError(
            f"{path} does not begin with -----BEGIN: an editor, or a copy, put something before it",
            "copy the key anew as it is, byte by byte (scp)",
        )
    if data.startswith(_PUBLIC):
        private = path.with_suffix("") if path.suffix == ".pub" else "the path of the private key"
        raise UsageError(f"{path} is a public key", f"set ssh.key: {private} in config.yaml")


def public(path: Path) -> bytes:
    """The public key that lies beside a private one; nothing where there is none to read."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return base64.b64decode(path.with_name(f"{path.name}.pub").read_text().split()[1])
    return b""


def both(key: paramiko.PKey) -> list[paramiko.PKey]:
    """A key with its certificate, and as it is: like ssh, for a machine that takes one of them."""
    if key.public_blob is None:
        return [key]
    plain = copy.copy(key)
    plain.public_blob = None
    return [key, plain]


def expiry(path: Path) -> str:
    """When the certificate beside a private key ended; nothing of one that counts, or of none."""
    from cryptography.hazmat.primitives.serialization import (
        SSHCertificate,
        load_ssh_public_identity,
    )

    with contextlib.suppress(OSError, ValueError, UnsupportedAlgorithm):
        found = load_ssh_public_identity(path.with_name(f"{path.name}-cert.pub").read_bytes())
        if isinstance(found, SSHCertificate) and found.valid_before < time.time():
            return time.strftime("%Y-%m-%d", time.gmtime(found.valid_before))
    return ""


def _parsed_key(data: bytes, path: Path) -> paramiko.PKey:
    """A private key that must not be on the disk as it is, with its certificate if it has one."""
    for kind in (paramiko.Ed25519Key, paramiko.RSAKey, paramiko.ECDSAKey):
        with contextlib.suppress(paramiko.SSHException):
            key = kind.from_private_key(io.StringIO(data.decode()))
            certificate = path.with_name(f"{path.name}-cert.pub")
            if certificate.exists():
                key.load_certificate(str(certificate))
            return key
    raise ValueError("its kind is unknown")
