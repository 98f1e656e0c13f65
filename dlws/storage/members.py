"""The shares of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dlws.config.mounts import Mount
    from dlws.nodes.node import Node
    from dlws.roles.carry import Carriers


def mounts_on(carriers: Carriers, node: Node) -> tuple[Mount, ...]:
    """What config.yaml says that a node mounts."""
    return cast("tuple[Mount, ...]", carriers.values(node)["mounts"])
