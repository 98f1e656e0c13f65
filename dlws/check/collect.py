"""One read of every node, all at once: its facts, and what it reaches."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.check import foreign
from dlws.check.facts import Facts, parse
from dlws.check.ports import needed
from dlws.config.addresses import is_address
from dlws.core import resources
from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.nodes.endpoint import inner_address
from dlws.nodes.node import CommandFailed, SudoRefused
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

LIMIT = 120
"""Seconds for one node, whatever hangs there."""

LIBRARIES = (
    *("scripts/lib/common.sh", "scripts/lib/devices.sh", foreign.LIBRARY),
    "templates/check/facts.sh",
)


def collect(cluster: Cluster, nodes: Sequence[Node]) -> list[Facts]:
    """The facts of nodes; one that cannot be reached has the error instead."""
    library = "\n".join((resources.root() / path).read_text() for path in LIBRARIES)
    known = {node.name: inner_address(node) for node in cluster.nodes}
    checked = [node.name for node in nodes]
    wanted = needed(cluster.config)

    def look(node: Node) -> Facts:
        places = [(to, known[to], port) for source, to, port in wanted if source == node.name]
        calls = questions(cluster.config, places, {name: known[name] for name in checked})
        return ask(node, f"DLWS_USER={sh(node.user)}\n{library}\n{calls}")

    found = []
    for outcome in cluster.read_all(nodes, look, "check"):
        if outcome.value:
            found.append(outcome.value)
        elif outcome.error:
            found.append(_away(outcome.node, outcome.error))
    return found


def _away(node: Node, error: DeployError) -> Facts:
    """The facts of a node that was not reached: why. Equal causes read alike, whatever node."""
    why, cure = error.message.replace(node.address, "it"), error.cure
    return Facts(node.name, inner_address(node), why, cure.replace(node.address, "ADDRESS"))


def questions(
    config: Config, places: Sequence[tuple[str, str, int]], known: Mapping[str, str]
) -> str:
    """The calls behind facts.sh: what to reach and to resolve, all at the same time."""
    own = [address for address in known.values() if is_address(address)]
    names = [config.machines[node].fqdn for node in known]
    calls = [
        sh("ports", *(word for place in places for word in place)),
        sh("names", *dict.fromkeys(names)),
        sh("addresses", *dict.fromkeys(own)),
    ]
    if config.kubernetes.source == "packages":
        calls += ["mirrors", sh("hosts", *(word for place in registries(config) for word in place))]
    return "".join(f"{call} &\n" for call in calls) + "wait\nfact end 1\n"


def registries(config: Config) -> list[tuple[str, int]]:
    """Host and port of the registries that nodes pull images from."""
    kubernetes = config.kubernetes
    names = [kubernetes.image_repository or kubernetes.version.registry, config.dockerregistry]
    return list(dict.fromkeys(registry(name) for name in names if name))


def registry(name: str) -> tuple[str, int]:
    """Host and port of an image prefix: registry("h:5000/x") == ("h", 5000)."""
    scheme, _, rest = name.rpartition("://")
    host, _, port = rest.split("/")[0].partition(":")
    if not (port or scheme) and "." not in host and host != "localhost":
        return "registry-1.docker.io", 443  # a name without a host is one of Docker Hub's
    return host, int(port) if port.isdigit() else 80 if scheme == "http" else 443


def ask(node: Node, text: str) -> Facts:
    """One read; a second one only where sudo refuses, for what can be seen without it."""
    facts = Facts(node.name, inner_address(node))
    try:
        return _read(node, facts, text, sudo=True)
    except SudoRefused as error:
        refused = replace(facts, sudo_error=error.message, cure=error.cure)
    return _read(node, refused, text, sudo=False)


def _read(node: Node, facts: Facts, text: str, sudo: bool) -> Facts:
    asked, arrived = time.time(), list[float]()

    def note(stream: str, data: bytes) -> None:
        if stream == "out" and not arrived:
            arrived.append(time.time())

    line = sh("timeout", "--kill-after=5", LIMIT, "bash", "-s")
    result = node.read(line, stdin=text.encode(), sudo=sudo, check=False, echo=note)
    if b"clock=" not in result.out:
        raise _nothing(node, result, sudo)
    return parse(facts, result.text, (asked, arrived[0]))


def _nothing(node: Node, result: Result, sudo: bool) -> DeployError:
    """The script did not even begin: for lack of sudo, or else of bash or timeout."""
    if sudo and node.user != "root":
        return SudoRefused(node.user, result)
    return CommandFailed("check", result)
