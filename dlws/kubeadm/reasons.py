"""Why a control plane or a kubelet did not come up: their own last errors, folded."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from dlws.core.errors import DeployError
from dlws.core.text import split_lines
from dlws.nodes.node import CommandFailed, Node
from dlws.shell.quoting import script

# Prints the last errors of the kubelet (if $1 is given: of so many seconds), and the last line of
# each container that has ended. Without a running kubelet or crictl there is nothing to print.
_READ = """{
journalctl -u kubelet -n 300 -o cat --no-pager ${1:+--since=-"$1"s} 2>/dev/null |
  grep -aE '^[EF][0-9]{4} |level=(error|fatal)|[Ff]ailed|panic' | tail -n 40 | sed 's/^/kubelet: /'
for id in $(timeout 20 crictl ps -a --state Exited -q 2>/dev/null | head -n 8); do
  name=$(timeout 5 crictl inspect -o go-template \\
    --template '{{.status.metadata.name}}' "$id" 2>/dev/null)
  said=$(timeout 5 crictl logs --tail 1 "$id" 2>&1) || continue
  printf '%s\\n' "$said" | sed "s/^/${name:-container}: /"
done
} | cut -c 1-2000
exit 0"""

_KLOG = re.compile(r"^([a-z0-9.-]+: )?[EFWI]\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] ")
_VARIES = re.compile(r"\b[0-9a-f]{12,64}\b|\b\d{4}-\d\d-\d\dT[\d:.]+Z?|\b[0-9a-f-]{36}\b")
_SHOWN, _WIDTH = 4, 300

_KNOWN = (
    ("misconfiguration: kubelet cgroup driver", "kubelet and runtime need one cgroup driver"),
    ("running with swap on", "on the node: swapoff -a, and take swap out of /etc/fstab"),
    ("no space left on device", "make room on the node: df -h"),
    ("failed to pull image", "can the node reach the registry of kubernetes.image_repository?"),
    ("too many open files", "on the node: sysctl fs.inotify.max_user_instances=8192"),
    ("certificate has expired", "is the node's clock right (date)?"),
    ("address already in use", "another program has the port: ss -ltnp on the node"),
)
"""What these errors say, and what helps."""


def reasons(text: str) -> list[str]:
    """The errors that were said most lately, each once, with how often it was said."""
    latest = list(_counted(text).values())[-_SHOWN:]
    return [f"{words} ({count} times)" if count > 1 else words for count, words in latest]


def _counted(text: str) -> dict[str, tuple[int, str]]:
    """How often each error was said, and its last words; the one that was said last comes last."""
    said: dict[str, tuple[int, str]] = {}
    for line in split_lines(text):
        who = line.split(": ", 1)[0] + ": " if ": " in line else ""
        words = _KLOG.sub(who, line).strip()[:_WIDTH]
        kind = _VARIES.sub("", words)
        count = said.pop(kind, (0, ""))[0]
        said[kind] = count + 1, words
    return said


def cure(said: Iterable[str]) -> str:
    """What helps against errors that are known; nothing where none is."""
    text = "\n".join(said).lower()
    return next((helps for words, helps in _KNOWN if words in text), "")


def explained(node: Node, error: CommandFailed) -> DeployError:
    """The failure of kubeadm with what the kubelet and the containers say of it."""
    found = reasons(node.read(script(_READ), sudo=True, check=False).text)
    if not found:
        return error
    return DeployError("\n    ".join([error.message, "its last errors:", *found]), cure(found))


PAUSE = 15.0
"""Seconds between two looks at a kubeadm that is at work."""
_TURNS = 4
"""Looks in which a kubelet says the same: a good one says much in its first half minute."""
_EXPECTED = re.compile(
    r"not found|connection refused|cni.*not initialized|network.*not ready", re.IGNORECASE
)
"""What a kubelet says while it waits for the others."""


class News:
    """What is worth saying of a kubeadm that is still at work, each once: a known error and a
    container that ends again and again at once, others when they do not stop."""

    def __init__(self) -> None:
        self._turns, self._told = Counter[str](), set[str]()

    def of(self, text: str) -> list[str]:
        """What is new in the words of one look."""
        found = []
        for kind, (count, words) in _counted(text).items():
            self._turns[kind] += 1
            often = count > 1 or self._turns[kind] > 1
            if kind.startswith("kubelet: ") and not cure([words]):
                often = self._turns[kind] >= _TURNS and not _EXPECTED.search(words)
            if often and kind not in self._told:
                self._told.add(kind)
                found.append(words)
        return found


@contextmanager
def watched(node: Node) -> Iterator[None]:
    """While the block runs a kubeadm there, say what keeps it from its end: it would wait for
    minutes before it fails."""
    ended, news = threading.Event(), News()

    def look() -> None:
        while not ended.wait(PAUSE):
            with suppress(DeployError):  # the node may be busy, or gone: the block finds out
                line = script(_READ, int(PAUSE) + 1)
                for words in news.of(node.read(line, sudo=True, check=False).text):
                    helps = cure([words])
                    node.say(f"still waiting: {words}{f' ({helps})' if helps else ''}")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
