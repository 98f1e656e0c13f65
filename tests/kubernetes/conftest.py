"""An API server that keeps nodes and remembers patches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from dlws.kubernetes import api, scheduling
from dlws.kubernetes.api import KubeNode
from tests.support.kube import FakeApi


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeApi]:
    def use(*nodes: KubeNode) -> FakeApi:
        made = FakeApi(*nodes)

        @contextmanager
        def connect(cluster: object) -> Any:
            yield made

        monkeypatch.setattr(api, "connect", connect)
        monkeypatch.setattr(scheduling, "connect", connect)
        return made

    return use
