"""A sandbox from up to down. Both may be repeated, and down cleans up after anything."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dlws.core.errors import DeployError, Refused
from dlws.core.localfiles import write
from dlws.core.program import PROGRAM
from dlws.core.text import since
from dlws.nodes.inventory import known_hosts
from dlws.runs.console import Console
from dlws.runs.plan import local
from dlws.sandbox import (
    cgroups,
    configure,
    faults,
    machine,
    naming,
    network,
    nodes,
    plan,
    rootfs,
    standins,
    state,
)
from dlws.sandbox.state import Sandbox, SandboxNode
from dlws.secrets.vault import Vault
from dlws.ssh.hostkeys import HostKeys

if TYPE_CHECKING:
    from dlws.session import Session

T = TypeVar("T")

PARALLEL = 8
"""Nodes that boot at the same time: more only take the processors from each other."""


@dataclass(frozen=True)
class Request:
    """What `sandbox up` was asked for; None where nothing was said."""

    infra: int | None = None
    workers: int | None = None
    config: Path | None = None
    os: str | None = None


def sandbox_of(directory: Path) -> Sandbox:
    """The sandbox of a directory, which must be up."""
    found = state.load(naming.sandbox_id(directory))
    if not found:
        raise DeployError(f"{directory.resolve()} has no sandbox", f"{PROGRAM} sandbox up")
    return found


def up(directory: Path, wish: Request, console: Console, vault: Vault | None = None) -> Sandbox:
    """Makes the sandbox of a directory, or what is missing of it. All nodes answer at the end."""
    machine.require_root()
    with state.locked(naming.sandbox_id(directory)):
        machine.install_packages(console)
        theirs = plan.read(wish.config) if wish.config else {}
        before = state.load(naming.sandbox_id(directory))
        sandbox = _planned(directory, wish, theirs, before)
        lower = rootfs.build(sandbox.os, console)
        sandbox = replace(sandbox, lower=sandbox.lower or str(lower))
        state.save(sandbox)
        _database_password(vault or Vault(directory), directory)
        written = _write_config(directory, sandbox, theirs, console)
        with state.locked("registry"):
            machine.tune()
        if network.up(sandbox, _inside(plan.read(directory / "config.yaml"))):
            console.changed(f"network {sandbox.subnet} on bridge {sandbox.bridge}")
        started = _start(sandbox, _password(vault or Vault(directory), sandbox), console)
        nodes.know(sandbox, HostKeys(known_hosts(directory)))
        standins.give(directory, sandbox, console)
        if not started and not written:
            console.say(f"nothing to do: all {len(sandbox.nodes)} nodes are up")
        return sandbox


def ensure(session: Session, wish: Request) -> Sandbox | None:
    """Bring up what is missing; None in a dry run, which only says what that is."""
    directory, gate = session.options.directory, session.gate
    actions = [local(f"start the local node {name}") for name in missing(directory, wish)]
    if not gate.admit(*actions) or gate.dry_run:
        return None
    return up(directory, wish, session.console, session.vault)


def missing(directory: Path, wish: Request) -> list[str]:
    """The nodes that `up` would start."""
    theirs = plan.read(wish.config) if wish.config else {}
    before = state.load(naming.sandbox_id(directory))
    old = before.nodes if before else ()
    left = directory / "config.yaml"
    if not before and left.exists():
        old = plan.revived(plan.read(left), left)[1]
    wanted = [] if old and not theirs and not before else _wanted(wish, theirs, before)
    wanted_nodes = plan.extended(old, wanted)
    return [n.name for n in wanted_nodes if not (before and nodes.alive(before, n))]


def _check_release(wish: Request, before: Sandbox) -> None:
    """Raise Refused where nodes with another release are wished for than there are."""
    if wish.os not in (None, before.os):
        raise Refused(
            f"this sandbox has nodes with {before.os}",
            f"{PROGRAM} sandbox down, then: {PROGRAM} sandbox up --os {wish.os}",
        )


def _planned(
    directory: Path, wish: Request, theirs: dict[str, Any], before: Sandbox | None
) -> Sandbox:
    """The sandbox as it shall be, its network reserved in the registry."""
    if before:
        _check_release(wish, before)
        return replace(before, nodes=plan.extended(before.nodes, _wanted(wish, theirs, before)))
    id, release = naming.sandbox_id(directory), rootfs.known(wish.os or rootfs.RELEASES[0])
    left, wanted_subnet = directory / "config.yaml", None
    old: tuple[SandboxNode, ...] = ()
    domain = plan.domain(theirs) if theirs else plan.DOMAIN
    if left.exists():
        config = plan.read(left)
        wanted_subnet, old = plan.revived(config, left)
        domain = plan.domain(config)
    wanted = [] if old and wish == Request(os=wish.os) else _wanted(wish, theirs, None)
    all_nodes = plan.extended(old, wanted)
    with state.locked("registry"):
        taken = [*network.machine_networks(), *configure.ranges(theirs or _default_ranges())]
        taken += [other.subnet for other in state.all_sandboxes()]
        subnet = naming.free_subnet(taken, wanted_subnet)
        where = str(directory.resolve())
        sandbox = Sandbox(id, where, str(subnet), domain, release, nodes=all_nodes)
        state.save(sandbox)
    return sandbox


def _default_ranges() -> dict[str, Any]:
    return {"pods": configure.POD_RANGE, "services": configure.SERVICE_RANGE}


def _wanted(wish: Request, theirs: dict[str, Any], before: Sandbox | None) -> list[tuple[str, str]]:
    if theirs:
        return plan.named(theirs)
    if before:
        return plan.counted(wish.infra or 0, wish.workers or 0)
    infra = plan.INFRA if wish.infra is None else wish.infra
    return plan.counted(infra, plan.WORKERS if wish.workers is None else wish.workers)


def _inside(config: dict[str, Any]) -> list[IPv4Network]:
    """Networks of pods and services to be kept inside; not where the machine's own world is."""
    world = [IPv4Network(server) for server in network.nameservers()]
    guarded = configure.ranges(config)
    return [one for one in guarded if not any(one.overlaps(host) for host in world)]


def _password(vault: Vault, sandbox: Sandbox) -> str:
    """The nodes' root password, where `sshkey install` looks for it; made where it is missing."""
    keys = vault.directory / "deploy/sshkey"
    if not (keys / "rootuser").exists():
        write(keys / "rootuser", b"root\n")
    file = keys / "rootpasswd"
    if file.exists():
        return vault.read(file).decode().strip()
    password = secrets.token_urlsafe(18)
    vault.write(file, f"{password}\n".encode())
    for node in sandbox.nodes:
        nodes.set_password(sandbox, node, password)
    return password


def _database_password(vault: Vault, directory: Path) -> None:
    """The password that the generated config.yaml names, made before that is written."""
    file = directory / configure.PASSWORD
    if not (directory / "config.yaml").exists() and not file.exists():
        vault.write(file, f"{secrets.token_urlsafe(18)}\n".encode())


def _start(sandbox: Sandbox, password: str, console: Console) -> list[SandboxNode]:
    """Starts the nodes that do not run, some at a time; gives back which."""
    missing = [node for node in sandbox.nodes if not nodes.alive(sandbox, node)]
    up: list[SandboxNode] = []

    def start(node: SandboxNode) -> None:
        began = time.monotonic()
        nodes.prepare(sandbox, node, sandbox.base, password)
        nodes.boot(sandbox, node, sandbox.base)
        nodes.answers(sandbox, node)
        up.append(node)
        console.changed(f"up, answers at {sandbox.address(node)} ({since(began)})", node.name)

    if missing:
        console.say(f"starting {len(missing)} of {len(sandbox.nodes)} nodes")
        with console.status(lambda: f"{len(up)} of {len(missing)} nodes are up ...", every=10):
            _each(missing, start)
    for node in sandbox.nodes:
        if missing and node not in missing:
            root = sandbox.folder(node) / "root"
            nodes.write(root, "etc/hosts", nodes.hosts(sandbox), 0o644)
    return missing


def _each(chosen: list[T], action: Callable[[T], None]) -> None:
    """Does something to each, PARALLEL at a time; all are tried before the first error."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        jobs = [pool.submit(action, node) for node in chosen]
    errors = [error for job in jobs if (error := job.exception())]
    if len(errors) == 1 or any(not isinstance(error, DeployError) for error in errors):
        raise errors[0]
    if errors:
        raise DeployError("\n".join(str(error) for error in errors), f"{PROGRAM} sandbox up")


def _write_config(
    directory: Path,
    sandbox: Sandbox,
    theirs: dict[str, Any],
    console: Console,
) -> bool:
    path = directory / "config.yaml"
    if not path.exists():
        text = configure.rehearsed(theirs, sandbox) if theirs else configure.generated(sandbox)
        write(path, f"{text.rstrip()}\n".encode())
        console.changed(f"wrote {path}")
        return True
    known = dict(plan.named(plan.read(path)))
    new = tuple(node for node in sandbox.nodes if node.name not in known)
    if new:
        console.say(f"{path} stays as it is; to use the new nodes, add under `machines`:")
        console.say(configure.machines(sandbox, new).rstrip("\n"))
    return False


def down(directory: Path, console: Console) -> bool:
    """Removes every trace of a directory's sandbox from this machine; False if there was none.

    Works from what is really there: a crash may have come before or after any note of it.
    """
    machine.require_root()
    id = naming.sandbox_id(directory)
    with state.locked(id):
        home = state.REGISTRY / id
        labels, subnet = _traces(id)
        if not labels and not subnet and not home.exists():
            return False
        console.say(f"removing {len(labels)} nodes")
        _each(sorted(labels), lambda label: nodes.remove(label, home / label))
        network.down(id, subnet)
        with state.locked("registry"):
            state.forget(id)
            if state.is_empty():
                machine.restore()
        return True


def exists(directory: Path) -> bool:
    """Whether there is any trace of a directory's sandbox."""
    id = naming.sandbox_id(directory)
    return any(_traces(id)) or (state.REGISTRY / id).exists()


def _traces(id: str) -> tuple[set[str], IPv4Network | None]:
    """The labels of a sandbox's nodes and its network, as far as they can be found."""
    try:
        sandbox = state.load(id)
    except state.Damaged:
        sandbox = None
    labels = cgroups.labels(id) | {path.name for path in (state.REGISTRY / id).glob(f"{id}-*")}
    return labels, sandbox.subnet if sandbox else network.subnet_of(id)


def report(sandbox: Sandbox) -> list[dict[str, Any]]:
    """One row per node: name, role, address, state, and what is wrong with its link."""
    return [
        {
            "name": node.name,
            "role": node.role,
            "address": sandbox.address(node),
            "state": (condition := faults.status(sandbox, node)),
            "link": [] if condition == "dead" else faults.marks(sandbox, node),
        }
        for node in sandbox.nodes
    ]
