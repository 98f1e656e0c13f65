"""The benchmark programs run, at their smallest; what they measure is not looked at here."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from benchmarks import latency, measure, operations, resume

SMALLEST = [
    (operations, ["--hosts", "2", "--runs", "1", "--only", operations.ONE]),
    (resume, ["--hosts", "2", "--runs", "1", "--seconds", "0.05"]),
    (latency, ["--runs", "1"]),
]


@pytest.mark.farm
@pytest.mark.sshd
@pytest.mark.parametrize(
    ("program", "words"), SMALLEST, ids=lambda one: getattr(one, "__name__", "")
)
def test_a_benchmark_runs(
    program: ModuleType,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(measure, "settle", lambda: None)
    monkeypatch.setattr(latency, "MILLISECONDS", (0, 1))
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])
    program.main()
    assert capsys.readouterr().out.count("\n| ") >= 3
