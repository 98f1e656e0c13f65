"""How ~/.ssh/config says that a machine is reached, in the terms of a connection."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlws.core import person
from dlws.core.errors import UsageError
from dlws.core.nodeset import fold
from dlws.ssh.ownconfig import OFF, OwnConfig, load

UNHONOURED = {
    "addressfamily": "AddressFamily",
    "bindaddress": "BindAddress",
    "bindinterface": "BindInterface",
    "canonicalizehostname": "CanonicalizeHostname",
    "certificatefile": "CertificateFile",
    "knownhostscommand": "KnownHostsCommand",
    "pkcs11provider": "PKCS11Provider",
    "pubkeyacceptedalgorithms": "PubkeyAcceptedAlgorithms",
    "revokedhostkeys": "RevokedHostKeys",
    "securitykeyprovider": "SecurityKeyProvider",
}
"""What decides how a machine is reached, and is not done here."""

ALGORITHMS = {
    "KexAlgorithms": "kex",
    "HostKeyAlgorithms": "key_types",
    "Ciphers": "ciphers",
    "MACs": "digests",
}
"""Lists of algorithms, and what Paramiko calls them."""


@dataclass(frozen=True)
class OwnWay:
    """What the file says of one machine, as far as it says something."""

    hostname: str = ""
    port: int | None = None
    user: str = ""
    identities: tuple[Path, ...] = ()
    only_identities: bool = False
    agent: str = ""
    """The socket of an agent; none: no agent is asked."""
    jumps: tuple[str, ...] = ()
    known_as: str = ""
    connect_timeout: float | None = None
    algorithms: tuple[tuple[str, str], ...] = ()
    obstacle: str = ""
    """A way that cannot be gone: no other one is taken in its place."""
    unhonoured: tuple[str, ...] = ()


NOTHING = OwnWay()


@dataclass
class OwnWays:
    """~/.ssh/config, read at the first question. It may be switched off."""

    home: Path
    on: bool = True
    unhonoured: dict[str, list[str]] = field(default_factory=dict)
    """What is not done, and for which machines."""
    _config: OwnConfig | None = None

    def to(self, names: Sequence[str], given: Mapping[str, str | int | None]) -> OwnWay:
        """The way to a machine of these names; `given` is what config.yaml says of it."""
        if not self.on:
            return NOTHING
        if self._config is None:
            self._config = load(self.home)
        if not self._config.settings:
            return NOTHING
        known = {key: str(value) for key, value in given.items() if value}
        found = _way(self._config.of(names, known), names[0], self.home)
        for word in found.unhonoured:
            self.unhonoured.setdefault(word, []).append(names[0])
        return found

    def remarks(self) -> list[str]:
        """What of the file is not done as ssh would do it, a line each."""
        sections = self._config.undecided if self._config else {}
        return [
            f"{place}: dlws cannot decide {what}, and leaves this section out"
            for place, what in sections.items()
        ] + [
            f"~/.ssh/config: dlws does not do as {word} says ({fold(names)})"
            for word, names in self.unhonoured.items()
        ]


def _way(found: Mapping[str, Sequence[str]], name: str, home: Path) -> OwnWay:
    one = {key: values[0] for key, values in found.items()}
    hostname = one.get("hostname", "").replace("%h", name).replace("%%", "%")
    tokens = _tokens(one, hostname or name, name, home)
    jumps, obstacle = _proxy(one, tokens)
    files = [value for value in found.get("identityfile", ()) if value.lower() != "none"]
    return OwnWay(
        hostname=hostname,
        port=_number(one, "port"),
        user=one.get("user", ""),
        identities=tuple(Path(_path(value, tokens, home)) for value in files),
        only_identities=one.get("identitiesonly", "no").lower() == "yes",
        agent=_agent(one.get("identityagent", ""), tokens, home),
        jumps=jumps,
        known_as=one.get("hostkeyalias", ""),
        connect_timeout=_number(one, "connecttimeout"),
        algorithms=_algorithms(one),
        obstacle=obstacle,
        unhonoured=tuple(word for key, word in UNHONOURED.items() if _says(one.get(key, ""))),
    )


def _tokens(one: Mapping[str, str], host: str, name: str, home: Path) -> dict[str, str]:
    """What stands behind a % in values."""
    return {
        "%": "%",
        "d": str(home),
        "h": host,
        "n": name,
        "i": str(os.getuid()),
        "u": person.name(),
        "r": one.get("user", ""),
        "p": one.get("port", "22"),
    }


def _algorithms(one: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, one[w.lower()]) for w, kind in ALGORITHMS.items() if w.lower() in one)


def algorithm_rows(algorithms: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The same as lines of an ssh_config."""
    words = {kind: word for word, kind in ALGORITHMS.items()}
    yield from ((words[kind], said) for kind, said in algorithms)


def _says(value: str) -> bool:
    """Whether a value asks for something: these are what there is without it."""
    return value.lower() not in ("", "no", "none", "any", "internal")


def _number(one: Mapping[str, str], key: str) -> int | None:
    value = one.get(key, "none")
    if value.lower() == "none":
        return None
    if not value.isdecimal() or (key == "port" and not 0 < int(value) < 65536):
        raise UsageError(f"~/.ssh/config: {key} {value} is no number that fits", OFF)
    return int(value)


def _expanded(value: str, tokens: Mapping[str, str]) -> str:
    value = re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), value)
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], ""), value)


def _path(value: str, tokens: Mapping[str, str], home: Path) -> str:
    value = _expanded(value, tokens)
    return f"{home}/{value[2:]}" if value.startswith("~/") else value


def _agent(value: str, tokens: Mapping[str, str], home: Path) -> str:
    if value.startswith("$") and not value.startswith("${"):
        return os.environ.get(value[1:], "")
    if value == "SSH_AUTH_SOCK":
        return os.environ.get(value, "")
    return _path(value, tokens, home)


def _proxy(one: Mapping[str, str], tokens: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """The jump hosts before a machine, the first one first; else what stands in the way."""
    jump, command = one.get("proxyjump", "none"), one.get("proxycommand", "none")
    if jump.lower() != "none":
        return tuple(_expanded(hop.strip(), tokens) for hop in jump.split(",")), ""
    if command.lower() == "none":
        return (), ""
    gate = jump_of(command)
    return ((_expanded(gate, tokens),), "") if gate else ((), f"ProxyCommand {command}")


_FORWARDED = ("%h:%p", "[%h]:%p")
_PLAIN = frozenset({"-q", "-x", "-T", "-a", "-C", "-4", "-6"})


def jump_of(command: str) -> str:
    """The jump host that a ProxyCommand goes over with ssh; nothing where it does something else:
    `ssh -W %h:%p GATE`, or `ssh GATE nc %h %p` as before there was -W."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    words = words[1:] if words[:1] == ["exec"] else words
    if not words or Path(words[0]).name != "ssh":
        return ""
    rest, gate, user, port, forwards = iter(words[1:]), "", "", "", False
    for word in rest:
        if word in _PLAIN:
            continue
        if word in ("-W", "-l", "-p"):
            value = next(rest, "")
            forwards = forwards or (word == "-W" and value in _FORWARDED)
            user, port = (value if word == "-l" else user), (value if word == "-p" else port)
        elif not gate and not word.startswith("-"):
            gate = word
        else:
            tail = [word, *rest]
            forwards = Path(tail[0]).name in ("nc", "netcat") and tail[-2:] == ["%h", "%p"]
            if not forwards:
                return ""
    if not gate or not forwards:
        return ""
    named = gate if "@" in gate or not user else f"{user}@{gate}"
    return f"{named}:{port}" if port else named
