"""Waiting by watching: what is told of pods meanwhile, and why something did not come up."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.core.errors import DeployError
from dlws.services.manifests import Key
from dlws.services.start import start
from dlws.services.waiting import belongs
from tests.support.sites import WEB, Site

PODS = "/api/v1/pods"
EVENTS = "/api/v1/namespaces/default/events"


def pod(name: str, owner: str, uid: str = "1", **container: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": uid,
            "labels": {"dlws.io/service": "shop"},
            "ownerReferences": [{"name": owner}],
        },
        "spec": {"nodeName": "worker01", "containers": [{"name": "web", "image": "example/web:1"}]},
        "status": {"hostIP": "10.1.0.11", "containerStatuses": [{"name": "web", **container}]},
    }


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def refused(site: Site) -> str:
    site.write("shop", a__yaml=WEB)
    site.kube.stuck.add("web")
    with pytest.raises(DeployError) as caught:
        start(site.cluster(), ["shop"], 0.5)
    assert caught.value.code == 1
    return caught.value.message


def test_the_registrys_words_are_told_at_once_and_at_the_end(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    said = waits("ErrImagePull", "manifest unknown")
    site.kube.lists[PODS] = [pod(f"web-1-{n}", "web-1", str(n), state=said) for n in range(2)]
    told = refused(site)
    sentence = "pod web-1-0 on worker01: image example/web:1 cannot be pulled: manifest unknown"
    assert f"Deployment default/web: 0 of 1 pods ready; {sentence}\n    cure: " in told
    shown = capsys.readouterr().err
    assert shown.count("cannot be pulled") == 1, "once for all pods of a service"


def test_a_pull_that_waits_for_its_next_try_is_told_by_its_event(site: Site) -> None:
    site.kube.lists[PODS] = [pod("web-1-a", "web-1", state=waits("ImagePullBackOff"))]
    warning = {"type": "Warning", "message": "Failed to pull: 403 denied"}
    site.kube.lists[EVENTS] = [{**warning, "metadata": {"name": "e"}}]
    assert "cannot be pulled: Failed to pull: 403 denied" in refused(site)


def test_a_crash_is_told_with_the_last_lines_of_its_log(site: Site) -> None:
    ended = {"terminated": {"exitCode": 1}}
    crashed = pod("web-1-a", "web-1", state=waits("CrashLoopBackOff"), lastState=ended)
    site.kube.lists[PODS] = [crashed]
    site.kube.logs["/api/v1/namespaces/default/pods/web-1-a/log"] = "one\nno such port\n"
    assert "its last lines:\n        one\n        no such port" in refused(site)


def test_a_pod_that_is_only_not_ready_is_told_by_its_event(site: Site) -> None:
    site.kube.lists[PODS] = [pod("web-1-a", "web-1", state={"running": {}})]
    warning = {"type": "Warning", "message": "Readiness probe failed: 503"}
    site.kube.lists[EVENTS] = [{**warning, "metadata": {"name": "e"}}]
    assert "pod web-1-a is not ready: Readiness probe failed: 503" in refused(site)


@pytest.mark.parametrize(
    ("owner", "expected"), [("web", True), ("web-5d9c", True), ("web-api-5d9c", False)]
)
def test_whose_pod_it_is(owner: str, expected: bool) -> None:
    assert belongs(pod("x", owner), Key("apps", "Deployment", "default", "web")) is expected
