"""What `kubernetes start` takes beside `kubectl apply` of the same manifests and `rollout status`.

    python -m benchmarks.services --dir DIR [--runs 3] SERVICE...

DIR is a cluster's directory (a sandbox's, say) with one infra node; its nodes have the images.
Services are stopped and started again and again; their data stays. Prints medians, the ratio, and
what a start with nothing to do takes and asks the API server for.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dlws.core.connection import Local, Result
from dlws.kubeadm.controlplane import LOGS
from dlws.kubernetes import kubectl, tunnel
from dlws.runs.options import Options
from dlws.services import folder
from dlws.services.kinds import WORKLOADS
from dlws.services.manifests import Object
from dlws.services.values import Templates
from dlws.session import Session
from dlws.shell.quoting import sh

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Site:
    """A cluster, and groups of objects of its services: each needs what is in those before it."""

    session: Session
    groups: list[list[Object]]
    services: list[str]

    def deploy(self, *words: str) -> None:
        place = self.session.options.directory
        _well(Local().run(sh(sys.executable, ROOT / "deploy.py", "--dir", place, "-y", *words)))

    def kubectl(self, *words: str, group: Sequence[Object] = ()) -> None:
        """Run kubectl itself; the objects of a group are what it reads."""
        cluster = self.session.cluster
        settings = kubectl.environment(cluster, tunnel.direct(cluster))
        items = {"apiVersion": "v1", "kind": "List", "items": [one.body for one in group]}
        line = sh("env", f"KUBECONFIG={settings['KUBECONFIG']}", kubectl.program(cluster), *words)
        _well(Local().run(line, stdin=json.dumps(items).encode()))

    def by_hand(self) -> None:
        """As a person would: apply a group, then wait for each of its workloads."""
        for group in self.groups:
            self.kubectl("apply", "--filename=-", group=group)
            for one in group:
                if one.key.kind in WORKLOADS:
                    what = f"{one.key.kind}/{one.name}".lower()
                    self.kubectl("--namespace", one.namespace, "rollout", "status", what)

    def gone(self) -> None:
        """Take away what kubectl made, for start adopts nothing, and wait for the last pod."""
        for group in reversed(self.groups):
            self.kubectl("delete", "--filename=-", "--ignore-not-found", group=group)
        names = f"dlws.io/service in ({','.join(self.services)})"
        self.kubectl("delete", "pods", "--all-namespaces", f"--selector={names}")

    def asked(self) -> int:
        """How many requests of people the API server of the first infra node has logged."""
        line = f'grep -c \'"username":"kubernetes-admin"\' {LOGS}/audit.log'
        return int(self.session.cluster.first.read(line, sudo=True, check=False).text)


def _well(result: Result) -> None:
    if not result.ok:
        sys.exit(result.complaint)


def site(directory: Path, names: Sequence[str]) -> Site:
    session = Session(Options(directory=directory))
    services, made = folder.load_all(directory), Templates(session.cluster)
    levels = folder.levels(folder.named(services, names), services)
    groups = [[one for service in level for one in made.objects(service)] for level in levels]
    return Site(session, groups, [service.name for level in levels for service in level])


def timed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("services", nargs="+")
    options = parser.parse_args()
    here = site(options.dir.resolve(), options.services)
    times: dict[str, list[float]] = {"kubectl": [], "start": [], "nothing to do": []}
    start = partial(here.deploy, "kubernetes", "start", *here.services)
    for _ in range(options.runs):
        here.deploy("kubernetes", "stop", *here.services)
        times["kubectl"].append(timed(here.by_hand))
        here.gone()
        times["start"].append(timed(start))
        before = here.asked()
        times["nothing to do"].append(timed(start))
        requests = here.asked() - before
    here.session.close()
    for what, taken in times.items():
        each = ", ".join(f"{one:.1f}" for one in taken)
        print(f"{what:13} {statistics.median(taken):6.1f} s  ({each})")
    ratio = statistics.median(times["start"]) / statistics.median(times["kubectl"])
    print(f"start: {ratio:.2f} times kubectl (target: at most 1.3)")
    print(f"nothing to do: {requests} requests for {sum(map(len, here.groups))} objects")


if __name__ == "__main__":
    main()
