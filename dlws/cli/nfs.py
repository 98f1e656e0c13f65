"""The machines that serve files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group("nfs-server")
def nfs_server() -> None:
    """Serve the cluster's shared directories over NFS."""


@nfs_server.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@click.pass_obj
def create(session: Session, nodes: tuple[str, ...]) -> None:
    """Set up the NFS servers: machines with the role nfs, else those of the infrastructure.

    What they export is nfs_disk_mnt, and the mountpoints of type nfs whose server they are; to
    nfs_client_CIDR, else to the machines of the cluster alone. nfs_server chooses the server: the
    kernel's (role nfs-server), or NFS-Ganesha (role nfs-ganesha). Empty disks that data-disk names
    or matches become the file system on the path of nfs_disk_mnt; no other disk is touched.
    """
    from dlws.storage import nfs

    nfs.create(session.cluster, nodes)
