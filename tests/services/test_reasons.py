"""Why pods do not come up, from what kubelets and schedulers really write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dlws.services.reasons import trouble, unready, warning

SPEC = {
    "nodeName": "worker1",
    "nodeSelector": {"disk": "ssd"},
    "containers": [{"name": "web", "image": "example/web:1"}],
}
REFUSED = 'rpc error: code = Unknown desc = failed to pull and unpack image "example/web:1": 404'
NO_NODE = "0/5 nodes are available: 2 node(s) didn't match Pod's node affinity, 3 Insufficient cpu."


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1"}, "spec": SPEC, "status": {"hostIP": "1.2.3.4", **status}}


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod(containerStatuses=[{"name": "web", "ready": False, "state": state, **more}])


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
CRASHED = container(waiting("CrashLoopBackOff"), lastState=ENDED, restartCount=2)
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": NO_NODE}


@pytest.mark.parametrize(
    ("seen", "words", "ask", "says"),
    [
        (container(waiting("ErrImagePull", REFUSED)),
         "image example/web:1 cannot be pulled", "", REFUSED),
        (container(waiting("ImagePullBackOff", "Back-off")), "cannot be pulled", "events", ""),
        (CRASHED, "container web crashed with exit code 3 (2 restarts)", "log", ""),
        (container(ENDED), "crashed with exit code 3 (0 restarts)", "log", ""),
        (container(waiting("CrashLoopBackOff"), lastState=KILLED),
         "more memory than its limit", "log", ""),
        (container(waiting("CreateContainerConfigError", 'secret "x" not found')),
         "cannot be started", "", 'secret "x" not found'),
        (pod(conditions=[UNSCHEDULED]),
         "no node fits", "", f"{NO_NODE.rstrip('.')}; it wants disk=ssd"),
    ],
)  # fmt: skip
def test_what_keeps_a_pod_from_coming_up(
    seen: dict[str, Any], words: str, ask: str, says: str
) -> None:
    found = trouble(seen)
    assert found and words in found.words and found.words.startswith("pod web-1")
    assert (found.ask, found.says) == (ask, says)


@pytest.mark.parametrize(
    ("seen", "cure"),
    [
        (container(waiting("ErrImagePull", REFUSED)), "registry mirror IMAGE"),
        (container(waiting("ErrImagePull", "dial tcp: connection refused")), "registry status"),
        (pod(conditions=[UNSCHEDULED]), "kubernetes labelservice"),
        (pod(conditions=[{**UNSCHEDULED, "message": "3 Insufficient cpu."}]), "uncordon a node"),
        (CRASHED, ""),
    ],
)
def test_what_helps(seen: dict[str, Any], cure: str) -> None:
    found = trouble(seen)
    assert found and (cure in found.cure if cure else not found.cure)


@pytest.mark.parametrize(
    "seen",
    [
        container({"running": {}}),
        container(waiting("ContainerCreating")),
        pod(phase="Succeeded"),
        {**CRASHED, "metadata": {"name": "web-1", "deletionTimestamp": "now"}},
        pod(containerStatuses=[{"name": "web", "ready": True, "state": {"running": {}},
                                "lastState": ENDED}]),
    ],
)  # fmt: skip
def test_what_is_no_trouble(seen: dict[str, Any]) -> None:
    assert trouble(seen) is None


def test_the_log_is_that_of_the_container_that_ended() -> None:
    running = container({"running": {}}, lastState=ENDED)
    assert [found.previous for found in map(trouble, (CRASHED, running)) if found] == [False, True]


def test_the_last_lines_are_set_below_the_sentence() -> None:
    found = trouble(CRASHED)
    assert found
    assert replace(found, says="one\ntwo").text().endswith("its last lines:\n    one\n    two")


def test_of_the_events_the_one_that_says_something() -> None:
    told = [
        {"type": "Warning", "message": "Failed to pull", "lastTimestamp": "2"},
        {"type": "Warning", "message": "Error: ImagePullBackOff", "lastTimestamp": "3"},
        {"type": "Normal", "message": "Scheduled", "lastTimestamp": "4"},
    ]
    assert warning(told) == "Failed to pull"
    assert warning(told[1:]) == "Error: ImagePullBackOff"
    assert warning([]) == ""


def test_a_pod_that_is_not_ready_without_a_word_is_asked_for_its_events() -> None:
    found = unready(pod(conditions=[{"type": "Ready", "status": "False"}]))
    assert found and found.ask == "events"
    assert unready(pod(conditions=[{"type": "Ready", "status": "True"}])) is None
