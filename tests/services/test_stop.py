"""Stopping and restarting services: in reverse, and without losing data unasked."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.services.start import start
from dlws.services.stop import restart, stop
from tests.support.sites import MAP, WEB, Site

CLAIM = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {a: b}\n"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
INVENTORY = "/api/v1/namespaces/kube-system/configmaps/dlws-service-shop"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"
SETTINGS = "/api/v1/namespaces/default/configmaps/settings"


def labelled(name: str, uid: str, owners: list[dict[str, str]]) -> dict[str, Any]:
    """What has the label of the service, and these owners."""
    labels = {"dlws.io/service": "shop"}
    metadata = {"name": name, "namespace": "default", "uid": uid, "labels": labels}
    return {"metadata": {**metadata, "ownerReferences": owners}}


@pytest.fixture
def shop(site: Site) -> Site:
    site.write("shop", a__yaml=WEB, b__yaml=MAP, c__yaml=CLAIM)
    start(site.cluster(), [], 5)
    site.kube.asked.clear()
    return site


def test_what_was_made_last_goes_first_and_data_stays(shop: Site) -> None:
    stop(shop.cluster(), ["shop"], 5)
    assert shop.kube.mutations == [
        ("DELETE", DEPLOYMENT),
        ("DELETE", SETTINGS),
        ("PATCH", INVENTORY),
    ]
    assert f"{CLAIMS}/data" in shop.kube.objects
    start(shop.cluster(), ["shop"], 5)
    assert DEPLOYMENT in shop.kube.objects


def test_data_goes_once_it_was_asked_what_exactly(shop: Site) -> None:
    asked: list[list[str]] = []
    stop(shop.cluster(), ["shop"], 5, asked.append)
    assert asked == [["PersistentVolumeClaim default/data"]]
    assert shop.kube.objects == {}


def test_nothing_goes_where_the_answer_is_no(shop: Site) -> None:
    def no(lost: list[str]) -> None:
        raise Refused("nothing was changed")

    with pytest.raises(Refused):
        stop(shop.cluster(), ["shop"], 5, no)
    assert shop.kube.mutations == []


def test_claims_that_a_statefulset_made_for_its_pods_go_with_the_data(site: Site) -> None:
    stateful = WEB.replace("Deployment", "StatefulSet").replace(
        "replicas: 1", "replicas: 1\n  volumeClaimTemplates: [{metadata: {name: disk}}]"
    )
    site.write("shop", a__yaml=stateful)
    start(site.cluster(), [], 5)
    for name in ("disk-web-0", "disk-website-0", "other-web-0"):
        metadata = {"name": name, "namespace": "default", "uid": name}
        site.kube.objects[f"{CLAIMS}/{name}"] = {"metadata": metadata}
    stop(site.cluster(), ["shop"], 5)
    assert f"{CLAIMS}/disk-web-0" in site.kube.objects
    start(site.cluster(), [], 5)
    asked: list[list[str]] = []
    stop(site.cluster(), ["shop"], 5, asked.append)
    assert asked == [["PersistentVolumeClaim default/disk-web-0"]]
    assert sorted(site.kube.objects) == [f"{CLAIMS}/disk-website-0", f"{CLAIMS}/other-web-0"]


def test_services_stop_in_reverse_of_what_they_need(site: Site) -> None:
    site.write("a-base", a__yaml=MAP)
    site.write("b-top", a__yaml=WEB, service__yaml="needs: [a-base]")
    start(site.cluster(), [], 5)
    site.kube.asked.clear()
    stop(site.cluster(), ["a-base", "b-top"], 5)
    deleted = [path for method, path in site.kube.mutations if "dlws-service" not in path]
    assert deleted == [DEPLOYMENT, SETTINGS]


def test_who_still_needs_what_stops_is_told(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write("base", a__yaml=MAP)
    site.write("top", a__yaml=WEB, service__yaml="needs: [base]")
    start(site.cluster(), [], 5)
    stop(site.cluster(), ["base"], 5)
    assert "top is up, and needs base" in capsys.readouterr().err


def test_all_services_stop_only_with_yes(shop: Site) -> None:
    with pytest.raises(Refused, match="would stop all services: shop"):
        stop(shop.cluster(), [], 5)
    stop(shop.cluster(yes=True), [], 5)
    assert DEPLOYMENT not in shop.kube.objects


def test_a_service_whose_folder_is_gone_can_be_stopped(shop: Site) -> None:
    folder = shop.directory / "templates/services/shop"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    stop(shop.cluster(), ["shop"], 5)
    assert DEPLOYMENT not in shop.kube.objects


def test_what_is_not_started_has_nothing_to_stop(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("shop", a__yaml=MAP)
    stop(site.cluster(), ["shop"], 5)
    assert "nothing to do" in capsys.readouterr().err
    with pytest.raises(UsageError, match="no service shopp"):
        stop(site.cluster(), ["shopp"], 5)


def test_pods_that_do_not_end_are_an_error(shop: Site) -> None:
    owners = [{"name": "web", "uid": f"uid-{DEPLOYMENT}"}]
    sets = [labelled("web-1", "rs", owners), labelled("mine", "other", [])]
    shop.kube.lists["/apis/apps/v1/replicasets"] = sets
    pods = [labelled(f"web-1-{uid}", uid, [{"name": "web-1", "uid": "rs"}]) for uid in "ab"]
    shop.kube.lists["/api/v1/pods"] = pods
    with pytest.raises(DeployError, match="2 pods have not ended in time: web-1-a, web-1-b"):
        stop(shop.cluster(), ["shop"], 0.2)


@pytest.mark.parametrize("owners", [[], [{"name": "web", "uid": "other"}], [{"name": "web"}]])
def test_a_pod_with_our_label_that_is_not_ours_keeps_nothing_waiting(
    shop: Site, owners: list[dict[str, str]]
) -> None:
    shop.kube.lists["/apis/apps/v1/replicasets"] = [labelled("web", "other", [])]
    shop.kube.lists["/api/v1/pods"] = [labelled("web-1", "1", owners)]
    stop(shop.cluster(), ["shop"], 30)
    assert DEPLOYMENT not in shop.kube.objects


def test_a_dry_run_notes_what_would_go(shop: Site) -> None:
    cluster = shop.cluster(dry_run=True)
    stop(cluster, ["shop"], 5)
    words = [action.words for action in cluster.run.gate.actions]
    assert words[:2] == ["delete Deployment default/web", "delete ConfigMap default/settings"]
    assert shop.kube.mutations == []


def test_a_restart_replaces_pods_and_a_start_after_it_leaves_them(shop: Site) -> None:
    restart(shop.cluster(), ["shop"], 5)
    assert shop.kube.mutations == [("PATCH", DEPLOYMENT)]
    template = shop.kube.objects[DEPLOYMENT]["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    shop.kube.asked.clear()
    start(shop.cluster(), [], 5)
    assert shop.kube.mutations == []


def test_a_restart_of_what_is_not_started_is_an_error(site: Site) -> None:
    site.write("shop", a__yaml=WEB)
    with pytest.raises(UsageError, match="not started: shop"):
        restart(site.cluster(), ["shop"], 5)
