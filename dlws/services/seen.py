"""What templates of services see of the cluster, beside its configuration: functions of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from dlws.config import mounts
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.images import names
from dlws.kubernetes.labels import nodes_for
from dlws.kubernetes.versions import api_version
from dlws.nodes.directory import cluster_id

if TYPE_CHECKING:
    from dlws.config import Config, Machine
    from dlws.nodes.cluster import Cluster


_OWNED = {"glusterfs", "local", "localHDD"}


def of(cluster: Cluster, nodes: Sequence[Machine]) -> dict[str, Any]:
    """The functions and values, by the names that templates use."""
    config = cluster.config
    return {
        "api": lambda kind: api_version(kind, config.kubernetes.version),
        "carriers": lambda label: carriers(config, nodes, label),
        "cluster_id": cluster_id(cluster.directory),
        "need": need,
        "service_ip": lambda number: service_ip(config, number),
        "job_share": job_share(config),
        "shares": shares(config),
    }


def carriers(config: Config, nodes: Sequence[Machine], label: str) -> list[Machine]:
    """The machines in the cluster that carry a label of kubelabels."""
    carrying = nodes_for(config, config.kubelabels.get(label, ""))
    return [node for node in nodes if node.name in carrying and node.in_cluster]


def shares(config: Config) -> list[str]:
    """The directories of nodes in which pods find the shares: mount points, and links to them."""
    mounted = [mounts.where(config, name, one) for name, one in mounts.active(config).items()]
    links = [config.storage_mount_path, config.dltsdata_storage_mount_path]
    return sorted({*mounted, *links})


def job_share(config: Config) -> str:
    """Where nodes have the share for people's homes and jobs; nothing where its files cannot be
    given to people: only some kinds keep owners, and NFS only where root may be root."""
    for name in mounts.default_shares(config)[:1]:
        share = config.mountpoints[name]
        if share.type in _OWNED or (share.type == "nfs" and config.nfs_root_access != "none"):
            return mounts.where(config, name, share)
    return ""


def need(value: Any, key: str, cure: str = "", command: str = "") -> Any:
    """A value that a service cannot do without; UsageError where there is none.

    `command` is the command of ours that makes it.
    """
    if value in (None, "", [], {}):
        made = f"run: {PROGRAM} {command}" if command else f"set {key} in config.yaml"
        raise UsageError(f"{key} is not set", cure or made)
    return value


def service_ip(config: Config, number: int) -> str:
    """The NUMBERth address of the services' network: 1 is the API server, 10 the cluster's DNS.

    Services of ours that others have to find before there is a DNS have one of these.
    """
    network = ip_network(config.kubernetes.service_cidr)
    if not 1 <= number < network.num_addresses - 1:
        raise UsageError(
            f"kubernetes.service_cidr {network} has no address number {number}",
            "choose a larger network for the services",
        )
    return str(network[number])


def kept(cluster: Cluster, take: Callable[[str], str]) -> Callable[..., str]:
    """Reads secrets that commands of ours made in deploy/; `take` notes that they are secrets."""

    def read(name: str, command: str = "") -> str:
        path = cluster.directory / "deploy" / name
        if path.is_file():
            return take(cluster.run.vault.read(path).decode())
        if not command:
            return ""
        raise UsageError(f"there is no {path}", f"run: {PROGRAM} {command}")

    return read


def is_ours(config: Config, images: Mapping[str, str], name: str, contexts: Iterable[str]) -> bool:
    """Whether we build an image: it has a context, and nobody else's takes its place."""
    others = name in images and not config.builds_images
    return name.lower() in contexts and not others and not names.given(config, name)


CONTEXT, CONFIG, SERVICE, NOWHERE = "docker push", "config.yaml", "service.yaml", "nowhere"


def source(config: Config, images: Mapping[str, str], name: str, contexts: Iterable[str]) -> str:
    """Where an image is had from: we build it, config.yaml or service.yaml names it, or none of
    these: it is called as one that we would build, and somebody else has to bring it."""
    if is_ours(config, images, name, contexts):
        return CONTEXT
    return CONFIG if names.given(config, name) else SERVICE if name in images else NOWHERE


def image(
    config: Config,
    images: Mapping[str, str],
    name: str,
    contexts: Iterable[str] = (),
    called: Callable[[Config, str], str] = names.pulled,
) -> str:
    """The reference of an image: as config.yaml gives it, else as service.yaml does, else it is
    one of those that `docker push` makes; those with a context come first where we build them."""
    ours = is_ours(config, images, name, contexts)
    if name in images and not ours and not names.given(config, name):
        return images[name]
    return called(config, name)
