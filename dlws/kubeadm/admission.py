"""What lets nodes into a cluster during one run: a token, and the control plane's keys."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar, cast

from dlws.core import resources
from dlws.core.errors import DeployError
from dlws.kubeadm import documents, encryption
from dlws.kubernetes.kubeconfig import KUBECTL
from dlws.nodes import endpoint
from dlws.runs.plan import Planned
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

T = TypeVar("T")
TOKEN_LIFE = timedelta(minutes=20)
_VARIES = Planned(varies=True)
_AGAIN = "run the same line again: what is done stays done, and it goes on from there"


@dataclass(frozen=True)
class Admission:
    """What lets nodes into the cluster, for one run; the key lets them in as infra nodes."""

    token: str = field(repr=False)
    ca_hash: str = ""
    key: str = field(default="", repr=False)
    encryption: bytes = field(default=b"", repr=False)


@contextmanager
def admitting(cluster: Cluster, live: Node, ca: bytes, infra: bool) -> Iterator[Admission]:
    """Make what nodes need to join, and delete it at the end, also after a failure.

    Not after an interruption: kubeadm may still be at work on a node then, and `resume` waits for
    it. What is left expires by itself.
    """
    chosen = token()
    ca_hash = on(cluster, live, lambda _: documents.ca_hash(ca), "certificate of the CA")
    try:
        on(cluster, live, lambda node: _create_token(node, chosen), "token")
        key, sealing = "", b""
        if infra:
            sealing = on(cluster, live, lambda node: encryption.of(cluster, node), "encryption")
            key = on(
                cluster, live, lambda node: _upload_certificates(cluster, node), "certificates"
            )
        yield Admission(chosen, ca_hash, key, sealing)
    except Exception:
        withdraw(cluster, live, chosen, infra)
        raise
    withdraw(cluster, live, chosen, infra)


def on(cluster: Cluster, node: Node, action: Callable[[Node], T], title: str) -> T:
    """Do something on one node, its name in the error, and the line that goes on."""
    outcome = cluster.try_all([node], action, title)[0]
    if outcome.error:
        raise DeployError(f"{node.name}: {outcome.error.message}", outcome.error.cure or _AGAIN)
    return cast(T, outcome.value)


def token() -> str:
    """A new bootstrap token."""
    letters = string.ascii_lowercase + string.digits
    word = "".join(secrets.choice(letters) for _ in range(22))
    return f"{word[:6]}.{word[6:]}"


def _create_token(live: Node, chosen: str) -> None:
    expires = datetime.now(timezone.utc) + TOKEN_LIFE
    secret = documents.dump([documents.token_secret(chosen, expires)])
    command, title = sh(*KUBECTL, "create", "-f", "-"), "make a token for 20 minutes"
    live.run(command, stdin=secret, sudo=True, title=title, planned=_VARIES)


def _upload_certificates(cluster: Cluster, live: Node) -> str:
    """Leave the control plane's certificates in the cluster, encrypted; the key to them."""
    key = secrets.token_hex(32)
    config, names = cluster.config, endpoint.certificate_names(cluster)
    settings = documents.cluster_configuration(config, endpoint.api_endpoint(cluster), names)
    content = documents.dump(documents.upload_documents(config, settings, key))
    words = ("init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print")
    command = kubeadm("upload-certs", "", *words)
    title = "share the control plane's certificates"
    live.run(command, stdin=content, sudo=True, title=title, planned=_VARIES)
    return key


# Standard input: the public half of a token. $1: 1 to delete the shared certificates as well, and
# the token that kubeadm made for nothing but to own them.
_WITHDRAW = """read -r token
own() { kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system "$@"; }
set -- "$1" "bootstrap-token-$token"
if [ "$1" = 1 ]; then
  owner=$(own get secret kubeadm-certs --ignore-not-found \\
    -o 'jsonpath={.metadata.ownerReferences[0].name}')
  case $owner in bootstrap-token-*) set -- "$@" "$owner" ;; esac
  set -- "$@" kubeadm-certs
fi
shift
own delete secret --ignore-not-found "$@" """


def withdraw(cluster: Cluster, live: Node, chosen: str, infra: bool) -> None:
    """Delete a token, and what infra nodes are let in with; a run does not fail because of it."""
    title = "delete the token and the shared certificates" if infra else "delete the token"
    command, public = script(_WITHDRAW, int(infra)), chosen.partition(".")[0]

    try:
        live.run(command, stdin=f"{public}\n".encode(), sudo=True, title=title, planned=_VARIES)
    except DeployError as error:
        cluster.run.console.warn(
            f"{live.name}: could not {title}, which will expire: {error.message}"
        )


def kubeadm(stamp: str, reset: str, *words: str) -> str:
    """The command that runs kubeadm under a stamp; with a runtime's socket it resets first."""
    text = resources.template("kubernetes/kubeadm.sh")
    return script(text, stamp, reset, *words)
