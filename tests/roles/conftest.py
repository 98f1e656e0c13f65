"""A role in a cluster's directory, and the nodes of that cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dlws.roles.carry import Carriers
from tests.support.fakes import World
from tests.support.toyrole import CONFIG, MakeRole


@pytest.fixture
def world(make: Callable[..., World], make_role: MakeRole) -> World:
    make_role()  # the configuration names it
    return make(CONFIG)


@pytest.fixture
def make_role(tmp_path: Path) -> MakeRole:
    """Writes a role's role.yaml and files; its folder."""

    def write(yaml: str = "", files: Mapping[str, str] | None = None, name: str = "toy") -> Path:
        folder = tmp_path / "templates/nodes" / name
        for path, text in {"role.yaml": yaml, **(files or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return write


@pytest.fixture
def carriers(world: World) -> Callable[[], Carriers]:
    """Reads the roles as they are now."""
    return lambda: Carriers(world.cluster)
