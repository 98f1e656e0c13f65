"""Start the registry and have every node trust it; stop it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.config.addresses import hosts_file
from dlws.config.registry import CA, registry_of
from dlws.core.connection import Local
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import read
from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.prepare import runtime
from dlws.registry import kept
from dlws.roles import apply
from dlws.roles.carry import Carriers
from dlws.runs import plan
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.config.registry import OurRegistry
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_HUB = "docker.io"


def configured(cluster: Cluster) -> OurRegistry:
    """The cluster's own registry; UsageError where config.yaml has none."""
    found = registry_of(cluster.config, hosts_file(cluster.directory))
    if not found:
        raise UsageError(
            "config.yaml asks for no registry of the cluster's own",
            "write registry: {enabled: true}, or give a machine role: registry",
        )
    return found


def machine(cluster: Cluster, registry: OurRegistry) -> Node:
    """The node that it is on."""
    return next(node for node in cluster.nodes if node.name == registry.node)


def start(cluster: Cluster, devbox: bool = False) -> None:
    """Bring the registry to its node and its certificate's CA to all; each as far as it differs."""
    registry = configured(cluster)
    kept.ensure(cluster, registry)
    carriers, chosen = Carriers(cluster), cluster.select()
    # Trust first: whether a mirror starts depends on the registry behind it, too.
    apply.bring(carriers, chosen, [carriers.role("registry-trust")])
    own = [node for node in chosen if node.name == registry.node]
    if own:
        _bring(carriers, own, registry)
    if cluster.made and cluster.config.runtime == "docker" and _mirrors_hub(registry):
        members = [node for node in chosen if node.machine.in_cluster]
        cluster.change_all(
            members, lambda node: runtime.configure(node, cluster.config), "mirrors of Docker"
        )
    if devbox:
        trust_here(cluster, registry)
    if not cluster.run.dry_run:
        cluster.run.console.say(f"images of the registry are named {registry.place}/NAME:TAG")


def _bring(carriers: Carriers, own: Sequence[Node], registry: OurRegistry) -> None:
    """Bring the registry to its node; what it said last is told where it does not start."""
    try:
        apply.bring(carriers, own, [carriers.role("registry")])
    except DeployError as error:
        units = [f"--unit={unit}" for unit in registry.units]
        line = sh("journalctl", "--quiet", "--output=cat", "--lines=20", "--grep=fatal|error|panic")
        says = own[0].read(f"{line} {sh(*units)}", sudo=True, check=False).text.strip()
        if says:
            error.message += f"\n  it said last: {split_lines(says)[-1][:500]}"
        raise


def _mirrors_hub(registry: OurRegistry) -> bool:
    return any(mirror.name == _HUB for mirror in registry.mirrors)


def trust_here(cluster: Cluster, registry: OurRegistry) -> None:
    """Have this machine's Docker trust it, by files that Docker reads at each pull and push."""
    content = read(cluster.deploy / CA)
    for place in registry.places:
        path = f"/etc/docker/certs.d/{place}/ca.crt"
        same = Local().run(sh("cmp", "-s", "-", path), content).ok
        if same or not cluster.run.gate.admit(plan.local(f"write {path}", content)):
            continue
        cluster.run.begin()
        done = Local().run(
            script('mkdir -p "${1%/*}" && cat >"$1" && chmod 644 "$1"', path), content
        )
        if not done.ok:
            raise DeployError(
                f"{path} cannot be written: {done.last_words}",
                f"as root on this machine: install -D -m 644 {cluster.deploy / CA} {path}",
            )
        cluster.run.console.changed(f"wrote {path}")


def stop(cluster: Cluster) -> None:
    """Stop the registry and its mirrors until they are started again. Images stay."""
    registry = configured(cluster)
    node = machine(cluster, registry)

    def one(node: Node) -> bool:
        running = split_lines(
            node.read(script(template("registry/running.sh"), *registry.units)).text
        )
        if running:
            node.run(sh("systemctl", "disable", "--now", "--quiet", "--", *running), sudo=True)
        for unit in running if not node.dry_run else ():
            node.changed(f"stopped {unit}")
        return bool(running)

    outcomes = cluster.change_all([node], one, "stopping the registry")
    if not any(outcome.value for outcome in outcomes):
        cluster.run.console.say("nothing to do: the registry is stopped")
    elif not cluster.run.dry_run:
        line = f"{PROGRAM} registry start"
        cluster.run.console.say(f"its images stay in {registry.path}; start it again: {line}")
