"""Jobs, as far as users and virtual clusters have them."""

from __future__ import annotations

import re
from typing import Any

from dlws.database import jobs
from dlws.database.schema import TABLES


class Asked:
    """A database that only notes what it is asked."""

    def __init__(self) -> None:
        self.sql = ""

    def column(self, sql: str, *_: object) -> list[str]:
        self.sql = sql
        return ["{}"]


def test_queued_jobs_are_those_of_the_schema() -> None:
    database: Any = Asked()
    assert jobs.queued(database) == ["{}"]
    names = set(re.findall(r"job[A-Z]\w+", database.sql))
    assert names == {"jobParams", "jobStatus"} and names <= set(TABLES["jobs"].columns)


def test_jobs_are_told_on_one_line_whatever_their_ids_are() -> None:
    assert jobs.words(["a\nb", "c"]) == r"2 jobs that did not end: a\nb, c"
