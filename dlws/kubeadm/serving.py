"""Kubelets' serving certificates: each is approved for the names config.yaml gives to its node.

A kubelet asks for one when it has joined, and again each year. Whose request it is, the API server
knows; all else in it is the word of a node, and is compared with config.yaml.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlws.config.addresses import same
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.kubernetes import api
from dlws.nodes.endpoint import inner_address
from dlws.runs import plan
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

    from dlws.kubernetes.api import Api
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

SIGNER = "kubernetes.io/kubelet-serving"
_USER, _GROUP = "system:node:", "system:nodes"
_USAGES = {"server auth", "digital signature", "key encipherment"}
_PATIENCE, _PAUSE = 60.0, 1.0
_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-server-current.pem"
_LIMIT = 16 * 1024
Names = Mapping[str, Collection[str]]
"""For each node of the cluster the names and addresses that are its own."""


@dataclass(frozen=True)
class Request:
    """A request that waits: of which node, and what is wrong with it where something is."""

    id: str
    node: str
    fault: str
    body: Mapping[str, Any]


def names(cluster: Cluster) -> Names:
    """What a kubelet may be called, and its addresses."""
    return {
        node.name: {
            *(node.name, node.fqdn, same(inner_address(node))),
            *(same(str(given)) for given in (node.machine.public_ip, node.machine.ib_ip) if given),
        }
        for node in cluster.nodes
        if node.machine.in_cluster
    }


def waiting(found: Sequence[Mapping[str, Any]], known: Names) -> list[Request]:
    """The requests that nobody has decided on."""
    return [
        Request(str(one["metadata"]["name"]), _node(one), fault(one, known), one)
        for one in found
        if not (one.get("status") or {}).get("conditions")
    ]


def _node(request: Mapping[str, Any]) -> str:
    return str(request["spec"].get("username", "")).removeprefix(_USER)


def fault(request: Mapping[str, Any], known: Names) -> str:
    """Why a request is not to be approved; nothing where it is."""
    spec, name = request["spec"], _node(request)
    if spec.get("username") != f"{_USER}{name}" or _GROUP not in (spec.get("groups") or ()):
        return "comes from somebody who is no node"
    if name not in known:
        return "is of a node that config.yaml does not have"
    usages = set(spec.get("usages") or ())
    if spec.get("signerName") != SIGNER or "server auth" not in usages or usages - _USAGES:
        return "is for something else than serving"
    return next(_faults(str(spec.get("request", "")), name, known[name]), "")


def _faults(text: str, name: str, own: Collection[str]) -> Iterator[str]:
    """What is wrong with the request inside, in base64."""
    from cryptography import x509

    try:
        asked = x509.load_pem_x509_csr(base64.b64decode(text[:_LIMIT]))
        signed, wanted = asked.is_signature_valid, _wanted(asked)
        subject = sorted((part.oid.dotted_string, str(part.value)) for part in asked.subject)
    except Exception:
        yield "cannot be read"
        return
    oids = x509.NameOID
    if not signed or subject != sorted(
        [
            (oids.ORGANIZATION_NAME.dotted_string, _GROUP),
            (oids.COMMON_NAME.dotted_string, f"{_USER}{name}"),
        ]
    ):
        yield "is not signed by its node, or for another one"
    elif wanted is None or not wanted:
        yield "asks for more than names and addresses, or for none"
    elif foreign := sorted(one for one in wanted if one not in own):
        yield f"asks for {', '.join(foreign)[:200]}, which config.yaml does not give to {name}"


def _wanted(asked: CertificateSigningRequest) -> list[str] | None:
    """The names and addresses that a request asks for; None where it asks for something else."""
    from cryptography import x509

    extensions = list(asked.extensions)
    if len(extensions) != 1 or not isinstance(extensions[0].value, x509.SubjectAlternativeName):
        return None
    found = list(extensions[0].value)
    if not all(isinstance(one, (x509.DNSName, x509.IPAddress)) for one in found):
        return None
    return [same(str(one.value)) for one in found]


def approve(cluster: Cluster, nodes: Sequence[Node], patience: float = _PATIENCE) -> None:
    """Approve what these nodes' kubelets ask for and is right, until each has its certificate."""
    gate = cluster.run.gate
    if not cluster.config.kubernetes.kubelet_serving_certificates or not nodes:
        return
    round, deadline = _Round(cluster, nodes), time.monotonic() + patience
    with api.connect(cluster) as connected:
        if gate.dry_run:
            gate.announce(map(_action, round.due(connected)), "kubeadm join")
            return
        while not round.ended(connected) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
    if round.left:
        cluster.run.console.warn(
            f"{fold(sorted(round.left))}: the kubelet has no serving certificate after "
            f"{patience:g} s; kubectl exec and logs fail there until: {PROGRAM} verify --fix"
        )


class _Round:
    """Nodes whose kubelets are waited for, and what was said of their requests."""

    def __init__(self, cluster: Cluster, nodes: Sequence[Node]) -> None:
        self.cluster, self.known = cluster, names(cluster)
        self.asked = {node.name for node in nodes}
        self.left = {node.name: node for node in nodes}
        self.told, self.admitted = set[str](), set[str]()

    def ended(self, connected: Api) -> bool:
        """Decide on what waits by now; whether every node has its certificate, or is refused.

        That a certificate was made is not enough: a kubelet that was restarted asks once more.
        """
        for one in waiting(connected.signing_requests(SIGNER), self.known):
            if one.node in self.asked and one.id not in self.told:
                self.told.add(one.id)
                self._decide(connected, one)
        outcomes = self.cluster.read_all([*self.left.values()], _has, "serving certificates")
        for outcome in outcomes:
            if outcome.value or outcome.error:
                self.left.pop(outcome.node.name, None)
        return not self.left

    def due(self, connected: Api) -> list[str]:
        """The nodes whose requests wait or are still to come."""
        found = {one.node for one in waiting(connected.signing_requests(SIGNER), self.known)}
        outcomes = self.cluster.read_all([*self.left.values()], _has, "serving certificates")
        found |= {one.node.name for one in outcomes if not one.value}
        return sorted(found & self.asked)

    def _decide(self, connected: Api, one: Request) -> None:
        console = self.cluster.run.console
        if one.fault:
            console.warn(f"{one.node}: its serving certificate is not approved: {one.fault}")
            self.left.pop(one.node, None)
        elif one.node in self.admitted or self.cluster.run.gate.admit(_action(one.node)):
            self.admitted.add(one.node)
            connected.approve(one.body)
            console.changed("its kubelet's serving certificate is approved", one.node)


def _has(node: Node) -> bool:
    """Whether a node's kubelet has its certificate in place."""
    return node.read(sh("test", "-e", _CERTIFICATE), sudo=True, check=False).ok


def _action(name: str) -> plan.Action:
    return plan.patch(name, "approve the kubelet's serving certificate", {})
