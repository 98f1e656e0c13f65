"""Whom we trust: the host keys of a cluster, pinned in the configuration or learned once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
from pathlib import Path

from dlws.build import private_directory
from dlws.errors import DeployError, UsageError


class HostKeyChanged(DeployError):
    """A machine showed a host key other than the one it is known by; nothing was sent to it."""


def place(address: str, port: int) -> str:
    """How known_hosts files spell an address: as it is on port 22, else [address]:port."""
    return address if port == 22 else f"[{address}]:{port}"


def fingerprint(key: bytes) -> str:
    """The SHA256:... form that ssh-keygen -l prints."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def pin(configured: str) -> str:
    """The fingerprint that `host_key` names: itself, or that of a public key written out there."""
    if configured.startswith("SHA256:"):
        return configured
    key = next((word for word in configured.split() if word.startswith("AAAA")), "")
    try:
        return fingerprint(base64.b64decode(key, validate=True)) if key else configured
    except ValueError:
        return configured


def parse(text: str, source: str) -> dict[str, set[bytes]]:
    """The keys of each place in a known_hosts text; raises UsageError naming the bad line."""
    known: dict[str, set[bytes]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith("@"):
            raise UsageError(
                f"{source}:{number}: the marker {words[0]} is not supported",
                "remove that line, or pin host_key for the machine in config.yaml",
            )
        try:
            key = base64.b64decode(words[2], validate=True)
        except (IndexError, ValueError) as error:
            raise UsageError(
                f"{source}:{number}: not a host key line", "remove or mend that line"
            ) from error
        for name in words[0].split(","):
            known.setdefault(name, set()).add(key)
    return known


def algorithm(key: bytes) -> str:
    """The algorithm that a public key blob names itself, such as ssh-ed25519."""
    return key[4 : 4 + int.from_bytes(key[:4], "big")].decode(errors="replace")


def _hashed(name: str, place: str) -> bool:
    """Whether a name of the form |1|SALT|HASH, as OpenSSH writes them, stands for a place."""
    try:
        _, kind, salt, digest = name.split("|")
        seen = hmac.digest(base64.b64decode(salt), place.encode(), "sha1")
        return kind == "1" and seen == base64.b64decode(digest)
    except ValueError:
        return False


def _list(keys: set[bytes]) -> str:
    return ", ".join(sorted(map(fingerprint, keys)))


class HostKeys:
    """A known_hosts file, read once; new keys are appended as they are learned."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        text = path.read_bytes().decode(errors="replace") if path.exists() else ""
        self._known = parse(text, str(path))
        self._hashed = [name for name in self._known if name.startswith("|")]

    def of(self, address: str, port: int) -> set[bytes]:
        where = place(address, port)
        names = [where, *(name for name in self._hashed if _hashed(name, where))]
        return set().union(*(self._known.get(name, ()) for name in names))

    def check(self, address: str, port: int, key: bytes, pinned: str = "") -> None:
        """Accept a place's key or raise HostKeyChanged; the key of a new place is learned."""
        seen = fingerprint(key)
        if pinned:
            if seen != pin(pinned):
                raise HostKeyChanged(
                    f"host key {seen} is not the configured {pinned}",
                    "find out why first; correct host_key in config.yaml if the machine is right",
                )
            return
        with self._lock:
            known = self.of(address, port)
            if not known:
                self._learn(place(address, port), key)
            elif key not in known:
                raise HostKeyChanged(
                    f"host key changed: {seen}, known as {_list(known)}",
                    "if the machine was installed anew: "
                    f"ssh-keygen -R '{place(address, port)}' -f {self._path}",
                )

    def _learn(self, name: str, key: bytes) -> None:
        private_directory(self._path.parent)
        line = f"{name} {algorithm(key)} {base64.b64encode(key).decode()}\n"
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab+") as file:
            if file.tell() and os.pread(handle, 1, file.tell() - 1) != b"\n":
                line = f"\n{line}"  # someone wrote the last line without its end
            file.write(line.encode())
        self._known.setdefault(name, set()).add(key)
