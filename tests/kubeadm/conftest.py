from __future__ import annotations

import pytest

from dlws.prepare import runtime


@pytest.fixture(autouse=True)
def _runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "configure", lambda node, config: False)
