from __future__ import annotations

import subprocess
from pathlib import Path

from dlws.secrets.vault import Vault

PASSPHRASE = "a 'pass'phrase $(x) ü"


def plain(directory: Path) -> list[str]:
    """The files that hold a secret as it is."""
    files = [path for path in (directory / "deploy").rglob("*") if path.is_file()]
    return [path.name for path in files if b"c4nary" in path.read_bytes() or is_open(path)]


def is_open(path: Path) -> bool:
    """Whether a file is a private key without a passphrase."""
    words = ["ssh-keygen", "-y", "-P", "", "-f", str(path)]
    begins = path.read_bytes().startswith(b"-----BEGIN")
    return begins and subprocess.run(words, capture_output=True, check=False).returncode == 0


def vault(directory: Path, passphrase: str = PASSPHRASE) -> Vault:
    return Vault(directory, lambda: passphrase)
