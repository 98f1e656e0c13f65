"""The watchdog before a real API server, with the account and rights that its service gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from jobplatform.exporter.watch import Watchdog
from jobplatform.kubernetes import Cluster, Refused
from tests.support import apiserver
from tests.support.apiserver import ADDRESS, ApiServer
from tests.support.deploy import Deploy
from tests.support.examples import cluster_of, filled_in, objects_of

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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    (tmp_path / "config.yaml").write_text(ONE)
    Deploy(tmp_path)("bundle", "build", "--from", "debian")
    (tmp_path / "server").mkdir()
    with apiserver.serving(tmp_path / "deploy/bundle/amd64", tmp_path / "server") as found:
        yield found


def account(server: ApiServer, place: Path) -> Path:
    """What a pod of the watchdog's has of Kubernetes: a token, and whom to trust."""
    for one in objects_of(cluster_of(place, filled_in()))["monitor"]:
        if one.kind.name in PATHS:
            server(PATHS[one.kind.name], one.body)
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    found = server(f"{PATHS['ServiceAccount']}/watchdog/token", token)
    (place / "token").write_text(found["status"]["token"])
    (place / "ca.crt").write_text((server.place / "ca.crt").read_text())
    return place


def test_it_reads_nodes_and_pods_and_may_do_nothing_else(
    server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    server("/api/v1/nodes", node)
    place = account(server, tmp_path_factory.mktemp("account"))
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
