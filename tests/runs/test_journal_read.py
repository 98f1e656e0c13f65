"""The record of a run: what is read from it again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from dlws.core.errors import UsageError
from dlws.runs import journal as journals
from dlws.runs.journal import find, line, log_end, new_id, read, runs, why
from tests.support.recordings import KINDS


def _rest(kind: str) -> dict[str, Any]:
    """The fields of a record that a test says nothing of; a change may be one of this machine."""
    fields = KINDS.get(kind, {})
    return {k: v for k, v in fields.items() if k not in {"node", "without", "config", "last"}}


def wrote(place: Path, *found: dict[str, Any], run: str = "run-1") -> Path:
    """The directory of a run with these records behind its first one."""
    first = {"kind": "run", "id": run, "argv": ["./deploy.py", "up", "a b"], "command": "up"}
    first |= {"cwd": "/tmp", "config": "hash", "time": "2020-01-02T03:04:05.678+00:00"}
    directory = place / "runs" / run
    directory.mkdir(parents=True)
    time = {"time": "2020-01-02T03:05:00.000+00:00"}
    rows = [first, *({**time, **_rest(one["kind"]), **one} for one in found)]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (directory / "journal.jsonl").write_text(text)
    return directory


def test_a_run_that_ended(tmp_path: Path) -> None:
    directory = wrote(tmp_path, {"kind": "end", "outcome": "failed"})
    assert read(directory) == journals.Run(
        "run-1", ("./deploy.py", "up", "a b"), "up", "/tmp", "hash",
        "2020-01-02T03:04:05.678+00:00", "2020-01-02T03:05:00.000+00:00", "failed", {},
    )  # fmt: skip


def test_a_run_without_an_end_was_interrupted(tmp_path: Path) -> None:
    found = read(wrote(tmp_path, {"kind": "end", "outcome": "ok"}, {"kind": "resume"}))
    assert (found.outcome, found.ended) == ("interrupted", "")


def test_a_directory_without_a_first_record_holds_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=f"{tmp_path}/journal.jsonl: what run it is of cannot be read"
    ) as caught:
        read(tmp_path)
    assert f"move {tmp_path} away" in caught.value.cure


STATES: dict[str, list[dict[str, Any]]] = {
    "ok": [
        {"kind": "done", "code": 0},
        {"kind": "settled", "code": 0},
        {"kind": "finished"},
        {"kind": "put"},
    ],
    "failed": [
        {"kind": "done", "code": 3},
        {"kind": "settled", "code": 3},
        {"kind": "failed"},
        {"kind": "aside"},
    ],
    "running": [{"kind": "begin"}],
    "lost": [{"kind": "lost"}, {"kind": "settled", "code": None}],
    "skipped": [{"kind": "skipped"}],
}


@pytest.mark.parametrize(
    ("state", "last"), [(state, last) for state, rows in STATES.items() for last in rows]
)
def test_the_last_that_was_heard_of_a_node_counts(
    tmp_path: Path, state: str, last: dict[str, Any]
) -> None:
    before = {"kind": "begin"} if state == "ok" else {"kind": "finished"}
    found = read(wrote(tmp_path, {"node": "w1", **before}, {"node": "w1", **last}))
    assert found.nodes == {"w1": state}


def test_a_change_says_nothing_of_how_a_command_will_end(tmp_path: Path) -> None:
    rows = [{"kind": kind, "node": "w1"} for kind in ("begin", "changed")]
    assert read(wrote(tmp_path, *rows)).nodes == {"w1": "running"}


def test_a_run_as_a_line_names_nodes_that_failed_and_those_not_tried(tmp_path: Path) -> None:
    start = "run-1  interrupted  ./deploy.py up 'a b'"
    assert read(wrote(tmp_path / "0")).line() == start
    ok = {"kind": "finished", "node": "w1"}
    bad = [{"kind": kind, "node": f"w{n}"} for n, kind in enumerate(("failed", "lost", "begin"), 2)]
    away = {"kind": "skipped", "node": "w5"}
    end = {"kind": "end", "outcome": "ok"}
    assert read(wrote(tmp_path / "1", ok, end)).line() == start.replace(
        "interrupted", "ok" + 9 * " "
    )
    assert read(wrote(tmp_path / "2", ok, *bad)).line() == f"{start}  failed: w[2-4]"
    assert read(wrote(tmp_path / "3", ok, away)).line() == f"{start}  not tried: w5"
    both = read(wrote(tmp_path / "4", *bad, away)).line()
    assert both == f"{start}  failed: w[2-4]  not tried: w5"


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there was no run yet"):
        find(tmp_path)
    made = [wrote(tmp_path, run=run) for run in ("10-b", "10-a", "09")]
    (tmp_path / "runs/11").mkdir()  # nothing was recorded there
    assert runs(tmp_path) == [made[2], made[1], made[0]]
    assert find(tmp_path) == find(tmp_path, "10-b") == made[0]
    assert find(tmp_path, "10-a") == made[1]
    assert find(tmp_path, "0") == made[2]
    with pytest.raises(UsageError, match="10 begins the ids of 2 runs"):
        find(tmp_path, "10")
    with pytest.raises(UsageError, match="there is no run 12") as caught:
        find(tmp_path, "12")
    assert "runs list" in caught.value.cure


def test_a_run_that_came_to_its_end_is_over(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run-1 came to its end, there is nothing to resume"):
        journals.ended(read(wrote(tmp_path / "0", {"kind": "end", "outcome": "ok"})))
    journals.ended(read(wrote(tmp_path / "1", {"kind": "end", "outcome": "failed"})))
    journals.ended(read(wrote(tmp_path / "2")))


def test_the_last_configuration_counts(tmp_path: Path) -> None:
    rows = [{"kind": "resume", "config": "new"}, {"kind": "end", "outcome": "failed"}]
    assert read(wrote(tmp_path, *rows)).config == "new"


def test_the_configuration_is_both_files(tmp_path: Path) -> None:
    assert journals.config_hash(tmp_path) == ""
    found = set()
    for config, cluster in (("a", None), ("a", "b"), ("a", "c"), ("d", "c")):
        (tmp_path / "config.yaml").write_text(config)
        if cluster:
            (tmp_path / "cluster.yaml").write_text(cluster)
        found.add(journals.config_hash(tmp_path))
        assert journals.config_hash(tmp_path) in found
    assert len(found) == 4


def test_the_line_that_retries(tmp_path: Path) -> None:
    words = journals.retry_failed(["./deploy.py", "up", "a b"])
    assert shlex.split(words) == ["./deploy.py", "--retry-failed", "up", "a b"]


def test_a_run_goes_on_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyError), journals.at(f"{tmp_path}/there", "run-1"):
        assert Path.cwd() == tmp_path / "there"
        raise KeyError
    assert Path.cwd() == tmp_path
    with (
        pytest.raises(UsageError, match=f"{tmp_path}/gone, where run-1 was started, is gone"),
        journals.at(f"{tmp_path}/gone", "run-1"),
    ):
        pass
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(("record", "words"), [
    ({"kind": "run", "argv": ["./deploy.py", "a b"]}, "./deploy.py 'a b'"),
    ({"kind": "begin", "node": "w1", "title": "do"}, "w1: begin do"),
    ({"kind": "done", "node": "w1", "title": "do", "code": 3, "seconds": 1.5},
     "w1: exit 3 after 1.5 s: do"),
    ({"kind": "lost", "node": "w1", "why": "gone"}, "w1: outcome unknown: gone"),
    ({"kind": "settled", "node": "w1", "title": "do", "code": 3, "how": "ended"},
     "w1: ended 3 meanwhile: do"),
    ({"kind": "settled", "node": "w1", "title": "do", "code": None, "how": "died"},
     "w1: died meanwhile: do"),
    ({"kind": "placing", "node": "w1", "files": [1, 2]}, "w1: writing 2 files"),
    ({"kind": "changed", "node": "w1", "what": "/x"}, "w1: changed /x"),
    ({"kind": "put", "node": "w1", "path": "/x"}, "w1: wrote /x"),
    ({"kind": "step", "name": "join"}, "step join done"),
    ({"kind": "step", "name": "join", "without": ["w1", "w2"]},
     "step join done, but not on w[1-2]"),
    ({"kind": "finished", "node": "w1", "title": "do"}, "w1: finished do"),
    ({"kind": "failed", "node": "w1", "title": "do", "why": "no"}, "w1: failed do: no"),
    ({"kind": "skipped", "node": "w1", "title": "do", "why": "no"}, "w1: not tried do: no"),
    ({"kind": "aside", "node": "w1", "step": "join", "why": "no"},
     "w1: quarantined in step join: no"),
    ({"kind": "end", "outcome": "ok"}, "end: ok"),
    ({"kind": "resume"}, "resume"),
])  # fmt: skip
def test_a_record_as_a_line(record: dict[str, Any], words: str) -> None:
    told = line({"time": "2020-01-02T03:04:05.678+00:00", **record})
    assert told == f"2020-01-02 03:04:05  {words}"


def test_the_end_of_a_log_begins_with_a_line(tmp_path: Path) -> None:
    (tmp_path / "w1.log").write_bytes(b"one\ntwo \xff\nthree\n")
    assert log_end(tmp_path, "w1") == "one\ntwo \udcff\nthree\n"  # its bytes, as they were
    assert log_end(tmp_path, "w1", 9) == "three\n"
    with pytest.raises(UsageError, match="w2 printed nothing in ") as caught:
        log_end(tmp_path, "w2")
    assert "runs show" in caught.value.cure


@pytest.mark.parametrize(("last", "words"), [
    ({"kind": "failed", "title": "do", "why": "no"}, "do: no"),
    ({"kind": "lost", "why": "gone"}, "gone"),
    ({"kind": "aside", "step": "join", "why": "no"}, "step join: no"),
    ({"kind": "skipped", "title": "do", "why": "no"}, "not tried: do: no"),
    ({"kind": "done", "code": 3, "title": "do", "last": "bad"}, "exit 3 from do\nbad"),
])  # fmt: skip
def test_why_a_node_failed(tmp_path: Path, last: dict[str, Any], words: str) -> None:
    ok: list[dict[str, Any]] = [{"kind": "begin"}, {"kind": "done", "code": 0}]
    rows = [{"node": "w1", **row} for row in (*ok, {"kind": "failed", "why": "before"}, last, *ok)]
    directory = wrote(tmp_path, *rows, {"node": "w2", "kind": "failed", "why": "another's"})
    assert why(directory, "w1") == words
    assert why(directory, "w3") == "w3 did not fail in run-1"


def test_the_ids_of_runs_sort_as_they_began_within_a_second_too() -> None:
    words = [f"w{n}" for n in range(1, 4)]
    ids = {word: new_id(1_000_000_000 + n / 10) for n, word in enumerate(words)}
    assert sorted(words, key=ids.__getitem__) == words
    assert len({ids[word][:15] for word in words}) == 1
