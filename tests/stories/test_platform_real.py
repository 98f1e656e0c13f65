"""The watchdog and the manager before a real API server, each with the account and rights that its
service gives it. There is no kubelet: who plays one writes what it would."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine

from jobplatform import kubernetes
from jobplatform.exporter.watch import Watchdog
from jobplatform.kubernetes import Cluster, Refused
from jobplatform.manager import loop
from jobplatform.manager.loop import Manager
from jobplatform.manager.picture import KINDS, Kind, Picture
from jobplatform.manager.pods import JOB
from tests.support import apiserver
from tests.support.apiserver import ADDRESS, ApiServer
from tests.support.deploy import Deploy
from tests.support.examples import cluster_of, filled_in, objects_of
from tests.support.platform.databases import database
from tests.support.platform.managers import Site, an_hour_passes
from tests.support.waiting import wait_until

__all__ = ["database"]
pytestmark = pytest.mark.cluster
ONE = """cluster_name: one
machines: {i0: {role: infrastructure, private-ip: 127.9.0.1}}
kubernetes: {version: v1.20.2, source: bundle}
"""
SPACE = "/api/v1/namespaces/kube-system"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATHS = {
    "ServiceAccount": f"{SPACE}/serviceaccounts",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    place = tmp_path_factory.mktemp("platform")
    (place / "config.yaml").write_text(ONE)
    Deploy(place)("bundle", "build", "--from", "debian")
    (place / "server").mkdir()
    with apiserver.serving(place / "deploy/bundle/amd64", place / "server") as found:
        found("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
        yield found


def account(server: ApiServer, place: Path, service: str, name: str) -> Path:
    """What a pod of a service has of Kubernetes: a token, and whom to trust."""
    for one in objects_of(cluster_of(place, filled_in()))[service]:
        if one.kind.name in PATHS:
            server(PATHS[one.kind.name], one.body)
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    found = server(f"{PATHS['ServiceAccount']}/{name}/token", token)
    (place / "token").write_text(found["status"]["token"])
    (place / "ca.crt").write_text((server.place / "ca.crt").read_text())
    return place


def test_the_watchdog_reads_nodes_and_pods_and_may_do_nothing_else(
    server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = account(server, tmp_path_factory.mktemp("account"), "monitor", "watchdog")
    cluster = Cluster(f"https://{ADDRESS}:{server.port}", place)
    made = CollectorRegistry()
    made.register(Watchdog(cluster))
    found = generate_latest(made).decode()
    assert 'k8s_node_count{ready="false",unschedulable="false"} 1.0' in found
    assert "dlws_kubernetes_answers 1.0" in found
    for kind in ("secrets", "configmaps"):
        with pytest.raises(Refused, match="forbidden"):
            cluster.all(kind)
    with pytest.raises(Refused, match="forbidden"):
        cluster.delete("pods", "kube-system", "x")
    (place / "token").write_text("another one's")
    assert "dlws_kubernetes_answers 0.0" in generate_latest(made).decode()
    cluster.pool.clear()


@pytest.fixture(scope="module")
def cluster(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """As the manager speaks with it."""
    place = account(server, tmp_path_factory.mktemp("manager"), "jobmanager2", "jobmanager2")
    made = Cluster(f"https://{ADDRESS}:{server.port}", place)
    yield made
    made.pool.clear()


@pytest.fixture
def shown(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Picture]:
    """What its watches tell, each of which goes on for 2 seconds."""
    monkeypatch.setattr(kubernetes, "_WATCHED", 2)
    made, ended = Picture(cluster), threading.Event()

    def run(one: Kind) -> None:
        while not ended.is_set():
            one.hear()

    threads = [threading.Thread(target=run, args=(one,)) for one in made.kinds.values()]
    for one in threads:
        one.start()
    yield made
    ended.set()
    for one in threads:
        one.join()


def pods(shown: Picture) -> dict[str, str]:
    """Those of jobs that it shows, and their phases; none of whom it is not known."""
    found = shown.seen() or {}
    return {one["metadata"]["name"]: one["status"]["phase"] for one in found.get("pods", ())
            if JOB in one["metadata"].get("labels", {})}  # fmt: skip


def play(server: ApiServer, name: str, phase: str) -> None:
    """What a kubelet says of a pod."""
    path = f"/api/v1/namespaces/vc-a/pods/{name}"
    one = server(path)
    if "nodeName" not in one["spec"]:
        target = {"apiVersion": "v1", "kind": "Node", "name": "n1"}
        meta = {"name": name, "namespace": "vc-a"}
        server(f"{path}/binding", {"apiVersion": "v1", "kind": "Binding", "metadata": meta,
                                   "target": target})  # fmt: skip
        one = server(path)
    one["status"]["phase"] = phase
    server(f"{path}/status", one, method="PUT")


def requests(server: ApiServer) -> Counter[tuple[str, str]]:
    """What the manager has asked for, by the server's audit log."""
    whole, _, _ = (server.place / "audit.log").read_text().rpartition("\n")
    return Counter((row["verb"], row["objectRef"]["resource"])
                   for row in map(json.loads, whole.splitlines())
                   if row["user"].get("username", "").endswith(":jobmanager2"))  # fmt: skip


def a_place_for_jobs(server: ApiServer) -> None:
    """What a kubelet and the controllers make: a node that is Ready, an account in a namespace."""
    about = server("/api/v1/nodes/n1")
    about["status"] = {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"},
                       "conditions": [{"type": "Ready", "status": "True"}]}  # fmt: skip
    server("/api/v1/nodes/n1/status", about, method="PUT")
    server("/api/v1/nodes/n1", {**server("/api/v1/nodes/n1"), "spec": {}}, method="PUT")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vc-a"}}
    server("/api/v1/namespaces", space)
    made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    server("/api/v1/namespaces/vc-a/serviceaccounts", made)


def test_the_manager_hears_of_what_happens_and_asks_for_lists_only_then(
    server: ApiServer, cluster: Cluster, shown: Picture, database: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(loop, "LISTED", 3600)  # a busy machine takes a minute for this
    a_place_for_jobs(server)
    site = Site(database)
    site.manager = Manager(database, cluster, "one", picture=shown.seen)
    number = site.submit()
    name = f"job-{number}-1-worker-0"

    def passed(state: str, *there: tuple[str, str]) -> bool:
        site.manager.turn()
        return (site.job(number).jobStatus, pods(shown)) == (state, dict(there))

    wait_until(lambda: passed("scheduling", (name, "Pending")))
    play(server, name, "Running")
    # The pass after one that did something asks for lists, too.
    wait_until(lambda: passed("running", (name, "Running")) and not site.manager.acted)
    before = requests(server)

    def asked() -> Counter[tuple[str, str]]:
        site.manager.turn()
        return requests(server) - before

    wait_until(lambda: all(asked()["watch", kind] > 2 for kind in KINDS))
    assert {verb for verb, _ in asked()} == {"watch"}
    play(server, name, "Succeeded")
    wait_until(lambda: passed("finished", (name, "Succeeded")))
    an_hour_passes(site.manager)
    wait_until(lambda: passed("finished"))
    found = shown.seen()
    assert found and not found["services"] and not found["configmaps"]
