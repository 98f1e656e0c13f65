from __future__ import annotations

from typing import Any, cast

import pytest

from dlws.core.errors import DeployError
from dlws.kubernetes import systempods
from dlws.kubernetes.api import Api
from dlws.kubernetes.objects import Objects
from dlws.kubernetes.systempods import SLOW, problems

NOW = 1_000_000_000.0  # 2001-09-09T01:46:40Z
MADE = "2001-09-09T01:30:00Z"
YOUNG = "2001-09-09T01:46:00Z"
PROXY = {"k8s-app": "kube-proxy"}


def pod(name: str, node: str = "w1", labels: Any = None, made: str = MADE, **status: Any) -> Any:
    about = {"name": name, "labels": labels or {}, "creationTimestamp": made}
    return {"metadata": about, "spec": {"nodeName": node}, "status": {"phase": "Running", **status}}


def waiting(reason: str) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason}}}]}


@pytest.mark.parametrize(("one", "said"), [
    (pod("a"), []),
    (pod("a", phase="Succeeded"), []),
    (pod("a", **waiting("CrashLoopBackOff")), ["pod a: CrashLoopBackOff"]),
    (pod("a", phase="Pending", **waiting("ErrImagePull")), ["pod a: ErrImagePull"]),
    (pod("a", phase="Pending", made=YOUNG, **waiting("ContainerCreating")), []),
    (pod("a", phase="Pending", **waiting("ContainerCreating")),
     ["pod a: ContainerCreating for 17 minutes"]),
    (pod("a", phase="Pending", made="nonsense"), []),
    (pod("a", phase="Failed", reason="Evicted"), ["pod a: Evicted"]),
])  # fmt: skip
def test_a_node_that_says_ready_and_runs_nothing(one: Any, said: list[str]) -> None:
    """Another cluster's CNI file came first: Ready, and no pod started."""
    assert problems([one], NOW).get("w1", []) == said
    assert SLOW < 1000


def test_a_missing_kube_proxy_is_told_where_others_have_one() -> None:
    first, other = pod("kube-proxy-1", "i1", PROXY), pod("kube-flannel-2", "w1")
    assert problems([first, other], NOW) == {"w1": ["no kube-proxy: services do not work there"]}
    assert problems([other], NOW) == {}  # a network plugin that does its work
    assert problems([first, pod("kube-proxy-2", "w1", PROXY), other], NOW) == {}


def test_an_api_server_that_does_not_tell_is_not_taken_for_a_healthy_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Objects, path: str) -> None:
        raise DeployError("the API server does not answer")

    monkeypatch.setattr(Objects, "list", refuse)
    with pytest.raises(DeployError, match="does not answer"):
        systempods.of(cast(Api, None), 0)
