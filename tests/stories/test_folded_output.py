"""What many nodes say alike is said once, on a terminal, in a log and to a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deploy import Deploy
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.farm.shell import OWN
from tests.support.terminals import deploy_on_a_terminal

pytestmark = pytest.mark.farm
NODES = 100
SCREEN = 24
SCRIPT = """#!/bin/sh
echo installing
echo changed: wrote /etc/example.conf
[ "$DLWS_NODE" != node007 ] || echo odd disk
echo restarted
"""
ODD = "[ $(basename $HOME) = node007 ] && echo odd || echo even"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    farm = Farm(tmp_path_factory.mktemp("farm"), NODES)
    made = directory(farm)
    (made / "job.sh").write_text(SCRIPT)
    yield made
    farm.stop()


def on_a_screen(place: Path, *words: str) -> list[str]:
    """The lines that stay on a terminal."""
    seen = deploy_on_a_terminal(place, *words, environment={"NO_COLOR": "1"})
    return [line.rpartition("\r\x1b[K")[2] for line in seen.replace("\r\n", "\n").split("\n")]


def test_one_step_on_a_hundred_nodes_fits_on_a_screen(place: Path) -> None:
    lines = on_a_screen(place, "runscriptonall", str(place / "job.sh"))
    assert len(lines) <= SCREEN, lines
    everyone = f"{NODES} nodes node[001-100]: "
    places = [lines.index(everyone + said) for said in ("installing", "restarted")]
    assert places[0] < lines.index("node007: odd disk") < places[1]


def test_a_log_is_folded_like_a_screen(place: Path) -> None:
    done = Deploy(place)("runscriptonall", str(place / "job.sh"))
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    assert len(lines) <= SCREEN, lines
    assert f"{NODES} nodes node[001-100]: changed: wrote /etc/example.conf" in lines


def test_a_plan_of_a_hundred_nodes_fits_on_a_screen(place: Path) -> None:
    note = place / "note"
    note.write_text("one\ntwo\n")
    lines = on_a_screen(place, "--dry-run", "--diff", "copytoall", str(note), f"{OWN}/note")
    assert len(lines) <= SCREEN, lines
    assert f"{NODES} nodes node[001-100]:   +two" in lines
    assert "would change 100 nodes" in lines
    assert not any(re.search(r"\bchanged\b", line) for line in lines)


def test_equal_answers_are_one_block_on_a_terminal(place: Path) -> None:
    lines = on_a_screen(place, "execonall", ODD)
    assert lines[:4] == ["99 nodes node[001-006,008-100]:", "even", "1 node node007:", "odd"]
    assert len(lines) <= 7, lines


def test_a_program_gets_a_line_for_each_node_in_their_order(place: Path) -> None:
    lines = Deploy(place)("execonall", ODD).stdout.splitlines()
    expected = [f"node{i:03}: {'odd' if i == 7 else 'even'}" for i in range(1, NODES + 1)]
    assert lines == expected


def test_each_node_as_it_comes_on_request(place: Path) -> None:
    lines = on_a_screen(place, "--live", "execonall", ODD)
    assert sum(line.endswith(": even") for line in lines) == NODES - 1
