"""The words behind `docker`, and what its answers mean. Pure."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABEL = "dlws.context"
"""The label of an image with the hash of what it was built from."""
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
"""Build arguments that an engine takes from the environment: they may hold a password."""
INSPECT = '{{.Id}} {{index .Config.Labels "%s"}} {{.Architecture}}' % LABEL  # noqa: UP031

Words = tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One image of one architecture: what it is called, and what it is built from."""

    name: str
    reference: str
    architecture: str
    dockerfile: str
    key: str
    """The hash of what it is built from."""
    arguments: Mapping[str, str]


def build(
    job: Job,
    context: str,
    how: Words = ("build",),
    proxies: Sequence[str] = (),
    fresh: bool = False,
) -> Words:
    """Build a context: a directory, or `-` for a tar on standard input."""
    given = [f"--build-arg={name}={value}" for name, value in job.arguments.items()]
    given += [f"--build-arg={name}" for name in proxies]
    # The network of the machine: a proxy or mirror of this machine is one of the build, too.
    options = ["--network=host", f"--platform=linux/{job.architecture}", f"--tag={job.reference}"]
    options += [f"--label={LABEL}={job.key}", *(["--no-cache"] if fresh else [])]
    file = job.dockerfile if context == "-" else f"{context}/{job.dockerfile}"
    return (*how, *options, *given, f"--file={file}", context)


@dataclass(frozen=True)
class Local:
    """An image that an engine has."""

    id: str
    key: str
    architecture: str


def local_image(text: str) -> Local:
    """What `docker image inspect` said in the format INSPECT; the label may be missing."""
    words = text.split()
    key = words[1] if len(words) == 3 else ""
    return Local(words[0], key, words[-1])


def remote_ids(text: str) -> set[str]:
    """What `docker manifest inspect --verbose` shows of a reference: the ids of its images, and the
    digests by which the registry knows them."""
    found = json.loads(text)
    return {one for row in (found if isinstance(found, list) else [found]) for one in _ids(row)}


def _ids(row: Mapping[str, Any]) -> list[str]:
    manifests = [row.get(name) or {} for name in ("SchemaV2Manifest", "OCIManifest")]
    configs = [manifest.get("config", {}).get("digest") for manifest in manifests]
    return [str(one) for one in (*configs, row.get("Descriptor", {}).get("digest")) if one]


def missing(complaint: str) -> bool:
    """Whether a registry says that it has no such image, and not that something is wrong."""
    said = complaint.lower()
    return any(word in said for word in ("no such manifest", "manifest unknown", "name unknown"))


def insecure(text: str, registry: str) -> bool:
    """Whether the engine speaks with a registry without TLS: what `docker info` says of them."""
    found = json.loads(text) or {}
    entry = (found.get("IndexConfigs") or {}).get(registry)
    if entry is not None:
        return not entry.get("Secure", True)
    host = registry.rpartition(":")[0] or registry
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    ranges = [ipaddress.ip_network(one) for one in found.get("InsecureRegistryCIDRs") or []]
    return any(address in one for one in ranges)


def manifest_list(
    reference: str, images: Mapping[str, str], options: Sequence[str] = ()
) -> list[Words]:
    """What makes a list of an image of each architecture, and pushes it."""
    create = ("manifest", "create", *options, reference, *images.values())
    notes = [
        ("manifest", "annotate", "--os=linux", f"--arch={architecture}", reference, image)
        for architecture, image in images.items()
    ]
    return [create, *notes, ("manifest", "push", "--purge", *options, reference)]


def platforms(text: str) -> set[str]:
    """The architectures that `docker buildx inspect` says its builder has."""
    rows = [line.partition(":")[2] for line in text.splitlines() if line.startswith("Platforms:")]
    words = [word.strip().rstrip("*") for row in rows for word in row.split(",")]
    return {word.removeprefix("linux/") for word in words if word.startswith("linux/")}


def emulates(text: str, emulator: str) -> bool:
    """Whether the kernel runs programs with an emulator in containers, too: what it says of its
    registered formats, one after the other."""
    return any(
        rows[:1] == ["enabled"]
        and any(row.startswith("interpreter ") and emulator in row for row in rows)
        and any(row.startswith("flags:") and "F" in row for row in rows)
        for rows in (block.splitlines() for block in text.split("\n\n"))
    )
