"""Which algorithms are offered to a server, and what it lacks where the two agree on none."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dlws.core.errors import UsageError

if TYPE_CHECKING:
    from dlws.ssh.transport import Transport

WORDS = {
    "kex": "key exchange",
    "key_types": "host key",
    "ciphers": "cipher",
    "digests": "MAC",
}
"""The kinds of algorithms by Paramiko's names, in a person's words."""
_LISTS = {
    "kex": "kex_algo_list",
    "key_types": "server_key_algo_list",
    "ciphers": "client_encrypt_algo_list",
    "digests": "client_mac_algo_list",
}
_SAME = {"curve25519-sha256": "curve25519-sha256@libssh.org"}
"""Names of one algorithm, where OpenSSH writes the one and Paramiko has the other."""
_NO_ALGORITHMS = ("ext-info-", "kex-strict-")


def chosen(kind: str, said: str, offered: Sequence[str], able: Sequence[str]) -> tuple[str, ...]:
    """The algorithms of a list as ssh_config has it, among those that we are able to do: + adds,
    - takes away, ^ puts first, and a list without a sign is all of them."""
    if not said:
        return tuple(offered)
    sign, names = (said[0], said[1:]) if said[0] in "+-^" else ("", said)
    patterns = [_SAME.get(name, name) for name in names.split(",")]
    named = [name for pattern in patterns for name in able if fnmatchcase(name, pattern)]
    found = {
        "+": [*offered, *named],
        "-": [name for name in offered if name not in named],
        "^": [*named, *offered],
        "": named,
    }[sign]
    if not found:
        raise UsageError(
            f"~/.ssh/config allows no {WORDS[kind]} algorithm that dlws can do: {said}",
            f"dlws can do {', '.join(able)}; ssh.config: false ignores the file",
        )
    return tuple(dict.fromkeys(found))


def offer(transport: Transport, algorithms: Sequence[tuple[str, str]]) -> None:
    """Offer what ~/.ssh/config says; kinds of host keys are chosen with the keys that are known."""
    options: Any = transport.get_security_options()
    able = {
        "kex": transport._kex_info,  # type: ignore[attr-defined]
        "ciphers": transport._cipher_info,  # type: ignore[attr-defined]
        "digests": transport._mac_info,  # type: ignore[attr-defined]
    }
    for kind, said in algorithms:
        if kind in able:
            setattr(options, kind, chosen(kind, said, getattr(options, kind), list(able[kind])))


def nothing_common(transport: Transport) -> str:
    """What kind of algorithm a server and we have none of in common; nothing if that is not so."""
    options = transport.get_security_options()
    for kind, name in _LISTS.items():
        theirs = [one for one in transport.peer_lists.get(name, ()) if _real(one)]
        ours = list(getattr(options, kind))
        if theirs and not set(ours) & set(theirs):
            return (
                f"it has no {WORDS[kind]} algorithm of ours: it offers {', '.join(theirs)}; "
                f"dlws accepts {', '.join(ours)}"
            )
    return ""


def _real(name: str) -> bool:
    return not name.startswith(_NO_ALGORITHMS)
