"""Starting services: what is sent, in which order, and what a second start leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.kubernetes import objects
from dlws.runs.plan import Plan
from dlws.services.manifests import SERVICE
from dlws.services.rollout import Goal
from dlws.services.start import start
from dlws.services.work import Work
from tests.support.examples import cluster_of, filled_in
from tests.support.fakes import CONFIG
from tests.support.kubeobjects import FakeKube
from tests.support.sites import MAP, WEB, Site

INVENTORY = "/api/v1/namespaces/kube-system/configmaps/dlws-service-shop"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"
SETTINGS = "/api/v1/namespaces/default/configmaps/settings"


def test_objects_are_applied_in_their_order_after_the_inventory(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    start(site.cluster(), ["shop"], 5)
    assert site.kube.mutations == [("PATCH", INVENTORY), ("PATCH", SETTINGS), ("PATCH", DEPLOYMENT)]
    made = site.kube.objects[DEPLOYMENT]
    assert made["metadata"]["labels"] == {SERVICE: "shop"}
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "web", SERVICE: "shop"}


def test_again_sends_nothing_and_asks_once_per_object_at_most(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    start(site.cluster(), [], 5)
    site.kube.asked.clear()
    cluster = site.cluster()
    start(cluster, [], 5)
    assert site.kube.mutations == []
    assert len(site.kube.asked) <= 2
    assert cluster.run.console.changes == []


def test_one_field_that_differs_is_one_patch(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    start(site.cluster(), [], 5)
    site.kube.asked.clear()
    site.write("shop", a__yaml=WEB.replace("web:1", "web:2"))
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("PATCH", DEPLOYMENT)]


def test_what_somebody_changed_by_hand_is_put_right(site: Site) -> None:
    site.write("shop", a__yaml=WEB)
    start(site.cluster(), [], 5)
    (entry,) = site.kube.objects[DEPLOYMENT]["metadata"]["managedFields"]
    del entry["fieldsV1"]["f:spec"]["f:replicas"]  # as the API server does when another sets it
    site.kube.asked.clear()
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("PATCH", DEPLOYMENT)]


def test_what_an_older_release_does_not_record_is_seen_in_numbers(site: Site) -> None:
    site.write("shop", a__yaml=WEB)
    start(site.cluster(), [], 5)
    site.kube.objects[DEPLOYMENT]["spec"]["replicas"] = 3
    site.kube.asked.clear()
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("PATCH", DEPLOYMENT)]


def test_a_patch_that_alters_nothing_is_no_change(site: Site) -> None:
    site.write("shop", a__yaml=MAP)
    start(site.cluster(), [], 5)
    (entry,) = site.kube.objects[SETTINGS]["metadata"]["managedFields"]
    entry["fieldsV1"] = {"f:data": {"f:x": {}}}
    cluster = site.cluster()
    start(cluster, [], 5)
    assert cluster.run.console.changes == []


def test_a_new_content_of_what_pods_read_rolls_them(site: Site) -> None:
    reads = WEB.replace(
        "containers:", "volumes: [{name: s, configMap: {name: settings}}], containers:"
    )
    site.write("shop", a__yaml=reads, b__yaml=MAP)
    start(site.cluster(), [], 5)
    site.kube.asked.clear()
    site.write("shop", b__yaml=MAP.replace("a: b", "a: c"))
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("PATCH", SETTINGS), ("PATCH", DEPLOYMENT)]


def test_what_left_the_manifests_is_deleted_and_copies_of_it_are_not(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    start(site.cluster(), [], 5)
    by_hand = [{"manager": "kubectl", "operation": "Update"}]
    made = site.kube.objects[SETTINGS]
    copy = {**made, "metadata": {**made["metadata"], "name": "copy", "managedFields": by_hand}}
    site.kube.objects[f"{SETTINGS}-copy"] = copy
    (site.directory / "templates/services/shop/b.yaml").unlink()
    site.kube.asked.clear()
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("DELETE", SETTINGS), ("PATCH", INVENTORY)]
    assert f"{SETTINGS}-copy" in site.kube.objects


def test_a_kind_that_left_the_manifests_altogether_is_pruned_too(site: Site) -> None:
    job = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: worker}\n"
    site.write("shop", a__yaml=MAP, b__yaml=job)
    start(site.cluster(), [], 5)
    site.write("shop", b__yaml="")
    start(site.cluster(), [], 5)
    assert not any("serviceaccounts" in path for path in site.kube.objects)


def test_a_claim_that_left_the_manifests_is_kept(site: Site) -> None:
    claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {a: b}\n"
    site.write("shop", a__yaml=MAP, b__yaml=claim)
    start(site.cluster(), [], 5)
    site.write("shop", b__yaml="")
    for _ in range(2):
        start(site.cluster(), [], 5)
    assert any(path.endswith("persistentvolumeclaims/data") for path in site.kube.objects)


def test_what_is_there_and_not_ours_is_taken_over_only_with_force(site: Site) -> None:
    site.write("shop", a__yaml=MAP)
    theirs = {"manager": "kubectl", "operation": "Update"}
    metadata = {"name": "settings", "namespace": "default", "managedFields": [theirs]}
    site.kube.objects[SETTINGS] = {"kind": "ConfigMap", "metadata": metadata}
    with pytest.raises(DeployError, match=r"is there and not ours.*(\n.*)*--force"):
        start(site.cluster(), [], 5)
    start(site.cluster(force=True), [], 5)
    assert site.kube.objects[SETTINGS]["data"] == {"a": "b"}


API = "/apis/apiregistration.k8s.io/v1/apiservices"
SERVED = """
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.shop.example}
spec: {group: shop.example, version: v1, groupPriorityMinimum: 100, versionPriority: 10}
"""


def test_an_api_service_is_made_without_apply(site: Site) -> None:
    """API servers of 1.20 panic when one is applied, and put nothing on record of its fields."""
    site.write("shop", service__yaml="waits: {APIService/v1.shop.example: none}\n", a__yaml=SERVED)
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("PATCH", INVENTORY), ("POST", API)]
    site.kube.objects[f"{API}/v1.shop.example"]["spec"]["service"] = None  # the server's own
    site.kube.asked.clear()
    start(site.cluster(), [], 5)
    assert site.kube.mutations == []
    site.kube.objects[f"{API}/v1.shop.example"]["spec"]["versionPriority"] = 1
    start(site.cluster(), [], 5)
    assert site.kube.mutations == [("PATCH", f"{API}/v1.shop.example")]


def test_from_1_21_on_an_api_service_is_applied_like_all_else(site: Site) -> None:
    """So its record tells what somebody else has changed; one of before is taken over."""
    only = "waits: {APIService/v1.shop.example: none}\n"
    site.write("shop", service__yaml=only, a__yaml=SERVED)
    start(site.cluster(), [], 5)
    site.kube.applies_all, site.kube.asked = True, []
    newer = CONFIG.replace("1.20.2", "1.21.0")
    assert newer != CONFIG
    start(site.make(newer).cluster, [], 5)
    assert site.kube.mutations == [], "it is as wanted, whatever its record"
    site.write("shop", a__yaml=SERVED.replace("versionPriority: 10", "versionPriority: 11"))
    start(site.make(newer).cluster, [], 5)
    assert site.kube.mutations == [("PATCH", f"{API}/v1.shop.example")]
    (entry,) = site.kube.objects[f"{API}/v1.shop.example"]["metadata"]["managedFields"]
    del entry["fieldsV1"]["f:spec"]["f:group"]
    site.kube.asked.clear()
    start(site.make(newer).cluster, [], 5)
    assert site.kube.mutations == [("PATCH", f"{API}/v1.shop.example")]


def test_an_api_service_of_others_is_taken_over_only_with_force(site: Site) -> None:
    site.write("shop", service__yaml="waits: {APIService/v1.shop.example: none}\n", a__yaml=SERVED)
    place, body = f"{API}/v1.shop.example", yaml.safe_load(SERVED)
    site.kube.objects[place] = body | {"metadata": {"name": "v1.shop.example", "uid": "1"}}
    with pytest.raises(DeployError, match="is there and not ours"):
        start(site.cluster(), [], 5)
    start(site.cluster(force=True), [], 5)
    assert site.kube.mutations[-1] == ("PATCH", place)


def test_what_is_needed_comes_first_and_what_needs_a_failure_is_not_tried(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("base", a__yaml=WEB.replace("name: web}", "name: base}", 1))
    site.write("top", a__yaml=MAP, service__yaml="needs: [base]")
    site.kube.stuck.add("base")
    with pytest.raises(DeployError, match="not started: it needs base") as caught:
        start(site.cluster(), ["top"], 0.2)
    assert "0 of 1 pods ready" in caught.value.message
    assert not any("settings" in path for path in site.kube.objects)


def test_it_waits_for_what_is_needed_next_alone_and_for_the_rest_at_the_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("base", "other"):
        site.write(name, a__yaml=WEB.replace("name: web}", f"name: {name}}}", 1))
    site.write("top", a__yaml=MAP, service__yaml="needs: [base]")
    waits: list[tuple[list[str], bool]] = []

    def reach(work: Work, goals: Sequence[Goal], timeout: float) -> dict[str, list[str]]:
        if goals:
            waits.append(([goal.service for goal in goals], SETTINGS in site.kube.objects))
        return {}

    monkeypatch.setattr(Work, "reach", reach)
    start(site.cluster(), [], 5)
    assert waits == [(["base"], False), (["other"], True)]


def test_one_service_that_fails_does_not_keep_another_from_starting(site: Site) -> None:
    site.write("bad", a__yaml=WEB)
    site.write("good", a__yaml=MAP)
    site.kube.refusals["PATCH", DEPLOYMENT] = (422, "spec.selector: field is immutable")
    with pytest.raises(DeployError, match=r"1 service not up(.*\n)*.*kubernetes stop bad"):
        start(site.cluster(), [], 5)
    assert SETTINGS in site.kube.objects


LACKS = """
apiVersion: v1
kind: Secret
metadata: {name: access}
stringData: {password: {{ kept("dashboard/admin.password", "webui") | yaml }}}
"""


def test_of_all_what_lacks_a_secret_is_told_with_its_command_and_the_rest_is_started(
    site: Site,
) -> None:
    """As Grafana before the command webui has made its password."""
    site.write("boards", a__yaml__j2=LACKS)
    site.write("more", a__yaml=MAP.replace("settings", "more"), service__yaml="needs: [boards]")
    site.write("shop", a__yaml=MAP)
    with pytest.raises(DeployError, match="2 services not up") as caught:
        start(site.cluster(), [], 5)
    assert caught.value.code == 1
    told = caught.value.message
    assert "boards:\n    not started: " in told and "admin.password\n        cure: run: " in told
    assert f"{PROGRAM} webui\n" in told
    assert "more:\n    not started: it needs boards" in told
    assert [path for _, path in site.kube.mutations] == [INVENTORY, SETTINGS]
    place = site.directory / "deploy/dashboard/admin.password"
    place.parent.mkdir(parents=True)
    place.write_text("secret")
    start(site.cluster(), [], 5)
    assert any("secrets/access" in path for _, path in site.kube.mutations)


def test_a_service_that_is_named_and_lacks_a_secret_changes_nothing(site: Site) -> None:
    site.write("boards", a__yaml__j2=LACKS)
    site.write("shop", a__yaml=MAP)
    with pytest.raises(UsageError, match=r"there is no .*admin\.password"):
        start(site.cluster(), ["shop", "boards"], 5)
    assert site.kube.mutations == []


def test_a_dry_run_notes_each_object_and_sends_nothing(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    cluster = site.cluster(dry_run=True)
    start(cluster, [], 5)
    assert site.kube.mutations == []
    assert [action.words for action in cluster.run.gate.actions] == [
        "write the inventory of shop",
        "apply ConfigMap default/settings",
        "apply Deployment default/web",
    ]


def test_an_applied_plan_makes_these_changes_and_no_others(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    planned = site.cluster(dry_run=True)
    start(planned, [], 5)
    plan = Plan((), "", "", "", "", "", "", actions=planned.run.gate.actions)
    site.write("shop", b__yaml=MAP.replace("a: b", "a: other"))
    with pytest.raises(Refused, match="not in the plan: apply ConfigMap"):
        start(site.cluster(applied_plan=plan), [], 5)
    site.write("shop", b__yaml=MAP)
    start(site.cluster(applied_plan=plan), [], 5)
    assert DEPLOYMENT in site.kube.objects


def test_a_service_whose_label_no_node_carries_is_left_out(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("shop", a__yaml=MAP, service__yaml="labels: [storagemanager, nosuch]")
    start(site.cluster(), [], 5)
    told = capsys.readouterr().err
    assert "shop: left out, no node of the cluster carries storagemanager or nosuch" in told
    assert site.kube.objects == {}
    start(site.make(CONFIG + "kubelabels: {nosuch: worker_node}\n").cluster, [], 5)
    assert SETTINGS in site.kube.objects


def test_a_service_for_machines_that_there_are_not_is_left_out(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("shop", a__yaml=MAP, service__yaml="architectures: [arm64]")
    without = CONFIG.replace("archtype: arm64, ", "")
    start(site.make(without).cluster, [], 5)
    assert "shop: left out, no machine is arm64" in capsys.readouterr().err
    assert site.kube.objects == {}
    start(site.cluster(), [], 5)
    assert SETTINGS in site.kube.objects


def test_all_that_comes_with_dlws_needs_a_request_a_kind_where_nothing_is_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kube = FakeKube(applies_all=True)
    monkeypatch.setattr(objects, "connect", kube.connect())
    start(cluster_of(tmp_path, filled_in()), [], 60)
    assert len(kube.objects) > 80
    made = sum(method == "PATCH" for method, _ in kube.asked)
    assert made <= len(kube.objects), "each object is sent once, and so is each inventory"
    kube.asked.clear()
    start(cluster_of(tmp_path, filled_in()), [], 60)
    assert kube.mutations == []
    kinds = {path for _, path in kube.asked}
    assert len(kube.asked) == len(kinds) + 1 <= 20, "of nodes, those with GPUs and those with NPUs"
