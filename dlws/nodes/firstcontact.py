"""Before a password goes to a machine: has anybody looked at its host key?"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError, Refused
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.ssh.client import Ssh, ways
from dlws.ssh.hostkeys import HostKeys, algorithm, fingerprint, place

if TYPE_CHECKING:
    from dlws.nodes.node import Node
    from dlws.runs.run import Run

_EACH = 3
"""New keys of more machines than this are not told one by one."""

Offered = dict[str, tuple[str, bytes]]
"""The machine and key at each place."""


class FirstContact:
    """Asks about new host keys, all of them together, before passwords are sent over them."""

    def __init__(self, known: HostKeys, run: Run, accept_new: bool) -> None:
        self._known, self._run, self._accept_new = known, run, accept_new
        self._lock = threading.RLock()
        self._looking = threading.local()

    def meet(self, connections: Sequence[Ssh]) -> None:
        """Have the keys of these machines accepted where they are new; raises Refused.

        Nobody is asked from within a thread: a machine that comes up late fails for itself.
        """
        if getattr(self._looking, "now", False):
            return  # on the way to a key behind a jump host, whose own was asked about before
        with self._lock:
            jumps = [[one for one in level if one.sends_passwords] for level in ways(connections)]
            for group in (*jumps, connections):
                offered = self._offered([one for one in group if self._new(one)])
                if offered and self._accepted(offered):
                    self._known.accept({where: key for where, (_, key) in offered.items()})

    def _new(self, one: Ssh) -> bool:
        target = one.target
        return not (target.host_key or self._known.accepted(*target.identity))

    def _offered(self, connections: Sequence[Ssh]) -> Offered:
        """What is shown there now. Who does not answer, or has changed its key, fails later on."""
        if not connections:
            return {}
        with ThreadPoolExecutor(min(self._run.options.parallel, len(connections))) as pool:
            keys = list(pool.map(self._shown, connections))
        found: Offered = {}
        for one, key in zip(connections, keys, strict=True):
            address, port = one.target.identity
            known = self._known.of(address, port)
            if key and (not known or key in known):
                name = one.target.machine or f"jump host {address}"
                found[place(address, port)] = name, key
        return found

    def _shown(self, one: Ssh) -> bytes:
        self._looking.now = True
        try:
            return one.host_key()
        except DeployError:
            return b""

    def _accepted(self, offered: Offered) -> bool:
        console, options = self._run.console, self._run.options
        unasked = options.yes or self._accept_new
        if not unasked and threading.current_thread() is not threading.main_thread():
            return False
        names = fold(name for name, _ in offered.values())
        console.say(f"passwords go to machines whose host keys nobody has accepted: {names}")
        for where, (name, key) in offered.items():
            console.say(f"  {name} {where} {algorithm(key)} {fingerprint(key)}")
        if unasked:
            console.say(f"accepted: {'-y' if options.yes else 'ssh.accept_new'} says so")
        elif not (sys.stdin.isatty() and _agreed(len(offered))):
            raise Refused(
                f"nobody has accepted the host keys of {names}: no password was sent",
                "compare them with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on each "
                f"machine, then: {PROGRAM} -y hosts trust; -y before this command, or "
                "ssh.accept_new: true in config.yaml, accepts them unseen",
            )
        return True


def _agreed(many: int) -> bool:
    import click

    these = "this key" if many == 1 else f"these {many} keys"
    return click.confirm(f"Trust {these}, and send passwords there?", err=True)


def connections(nodes: Sequence[Node]) -> list[Ssh]:
    return [node.connection for node in nodes if isinstance(node.connection, Ssh)]


def introduce(nodes: Sequence[Node], always: bool = False) -> None:
    """Have the new keys of nodes accepted that are sent passwords; `always`: those of all."""
    meant = [one for one in connections(nodes) if always or one.sends_passwords]
    if meant and meant[0].meet:
        meant[0].meet(meant)


def learned(nodes: Sequence[Node], line: str) -> list[str]:
    """Lines that tell which keys were taken on trust in this run; `line` shows them."""
    found = connections(nodes)
    keys = found[0].known.learned if found else {}
    if len(keys) <= _EACH:
        return [f"{name}: new host key {fingerprint(key)} learned" for name, key in keys.items()]
    return [f"new host keys of {len(keys)} machines learned: {fold(keys)}; see: {line}"]
