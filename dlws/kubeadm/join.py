"""Make a cluster and grow it: `kubeadm init` and `kubeadm join`, safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import RENEW_MACHINE_ID, DeployError
from dlws.core.nodeset import fold
from dlws.core.version import Version
from dlws.kubeadm import controlplane, documents, encryption, podnetwork, serving
from dlws.kubeadm.admission import Admission, admitting, kubeadm, on, token, withdraw
from dlws.kubeadm.reasons import explained, watched
from dlws.kubeadm.survey import ClusterState, State, survey
from dlws.kubernetes import kubeconfig, versions
from dlws.kubernetes.answers import has_expired, renewal
from dlws.nodes import endpoint
from dlws.prepare import hosts, runtime
from dlws.runs.plan import Planned
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.outcomes import Outcome
from dlws.core.program import PROGRAM
from dlws.nodes.node import CommandFailed, Node

_MANIFESTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


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
    serving.approve(cluster, [node for node in there if node not in others])
    cluster.raise_failures(seen.outcomes(cluster.infra))


def _make(cluster: Cluster, seen: ClusterState, begun: Sequence[Node]) -> ClusterState:
    """Begin the cluster on its first node, or go on where that stopped."""
    first = _first(cluster, seen, begun)
    cluster.raise_failures(seen.failures)
    on(cluster, first, lambda node: _init_first(cluster, node, seen), "kubeadm init")
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
                renewal()
                if has_expired(state.api_says)
                else "start it (systemctl start kubelet on the node), or remove it for good: "
                f"{PROGRAM} kubeadm reset {node.name}",
            )
    return first


def _init_first(cluster: Cluster, node: Node, seen: ClusterState) -> None:
    config, state = cluster.config, _state(seen, node)
    _check(config, node, seen)
    prepare(cluster, node, state, encryption.make(cluster, node))
    if not state.init_started:
        podnetwork.begin(cluster, node)
    names, address = endpoint.certificate_names(cluster), endpoint.inner_address(node)
    chosen = token()
    wanted = documents.init_documents(
        config, endpoint.api_endpoint(cluster), names, node.name, address, chosen
    )
    content = documents.dump(wanted)
    options = ["--skip-token-print", "--skip-certificate-key-print"]
    if config.kubernetes.skip_phases:
        options.append(f"--skip-phases={','.join(config.kubernetes.skip_phases)}")
    if state.init_started:
        options.append(f"--ignore-preflight-errors={','.join(leftovers(config))}")
    title = "go on with the kubeadm init begun before" if state.init_started else "kubeadm init"
    command = kubeadm("init", "", "init", *options)
    _run(node, command, content, title)
    withdraw(cluster, node, chosen, False)


def leftovers(config: Config) -> list[str]:
    """The checks of `kubeadm init` that fail because of its own earlier, unfinished run."""
    ports = [config.kubernetes.api_port, 2379, 2380, 10250, 10251, 10252, 10257, 10259]
    files = [f"FileAvailable--etc-kubernetes-manifests-{name}.yaml" for name in _MANIFESTS]
    return [*(f"Port-{port}" for port in ports), *files, "DirAvailable--var-lib-etcd"]


def prepare(cluster: Cluster, node: Node, state: State, sealing: bytes) -> None:
    """What a node needs before kubeadm: its runtime, the API server's name, the pod network.

    An API server also needs what it reads; `sealing` is how it keeps Secrets.
    """
    runtime.configure(node, cluster.config)
    files = podnetwork.first_files(cluster)
    if node.machine.is_infra:
        files += [*controlplane.files(cluster.config), *encryption.file(sealing)]
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
        serving.approve(cluster, asked)
        return []
    podnetwork.check(cluster, seen)
    infra = [node for node in missing if node.machine.is_infra]
    workers = [node for node in missing if node not in infra]
    for node in infra:
        _may_enter(node, seen)
    outcomes = _let_in(cluster, seen, infra, workers)
    if cluster.run.options.dry_run:
        podnetwork.announce(
            cluster, [*seen.members, *(node.name for node in missing)], "kubeadm join"
        )
    else:
        podnetwork.update(cluster, survey(cluster, []))
    serving.approve(cluster, [*infra, *(one.node for one in outcomes if not one.error)])
    cluster.raise_failures(outcomes)
    return missing


def _let_in(
    cluster: Cluster, seen: ClusterState, infra: Sequence[Node], workers: Sequence[Node]
) -> list[Outcome[None]]:
    """What became of workers; a control plane that does not come in ends it."""
    live = seen.running()
    with admitting(cluster, live, _state(seen, live).ca, bool(infra)) as admission:

        def enter(node: Node) -> None:
            _enter(cluster, node, seen, admission)

        for node in infra:
            cluster.change_all([node], enter, "kubeadm join")
        _renew_watches(cluster, seen, infra)
        return cluster.try_all(workers, enter, "kubeadm join")


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
    """Whether it has joined. That a join stopped half-way, its own stamp alone may say.

    What the API server says of a node, others can change: nothing destructive follows from it.
    """
    state = _state(seen, node)
    return node.name in seen.members and state.kubelet and not state.join_started


def _enter(cluster: Cluster, node: Node, seen: ClusterState, admission: Admission) -> None:
    state = _state(seen, node)
    _check(cluster.config, node, seen)
    _may_enter(node, seen)
    prepare(cluster, node, state, admission.encryption)
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
    command = kubeadm("join", socket, "join")
    _run(node, command, content, "kubeadm join")


def _run(node: Node, command: str, content: bytes, title: str) -> None:
    """Run kubeadm; where it fails, those who know say why."""
    try:
        with watched(node):
            node.run(command, stdin=content, sudo=True, title=title, planned=Planned(varies=True))
    except CommandFailed as error:
        raise explained(node, error) from error


def _may_enter(node: Node, seen: ClusterState) -> None:
    """Joining may begin afresh what a join left unfinished, and take away nothing else."""
    state, reset = _state(seen, node), f"{PROGRAM} kubeadm reset {node.name}"
    if node is seen.live or state.control_plane or state.etcd_data:
        raise DeployError(
            f"{node.name} holds a control plane, or the beginning of one, without being a complete "
            "member of the cluster: to join again it would lose what it holds",
            f"if that may go: {reset} (it asks first), then: {PROGRAM} kubeadm join {node.name}",
        )
    if state.touched and not state.join_started:
        raise DeployError(
            f"{node.name} belongs to a cluster, and not to this one",
            f"take it out of there first: {reset}",
        )


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
