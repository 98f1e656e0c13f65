"""The full installation: one ordered table of steps. The table is its help, numbering and order."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlws import hooks
from dlws.errors import CheckFailed, DeployError, UsageError
from dlws.output import took

if TYPE_CHECKING:
    from dlws.cluster import Cluster
    from dlws.config import Config
    from dlws.node import Node
    from dlws.session import Session

PLATFORMS = ("azure", "onpremise", "sandbox")


@dataclass(frozen=True)
class Step:
    """A named function of the installation, and the platforms that need it."""

    name: str
    help: str
    run: Callable[[Session], None]
    platforms: tuple[str, ...] = PLATFORMS


def _sandbox(session: Session) -> None:
    from dlws.sandbox import lifecycle

    lifecycle.up(session.options.directory, lifecycle.Wish(), session.console)


def _build(session: Session) -> None:
    from dlws.build import build

    for path in build(session.options.directory, session.config.cluster_name):
        session.console.changed(path)


def _sshkey(session: Session) -> None:
    from dlws import sshkey

    sshkey.install(session.cluster, session.cluster.select(), (), session.ask_secret)


def _hosts(session: Session) -> None:
    from dlws import hosts

    hosts.install(session.cluster, session.cluster.select())


def _check(session: Session) -> None:
    from dlws.check import show

    try:
        show.check(session.cluster, session.cluster.select())
    except CheckFailed as error:
        if not session.options.force:
            cure = f"{error.cure}; to go on all the same: deploy.py --force up"
            raise CheckFailed(error.message, cure) from error
        session.console.warn(f"going on with {error.message}: --force")


def _bundle(session: Session) -> None:
    from dlws.bundle import make

    if session.config.kubernetes.source == "bundle":
        make.bundle(session.console, make.planned(session, "upstream"), session.options.dry_run)


def _sandbox_bundle(session: Session) -> None:
    from dlws.bundle import make
    from dlws.sandbox import lifecycle

    releases = [lifecycle.of(session.options.directory).os]
    plan = make.planned(session, "debian", releases)
    make.bundle(session.console, plan, session.options.dry_run)


def _scripts(*names: str) -> Callable[[Session], None]:
    def run(session: Session) -> None:
        from dlws import scripts

        for name in names:
            nodes = _members(session.cluster)
            scripts.everywhere(session.cluster, nodes, scripts.find(f"scripts/{name}"))

    return run


def _members(cluster: Cluster) -> list[Node]:
    """The selected nodes that are to be part of Kubernetes."""
    return [n for n in cluster.select() if {"infrastructure", "worker"} & set(n.roles)]


def _init(session: Session) -> None:
    from dlws.kubernetes import kubeadm

    kubeadm.init(session.cluster)


def _join(session: Session) -> None:
    from dlws.kubernetes import kubeadm

    kubeadm.join(session.cluster, _members(session.cluster))


def _labels(session: Session) -> None:
    from dlws.kubernetes import labels

    labels.apply(session.cluster, labels.all_labels(session.config))


def _status(session: Session) -> None:
    from dlws.kubernetes import status

    status.check(session.cluster, session.cluster.select(), wait=180)


PREPARE = (
    "prepare_ubuntu.sh",
    "disable_kernel_auto_updates.sh",
    "docker_network_gc_setup.sh",
    "disable_mlocate.sh",
)
_OWN = ("onpremise", "sandbox")
STEPS = (
    Step("sandbox", "Make local nodes to rehearse on", _sandbox, ("sandbox",)),
    Step("build", "Make the cluster's id and SSH key", _build),
    Step("sshkey", "Create the admin user and let the key in", _sshkey, _OWN),
    Step("hosts", "Tell every node the names of all", _hosts),
    Step("check", "Look for what would go wrong on the nodes", _check),
    Step("bundle", "Build the bundle from Debian's source", _sandbox_bundle, ("sandbox",)),
    Step("bundle", "Build the bundle, if nodes use one", _bundle, ("azure", "onpremise")),
    Step(
        "disks",
        "Make a file system on empty data disks",
        _scripts("prepare_vm_disk.sh"),
        ("azure",),
    ),
    Step("prepare", "Prepare nodes and their container runtime", _scripts(*PREPARE)),
    Step("dns", "Configure DNS", _scripts("dns.sh")),
    Step("tools", "Install kubeadm, kubelet and kubectl", _scripts("install_kubeadm.sh")),
    Step("init", "Make the control plane", _init),
    Step("join", "Join the workers", _join),
    Step("labels", "Label the nodes", _labels),
    Step("status", "See that all is well", _status),
)


def of(platform: str) -> list[Step]:
    """The steps of a platform, in order."""
    return [step for step in STEPS if platform in step.platforms]


def platform_of(config: Config) -> str:
    """The platform that a configuration is for: azure where it says so, else onpremise."""
    return "azure" if config.platforms == ["azure_cluster"] else "onpremise"


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


def run(session: Session, platform: str, chosen: Sequence[Step]) -> None:
    """Run steps in order; the first failure ends it with the line to go on from."""
    steps, console = of(platform), session.console
    done_before = session.steps_done()
    times: list[tuple[Step, float]] = []
    for step in chosen:
        number, start = steps.index(step) + 1, time.monotonic()
        console.say(f"== step {number}/{len(steps)} {step.name}: {step.help}")
        if step.name in done_before:
            console.say("done before, in this run")
            continue
        try:
            hooks.run(session, f"before-{step.name}")
            step.run(session)
            hooks.run(session, f"after-{step.name}")
        except DeployError as error:
            again = continue_line(session.options.argv, platform, step.name)
            hooks.run(session, "on-failure", step.name, error.message)
            raise at_step(error, number, step, again) from error
        session.step_done(step.name)
        times.append((step, time.monotonic() - start))
    for step, seconds in times:
        console.say(f"{took(seconds):>12}  {step.name}")
    done = len(console.changes)
    console.say(f"{done} changes" if done else "nothing changed: all of it was in place")
    if len(chosen) == len(steps):
        console.say("\n".join(farewell(session.options.argv)))


def farewell(argv: Sequence[str]) -> list[str]:
    """How to reach the cluster that was just made."""
    program = shlex.join([argv[0], *_before_up(argv)])
    return [
        "your cluster:",
        f"  {program} kubectl get nodes",
        f"  {program} connect infra      (or: connect worker 0)",
        f"  {program} status",
    ]


def at_step(error: DeployError, number: int, step: Step, again: str) -> DeployError:
    """The same kind of error, saying which step it ended and how to go on."""
    cure = f"{error.cure}\ncontinue: {again}" if error.cure else f"then continue: {again}"
    told = DeployError(f"step {number} {step.name}: {error.message}", cure)
    told.code = error.code
    return told


def continue_line(argv: Sequence[str], platform: str, step: str) -> str:
    """The line that goes on from a step, with the options this run had before its command."""
    return shlex.join([argv[0], *_before_up(argv), "up", platform, "--from", step])


def _before_up(argv: Sequence[str]) -> list[str]:
    return list(argv[1 : list(argv).index("up")]) if "up" in argv else []
