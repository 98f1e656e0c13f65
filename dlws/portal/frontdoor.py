"""`nginx config` and `nginx fqdn`: nginx's certificate, and the names of the nodes it is on."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.access import certificates
from dlws.access.certificates import Pair
from dlws.config.addresses import address_of, hosts_file, is_address
from dlws.core.errors import UsageError
from dlws.core.localfiles import read
from dlws.core.localfiles import write as write_plain
from dlws.core.program import PROGRAM
from dlws.kubernetes.labels import nodes_for
from dlws.runs.plan import local
from dlws.services import folder
from dlws.services.values import Templates

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

PLACE = "deploy/nginx"
_FQDN = "/etc/hostname-fqdn"


def configure(cluster: Cluster) -> None:
    """Have a certificate for nginx, and see that its manifests can be made."""
    changed = ensure(cluster)
    Templates(cluster).objects(folder.load_all(cluster.directory)["nginx"])
    if not changed and not cluster.run.dry_run:
        cluster.run.console.say(f"nothing to do: {PLACE} has a certificate that fits")
    cluster.run.console.say(f"nginx takes it up with: {PROGRAM} kubernetes start nginx")


def ensure(cluster: Cluster) -> bool:
    """Make a certificate where there is none of the site's own, and none of ours that fits."""
    there, ca = _read(cluster, "tls"), _read(cluster, "ca")
    if there and not (ca and certificates.is_of(there.certificate, ca.certificate)):
        _check_given(there)
        return False
    names = hosts(cluster)
    if there and ca and _fits(there, names):
        return False
    wanted = [] if ca else ["ca"]
    if not cluster.run.gate.admit(*(local(f"make {PLACE}/{one}.crt") for one in [*wanted, "tls"])):
        return True
    cluster.run.journal()
    if not ca:
        ca = certificates.new_ca(f"{cluster.config.cluster_name} nginx CA")
        _write(cluster, "ca", ca)
    _write(cluster, "tls", certificates.new_certificate(ca, names))
    cluster.run.console.changed(f"made {PLACE}/tls.crt for {names[0]} (its CA: {PLACE}/ca.crt)")
    return True


def hosts(cluster: Cluster) -> list[str]:
    """What people call nginx by: the cluster's name, and each node's name and addresses."""
    config = cluster.config
    site = config.cluster_name.lower().replace("_", "-")
    found = [f"{site}.{config.domain}" if config.domain else site]
    known = hosts_file(cluster.directory)
    for name in nodes_for(config, config.kubelabels.get("nginx", "")):
        machine = config.machines[name]
        addresses = filter(None, (address_of(machine, known), machine.public_ip))
        found += [machine.fqdn, machine.name, *addresses]
    return list(dict.fromkeys(found))


def _fits(pair: Pair, names: list[str]) -> bool:
    left = certificates.ends(pair.certificate) - datetime.now(timezone.utc)
    same = certificates.hosts_of(pair.certificate) == set(names)
    return left > certificates.LEFT and same and certificates.belong(pair)


def _check_given(pair: Pair) -> None:
    """UsageError where a certificate of the site's own is of no use."""
    cure = f"put a certificate (with those above it) and its key into {PLACE}/tls.crt and tls.key"
    if not certificates.belong(pair):
        raise UsageError(f"{PLACE}/tls.key is not the key of {PLACE}/tls.crt", cure)
    if certificates.ends(pair.certificate) <= datetime.now(timezone.utc):
        raise UsageError(f"the certificate in {PLACE}/tls.crt has ended", cure)


def _paths(cluster: Cluster, name: str) -> tuple[Path, Path]:
    place = cluster.directory / PLACE
    return place / f"{name}.crt", place / f"{name}.key"


def _read(cluster: Cluster, name: str) -> Pair | None:
    shown, secret = _paths(cluster, name)
    if shown.is_file() != secret.is_file():
        have, lack = (shown, secret) if shown.is_file() else (secret, shown)
        raise UsageError(f"there is {have}, and no {lack.name}", "put both there, or neither")
    if not shown.is_file():
        return None
    return Pair(read(shown).decode(), cluster.run.vault.read(secret).decode())


def _write(cluster: Cluster, name: str, pair: Pair) -> None:
    shown, secret = _paths(cluster, name)
    cluster.run.vault.write(secret, pair.key.encode())
    write_plain(shown, pair.certificate.encode(), 0o644)


def way(cluster: Cluster) -> tuple[str, str]:
    """The address of the job platform's API behind nginx, and the file with the authority of its
    certificate: none where the site has a certificate of its own."""
    names, ca = hosts(cluster), cluster.directory / PLACE / "ca.crt"
    there = _read(cluster, "tls")
    ours = there and ca.is_file() and certificates.is_of(there.certificate, read(ca).decode())
    found = next(filter(is_address, names), names[0]) if ours else names[0]
    host = f"[{found}]" if ":" in found else found
    return f"https://{host}/apis", str(ca) if ours else ""


def tell_names(cluster: Cluster) -> None:
    """Write a node's full name into /etc/hostname-fqdn on each node that nginx runs on."""
    carrying = nodes_for(cluster.config, cluster.config.kubelabels.get("nginx", ""))
    nodes = [node for node in cluster.select() if node.name in carrying]

    def place(node: Node) -> None:
        if node.put(f"{node.fqdn}\n", _FQDN):
            cluster.run.console.changed(f"wrote {_FQDN}: {node.fqdn}", node.name)

    cluster.change_all(nodes, place, "nginx fqdn")
