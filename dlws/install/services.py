"""The end of the installation: images for the services that `services` lists, and these running."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from dlws.config.addresses import hosts_file
from dlws.config.registry import CA, registry_of
from dlws.core.architecture import architecture
from dlws.core.errors import DeployError
from dlws.core.localfiles import read
from dlws.core.program import PROGRAM
from dlws.images import names, ownengine, wanted, work
from dlws.install.ahead import Ahead, Entry
from dlws.portal import keys
from dlws.registry import kept
from dlws.registry.labels import labels
from dlws.runs.plan import local
from dlws.services import folder, listing, start
from dlws.services.values import Templates
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.config.registry import OurRegistry
    from dlws.nodes.cluster import Cluster
    from dlws.services.folder import Service
    from dlws.session import Session

DATABASE, FRONT_DOOR, API, MANAGER = "mysql", "nginx", "restfulapi2", "jobmanager2"
_PATIENCE = 600
"""Seconds for pods: nodes pull their images first."""


def _chosen(session: Session) -> list[Service]:
    """The services that config.yaml lists and what they need; where it lists none, it says so."""
    services, words = folder.load_all(session.options.directory), session.config.services
    if not words:
        session.console.say("config.yaml lists no services to start (services: [mysql, ...])")
        return []
    groups = folder.levels(folder.named(services, words), services)
    return [service for group in groups for service in group]


def images(session: Session) -> None:
    """Build what the services need and we have contexts for, and push what their registry lacks."""
    chosen = _chosen(session)
    _token(session, chosen)
    built = _built(session.cluster, chosen) if chosen else []
    own = registry_of(session.config, hosts_file(session.options.directory))
    lacking = _lacking(session.cluster, own, built)
    if not lacking:
        if chosen:
            has = (
                f"the registry has {', '.join(built)}"
                if built
                else "the services need none of ours"
            )
            session.console.say(f"nothing to do: {has}")
        return
    with _engine(session, own, lacking) as entry:
        kind = wanted.archtype(session.cluster)
        work.make(session.cluster, lacking, kind, push=True, entry=entry)


def images_ahead(session: Session) -> None:
    """Begin to build the images for the cluster's own registry, beside the steps before `images`,
    where the chosen steps lead there.

    What stands in the way is left to that step, which does the same and says it.
    """
    gate, own = session.gate, registry_of(session.config, hosts_file(session.options.directory))
    kinds = names.architectures(session.config)
    if session.beside or gate.dry_run or gate.applied_plan or not own:
        return
    if kinds != [architecture(platform.machine())]:
        return  # nodes may have to build, and have other work now
    try:
        chosen = _chosen(session)
        _token(session, chosen)
        kept.ensure(session.cluster, own)
        lacking = _lacking(session.cluster, own, _built(session.cluster, chosen))
    except DeployError:
        return
    if lacking and _is_own(session, own, lacking) and not ownengine.obstacle():
        session.beside = Ahead(session, lacking, _opened(session, own, lacking))


def _token(session: Session, chosen: Sequence[Service]) -> None:
    """Have the token of the job platform's administrator, which its manifests hold."""
    if API in [service.name for service in chosen]:
        keys.ensure(session.cluster, [keys.ADMIN_TOKEN])
        if keys.lacking(session.cluster, [keys.ADMIN_TOKEN]):
            session.gate.end_plan_here("images and services", f"{keys.ADMIN_TOKEN} is made")


def _built(cluster: Cluster, chosen: Sequence[Service]) -> list[str]:
    """The images of the services that we build. One that config.yaml names is there already."""
    templates = Templates(cluster)
    return sorted(set[str]().union(*map(templates.built, chosen)))


def _lacking(cluster: Cluster, own: OurRegistry | None, built: Sequence[str]) -> list[str]:
    """The images that the registry lacks, or has from another context. Of a registry that is not
    the cluster's own, an engine asks."""
    if not built or not own:
        return list(built)
    keys = wanted.keys(cluster, built)
    there = labels(cluster, [reference for rows in keys.values() for reference in rows])
    return [name for name in built if not keys[name].items() <= there.items()]


def _is_own(session: Session, own: OurRegistry, lacking: Sequence[str]) -> bool:
    """Whether images go to the cluster's own registry."""
    return names.registry_of(names.reference(session.config, lacking[0])) in own.places


@contextmanager
def _engine(session: Session, own: OurRegistry | None, lacking: Sequence[str]) -> Iterator[Entry]:
    """The way to an engine that trusts the registry: one of our own for the cluster's registry
    (that which builds by now, if one does), else the machine's."""
    if not own or not _is_own(session, own, lacking):
        yield ()
        return
    with ExitStack() as stack:
        entry = None
        if isinstance(session.beside, Ahead):
            entry = stack.enter_context(session.beside.engine(session.console))
        yield entry or stack.enter_context(_opened(session, own, lacking))


@contextmanager
def _opened(session: Session, own: OurRegistry, lacking: Sequence[str]) -> Iterator[Entry]:
    """The way to an engine of our own."""
    if why := ownengine.obstacle():
        raise _cannot(why, lacking)
    if packages := ownengine.missing():
        if session.gate.admit(local(f"install {' '.join(packages)} on this machine")):
            session.run.begin()
            ownengine.install(packages, session.console)
        session.gate.end_plan_here("the images", f"{' '.join(packages)} is on this machine")
    certificate = read(session.options.directory / "deploy" / CA)
    with ownengine.running(dict.fromkeys(own.places, certificate)) as entry:
        yield entry


def _cannot(why: str, lacking: Sequence[str]) -> DeployError:
    return DeployError(
        f"no engine can be had here to build {', '.join(lacking)}: {why}",
        f"run this as root; or, with Docker on this machine: {PROGRAM} registry start --devbox && "
        f"{PROGRAM} docker push {sh(*lacking)}",
    )


def database(session: Session) -> None:
    """Start the database and make its tables, if the services are to have it."""
    from dlws.database import init

    if DATABASE not in [service.name for service in _chosen(session)]:
        return
    _start(session, [DATABASE], "the tables of the database")
    init.init(session.cluster, wait=60)


def services(session: Session) -> None:
    """Start the rest of the services, and wait until they are up."""
    from dlws.portal import frontdoor

    found = _chosen(session)
    _token(session, found)
    chosen = [service.name for service in found]
    if FRONT_DOOR in chosen and frontdoor.ensure(session.cluster):
        session.gate.end_plan_here("what nginx gets", "its certificate is made")
    if rest := [name for name in chosen if name != DATABASE]:
        if API in rest:
            _start(session, rest, "the people of the job platform")
        else:
            start.start(session.cluster, rest, _PATIENCE)


def _open(session: Session) -> bool:
    """Whether people can submit jobs: the platform runs, and is reached by nginx."""
    if not session.config.services:
        return False
    return {service.name for service in _chosen(session)} >= {API, MANAGER, FRONT_DOOR}


def doors(session: Session) -> list[str]:
    """How people reach the job platform, in lines."""
    from dlws.install import people

    return people.where(session) if _open(session) else []


def people(session: Session) -> None:
    """Let the first administrator of config.yaml into the job platform."""
    from dlws.install import people

    if _open(session):
        people.administrator(session)
    else:
        session.console.say(f"nothing to do: services lacks {API}, {MANAGER} or {FRONT_DOOR}")


def first_job(session: Session) -> None:
    """Show that jobs run."""
    from dlws.install import people

    if _open(session):
        people.first_job(session)


def _start(session: Session, words: Sequence[str], then: str) -> None:
    """Start services; a dry run ends with what is `then`, where they are not there yet."""
    gate = session.gate
    before = len(gate.actions)
    start.start(session.cluster, words, _PATIENCE)
    pending = any(not action.idle for action in gate.actions[before:])
    if pending or not gate.dry_run:
        gate.end_plan_here(then, f"{', '.join(words)} is started")


def addresses(session: Session) -> list[str]:
    """Where the services and the registry answer, in lines."""
    cluster = session.cluster
    services, words = folder.load_all(cluster.directory), session.config.services
    rows = listing.places(cluster, folder.named(services, words)) if words else {}
    own = registry_of(session.config, hosts_file(session.options.directory))
    if own:
        rows["registry"] = [f"https://{own.place}/v2/"]
    width = max(map(len, rows), default=0)
    return [f"  {name:{width}}  {' '.join(where)}" for name, where in rows.items() if where]
