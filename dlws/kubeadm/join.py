"""Make a cluster and grow it: `kubeadm init` and `kubeadm join`, safe to repeat."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar, cast

from dlws.core import resources
from dlws.core.errors import RENEW_MACHINE_ID, DeployError
from dlws.core.nodeset import fold
from dlws.core.version import Version
from dlws.kubeadm import documents, podnetwork
from dlws.kubeadm.survey import ClusterState, State, survey
from dlws.kubernetes import kubeconfig, versions
from dlws.kubernetes.kubeconfig import KUBECTL
from dlws.nodes import endpoint
from dlws.prepare import hosts, runtime
from dlws.runs.plan import Planned
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
from dlws.core.program import PROGRAM
from dlws.nodes.node import Node

T = TypeVar("T")
TOKEN_LIFE = timedelta(minutes=20)
_AGAIN = "run the same line again: what is done stays done, and it goes on from there"
_MANIFESTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass(frozen=True)
class Admission:
    """What lets nodes into the cluster, for one run; the key lets them in as masters."""

    token: str = field(repr=False)
    ca_hash: str = ""
    key: str = field(default="", repr=False)


def init(cluster: Cluster) -> None:
    """A control plane on all infra nodes; on a running cluster only what is missing."""
    seen = survey(cluster, [])
    begun = [node for node in cluster.infra if _state(seen, node).init_started]
    made = seen.live is None or bool(begun)
    if made:
        seen = _make(cluster, seen, begun)
    live = seen.running()
    kubeconfig.fetch(cluster, live)
    there = [node for node in cluster.infra if node.name in seen.states]
    others = [node for node in there if not _is_member(seen, node)]
    if not made:
        version = _state(seen, live).version
        cluster.run.console.say(f"Kubernetes {version} is running on {fold(sorted(seen.members))}")
    if others:
        _join(cluster, seen, others)
    else:
        podnetwork.update(cluster, seen, new=made)
    cluster.raise_failures(seen.outcomes(cluster.infra))


def _make(cluster: Cluster, seen: ClusterState, begun: Sequence[Node]) -> ClusterState:
    """Begin the cluster on its first node, or go on where that stopped."""
    first = _first(cluster, seen, begun)
    cluster.raise_failures(seen.failures)
    _on(cluster, first, lambda node: _init_first(cluster, node, seen), "kubeadm init")
    cluster.run.gate.end_plan_here(
        "kubeconfig, other infra nodes and pod network", "kubeadm init is done"
    )
    return survey(cluster, [])


def join(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Those of `nodes` that are not in the cluster yet become members of it."""
    wanted = [node for node in nodes if node.machine.in_cluster]
    seen = survey(cluster, wanted)
    seen.running()
    if not _join(cluster, seen, wanted):
        podnetwork.update(cluster, seen)
    cluster.raise_failures(seen.outcomes(wanted))


def _on(cluster: Cluster, node: Node, action: Callable[[Node], T], title: str) -> T:
    """Do something on one node, its name in the error, and the line that goes on."""
    outcome = cluster.try_all([node], action, title)[0]
    if outcome.error:
        raise DeployError(f"{node.name}: {outcome.error.message}", outcome.error.cure or _AGAIN)
    return cast(T, outcome.value)


def _state(seen: ClusterState, node: Node) -> State:
    return seen.states.get(node.name, State())


def _first(cluster: Cluster, seen: ClusterState, begun: Sequence[Node]) -> Node:
    """Where the cluster begins: where it was begun before, else the first infra node."""
    first = begun[0] if begun else cluster.first
    for node in cluster.infra:
        state = _state(seen, node)
        if state.touched and node not in begun and not state.api:
            raise DeployError(
                f"{node.name} holds a control plane that does not answer: {state.api_says}",
                "start it (systemctl start kubelet on the node), or remove it for good: "
                f"{PROGRAM} kubeadm reset {node.name}",
            )
    return first


def _init_first(cluster: Cluster, node: Node, seen: ClusterState) -> None:
    config, state = cluster.config, _state(seen, node)
    _check(config, node, seen)
    prepare(cluster, node, state)
    if not state.init_started:
        podnetwork.begin(cluster, node)
    names, address = endpoint.certificate_names(cluster), endpoint.inner_address(node)
    wanted = documents.init_documents(
        config, endpoint.api_endpoint(cluster), names, node.name, address, token()
    )
    content = documents.dump(wanted)
    options = ["--skip-token-print", "--skip-certificate-key-print"]
    if config.kubernetes.skip_phases:
        options.append(f"--skip-phases={','.join(config.kubernetes.skip_phases)}")
    if state.init_started:
        options.append(f"--ignore-preflight-errors={','.join(leftovers(config))}")
    title = "go on with the kubeadm init begun before" if state.init_started else "kubeadm init"
    command = _kubeadm("init", "", "init", *options)
    node.run(command, stdin=content, sudo=True, title=title, planned=Planned(varies=True))


def leftovers(config: Config) -> list[str]:
    """The checks of `kubeadm init` that fail because of its own earlier, unfinished run."""
    ports = [config.kubernetes.api_port, 2379, 2380, 10250, 10251, 10252, 10257, 10259]
    files = [f"FileAvailable--etc-kubernetes-manifests-{name}.yaml" for name in _MANIFESTS]
    return [*(f"Port-{port}" for port in ports), *files, "DirAvailable--var-lib-etcd"]


def prepare(cluster: Cluster, node: Node, state: State) -> None:
    """What a node needs before kubeadm: its runtime, the API server's name, the pod network."""
    runtime.configure(node, cluster.config)
    files = podnetwork.first_files(cluster)
    if endpoint.host_lines(cluster, node):
        wanted = hosts.merged(state.hosts, hosts.lines(cluster, node))
        if wanted != state.hosts:
            files.append(podnetwork.file("/etc/hosts", wanted))
    node.put_tree(files)


def _join(cluster: Cluster, seen: ClusterState, nodes: Sequence[Node]) -> list[Node]:
    """Join who is missing: control planes one by one (etcd), workers all at once."""
    asked = [node for node in nodes if node.name in seen.states]
    missing = [node for node in asked if not _is_member(seen, node)]
    if not missing:
        names = fold(node.name for node in asked)
        cluster.run.console.say(f"nothing to join: {names or 'no node'} in the cluster already")
        return []
    masters = [node for node in missing if node.machine.is_infra]
    workers = [node for node in missing if node not in masters]
    admission = _admit(cluster, seen, bool(masters))

    def enter(node: Node) -> None:
        _enter(cluster, node, seen, admission)

    for node in masters:
        cluster.change_all([node], enter, "kubeadm join")
    _renew_watches(cluster, seen, masters)
    outcomes = cluster.try_all(workers, enter, "kubeadm join")
    if cluster.run.options.dry_run:
        podnetwork.announce(
            cluster, [*seen.members, *(node.name for node in missing)], "kubeadm join"
        )
    else:
        podnetwork.update(cluster, survey(cluster, []))
    cluster.raise_failures(outcomes)
    return missing


# $1 is the API server's address. Its process ends, kubelet starts it again, and it answers.
_RENEW = """old=$(pgrep -x kube-apiserver) || exit 0
pkill -TERM -x kube-apiserver
for second in $(seq 180); do
  sleep 1
  now=$(pgrep -x kube-apiserver) && [ "$now" != "$old" ] || continue
  kubectl --kubeconfig /etc/kubernetes/admin.conf -s "$1" get --raw /readyz >/dev/null 2>&1 &&
    exit 0
done
echo "the API server did not come back" >&2; exit 1"""


def _renew_watches(cluster: Cluster, seen: ClusterState, joined: Sequence[Node]) -> None:
    """Restart the API servers that saw etcd grow, one by one, so that no watch stays deaf.

    When etcd takes in a member that is no learner, it has no leader for a moment. Watches of older
    API servers then may live on and deliver nothing until they time out: seen for five minutes
    with Kubernetes 1.20, in which controllers heard of no new service.
    """
    config = cluster.config.kubernetes
    if not joined or versions.feature("etcd_joins_as", config.version) == "learner":
        return

    def renew(node: Node) -> None:
        address = f"https://{endpoint.inner_address(node)}:{config.api_port}"
        title = "restart the API server: etcd's growth has cut off its watches"
        node.run(script(_RENEW, address), sudo=True, title=title)

    for node in cluster.infra:
        if node.name in seen.members or node in joined[:-1]:
            cluster.change_all([node], renew, "restarting API servers")


def _is_member(seen: ClusterState, node: Node) -> bool:
    state, member = _state(seen, node), seen.members.get(node.name)
    unfinished = state.join_started and not (member and member.ready)
    return bool(member and state.kubelet and not unfinished)


def _admit(cluster: Cluster, seen: ClusterState, masters: bool) -> Admission:
    """Make what nodes need to join: a token, and for masters the certificates."""
    live, chosen = seen.running(), token()
    _on(cluster, live, lambda node: _create_token(node, chosen), "token")
    key = ""
    if masters:
        key = _on(cluster, live, lambda node: _upload_certificates(cluster, node), "certificates")
    return Admission(chosen, documents.ca_hash(_state(seen, live).ca), key)


def _enter(cluster: Cluster, node: Node, seen: ClusterState, admission: Admission) -> None:
    state = _state(seen, node)
    _check(cluster.config, node, seen)
    if state.touched and not state.join_started:
        raise DeployError(
            f"{node.name} belongs to a cluster, and not to this one",
            f"take it out of there first: {PROGRAM} kubeadm reset {node.name}",
        )
    prepare(cluster, node, state)
    document = documents.join_document(
        cluster.config,
        endpoint.api_endpoint(cluster),
        node.name,
        endpoint.inner_address(node),
        admission.token,
        admission.ca_hash,
        admission.key if node.machine.is_infra else "",
    )
    socket = document["nodeRegistration"]["criSocket"] if state.join_started else ""
    content = documents.dump([document])
    command = _kubeadm("join", socket, "join")
    node.run(command, stdin=content, sudo=True, title="kubeadm join", planned=Planned(varies=True))


def _check(config: Config, node: Node, seen: ClusterState) -> None:
    """The node must be no copy; its kubeadm must be there, and of the configured release."""
    state = _state(seen, node)
    if others := seen.copies(node.name):
        raise DeployError(
            f"{node.name} has the machine-id of {fold(others)}: one is a copy of the other, "
            "or both are one machine",
            f"on the copy: {RENEW_MACHINE_ID}; for one machine correct its address in config.yaml",
        )
    wanted = config.kubernetes.version
    cure = f"run: {PROGRAM} runscriptonroles infra worker ./scripts/install_kubeadm.sh"
    if not state.version:
        raise DeployError(f"{node.name} has no kubeadm", cure)
    if Version.parse(state.version).minor != wanted.minor:
        raise DeployError(f"{node.name} has kubeadm {state.version}, wanted is {wanted}", cure)


def token() -> str:
    """A new bootstrap token."""
    letters = string.ascii_lowercase + string.digits
    word = "".join(secrets.choice(letters) for _ in range(22))
    return f"{word[:6]}.{word[6:]}"


def _create_token(live: Node, chosen: str) -> None:
    expires = datetime.now(timezone.utc) + TOKEN_LIFE
    secret = documents.dump([documents.token_secret(chosen, expires)])
    command = sh(*KUBECTL, "create", "-f", "-")
    live.run(
        command,
        stdin=secret,
        sudo=True,
        title="make a token for 20 minutes",
        planned=Planned(varies=True),
    )


def _upload_certificates(cluster: Cluster, live: Node) -> str:
    """Leave the control plane's certificates in the cluster, encrypted; the key to them."""
    key = secrets.token_hex(32)
    config, names = cluster.config, endpoint.certificate_names(cluster)
    settings = documents.cluster_configuration(config, endpoint.api_endpoint(cluster), names)
    content = documents.dump(documents.upload_documents(config, settings, key))
    words = ("init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print")
    command = _kubeadm("upload-certs", "", *words)
    title = "share the control plane's certificates"
    live.run(command, stdin=content, sudo=True, title=title, planned=Planned(varies=True))
    return key


def _kubeadm(stamp: str, reset: str, *words: str) -> str:
    text = (resources.templates() / "kubernetes/kubeadm.sh").read_text()
    return script(text, stamp, reset, *words)
