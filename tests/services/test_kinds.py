"""Where objects of a kind are, and in which order kinds are applied."""

from __future__ import annotations

import pytest

from dlws.core.errors import DeployError
from dlws.services.kinds import Kinds, rank


@pytest.mark.parametrize(
    ("version", "name", "path"),
    [
        ("v1", "ConfigMap", "/api/v1/namespaces/n/configmaps/x"),
        ("v1", "Endpoints", "/api/v1/namespaces/n/endpoints/x"),
        ("v1", "Namespace", "/api/v1/namespaces/x"),
        ("apps/v1", "DaemonSet", "/apis/apps/v1/namespaces/n/daemonsets/x"),
        ("networking.k8s.io/v1", "NetworkPolicy",
         "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/x"),
        ("networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1/namespaces/n/ingresses/x"),
        ("scheduling.k8s.io/v1", "PriorityClass",
         "/apis/scheduling.k8s.io/v1/priorityclasses/x"),
    ],
)  # fmt: skip
def test_the_path_of_what_is_built_in_is_known_without_asking(
    version: str, name: str, path: str
) -> None:
    assert Kinds().of(version, name).path("n", "x") == path


def test_a_kind_that_manifests_define_is_known_without_asking() -> None:
    names = {"plural": "mice", "kind": "Mouse"}
    versions = [{"name": "v1"}, {"name": "v2"}]
    spec = {"group": "e.org", "scope": "Cluster", "names": names, "versions": versions}
    kinds = Kinds()
    kinds.learn([{"kind": "CustomResourceDefinition", "spec": spec}])
    assert kinds.of("e.org/v2", "Mouse").path("n", "x") == "/apis/e.org/v2/mice/x"


def test_other_kinds_are_asked_for_once_a_group() -> None:
    asked = []

    def ask(path: str) -> dict[str, object]:
        asked.append(path)
        own = {"name": "mice", "kind": "Mouse", "namespaced": True}
        return {"resources": [own, {"name": "mice/status", "kind": "Mouse", "namespaced": True}]}

    kinds = Kinds(ask)
    assert kinds.of("e.org/v1", "Mouse").all == "/apis/e.org/v1/mice"
    with pytest.raises(DeployError, match=r"knows no Rat of e.org/v1"):
        kinds.of("e.org/v1", "Rat")
    assert asked == ["/apis/e.org/v1"]


def test_the_order_of_kinds() -> None:
    order = ["Namespace", "CustomResourceDefinition", "Secret", "ClusterRole", "RoleBinding", "Job"]
    assert sorted(order, key=rank) == order
