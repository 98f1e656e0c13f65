"""Logs that outlive their pods: no line is lost or doubled when files are rotated, packed and
deleted, and when the collector dies at any moment."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from jobplatform import kept
from jobplatform.api.app import create
from jobplatform.collector import follow, loop, sources
from jobplatform.collector.loop import Collector
from jobplatform.collector.sources import pods
from jobplatform.model import logs, names
from jobplatform.model.logs import Cursor
from jobplatform.store.database import changing
from jobplatform.store.tables import jobs
from tests.support.platform.clients import JOB as REQUEST
from tests.support.platform.clients import settle
from tests.support.platform.kubernetes import FakeKubernetes

JOB = "6f1f2d6e-0000-4000-8000-000000000001"
Make = Callable[[], Collector]
POD = f"vc-a_job-{JOB}-1-worker-0_0f1e"
SEEDS = range(int(os.environ.get("DLWS_SEEDS", "40")))


class Node:
    """A node's directory of pods: a runtime that writes, and a kubelet that rotates and packs."""

    def __init__(self, place: Path, name: str = POD) -> None:
        self.root, self.place = place / "pods", place / "pods" / name / "job"
        self.place.mkdir(parents=True)
        self.count, self.rotations = 0, 0
        self.writes(0)

    @property
    def current(self) -> Path:
        return self.place / "0.log"

    def writes(self, lines: int, text: str = "line {}") -> None:
        with self.current.open("ab") as file:
            for _ in range(lines):
                self.count += 1
                file.write(record(self.count, text.format(self.count)))

    def rotates(self) -> None:
        self.rotations += 1
        for path in sorted(self.place.glob("0.log.*[0-9]")):
            with gzip.open(f"{path}.gz", "wb") as packed:
                packed.write(path.read_bytes())
            path.unlink()
        self.current.rename(self.place / f"0.log.20260101-{self.rotations:06}")
        self.current.touch()

    def wanted(self) -> list[str]:
        return [f"line {number}" for number in range(1, self.count + 1)]


class DockerNode(Node):
    """The same with Docker: a link to the container's file, whose older ones have numbers."""

    def __init__(self, place: Path, name: str = POD) -> None:
        self.container = place / "docker" / ("0f" * 32)
        self.container.mkdir(parents=True)
        self.file = self.container / f"{self.container.name}-json.log"
        self.file.touch()
        super().__init__(place, name)

    def writes(self, lines: int, text: str = "line {}") -> None:
        if not self.current.is_symlink():
            self.current.symlink_to(self.file)
        with self.file.open("ab") as file:
            for _ in range(lines):
                self.count += 1
                said = {"log": f"{text.format(self.count)}\n", "stream": "stdout",
                        "time": stamp(self.count)}  # fmt: skip
                file.write(json.dumps(said).encode() + b"\n")

    def rotates(self) -> None:
        """As `compress` and a `max-file` that is never reached have it."""
        self.rotations += 1
        for number in range(self.rotations - 1, 0, -1):
            for end in ("", ".gz"):
                old = Path(f"{self.file}.{number}{end}")
                if old.exists():
                    old.rename(f"{self.file}.{number + 1}{end}")
        plain = Path(f"{self.file}.2")
        if plain.exists():
            Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        self.file.rename(f"{self.file}.1")
        self.file.touch()


def stamp(number: int) -> str:
    return f"2026-01-01T00:00:{number // 1000 % 60:02}.{number % 1000:03}000001Z"


def record(number: int, text: str) -> bytes:
    return f"{stamp(number)} stdout F {text}\n".encode()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture(params=[Node, DockerNode])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    made: Node = request.param(tmp_path)
    return made


@pytest.fixture
def collector(tmp_path: Path, share: Path) -> Iterator[Callable[[], Collector]]:
    """Makes collectors of the node; each but the last has died."""
    made: list[Collector] = []

    def leave() -> None:
        for one in made:
            for place in list(one.followed):
                one.leave(place)

    def make() -> Collector:
        leave()
        made.append(Collector(tmp_path / "pods", share))
        return made[-1]

    yield make
    leave()


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


def texts(share: Path, job: str = JOB) -> list[str]:
    """What is kept, without the times."""
    found = kept.path(share, job, 1, 0)
    return [line.split(b" ", 1)[1].decode().rstrip("\n") for line in kept.lines(found, 0)]


def test_what_is_printed_is_kept_behind_its_time_for_the_api_alone(
    node: Node, share: Path, collector: Make
) -> None:
    one = collector()
    node.writes(2)
    one.turn()
    node.writes(1)
    one.turn()
    found = kept.path(share, JOB, 1, 0)
    assert found.read_text().splitlines()[0] == f"{stamp(1)} line 1"
    assert texts(share) == node.wanted()
    assert (found.stat().st_mode & 0o777, found.parent.stat().st_mode & 0o777) == (0o640, 0o750)


def test_rotation_and_packing_lose_no_line(either: Node, share: Path, collector: Make) -> None:
    one = collector()
    for _ in range(5):
        one.turn()
        either.writes(3)
        either.rotates()  # with three lines that nobody has seen yet
        either.writes(2)
    one.turn()
    assert texts(share) == either.wanted()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_collector_that_dies_at_any_moment_loses_and_doubles_nothing(
    either: Node, share: Path, collector: Make, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    one = collector()

    def dies(file: int, text: Any) -> int:
        if chance.random() < 0.3:
            os_write(file, bytes(text)[: chance.randrange(len(text) + 1)])
            raise KeyboardInterrupt
        return os_write(file, text)

    os_write = os.write
    monkeypatch.setattr(os, "write", dies)
    acts: list[Callable[[], None]] = [
        one.turn, lambda: either.writes(chance.randrange(4)), either.rotates,
    ]  # fmt: skip
    for _ in range(30):
        try:
            chance.choice([*acts, one.turn])()
        except KeyboardInterrupt:
            one = collector()
            acts[0] = one.turn
    monkeypatch.setattr(os, "write", os_write)
    either.writes(1)
    one.turn()
    collector().turn()
    assert texts(share) == either.wanted()


@pytest.mark.parametrize("known", [False, True])
def test_names_that_move_on_while_a_file_is_looked_for_hide_none(
    either: Node, share: Path, collector: Make, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """A rotation between looking for a file and opening it: by name, it is another one then."""
    one = collector()
    if known:
        either.writes(1)
        one.turn()
    either.writes(2)
    either.rotates()
    either.writes(2)
    opened, left = sources.opened, [2]

    def late(path: Path) -> Any:
        if left[0] and not path.name.endswith(".gz"):
            left[0] -= 1
            either.rotates()
            either.writes(2)
        return opened(path)

    monkeypatch.setattr(sources, "opened", late)
    for _ in range(4):
        one.turn()
    assert left == [0] and texts(share) == either.wanted()


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:12] + b"?" * 40])
def test_a_packed_file_that_is_damaged_keeps_no_other_log_from_going_on(
    tmp_path: Path, node: Node, share: Path, collector: Make, damage: Callable[[bytes], bytes]
) -> None:
    odd = Node(tmp_path, POD.replace(JOB, JOB.replace("6", "0")))  # it comes first
    packed = odd.place / "0.log.20260101-000001.gz"
    packed.write_bytes(damage(gzip.compress(os.urandom(5000))))
    node.writes(3)
    collector().turn()
    assert texts(share) == node.wanted()


def test_what_is_written_before_its_files_are_deleted_is_kept(
    node: Node, share: Path, collector: Make
) -> None:
    one = collector()
    one.turn()
    node.writes(4)
    node.current.unlink()
    node.place.rmdir()
    node.place.parent.rmdir()
    one.turn()
    assert texts(share) == node.wanted() and one.followed == {}


def test_lines_in_pieces_are_put_together_and_dockers_are_read(
    node: Node, share: Path, collector: Make
) -> None:
    with node.current.open("ab") as file:
        for words in ("stdout P a", "stderr F mid", "stdout F b", "stdout F "):
            file.write(f"{stamp(1)} {words}\n".encode())
        file.write(b"this is no record\n")
        docker = {"log": "é\n", "stream": "stdout", "time": stamp(2)}
        file.write(json.dumps(docker).encode() + b"\n{}\n")
    collector().turn()
    assert texts(share) == ["mid", "ab", "", "é"]


def test_times_that_go_back_do_not(node: Node, share: Path, collector: Make) -> None:
    node.current.write_bytes(record(5, "a") + record(3, "b") + record(6, "c"))
    for _ in range(2):
        collector().turn()
    moments = [logs.moment(line) for line in kept.lines(kept.path(share, JOB, 1, 0), 0)]
    assert moments == sorted(moments, key=lambda one: one or 0)
    assert texts(share) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name",
    ["kube-system_mysql-0_1", "vc-a_job-x-1-worker-00_1", "vc-a_job-..-1-worker-0_1",
     "default_job-x-1-worker-0_1", "vc-a_job-x-1-worker-0"],
)  # fmt: skip
def test_only_workers_of_jobs_are_read(tmp_path: Path, name: str) -> None:
    node = Node(tmp_path, name)
    assert pods(node.root) == []


def test_a_link_on_the_share_is_not_followed(
    node: Node, share: Path, collector: Make, tmp_path: Path
) -> None:
    found = kept.path(share, JOB, 1, 0)
    found.parent.mkdir(parents=True)
    found.symlink_to(tmp_path / "elsewhere")
    node.writes(1)
    one = collector()
    one.turn()
    assert not (tmp_path / "elsewhere").exists() and one.followed == {}


def test_what_is_too_long_is_cut_with_a_word(
    node: Node, share: Path, collector: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MOST", 100)
    one = collector()
    for _ in range(3):
        node.writes(2)
        one.turn()
    assert texts(share)[-1] == follow.CUT.decode().rstrip() and len(texts(share)) == 3


def test_old_logs_are_deleted(node: Node, share: Path, collector: Make) -> None:
    node.writes(1)
    one = collector()
    one.turn()
    found = kept.path(share, JOB, 1, 0)
    now = found.stat().st_mtime
    one.sweep(now + loop.DAYS * 86400 - 1)
    assert found.exists()
    one.sweep(now + loop.DAYS * 86400 + 1)
    assert not found.parent.exists()


def test_reading_begins_near_the_cursor_and_gives_each_line_once(
    node: Node, share: Path, collector: Make
) -> None:
    node.writes(30_000, "line {}")
    collector().turn()
    found, cursor, read = kept.path(share, JOB, 1, 0), Cursor(1), ""
    while True:
        piece = logs.after(kept.lines(found, cursor.at), cursor, largest=50_000)
        read, cursor = read + piece.text, piece.cursor
        if not piece.more:
            break
    assert read.splitlines() == node.wanted()
    late = list(kept.lines(found, logs.moment(record(29_990, "x")) or 0))
    assert len(late) < 3000 and late[-1].endswith(b"line 30000\n")


class Reader:
    """A person who reads a log by cursors, as `job logs -f` does."""

    def __init__(self, engine: Engine, share: Path) -> None:
        self.engine, self.nodes, self.tokens = engine, FakeKubernetes(), settle(engine)
        self.client = TestClient(create(engine, self.nodes, share))
        self.after, self.text = "", ""

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens['ann']}"}
        return self.client.request(method, path, headers=headers, **more).json()

    def put(self, number: str, state: str) -> None:
        with changing(self.engine) as connection:
            values = {"jobStatus": state, "attempt": 1}
            connection.execute(update(jobs).where(jobs.c.jobId == number).values(values))

    def reads(self, number: str) -> None:
        more = True
        while more:
            path = f"/api/v1/jobs/{number}/log"
            found = self.ask("GET", path, params={"after": self.after})
            self.after, more = found["cursor"], found["more"]
            self.text += found["text"]


def test_a_reader_gets_each_line_once_from_the_share_and_from_the_node(
    database: Engine, tmp_path: Path
) -> None:
    reader = Reader(database, tmp_path / "share")
    with reader.client:
        number = reader.ask("POST", "/api/v1/jobs", json=REQUEST)["id"]
        node = Node(tmp_path, f"vc-a_job-{number}-1-worker-0_0f1e")
        one, pod = Collector(node.root, tmp_path / "share"), names.worker(number, 1, 0)
        reader.put(number, "running")
        node.writes(3)
        one.turn()
        reader.reads(number)
        node.rotates()
        node.writes(2)
        one.turn()
        node.writes(2)  # the collector has yet to come for these
        reader.nodes.logs["vc-a", pod] = [
            f"{stamp(number)} line {number}\n".encode() for number in range(4, 8)
        ]
        reader.put(number, "finished")
        reader.reads(number)
        assert reader.text.splitlines() == node.wanted()
        one.turn()
        reader.nodes.logs.clear()
        again = Reader.__new__(Reader)
        again.__dict__ |= {**reader.__dict__, "after": "", "text": ""}
        again.reads(number)
        assert again.text == reader.text
    for place in list(one.followed):
        one.leave(place)


def test_where_no_collector_comes_the_node_is_asked(database: Engine, tmp_path: Path) -> None:
    reader = Reader(database, tmp_path)
    with reader.client:
        number = reader.ask("POST", "/api/v1/jobs", json=REQUEST)["id"]
        reader.put(number, "running")
        key = ("vc-a", names.worker(number, 1, 0))
        reader.nodes.logs[key] = [f"{stamp(1)} line 1\n".encode()]
        reader.reads(number)
        found = kept.path(tmp_path, number, 1, 0)
        found.parent.mkdir(parents=True)
        found.write_text(f"{stamp(1)} line 1\n")
        reader.nodes.logs[key].append(f"{stamp(2)} line 2\n".encode())
        reader.reads(number)
        assert reader.text == "line 1\n", "the collector was there just now"
        os.utime(found, (1, 1))
        reader.reads(number)
        assert reader.text == "line 1\nline 2\n"


def test_the_last_lines_are_read_from_the_share_else_from_the_node(
    database: Engine, tmp_path: Path
) -> None:
    reader = Reader(database, tmp_path)
    with reader.client:
        number = reader.ask("POST", "/api/v1/jobs", json=REQUEST)["id"]
        path, asked = f"/api/v1/jobs/{number}/log", {"tail": 2}
        reader.put(number, "running")
        assert reader.ask("GET", path, params=asked)["text"] == ""
        lines = [f"{stamp(each)} {'x' * 90} {each}\n".encode() for each in range(1, 3000)]
        reader.nodes.logs["vc-a", names.worker(number, 1, 0)] = lines
        told = [reader.ask("GET", path, params=asked)["text"]]
        found = kept.path(tmp_path, number, 1, 0)
        found.parent.mkdir(parents=True)
        found.write_bytes(b"".join(lines))
        answer = reader.ask("GET", path, params=asked)
        told.append(answer["text"])
        assert [one.split()[1::2] for one in told] == [["2998", "2999"]] * 2
        assert reader.ask("GET", path, params={"after": answer["cursor"]})["text"] == ""
        some = reader.ask("GET", path, params={"tail": 2000})["text"].splitlines()
        assert len(some) == 2000 and some[0].endswith(" 1000")
        for wrong in (0, 10_001, "x"):
            assert "detail" in reader.ask("GET", path, params={"tail": wrong})


def test_it_runs_for_ever_and_says_that_it_is_alive(
    node: Node, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[float] = []

    def pause(seconds: float) -> None:
        passes.append(seconds)
        assert (share.parent / "alive").exists()
        if len(passes) == 2:  # the first one has found no share
            (share / "work").mkdir()
            node.writes(2)
        if len(passes) == 4:
            raise KeyboardInterrupt

    one = Collector(node.root, share)
    monkeypatch.setattr(loop, "Collector", lambda pods, share: one)
    monkeypatch.setattr("jobplatform.collector.loop.time.sleep", pause)
    with pytest.raises(KeyboardInterrupt):
        loop.run(node.root, share, share.parent / "alive")
    one.leave(node.place.parent)
    assert texts(share) == node.wanted()
