"""Whom we trust: the host keys of a cluster, pinned in the configuration or learned once."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import MIB, private_directory, read, write
from dlws.core.program import PROGRAM

RENEW = "sudo rm /etc/ssh/ssh_host_*; sudo ssh-keygen -A; sudo systemctl restart ssh"
"""What gives a copied machine host keys of its own."""


class HostKeyChanged(DeployError):
    """A machine showed a host key other than the one it is known by; nothing was sent to it."""


class HostKeyShared(DeployError):
    """A machine showed the host key of another one; nothing was sent to it."""


class HostKeyUnconfirmed(DeployError):
    """A password would have gone over a key that nobody has accepted; nothing was sent."""


@dataclass(frozen=True)
class Machines:
    """What a configuration says about host keys: whose they are, and whether that matters."""

    places: Mapping[str, str] = field(default_factory=dict)
    """The machine at each place, private and public."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """The machine that each configured fingerprint belongs to."""
    may_share: bool = False


def place(address: str, port: int) -> str:
    """How known_hosts files spell an address: as it is on port 22, else [address]:port."""
    return address if port == 22 else f"[{address}]:{port}"


def fingerprint(key: bytes) -> str:
    """The SHA256:... form that ssh-keygen -l prints."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def pin(configured: str) -> str:
    """The fingerprint that `host_key` names: itself, or that of a public key written out there."""
    return next(map(fingerprint, written(configured)), configured)


def written(configured: str) -> set[bytes]:
    """The public key that `host_key` writes out, where it is no fingerprint."""
    key = next((word for word in configured.split() if word.startswith("AAAA")), "")
    try:
        return {base64.b64decode(key, validate=True)} if key else set()
    except ValueError:
        return set()


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


def _list(keys: Collection[bytes]) -> str:
    return ", ".join(sorted(map(fingerprint, keys)))


def without(text: str, places: Collection[str]) -> str:
    """A known_hosts text that says nothing of some places; the rest of it stays as it is."""
    kept = []
    for line in text.split("\n"):
        names, *rest = line.split(None, 1) or [""]
        others = [name for name in names.split(",") if not _stands_for(name, places)]
        if len(others) == len(names.split(",")) or names.startswith("#"):
            kept.append(line)
        elif others:
            kept.append(" ".join([",".join(others), *rest]))
    return "\n".join(kept)


def _stands_for(name: str, places: Collection[str]) -> bool:
    hashed = name.startswith("|") and any(_hashed(name, place) for place in places)
    return name in places or hashed


LEARNED = "learned"
"""What is written behind a key that was met at a first contact, and that nobody has accepted."""


def _line(place: str, key: bytes, *comment: str) -> str:
    words = (place, algorithm(key), base64.b64encode(key).decode(), *comment)
    return f"{' '.join(words)}\n"


def _accepted(text: str) -> str:
    """A known_hosts text without the keys that nobody has accepted."""
    return "\n".join(line for line in text.split("\n") if line.split()[3:] != [LEARNED])


class HostKeys:
    """A known_hosts file, read once; new keys are appended as they are learned.

    One key is that of one machine of the configuration: a copy of a machine is told from it. Each
    key is looked up, never compared with those of all the others.
    """

    def __init__(self, path: Path, machines: Machines | None = None) -> None:
        self._path, self._machines = path, machines or Machines()
        self._lock = threading.RLock()
        self._owners: dict[bytes, str] = {}
        self._version: tuple[int, int, int] | None = None
        self._known: dict[str, set[bytes]] = {}
        self._accepted: dict[str, set[bytes]] = {}
        self._learned: dict[str, tuple[str, bytes]] = {}
        self._names: dict[bytes, list[str]] = {}
        self._hashed: list[str] = []
        self._read()

    def _read(self) -> None:
        """Read the file, where it is not the one that was read before."""
        version = self._stat()
        if version == self._version:
            return
        text = read(self._path, 16 * MIB).decode(errors="replace") if version else ""
        self._known, self._version = parse(text, str(self._path)), version
        self._accepted = parse(_accepted(text), str(self._path))
        self._names = {}
        for name, keys in self._known.items():
            for key in keys:
                self._names.setdefault(key, []).append(name)
        self._hashed = [name for name in self._known if name.startswith("|")]

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            about = self._path.stat()
        except FileNotFoundError:
            return None
        return about.st_ino, about.st_size, about.st_mtime_ns

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other runs from changing the file, and know what they have put there."""
        private_directory(self._path.parent)
        handle = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._read()
            yield
        finally:
            os.close(handle)

    @property
    def may_share(self) -> bool:
        return self._machines.may_share

    @property
    def learned(self) -> dict[str, bytes]:
        """The keys that were learned since the file was opened, and not accepted, by machine."""
        at = self._learned.items()
        return {name: key for where, (name, key) in at if key not in self._accepted.get(where, ())}

    def of(self, address: str, port: int) -> set[bytes]:
        return self._at(self._known, place(address, port))

    def accepted(self, address: str, port: int) -> set[bytes]:
        """The keys of a place that somebody has accepted, or written down: not just learned."""
        return self._at(self._accepted, place(address, port))

    def _at(self, known: Mapping[str, set[bytes]], where: str) -> set[bytes]:
        names = [where, *(name for name in self._hashed if _hashed(name, where))]
        return set().union(*(known.get(name, ()) for name in names))

    def check(
        self,
        address: str,
        port: int,
        key: bytes,
        pinned: str = "",
        machine: str = "",
        secret: bool = False,
    ) -> None:
        """Accept a place's key; the key of a new place is learned, but for `secret` connections.

        `machine` is the one of the configuration that is there; a jump host is none. Raises
        HostKeyChanged, HostKeyShared, HostKeyUnconfirmed.
        """
        seen = fingerprint(key)
        if pinned and seen != pin(pinned):
            raise HostKeyChanged(
                f"host key {seen} is not the configured {pinned}",
                "find out why first; correct host_key in config.yaml if the machine is right",
            )
        with self._lock:
            known = self.of(address, port)
            if secret and not pinned and (not known or key in known):
                self._confirmed(address, port, key, machine)
            if not known and not pinned:
                self._learn(address, port, key, machine)
                return
            if not pinned:
                _unchanged(address, known, key, machine)
            self._claim(place(address, port), key, machine)

    def owner(self, place: str, key: bytes, machine: str) -> str:
        """The machine that has a key, as far as is known: `machine` (at `place`) if no other."""
        if key in self._owners:
            return self._owners[key]
        if pinned := self._machines.pins.get(fingerprint(key)):
            return pinned
        found = (self._machine_at(name, place, machine) for name in self._names.get(key, ()))
        return next(filter(None, found), machine)

    def _machine_at(self, name: str, place: str, machine: str) -> str:
        """The machine that a name in the file stands for, or nothing."""
        if not name.startswith("|"):
            return self._machines.places.get(name, "")
        if _hashed(name, place):
            return machine
        places = self._machines.places.items()
        return next((other for where, other in places if _hashed(name, where)), "")

    def _claim(self, place: str, key: bytes, machine: str) -> None:
        if not machine or self.may_share:
            return
        other = self.owner(place, key, machine)
        if other != machine:
            raise HostKeyShared(
                f"{machine} has the host key of {other}, {fingerprint(key)}: "
                "one is a copy of the other, or both are one machine",
                f"{RENEW} on the copy, then: {PROGRAM} hosts trust {machine}; for one machine "
                "correct its address; ssh.shared_host_keys: true in config.yaml allows it",
            )
        self._owners[key] = machine

    def _learn(self, address: str, port: int, key: bytes, machine: str) -> None:
        where = place(address, port)
        with self._held():
            if known := self.of(address, port):  # another run was here first
                _unchanged(address, known, key, machine)
            self._claim(where, key, machine)
            if not known:
                self._append(_line(where, key, LEARNED))
                self._learned[where] = machine or address, key
                self._known.setdefault(where, set()).add(key)
                self._names.setdefault(key, []).append(where)
                self._version = self._stat()  # not to be read anew for every key that is learned

    def _confirmed(self, address: str, port: int, key: bytes, machine: str) -> None:
        if key not in self.accepted(address, port):
            raise HostKeyUnconfirmed(
                f"nobody has accepted the host key of {machine or address}, {fingerprint(key)}: "
                "no password is sent over it",
                f"compare it with that of the machine, then: {PROGRAM} -y hosts trust {machine}",
            )

    def _append(self, line: str) -> None:
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab+") as file:
            if file.tell() and os.pread(handle, 1, file.tell() - 1) != b"\n":
                line = f"\n{line}"  # someone wrote the last line without its end
            file.write(line.encode())

    def accept(self, keys: Mapping[str, bytes]) -> None:
        """Know each of some places by one key from here on; all else in the file stays."""
        with self._lock, self._held():
            old = self._path.read_bytes() if self._path.exists() else b""
            text = without(old.decode(errors="surrogateescape"), keys)
            text += "\n" * bool(text and not text.endswith("\n"))
            text += "".join(_line(place, key) for place, key in keys.items())
            write(self._path, text.encode(errors="surrogateescape"))
            self._read()


def _unchanged(address: str, known: Collection[bytes], key: bytes, machine: str) -> None:
    if key not in known:
        whose = "" if machine else f" of {address}"  # a jump host's error names the node behind it
        raise HostKeyChanged(
            f"host key{whose} changed: {fingerprint(key)}, known as {_list(known)}",
            f"if it was installed anew: {PROGRAM} hosts trust {machine}".rstrip(),
        )
