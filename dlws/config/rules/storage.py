"""Shares: who serves them."""

from __future__ import annotations

from dlws.config.addresses import is_address
from dlws.config.model.config import Config
from dlws.config.problems import closest
from dlws.config.reading.sources import Sources


def mountpoints(config: Config, sources: Sources) -> None:
    names = {name for m in config.machines.values() for name in (m.name, m.fqdn)}
    for name, mount in config.mountpoints.items():
        for server in mount.server.replace(",", " ").split():
            if mount.type == "nfs" and server not in names and not is_address(server):
                near = closest(server, names)
                sources.warn(
                    ("mountpoints", name, "server"),
                    f"{server} is not one of the machines",
                    f"Did you mean {near}?" if near else "Check that every node can resolve it.",
                )
