"""Build images and push them: only what differs, several at a time, each on what it needs."""

from __future__ import annotations

import errno
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.connection import Echo, end_local
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.localfiles import scratch
from dlws.core.text import since
from dlws.images import builders, commands, engine, folder, names, stage
from dlws.images.builders import Builder
from dlws.images.commands import Job
from dlws.images.dockerfile import levels
from dlws.images.survey import Survey, Wanted
from dlws.runs.console import outlets
from dlws.runs.plan import local

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.images.engine import Engine
    from dlws.images.folder import Context
    from dlws.nodes.cluster import Cluster

AT_ONCE = 4
"""Images that are worked on at a time: an engine has one machine's processors."""


@dataclass
class Work:
    """One invocation: what it works with, and what came of it."""

    cluster: Cluster
    engine: Engine
    push: bool
    fresh: bool
    builders: dict[str, Builder] = field(default_factory=dict)
    failures: dict[str, DeployError] = field(default_factory=dict)
    """By name and architecture, why there is no image."""
    busy: dict[str, float] = field(default_factory=dict)
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    first: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    """By what images build on: held while the first of them is pushed."""
    shared: set[tuple[str, ...]] = field(default_factory=set)
    """What images build on whose layers the registry has by now."""

    def builder(self, architecture: str) -> Builder:
        """What builds for an architecture; asked once, and only where something is to be built."""
        with self.lock:
            if architecture not in self.builders:
                made = builders.choose(self.engine, self.cluster, architecture)
                self.builders[architecture] = made
            return self.builders[architecture]


def make(
    cluster: Cluster,
    words: Sequence[str],
    archtype: str | None,
    push: bool = False,
    fresh: bool = False,
    entry: Sequence[str] = (),
) -> None:
    """Build the images with these names (all, where there are none) and what they build on.

    `push` sends those that were named to their registry. A failure keeps the others from nothing;
    all of them are told in the end.
    """
    config = cluster.config
    chosen = _buildable(config, folder.named(config, cluster.directory, words), words)
    named = [names.reference(config, one.name) for one in chosen]
    with (
        ending(),
        _scratch() as place,
        engine.private(cluster, named if push else (), entry) as docker,
    ):
        _ = docker.architecture  # says now where there is no engine
        survey = Survey(cluster, place, names.chosen(config, archtype))
        _work(Work(cluster, docker, push, fresh), survey, chosen, archtype == names.ALL)


def _work(work: Work, survey: Survey, chosen: Sequence[Context], lists: bool) -> None:
    """Do all of it; `lists`: an image has one name for all its architectures, too."""
    console = work.cluster.run.console
    before = len(console.changes)
    with console.working("reading the contexts of images"):
        wanted = survey.of(chosen, ready=not work.cluster.run.dry_run)
    _all(work, survey, wanted)
    for one in chosen if work.push and lists else ():
        _list(work, one.name, survey.targets)
    _end(work, [one.name for one in chosen], before)


def _buildable(
    config: Config, chosen: Sequence[Context], words: Sequence[str]
) -> Sequence[Context]:
    """Those of the images that are not pinned by a digest; UsageError for one that was asked for.

    What a digest names is somebody else's already.
    """
    pinned = {one.name: names.reference(config, one.name) for one in chosen}
    pinned = {name: reference for name, reference in pinned.items() if "@" in reference}
    if pinned and words:
        told = ", ".join(f"{name} ({reference})" for name, reference in pinned.items())
        raise UsageError(
            f"config.yaml pins what is to be built: {told}",
            "take it out of dockers there, or leave the name out here",
        )
    return [one for one in chosen if one.name not in pinned]


def _all(work: Work, survey: Survey, wanted: Sequence[Wanted]) -> None:
    """Work on everything, what others build on first."""
    by_key = {one.label: one for one in wanted}
    needs = {one.label: [survey.label(base, one) for base in one.bases] for one in wanted}
    try:
        groups = levels(needs)
    except ValueError as error:
        raise UsageError(
            f"images build on each other in a circle: {error}", "correct a FROM of theirs"
        ) from error
    console, total = work.cluster.run.console, len(wanted)
    labels = sorted(by_key)
    console.align(labels)
    threads = min(AT_ONCE, work.cluster.run.options.parallel)
    with console.status(lambda: _progress(work, total), every=10), console.gathered(labels):
        for group in groups:
            with ThreadPoolExecutor(threads) as pool:
                rows = [by_key[label] for label in group]
                _wait([pool.submit(_one, work, survey, one, needs[one.label]) for one in rows])


def _wait(futures: Sequence[Future[None]]) -> None:
    """Wait for all; interrupted, end what runs, for no thread but ours hears of that."""
    try:
        for future in futures:
            future.result()
    except DeployError:
        raise
    except BaseException:
        for future in futures:
            future.cancel()
        end_local()
        raise


@contextmanager
def ending() -> Iterator[None]:
    """While the block runs, SIGTERM is as good as Ctrl-C: what we log in with has to go, and an
    engine of ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A directory for copies of contexts, gone afterwards. Where its disk is full, the error says
    so: the system's names the file that was copied."""
    with scratch("dlws-contexts-") as place:
        try:
            yield place
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise DeployError(
                f"contexts of images do not fit into {place.parent}: {error.strerror}",
                "make room there, or set TMPDIR to a directory on another disk",
            ) from error


def _progress(work: Work, total: int) -> str:
    with work.lock:
        running = ", ".join(f"{name} {since(began)}" for name, began in sorted(work.busy.items()))
    return f"images: {work.done}/{total} done{f', at work: {running}' if running else ''}"


def _one(work: Work, survey: Survey, one: Wanted, needs: Sequence[str]) -> None:
    """Build one image, and push it where it was named. Its failure is its own."""
    console = work.cluster.run.console
    with work.lock:
        work.busy[one.label] = time.monotonic()
    try:
        work.cluster.run.halt.check()
        if lacking := [need for need in needs if need in work.failures]:
            raise DeployError(f"not tried: there is no {lacking[0]}, which it builds on")
        job = survey.job(one)
        _build(work, survey, one, job)
        if work.push and one.named:
            _push(work, one, job)
    except Refused:
        raise  # it is no image's failure: another run holds the lock, or the plan lacks this
    except DeployError as error:
        work.failures[one.label] = error
        console.say(f"failed: {error.message}", one.label)
    finally:
        with work.lock:
            work.busy.pop(one.label)
            work.done += 1
        console.ended(one.label)


def _build(work: Work, survey: Survey, one: Wanted, job: Job) -> None:
    run = work.cluster.run
    there = work.engine.image(job.reference)
    if there and there.key == job.key and not work.fresh:
        run.console.say(f"unchanged: {job.reference}", one.label)
        return
    builder = work.builder(job.architecture)
    if not run.gate.admit(local(f"build {job.reference} {builder.where}", one.before)):
        return
    started = time.monotonic()
    run.begin()
    with _output(work, one.label) as echo:
        if not one.context.of_checkout:
            stage.prebuild(one.place, job.architecture, echo)
        builder.build(job, one.place, survey.references(one), echo, work.fresh)
    run.console.changed(f"built {job.reference} in {since(started)}", one.label)


def _push(work: Work, one: Wanted, job: Job) -> None:
    run = work.cluster.run
    there = work.engine.image(job.reference)
    if there and there.key == job.key and there.id in work.engine.remote(job.reference):
        run.console.say(f"the registry has {job.reference}", one.label)
        return
    if not run.gate.admit(local(f"push {job.reference}", one.before)):
        return
    run.begin()
    _send(work, one, job)
    run.console.changed(f"pushed {job.reference}", one.label)


def _send(work: Work, one: Wanted, job: Job) -> None:
    """Push; the first of all images that build on the same goes alone: it packs and sends the
    layers that they share, which each of the others would do again beside it."""
    bases = tuple(one.bases)
    with work.lock:
        first = work.first.setdefault(bases, threading.Lock())
    with first:
        alone = bases not in work.shared
        if alone:
            _upload(work, one.label, job.reference)
            work.shared.add(bases)
    if not alone:
        _upload(work, one.label, job.reference)


def _upload(work: Work, label: str, reference: str) -> None:
    with _output(work, label) as echo:
        work.engine.run("push", reference, doing=f"pushing {reference}", echo=echo)


@contextmanager
def _output(work: Work, label: str) -> Iterator[Echo]:
    """Where the output of docker goes: to the run's record, and with -v to the screen."""
    run = work.cluster.run
    journal = run.journal()
    shown = run.console.echo(label) if run.console.live else None
    kept = journal.log(f"image-{label}") if journal else None
    with outlets(shown, kept) as echo:
        yield echo or (lambda name, data: None)


def _list(work: Work, name: str, targets: Mapping[str, str]) -> None:
    """Push one list of the images of all architectures, unless the registry has it."""
    run, config = work.cluster.run, work.cluster.config
    reference = names.reference(config, name)
    images = {arch: names.reference(config, name, suffix) for arch, suffix in targets.items()}
    if work.failures.keys() & {name, *(f"{name}-{arch}" for arch in images)}:
        return
    try:
        there = [work.engine.image(one) for one in images.values()]
        ids = {found.id for found in there if found}
        if all(there) and ids <= work.engine.remote(reference):
            run.console.say(f"the registry has {reference}, of {', '.join(images)}", name)
            return
        if not run.gate.admit(local(f"push {reference}, a list of {', '.join(images)}")):
            return
        for words in commands.manifest_list(reference, images, work.engine.options(reference)):
            work.engine.run(*words, doing=f"making the list {reference}")
        run.console.changed(f"pushed {reference}, a list of {', '.join(images)}")
    except Refused:
        raise
    except DeployError as error:
        work.failures[name] = error


def _end(work: Work, chosen: Sequence[str], before: int) -> None:
    run = work.cluster.run
    if len(work.failures) == work.done == 1:
        raise next(iter(work.failures.values()))
    if work.failures:
        told = "\n".join(f"  {name}: {error.message}" for name, error in work.failures.items())
        cures = dict.fromkeys(error.cure for error in work.failures.values() if error.cure)
        raise DeployError(
            f"{len(work.failures)} of {work.done} images failed:\n{told}",
            "; ".join(cures) or f"correct what they say, then: {run.options.again()}",
        )
    if not run.dry_run and len(run.console.changes) == before:
        run.console.say(f"nothing to do: {', '.join(chosen)}")
