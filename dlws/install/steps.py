"""The full installation: one ordered table of steps. The table is its help, numbering and order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dlws.core.errors import CheckFailed, DeployError, EndOfPlan, SomeNodesFailed, UsageError
from dlws.core.nodeset import count, fold
from dlws.core.program import PROGRAM
from dlws.core.text import took
from dlws.install import hooks
from dlws.install.pending import PendingSteps
from dlws.install.step import PLATFORMS, Step
from dlws.nodes.outcomes import Outcome, again, summary
from dlws.prepare.scripts import SCRIPTS

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.runs.options import Options
    from dlws.session import Session


def _sandbox(session: Session) -> None:
    from dlws.sandbox import lifecycle

    lifecycle.ensure(session, lifecycle.Request())


def _build(session: Session) -> None:
    from dlws.nodes import directory

    options, name = session.options, session.config.cluster_name
    directory.ensure(options.directory, name, session.vault, session.gate, session.console)


def _sshkey(session: Session) -> None:
    from dlws.access import sshkey

    sshkey.install(session.cluster, session.cluster.select(), (), session.ask_secret)


def _hosts(session: Session) -> None:
    from dlws.prepare import hosts

    hosts.install(session.cluster, session.cluster.select())


def _check(session: Session) -> None:
    from dlws.check import show

    cluster = session.cluster
    nodes = cluster.select()
    try:
        show.check(cluster, nodes)
    except show.NodesUnfit as error:
        wrong = error.outcomes(nodes)
        if session.options.force:
            session.console.warn(f"going on with {error.message}: --force")
        elif error.only_of(nodes) and cluster.can_do_without(wrong):
            for outcome in wrong:
                cluster.quarantine(outcome)
        else:
            cure = f"{error.cure}; to go on all the same: {PROGRAM} --force up"
            raise CheckFailed(error.message, cure) from error


def _bundle(session: Session) -> None:
    from dlws.bundle import make

    if session.config.kubernetes.source == "bundle":
        make.bundle(session.console, make.kept(session), session.gate)


def _sandbox_bundle(session: Session) -> None:
    from dlws.bundle import make
    from dlws.sandbox import lifecycle

    releases = [lifecycle.sandbox_of(session.options.directory).os]
    plan = make.planned(session, "debian", releases)
    make.bundle(session.console, plan, session.gate)


def _scripts(*names: str) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        from dlws.scripts import run as scripts
        from dlws.scripts.script import find

        for name in names:
            nodes = _members(session.cluster)
            scripts.everywhere(session.cluster, nodes, find(f"scripts/{name}"))

    return run


def _members(cluster: Cluster) -> list[Node]:
    """The selected nodes that are to be part of Kubernetes."""
    return [n for n in cluster.select() if n.machine.in_cluster]


def _roles(session: Session) -> None:
    from dlws.roles import apply

    apply.apply_all(session.cluster, session.cluster.select())


def _registry(session: Session) -> None:
    from dlws.config.addresses import hosts_file
    from dlws.config.registry import registry_of
    from dlws.registry import start

    if registry_of(session.config, hosts_file(session.options.directory)):
        start.start(session.cluster)


def _init(session: Session) -> None:
    from dlws.kubeadm import join

    join.init(session.cluster)


def _join(session: Session) -> None:
    from dlws.kubeadm import join

    join.join(session.cluster, _members(session.cluster))


def _labels(session: Session) -> None:
    from dlws.kubernetes import labels

    labels.apply(session.cluster, labels.all_labels(session.config))


def _status(session: Session) -> None:
    from dlws.kubernetes import status

    status.check(session.cluster, session.cluster.select(), wait=180)


def _nfs_server(session: Session) -> None:
    from dlws.storage import stages

    stages.serve_nfs(session.cluster)


def _glusterfs(session: Session) -> None:
    from dlws.storage import stages

    stages.serve_volumes(session.cluster)


def _mount(session: Session) -> None:
    from dlws.storage import stages

    stages.mount_shares(session.cluster)


def _images(session: Session) -> None:
    from dlws.install import services

    services.images(session)


def _images_ahead(session: Session) -> None:
    from dlws.install import services

    services.images_ahead(session)


def _database(session: Session) -> None:
    from dlws.install import services

    services.database(session)


def _services(session: Session) -> None:
    from dlws.install import services

    services.services(session)


def _people(session: Session) -> None:
    from dlws.install import services

    services.people(session)


def _first_job(session: Session) -> None:
    from dlws.install import services

    services.first_job(session)


_OWN = ("onpremise", "sandbox")
_FOREIGN = ("azure", "onpremise")
_IN = ("sandbox", "build", "sshkey")
_READY = (*_IN, "hosts", "bundle", "disks", "prepare", "dns", "tools")
_RUNS = (*_READY, "init", "join", "labels", "registry")
STEPS = (
    Step("sandbox", "Make local nodes to rehearse on", _sandbox, ("sandbox",)),
    Step("build", "Make the cluster's id and SSH key", _build, depends_on=("sandbox",)),
    Step("sshkey", "Create the admin user and let the key in", _sshkey, _OWN, _IN[:2],
         per_node=True),
    Step("hosts", "Tell every node the names of all", _hosts, depends_on=_IN, per_node=True),
    Step("check", "Look for what would go wrong on the nodes", _check, PLATFORMS,
         (*_IN, "hosts"), read_only=True),
    Step("bundle", "Build the bundle from Debian's source", _sandbox_bundle, ("sandbox",),
         ("sandbox",)),
    Step("bundle", "Build the bundle, if nodes use one", _bundle, _FOREIGN),
    Step("disks", "Make a file system on empty data disks", _scripts("prepare_vm_disk.sh"),
         ("azure",), _IN, per_node=True),
    Step("prepare", "Prepare nodes and their container runtime", _scripts(*SCRIPTS),
         depends_on=(*_IN, "bundle", "disks"), per_node=True, beside=_images_ahead),
    Step("dns", "Configure DNS", _scripts("dns.sh"), depends_on=_IN, per_node=True),
    Step("tools", "Install kubeadm, kubelet and kubectl", _scripts("install_kubeadm.sh"),
         depends_on=(*_IN, "bundle", "prepare"), per_node=True, beside=_images_ahead),
    Step("roles", "Bring to every node the roles that it carries", _roles,
         depends_on=(*_IN, "bundle", "prepare"), per_node=True),
    Step("init", "Make the control plane", _init, depends_on=_READY, beside=_images_ahead),
    Step("join", "Join the workers", _join, depends_on=(*_READY, "init")),
    Step("labels", "Label the nodes", _labels, depends_on=(*_READY, "init", "join")),
    Step("nfs-server", "Serve shared directories over NFS, if config.yaml names any", _nfs_server,
         depends_on=(*_IN, "bundle", "prepare"), per_node=True),
    Step("glusterfs", "Make the GlusterFS volumes of config.yaml", _glusterfs,
         depends_on=(*_IN, "bundle", "prepare")),
    Step("mount", "Mount the shares of config.yaml and link them", _mount,
         depends_on=(*_IN, "bundle", "prepare", "nfs-server", "glusterfs"), per_node=True),
    Step("registry", "Start the cluster's own registry, if it has one", _registry,
         depends_on=(*_IN, "bundle", "prepare")),
    Step("images", "Build the services' images, and push them", _images, depends_on=_RUNS),
    Step("database", "Start the database, and make its tables", _database,
         depends_on=(*_RUNS, "images")),
    Step("services", "Start the services that config.yaml lists", _services,
         depends_on=(*_RUNS, "images", "database")),
    Step("people", "Let the first administrator into the job platform", _people,
         depends_on=(*_RUNS, "services")),
    Step("first-job", "Run a job", _first_job, ("sandbox",), (*_RUNS, "services", "people")),
    Step("status", "See that all is well", _status, PLATFORMS,
         (*_READY, "init", "join", "labels"), read_only=True),
)  # fmt: skip


def platform_steps(platform: str) -> list[Step]:
    """The steps of a platform, in order."""
    return [step for step in STEPS if platform in step.platforms]


def choose(steps: Sequence[Step], start: str = "", only: Iterable[str] = ()) -> list[Step]:
    """The steps to run: those named (by name or number), or all from `start` on."""
    wanted = [_find(steps, word) for word in only]
    if wanted:
        return [step for step in steps if step in wanted]
    return list(steps[steps.index(_find(steps, start)) :]) if start else list(steps)


def _find(steps: Sequence[Step], word: str) -> Step:
    for number, step in enumerate(steps, 1):
        if word in (step.name, str(number)):
            return step
    names = ", ".join(f"{number} {step.name}" for number, step in enumerate(steps, 1))
    raise UsageError(f"there is no step {word!r}", f"the steps are: {names}")


Aside = list[tuple[Step, Outcome[Any]]]
"""Who was quarantined, in which step, and why."""


def run(session: Session, platform: str, chosen: Sequence[Step]) -> None:
    """Run steps in order. A failure ends it with the line to go on from; but a node that is no
    infra node is quarantined, and the rest go on."""
    steps, pending = platform_steps(platform), PendingSteps(session)
    session.run.quarantines = True
    if not any(step.run is _sandbox for step in chosen):
        session.check_config()  # before anything is recorded
    session.run.begin()
    done_before = session.run.steps_done()
    times: list[tuple[Step, float]] = []
    aside: Aside = []
    for step in chosen:
        start, place = time.monotonic(), f"{steps.index(step) + 1}/{len(steps)}"
        session.console.say(f"== step {place} {step.name}: {step.help}")
        if step.name in done_before:
            session.console.say("done before, in this run")
        elif pending.knows(step) and _ended(session, platform, step, pending, aside):
            times.append((step, time.monotonic() - start))
    _tell(session, times, len(chosen) == len(steps) and not pending.end)
    if aside:
        _end_without(session, aside)
    if pending.end:
        raise EndOfPlan(pending.end.text())


def _ended(
    session: Session, platform: str, step: Step, pending: PendingSteps, aside: Aside
) -> bool:
    """Run a step; whether it came to its end, as a dry run may not."""
    session.run.begin_step(step.name)
    try:
        with pending.watching(step):
            _do(session, step, aside)
    except EndOfPlan:
        if session.options.applied_plan:
            raise
        return False
    except DeployError as error:
        first = aside[0][0] if aside else step
        onward = continue_lines(session.options, platform, first.name)
        hooks.run(session, "on-failure", step.name, error.message)
        number = platform_steps(platform).index(step) + 1
        raise at_step(error, number, step, onward, said(aside)) from error
    return True


def _tell(session: Session, times: Sequence[tuple[Step, float]], whole: bool) -> None:
    """What was done, how long it took, and where to go from here."""
    console = session.console
    if session.gate.dry_run:
        return
    for step, seconds in times:
        console.say(f"{took(seconds):>12}  {step.name}")
    done = len(console.changes)
    said = f"{done} change{'s' if done > 1 else ''}"
    console.say(said if done else "nothing changed: all of it was in place")
    if whole:
        console.say("\n".join(farewell(session)))


def _do(session: Session, step: Step, aside: Aside) -> None:
    """Run a step and its hooks, and take down who was quarantined in it."""
    try:
        hooks.run(session, f"before-{step.name}", step.name)
        if step.beside and step.beside not in session.begun:
            session.begun.add(step.beside)
            step.beside(session)
        step.run(session)
        hooks.run(session, f"after-{step.name}", step.name)
    finally:
        new = list(session.quarantined.values())[len(aside) :]
        for outcome in new:
            assert outcome.error
            why = outcome.error.message
            session.run.write("aside", node=outcome.node.name, step=step.name, why=why)
        aside += [(step, outcome) for outcome in new]
    without = {outcome.node.name for _, outcome in aside} | session.run.excluded
    session.end_step(step.name, sorted(without))


def said(aside: Aside) -> list[str]:
    """Who was quarantined in which step, and why, in lines."""
    lines = []
    for step in dict.fromkeys(step for step, _ in aside):
        lines.append(f"quarantined in step {step.name}:")
        lines += [f"  {line}" for line in summary(o for where, o in aside if where is step)]
    return lines


def _end_without(session: Session, aside: Aside) -> None:
    names = [outcome.node.name for _, outcome in aside]
    message = "\n  ".join([f"all done, but without {count(names)}: {fold(names)}", *said(aside)])
    hooks.run(session, "on-failure", aside[0][0].name, message)
    raise SomeNodesFailed(message, again(session.options, names))


def farewell(session: Session) -> list[str]:
    """How to reach the cluster that was just made, and where its services answer."""
    from dlws.install import services

    options, where = session.options, services.addresses(session)
    return [
        "your cluster:",
        f"  {options.line('kubectl', 'get', 'nodes')}",
        f"  {options.line('connect', 'infra')}      (or: connect worker 0)",
        f"  {options.line('status')}",
        *(["where it answers:", *where] if where else []),
        *services.doors(session),
    ]


def at_step(
    error: DeployError, number: int, step: Step, again: str, more: Sequence[str] = ()
) -> DeployError:
    """The same kind of error, saying which step it ended and how to go on."""
    cure = f"{error.cure}\n{again}" if error.cure else f"then {again}"
    message = "\n".join([f"step {number} {step.name}: {error.message}", *more])
    told = DeployError(message, cure)
    told.code = error.code
    return told


def continue_lines(options: Options, platform: str, step: str) -> str:
    """The lines that go on from a step: where it stopped, or anew with a changed config.yaml."""
    if options.applied_plan:
        return f"carry on with the plan: {options.line('resume')}"
    anew = replace(options, words=("up", platform, "--from", step)).again()
    return f"continue: {options.line('resume')}\nor, if config.yaml had to be changed: {anew}"
