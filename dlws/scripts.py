"""Scripts on nodes: only the script and the files it names go there, and they do not stay."""

from __future__ import annotations

import re
import tarfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws import files, resources
from dlws.connection import Result
from dlws.errors import DeployError, UsageError
from dlws.foresee import differences
from dlws.node import CommandFailed, Node
from dlws.plan import digest
from dlws.recorder import REBOOT
from dlws.shell import script, sh

if TYPE_CHECKING:
    from dlws.cluster import Cluster
    from dlws.config import Config

REBOOT_LIMIT = 900
"""Seconds a node may take to come back; servers with much memory test it for minutes."""

_REBOOT = (
    "cat /proc/sys/kernel/random/boot_id && systemd-run --quiet --on-active=2 systemctl reboot"
)

_HEADER_LINES = 20
_DIRECTIVE = re.compile(r"^# dlws-(files|needs|render|check)(?::|[ \t]|$)[ \t]*(.*)$", re.MULTILINE)

# Unpacks standard input into a directory of its own and runs the command given as $1... there.
_RUN = script(
    f"{files.WORK}"
    """trap 'rm -rf "$work"' EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
tar -xf - -C "$work" && cd "$work" && "$@" </dev/null"""
)

# The same, but left running: $1 is its name, then the command. Log, pid and exit status stay.
_START = script(
    """set -e; mask=$(umask); umask 077; name=$1; shift
if [ "$(id -u)" = 0 ]; then base=/var/lib/dlws/background; else base=$HOME/.dlws/background; fi
work=$base/$name
if [ -s "$work/pid" ] && [ ! -e "$work/exit" ] && kill -0 "$(cat "$work/pid")" 2>/dev/null; then
  echo "already running: pid $(cat "$work/pid")"; cat >/dev/null; exit 0
fi
rm -rf "$work"; mkdir -p "$work/files"; tar -xf - -C "$work/files"; cd "$work/files"; umask "$mask"
setsid sh -c '
  echo $$ >../pid; "$@" >../log 2>&1 </dev/null
  echo $? >../exit.new; mv ../exit.new ../exit' dlws "$@" \\
  >/dev/null 2>&1 </dev/null &
while [ ! -s ../pid ]; do sleep 0.05; done
echo "pid $(cat ../pid), log $work/log" """
)


@dataclass(frozen=True)
class Script:
    """A script, the files that it names beside it, and what it needs on the node."""

    path: Path
    files: tuple[Path, ...] = ()
    needs: frozenset[str] = frozenset()
    render: bool = False
    check: bool = False
    """Whether it has a check mode: with DLWS_CHECK=1 it changes nothing and says what it would."""
    args: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".j2")

    def words(self, args: tuple[str, ...]) -> tuple[str, ...]:
        """What runs it in its directory, by its own interpreter or the usual one."""
        if self.content[:2] == b"#!":
            return (f"./{self.name}", *args)
        interpreter = "python3" if self.name.endswith(".py") else "bash"
        return (interpreter, f"./{self.name}", *args)

    @cached_property
    def content(self) -> bytes:
        """The script as it lies here, read once: all nodes of a run get the same."""
        return self.path.read_bytes()

    @cached_property
    def companions(self) -> dict[str, tuple[bytes, int]]:
        """The files beside it that it names: content and mode."""
        found = {file.as_posix(): self.path.parent / file for file in self.files}
        return {name: (p.read_bytes(), p.stat().st_mode & 0o777) for name, p in found.items()}

    @property
    def common(self) -> dict[str, tuple[bytes, int]]:
        """What is the same on every node: the files beside it, and itself if it is not rendered."""
        itself = {} if self.render else {self.name: (self.content, 0o700)}
        return itself | self.companions

    @cached_property
    def packed(self) -> bytes:
        """The beginning of its tar: what is the same on every node."""
        return b"".join(files.tar((name, *row) for name, row in self.common.items()))


def find(path: str, args: tuple[str, ...] = ()) -> Script:
    """The script at `path` here, or of that name among those that come with dlws."""
    places = (Path(path), resources.root() / path, resources.scripts() / path)
    found = next((place for place in places if place.is_file()), None)
    if not found:
        raise UsageError(
            f"there is no script {path}",
            f"give its path; those that come with dlws are in {resources.scripts()}",
        )
    return parse(found, args)


def parse(path: Path, args: tuple[str, ...] = ()) -> Script:
    """Read what a script's first lines say: dlws-files, dlws-needs, dlws-render, dlws-check."""
    head = path.read_bytes().split(b"\n", _HEADER_LINES)[:_HEADER_LINES]
    said = dict.fromkeys(("files", "needs", "render", "check"), "")
    for word, value in _DIRECTIVE.findall(b"\n".join(head).decode(errors="replace")):
        said[word] += f" {value or word}"
    named = tuple(Path(word) for word in said["files"].split())
    for file in named:
        if file.is_absolute() or ".." in file.parts or not (path.parent / file).is_file():
            raise UsageError(f"{path}: its dlws-files line names {file}, which is not beside it")
    render = bool(said["render"]) or path.suffix == ".j2"
    needs = frozenset(said["needs"].split())
    return Script(path, named, needs, render, bool(said["check"]), args)


def archive(found: Script, config: Config, node: Node) -> bytes:
    """The tar of a script and its files."""
    rows = [(name, *row) for name, row in own(found, config, node).items()]
    return found.packed + b"".join(files.tar(rows)) + bytes(2 * tarfile.BLOCKSIZE)


def contents(found: Script, config: Config, node: Node) -> dict[str, tuple[bytes, int]]:
    """A script, as a node gets it, and its files: content and mode."""
    return found.common | own(found, config, node)


def own(found: Script, config: Config, node: Node) -> dict[str, tuple[bytes, int]]:
    """What of it is not the same on every node: the script, if it is a template."""
    if not found.render:
        return {}
    from dlws.templates import render_file

    text = render_file(found.path, config=config, node=node)
    return {found.name: (text.encode(), 0o700)}


def environment(config: Config, node: Node) -> dict[str, str]:
    """What every script is told of its node and cluster: no secrets."""
    machine = node.machine
    return {
        "DLWS_CLUSTER": config.cluster_name,
        "DLWS_NODE": node.name,
        "DLWS_FQDN": node.fqdn,
        "DLWS_ADDRESS": node.address,
        "DLWS_ROLES": " ".join(node.roles),
        "DLWS_ARCH": machine.archtype,
        "DLWS_TYPE": machine.type,
        "DLWS_VENDOR": machine.vendor,
        "DLWS_ADMIN_USER": config.admin_username,
        "DLWS_DOMAIN": config.domain,
        "DLWS_DNS_SERVERS": " ".join(config.dns_servers),
        "DLWS_APT_MIRROR": config.apt_mirror_url,
        "DLWS_KUBERNETES_VERSION": config.kubernetes.version,
        "DLWS_KUBERNETES_SOURCE": config.kubernetes.source,
        "DLWS_RUNTIME": config.runtime,
        "DLWS_BUNDLE": "/var/lib/dlws/bundle",
    }


def run(node: Node, config: Config, found: Script, sudo: bool = False) -> Result:
    """Run a script on a node in a private directory that is removed afterwards.

    When it asks for a reboot, the node is rebooted, waited for, and the script run again with
    `continue`.
    """
    result = _run_once(node, config, found, sudo, found.args)
    if result.code == REBOOT and not node.dry_run:
        reboot(node)
        result = _run_once(node, config, found, sudo, (*found.args, "continue"), follows=True)
    if not result.ok:
        raise CommandFailed(sh(found.name, *found.args), result)
    return result


def _run_once(
    node: Node,
    config: Config,
    found: Script,
    sudo: bool,
    args: tuple[str, ...],
    follows: bool = False,
) -> Result:
    command = found.words(args)
    foreseen = differences(node, config, found, args) if node.dry_run and found.check else ()
    variables = [f"{name}={value}" for name, value in environment(config, node).items()]
    result = node.run(
        f"{_RUN} {sh('env', *variables, *command)}",
        stdin=archive(found, config, node),
        sudo=sudo or "root" in found.needs,
        check=False,
        title=f"run {sh(found.name, *args)}",
        live=True,
        follows=follows,
        foreseen=foreseen,
    )
    node.count_changes(result.out)
    return result


def start(node: Node, config: Config, found: Script, sudo: bool = False) -> Result:
    """Start a script that outlives the connection; its log and exit status stay on the node."""
    variables = [f"{name}={value}" for name, value in environment(config, node).items()]
    return node.run(
        f"{_START} {sh(found.name, 'env', *variables, *found.words(found.args))}",
        stdin=archive(found, config, node),
        sudo=sudo or "root" in found.needs,
        title=f"start {sh(found.name, *found.args)} in the background",
        live=True,
    )


def reboot(node: Node, limit: float = REBOOT_LIMIT) -> None:
    """Reboot a node and wait until it is back: another boot id, and systemd done starting."""
    # Not `systemctl reboot` itself: sshd may die before it tells us that it was accepted. The boot
    # id comes with it, so that a resumed run knows whether this reboot has been.
    before = node.run(_REBOOT, sudo=True, title="rebooting", follows=True).text
    node.close()
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if _returned(node, before):
            node.say("is back")
            return
        time.sleep(1)
    raise DeployError(
        f"did not come back within {limit:g} s of its reboot",
        "look at its console; then run the same line again",
    )


def _boot_id(node: Node) -> str:
    return node.read("cat /proc/sys/kernel/random/boot_id").text


def _returned(node: Node, before: str) -> bool:
    from dlws.handshake import ConnectionFailed

    try:
        if _boot_id(node) == before:
            node.close()
            return False
        node.read("systemctl is-system-running --wait", check=False)
    except ConnectionFailed:
        return False
    return True


def split_roles(
    cluster: Cluster, words: tuple[str, ...]
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Roles, script and arguments: the first word that is no role or node name is the script."""
    roles: tuple[str, ...] = ()
    while words and cluster.knows(words[0]):
        roles, words = (*roles, words[0]), words[1:]
    if not roles or not words:
        what = "no script" if roles else f"{words[0]!r} is no role and no node's name"
        raise UsageError(
            f"runscriptonroles ROLE... SCRIPT: {what}",
            f"roles here: {' '.join(sorted({r for n in cluster.nodes for r in n.roles}))}",
        )
    return roles, words[0], words[1:]


def random_master(cluster: Cluster) -> Node:
    """An infra node that answers, chosen at random for this run."""
    limited = cluster.select(["infrastructure"])
    outcomes = cluster.ask(limited, lambda node: node.read("true"), "looking for an infra node")
    alive = [outcome.node for outcome in outcomes if not outcome.error]
    if not limited:
        raise UsageError("no infra node is among the chosen ones", "see: deploy.py display")
    if not alive:
        cluster.judge(outcomes)
    # The same one in a resumed run and an applied plan.
    return min(alive, key=lambda node: digest(cluster.seed, node.name))


def ready(cluster: Cluster, nodes: list[Node], found: Script) -> None:
    """Bring what a script needs to the nodes before it runs there."""
    if "bundle" in found.needs and cluster.config.kubernetes.source == "bundle":
        from dlws import bundle

        bundle.ensure(cluster, nodes)


def everywhere(cluster: Cluster, nodes: list[Node], found: Script) -> list[Any]:
    """Run (or, with --background, start) a script on nodes, many at once."""
    ready(cluster, nodes, found)
    action = start if cluster.options.background else run
    config, sudo = cluster.config, cluster.options.sudo
    return cluster.each(
        nodes, lambda node: action(node, config, found, sudo), found.name, careful=True
    )
