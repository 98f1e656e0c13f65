"""The bundle's commands, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dlws.cli.bundle import bundle
from dlws.core.errors import UsageError
from dlws.runs.options import Options
from dlws.session import Session


@pytest.mark.parametrize("version", ["latest", "1", "1.17.0", "2.0.0"])
def test_a_version_that_is_none_is_a_usage_error(tmp_path: Path, version: str) -> None:
    session = Session(Options(directory=tmp_path))
    words = ["build", "--from", "upstream", "--kubernetes-version", version]
    result = CliRunner().invoke(bundle, words, obj=session)
    assert isinstance(result.exception, UsageError)
    assert "1.37" in result.exception.cure or "v1.30.4" in result.exception.cure
    assert list(tmp_path.iterdir()) == []
