from __future__ import annotations

from typing import Any

from dlws.kubernetes.api import KubeNode


def live(name: str, taints: tuple[dict[str, str], ...] = (), **has: str) -> KubeNode:
    return KubeNode(name, has, taints, False, True, "", "v1.20.2")


class FakeApi:
    def __init__(self, *nodes: KubeNode) -> None:
        self.live = {node.name: node for node in nodes}
        self.patches: dict[str, Any] = {}

    def nodes(self) -> dict[str, KubeNode]:
        return self.live

    def patch(self, patches: dict[str, Any]) -> None:
        self.patches.update(patches)
