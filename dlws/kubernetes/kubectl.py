"""kubectl as typed: from this machine where it can reach the API server, else on an infra node."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dlws.core.architecture import architecture
from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.core.localfiles import write
from dlws.core.program import PROGRAM
from dlws.kubernetes import kubeconfig, tunnel
from dlws.runs import plan
from dlws.runs.console import outlets, passed_on
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_NOT_FOUND = 127
_SHOWING = {"attach", "describe", "events", "exec", "explain", "get", "logs", "top"}
_TERMINAL = {"-t", "--tty", "--tty=true"}
_WITH_VALUE = {"-n", "--namespace", "-s", "--server", "--context", "--cluster", "--user", "--as",
               "--request-timeout", "--kubeconfig"}  # fmt: skip


def program(cluster: Cluster) -> Path | None:
    """A kubectl for this machine: deploy/bin, the bundle, else the PATH."""
    machine = platform.machine()
    bundle = cluster.directory / cluster.config.kubernetes.bundle
    found = shutil.which("kubectl")
    places = [
        cluster.deploy / "bin/kubectl",
        bundle / architecture(machine) / "bin/kubectl",
        *([Path(found)] if found else []),
    ]
    return next((path for path in places if os.access(path, os.X_OK) and path.is_file()), None)


def run(cluster: Cluster, words: Sequence[str]) -> int:
    """Run kubectl with these words; its exit status, unless it takes this process's place."""
    if not cluster.run.gate.admit(plan.local(f"run: {sh('kubectl', *words)}")):
        return 0
    local = program(cluster)
    server = tunnel.direct(cluster) if local else ""
    if local and server:
        found = environment(cluster, server)
        if sys.stdout.isatty() and only_shows(words):
            return _guarded(local, words, found)
        sys.stdout.flush()
        # In our place: a terminal, signals and the exit status are then kubectl's own.
        os.execve(local, ["kubectl", *words], found)
    return _on_node(cluster, words)


def only_shows(words: Sequence[str]) -> bool:
    """Whether kubectl needs no terminal for this: it shows what others wrote, such as a log."""
    own = list(words[: words.index("--")] if "--" in words else words)
    rest = iter(own)
    verb = next((word for word in rest if not _is_flag(word, rest)), "")
    return verb in _SHOWING and not (reads_stdin(own) or _TERMINAL & set(own))


def _is_flag(word: str, rest: Iterator[str]) -> bool:
    """Whether a word is a flag; its value, where that is a word of its own, is passed over."""
    if word in _WITH_VALUE:
        next(rest, "")
    return word.startswith("-")


def _guarded(local: Path, words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it beside this process, which lets nothing but text and colours reach the terminal."""
    told = (f"{name}={environment[name]}" for name in ("KUBECONFIG", "NO_PROXY", "no_proxy"))
    with outlets(passed_on()) as show:
        return Local().run(f"exec {sh('env', *told, local, *words)}", echo=show).code


def environment(cluster: Cluster, server: str) -> dict[str, str]:
    """This process's environment with a kubeconfig that leads to `server`, by no proxy."""
    host = str(urlsplit(server).hostname)
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    direct = f"{known},{host}" if known else host
    settings = {"KUBECONFIG": str(_pointed_at(cluster, server))}
    return {**os.environ, "NO_PROXY": direct, "no_proxy": direct, **settings}


def _pointed_at(cluster: Cluster, server: str) -> Path:
    """admin.conf, or a copy beside it where it is not just what it should be for this server.

    kubectl is given only what was built here: its reader of YAML may see in a file what ours does
    not. Where admin.conf is encrypted, the copy is in memory.
    """
    path, content = kubeconfig.path(cluster), kubeconfig.dump(kubeconfig.admin(cluster, server))
    if cluster.run.vault.encrypted:
        return _in_memory(content)
    if path.read_bytes() == content:
        path.chmod(0o600)
        return path
    copy = path.with_name("kubectl.conf")
    if not copy.is_file() or copy.read_bytes() != content:
        write(copy, content)
    return copy


def _in_memory(content: bytes) -> Path:
    """A file that this process has, or the kubectl in its place, and no disk."""
    handle = os.memfd_create("kubeconfig", 0)  # without MFD_CLOEXEC: kubectl inherits it
    os.write(handle, content)
    return Path(f"/proc/{os.getpid()}/fd/{handle}")


def _on_node(cluster: Cluster, words: Sequence[str]) -> int:
    """kubectl on the first infra node that lets us in."""
    says = []
    for node in cluster.infra:
        try:
            node.read("true")
        except DeployError as error:
            says.append(f"{node.name}: {error.message}")
            continue
        return _through(node, words)
    raise DeployError(
        "\n  ".join(["kubectl: no way to an API server", *says]), f"see: {PROGRAM} status"
    )


def _through(node: Node, words: Sequence[str]) -> int:
    command = sh(*kubeconfig.KUBECTL, *words)
    stdin = _input() if reads_stdin(words) else b""
    with outlets(passed_on()) as show:
        done = node.read(command, stdin=stdin, sudo=True, check=False, echo=show, bounds=None)
    if done.code == _NOT_FOUND:
        raise DeployError(
            f"neither this machine nor {node.name} has kubectl",
            f"run: {PROGRAM} runscriptonroles infra worker ./scripts/install_kubeadm.sh",
        )
    return done.code


def reads_stdin(words: Sequence[str]) -> bool:
    """Whether kubectl would read standard input; otherwise an open one must not be waited for."""
    flags = {"-", "-f-", "-i", "-it", "-ti", "--stdin", "--stdin=true"}
    return any(word in flags or word.endswith("=-") for word in words)


def _input() -> Iterator[bytes]:
    while data := os.read(sys.stdin.fileno(), 65536):
        yield data
