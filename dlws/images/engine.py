"""The Docker engine that this machine's `docker` speaks with, and logging in to registries."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core import localfiles, person
from dlws.core.architecture import architecture
from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.core.localfiles import scratch
from dlws.core.program import PROGRAM
from dlws.images import commands, names
from dlws.nodes.credentials import USER, credentials
from dlws.shell.quoting import sh
from dlws.shell.registrywords import disk_is_full, explained, refused

if TYPE_CHECKING:
    from dlws.core.connection import Echo, Stdin
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.credentials import Credential

INSTALL = "apt-get install --no-install-recommends docker.io"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
_QUOTED = 12
_SETTINGS = "config.json"
_ASK_A_REGISTRY = {"push", "manifest"}
_PATIENCE = 20
"""Seconds in which a registry has to say what it has."""


class Engine:
    """Docker's client with settings of its own; nothing is asked before it is used.

    `entry` are the words before its command lines that lead to another engine than the machine's.
    """

    def __init__(self, settings: Path | None = None, entry: Sequence[str] = ()) -> None:
        self.settings, self.entry = settings, entry

    def line(self, *words: str, buildkit: bool = False) -> str:
        """A command line of `docker`. Only the older builder is in every distribution."""
        given = [f"DOCKER_CONFIG={self.settings}"] if self.settings else []
        given.append(f"DOCKER_BUILDKIT={int(buildkit)}")
        return sh(*self.entry, "env", *given, "DOCKER_CLI_EXPERIMENTAL=enabled", "docker", *words)

    def ask(self, *words: str) -> Result:
        """What docker says, whatever that is."""
        return Local().run(self.line(*words))

    def run(self, *words: str, doing: str, stdin: Stdin = b"", echo: Echo | None = None) -> Result:
        """Run docker; DeployError with its last lines in the words of `doing`."""
        buildkit = words[0] == "buildx"
        result = Local().run(self.line(*words, buildkit=buildkit), stdin=stdin, echo=echo)
        if not result.ok:
            asks = words[0] in _ASK_A_REGISTRY
            cure = explained(result.complaint).cure if asks else room(result, "this machine")
            raise DeployError(
                f"{doing} failed (exit status {result.code}):\n{quoted(result)}", cure
            )
        return result

    @cached_property
    def architecture(self) -> str:
        """The engine's own architecture; DeployError where there is no engine."""
        if not shutil.which("docker"):
            raise DeployError("this machine has no docker", f"run: {INSTALL}")
        result = self.ask("version", "--format", "{{.Server.Arch}}")
        if not result.ok or not result.text:
            raise DeployError(
                f"the Docker engine does not answer: {result.last_words}", _way_in(result)
            )
        return architecture(result.text)

    def image(self, reference: str) -> commands.Local | None:
        """The image that the engine has of that name."""
        result = self.ask("image", "inspect", "--format", commands.INSPECT, reference)
        return commands.local_image(result.text) if result.ok else None

    @cached_property
    def _registries(self) -> str:
        return self.ask("info", "--format", "{{json .RegistryConfig}}").text or "{}"

    def options(self, reference: str) -> list[str]:
        """What `docker manifest` has to be told of a registry."""
        registry = names.registry_of(reference)
        return ["--insecure"] if commands.insecure(self._registries, registry) else []

    def remote(self, reference: str) -> set[str]:
        """The ids of what a registry has of that name; none: it has none. DeployError where it
        does not say."""
        words = ("manifest", "inspect", "--verbose", *self.options(reference), reference)
        result = Local().run(f"timeout {_PATIENCE} {self.line(*words)}")
        if result.ok:
            return commands.remote_ids(result.text)
        if commands.missing(result.complaint):
            return set()
        raise DeployError(
            f"the registry does not say whether it has {reference}: {result.last_words}",
            explained(result.complaint).cure,
        )

    @cached_property
    def builder(self) -> set[str]:
        """The architectures that buildx can build for; none where there is no buildx."""
        result = self.ask("buildx", "inspect")
        return commands.platforms(result.text) if result.ok else set()

    @property
    def proxies(self) -> list[str]:
        """The proxies of this machine's environment."""
        wanted = (*commands.PROXIES, *(name.upper() for name in commands.PROXIES))
        return [name for name in wanted if os.environ.get(name)]


def _way_in(result: Result) -> str:
    """What helps where the engine does not answer."""
    if "permission denied" in result.complaint.lower():
        return (
            "be root, or in the group docker (as root: usermod -aG docker USER; then log in anew)"
        )
    return (
        f"run: systemctl start docker (as root; where there is none: {INSTALL}), and be root or in "
        f"the group docker; what services need, root can have without it: {PROGRAM} up onpremise "
        "--only images (or azure, sandbox)"
    )


def room(result: Result, where: str) -> str:
    """What helps where a disk is full, by what docker says; empty for other troubles."""
    if not disk_is_full(result.complaint):
        return ""
    return f"make room where {where} keeps its images: docker system df, docker image prune"


def quoted(result: Result) -> str:
    """The last lines of what went wrong."""
    return "\n".join(f"    {line}" for line in result.complaint.splitlines()[-_QUOTED:])


def formats() -> str:
    """What this kernel says of the formats of programs that it knows."""
    found = sorted(BINFMT.glob("qemu-*")) if BINFMT.is_dir() else []
    return "\n\n".join(path.read_text() for path in found)


@contextmanager
def private(
    cluster: Cluster, references: Sequence[str] = (), entry: Sequence[str] = ()
) -> Iterator[Engine]:
    """An engine with settings of its own, logged in to the registries of these references.

    `entry` leads to another engine than the machine's (ownengine). The settings begin with what the
    person has logged in to. Everything is gone when the block ends.
    """
    with scratch("dlws-login-") as place:
        wanted = needed(cluster, references)
        _begin(place, bool(wanted))
        engine = Engine(place, entry)
        for registry, known in wanted.items():
            login(engine, registry, known)
        yield engine


def _begin(place: Path, logs_in: bool) -> None:
    own = Path(os.environ.get("DOCKER_CONFIG") or (person.known_home() or Path("/")) / ".docker")
    try:
        known = json.loads((own / _SETTINGS).read_text())
    except (OSError, ValueError):
        known = {}
    localfiles.write(place / _SETTINGS, json.dumps(settings(known, logs_in)).encode())
    for kept in ("contexts", "cli-plugins", "buildx"):
        if (own / kept).is_dir():
            (place / kept).symlink_to(own / kept)


def settings(known: Any, logs_in: bool) -> dict[str, Any]:
    """A person's settings; a store of theirs must not keep what we log in with."""
    left_out = {"credsStore", "credHelpers"} if logs_in else set()
    rows = known.items() if isinstance(known, Mapping) else ()
    return {key: value for key, value in rows if key not in left_out}


def needed(cluster: Cluster, references: Sequence[str]) -> dict[str, Credential]:
    """The credentials that the cluster knows for the registries of these references."""
    registries = {names.registry_of(one) for one in references}
    return {name: known for name, known in credentials(cluster).items() if name in registries}


def login(engine: Engine, registry: str, known: Credential) -> None:
    """Log in; the password goes over standard input."""
    where = [] if registry == names.DOCKER_HUB else [registry]
    words = ("login", f"--username={known.user}", "--password-stdin", *where)
    result = Local().run(engine.line(*words), stdin=known.password.encode())
    if result.ok:
        return
    reason = explained(result.complaint)
    if reason.words and not refused(reason):
        raise DeployError(f"{registry}: {reason.words}: {result.last_words}", reason.cure)
    raise DeployError(
        f"{registry} does not let {known.user} in: {result.last_words}",
        f"run: {PROGRAM} registry start"
        if known.user == USER
        else f"correct registry_credential.{registry} in config.yaml",
    )
