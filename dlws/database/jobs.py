"""Jobs, as far as users and virtual clusters have them."""

from __future__ import annotations

from typing import Literal

from dlws.database.client import Database

ENDED = ("finished", "failed", "killed", "error")


def unfinished(database: Database, column: Literal["userName", "vcName"], name: str) -> list[str]:
    """The ids of jobs that have not ended."""
    marks = ", ".join(["%s"] * len(ENDED))
    sql = f"SELECT jobId FROM jobs WHERE {column} = %s AND jobStatus NOT IN ({marks}) ORDER BY id"
    return list(map(str, database.column(sql, name, *ENDED)))


def queued(database: Database) -> list[str]:
    """What jobs ask for that wait for a place, as the job platform keeps it (JSON)."""
    sql = "SELECT jobParams FROM jobs WHERE jobStatus = 'queued' ORDER BY id LIMIT 10000"
    return list(map(str, database.column(sql)))


def words(ids: list[str]) -> str:
    """Jobs in words, on one line whatever their ids are."""
    some = [one.replace("\n", r"\n") for one in ids[:3]] + ["..."] * (len(ids) > 3)
    return f"{len(ids)} job{'s' if len(ids) > 1 else ''} that did not end: {', '.join(some)}"
