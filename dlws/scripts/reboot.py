"""Reboot a node and wait for it."""

from __future__ import annotations

import time

from dlws.core.errors import DeployError
from dlws.core.limits import PATIENT
from dlws.nodes.node import Node
from dlws.runs.plan import Planned

REBOOT_LIMIT = 900
"""Seconds a node may take to come back; servers with much memory test it for minutes."""

_REBOOT = (
    "cat /proc/sys/kernel/random/boot_id && systemd-run --quiet --on-active=2 systemctl reboot"
)


def reboot(node: Node, limit: float = REBOOT_LIMIT) -> None:
    """Reboot a node and wait until it is back: another boot id, and systemd done starting."""
    # Not `systemctl reboot` itself: sshd may die before it tells us that it was accepted. The boot
    # id comes with it, so that a resumed run knows whether this reboot has been.
    before = node.run(_REBOOT, sudo=True, title="rebooting", planned=Planned(follows=True)).text
    node.close()
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if _returned(node, before):
            node.say("is back")
            return
        time.sleep(1)
    raise DeployError(
        f"did not come back within {limit:g} s of its reboot",
        "look at its console; then run the same line again",
    )


def _boot_id(node: Node) -> str:
    return node.read("cat /proc/sys/kernel/random/boot_id").text


def _returned(node: Node, before: str) -> bool:
    from dlws.ssh.handshake import ConnectionFailed

    try:
        if _boot_id(node) == before:
            node.close()
            return False
        node.read("systemctl is-system-running --wait", check=False, bounds=PATIENT)
    except ConnectionFailed:
        return False
    return True
