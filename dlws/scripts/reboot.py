"""Reboot a node and wait for it."""

from __future__ import annotations

import math
import re
import time

from dlws.core.errors import DeployError
from dlws.core.limits import PATIENT
from dlws.nodes.node import Node
from dlws.runs.plan import Planned
from dlws.shell.quoting import script

REBOOT_LIMIT = 900
"""Seconds a node may take to come back; servers with much memory test it for minutes."""

_REBOOT = (
    "cat /proc/sys/kernel/random/boot_id && systemd-run --quiet --on-active=2 systemctl reboot"
)


# Waits until systemd has started all, $1 seconds at most; then says what it still waits for.
_STARTED = """timeout "$1" systemctl is-system-running --wait >/dev/null
[ $? != 124 ] || systemctl list-jobs --no-legend --no-pager --plain"""

_JOB = re.compile(r"^\s*\d+\s+(\S+)\s+(\S+)\s+running\b", re.MULTILINE)


def reboot(node: Node, limit: float = REBOOT_LIMIT) -> None:
    """Reboot a node and wait until it is back: another boot id, and systemd done starting."""
    # Not `systemctl reboot` itself: sshd may die before it tells us that it was accepted. The boot
    # id comes with it, so that a resumed run knows whether this reboot has been.
    before = node.run(_REBOOT, sudo=True, title="rebooting", planned=Planned(follows=True)).text
    node.close()
    deadline, why = time.monotonic() + limit, ""
    while (left := deadline - time.monotonic()) > 0:
        if not (why := _absent(node, before, left)):
            node.say("is back")
            return
        time.sleep(1)
    raise DeployError(
        f"did not come back within {limit:g} s of its reboot: {why}",
        "look at its console, and there at: systemctl list-jobs; then run the same line again",
    )


def _boot_id(node: Node) -> str:
    return node.read("cat /proc/sys/kernel/random/boot_id").text


def _absent(node: Node, before: str, left: float) -> str:
    """Why a node is not back from its reboot, found out in `left` seconds; nothing if it is."""
    from dlws.ssh.handshake import ConnectionFailed

    try:
        if _boot_id(node) == before:
            node.close()
            return "it has not gone down"
        jobs = node.read(script(_STARTED, math.ceil(left)), check=False, bounds=PATIENT).text
    except ConnectionFailed as error:
        return error.message
    waits = ", ".join(f"{unit} ({kind})" for unit, kind in _JOB.findall(jobs)[:3])
    return f"it answers, and systemd still waits for {waits or 'a job'}" if jobs else ""
