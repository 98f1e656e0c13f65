"""`webui`: what the portal is told, as a file in deploy/ and in the Secrets of its services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlws.core.program import PROGRAM
from dlws.portal import keys
from dlws.runs.plan import local
from dlws.services import folder
from dlws.services.values import Templates

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

LOCAL = f"{keys.PLACE}/local.yaml"
_SERVICE, _TEMPLATE = "webui3", "files/local.j2"


def write(cluster: Cluster) -> None:
    """Make the secrets that are missing, and write the portal's settings where they differ."""
    keys.ensure(cluster)
    if keys.lacking(cluster):
        return  # a dry run: the settings hold what has not been made
    path, vault = cluster.directory / LOCAL, cluster.run.vault
    content = text(cluster).encode()
    if path.is_file() and vault.read(path) == content:
        cluster.run.console.say(f"nothing to do: {LOCAL} is as config.yaml says")
    elif cluster.run.gate.admit(local(f"write {LOCAL}")):
        cluster.run.journal()
        vault.write(path, content)
        cluster.run.console.changed(f"wrote {LOCAL}")
        cluster.run.console.say(f"services take it up with: {PROGRAM} kubernetes start")


def text(cluster: Cluster) -> str:
    """The portal's settings."""
    service = folder.load_all(cluster.directory)[_SERVICE]
    return Templates(cluster).text(service, _TEMPLATE)
