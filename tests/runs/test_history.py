from __future__ import annotations

from dlws.runs import history


def test_of_each_node_it_is_known_what_was_placed_there() -> None:
    rows = [
        {"kind": "placing", "node": "w1", "files": [["/x", "1"], ["/y", "2"]]},
        {"kind": "placing", "node": "w2", "files": [["/x", "3"]]},
        {"kind": "begin", "node": "w1", "files": [["/z", "4"]]},
    ]
    assert history.placed(rows) == {"w1": {("/x", "1"), ("/y", "2")}, "w2": {("/x", "3")}}


def test_what_was_begun_and_not_ended_is_in_flight() -> None:
    begun = [{"kind": "begin", "operation": op} for op in "abcd"]
    ends = [{"kind": "done", "operation": "a"}, {"kind": "settled", "operation": "b"},
            {"kind": "lost", "operation": "c"}, {"kind": "done", "operation": "x"}]  # fmt: skip
    assert history.in_flight([*begun, *ends]) == begun[2:]
    assert history.in_flight([*begun, *ends, begun[0]]) == [begun[2], begun[3], begun[0]]


def test_a_reboot_that_was_asked_for_is_answered_by_what_came_after() -> None:
    asked = {"kind": "done", "node": "w1", "operation": "a", "code": 194}
    failed = {"kind": "failed", "node": "w1"}
    after = {"kind": "settled", "node": "w1", "operation": "b", "code": 0}
    others = {**after, "node": "w2", "kind": "begin"}
    assert history.failed([asked, after, failed]) == set()
    assert history.failed([asked, others, {**failed, "node": "w2"}]) == set()
    assert history.failed([asked, others, failed]) == {"a"}


def test_a_request_for_a_reboot_is_no_failure_unless_its_node_failed() -> None:
    def record(kind: str, **fields: object) -> dict[str, object]:
        return {"kind": kind, "node": "w1", **fields}

    asked = [record("begin", operation="a"), record("done", operation="a", code=194)]
    assert history.failed(asked) == set()
    assert history.failed([*asked, record("begin", operation="b"), record("failed")]) == set()
    assert history.failed([*asked, record("failed")]) == {"a"}
    other = [record("done", operation="c", code=1), record("settled", operation="d", code=None)]
    assert history.failed(other) == {"c", "d"}
