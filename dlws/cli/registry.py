"""The cluster's own registry of images, and the images that nodes pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def registry() -> None:
    """Run the cluster's own registry of images; give nodes the credentials and images of others."""


@registry.command()
@click.option("--devbox", is_flag=True, help="Have this machine's Docker trust it, too (root).")
@click.pass_obj
def start(session: Session, devbox: bool) -> None:
    """Start the registry on its node, with TLS, and have every node trust it.

    A second run changes nothing. A certificate that nears its end or lacks a name is made anew. The
    section registry of config.yaml says where the registry runs and what it mirrors.
    """
    from dlws.registry import start as actions

    actions.start(session.cluster, devbox)


@registry.command()
@click.pass_obj
def stop(session: Session) -> None:
    """Stop the registry and its mirrors until `registry start`. Images stay where they are."""
    from dlws.registry import start as actions

    actions.stop(session.cluster)


@registry.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def status(session: Session, output: str) -> None:
    """Show whether it answers here and on every node, its certificate, images and disk.

    Exits with 5 if something is wrong.
    """
    from dlws.registry import status as actions

    actions.show(session.cluster, output)


@registry.command()
@click.pass_obj
def gc(session: Session) -> None:
    """Remove images that no tag leads to any more, and layers that no image has.

    Refused while something is being pushed. Meanwhile the registry serves images and takes none.
    --dry-run says what would go.
    """
    from dlws.registry import gc as actions

    actions.collect(session.cluster)


@registry.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.pass_obj
def mirror(session: Session, images: tuple[str, ...]) -> None:
    """Copy IMAGEs of other registries into our own, and print what they are called there.

    All architectures are copied, and digests stay.
    """
    from dlws.registry import mirror as actions

    actions.mirror(session.cluster, images)


@registry.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@click.pass_obj
def pull(session: Session, images: tuple[str, ...]) -> None:
    """Have all nodes pull IMAGEs (default: pre_download_images of config.yaml), many at once.

    An image that a node has is not pulled again. --nodes chooses nodes.
    """
    from dlws.registry import pull as actions

    cluster = session.cluster
    nodes = [node for node in cluster.select() if node.machine.in_cluster]
    actions.pull(cluster, nodes, images)


@registry.command()
@click.option(
    "--namespace",
    "-n",
    "namespaces",
    multiple=True,
    metavar="NAMESPACE",
    help="Namespaces that get it (default: default and kube-system).",
)
@click.pass_obj
def secret(session: Session, namespaces: tuple[str, ...]) -> None:
    """Give Kubernetes the credentials of registries: the Secret regcred.

    They are those of registry_credential, and the one that `registry start` made for its own.
    They go to the API server alone, and to no node.
    """
    from dlws.registry import secret as actions

    actions.bring(session.cluster, namespaces)
