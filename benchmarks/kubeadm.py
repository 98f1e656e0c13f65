"""What our `kubeadm init` and `join` add to the same kubeadm lines run by hand on the node.

    python -m benchmarks.kubeadm --dir DIR [--runs 2]

DIR is a cluster's directory (a sandbox's, say) whose nodes have kubeadm. Its cluster is reset again
and again: never name one that is in use. Prints medians and ratios within one run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dlws.core.connection import Local
from dlws.kubeadm import documents, join
from dlws.nodes import endpoint
from dlws.nodes.node import Node
from dlws.runs.options import Options
from dlws.session import Session
from dlws.shell.quoting import script, sh

ROOT = Path(__file__).resolve().parents[1]
_BY_HAND = 'umask 077; cat >/run/by-hand.yaml; "$@"; code=$?; rm -f /run/by-hand.yaml; exit $code'


def deploy(directory: Path, *words: str) -> None:
    result = Local().run(sh(sys.executable, ROOT / "deploy.py", "--dir", directory, *words))
    if not result.ok:
        sys.exit(result.complaint)


def timed(action: Callable[[], object]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def by_hand(node: Node, words: list[str], content: str) -> None:
    node.read(script(_BY_HAND, *words), stdin=content.encode(), sudo=True)


def init_by_hand(session: Session) -> None:
    cluster = session.cluster
    node = cluster.first
    made = documents.init_documents(
        cluster.config,
        endpoint.api_endpoint(cluster),
        endpoint.certificate_names(cluster),
        node.name,
        endpoint.inner_address(node),
        join.token(),
    )
    phases = ",".join(cluster.config.kubernetes.skip_phases)
    words = ["kubeadm", "init", "--config", "/run/by-hand.yaml", f"--skip-phases={phases}"]
    by_hand(node, words, documents.dump(made).decode())


def join_by_hand(session: Session) -> None:
    cluster = session.cluster
    first, worker = cluster.first, cluster.workers[0]
    line = first.read("kubeadm token create --print-join-command", sudo=True).text
    _, _, _, _, token, _, ca_hash, *_ = line.split()
    document = documents.join_document(
        cluster.config,
        endpoint.api_endpoint(cluster),
        worker.name,
        endpoint.inner_address(worker),
        token,
        ca_hash,
        "",
    )
    words = ["kubeadm", "join", "--config", "/run/by-hand.yaml"]
    by_hand(worker, words, documents.dump([document]).decode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    directory = options.dir.resolve()
    times: dict[str, list[float]] = {"init by hand": [], "join by hand": [], "init": [], "join": []}
    for _ in range(options.runs):
        session = Session(Options(directory=directory))
        name, worker = session.config.cluster_name, session.cluster.workers[0].name
        deploy(directory, "kubeadm", "reset", "--yes-reset", name)
        times["init by hand"].append(timed(partial(init_by_hand, session)))
        times["join by hand"].append(timed(partial(join_by_hand, session)))
        session.close()
        deploy(directory, "kubeadm", "reset", "--yes-reset", name)
        times["init"].append(timed(partial(deploy, directory, "kubeadm", "init")))
        times["join"].append(timed(partial(deploy, directory, "kubeadm", "join", worker)))
    for what, taken in times.items():
        print(
            f"{what:14} {statistics.median(taken):6.1f} s  ({', '.join(f'{t:.1f}' for t in taken)})"
        )
    for what in ("init", "join"):
        ratio = statistics.median(times[what]) / statistics.median(times[f"{what} by hand"])
        print(f"{what}: {ratio:.2f} times by hand")


if __name__ == "__main__":
    main()
