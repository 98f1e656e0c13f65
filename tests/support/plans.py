from __future__ import annotations

from dlws.runs import plan as plans
from dlws.runs.plan import Action, Plan, Unknown

CAT = plans.run("w1", "cat", "cat", b"in", False)


def plan_of(*actions: Action, unknown: tuple[Unknown, ...] = ()) -> Plan:
    return Plan(("x",), "/", "/", "c", "now", "0", "seed", list(actions), list(unknown))
