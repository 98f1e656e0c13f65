"""The storage of the installation: each part does something only where config.yaml asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlws.config.addresses import hosts_file
from dlws.config.volumes import volumes
from dlws.core.nodeset import fold
from dlws.roles.carry import Carriers
from dlws.storage import glusterfs, mount, nfs

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def serve_nfs(cluster: Cluster) -> None:
    """Set up the NFS servers that config.yaml names something for."""
    if _carried(cluster, nfs.role_of(cluster.config)):
        nfs.create(cluster)
    else:
        cluster.run.console.say("nothing to do: config.yaml names nothing to serve over NFS")


def serve_volumes(cluster: Cluster) -> None:
    """Make the GlusterFS volumes whose machines all take part in this run."""
    console, here = cluster.run.console, {node.name for node in cluster.select()}
    found = volumes(cluster.config, hosts_file(cluster.directory))
    whole = [volume for volume in found if here.issuperset(volume.bricks)]
    for volume in found:
        if volume not in whole:
            away = fold(set(volume.bricks) - here)
            console.warn(f"the volume {volume.name} stays as it is: {away} takes no part in this")
    if not found:
        console.say("nothing to do: config.yaml names no GlusterFS volume on these machines")
    elif whole:
        glusterfs.make(cluster, whole)


def mount_shares(cluster: Cluster) -> None:
    """Mount and link the shares that config.yaml names."""
    mount.refuse_incomplete(cluster.config)
    if _carried(cluster, mount.MOUNTS):
        mount.bring(cluster, (mount.MOUNTS, mount.LINKS))
    else:
        cluster.run.console.say("nothing to do: config.yaml names no share for these machines")


def _carried(cluster: Cluster, role: str) -> bool:
    """Whether a node that takes part carries a role."""
    carriers = Carriers(cluster)
    return any(node in carriers.nodes(role) for node in cluster.select())
