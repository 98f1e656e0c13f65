"""The public key that a person adds, from a file. A private one is not even sent."""

from __future__ import annotations

from pathlib import Path

from dlws.core import localfiles, person
from dlws.core.errors import UsageError

_LARGEST = 16_384
_USUAL = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")


def read(path: Path | None) -> str:
    """The one line of a file; without a file, of the first of the usual ones that is there."""
    found = path or _usual()
    content = localfiles.read(found)
    if b"PRIVATE KEY" in content or content.startswith(b"PuTTY-User-Key-File"):
        raise UsageError(f"{found} is a private key, which only you may have", f"give {found}.pub")
    lines = [line for line in content.decode(errors="replace").splitlines() if line.strip()]
    if len(lines) != 1 or len(content) > _LARGEST:
        raise UsageError(f"{found} is no public key: it has {len(lines)} lines", "give a .pub file")
    return lines[0].strip()


def _usual() -> Path:
    place = person.home() / ".ssh"
    for name in _USUAL:
        if (place / name).is_file():
            return place / name
    raise UsageError(
        f"there is no {' or '.join(_USUAL)} in {place}", "name a file, or make one: ssh-keygen"
    )
