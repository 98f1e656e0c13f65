"""Nodes that have to offer a resource once a service's pods run there."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.core.errors import DeployError
from dlws.services.rollout import takes
from dlws.services.start import start
from tests.support.sites import Site

NODES = "/api/v1/nodes"
SAYS = "offers: [nvidia.com/gpu]\n"
PLUGIN = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: plugin}
spec:
  selector: {matchLabels: {app: plugin}}
  template:
    metadata: {labels: {app: plugin}}
    spec:
      nodeSelector: {gpu: active, maker: nvidia}
      tolerations: [{key: nvidia.com/gpu, operator: Exists}]
      containers: [{name: plugin, image: "example/plugin:1"}]
"""
LABELS = {"gpu": "active", "maker": "nvidia"}


def node(
    name: str = "worker01", offers: str = "", ready: str = "True", **more: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": name, "labels": more.get("labels", LABELS)},
        "spec": {"taints": more.get("taints")},
        "status": {
            "allocatable": {"cpu": "2", **({"nvidia.com/gpu": offers} if offers else {})},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def started(site: Site, *nodes: dict[str, Any], **options: Any) -> None:
    site.write("devices", service__yaml=SAYS, plugin__yaml=PLUGIN)
    site.kube.lists[NODES] = list(nodes)
    start(site.cluster(**options), ["devices"], 0.5)


@pytest.mark.parametrize("offers", ["", "0"])
def test_a_node_that_offers_none_is_told_with_what_to_look_at(site: Site, offers: str) -> None:
    with pytest.raises(DeployError) as caught:
        started(site, node(offers="2"), node("worker02", offers))
    assert "Node worker02: offers no nvidia.com/gpu\n" in caught.value.message
    assert "--field-selector spec.nodeName=worker02" in caught.value.message
    assert "worker01" not in caught.value.message


def test_a_node_that_offers_them_later_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def listed(path: str) -> list[dict[str, Any]]:
        if path != NODES:
            return before(path)
        asked.append(1)
        return [node(offers="2" if len(asked) > 1 else "")]

    before = site.kube._all
    monkeypatch.setattr(site.kube, "_all", listed)
    started(site)
    assert len(asked) == 2, "once to see it, once to watch it"


def test_nodes_that_its_pods_are_not_for_are_not_waited_for(site: Site) -> None:
    kept_off = [{"key": "broken", "effect": "NoSchedule"}]
    started(
        site,
        node("other", labels={"gpu": "active"}),
        node("away", ready="Unknown"),
        node("closed", taints=kept_off),
    )
    assert site.kube.mutations and ("GET", NODES) in site.kube.asked


def test_a_dry_run_waits_for_none(site: Site) -> None:
    started(site, node(), dry_run=True)
    assert not site.kube.mutations


@pytest.mark.parametrize(
    ("taint", "tolerated", "takes_it"),
    [
        ({"key": "a", "effect": "NoSchedule"}, [], False),
        ({"key": "a", "effect": "NoExecute"}, [{"key": "b"}], False),
        ({"key": "a", "effect": "NoSchedule"}, [{"key": "a"}], True),
        ({"key": "a", "effect": "NoSchedule"}, [{"operator": "Exists"}], True),
        ({"key": "a", "effect": "PreferNoSchedule"}, [], True),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, [], True),
    ],
)
def test_taints(taint: dict[str, str], tolerated: list[dict[str, str]], takes_it: bool) -> None:
    assert takes(node(taints=[taint]), tolerated) is takes_it
