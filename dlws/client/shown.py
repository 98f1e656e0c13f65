"""Jobs as people read them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dlws.core.terminal_text import one_line
from dlws.core.text import columns

Found = Mapping[str, Any]
_WIDE = 44


def jobs(found: Sequence[Found]) -> str:
    """A line for each job."""
    rows: list[tuple[str, ...]] = [("id", "name", "user", "vc", "state", "since", "why")]
    for one in found:
        cells = (one["id"], one["name"], one["user"], one["vc"], one["status"], _since(one))
        rows.append((*(one_line(str(cell), _WIDE) for cell in cells), _why(one)))
    return columns(rows)


def vcs(found: Sequence[Found]) -> str:
    rows = [("name", "quota", "per user", "order")]
    rows += [(one_line(one["name"], _WIDE), counts(one["quota"]), str(one["user_quota"] or "-"),
              "FIFO" if one["fifo"] else "fair") for one in found]  # fmt: skip
    return columns(rows)


def keys(found: Sequence[Found]) -> str:
    rows = [("id", "title", "fingerprint", "added")]
    rows += [(str(one["id"]), one_line(one["title"], _WIDE), one_line(one["fingerprint"], 80),
              time(one["added"])) for one in found]  # fmt: skip
    return columns(rows)


def tokens(found: Sequence[Found]) -> str:
    rows = [("id", "label", "ends", "last used")]
    rows += [(str(one["id"]), one_line(one["label"], _WIDE), time(one["expires"]),
              time(one["used"])) for one in found]  # fmt: skip
    return columns(rows)


def counts(quota: Mapping[str, int]) -> str:
    return ", ".join(f"{kind}: {number}" for kind, number in sorted(quota.items())) or "-"


def job(one: Found, events: Iterable[Found]) -> str:
    """A job, what was asked for, and what happened to it."""
    facts = {key: one[key] for key in ("id", "name", "user", "vc", "status", "priority", "attempt")}
    asked = one["request"] or {}
    facts |= {key: value for key, value in asked.items()
              if key not in facts and value not in (None, "", {}, 0, False)}  # fmt: skip
    told = (f"{key}: {_below(value)}" for key, value in facts.items())
    lines = [*told, "", _below(explained(one)), ""]
    return "\n".join([*lines, *map(_event, events)])


def _below(value: Any) -> str:
    """Further lines of a value are set back: none of them passes for a line of ours."""
    return str(value).replace("\n", "\n    ")


def explained(one: Found) -> str:
    """Why a job waits or how it ended, as a sentence."""
    if not one["reason"]:
        waits = {"unapproved", "queued"}
        return "It was not looked at yet." if one["status"] in waits else f"It is {one['status']}."
    cause = one["reason"]["cause"]
    return f"{one['reason']['sentence']}{f' (cause: {cause})' if cause else ''}"


def _event(one: Found) -> str:
    why = f": {one['reason']['sentence']}" if one["reason"] else ""
    return _below(f"{time(one['at'])}  {one['actor']}: {one['status']}{why}")


def _why(one: Found) -> str:
    return one_line(one["reason"]["sentence"], 100) if one["reason"] else ""


def _since(one: Found) -> str:
    return time(one["ended"] or one["started"] or one["queued"])


def time(milliseconds: int | None) -> str:
    """A moment in this machine's time zone."""
    if milliseconds is None:
        return "-"
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
