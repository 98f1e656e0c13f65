"""The words for a job's state, kept from the platform's predecessor: scripts know them."""

from __future__ import annotations

from typing import Final

UNAPPROVED: Final = "unapproved"
QUEUED: Final = "queued"
SCHEDULING: Final = "scheduling"
RUNNING: Final = "running"
FINISHED: Final = "finished"
FAILED: Final = "failed"
PAUSING: Final = "pausing"
PAUSED: Final = "paused"
KILLING: Final = "killing"
KILLED: Final = "killed"
ERROR: Final = "error"

WAITING: Final = frozenset({UNAPPROVED, QUEUED})
PLACED: Final = frozenset({SCHEDULING, RUNNING})
STOPPING: Final = frozenset({PAUSING, KILLING})
ENDED: Final = frozenset({FINISHED, FAILED, KILLED, ERROR})
LIVE: Final = WAITING | PLACED | STOPPING
"""What the manager looks at in each pass. A paused job waits for a person and holds nothing."""

VERBS: Final = {
    "stop": (KILLING, WAITING | PLACED | {PAUSING, PAUSED}),
    "pause": (PAUSING, WAITING | PLACED),
    "resume": (UNAPPROVED, frozenset({PAUSED})),
    "approve": (QUEUED, frozenset({UNAPPROVED})),
}
"""What a person may ask for: the state it leads to, and those it may be asked in."""
