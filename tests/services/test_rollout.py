"""How far workloads and conditions have come."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.services.folder import load_all
from dlws.services.rollout import condition, goals, rolled_out
from dlws.services.values import Templates
from tests.support.sites import MAP, WEB, Site


def workload(spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "spec": spec,
        "status": {"observedGeneration": 2, **status},
    }


TWO = {"replicas": 2}


@pytest.mark.parametrize(
    ("kind", "live", "done", "words"),
    [
        ("Deployment", workload(TWO, updatedReplicas=2, availableReplicas=2, replicas=2),
         True, "2 of 2 pods ready"),
        ("Deployment", workload(TWO, updatedReplicas=1, availableReplicas=2, replicas=3),
         False, "1 of 2 pods ready"),
        ("Deployment", workload(TWO, updatedReplicas=2, availableReplicas=2, replicas=3),
         False, "1 old pods are still there"),
        ("Deployment", {**workload(TWO), "metadata": {"generation": 3}},
         False, "its change has not been seen by its controller yet"),
        ("Deployment", workload({"replicas": 0}), True, "0 of 0 pods ready"),
        ("DaemonSet", workload({}, desiredNumberScheduled=3, updatedNumberScheduled=3,
                               numberAvailable=2), False, "2 of 3 pods ready"),
        ("DaemonSet", workload({}), True, "0 of 0 pods ready"),
        ("StatefulSet", workload(TWO, readyReplicas=2, currentRevision="a", updateRevision="b",
                                 updatedReplicas=1), False, "1 of 2 pods ready"),
        ("StatefulSet", workload(TWO, readyReplicas=2, currentRevision="b", updateRevision="b"),
         True, "2 of 2 pods ready"),
    ],
)  # fmt: skip
def test_a_workload(kind: str, live: dict[str, Any], done: bool, words: str) -> None:
    state = rolled_out(kind, live)
    assert (state.done, state.words) == (done, words)


def test_conditions() -> None:
    failed = {"type": "Failed", "status": "True", "message": "deadline"}
    assert condition({"status": {"conditions": [failed]}}, "Complete").failed
    done = {"type": "Available", "status": "True"}
    assert condition({"status": {"conditions": [done]}}, "Available").done
    assert condition({}, "Available").words == "is not Available yet"


def test_what_a_start_waits_for_is_said_where_it_is_not_usual(site: Site) -> None:
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\n"
    waits = "waits: {Deployment/web: none, ConfigMap/settings: Filled}"
    site.write("shop", a__yaml=WEB, b__yaml=MAP, c__yaml=job, service__yaml=waits)
    service = load_all(site.directory)["shop"]
    found = goals(service, Templates(site.cluster()).objects(service))
    assert [(str(goal.key), goal.condition) for goal in found] == [
        ("ConfigMap default/settings", "Filled"),
        ("Job default/once", "Complete"),
    ]
