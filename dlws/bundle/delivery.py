"""Send a bundle to nodes: what a node has already, with the right hash, is not sent again."""

from __future__ import annotations

import hashlib
import shlex
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.bundle import manifest as manifests
from dlws.bundle.manifest import NAME, Entry
from dlws.core import resources
from dlws.core.errors import CheckFailed, DeployError
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.shell.files import File
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

PLACE = "/var/lib/dlws/bundle"
"""Where a bundle lies on a node."""
SUMS = "SHA256SUMS"
"""The same hashes as in manifest.json, for sha256sum on the node."""

KIND_OF_NODE = script('dpkg --print-architecture && . /etc/os-release && echo "$VERSION_CODENAME"')

_HAVE = '[ ! -d "$1" ] || find "$1" ! -type d -printf "%P\\n"'
_hashing = threading.Lock()
_REMOVE = 'cd "$1" && tr "\\n" "\\0" | xargs -0r rm -f --'


def push(node: Node, directory: Path) -> list[str]:
    """Make a node's bundle the one in `directory`; the paths that had to be sent or removed."""
    architecture, _, codename = node.read(KIND_OF_NODE).text.partition("\n")
    control_plane = "infrastructure" in node.roles
    part = manifests.load(directory).for_node(architecture, codename, control_plane)
    entries = part.architectures[architecture]
    lists = {NAME: part.dump().encode(), SUMS: sums(entries).encode()}
    wanted = hashlib.sha256(b"".join(lists.values())).hexdigest()
    if node.read(checked(), sudo=True, check=False).text.strip() == wanted:
        return []
    return _send(node, directory / architecture, entries, lists)


def checked() -> str:
    """The command that prints the sum of a node's lists, if all that they name was found right."""
    library = (resources.scripts() / "lib/bundle.sh").read_text()
    words = 'bundle_is_checked "$1" && cat "$1/$2" "$1/$3" | sha256sum | cut -d " " -f 1'
    return script(f"{library}{words}", PLACE, NAME, SUMS)


def _send(
    node: Node, source: Path, entries: tuple[Entry, ...], lists: Mapping[str, bytes]
) -> list[str]:
    with _hashing:
        tree = _tree(source, entries)
    surplus = _remove_surplus(node, [entry.path for entry in entries])
    # The lists come last, so that a transfer that was cut off does not look complete.
    sent = node.put_tree(tree)
    sent += node.put_tree([File(f"{PLACE}/{name}", text) for name, text in lists.items()])
    return [path.removeprefix(f"{PLACE}/") for path in sent] + surplus


@lru_cache(maxsize=8)
def _tree(source: Path, entries: tuple[Entry, ...]) -> tuple[File, ...]:
    """The files to send, hashed once for all nodes of a kind; CheckFailed if one is wrong."""
    tree = tuple(File(f"{PLACE}/{e.path}", source / e.path, e.mode) for e in entries)
    wrong = [e.path for file, e in zip(tree, entries, strict=True) if not _same(file, e)]
    if wrong:
        raise CheckFailed(
            f"the bundle is not what its manifest says: {', '.join(wrong)}",
            f"{PROGRAM} bundle verify, then: {PROGRAM} bundle build",
        )
    return tree


def _same(file: File, entry: Entry) -> bool:
    return isinstance(file.content, Path) and file.content.is_file() and file.sha256 == entry.sha256


def _remove_surplus(node: Node, paths: Sequence[str]) -> list[str]:
    # Files of an earlier bundle would be found and installed by their names.
    have = node.read(script(_HAVE, PLACE), sudo=True).text
    surplus = sorted(set(split_lines(have)) - {*paths, NAME, SUMS})
    if surplus:
        lines = "".join(f"{path}\n" for path in surplus)
        title = f"remove from its bundle: {', '.join(surplus)}"
        node.run(script(_REMOVE, PLACE), stdin=lines.encode(), sudo=True, title=title)
    return surplus


def sums(entries: Sequence[Entry]) -> str:
    """The text of SHA256SUMS."""
    return "".join(f"{entry.sha256}  {entry.path}\n" for entry in entries)


def directory(cluster: Cluster) -> Path:
    """The bundle that the configuration names, else deploy/bundle."""
    named = cluster.config.kubernetes.bundle
    return cluster.directory / (named or "deploy/bundle")


def ensure(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Push the bundle to nodes where `kubernetes.source` is `bundle`; else do nothing."""
    if cluster.config.kubernetes.source != "bundle":
        return
    source = directory(cluster)
    found = manifests.checked(source, cluster.run.console)
    if found:
        raise CheckFailed(
            f"{source}: {len(found)} files are not right: {', '.join(found[:5])}",
            f"{PROGRAM} bundle build --output {shlex.quote(str(source))}",
        )
    version = manifests.load(source).kubernetes_version
    if version != str(cluster.config.kubernetes.version):
        raise DeployError(
            f"the bundle is Kubernetes {version}, config.yaml wants "
            f"{cluster.config.kubernetes.version}",
            f"set kubernetes.version, or make the bundle again: {PROGRAM} bundle build",
        )
    cluster.change_all(nodes, lambda node: _pushed(node, source), "bundle", protect_quorum=True)


def _pushed(node: Node, source: Path) -> list[str]:
    changed = push(node, source)
    verb = "would change" if node.dry_run else "changed"
    node.say(f"bundle: {len(changed)} files {verb}" if changed else "bundle: nothing to send")
    return changed
