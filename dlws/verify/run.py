"""Verify nodes, put right what can be, and verify again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.access import sshkey
from dlws.config.reading.load import inspect
from dlws.core.errors import CheckFailed, DeployError, Refused
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.kubeadm import members
from dlws.kubernetes import kubeconfig
from dlws.nodes.node import Node, SudoRefused
from dlws.nodes.outcomes import Outcome
from dlws.prepare import hosts
from dlws.roles.carry import Carriers
from dlws.ssh.handshake import LoginRefused
from dlws.verify import collect, fix, report
from dlws.verify.compare import compare, expected
from dlws.verify.report import Finding, Verdict
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Difference,
    Expectation,
    known_members,
)

if TYPE_CHECKING:
    from dlws.config.reading.sources import Sources
    from dlws.kubernetes.api import Api
    from dlws.nodes.cluster import Cluster
    from dlws.session import Session

_ROUNDS = 2
Only = Callable[[Expectation], bool]


def verify(
    session: Session, nodes: list[Node], mend: bool, output: str, only: Only | None = None
) -> None:
    """Print what differs, `only` of some things; raises CheckFailed where anything does."""
    cluster = session.cluster
    sources = inspect(cluster.directory).sources
    outcomes = look(cluster, nodes, sources, only)
    verdicts = list(map(_verdict, outcomes))
    done: list[str] = []
    tried: list[Finding] = []
    # The second round is for what the first one brought to light.
    rounds = 1 if cluster.run.gate.applied_plan else _ROUNDS
    for _ in range(rounds if mend else 0):
        if not (new := _fixable(verdicts, tried)):
            break
        tried += new
        if output == "text":
            session.console.data(report.text(verdicts))
        done += mended(session, new)
        if cluster.run.options.dry_run:
            break
        outcomes = look(cluster, nodes, sources, only)
        verdicts = list(map(_verdict, outcomes))
    session.console.data(_printed(verdicts, done, output))
    cluster.raise_failures(outcomes)
    if not report.clean(verdicts):
        cure = "" if mend else f"put right what can be: {PROGRAM} verify --fix"
        raise CheckFailed(report.summary(verdicts), cure)


def heal(session: Session, nodes: list[Node]) -> None:
    """Put right what can be, roles aside; CheckFailed where that did not help.

    What nobody can put right is left.
    """
    cluster = session.cluster
    sources = inspect(cluster.directory).sources

    def differing() -> list[Finding]:
        outcomes = look(cluster, nodes, sources)
        cluster.raise_failures(outcomes)
        found = _fixable([_verdict(outcome) for outcome in outcomes], [])
        return [finding for finding in found if finding.kind != "role"]

    found = differing()
    mended(session, found)
    if found and not cluster.run.options.dry_run and (left := differing()):
        what = ", ".join(sorted({f"{one.node}: {one.what}" for one in left}))
        raise CheckFailed(f"these still differ from config.yaml: {what}", f"{PROGRAM} verify")


def _fixable(verdicts: Sequence[Verdict], tried: Sequence[Finding]) -> list[Finding]:
    """The findings that something may put right and that were not tried before."""
    found = [finding for verdict in verdicts for finding in verdict.findings if finding.fix]
    return [finding for finding in found if finding not in tried]


def _printed(verdicts: Sequence[Verdict], done: Sequence[str], output: str) -> str:
    if output == "json":
        return report.as_json(verdicts, done)
    return report.junit(verdicts) if output == "junit" else report.text(verdicts)


def look(
    cluster: Cluster, nodes: list[Node], sources: Sources, only: Only | None = None
) -> list[Outcome[Verdict]]:
    """Every node's verdict: one round trip to each, and one question to the API server."""
    known = ClusterFacts(carriers=Carriers(cluster)) if only else knowledge(cluster)

    def one(node: Node) -> Verdict:
        wanted = [one for one in expected(cluster, node, known) if only is None or only(one)]
        try:
            answers = collect.ask(cluster, node, known, wanted)
        except (SudoRefused, LoginRefused) as error:
            if not known.keys:
                raise
            return report.verdict(node.name, wanted, [locked_out(node, error)], sources)
        seen = Comparison(cluster, node, known, answers)
        return report.verdict(node.name, wanted, compare(wanted, seen), sources)

    return cluster.read_all(nodes, one, "verifying")


def locked_out(node: Node, error: DeployError) -> Difference:
    """What sshkey installs is gone so far that nothing else can be seen."""
    what = "sudo rule" if isinstance(error, SudoRefused) else "authorized key"
    origin = (("admin_username",), ("ssh", "user"), ("machines", node.name))
    return Difference("access", what, f"does not let us in: {error.message}", origin, "sshkey")


def knowledge(cluster: Cluster) -> ClusterFacts:
    """What is known of the cluster before its nodes are asked."""
    names = tuple(hosts.names(cluster))
    known = ClusterFacts(_keys(cluster), now=time.time(), names=names, carriers=Carriers(cluster))
    if not kubeconfig.path(cluster).exists():
        return known
    from dlws.kubernetes import api

    try:
        with api.connect(cluster) as connected:
            live = connected.nodes()
            waiting = _waiting(cluster, connected)
    except DeployError as error:
        return replace(known, silent=error.message)
    found = known_members(live)
    trusted, doubts = members.sound(cluster, found), members.doubts(cluster, found)
    return replace(known, live=live, members=trusted, doubts=doubts, waiting=waiting)


def _waiting(cluster: Cluster, connected: Api) -> dict[str, str]:
    """The nodes whose request for a serving certificate waits, with its fault."""
    if not cluster.config.kubernetes.kubelet_serving_certificates:
        return {}
    from dlws.kubeadm import serving

    found = serving.waiting(connected.signing_requests(serving.SIGNER), serving.names(cluster))
    return {one.node: one.fault for one in found}


def _keys(cluster: Cluster) -> bytes:
    """The keys that sshkey installs; nothing where others look after how we get in."""
    config = cluster.config
    if config.platform == "azure" or config.ssh.key or config.sudo_passwords:
        return b""
    if not any((cluster.directory / "deploy/sshkey").glob("id_*.pub")):
        return b""  # we get in by a password, or by keys of another kind
    return sshkey.public_keys(cluster.directory)


def _verdict(outcome: Outcome[Verdict]) -> Verdict:
    error = split_lines(outcome.error.message)[:1] if outcome.error else []
    return outcome.value or Verdict(outcome.node.name, error="".join(error) or "no answer")


def mended(session: Session, findings: Sequence[Finding]) -> list[str]:
    """Run the fixes; what each did, or why it could not."""
    done = []
    for name, nodes in fix.plan(findings).items():
        said = f"{name} on {' '.join(nodes)}"
        session.console.say(f"fix: {said}")
        try:
            fix.apply(session, name, nodes)
        except Refused:
            raise
        except DeployError as error:  # the others may still help; what is left is verified again
            said = f"{said}: {error.message}"
            session.console.warn(f"{said}\ncure: {error.cure}" if error.cure else said)
        done.append(said)
    return done
