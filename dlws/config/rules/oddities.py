"""What is odd and understood."""

from __future__ import annotations

from dlws.config.model.config import Config
from dlws.config.reading.sources import Sources


def oddities(config: Config, sources: Sources) -> None:
    if any("\\/" in str(d.data.get("apt_mirror_url", "")) for d in sources.documents):
        sources.warn(
            ("apt_mirror_url",),
            "the slashes need no backslashes; they are left out",
            f"Write {config.apt_mirror_url}.",
        )
    if not config.useclusterfile:
        sources.warn(
            ("useclusterfile",),
            "there is no cluster portal to ask: machines are those listed here",
            "Write true, or leave it out.",
        )
    other = config.repair_manager.get("cluster_name")
    if isinstance(other, str) and other != config.cluster_name:
        sources.warn(
            ("repair-manager", "cluster_name"),
            f"{other} is not the name of this cluster",
            f"Write {config.cluster_name}.",
        )
