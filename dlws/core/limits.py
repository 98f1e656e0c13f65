"""How much of what nodes print is taken and kept: all such limits, generous for real use."""

from __future__ import annotations

from dataclasses import dataclass

from dlws.core.errors import DeployError

MIB = 1024 * 1024

ANSWER_BYTES = 8 * MIB
"""Of an answer, which is kept in memory."""
ANSWER_SECONDS = 300.0
"""For an answer, where `ssh.answer_timeout` says nothing else."""

API_BYTES = 256 * MIB
"""Of an answer of an API server, such as a list of all that it has of a kind."""
EVENT_BYTES = 8 * MIB
"""Of one event of a watch: etcd keeps no object of more than 1.5 MiB."""
TAIL_BYTES = 64 * 1024
"""Of the last lines of a container's log."""

LOG_BYTES = 64 * MIB
"""Of a node's log in one run."""
RUN_BYTES = 4096 * MIB
"""Of all logs of one run. Above it, a log that grows is cut to CROWDED_BYTES."""
CROWDED_BYTES = 4 * MIB
RESERVED_BYTES = 256 * MIB
"""Free space on the disk with the logs, below which they count as too much, too."""

HELD_SECONDS = 30
"""So long may what a command left behind hold its output, until nobody waits for that any more."""

REPORTS = 1000
"""Changes that one command may report: each is kept on record."""
FILES_AT_ONCE = 64
"""Files whose content (at most 64 KiB each) is asked for in one go."""


@dataclass(frozen=True)
class Bounds:
    """What an answer may be: so many bytes (0: any), and, if `timely`, there within
    ssh.answer_timeout. Behind the `last` command of a connection hardly any other comes."""

    size: int = ANSWER_BYTES
    timely: bool = True
    last: bool = False


ANSWER, PATIENT = Bounds(), Bounds(timely=False)
"""Of a question, and of one that may take long to answer."""
OWN = Bounds(0, timely=False, last=True)
"""Of a person's own command, with which this program ends."""


class Unanswered(DeployError):
    """A node printed more than an answer is, or did not come to its end in time."""

    lost = True
    """What ran there may still run."""

    @classmethod
    def endless(cls, size: int) -> Unanswered:
        return cls(
            f"its answer has more than {size // MIB} MiB: it makes no sense",
            "look at what a login there prints (.bashrc), and at what runs there",
        )

    @classmethod
    def late(cls, seconds: float) -> Unanswered:
        return cls(
            f"its answer did not come to an end within {seconds:g} s",
            "is something hanging there? ssh.answer_timeout in config.yaml can be raised",
        )
