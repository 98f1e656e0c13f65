"""What counts as a record of a run, and that no reader stumbles over one that does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import UsageError
from dlws.runs import history, journal
from dlws.runs.records import NAME, begun, parsed, records, unreadable
from dlws.runs.report import page
from tests.support.recordings import KINDS, TIME

ROWS = [{"time": TIME, "kind": kind, **fields} for kind, fields in KINDS.items()]

WRONG: list[Any] = [
    None,
    5,
    -1.5,
    float("inf"),
    True,
    "x",
    "",
    [],
    {},
    ["x"],
    [[]],
    [["a"]],
    [5],
    {"a": 1},
]


def wrote(place: Path, *rows: object) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / NAME).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return place


def test_what_is_no_record_is_left_out_and_counted(tmp_path: Path) -> None:
    assert (list(records(tmp_path)), begun(tmp_path)) == ([], False)
    (tmp_path / "file").touch()
    assert (list(records(tmp_path / "file")), begun(tmp_path / "file")) == ([], False)
    good = json.dumps({"time": TIME, "kind": "x"}).encode()
    text = good + b'\n[2]\n3\n\n{"b": \n' + good[:-1] + b', "c": "\xff"}\n{"kind": "x"}\n{"d'
    (tmp_path / NAME).write_bytes(text)
    assert [record.get("c") for record in records(tmp_path)] == [None, "\N{REPLACEMENT CHARACTER}"]
    assert unreadable(tmp_path) == [2, 3, 5, 7, 8]


def test_a_run_has_begun_with_its_first_whole_line(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"kind": "ru')
    assert not begun(tmp_path)
    (tmp_path / NAME).write_text("x\n")
    assert begun(tmp_path)
    with pytest.raises(UsageError, match="what run it is of cannot be read"):
        journal.read(tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["kind"]))
def test_every_kind_is_a_record(row: dict[str, Any]) -> None:
    assert parsed(json.dumps(row)) == row


@pytest.mark.parametrize("time", [None, 5, "", "yesterday", "2020-01-02T03:04:05"])
def test_the_time_is_one_with_a_zone(time: object) -> None:
    assert parsed(json.dumps({"time": time, "kind": "x"})) is None


@pytest.mark.parametrize("kind", [None, 5, ["run"]])
def test_the_kind_is_a_word(kind: object) -> None:
    assert parsed(json.dumps({"time": TIME, "kind": kind})) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, fields in KINDS.items()
        for name in fields
        if name not in {"id", "pid", "root", "sha256"}
    ],
)
def test_a_field_that_readers_look_at_is_of_its_type(kind: str, name: str) -> None:
    row = {"time": TIME, "kind": kind, **KINDS[kind]}
    assert parsed(json.dumps({**row, name: {"a": [5]} if name != "versions" else 5})) is None
    missing = parsed(json.dumps({key: row[key] for key in row if key != name}))
    optional = {"versions", "last", "without"} | ({"node"} if kind == "changed" else set())
    optional |= {"config"} if kind == "step" else set()
    assert (missing is not None) == (name in optional)


def test_no_reader_stumbles_over_what_is_let_through(tmp_path: Path) -> None:
    """Three thousand damaged records: each is left out, or does no harm."""
    chance = random.Random("records")
    for number in range(1000):
        rows = [dict(row) for row in ROWS]
        for _ in range(3):
            row = chance.choice(rows)
            row[chance.choice(list(row))] = chance.choice(WRONG)
        place = wrote(tmp_path / str(number), *rows)
        found = list(records(place))
        assert len(found) >= len(rows) - 3
        for record in found:
            assert journal.line(record)
        history.failed(found), history.placed(found), history.in_flight(found)
        journal.why(place, "w1")
        if any(record["kind"] == "run" for record in found):
            run = journal.read(place)
            assert run.line() and page.html(run, found) and page.junit(run, found)
