from __future__ import annotations

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.scripts import reboot
from dlws.ssh.handshake import ConnectionFailed
from tests.support.commands import runs
from tests.support.fakes import Make

JOBS = b"""  1 multi-user.target          start waiting
 77 wait-for-ever.service      start running
 78 late.service               start waiting
"""


def test_a_boot_that_never_ends_is_given_up_at_the_limit_and_its_job_named(make: Make) -> None:
    """It was waited for without a limit: 17 minutes were seen."""
    world, boots = make(), iter([b"a\n", b"b\n"])

    def boot(command: str, stdin: bytes) -> Result | None:
        return Result(0, next(boots)) if "boot_id" in command else None

    def jobs(command: str, stdin: bytes) -> Result | None:
        return Result(0, JOBS) if runs(command, reboot._STARTED) else None

    node, fake = world.cluster.first, world.fakes["infra01"]
    fake.rules = [boot, jobs]
    with pytest.raises(DeployError) as caught:
        reboot.reboot(node, limit=0.5)
    assert caught.value.message == (
        "did not come back within 0.5 s of its reboot: it answers, and systemd still waits for "
        "wait-for-ever.service (start)"
    )
    assert fake.asked[-1][0].endswith(" dlws 1"), "the node itself keeps the limit"


def test_what_keeps_a_node_from_being_back_is_said(make: Make) -> None:
    world = make()

    def boot(command: str, stdin: bytes) -> Result | None:
        if len(world.fakes["infra01"].asked) > 1:
            raise ConnectionFailed("10.1.0.1: System is booting up", "wait")
        return Result(0, b"a\n")

    world.fakes["infra01"].rules = [boot]
    with pytest.raises(DeployError, match=r"within 0\.5 s of its reboot: 10\.1\.0\.1: System is"):
        reboot.reboot(world.cluster.first, limit=0.5)
