"""The Secret regcred: by the API alone, once, and not over a Secret of another kind."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dlws.core.errors import DeployError
from dlws.kubernetes import objects
from dlws.kubernetes.api import ApiRefused
from dlws.nodes.credentials import Credential
from dlws.registry import secret
from tests.support.kubeobjects import Answer, FakeKube
from tests.support.registries import CONFIG, PASSWORD, Start

PLACE = "/api/v1/namespaces/{}"
REGCRED = "/api/v1/namespaces/{}/secrets/regcred"


class Kube(FakeKube):
    """Objects alone, no lists."""

    def _get(self, path: str, query: dict[str, Any]) -> Answer:
        if path not in self.objects:
            raise ApiRefused("not found", "", 404)
        return super()._get(path, query)


@pytest.fixture
def kube(monkeypatch: pytest.MonkeyPatch) -> FakeKube:
    kube = Kube()
    monkeypatch.setattr(objects, "connect", kube.connect())
    for name in ("default", "kube-system", "jobs"):
        kube.objects[PLACE.format(name)] = {"kind": "Namespace", "metadata": {"name": name}}
    return kube


def test_a_manifest() -> None:
    made = secret.manifest("jobs", {"h:1": Credential("u", "p")})
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    assert made["metadata"] == {"name": "regcred", "namespace": "jobs",
        "labels": {"app.kubernetes.io/managed-by": "dlws"}}  # fmt: skip
    content = json.loads(base64.b64decode(made["data"][".dockerconfigjson"]))
    assert content["auths"]["h:1"]["username"] == "u"


def test_it_is_applied_once_and_again_when_a_password_changes(make: Start, kube: FakeKube) -> None:
    world = make(CONFIG)
    secret.bring(world.cluster)
    wanted = [("PATCH", REGCRED.format(name)) for name in ("default", "kube-system")]
    assert kube.mutations == wanted
    secret.bring(world.cluster)
    assert kube.mutations == wanted
    secret.bring(make(CONFIG.replace("$ecret", "other")).cluster)
    assert kube.mutations == wanted * 2
    assert not any(world.commands(name) for name in world.fakes)  # no node is told


def test_namespaces_of_ones_own(make: Start, kube: FakeKube) -> None:
    secret.bring(make(CONFIG).cluster, ["jobs", "jobs"])
    assert kube.mutations == [("PATCH", REGCRED.format("jobs"))]


def test_a_dry_run_applies_nothing_and_shows_no_password(
    make: Start, kube: FakeKube, capsys: pytest.CaptureFixture[str]
) -> None:
    secret.bring(make(CONFIG, dry_run=True).cluster)
    told = capsys.readouterr().err
    assert "would apply Secret default/regcred" in told and PASSWORD not in told
    assert kube.mutations == []


def test_without_credentials_there_is_nothing_to_do(
    make: Start, kube: FakeKube, capsys: pytest.CaptureFixture[str]
) -> None:
    secret.bring(
        make("cluster_name: a\nmachines: {i: {role: infra, private-ip: 1.2.3.4}}\n").cluster
    )
    assert "nothing to do" in capsys.readouterr().err and kube.asked == []


def test_a_namespace_that_is_missing_is_told(make: Start, kube: FakeKube) -> None:
    with pytest.raises(DeployError, match="no namespace nope") as caught:
        secret.bring(make(CONFIG).cluster, ["nope"])
    assert "kubectl create namespace nope" in caught.value.cure


def test_a_secret_of_another_type_stays(make: Start, kube: FakeKube) -> None:
    kube.objects[REGCRED.format("jobs")] = {
        "kind": "Secret", "metadata": {"name": "regcred"}, "type": "Opaque", "data": {},
    }  # fmt: skip
    with pytest.raises(DeployError, match="of another type") as caught:
        secret.bring(make(CONFIG).cluster, ["jobs"])
    assert "delete secret regcred" in caught.value.cure and kube.mutations == []
