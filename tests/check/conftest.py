from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import Config
from tests.support.facts import config_of


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path)
