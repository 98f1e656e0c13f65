"""The rules about places to write and to execute in, and who else is at work there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlws.check.facts import Facts
from dlws.check.findings import Finding

if TYPE_CHECKING:
    from dlws.config import Config


def writable(facts: Facts, config: Config) -> list[Finding]:
    """Where dlws, packages and Kubernetes write, the file systems can be written."""
    if not facts.readonly:
        return []
    place = facts.readonly[0]
    what = f"{', '.join(facts.readonly)}: mounted read-only"
    cure = f"see why (dmesg, /etc/fstab), then: sudo mount -o remount,rw {place}"
    return [Finding("failure", facts.node, what, cure)]


def executable(facts: Facts, config: Config) -> list[Finding]:
    """What a script or apt unpacks in a place for temporary files can be run there."""
    if not facts.noexec:
        return []
    what = (
        f"{', '.join(facts.noexec)}: mounted noexec. Scripts run all the same; programs that they "
        "bring along, and questions that Debian packages ask, do not"
    )
    cure = f"if one fails: sudo mount -o remount,exec {facts.noexec[0]}"
    return [Finding("warning", facts.node, what, cure)]


def quota(facts: Facts, config: Config) -> list[Finding]:
    """The login user may still write."""
    if not facts.quota:
        return []
    user = config.machines[facts.node].user or config.ssh.user or config.admin_username
    what = f"{user} is over a quota there: {' '.join(facts.quota[-1].split())}"
    return [Finding("failure", facts.node, what, f"make room, or raise it: sudo edquota {user}")]


def packages(facts: Facts, config: Config) -> list[Finding]:
    """No other apt is at work, as unattended upgrades are after a start."""
    if not facts.apt:
        return []
    who, _, pid = facts.apt.partition("|")
    what = f"{who or 'another program'} (pid {pid}) has the lock of apt and dpkg"
    cure = "scripts wait five minutes for it; let it end first: systemctl status apt-daily-upgrade"
    return [Finding("warning", facts.node, what, cure)]
