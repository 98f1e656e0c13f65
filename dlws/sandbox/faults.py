"""Faults for tests: each does to a node what happens to real machines, and can be undone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.sandbox import cgroups, naming, nodes
from dlws.sandbox.machine import run
from dlws.sandbox.state import Sandbox, SandboxNode
from dlws.shell.quoting import sh

RATE = "4mbit"
"""What a slow node's link carries."""

LOSS = 30
"""Percent of packets that a lossy node loses."""


def cut(sandbox: Sandbox, node: SandboxNode) -> str:
    """Pull the node's network cable: connections to it time out."""
    run(sh("ip", "link", "set", _link(sandbox, node), "down"), doing=f"cutting off {node.name}")
    return "cut off"


def heal(sandbox: Sandbox, node: SandboxNode) -> str:
    """Undo cut, slow and lossy."""
    link = _link(sandbox, node)
    run(sh("ip", "link", "set", link, "up"), doing=f"healing {node.name}")
    if "tbf" in run(sh("tc", "qdisc", "show", "dev", link), doing="reading queues").text:
        run(sh("tc", "qdisc", "del", "dev", link, "root"), doing=f"healing {node.name}")
    if is_lossy(sandbox, node):
        run(
            sh("nft", "delete", "table", "netdev", _table(sandbox, node)), doing="removing the loss"
        )
    return "healed"


def kill(sandbox: Sandbox, node: SandboxNode) -> str:
    """Crash the node, as if its power were cut: nothing is flushed or shut down."""
    label = sandbox.label(node)
    found = cgroups.groups(label)
    leader = cgroups.leader(cgroups.processes(found))
    if leader is None:
        return "was dead already"
    cgroups.freeze(found, False)
    cgroups.kill([leader], time.monotonic() + 20)
    cgroups.end(label, time.monotonic() + 20)
    return "killed"


def start(sandbox: Sandbox, node: SandboxNode) -> str:
    """Switch on a node that was killed or powered off; what is on its disk is still there."""
    if nodes.alive(sandbox, node):
        return "runs already"
    nodes.boot(sandbox, node, sandbox.base)
    nodes.answers(sandbox, node)
    return "started"


def freeze(sandbox: Sandbox, node: SandboxNode) -> str:
    """Hang the node: it takes connections and says nothing on them."""
    return _freeze(sandbox, node, True)


def thaw(sandbox: Sandbox, node: SandboxNode) -> str:
    """Undo freeze."""
    return _freeze(sandbox, node, False)


def _freeze(sandbox: Sandbox, node: SandboxNode, frozen: bool) -> str:
    found = cgroups.groups(sandbox.label(node))
    if not cgroups.freeze(found, frozen):
        _dead(node)
    return "frozen" if frozen else "thawed"


def slow(sandbox: Sandbox, node: SandboxNode) -> str:
    """Let the node's link carry 4 Mbit/s."""
    shape = ("root", "tbf", "rate", RATE, "burst", "16k", "latency", "400ms")
    link = _link(sandbox, node)
    run(sh("tc", "qdisc", "replace", "dev", link, *shape), doing=f"slowing {node.name} down")
    return f"slow: {RATE}"


def lossy(sandbox: Sandbox, node: SandboxNode) -> str:
    """Lose 30 % of the packets that the node sends."""
    table = _table(sandbox, node)
    rules = (
        f"table netdev {table}\ndelete table netdev {table}\ntable netdev {table} {{\n"
        "  chain loss {\n"
        f'    type filter hook ingress device "{_link(sandbox, node)}" priority 0;\n'
        f"    numgen random mod 100 < {LOSS} drop\n  }}\n}}\n"
    )
    run(sh("nft", "-f", "-"), stdin=rules.encode(), doing=f"making {node.name} lossy")
    return f"lossy: {LOSS} % of its packets are lost"


FAULTS: dict[str, Callable[[Sandbox, SandboxNode], str]] = {
    "cut": cut,
    "heal": heal,
    "kill": kill,
    "start": start,
    "freeze": freeze,
    "thaw": thaw,
    "slow": slow,
    "lossy": lossy,
}


def status(sandbox: Sandbox, node: SandboxNode) -> str:
    """dead, frozen, cut or running: the gravest of what holds."""
    found = cgroups.groups(sandbox.label(node))
    if cgroups.leader(cgroups.processes(found)) is None:
        return "dead"
    if cgroups.is_frozen(found):
        return "frozen"
    return "running" if _is_up(sandbox, node) else "cut"


def marks(sandbox: Sandbox, node: SandboxNode) -> list[str]:
    """What is wrong with the link of a node that runs: slow, lossy."""
    link = naming.link(sandbox.label(node))
    queues = Local().run(sh("tc", "qdisc", "show", "dev", link)).text
    return ["slow"] * ("tbf" in queues) + ["lossy"] * is_lossy(sandbox, node)


def is_lossy(sandbox: Sandbox, node: SandboxNode) -> bool:
    return Local().run(sh("nft", "list", "table", "netdev", _table(sandbox, node))).ok


def _table(sandbox: Sandbox, node: SandboxNode) -> str:
    return f"dlws_{sandbox.id}_{node.index}"


def _is_up(sandbox: Sandbox, node: SandboxNode) -> bool:
    try:
        flags = Path("/sys/class/net", naming.link(sandbox.label(node)), "flags").read_text()
    except FileNotFoundError:
        return False
    return bool(int(flags, 16) & 1)


def _link(sandbox: Sandbox, node: SandboxNode) -> str:
    link = naming.link(sandbox.label(node))
    if not Path("/sys/class/net", link).exists():
        _dead(node)
    return link


def _dead(node: SandboxNode) -> None:
    raise DeployError(f"{node.name} is not running", f"{PROGRAM} sandbox start {node.name}")
