"""The machines that serve files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES

if TYPE_CHECKING:
    from dlws.session import Session


@click.group("nfs-server")
def nfs_server() -> None:
    """Serve the cluster's shared directories over NFS."""


@nfs_server.command()
@NODES
@click.pass_obj
def create(session: Session, nodes: tuple[str, ...]) -> None:
    """Set up the NFS servers: machines with the role nfs, else those of the infrastructure.

    They export nfs_disk_mnt and the mountpoints of type nfs that name them as server: to
    nfs_client_CIDR, or else only to the machines of the cluster. nfs_server chooses the server: the
    kernel's (role nfs-server), or NFS-Ganesha (role nfs-ganesha). Empty disks that data-disk names
    or matches become the file system on the path of nfs_disk_mnt; no other disk is touched.
    """
    from dlws.storage import nfs

    nfs.create(session.cluster, nodes)
