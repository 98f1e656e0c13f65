from __future__ import annotations

import pytest

from dlws.core.errors import UsageError
from dlws.runs.limits import may_be_down, may_begin, parse


@pytest.mark.parametrize(("limit", "chosen", "allowed"), [
    ("0", 5, 0), ("1", 5, 1), ("5", 5, 5), ("9", 5, 5),
    ("0%", 1000, 0), ("100%", 3, 3), ("50%", 1, 0), ("99%", 1, 0), ("100%", 1, 1),
    ("33%", 3, 0), ("34%", 3, 1), ("66%", 3, 1), ("67%", 3, 2), ("50%", 3, 1), ("50%", 4, 2),
    ("1%", 99, 0), ("1%", 100, 1), ("1%", 199, 1), ("10%", 500, 50),
])  # fmt: skip
def test_so_many_may_fail(limit: str, chosen: int, allowed: int) -> None:
    exceeded = [parse(limit).exceeded(failed, chosen) for failed in range(chosen + 1)]
    assert exceeded == [failed > allowed for failed in range(chosen + 1)]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "%", "10 %", "a", "1e3", "²"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_how_many_infra_nodes_may_be_down() -> None:
    assert [may_be_down(masters) for masters in range(1, 8)] == [1, 1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(("masters", "failed", "running", "verdict"), [
    (1, "", "", True),
    (3, "", "", True),
    (3, "", "b", False),  # it has to end first
    (3, "b", "", None),
    (3, "a", "", True),  # it is the one that is down already
    (3, "a", "b", False),
    (5, "", "b", True),
    (5, "", "bc", False),
    (5, "b", "", True),
    (5, "b", "c", False),  # c may fail as well
    (5, "bc", "", None),
    (5, "ab", "", True),
])  # fmt: skip
def test_whether_infra_node_a_may_be_begun(
    masters: int, failed: str, running: str, verdict: bool | None
) -> None:
    assert may_begin("a", masters, set(failed), set(running)) is verdict
