"""Scripts on nodes: only the script and the files it names go there, and they do not stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dlws.core.connection import Result
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.nodes.node import CommandFailed, Node
from dlws.runs.plan import Planned, digest
from dlws.scripts.checkmode import differences
from dlws.scripts.reboot import reboot
from dlws.scripts.script import Script, environment
from dlws.shell import files
from dlws.shell.quoting import script, sh
from dlws.shell.recorder import REBOOT

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster

# Like files.RUN, but left running: $1 is its name, then the command. Log, pid and status stay.
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
    preview = differences(node, config, found, args) if node.dry_run and found.check else ()
    variables = [f"{name}={value}" for name, value in environment(config, node).items()]
    result = node.run(
        f"{files.RUN} {sh('env', *variables, *command)}",
        stdin=found.archive,
        sudo=sudo or "root" in found.needs,
        check=False,
        title=f"run {sh(found.name, *args)}",
        live=True,
        planned=Planned(follows=follows, preview=tuple(preview)),
    )
    node.count_changes(result.out)
    return result


def start(node: Node, config: Config, found: Script, sudo: bool = False) -> Result:
    """Start a script that outlives the connection; its log and exit status stay on the node."""
    variables = [f"{name}={value}" for name, value in environment(config, node).items()]
    place = re.sub(r"[^A-Za-z0-9._-]", "_", found.name)  # `status` takes no other names for ours
    return node.run(
        f"{_START} {sh(place, 'env', *variables, *found.words(found.args))}",
        stdin=found.archive,
        sudo=sudo or "root" in found.needs,
        title=f"start {sh(found.name, *found.args)} in the background",
        live=True,
    )


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
    outcomes = cluster.read_all(
        limited, lambda node: node.read("true"), "looking for an infra node"
    )
    alive = [outcome.node for outcome in outcomes if not outcome.error]
    if not limited:
        raise UsageError("no infra node is among the chosen ones", f"see: {PROGRAM} display")
    if not alive:
        cluster.raise_failures(outcomes)
    # The same one in a resumed run and an applied plan.
    return min(alive, key=lambda node: digest(cluster.run.seed, node.name))


def ready(cluster: Cluster, nodes: list[Node], found: Script) -> None:
    """Bring what a script needs to the nodes before it runs there."""
    if "bundle" in found.needs and cluster.config.kubernetes.source == "bundle":
        from dlws import bundle

        bundle.ensure(cluster, nodes)


def everywhere(cluster: Cluster, nodes: list[Node], found: Script) -> list[Any]:
    """Run (or, with --background, start) a script on nodes, many at once."""
    ready(cluster, nodes, found)
    action = start if cluster.run.options.background else run
    config, sudo = cluster.config, cluster.run.options.sudo
    return cluster.change_all(
        nodes, lambda node: action(node, config, found, sudo), found.name, protect_quorum=True
    )
