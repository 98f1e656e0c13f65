"""`bundle build`: choose the source, make what is missing, put it together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.bundle import build, debian, manifest, pins
from dlws.bundle.build import Workspace
from dlws.bundle.manifest import Manifest
from dlws.bundle.pins import Pins
from dlws.core import ownership
from dlws.core.connection import Local
from dlws.core.errors import UsageError
from dlws.core.text import since
from dlws.core.version import Version
from dlws.runs import plan as actions
from dlws.runs.console import Console

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.runs.gate import Gate
    from dlws.session import Session


@dataclass(frozen=True)
class BundlePlan:
    """What to make, and where."""

    origin: str
    version: Version
    architectures: Sequence[str]
    codenames: Sequence[str]
    output: Path
    pins: Pins = field(default_factory=Pins)
    """What files and images from upstream must be."""


def planned(session: Session, origin: str, codenames: Sequence[str] = ()) -> BundlePlan:
    """What config.yaml wants of a bundle made from `origin`, with packages for these releases."""
    return BundlePlan(
        origin,
        configured_version(session, origin),
        configured_architectures(session),
        codenames,
        configured_directory(session),
        pins.load(session.options.directory),
    )


def kept(session: Session) -> BundlePlan:
    """What `up` needs: the bundle of this version that is there, else one from upstream."""
    wanted = planned(session, "upstream")
    try:
        found = manifest.load(wanted.output)
    except manifest.BundleBroken:
        return wanted
    if found.kubernetes_version != str(wanted.version):
        return wanted
    releases = {entry.codename for entries in found.architectures.values() for entry in entries}
    return replace(wanted, origin=found.origin, codenames=sorted(releases - {""}))


def bundle(console: Console, plan: BundlePlan, gate: Gate) -> None:
    """Make a bundle; what is cached is not made again."""
    start = time.monotonic()
    build.check_output(plan.output)
    if plan.origin == "debian":
        debian.check_version(plan.version)
    workspace = _workspace(console, plan.origin, plan.version)
    words = f"make {plan.output} for {', '.join(plan.architectures)}, {plan.origin}"
    if not complete(plan, console) and not gate.admit(actions.local(words)):
        return
    if gate.dry_run:
        console.say(f"{plan.output}: nothing to do, the bundle is there and intact")
        return
    with build.locked(workspace.cache, console):
        changed = _make(workspace, plan, start)
    if changed:
        console.say(f"{plan.output}: bundle made in {since(start)}")
    else:
        console.say(f"{plan.output}: nothing to do, the bundle is there and intact")


def _workspace(console: Console, origin: str, version: Version) -> Workspace:
    return Workspace(ownership.cache() / "bundle" / f"{origin}-{version}", console)


def pin(session: Session, version: Version, architectures: Sequence[str]) -> None:
    """Note what upstream's publishers say now, beside config.yaml."""
    from dlws.bundle import upstream

    place = session.options.directory / pins.NAME
    words = f"note in {place} what upstream says of Kubernetes {version}"
    if not session.gate.admit(actions.local(words)) or session.gate.dry_run:
        return
    workspace = _workspace(session.console, "upstream", version)
    with build.locked(workspace.cache, session.console):
        found = upstream.published(workspace, version, architectures, _other_images(session))
        added = pins.add(session.options.directory, found)
        build.remove(workspace.work)
    for what in added:
        session.console.changed(f"pinned {what}")
    if not added:
        session.console.say("nothing to do: all of it is pinned, and upstream says the same")


def _other_images(session: Session) -> list[str]:
    """The images that nodes pull although no bundle holds them."""
    config = _config(session)
    return [*pins.FLANNEL.values()] if config and config.kubernetes.network == "flannel" else []


def complete(plan: BundlePlan, console: Console) -> bool:
    """Whether the bundle is there as planned, every file of it intact."""
    try:
        found, wrong = manifest.load(plan.output), manifest.checked(plan.output, console)
    except manifest.BundleBroken:
        return False
    releases = {entry.codename for entries in found.architectures.values() for entry in entries}
    same = (found.kubernetes_version, found.origin) == (str(plan.version), plan.origin)
    there = set(plan.architectures) <= set(found.architectures)
    return same and there and set(plan.codenames) <= releases and not wrong


def _make(workspace: Workspace, plan: BundlePlan, start: float) -> bool:
    make = from_debian if plan.origin == "debian" else from_upstream
    sums = {name: make(workspace, plan, name, start) for name in plan.architectures}
    head = Manifest(str(plan.version), plan.origin, build.now())
    changed = build.assemble(workspace, plan.output, head, sums)
    build.remove(workspace.work)  # 3 GB of sources and compiler cache, needed only while building
    return changed


def from_debian(
    workspace: Workspace, plan: BundlePlan, architecture: str, start: float
) -> Mapping[str, str]:
    """Make one architecture's files from Debian; the sha256 of each."""
    one = debian.Debian(workspace, architecture, plan.codenames)
    artifacts = one.artifacts()
    place = workspace.cache / architecture
    missing = [artifact for artifact in artifacts if build.recorded(place, artifact) is None]
    if missing:
        workspace.console.say(
            f"{architecture}: {len(missing)} of {len(artifacts)} artifacts to make"
        )
    if any(artifact.needs_source for artifact in missing):
        _prepare(workspace, one, start)
    return build.make(workspace, architecture, artifacts, start)


def _prepare(workspace: Workspace, one: debian.Debian, start: float) -> None:
    debian.install_tools(workspace)
    begun = time.monotonic()
    with workspace.console.status(lambda: f"unpacking the source of Kubernetes, {since(begun)}"):
        one.unpack()
    workspace.console.say(f"source of Kubernetes {debian.VERSION} ready after {since(start)}")


def from_upstream(
    workspace: Workspace, plan: BundlePlan, architecture: str, start: float
) -> Mapping[str, str]:
    """Fetch one architecture's files from the projects' own releases; the sha256 of each."""
    from dlws.bundle import upstream

    one = upstream.Upstream(workspace, plan.version, architecture, plan.codenames, plan.pins)
    return build.make(workspace, architecture, one.artifacts(), start)


def _config(session: Session) -> Config | None:
    there = (session.options.directory / "config.yaml").exists()
    return session.config if there else None


def configured_version(session: Session, origin: str) -> Version:
    """The version to make: config.yaml's; without one, the version that Debian has."""
    config = _config(session)
    if config:
        return config.kubernetes.version
    if origin == "debian":
        return Version.parse(debian.VERSION)
    raise UsageError(
        "which version of Kubernetes?", "add --kubernetes-version X.Y.Z, or make a config.yaml"
    )


def configured_architectures(session: Session) -> Sequence[str]:
    """The architectures of the machines in config.yaml; without one, that of this machine."""
    config = _config(session)
    found = {machine.archtype for machine in config.machines.values()} if config else set()
    return sorted(filter(None, found)) or [Local().run("dpkg --print-architecture").text]


def configured_directory(session: Session) -> Path:
    """Where config.yaml wants the bundle; without one, deploy/bundle."""
    config = _config(session)
    named = config.kubernetes.bundle if config else None
    return session.options.directory / (named or "deploy/bundle")
