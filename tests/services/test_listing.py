"""What people and programs are shown of services."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from dlws.core.errors import CheckFailed
from dlws.services import folder, listing
from dlws.services.start import start
from tests.support.fakes import CONFIG
from tests.support.sites import MAP, WEB, Site

DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: pw}
stringData: {pw: {{ secret(config.mysql_password) | yaml }}}
"""


def rows(site: Site, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    capsys.readouterr()
    listing.check(site.cluster(), words, "json")
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_services_are_listed_with_what_they_say(site: Site) -> None:
    site.write(
        "web",
        a__yaml=MAP,
        service__yaml="description: The portal\naliases: [old]\nlabels: [portal]",
    )
    (row,) = json.loads(listing.there_are(site.directory, "json"))
    assert (row["service"], row["aliases"], row["description"]) == ("web", ["old"], "The portal")
    assert listing.there_are(site.directory, "table").splitlines()[1].split() == [
        "web", "-", "portal", "old", "The", "portal",
    ]  # fmt: skip


def test_render_shows_objects_and_no_secret(site: Site) -> None:
    site.write("shop", a__yaml__j2=SECRET, b__yaml=MAP, service__yaml="needs: [base]")
    site.write("base", a__yaml=WEB)
    shown = listing.rendered(site.make(f"{CONFIG}mysql_password: hunter22\n").cluster, ["shop"])
    secret, settings = yaml.safe_load_all(shown)
    assert secret["data"] == {"pw": "(secret)"}
    assert settings["metadata"]["name"] == "settings"
    assert "# Source: shop/b.yaml:1\n" in shown
    assert site.kube.asked == []


def test_status_of_what_is_up_and_of_what_is_not_started(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{nodePort: 40001}]}"
    )
    site.write("off", a__yaml=MAP.replace("settings", "others"))
    site.write("shop", a__yaml=WEB, b__yaml=service)
    start(site.cluster(), ["shop"], 5)
    off, shop = rows(site, capsys)
    assert (off["state"], shop["state"], shop["problems"]) == ("stopped", "up", [])
    assert shop["answers"] == ["10.1.0.1:40001"]
    with pytest.raises(CheckFailed, match="off"):
        rows(site, capsys, "off")


def test_status_tells_what_differs(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    start(site.cluster(), [], 5)
    site.kube.objects[DEPLOYMENT]["spec"]["replicas"] = 0
    site.write("shop", b__yaml="")
    with pytest.raises(CheckFailed, match="not all is well: shop"):
        listing.check(site.cluster(), [], "table")
    shown = capsys.readouterr().out
    assert "not as its manifests say: Deployment default/web" in shown
    assert "in no manifest any more: ConfigMap default/settings" in shown


def test_status_asks_once_per_object_at_most(site: Site) -> None:
    site.write("shop", a__yaml=WEB, b__yaml=MAP)
    start(site.cluster(), [], 5)
    site.kube.asked.clear()
    listing.check(site.cluster(), [], "table")
    assert site.kube.mutations == []
    assert len(site.kube.asked) == 3  # ConfigMaps, Deployments, Pods


def test_a_pod_with_our_label_that_is_not_ours_does_not_count(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write("shop", a__yaml=WEB)
    start(site.cluster(), [], 5)
    deployment = "uid-/apis/apps/v1/namespaces/default/deployments/web"
    labels = {"dlws.io/service": "shop"}

    def item(name: str, owner: str, **more: Any) -> dict[str, Any]:
        about = {"name": name, "uid": name, "namespace": "default", "labels": labels}
        return {"metadata": {**about, "ownerReferences": [{"name": "x", "uid": owner}]}, **more}

    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    crashed = {"name": "c", "state": {"terminated": {"exitCode": 1}}}
    site.kube.lists["/apis/apps/v1/replicasets"] = [item("web-1", deployment)]
    site.kube.lists["/api/v1/pods"] = [
        item("web-1-a", "web-1", status=ready),
        item("foreign", "somebody", status={"containerStatuses": [crashed]}),
    ]
    listing.check(site.cluster(), ["shop"], "json")
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["ready"], row["pods"], row["state"]) == (1, 1, "up")


def test_where_a_service_answers_is_what_its_manifests_say(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    says = "metadata: {name: web, annotations: {dlws.io/answers: 'https://10.1.0.1/ http://b:1'}}"
    site.write("shop", a__yaml=WEB.replace("metadata: {name: web}", says, 1))
    site.write("off", a__yaml=MAP)
    services = folder.load_all(site.directory)
    told = {"off": [], "shop": ["https://10.1.0.1/", "http://b:1"]}
    assert listing.places(site.cluster(), list(services.values())) == told
    start(site.cluster(), ["shop"], 5)
    assert {row["service"]: row["answers"] for row in rows(site, capsys)} == told
