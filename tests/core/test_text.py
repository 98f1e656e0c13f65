from __future__ import annotations

from dlws.core.text import took


def test_durations_for_people() -> None:
    assert [took(s) for s in (0.44, 12.3, 61)] == ["0.4 s", "12 s", "1 min 1 s"]
