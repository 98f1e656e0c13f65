"""Seeds of machines that fail in every way: the right exit code, each machine counted as what it
is, nothing done twice, and never a hang.

DLWS_SEEDS=1000 plays all of them. A seed that fails is printed with the line that plays it alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.farm.faults import Fault, Wrong
from tests.support.schedule.crew import Crew
from tests.support.schedule.oracle import State, Strike, begin, follow
from tests.support.schedule.scenario import JOBS, Node, Round, Scenario, schedule

SEEDS = 1000

_BLOCK = 50

PLAYED = int(os.environ.get("DLWS_SEEDS", "200"))
"""These meet every fault several times."""

ONE = os.environ.get("DLWS_SEED", "")

BLOCKS = [range(int(ONE), int(ONE) + 1)] if ONE else [
    range(first, first + _BLOCK) for first in range(0, PLAYED, _BLOCK)
]  # fmt: skip


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    made = Crew(tmp_path_factory.mktemp("crew"), 1 if ONE else 3 * (os.cpu_count() or 1))
    yield made
    made.stop()


@pytest.mark.farm
@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_seeds(crew: Crew, seeds: range) -> None:
    wrong = [
        f"seed {seed}: {schedule(seed)}\n{said}\n"
        f"again: DLWS_SEED={seed} .venv/bin/python -m pytest tests/stories/test_fault_schedule.py"
        for seed, said in crew.play(seeds).items()
    ]
    assert not wrong, "\n\n".join(wrong)


def test_the_seeds_are_the_same_everywhere_and_meet_every_fault_and_job() -> None:
    found = [schedule(seed) for seed in range(SEEDS)]
    assert found == [schedule(seed) for seed in range(SEEDS)]
    faults = Counter(
        wrong.fault for one in found for round in one.rounds for wrong in round.faults.values()
    )
    unused = {Fault.NONE, Fault.EXIT, Fault.SLOW, Fault.FLOOD, Fault.BINARY, Fault.ESCAPES}
    assert set(faults) == set(Fault) - unused
    assert min(faults.values()) >= 15
    assert {one.job for one in found} == set(JOBS)
    assert {one.twice for one in found} == {"", "name", "address"}
    assert {round.kind for one in found for round in one.rounds} == {"run", "resume", "retry"}


SCRIPT = next(job for job in JOBS if job.words[0] == "runscriptonall")

TWO = (Node("a", "infrastructure"), Node("b", "worker"))


@pytest.mark.parametrize(
    ("fault", "strikes", "failed", "after", "resumed"),
    [
        (Fault.NONE, [], False, 1, 1),
        (Fault.REFUSED, [], True, 0, 1),
        (Fault.DROP_COMMAND, [Strike(Fault.DROP_COMMAND, True)], True, 0, 1),
        (Fault.DROP_MIDWAY, [Strike(Fault.DROP_MIDWAY, True)], True, 1, 1),
        (Fault.NO_ANSWER, [Strike(Fault.NO_ANSWER, True)], True, 1, 1),
        (Fault.REBOOT_BEFORE, [Strike(Fault.REBOOT_BEFORE, True)], True, 0, 1),
        (Fault.REBOOT_AFTER, [Strike(Fault.REBOOT_AFTER, True)], True, 1, 2),
        (Fault.EFFECT_EXIT, [Strike(Fault.EFFECT_EXIT, True)], True, 1, 2),
        (Fault.LATE, [Strike(Fault.LATE, True)], False, 1, 1),
        (Fault.FORGED, [Strike(Fault.FORGED, True)], False, 1, 1),
        (Fault.ENDLESS, [Strike(Fault.ENDLESS, False)], False, 1, 1),
    ],
)
def test_the_oracle(
    fault: Fault, strikes: list[Strike], failed: bool, after: int, resumed: int
) -> None:
    rounds = (Round("run", {"b": Wrong(fault)}), Round("resume"))
    scenario = Scenario(0, TWO, SCRIPT, 1, rounds)
    first = follow(begin(scenario), scenario, rounds[0], {"b": strikes})
    assert (first.code, set(first.failed)) == ((3, {"b"}) if failed else (0, set()))
    assert first.states["b"].lines == ("x",) * after
    assert first.states["a"] == State(("x",), kept=True)
    second = follow(first, scenario, rounds[1], {})
    assert (second.code, second.failed) == (0 if failed else 2, frozenset())
    assert second.states["b"].lines == ("x",) * resumed
