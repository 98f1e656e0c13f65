"""What must come of a scenario, told from what its faults mean and from nothing of the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tests.support.farm.faults import Fault, Wrong
from tests.support.schedule.scenario import Job, Round, Scenario

_NO_WAY_IN = {
    *(Fault.REFUSED, Fault.DEAD, Fault.MUTE, Fault.BANNER, Fault.AUTH, Fault.HOST_KEY),
    *(Fault.RESET, Fault.CLOSE, Fault.LEAVE, Fault.NONSENSE),
}
_MIDWAY = {Fault.DROP_MIDWAY, Fault.FREEZE_MIDWAY}


@dataclass(frozen=True)
class Strike:
    """A fault struck a command; did that one carry the effect, and was it let run?"""

    fault: Fault
    carried: bool


@dataclass(frozen=True)
class State:
    """What is to be on a node: lines of ~/effect, the copied files; and what its recorder knows of
    the job in this run: it has an outcome, which is not given to be had twice."""

    lines: tuple[str, ...] = ()
    placed: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Verdict:
    """What must be after a round: the exit code, and the nodes that did it and that failed."""

    code: int
    done: frozenset[str]
    failed: frozenset[str]
    states: Mapping[str, State]


Struck = Mapping[str, Sequence[Strike]]


def begin(scenario: Scenario) -> Verdict:
    """Before anything was run."""
    states = {node.name: State() for node in scenario.nodes}
    return Verdict(0, frozenset(), frozenset(), states)


def follow(before: Verdict, scenario: Scenario, round: Round, struck: Struck) -> Verdict:
    """What a round must make of what was there before it. `struck` is what the faulty machines say
    that they did to which command."""
    refused = scenario.twice or (
        round.kind != "run"
        and (not before.failed or (round.kind == "resume" and not scenario.job.resumable))
    )
    if refused:
        return replace(before, code=2)
    taking_part = before.failed if round.kind == "retry" else frozenset(scenario.selected)
    states, failed = dict(before.states), set()
    for name in taking_part:
        fresh = round.kind != "resume"
        state = replace(states[name], kept=False) if fresh else states[name]
        wrong = round.faults.get(name, Wrong())
        fails, states[name] = _node(scenario.job, wrong, struck.get(name, ()), state)
        if fails:
            failed.add(name)
    code = 0 if not failed else 1 if len(failed) == len(taking_part) else 3
    return Verdict(code, taking_part - failed, frozenset(failed), states)


def _node(job: Job, wrong: Wrong, strikes: Sequence[Strike], state: State) -> tuple[bool, State]:
    """Whether a node fails, and what is then on it."""
    fault = wrong.fault
    if fault in {Fault.RESET, Fault.CLOSE, Fault.LEAVE} and wrong.once:
        return False, _done(job, state)  # as a busy sshd does, and is asked again
    if fault is Fault.HOST_KEY and wrong.skip:
        return (True, _begun(job, state)) if len(job.lines) > 1 else (False, _done(job, state))
    if fault in _NO_WAY_IN:
        return True, state
    if fault in {Fault.DISK_FULL, Fault.DISK_SMALL}:
        enough = state.kept or state.placed or (fault is Fault.DISK_SMALL and not job.big)
        return (False, _done(job, state)) if enough else (True, state)
    # A job without sudo is not hurt by sudo that is refused, and the lock's is no one's job.
    harmless = {Fault.LATE} if job.sudo or job.files else {Fault.LATE, Fault.SUDO}
    # Nor is a job that asks nothing hurt by answers that make no sense or have no end.
    harmless |= set() if job.files else {Fault.FORGED, Fault.ENDLESS}
    real = [strike for strike in strikes if strike.fault not in harmless]
    for strike in real:
        state = _broken(job, strike, state)
    return (True, state) if real else (False, _done(job, state))


def _broken(job: Job, strike: Strike, state: State) -> State:
    """What is on a node whose command did not come to a good end."""
    fault = strike.fault
    if fault in _MIDWAY or (fault is Fault.NO_ANSWER and strike.carried):
        return replace(_begun(job, state), kept=job.recorded)
    if fault in {Fault.REBOOT_AFTER, Fault.EFFECT_EXIT}:
        return replace(_begun(job, state), kept=False)
    return state


def _begun(job: Job, state: State) -> State:
    """The first effect of a job has taken place, if it had not yet."""
    if state.kept:
        return state
    return State((*state.lines, *job.lines[:1]), bool(job.files), job.recorded)


def _done(job: Job, state: State) -> State:
    """All of a job has taken place; what is known to have been is not done again."""
    rest = job.lines[1:] if state.kept else job.lines
    complete = state.kept and len(job.lines) > 1 and state.lines[-1:] == job.lines[-1:]
    return State((*state.lines, *(() if complete else rest)), bool(job.files), job.recorded)
