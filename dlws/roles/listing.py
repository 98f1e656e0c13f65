"""The roles that there are and who carries them, for people and programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dlws.core.nodeset import fold
from dlws.roles.carry import Carriers

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def rows(cluster: Cluster) -> list[dict[str, Any]]:
    """A row for each role."""
    carriers = Carriers(cluster)
    carried = {node.name: {role.name for role in carriers.of(node)} for node in cluster.nodes}
    return [
        {
            "role": name,
            "description": role.says.description,
            "needs": role.says.needs,
            "nodes": [node for node, names in carried.items() if name in names],
            "folders": [str(layer) for layer in role.layers],
        }
        for name, role in carriers.roles.items()
    ]


def shown(cluster: Cluster, output: str) -> str:
    found = rows(cluster)
    if output == "json":
        return json.dumps(found, indent=2, ensure_ascii=False)
    if not found:
        return "there are no roles"
    lines = [(row["role"], fold(row["nodes"]) or "-", row["description"]) for row in found]
    wide, wider = (max(len(line[column]) for line in lines) for column in (0, 1))
    return "\n".join(
        f"{name:<{wide}}  {nodes:<{wider}}  {text}".rstrip() for name, nodes, text in lines
    )
